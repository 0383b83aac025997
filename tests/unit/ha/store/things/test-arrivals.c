/* SPDX-License-Identifier: Apache-2.0 */
/* A directory's users: new, known, renamed, in other groups; and names that are somebody else's. */
#include "house.h"

#define ARRIVES(user, id, name, role, groups)                                                                     \
    "{'user': <'$" user "'>, 'source': <'ad'>, 'directory_id': <'" id "'>, 'name': <'" name "'>, 'role': <'" role \
    "'>, "                                                                                                        \
    "'groups': <@aa{sv} [" groups "]>}"
#define STAFF "{'group': <'$group'>}"

static House *
daemon_house(void)
{
    House *house = house_new_furnished();

    house->actor = STORE_ACTOR_DAEMON;
    return house;
}

static void
test_new(void)
{
    g_autoptr(House) house = daemon_house();

    house_do(house, "user.arrive", ARRIVES("dirk", "aa01", "dirk", "operator", STAFF));
    g_assert_cmpstr(house->result, ==, house_id("dirk"));
    house_assert_column(house, "user", "$dirk", "source", "'ad'");
    house_assert_column(house, "user", "$dirk", "role", "'operator'");
    house->actor = NULL;
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role daemon", "user.arrive",
                 ARRIVES("x", "aa02", "x", "user", ""));
}

static void
test_again(void)
{
    g_autoptr(House) house = daemon_house();
    g_autoptr(GError) error = NULL;

    house_do(house, "user.arrive", ARRIVES("dirk", "aa01", "dirk", "user", STAFF));
    g_autofree char *revision = house_column(house, "user", "$dirk", "revision");
    int64_t before = house->sequence;
    house_do(house, "user.arrive", ARRIVES("other", "aa01", "dirk", "user", STAFF));
    g_assert_cmpstr(house->result, ==, house_id("dirk"));
    g_assert_false(house_has(house, "user", "$other"));
    house_assert_column(house, "user", "$dirk", "revision", revision);
    g_autoptr(GPtrArray) changes = store_reader_changes(house->reader, before, &error);
    g_assert_cmpuint(changes->len, ==, 0);

    /* Renamed there, and given another role. */
    house_do(house, "user.arrive", ARRIVES("other", "aa01", "Dirk.D", "admin", STAFF));
    house_assert_column(house, "user", "$dirk", "name", "'Dirk.D'");
    house_assert_column(house, "user", "$dirk", "role", "'admin'");
    g_autoptr(GPtrArray) renamed = store_reader_changes(house->reader, before, &error);
    g_assert_cmpuint(renamed->len, ==, 1);
}

static void
test_groups(void)
{
    g_autoptr(House) house = daemon_house();
    g_autofree char *by_ad = g_strdup_printf("[{'user': <'%s'>, 'source': <'ad'>}]", house_id("dirk"));
    g_autofree char *by_admin = g_strdup_printf("[{'user': <'%s'>, 'source': <'local'>}]", house_id("dirk"));

    house_do(house, "group.create", "{'group': <'$sales'>, 'name': <'Sales'>}");
    house_do(house, "group.create", "{'group': <'$night'>, 'name': <'Night'>}");
    house_do(house, "user.arrive", ARRIVES("dirk", "aa01", "dirk", "user", "{'group': <'$sales'>}"));
    house_assert_column(house, "group", "$sales", "members", by_ad);
    house_do(house, "group.add_member", "{'group': <'$night'>, 'user': <'$dirk'>}");
    house_do(house, "user.arrive", ARRIVES("dirk", "aa01", "dirk", "user", ""));
    house_assert_column(house, "group", "$sales", "members", "[]");
    house_assert_column(house, "group", "$night", "members", by_admin);
    house_refuse(house, STORE_ERROR_NOT_FOUND, "groups[0].group: there is no group", "user.arrive",
                 ARRIVES("dirk", "aa01", "dirk", "user", "{'group': <'$nothing'>}"));
}

static void
test_names(void)
{
    g_autoptr(House) house = daemon_house();

    house_refuse(house, STORE_ERROR_EXISTS, "name: another user is called “anna” already", "user.arrive",
                 ARRIVES("x", "aa01", "Anna", "user", ""));
    house_refuse(house, STORE_ERROR_EXISTS, "user: the user “anna” has this id already", "user.arrive",
                 ARRIVES("anna", "aa01", "new", "user", ""));
    house_refuse(house, STORE_ERROR_RULE, "source: that is no directory", "user.arrive",
                 "{'user': <'$x'>, 'source': <'local'>, 'directory_id': <'1'>, 'name': <'x'>, 'role': <'user'>, "
                 "'groups': <@aa{sv} []>}");
    house_do(house, "user.create", "{'user': <'$dora'>, 'name': <'Dora'>, 'source': <'ad'>}");
    house_do(house, "user.arrive", ARRIVES("x", "aa01", "dora", "user", ""));
    g_assert_cmpstr(house->result, ==, house_id("dora"));
    house_assert_column(house, "user", "$dora", "directory_id", "'aa01'");
    house_refuse(house, STORE_ERROR_EXISTS, "another user is called “dora”", "user.arrive",
                 ARRIVES("x", "aa02", "dora", "user", ""));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/arrivals/new", test_new);
    g_test_add_func("/store/arrivals/again", test_again);
    g_test_add_func("/store/arrivals/groups", test_groups);
    g_test_add_func("/store/arrivals/names", test_names);
    return g_test_run();
}
