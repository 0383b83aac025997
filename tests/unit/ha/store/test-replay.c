/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same commands give the same bytes, whatever happens in between: commands sent twice, the store closed and opened,
 * its state taken from a snapshot. And in such a history every command of the catalog is done at times, and refused at
 * times.
 */
#include "house.h"
#include "workload.h"

#include "ha/store/snapshot.h"

#define SEED 7
#define PLACES_MAX 100000

/* Its bytes, as a snapshot has them. */
static GBytes *
state_of(Store *store, const char *folder)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, "state", NULL);
    char *bytes;
    gsize len;

    store_snapshot(store, path, &error);
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    return g_bytes_new_take(bytes, len);
}

static void
assert_same(Store *a, Store *b, const char *folder)
{
    g_autoptr(GBytes) of_a = state_of(a, folder), of_b = state_of(b, folder);

    g_assert_cmpmem(g_bytes_get_data(of_a, NULL), g_bytes_get_size(of_a), g_bytes_get_data(of_b, NULL),
                    g_bytes_get_size(of_b));
}

/* Well-formed commands are done or refused; nothing else may come of them. */
static bool
apply_one(Store *store, uint32_t place, char **said)
{
    g_autoptr(StoreCommand) command = workload_command(SEED, place);
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0};
    bool done = store_apply(store, command, &answer, &error);

    if (!done && (!store_error_is_refusal(error) || error->code < STORE_ERROR_FORBIDDEN))
        g_error("%s at %u: %s", command->name, place, error->message);
    *said = g_strdup(done ? answer.result : error->message);
    return done;
}

static void
apply_range(Store *store, uint32_t from, uint32_t to)
{
    for (uint32_t place = from; place < to; place++) {
        g_autofree char *said = NULL;
        apply_one(store, place, &said);
    }
}

static void
test_two_stores(void)
{
    char *folder = house_folder();
    g_autoptr(House) a = house_new(), b = house_new();

    for (uint32_t place = 0; place < 6000; place++) {
        g_autofree char *by_a = NULL, *by_b = NULL, *again = NULL;
        bool done = apply_one(a->store, place, &by_a);
        g_assert_true(apply_one(b->store, place, &by_b) == done);
        g_assert_cmpstr(by_a, ==, by_b);
        if (place % 7 == 0) {
            g_assert_true(apply_one(b->store, place, &again) == done);
            g_assert_cmpstr(again, ==, by_b);
        }
        if (place % 1500 == 0)
            assert_same(a->store, b->store, folder);
    }
    assert_same(a->store, b->store, folder);
    house_forget_folder(folder);
}

/* One in memory all the way, one in a file, closed and opened; one that joins by a snapshot and goes on. */
static void
test_other_ways(void)
{
    g_autoptr(GError) error = NULL;
    char *folder = house_folder();
    g_autofree char *path = g_build_filename(folder, "carrel.db", NULL);
    g_autofree char *joining = g_build_filename(folder, "snapshot", NULL);
    g_autoptr(House) straight = house_new(), joined = house_new();

    for (uint32_t place = 0; place < 600; place += 100) {
        g_autoptr(Store) filed = store_open(path, &error);
        g_assert_no_error(error);
        apply_range(filed, place, place + 100);
        apply_range(straight->store, place, place + 100);
        assert_same(filed, straight->store, folder);
        if (place == 300) {
            g_assert_true(store_snapshot(filed, joining, &error));
            g_assert_true(store_restore(joined->store, joining, &error));
        } else if (place > 300) {
            apply_range(joined->store, place, place + 100);
            assert_same(joined->store, straight->store, folder);
        }
    }
    house_forget_folder(folder);
}

/* The first command that is not in the set; NULL: all are. */
static const char *
missing_in(GHashTable *set)
{
    const StoreCommandKind *kind;

    for (unsigned i = 0; (kind = store_catalog_command(i)); i++)
        if (!g_hash_table_contains(set, kind->name))
            return kind->name;
    return NULL;
}

/* What chance makes of the catalog is all of it, sooner or later. */
static void
test_covers_catalog(void)
{
    g_autoptr(House) house = house_new();
    g_autoptr(GHashTable) done = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) refused = g_hash_table_new(g_str_hash, g_str_equal);

    for (uint32_t place = 0; place < PLACES_MAX && (missing_in(done) || missing_in(refused)); place++) {
        g_autoptr(StoreCommand) command = workload_command(SEED, place);
        g_autofree char *said = NULL;
        bool was_done = apply_one(house->store, place, &said);
        g_hash_table_add(was_done ? done : refused, (void *)g_intern_string(command->name));
    }
    g_test_message("never done: %s; never refused: %s", missing_in(done), missing_in(refused));
    g_assert_null(missing_in(done));
    g_assert_null(missing_in(refused));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/replay/two-stores", test_two_stores);
    g_test_add_func("/store/replay/other-ways", test_other_ways);
    g_test_add_func("/store/replay/covers-catalog", test_covers_catalog);
    return g_test_run();
}
