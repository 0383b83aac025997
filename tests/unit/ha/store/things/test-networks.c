/* SPDX-License-Identifier: Apache-2.0 */
/* Networks have what their type needs and nothing else. */
#include "house.h"

static void
test_create(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "network.create",
             "{'network': <'$br'>, 'name': <'Bridge'>, 'type': <'bridge'>, 'bridge': <'br0'>, 'isolated': <false>}");
    house_assert_column(house, "network", "$br", "isolated", "false");
    house_do(house, "network.create",
             "{'network': <'$vlan'>, 'name': <'Tagged'>, 'type': <'vlan'>, 'bridge': <'br0'>, 'vlan': <int64 7>}");
    house_assert_column(house, "network", "$vlan", "vlan", "7");
    house_refuse(house, STORE_ERROR_RULE, "bridge: a network of the type bridge needs one", "network.create",
                 "{'network': <'$x'>, 'name': <'X'>, 'type': <'bridge'>}");
    house_refuse(house, STORE_ERROR_RULE, "bridge: a network of the type nat has none", "network.create",
                 "{'network': <'$x'>, 'name': <'X'>, 'type': <'nat'>, 'bridge': <'br0'>}");
    house_refuse(house, STORE_ERROR_RULE, "vlan: a network of the type vlan needs one", "network.create",
                 "{'network': <'$x'>, 'name': <'X'>, 'type': <'vlan'>, 'bridge': <'br0'>}");
    house_refuse(house, STORE_ERROR_RULE, "vlan: a network of the type passt has none", "network.create",
                 "{'network': <'$x'>, 'name': <'X'>, 'type': <'passt'>, 'vlan': <int64 7>}");
    house_refuse(house, STORE_ERROR_FIELD, "vlan: it goes from 1 to 4094", "network.create",
                 "{'network': <'$x'>, 'name': <'X'>, 'type': <'vlan'>, 'bridge': <'br0'>, 'vlan': <int64 4095>}");
}

static void
test_change(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "network.change", "{'network': <'$net'>, 'isolated': <false>}");
    house_assert_column(house, "network", "$net", "isolated", "false");
    house_refuse(house, STORE_ERROR_FIELD, "vlan: there is no such field", "network.change",
                 "{'network': <'$net'>, 'vlan': <int64 7>}");
}

static void
test_delete(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_refuse(house, STORE_ERROR_IN_USE, "the templates “Office PC”", "network.delete", "{'network': <'$net'>}");
    house_do(house, "desktop.change", "{'desktop': <'$desktop'>, 'nics': <[{'network': <'$net'>}]>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the desktops “Reception”", "network.delete", "{'network': <'$net'>}");
    house_do(house, "desktop.change", "{'desktop': <'$desktop'>, 'nics': <@aa{sv} []>}");
    house_do(house, "template.change", "{'template': <'$template'>, 'nics': <@aa{sv} []>}");
    house_do(house, "network.delete", "{'network': <'$net'>}");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/networks/create", test_create);
    g_test_add_func("/store/networks/change", test_change);
    g_test_add_func("/store/networks/delete", test_delete);
    return g_test_run();
}
