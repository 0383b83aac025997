/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts come and go, unless desktops are on them. */
#include "house.h"

static void
test_add(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "host.add", "{'host': <'host2'>, 'address': <'10.0.0.2'>}");
    house_assert_column(house, "host", "host2", "address", "'10.0.0.2'");
    house_assert_column(house, "host", "host2", "maintenance", "false");
    house_refuse(house, STORE_ERROR_EXISTS, "the host “host2” has this id already", "host.add", "{'host': <'host2'>}");
    house_refuse(house, STORE_ERROR_FIELD, "host: it can hold letters", "host.add", "{'host': <'a host'>}");
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "host.add needs the role admin, and “olaf” is operator", "host.add",
                 "{'host': <'host3'>}");
}

static void
test_change(void)
{
    g_autoptr(House) house = house_new_furnished();

    house->actor = "olaf";
    house_do(house, "host.change", "{'host': <'host1'>, 'maintenance': <true>}");
    house_assert_column(house, "host", "host1", "maintenance", "true");
    house_do(house, "host.change", "{'host': <'host1'>, 'address': <'there.example'>}");
    house_do(house, "host.change", "{'host': <'host1'>, 'address': <''>}");
    house_assert_column(house, "host", "host1", "address", "");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "there is no host host9", "host.change",
                 "{'host': <'host9'>, 'maintenance': <true>}");
}

static void
test_remove(void)
{
    g_autoptr(House) house = house_new_furnished();

    house->actor = STORE_ACTOR_DAEMON;
    house_do(house, "desktop.place", "{'desktop': <'$desktop'>, 'host': <'host1'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the host “host1” is in use by the desktops “Reception”", "host.remove",
                 "{'host': <'host1'>}");
    house_do(house, "desktop.place", "{'desktop': <'$desktop'>, 'host': <''>}");
    house_do(house, "host.remove", "{'host': <'host1'>}");
    g_assert_false(house_has(house, "host", "host1"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/hosts/add", test_add);
    g_test_add_func("/store/hosts/change", test_change);
    g_test_add_func("/store/hosts/remove", test_remove);
    return g_test_run();
}
