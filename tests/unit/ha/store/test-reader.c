/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: pages in order by every index, none of which searches a whole table; what has changed since. */
#include "house.h"

#include "ha/store/record.h"

#include <string.h>

static const StoreKind *
kind(const char *name)
{
    return store_catalog_find_kind(name);
}

static char *
text(GVariant *thing, const char *column)
{
    char *value = NULL;

    g_variant_lookup(thing, column, "s", &value);
    return value;
}

/* The names on all pages, with bars between pages. */
static char *
names_of(House *house, StoreQuery query)
{
    g_autoptr(GString) names = g_string_new(NULL);
    g_autofree char *after = NULL;
    g_autoptr(GError) error = NULL;

    do {
        g_auto(StorePage) page = {0};
        query.after = after;
        store_reader_list(house->reader, &query, &page, &error);
        g_assert_no_error(error);
        for (guint i = 0; i < page.rows->len; i++) {
            g_autofree char *name = text(page.rows->pdata[i], "name");
            g_string_append_printf(names, "%s ", name);
        }
        g_free(after);
        after = g_steal_pointer(&page.next);
        g_string_append(names, after ? "| " : "");
    } while (after);
    return g_string_free_and_steal(g_steal_pointer(&names));
}

static void
assert_names(House *house, StoreQuery query, const char *should)
{
    g_autofree char *is = names_of(house, query);

    g_assert_cmpstr(is, ==, should);
}

static void
test_pages(void)
{
    g_autoptr(House) house = house_new_furnished();

    assert_names(house, (StoreQuery){.kind = kind("user"), .limit = 10}, "anna olaf uwe ");
    assert_names(house, (StoreQuery){.kind = kind("user"), .limit = 2}, "anna olaf | uwe ");
    assert_names(house, (StoreQuery){.kind = kind("user"), .limit = 1}, "anna | olaf | uwe ");
    assert_names(house, (StoreQuery){.kind = kind("user"), .limit = 3}, "anna olaf uwe ");
    assert_names(house, (StoreQuery){.kind = kind("user"), .filter = "role", .value = "operator", .limit = 3}, "olaf ");
    assert_names(house, (StoreQuery){.kind = kind("user"), .filter = "role", .value = "none", .limit = 3}, "");
    assert_names(house, (StoreQuery){.kind = kind("desktop"), .filter = "pool", .limit = 3}, "Reception ");
    assert_names(house,
                 (StoreQuery){.kind = kind("pool"), .filter = "template", .value = house_id("template"), .limit = 3},
                 "Everybody ");
}

/* A page goes on behind its last row, though that is gone. */
static void
test_page_goes_on(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_auto(StorePage) first = {0}, second = {0};
    const StoreQuery query = {.kind = kind("user"), .limit = 2};

    g_assert_true(store_reader_list(house->reader, &query, &first, NULL));
    house_do(house, "user.delete", "{'user': <'$olaf'>}");
    const StoreQuery rest = {.kind = kind("user"), .limit = 2, .after = first.next};
    g_assert_true(store_reader_list(house->reader, &rest, &second, NULL));
    g_assert_cmpuint(second.rows->len, ==, 1);
    g_autofree char *name = text(second.rows->pdata[0], "name");
    g_assert_cmpstr(name, ==, "uwe");
}

static void
test_by_id(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(GString) ids = g_string_new(NULL);
    g_autofree char *after = NULL;

    house_do(house, "host.add", "{'host': <'host3'>}");
    house_do(house, "host.add", "{'host': <'host2'>}");
    do {
        g_auto(StorePage) page = {0};
        const StoreQuery query = {.kind = kind("host"), .limit = 1, .after = after};
        g_assert_true(store_reader_list(house->reader, &query, &page, NULL));
        g_autofree char *id = text(page.rows->pdata[0], "id");
        g_string_append_printf(ids, "%s ", id);
        g_free(after);
        after = g_steal_pointer(&page.next);
    } while (after);
    g_assert_cmpstr(ids->str, ==, "host1 host2 host3 ");
}

static void
test_count(void)
{
    g_autoptr(House) house = house_new_furnished();
    const StoreQuery all = {.kind = kind("user"), .limit = 1},
                     some = {.kind = kind("user"), .filter = "role", .value = "user", .limit = 1};
    int64_t n;

    g_assert_true(store_reader_count(house->reader, &all, &n, NULL));
    g_assert_cmpint(n, ==, 3);
    g_assert_true(store_reader_count(house->reader, &some, &n, NULL));
    g_assert_cmpint(n, ==, 1);
}

static void
test_find(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(GVariant) uwe = NULL, nobody = NULL, odd = NULL, host = NULL;

    g_assert_true(store_reader_find(house->reader, kind("user"), "UWE", &uwe, NULL));
    g_autofree char *id = text(uwe, "id");
    g_assert_cmpstr(id, ==, house_id("uwe"));
    g_assert_true(store_reader_find(house->reader, kind("user"), "nobody", &nobody, NULL));
    g_assert_null(nobody);
    g_assert_true(store_reader_find(house->reader, kind("user"), "\xff\xfe", &odd, NULL));
    g_assert_null(odd);
    g_assert_true(store_reader_find(house->reader, kind("host"), "host1", &host, NULL));
    g_assert_nonnull(host);
}

static void
assert_found(House *house, const char *of, const char *search, const char *names)
{
    const StoreQuery query = {.kind = kind(of), .limit = 2, .search = search};
    g_auto(GStrv) each = g_strsplit_set(names, " |", -1);
    int64_t n, expected = 0;

    for (char **name = each; *name; name++)
        expected += **name != 0;
    assert_names(house, query, names);
    g_assert_true(store_reader_count(house->reader, &query, &n, NULL));
    g_assert_cmpint(n, ==, expected);
}

static void
make_group(House *house, const char *id, const char *name)
{
    g_autofree char *fields = g_strdup_printf("{'group': <'$%s'>, 'name': <\"%s\">}", id, name);

    house_do(house, "group.create", fields);
}

/* In any case, anywhere in the name; every character is itself. */
static void
test_search(void)
{
    g_autoptr(House) house = house_new();

    make_group(house, "a", "Büro");
    make_group(house, "b", "BÜRO-2");
    make_group(house, "c", "Приёмная");
    make_group(house, "d", "100%");
    make_group(house, "e", "a_b");
    make_group(house, "f", "'\\\\'");
    make_group(house, "g", "Straße");
    assert_found(house, "group", "büro", "Büro BÜRO-2 ");
    assert_found(house, "group", "ÜR", "Büro BÜRO-2 ");
    assert_found(house, "group", "B\x75\xcc\x88ro", "Büro BÜRO-2 "); /* u and a mark */
    assert_found(house, "group", "buro", "");
    assert_found(house, "group", "ПРИЁМ", "Приёмная ");
    assert_found(house, "group", "STRASSE", "Straße ");
    assert_found(house, "group", "%", "100% ");
    assert_found(house, "group", "_", "a_b ");
    assert_found(house, "group", "'", "'\\' ");
    assert_found(house, "group", "*", "");
    assert_found(house, "group", "\x01", "");
    assert_found(house, "group", " 100% ", "100% ");
    assert_found(house, "group", "o", "Büro BÜRO-2 ");
    assert_found(house, "group", "r", "Büro BÜRO-2 | Straße ");
}

/* Page after page, narrowed by a filter too, and for users in their full names. */
static void
test_search_in_pages(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "user.create", "{'user': <'$lind'>, 'name': <'x1'>, 'full_name': <'Lindgren, ÅSA'>}");
    assert_found(house, "user", "åsa", "x1 ");
    assert_found(house, "user", "L", "olaf x1 ");
    assert_found(house, "user", "", "anna olaf | uwe x1 ");
    assert_found(house, "user", "  ", "anna olaf | uwe x1 ");
    assert_names(house, (StoreQuery){.kind = kind("user"), .limit = 1, .search = "l"}, "olaf | x1 ");
    assert_names(
        house, (StoreQuery){.kind = kind("user"), .filter = "role", .value = "user", .limit = 9, .search = "L"}, "x1 ");
    assert_names(house, (StoreQuery){.kind = kind("desktop"), .filter = "pool", .limit = 9, .search = "recep"},
                 "Reception ");
}

/* Only what is named, whatever else is in the list of names. */
static void
test_ids(void)
{
    g_autoptr(House) house = house_new_furnished();
    const char *some[] = {house_id("uwe"), "\"]); --", "", house_id("nobody"), house_id("anna"), NULL},
               *none[] = {NULL};
    const StoreQuery query = {.kind = kind("user"), .limit = 1, .ids = some};
    int64_t n;

    assert_names(house, query, "anna | uwe ");
    g_assert_true(store_reader_count(house->reader, &query, &n, NULL));
    g_assert_cmpint(n, ==, 2);
    assert_names(house, (StoreQuery){.kind = kind("user"), .limit = 9, .ids = some, .search = "U"}, "uwe ");
    assert_names(house, (StoreQuery){.kind = kind("user"), .limit = 9, .ids = none}, "");
}

static void
test_wrong_queries(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autofree char *long_text = g_strnfill(10000, 'a');
    g_autofree const char **many = g_new0(const char *, STORE_PAGE_MAX + 2);

    for (unsigned i = 0; i <= STORE_PAGE_MAX; i++)
        many[i] = "a";
    const StoreQuery queries[] = {
        {.kind = kind("user"), .limit = 0},
        {.kind = kind("user"), .limit = STORE_PAGE_MAX + 1},
        {.kind = kind("user"), .limit = 1, .filter = "password"},
        {.kind = kind("user"), .limit = 1, .filter = "role; DROP TABLE users"},
        {.kind = kind("host"), .limit = 1, .filter = "address"},
        {.kind = kind("user"), .limit = 1, .after = "anna"},
        {.kind = kind("user"), .limit = 1, .after = "\xff\n\xff"},
        {.kind = kind("user"), .limit = 1, .search = "\xff"},
        {.kind = kind("user"), .limit = 1, .search = long_text},
        {.kind = kind("user"), .limit = 1, .ids = many},
        {.kind = kind("host"), .limit = 1, .search = "host1"},
        {.kind = kind("assignment"), .limit = 1, .search = "a"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(queries); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(StorePage) page = {0};
        g_assert_false(store_reader_list(house->reader, &queries[i], &page, &error));
        g_assert_error(error, STORE_ERROR, STORE_ERROR_FIELD);
        g_assert_null(page.rows);
    }
}

/* How SQLite goes about the statements that were run since the trace was set: by an index, and sorted by it. */
static int
check_plan(unsigned event, void *data, void *statement, void *unused)
{
    sqlite3 *handle = data;
    g_autofree char *sql = g_strconcat("EXPLAIN QUERY PLAN ", sqlite3_sql(statement), NULL);
    sqlite3_stmt *plan;

    if (sqlite3_prepare_v2(handle, sql, -1, &plan, NULL) != SQLITE_OK)
        return 0;
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        bool searches_all = strstr(sql, "WHERE") && g_str_has_prefix(step, "SCAN");
        /* What is one user's is few, and sorted afterwards. */
        bool sorts = strstr(step, "TEMP B-TREE") && strstr(sql, "LIMIT");
        if (searches_all || sorts)
            g_error("%s: %s", sqlite3_sql(statement), step);
    }
    sqlite3_finalize(plan);
    return 0;
}

static void
test_plans(void)
{
    char *folder = house_folder();
    g_autofree char *path = g_build_filename(folder, "carrel.db", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(Store) store = store_open(path, &error);
    g_autoptr(StoreReader) reader = store_reader_of(store);
    sqlite3 *other;
    const StoreKind *each;

    g_assert_no_error(error);
    g_assert_cmpint(sqlite3_open_v2(path, &other, SQLITE_OPEN_READONLY, NULL), ==, SQLITE_OK);
    sqlite3 *own = store_database_handle(store_get_database(store));
    sqlite3_trace_v2(own, SQLITE_TRACE_STMT, check_plan, other);
    for (unsigned i = 0; (each = store_catalog_kind(i)); i++) {
        static const char *const all[] = {NULL, NULL};
        for (const char *const *filter = all;;) {
            g_auto(StorePage) page = {0}, next = {0};
            g_assert_true(store_reader_list(
                reader, &(StoreQuery){.kind = each, .filter = *filter, .value = "x", .limit = 5}, &page, NULL));
            g_assert_true(store_reader_list(
                reader, &(StoreQuery){.kind = each, .filter = *filter, .value = "x", .limit = 5, .after = "a\nb"},
                &next, NULL));
            filter = filter == all ? each->filters : filter + 1;
            if (!filter || !*filter)
                break;
        }
        g_autoptr(GVariant) by_name = NULL, by_id = NULL;
        g_assert_true(store_reader_find(reader, each, "x", &by_name, NULL));
        g_assert_true(store_reader_get(reader, each, "x", &by_id, NULL));
    }
    static const char *const audit_by[] = {NULL, "actor", "thing", "command"};
    for (unsigned i = 0; i < G_N_ELEMENTS(audit_by); i++)
        g_ptr_array_unref(
            store_reader_audit(reader, &(StoreAuditQuery){.column = audit_by[i], .value = "x", .limit = 9}, NULL));
    g_ptr_array_unref(store_reader_changes(reader, 0, NULL));
    bool yes;
    g_assert_true(store_reader_may_use(reader, "x", "y", &yes, NULL));
    g_ptr_array_unref(store_reader_desktops_of(reader, "x", NULL));
    g_ptr_array_unref(store_reader_pools_of(reader, "x", NULL));
    sqlite3_close(other);
    g_clear_pointer(&reader, store_reader_free);
    g_clear_pointer(&store, store_free);
    house_forget_folder(folder);
}

static void
test_changes(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(GError) error = NULL;
    int64_t before = house->sequence;

    house_do(house, "group.create", "{'group': <'$g'>, 'name': <'G'>}");
    house_do(house, "group.delete", "{'group': <'$g'>}");
    g_autoptr(GPtrArray) changes = store_reader_changes(house->reader, before, &error);
    g_assert_cmpuint(changes->len, ==, 2);
    const StoreChange *made = changes->pdata[0], *removed = changes->pdata[1];
    g_assert_cmpint(made->sequence, ==, before + 1);
    g_assert_cmpint(made->type, ==, STORE_CHANGE_MADE);
    g_assert_cmpstr(made->kind, ==, "group");
    g_assert_cmpstr(made->thing, ==, house_id("g"));
    g_assert_cmpint(removed->type, ==, STORE_CHANGE_REMOVED);
    g_autoptr(GPtrArray) none = store_reader_changes(house->reader, before + 2, &error);
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_null(store_reader_changes(house->reader, before + 3, &error)); /* of another history */
    g_assert_error(error, STORE_ERROR, STORE_ERROR_TOO_OLD);
}

/* Changes and answers are forgotten after so many commands, and then it is said. */
static void
test_forgotten(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(GError) error = NULL;
    int64_t first = house->sequence;

    for (unsigned i = 0; i < STORE_CHANGES_KEPT; i++)
        house_do(house, "desktop.want", "{'desktop': <'$desktop'>, 'wanted': <'running'>}");
    g_autoptr(GPtrArray) all = store_reader_changes(house->reader, first, &error);
    g_assert_cmpuint(all->len, ==, STORE_CHANGES_KEPT);
    g_assert_null(store_reader_changes(house->reader, first - 1, &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_TOO_OLD);
    int64_t answers;
    g_assert_true(store_database_number(store_get_database(house->store), &answers, 0, NULL,
                                        "SELECT count(*) FROM requests", ""));
    g_assert_cmpint(answers, ==, STORE_REQUESTS_KEPT);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/reader/pages", test_pages);
    g_test_add_func("/store/reader/page-goes-on", test_page_goes_on);
    g_test_add_func("/store/reader/by-id", test_by_id);
    g_test_add_func("/store/reader/count", test_count);
    g_test_add_func("/store/reader/find", test_find);
    g_test_add_func("/store/reader/search", test_search);
    g_test_add_func("/store/reader/search-in-pages", test_search_in_pages);
    g_test_add_func("/store/reader/ids", test_ids);
    g_test_add_func("/store/reader/wrong-queries", test_wrong_queries);
    g_test_add_func("/store/reader/plans", test_plans);
    g_test_add_func("/store/reader/changes", test_changes);
    g_test_add_func("/store/reader/forgotten", test_forgotten);
    return g_test_run();
}
