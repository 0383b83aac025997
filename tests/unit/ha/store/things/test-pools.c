/* SPDX-License-Identifier: Apache-2.0 */
/* Pools: room, and who gets which desktop. */
#include "house.h"

static void
test_create(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_refuse(house, STORE_ERROR_RULE, "spares: there cannot be more than the pool's size, 2", "pool.create",
                 "{'pool': <'$x'>, 'name': <'X'>, 'template': <'$template'>, 'type': <'disposable'>, 'size': <int64 "
                 "2>, 'spares': <int64 3>}");
    house_refuse(
        house, STORE_ERROR_NOT_FOUND, "template: there is no template", "pool.create",
        "{'pool': <'$x'>, 'name': <'X'>, 'template': <'$nothing'>, 'type': <'disposable'>, 'size': <int64 2>}");
    house_assert_column(house, "pool", "$pool", "spares", "0");
}

static void
test_change(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "pool.change", "{'pool': <'$pool'>, 'spares': <int64 2>}");
    house_refuse(house, STORE_ERROR_RULE, "the pool's size, 1", "pool.change",
                 "{'pool': <'$pool'>, 'size': <int64 1>}");
    house_do(house, "pool.change", "{'pool': <'$pool'>, 'size': <int64 1>, 'spares': <int64 0>}");
    house_assert_column(house, "pool", "$pool", "size", "1");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "there is no pool", "pool.change",
                 "{'pool': <'$nothing'>, 'spares': <int64 9>}");
}

static void
test_take(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'group': <'$group'>, 'pool': <'$pool'>}");
    house_refuse(house, STORE_ERROR_FULL, "no desktop of the pool “Everybody” is free", "pool.take",
                 "{'pool': <'$pool'>, 'user': <'$uwe'>}");
    house_do(house, "desktop.create",
             "{'desktop': <'$b'>, 'name': <'b'>, 'pool': <'$pool'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house_do(house, "desktop.create",
             "{'desktop': <'$a'>, 'name': <'a'>, 'pool': <'$pool'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house_refuse(house, STORE_ERROR_FULL, "pool: it has all the desktops it may have", "desktop.create",
                 "{'desktop': <'$c'>, 'name': <'c'>, 'pool': <'$pool'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house_do(house, "desktop.want", "{'desktop': <'$b'>, 'wanted': <'running'>}");
    house->actor = "uwe";
    house_do(house, "pool.take", "{'pool': <'$pool'>, 'user': <'$uwe'>}");
    g_assert_cmpstr(house->result, ==, house_id("b")); /* which runs already */
    house_do(house, "pool.take", "{'pool': <'$pool'>, 'user': <'$uwe'>}");
    g_assert_cmpstr(house->result, ==, house_id("b"));
}

/* Who may take for whom. */
static void
test_take_for(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "desktop.create",
             "{'desktop': <'$a'>, 'name': <'a'>, 'pool': <'$pool'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house->actor = "uwe";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "pool.take needs", "pool.take", "{'pool': <'$pool'>, 'user': <'$uwe'>}");
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_RULE, "user: the pool “Everybody” is not assigned to “uwe”", "pool.take",
                 "{'pool': <'$pool'>, 'user': <'$uwe'>}");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "user: there is no user", "pool.take",
                 "{'pool': <'$pool'>, 'user': <'$nobody'>}");
    house->actor = NULL;
    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'group': <'$group'>, 'pool': <'$pool'>}");
    house_do(house, "group.add_member", "{'group': <'$group'>, 'user': <'$anna'>}");
    house->actor = "uwe";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role operator", "pool.take",
                 "{'pool': <'$pool'>, 'user': <'$anna'>}");
    house->actor = "olaf";
    house_do(house, "pool.take", "{'pool': <'$pool'>, 'user': <'$anna'>}");
    g_assert_cmpstr(house->result, ==, house_id("a"));
    house_refuse(house, STORE_ERROR_FULL, "is free", "pool.take", "{'pool': <'$pool'>, 'user': <'$uwe'>}");
}

/* What somebody left there is nobody else's to find: not the next one's who comes, and not an operator's. */
static void
test_release(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "desktop.create",
             "{'desktop': <'$a'>, 'name': <'a'>, 'pool': <'$pool'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'group': <'$group'>, 'pool': <'$pool'>}");
    house_do(house, "group.add_member", "{'group': <'$group'>, 'user': <'$anna'>}");
    house_do(house, "pool.take", "{'pool': <'$pool'>, 'user': <'$anna'>}");
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role admin", "desktop.release", "{'desktop': <'$a'>}");
    house->actor = NULL;
    house_do(house, "desktop.release", "{'desktop': <'$a'>}");
    house_refuse(house, STORE_ERROR_FULL, "is free", "pool.take", "{'pool': <'$pool'>, 'user': <'$uwe'>}");
    house_assert_column(house, "desktop", "$a", "user", "");
    house_assert_column(house, "desktop", "$a", "pool", "");
}

static void
test_delete(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "desktop.create",
             "{'desktop': <'$a'>, 'name': <'a'>, 'pool': <'$pool'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the desktops “a”", "pool.delete", "{'pool': <'$pool'>}");
    house_do(house, "desktop.delete", "{'desktop': <'$a'>}");
    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'group': <'$group'>, 'pool': <'$pool'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the groups it is assigned to “Staff”", "pool.delete",
                 "{'pool': <'$pool'>}");
    house_do(house, "assignment.delete", "{'assignment': <'$as'>}");
    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'user': <'$uwe'>, 'pool': <'$pool'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the users it is assigned to “uwe”", "pool.delete", "{'pool': <'$pool'>}");
    house_do(house, "assignment.delete", "{'assignment': <'$as'>}");
    house_do(house, "pool.delete", "{'pool': <'$pool'>}");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/pools/create", test_create);
    g_test_add_func("/store/pools/change", test_change);
    g_test_add_func("/store/pools/take", test_take);
    g_test_add_func("/store/pools/take-for", test_take_for);
    g_test_add_func("/store/pools/release", test_release);
    g_test_add_func("/store/pools/delete", test_delete);
    return g_test_run();
}
