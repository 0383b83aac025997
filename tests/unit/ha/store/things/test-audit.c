/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail: a line for everything, done or refused, without secrets, until it is pruned. */
#include "house.h"

#include <string.h>

static GPtrArray *
lines(House *house, const char *column, const char *value)
{
    g_autoptr(GError) error = NULL;
    const StoreAuditQuery query = {.column = column, .value = value, .limit = STORE_PAGE_MAX};
    GPtrArray *found = store_reader_audit(house->reader, &query, &error);

    g_assert_no_error(error);
    return found;
}

static const char *
text(GPtrArray *found, unsigned i, const char *column)
{
    const char *value = NULL;

    g_variant_lookup(found->pdata[i], column, "&s", &value);
    return value;
}

static void
test_lines(void)
{
    g_autoptr(House) house = house_new_furnished();

    house->actor = "olaf";
    house_do(house, "desktop.want", "{'desktop': <'$desktop'>, 'wanted': <'running'>}");
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role", "user.delete", "{'user': <'$uwe'>}");
    g_autoptr(GPtrArray) by_olaf = lines(house, "actor", house_id("olaf"));
    g_assert_cmpuint(by_olaf->len, ==, 2);
    g_assert_cmpstr(text(by_olaf, 0, "command"), ==, "user.delete");
    g_assert_nonnull(strstr(text(by_olaf, 0, "message"), "needs the role admin"));
    g_assert_cmpstr(text(by_olaf, 1, "actor_name"), ==, "olaf");
    g_assert_cmpstr(text(by_olaf, 1, "thing_name"), ==, "Reception");
    g_assert_cmpstr(text(by_olaf, 1, "origin"), ==, "host1");
    g_assert_null(text(by_olaf, 1, "message"));
    g_autofree char *details = g_strdup_printf("{\"desktop\":\"%s\",\"wanted\":\"running\"}", house_id("desktop"));
    g_assert_cmpstr(text(by_olaf, 1, "details"), ==, details);
}

static void
test_secrets(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(GPtrArray) made = lines(house, "thing", house_id("anna"));

    g_assert_nonnull(strstr(text(made, 0, "details"), "\"password\":\"(hidden)\""));
    g_assert_null(strstr(text(made, 0, "details"), "$y$"));
}

static void
test_note(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role daemon", "audit.note", "{'event': <'sign-in'>}");
    house->actor = STORE_ACTOR_DAEMON;
    house_do(house, "audit.note", "{'event': <'sign-in-failed'>, 'name': <'root'>, 'address': <'192.0.2.1'>}");
    house_refuse(house, STORE_ERROR_FIELD, "event: it is one of sign-in", "audit.note", "{'event': <'lunch'>}");
    g_autoptr(GPtrArray) notes = lines(house, "command", "audit.note");
    g_assert_cmpuint(notes->len, ==, 2);
    g_assert_cmpstr(text(notes, 0, "details"), ==,
                    "{\"event\":\"sign-in-failed\",\"name\":\"root\",\"address\":\"192.0.2.1\"}");
}

static void
test_prune(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(GPtrArray) before = lines(house, NULL, NULL);

    house_refuse(house, STORE_ERROR_FIELD, "keep: it goes from 1000", "audit.prune",
                 "{'before': <int64 1800000000000000>, 'keep': <int64 1>}");
    house_do(house, "audit.prune", "{'before': <int64 1800000000000000>, 'keep': <int64 1000>}");
    g_autoptr(GPtrArray) few = lines(house, NULL, NULL);
    g_assert_cmpuint(few->len, ==, before->len + 1);
    for (unsigned i = 0; i < 1200; i++)
        house_do(house, "desktop.want", "{'desktop': <'$desktop'>, 'wanted': <'running'>}");
    house_do(house, "audit.prune", "{'before': <int64 1>, 'keep': <int64 1000>}"); /* none is that old */
    const StoreAuditQuery oldest = {.before = 2, .limit = 1};
    g_autoptr(GPtrArray) first = store_reader_audit(house->reader, &oldest, NULL);
    g_assert_cmpuint(first->len, ==, 1);
    house_do(house, "audit.prune", "{'before': <int64 1800000000000000>, 'keep': <int64 1000>}");
    g_autoptr(GPtrArray) left = lines(house, NULL, NULL);
    g_assert_cmpuint(left->len, ==, 1000);
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role admin", "audit.prune",
                 "{'before': <int64 1800000000000000>, 'keep': <int64 1000>}");
}

static void
test_wrong_queries(void)
{
    g_autoptr(House) house = house_new();
    g_autoptr(GError) error = NULL;
    const StoreAuditQuery column = {.column = "details", .limit = 1}, many = {.limit = STORE_PAGE_MAX + 1};

    g_assert_null(store_reader_audit(house->reader, &column, &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_FIELD);
    g_clear_error(&error);
    g_assert_null(store_reader_audit(house->reader, &many, &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_FIELD);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/audit/lines", test_lines);
    g_test_add_func("/store/audit/secrets", test_secrets);
    g_test_add_func("/store/audit/note", test_note);
    g_test_add_func("/store/audit/prune", test_prune);
    g_test_add_func("/store/audit/wrong-queries", test_wrong_queries);
    return g_test_run();
}
