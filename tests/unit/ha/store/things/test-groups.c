/* SPDX-License-Identifier: Apache-2.0 */
/* Groups and their members. */
#include "house.h"

static void
test_create(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "group.create", "{'group': <'$new'>, 'name': <'Sales'>, 'description': <'They sell'>}");
    house_assert_column(house, "group", "$new", "description", "'They sell'");
    house_refuse(house, STORE_ERROR_EXISTS, "name: another group is called “Sales” already", "group.create",
                 "{'group': <'$newer'>, 'name': <'sales'>}");
    house_refuse(house, STORE_ERROR_FIELD, "name: it ends with a space", "group.create",
                 "{'group': <'$newer'>, 'name': <'Sales '>}");
}

static void
test_change(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "group.change", "{'group': <'$group'>, 'name': <'Everybody'>}");
    house_assert_column(house, "group", "$group", "name", "'Everybody'");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "there is no group", "group.change",
                 "{'group': <'$nothing'>, 'name': <'x'>}");
}

static void
test_members(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "group.add_member", "{'group': <'$group'>, 'user': <'$uwe'>}");
    house_do(house, "group.add_member", "{'group': <'$group'>, 'user': <'$olaf'>}");
    house_do(house, "group.remove_member", "{'group': <'$group'>, 'user': <'$uwe'>}");
    house_do(house, "group.remove_member", "{'group': <'$group'>, 'user': <'$uwe'>}");
    g_autofree char *members = g_strdup_printf("[{'user': <'%s'>, 'source': <'local'>}]", house_id("olaf"));
    house_assert_column(house, "group", "$group", "members", members);
    house_refuse(house, STORE_ERROR_NOT_FOUND, "user: there is no user", "group.add_member",
                 "{'group': <'$group'>, 'user': <'$nobody'>}");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "user: there is no user", "group.remove_member",
                 "{'group': <'$group'>, 'user': <'$nobody'>}");
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "group.add_member needs", "group.add_member",
                 "{'group': <'$group'>, 'user': <'$anna'>}");
}

static void
test_delete(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'group': <'$group'>, 'pool': <'$pool'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "in use by the assignment of the pools “Everybody”", "group.delete",
                 "{'group': <'$group'>}");
    house_do(house, "assignment.delete", "{'assignment': <'$as'>}");
    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'group': <'$group'>, 'desktop': <'$desktop'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "in use by the assignment of the desktops “Reception”", "group.delete",
                 "{'group': <'$group'>}");
    house_do(house, "assignment.delete", "{'assignment': <'$as'>}");
    house_do(house, "group.delete", "{'group': <'$group'>}");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/groups/create", test_create);
    g_test_add_func("/store/groups/change", test_change);
    g_test_add_func("/store/groups/members", test_members);
    g_test_add_func("/store/groups/delete", test_delete);
    return g_test_run();
}
