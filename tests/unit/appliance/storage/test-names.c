/* SPDX-License-Identifier: Apache-2.0 */
/* Names of volumes: each kind there and back, and what is none of ours. */
#include "appliance/storage/names.h"

#define ONE "aaaaaaaa-0000-4000-8000-000000000001"
#define TWO "bbbbbbbb-0000-4000-8000-000000000002"

/* @name is the caller's to give away. */
static void
reads_as(char *name, StorageThingKind kind, unsigned place, const char *snapshot)
{
    g_autofree char *owned = name, *made = name_while_made(name);
    g_autoptr(StorageThing) thing = g_new0(StorageThing, 1);

    g_assert_true(name_read(name, thing));
    g_assert_cmpint(thing->kind, ==, kind);
    g_assert_cmpstr(thing->id, ==, ONE);
    g_assert_cmpuint(thing->place, ==, place);
    g_assert_cmpstr(thing->snapshot, ==, snapshot);
    g_assert_null(name_being_made(name));
    g_assert_cmpstr(name_being_made(made), ==, name);
}

static void
test_kinds(void)
{
    reads_as(name_of_image(ONE), STORAGE_THING_IMAGE, 0, NULL);
    reads_as(name_of_iso(ONE), STORAGE_THING_ISO, 0, NULL);
    reads_as(name_of_disk(ONE, 0), STORAGE_THING_DISK, 0, NULL);
    reads_as(name_of_disk(ONE, STORAGE_PLACES_MAX - 1), STORAGE_THING_DISK, STORAGE_PLACES_MAX - 1, NULL);
    reads_as(name_of_kept(ONE, 10, TWO), STORAGE_THING_SNAPSHOT, 10, TWO);
}

static void
test_strangers(void)
{
    static const char *const strangers[] = {
        "",
        "lock",
        "image-",
        "image-" ONE "-0",
        "image-" ONE " ",
        "Image-" ONE,
        "iso-AAAAAAAA-0000-4000-8000-000000000001",
        "disk-" ONE,
        "disk-" ONE "-",
        "disk-" ONE "-32",
        "disk-" ONE "-00",
        "disk-" ONE "-01",
        "disk-" ONE "-1000",
        "disk-" ONE "--1",
        "disk-" ONE "-1 ",
        "kept-" ONE "-1",
        "kept-" ONE "-1-",
        "kept-" ONE "-1-" ONE "x",
        "making-disk-" ONE "-0",
        "../disk-" ONE "-0",
        "disk-" ONE "-0/x",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(strangers); i++) {
        g_autoptr(StorageThing) thing = g_new0(StorageThing, 1);
        g_assert_false(name_read(strangers[i], thing));
        g_assert_null(thing->id);
    }
    g_assert_false(name_is_id(NULL));
    g_assert_false(name_is_id("aaaaaaaa000040008000000000000001"));
    g_assert_true(name_is_id(ONE));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/names/kinds", test_kinds);
    g_test_add_func("/names/strangers", test_strangers);
    return g_test_run();
}
