/* SPDX-License-Identifier: Apache-2.0 */
/* Desktops. */
#include "house.h"

static void
test_create(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_assert_column(house, "desktop", "$desktop", "wanted", "'stopped'");
    house_refuse(house, STORE_ERROR_EXISTS, "name: another desktop is called “Reception” already", "desktop.create",
                 "{'desktop': <'$x'>, 'name': <'RECEPTION'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house_do(house, "desktop.create",
             "{'desktop': <'$x'>, 'name': <'X'>, 'memory': <int64 1024>, 'vcpus': <int64 1>, 'nics': <[{'network': "
             "<'$net'>, 'mac': <'52:54:00:00:00:01'>}]>}");
    house_refuse(house, STORE_ERROR_EXISTS, "nics: the desktop “X” has the address 52:54:00:00:00:01", "desktop.create",
                 "{'desktop': <'$y'>, 'name': <'Y'>, 'memory': <int64 1024>, 'vcpus': <int64 1>, 'nics': <[{'network': "
                 "<'$net'>, 'mac': <'52:54:00:00:00:01'>}]>}");
    house_refuse(house, STORE_ERROR_FIELD, "nics[0].mac: it is an address of many", "desktop.create",
                 "{'desktop': <'$y'>, 'name': <'Y'>, 'memory': <int64 1024>, 'vcpus': <int64 1>, 'nics': <[{'network': "
                 "<'$net'>, 'mac': <'53:54:00:00:00:01'>}]>}");
    house_refuse(house, STORE_ERROR_RULE, "nics[1]: it does not go together", "desktop.create",
                 "{'desktop': <'$y'>, 'name': <'Y'>, 'memory': <int64 1024>, 'vcpus': <int64 1>, 'nics': <[{'network': "
                 "<'$net'>, 'mac': <'52:54:00:00:00:02'>}, {'network': <'$net'>, 'mac': <'52:54:00:00:00:02'>}]>}");
    g_assert_false(house_has(house, "desktop", "$y"));
}

static void
test_change(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "desktop.change",
             "{'desktop': <'$desktop'>, 'memory': <int64 4096>, 'disks': <[{'type': <'disk'>, 'size': <int64 "
             "10737418240>}, {'type': <'cdrom'>}]>}");
    house_assert_column(house, "desktop", "$desktop", "memory", "4096");
    house_assert_column(house, "desktop", "$desktop", "disks",
                        "[{'type': <'disk'>, 'size': <int64 10737418240>}, {'type': <'cdrom'>}]");
    house_do(house, "desktop.change", "{'desktop': <'$desktop'>, 'vcpus': <int64 4>}");
    house_assert_column(house, "desktop", "$desktop", "disks",
                        "[{'type': <'disk'>, 'size': <int64 10737418240>}, {'type': <'cdrom'>}]");
    house_refuse(house, STORE_ERROR_FIELD, "vcpus: it is not of the type number", "desktop.change",
                 "{'desktop': <'$desktop'>, 'vcpus': <'4'>}");
}

/* Its bytes are kept under its place. */
static void
test_disk_stays_at_its_place(void)
{
    static const char says[] = "disks: a disk stays at its place, as large as it is or larger, with what it began as";
    g_autoptr(House) house = house_new_furnished();
    house_do(house, "desktop.create",
             "{'desktop': <'$x'>, 'name': <'X'>, 'memory': <int64 1024>, 'vcpus': <int64 1>, 'disks': "
             "<[{'type': <'cdrom'>}, {'type': <'disk'>, 'size': <int64 10485760>}]>}");

    static const char *const refused[] = {
        "{'desktop': <'$x'>, 'disks': <@aa{sv} []>}",
        "{'desktop': <'$x'>, 'disks': <[{'type': <'disk'>, 'size': <int64 10485760>}]>}",
        "{'desktop': <'$x'>, 'disks': <[{'type': <'disk'>, 'size': <int64 10485760>}, {'type': <'cdrom'>}]>}",
        "{'desktop': <'$x'>, 'disks': <[{'type': <'cdrom'>}, {'type': <'disk'>, 'size': <int64 5242880>}]>}",
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++)
        house_refuse(house, STORE_ERROR_RULE, says, "desktop.change", refused[i]);

    house_do(house, "desktop.change",
             "{'desktop': <'$x'>, 'disks': <[{'type': <'cdrom'>}, {'type': <'disk'>, 'size': <int64 20971520>}, "
             "{'type': <'cdrom'>}]>}");
    house_do(house, "desktop.change",
             "{'desktop': <'$x'>, 'disks': <[{'type': <'cdrom'>}, {'type': <'disk'>, 'size': <int64 20971520>}]>}");
}

static void
test_want(void)
{
    g_autoptr(House) house = house_new_furnished();

    house->actor = "uwe";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "desktop.want needs", "desktop.want",
                 "{'desktop': <'$desktop'>, 'wanted': <'running'>}");
    house->actor = NULL;
    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'group': <'$group'>, 'desktop': <'$desktop'>}");
    house->actor = "uwe";
    house_do(house, "desktop.want", "{'desktop': <'$desktop'>, 'wanted': <'running'>}");
    house_assert_column(house, "desktop", "$desktop", "wanted", "'running'");
    house_refuse(house, STORE_ERROR_FORBIDDEN, "desktop.change needs the role operator", "desktop.change",
                 "{'desktop': <'$desktop'>, 'memory': <int64 8192>}");
    house->actor = NULL;
    house_do(house, "group.remove_member", "{'group': <'$group'>, 'user': <'$uwe'>}");
    house->actor = "uwe";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "desktop.want needs", "desktop.want",
                 "{'desktop': <'$desktop'>, 'wanted': <'stopped'>}");
    house->actor = "olaf";
    house_do(house, "desktop.want", "{'desktop': <'$desktop'>, 'wanted': <'suspended'>}");
}

/* One taken from a pool is theirs until it is given back, or the pool is not assigned to them any more. */
static void
test_want_taken(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "desktop.create",
             "{'desktop': <'$a'>, 'name': <'a'>, 'pool': <'$pool'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'group': <'$group'>, 'pool': <'$pool'>}");
    house_do(house, "pool.take", "{'pool': <'$pool'>, 'user': <'$uwe'>}");
    house->actor = "uwe";
    house_do(house, "desktop.want", "{'desktop': <'$a'>, 'wanted': <'running'>}");
    house->actor = NULL;
    house_do(house, "assignment.delete", "{'assignment': <'$as'>}");
    house->actor = "uwe";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "desktop.want needs", "desktop.want",
                 "{'desktop': <'$a'>, 'wanted': <'stopped'>}");
    house->actor = NULL;
    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'user': <'$uwe'>, 'pool': <'$pool'>}");
    house->actor = "uwe";
    house_do(house, "desktop.want", "{'desktop': <'$a'>, 'wanted': <'stopped'>}");
    house->actor = NULL;
    house_do(house, "desktop.release", "{'desktop': <'$a'>}");
    house->actor = "uwe";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "desktop.want needs", "desktop.want",
                 "{'desktop': <'$a'>, 'wanted': <'stopped'>}");
}

static void
test_place(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role daemon", "desktop.place",
                 "{'desktop': <'$desktop'>, 'host': <'host1'>}");
    house->actor = STORE_ACTOR_DAEMON;
    house_do(house, "desktop.place", "{'desktop': <'$desktop'>, 'host': <'host1'>}");
    house_assert_column(house, "desktop", "$desktop", "host", "'host1'");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "host: there is no host host7", "desktop.place",
                 "{'desktop': <'$desktop'>, 'host': <'host7'>}");
}

static void
test_delete(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "desktop.create",
             "{'desktop': <'$a'>, 'name': <'a'>, 'pool': <'$pool'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house_do(house, "assignment.create", "{'assignment': <'$as0'>, 'user': <'$uwe'>, 'pool': <'$pool'>}");
    house_do(house, "pool.take", "{'pool': <'$pool'>, 'user': <'$uwe'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "in use by the user “uwe”", "desktop.delete", "{'desktop': <'$a'>}");
    house_do(house, "desktop.release", "{'desktop': <'$a'>}");
    house_do(house, "desktop.delete", "{'desktop': <'$a'>}");
    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'user': <'$uwe'>, 'desktop': <'$desktop'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the users it is assigned to “uwe”", "desktop.delete",
                 "{'desktop': <'$desktop'>}");
    house_do(house, "assignment.delete", "{'assignment': <'$as'>}");
    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'group': <'$group'>, 'desktop': <'$desktop'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the groups it is assigned to “Staff”", "desktop.delete",
                 "{'desktop': <'$desktop'>}");
    house_do(house, "assignment.delete", "{'assignment': <'$as'>}");
    house_do(house, "desktop.delete", "{'desktop': <'$desktop'>}");
    g_assert_false(house_has(house, "desktop", "$desktop"));
}

static void
test_two_admins(void)
{
    g_autoptr(House) house = house_new_furnished();

    g_autofree char *revision = house_column(house, "desktop", "$desktop", "revision");
    int64_t seen = g_ascii_strtoll(revision, NULL, 10);

    house->seen = seen;
    house->actor = "anna";
    house_do(house, "desktop.change", "{'desktop': <'$desktop'>, 'memory': <int64 2048>}");
    house->seen = seen;
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_CHANGED, "anna has changed the desktop “Reception” in the meantime",
                 "desktop.change", "{'desktop': <'$desktop'>, 'memory': <int64 512>}");
    house->seen = seen;
    house_refuse(house, STORE_ERROR_CHANGED, "anna has changed", "desktop.delete", "{'desktop': <'$desktop'>}");
    house->seen = seen;
    house_refuse(house, STORE_ERROR_MALFORMED, "does not change a thing", "desktop.create",
                 "{'desktop': <'$y'>, 'name': <'Y'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house->seen = house->sequence + 100; /* of no history of this store */
    house_refuse(house, STORE_ERROR_CHANGED, "has changed the desktop", "desktop.delete", "{'desktop': <'$desktop'>}");

    /* That it was started meanwhile is nothing that was edited. */
    house_do(house, "desktop.want", "{'desktop': <'$desktop'>, 'wanted': <'running'>}");
    house->seen = 16;
    house_do(house, "desktop.change", "{'desktop': <'$desktop'>, 'memory': <int64 512>}");
    house_assert_column(house, "desktop", "$desktop", "memory", "512");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/desktops/create", test_create);
    g_test_add_func("/store/desktops/change", test_change);
    g_test_add_func("/store/desktops/disk-stays", test_disk_stays_at_its_place);
    g_test_add_func("/store/desktops/want", test_want);
    g_test_add_func("/store/desktops/want-taken", test_want_taken);
    g_test_add_func("/store/desktops/place", test_place);
    g_test_add_func("/store/desktops/delete", test_delete);
    g_test_add_func("/store/desktops/two-admins", test_two_admins);
    return g_test_run();
}
