/* SPDX-License-Identifier: Apache-2.0 */
/* Policies. */
#include "house.h"

static void
test_create(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_assert_column(house, "policy", "$policy", "clipboard", "'both'");
    house_assert_column(house, "policy", "$policy", "file_transfer", "'none'");
    house_assert_column(house, "policy", "$policy", "usb", "'-1,-1,-1,-1,0'");
    house_refuse(house, STORE_ERROR_FIELD, "clipboard: it is one of none, to-desktop", "policy.create",
                 "{'policy': <'$x'>, 'name': <'X'>, 'clipboard': <'yes'>}");
}

static void
test_change(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "policy.change", "{'policy': <'$policy'>, 'clipboard': <'none'>, 'usb': <'-1,-1,-1,-1,1'>}");
    house_assert_column(house, "policy", "$policy", "clipboard", "'none'");
    house_refuse(house, STORE_ERROR_FIELD, "usb: it is empty", "policy.change", "{'policy': <'$policy'>, 'usb': <''>}");
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role admin", "policy.change",
                 "{'policy': <'$policy'>, 'clipboard': <'both'>}");
}

static void
test_delete(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_refuse(house, STORE_ERROR_IN_USE, "the pools “Everybody”", "policy.delete", "{'policy': <'$policy'>}");
    house_do(house, "pool.change", "{'pool': <'$pool'>, 'policy': <''>}");
    house_do(house, "desktop.change", "{'desktop': <'$desktop'>, 'policy': <'$policy'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the desktops “Reception”", "policy.delete", "{'policy': <'$policy'>}");
    house_do(house, "desktop.change", "{'desktop': <'$desktop'>, 'policy': <''>}");
    house_do(house, "policy.delete", "{'policy': <'$policy'>}");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/policies/create", test_create);
    g_test_add_func("/store/policies/change", test_change);
    g_test_add_func("/store/policies/delete", test_delete);
    return g_test_run();
}
