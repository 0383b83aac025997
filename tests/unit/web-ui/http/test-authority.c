/* SPDX-License-Identifier: Apache-2.0 */
/* The Host header: names and addresses, and what only looks like one. */
#include "web-ui/server/http/authority.h"

#include <string.h>

static void
test_taken(void)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } cases[] = {
        {"desk", "desk", 443},           {"Desk.Example:8443", "Desk.Example", 8443}, {"192.0.2.1", "192.0.2.1", 443},
        {"192.0.2.1:1", "192.0.2.1", 1}, {"[2001:db8::1]", "[2001:db8::1]", 443},     {"[::1]:65535", "[::1]", 65535},
        {"a_b.c-d", "a_b.c-d", 443},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        Authority authority;
        g_assert_true(authority_parse(cases[i].text, &authority));
        g_assert_cmpstr(authority.host, ==, cases[i].host);
        g_assert_cmpuint(authority.port, ==, cases[i].port);
    }
}

static void
test_refused(void)
{
    static const char *const texts[] = {
        "",    ":443", "a b",  "a:",     "a:0",   "a:65536",     "a:x",       "a:+1", "a: 1",  "a:0443x", "a\n",
        "a/b", "a@b",  "a;b",  "a'b",    "a\"",   "a%20",        "é",         "..",   ".a",    "-a",      "a..b",
        "[",   "[]",   "[::1", "[::1]x", "[a]:1", "[fe80::1%1]", "[1.2.3.4]", "::1",  "1:2:3", "[::1]:",  "a:443:443",
    };
    Authority authority;

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
        if (authority_parse(texts[i], &authority))
            g_error("“%s” was taken", texts[i]);
    g_assert_false(authority_parse(NULL, &authority));
    g_autofree char *longer = g_strnfill(256, 'a');
    g_assert_false(authority_parse(longer, &authority));
    longer[255] = '\0';
    g_assert_true(authority_parse(longer, &authority));
}

static void
test_settled(void)
{
    static const struct {
        const char *host, *local, *settled;
    } cases[] = {
        {"localhost", "127.0.0.1", "127.0.0.1"}, {"LocalHost", "::1", "[::1]"},
        {"localhost", "127.0.1.1", "127.0.1.1"}, {"localhost", "10.0.2.15", "127.0.0.1"},
        {"localhost", NULL, "127.0.0.1"},        {"desk.example", "::1", "desk.example"},
        {"[::1]", "127.0.0.1", "[::1]"},         {"localhost.example", "::1", "localhost.example"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GInetAddress) local = cases[i].local ? g_inet_address_new_from_string(cases[i].local) : NULL;
        Authority authority;
        g_assert_true(authority_parse(cases[i].host, &authority));
        authority_settle(&authority, local);
        g_assert_cmpstr(authority.host, ==, cases[i].settled);
    }
}

static void
test_origin(void)
{
    Authority authority;

    g_assert_true(authority_parse("Desk.example:8443", &authority));
    g_assert_true(authority_is_origin(&authority, "https://desk.example:8443"));
    g_assert_false(authority_is_origin(&authority, "https://desk.example"));
    g_assert_false(authority_is_origin(&authority, "http://desk.example:8443"));
    g_assert_false(authority_is_origin(&authority, "https://desk.example:8443/"));
    g_assert_false(authority_is_origin(&authority, "https://desk.example.evil:8443"));
    g_assert_false(authority_is_origin(&authority, "null"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/authority/taken", test_taken);
    g_test_add_func("/authority/refused", test_refused);
    g_test_add_func("/authority/settled", test_settled);
    g_test_add_func("/authority/origin", test_origin);
    return g_test_run();
}
