/* SPDX-License-Identifier: Apache-2.0 */
/* Images come, and are there for as long as somebody uses them. */
#include "house.h"

static void
test_create(void)
{
    g_autoptr(House) house = house_new_furnished();

    house->actor = "olaf";
    house_do(house, "image.create", "{'image': <'$new'>, 'name': <'Windows'>, 'type': <'iso'>}");
    house_assert_column(house, "image", "$new", "state", "'coming'");
    house_assert_column(house, "image", "$new", "size", "");
    house_refuse(house, STORE_ERROR_FIELD, "type: it is missing", "image.create",
                 "{'image': <'$newer'>, 'name': <'Other'>}");
    house->actor = "uwe";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role operator", "image.create",
                 "{'image': <'$newer'>, 'name': <'Other'>, 'type': <'iso'>}");
}

static void
test_change(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "image.change", "{'image': <'$iso'>, 'name': <'Netinst'>, 'description': <'13.2'>}");
    house_assert_column(house, "image", "$iso", "name", "'Netinst'");
    house_refuse(house, STORE_ERROR_EXISTS, "another image is called “Debian” already", "image.change",
                 "{'image': <'$iso'>, 'name': <'debian'>}");
}

static void
test_settle(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "image.create", "{'image': <'$new'>, 'name': <'Windows'>, 'type': <'iso'>}");
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role daemon, and “console” is admin", "image.settle",
                 "{'image': <'$new'>, 'state': <'failed'>}");
    house->actor = STORE_ACTOR_DAEMON;
    house_refuse(house, STORE_ERROR_RULE, "size: an image that is ready has one", "image.settle",
                 "{'image': <'$new'>, 'state': <'ready'>}");
    house_do(house, "image.settle", "{'image': <'$new'>, 'state': <'failed'>}");
    house_assert_column(house, "image", "$new", "state", "'failed'");
    house_refuse(house, STORE_ERROR_FIELD, "sha256: it is 64 hexadecimal digits", "image.settle",
                 "{'image': <'$new'>, 'state': <'ready'>, 'size': <int64 1>, 'sha256': <'abc'>}");
}

static void
test_delete(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_refuse(house, STORE_ERROR_IN_USE, "the templates “Office PC”", "image.delete", "{'image': <'$image'>}");
    house_do(house, "desktop.change", "{'desktop': <'$desktop'>, 'disks': <[{'type': <'cdrom'>, 'image': <'$iso'>}]>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the desktops “Reception”", "image.delete", "{'image': <'$iso'>}");
    house_do(house, "desktop.change", "{'desktop': <'$desktop'>, 'disks': <[{'type': <'cdrom'>}]>}");
    house_do(house, "image.delete", "{'image': <'$iso'>}");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/images/create", test_create);
    g_test_add_func("/store/images/change", test_change);
    g_test_add_func("/store/images/settle", test_settle);
    g_test_add_func("/store/images/delete", test_delete);
    return g_test_run();
}
