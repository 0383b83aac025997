/* SPDX-License-Identifier: Apache-2.0 */
/* The rules as text: what is in which set. What they do, tests/services/test_networks.py tries. */
#include "appliance/network/rules.h"

#include <string.h>

#define CLEARED "table bridge carrel\ndelete table bridge carrel\ntable inet carrel\ndelete table inet carrel\n"

/* The elements of a set; "" where it has none. */
static char *
elements_of(const char *text, const char *set)
{
    g_autofree char *begin = g_strdup_printf("\tset %s {\n", set);
    const char *at = strstr(text, begin);

    g_assert_nonnull(at);
    g_autofree char *body = g_strndup(at, strstr(at, "\n\t}\n") - at);
    const char *elements = strstr(body, "elements = ");
    return g_strdup(elements ? elements + strlen("elements = ") : "");
}

static void
assert_set(const char *text, const char *set, const char *elements)
{
    g_autofree char *has = elements_of(text, set);
    g_assert_cmpstr(has, ==, elements);
}

static void
test_nothing(void)
{
    NetworkRules rules = {0};
    g_autofree char *text = network_rules_text(&rules);

    g_assert_cmpstr(text, ==, CLEARED);
}

static void
test_sets(void)
{
    const NetworkRulesNat nats[] = {{"cnA", {0x64401000, 20}, true}, {"cnB", {0x64402000, 20}, false}};
    const NetworkRulesCard cards[] = {{"ctA0", "52:54:00:00:00:01", true, true, 0x64401002},
                                      {"ctB0", "52:54:00:00:00:02", false, true, 0x64402007},
                                      {"ctC0", "52:54:00:00:00:03", true, false, 0}};
    const char *const uplinks[] = {"eth0", "wan.7", NULL}, *const routers[] = {"eth0", "cnA", NULL};
    NetworkRules rules = {nats, 2, cards, 3, uplinks, routers, NULL};
    g_autofree char *text = network_rules_text(&rules);

    g_assert_true(g_str_has_prefix(text, CLEARED));
    assert_set(text, "cards", "{ \"ctA0\", \"ctB0\", \"ctC0\" }");
    assert_set(text, "nat_cards", "{ \"ctA0\", \"ctB0\" }");
    assert_set(text, "isolated_cards", "{ \"ctA0\", \"ctC0\" }");
    assert_set(text, "macs",
               "{ \"ctA0\" . 52:54:00:00:00:01, \"ctB0\" . 52:54:00:00:00:02, \"ctC0\" . 52:54:00:00:00:03 }");
    assert_set(text, "addresses", "{ \"ctA0\" . 100.64.16.2, \"ctB0\" . 100.64.32.7 }");
    assert_set(text, "bridges", "{ \"cnA\", \"cnB\" }");
    assert_set(text, "subnets", "{ 100.64.16.0/20, 100.64.32.0/20 }");
    assert_set(text, "gateways", "{ \"cnA\" . 100.64.16.1, \"cnB\" . 100.64.32.1 }");
    assert_set(text, "open", "{ \"cnB\" . \"cnB\" }");
    assert_set(text, "uplinks", "{ \"eth0\", \"wan.7\" }");
    assert_set(text, "routers", "{ \"eth0\", \"cnA\" }");
    g_assert_null(strstr(text, "tcp dport"));
}

static void
test_only_what_there_is(void)
{
    const NetworkRulesCard card = {"ctC0", "52:54:00:00:00:03", false, false, 0};
    const uint16_t ports[] = {443, 8443, 0};
    NetworkRules rules = {NULL, 0, &card, 1, NULL, NULL, ports};
    g_autofree char *text = network_rules_text(&rules);

    assert_set(text, "isolated_cards", "");
    assert_set(text, "addresses", "");
    g_assert_nonnull(strstr(text, "\t\ttcp dport { 443, 8443 } accept\n\t\tdrop\n"));
    /* Nothing of the host's own traffic is looked at for a bridge alone. */
    g_assert_null(strstr(text, "table inet carrel {"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/network/rules/nothing", test_nothing);
    g_test_add_func("/network/rules/sets", test_sets);
    g_test_add_func("/network/rules/only-what-there-is", test_only_what_there_is);
    return g_test_run();
}
