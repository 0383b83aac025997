/* SPDX-License-Identifier: Apache-2.0 */
/* Templates, and what machines can be made of at all. */
#include "house.h"

static void
test_create(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_assert_column(house, "template", "$template", "memory", "2048");
    house_assert_column(house, "template", "$template", "firmware", "'uefi'");
    house_refuse(house, STORE_ERROR_FIELD, "memory: it is missing", "template.create",
                 "{'template': <'$x'>, 'name': <'X'>, 'vcpus': <int64 1>}");
    house_refuse(house, STORE_ERROR_FIELD, "vcpus: it goes from 1 to 64", "template.create",
                 "{'template': <'$x'>, 'name': <'X'>, 'memory': <int64 1024>, 'vcpus': <int64 65>}");
    house_refuse(house, STORE_ERROR_RULE, "secure_boot: only UEFI has it", "template.create",
                 "{'template': <'$x'>, 'name': <'X'>, 'memory': <int64 1024>, 'vcpus': <int64 1>, 'firmware': "
                 "<'bios'>, 'secure_boot': <true>}");
    house_refuse(house, STORE_ERROR_FIELD, "nics[0].mac: there is no such field", "template.create",
                 "{'template': <'$x'>, 'name': <'X'>, 'memory': <int64 1024>, 'vcpus': <int64 1>, 'nics': "
                 "<[{'network': <'$net'>, 'mac': <'52:54:00:00:00:01'>}]>}");
}

static void
test_disks(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_refuse(house, STORE_ERROR_RULE, "disks: an empty disk needs a size", "template.change",
                 "{'template': <'$template'>, 'disks': <[{'type': <'disk'>}]>}");
    house_refuse(house, STORE_ERROR_RULE, "disks: a drive has no size", "template.change",
                 "{'template': <'$template'>, 'disks': <[{'type': <'cdrom'>, 'size': <int64 1048576>}]>}");
    house_refuse(house, STORE_ERROR_RULE, "disks: a drive takes an image of the type iso", "template.change",
                 "{'template': <'$template'>, 'disks': <[{'type': <'cdrom'>, 'image': <'$image'>}]>}");
    house_refuse(house, STORE_ERROR_RULE, "disks: a disk takes an image of the type disk", "template.change",
                 "{'template': <'$template'>, 'disks': <[{'type': <'disk'>, 'image': <'$iso'>}]>}");
    house_refuse(
        house, STORE_ERROR_RULE, "disks: the disk is smaller than its image", "template.change",
        "{'template': <'$template'>, 'disks': <[{'type': <'disk'>, 'image': <'$image'>, 'size': <int64 1048576>}]>}");
    house_refuse(
        house, STORE_ERROR_NOT_FOUND, "disks[1].image: there is no image", "template.change",
        "{'template': <'$template'>, 'disks': <[{'type': <'cdrom'>}, {'type': <'disk'>, 'image': <'$nothing'>}]>}");
    house_do(house, "image.create", "{'image': <'$late'>, 'name': <'Late'>, 'type': <'disk'>}");
    house_refuse(house, STORE_ERROR_RULE, "disks: the image is not ready", "template.change",
                 "{'template': <'$template'>, 'disks': <[{'type': <'disk'>, 'image': <'$late'>}]>}");
}

static void
test_change(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "template.change",
             "{'template': <'$template'>, 'secure_boot': <true>, 'tpm': <true>, 'guest_os': <'windows'>}");
    house_assert_column(house, "template", "$template", "tpm", "true");
    house_refuse(house, STORE_ERROR_RULE, "secure_boot: only UEFI has it", "template.change",
                 "{'template': <'$template'>, 'firmware': <'bios'>}");
}

static void
test_delete(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_refuse(house, STORE_ERROR_IN_USE, "the pools “Everybody”", "template.delete", "{'template': <'$template'>}");
    house_do(house, "pool.delete", "{'pool': <'$pool'>}");
    house_do(
        house, "desktop.create",
        "{'desktop': <'$x'>, 'name': <'X'>, 'template': <'$template'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the desktops “X”", "template.delete", "{'template': <'$template'>}");
    house_do(house, "desktop.delete", "{'desktop': <'$x'>}");
    house_do(house, "template.delete", "{'template': <'$template'>}");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/templates/create", test_create);
    g_test_add_func("/store/templates/disks", test_disks);
    g_test_add_func("/store/templates/change", test_change);
    g_test_add_func("/store/templates/delete", test_delete);
    return g_test_run();
}
