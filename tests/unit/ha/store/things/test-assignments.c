/* SPDX-License-Identifier: Apache-2.0 */
/* Assignments: one of each, and once. */
#include "house.h"

static void
test_create(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'user': <'$uwe'>, 'desktop': <'$desktop'>}");
    house_refuse(house, STORE_ERROR_EXISTS, "it is assigned already", "assignment.create",
                 "{'assignment': <'$as2'>, 'user': <'$uwe'>, 'desktop': <'$desktop'>}");
    house_do(house, "assignment.create", "{'assignment': <'$as2'>, 'group': <'$group'>, 'desktop': <'$desktop'>}");
    house_refuse(house, STORE_ERROR_RULE, "user: an assignment has either", "assignment.create",
                 "{'assignment': <'$as3'>, 'desktop': <'$desktop'>}");
    house_refuse(house, STORE_ERROR_RULE, "user: an assignment has either", "assignment.create",
                 "{'assignment': <'$as3'>, 'user': <'$uwe'>, 'group': <'$group'>, 'desktop': <'$desktop'>}");
    house_refuse(house, STORE_ERROR_RULE, "desktop: an assignment has either", "assignment.create",
                 "{'assignment': <'$as3'>, 'user': <'$uwe'>, 'pool': <'$pool'>, 'desktop': <'$desktop'>}");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "pool: there is no pool", "assignment.create",
                 "{'assignment': <'$as3'>, 'user': <'$uwe'>, 'pool': <'$nothing'>}");
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role admin", "assignment.create",
                 "{'assignment': <'$as3'>, 'user': <'$olaf'>, 'desktop': <'$desktop'>}");
}

static void
test_delete(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'user': <'$uwe'>, 'desktop': <'$desktop'>}");
    house_do(house, "assignment.delete", "{'assignment': <'$as'>}");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "there is no assignment", "assignment.delete",
                 "{'assignment': <'$as'>}");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/assignments/create", test_create);
    g_test_add_func("/store/assignments/delete", test_delete);
    return g_test_run();
}
