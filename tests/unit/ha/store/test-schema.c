/* SPDX-License-Identifier: Apache-2.0 */
/* Stores of earlier versions, kept as they were, become stores of this one; and nothing else passes for a store. */
#include "house.h"

#include "ha/store/schema.h"

/* A file made by SQL alone, as another program would make it. */
static void
make_file(const char *path, const char *sql)
{
    sqlite3 *handle;

    g_assert_cmpint(sqlite3_open(path, &handle), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(handle, sql, NULL, NULL, NULL), ==, SQLITE_OK);
    sqlite3_close(handle);
}

static char *
fixture(const char *name)
{
    g_autofree char *path = g_build_filename(STORE_FIXTURES, name, NULL);
    g_autoptr(GError) error = NULL;
    char *sql;

    g_file_get_contents(path, &sql, NULL, &error);
    g_assert_no_error(error);
    return sql;
}

static House *
open_fixture(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, "carrel.db", NULL);
    g_autofree char *sql = fixture(name);
    g_autoptr(GError) error = NULL;
    House *house = g_new0(House, 1);
    int64_t version;

    make_file(path, sql);
    house->store = store_open(path, &error);
    g_assert_no_error(error);
    house->reader = store_reader_of(house->store);
    g_assert_true(store_schema_version(store_get_database(house->store), &version, &error));
    g_assert_cmpint(version, ==, STORE_SCHEMA_VERSION);
    g_assert_true(store_schema_check(store_get_database(house->store), &error));
    return house;
}

/* What was there is there; what is new can be used. */
static void
test_from_version_1(void)
{
    char *folder = house_folder();
    g_autoptr(House) house = open_fixture(folder, "version-1.sql");

    house_assert_column(house, "user", "11111111-1111-4111-8111-111111111111", "name", "'anna'");
    house_assert_column(house, "group", "33333333-3333-4333-8333-333333333333", "members",
                        "[{'user': <'22222222-2222-4222-8222-222222222222'>, 'source': <'local'>}]");
    house_do(house, "desktop.create", "{'desktop': <'$d'>, 'name': <'D'>, 'memory': <int64 512>, 'vcpus': <int64 1>}");
    g_assert_cmpint(house->sequence, ==, 7);
    house_do(house, "assignment.create",
             "{'assignment': <'$a'>, 'group': <'33333333-3333-4333-8333-333333333333'>, 'desktop': <'$d'>}");
    g_clear_pointer(&house, house_free);
    house_forget_folder(folder);
}

static void
test_from_version_2(void)
{
    char *folder = house_folder();
    g_autoptr(House) house = open_fixture(folder, "version-2.sql");

    house_assert_column(house, "desktop", "99999999-9999-4999-8999-999999999999", "nics",
                        "[{'network': <'44444444-4444-4444-8444-444444444444'>, 'mac': <'52:54:00:00:00:01'>}]");
    house_assert_column(house, "user", "22222222-2222-4222-8222-222222222222", "totp_step", "-1");
    house->actor = STORE_ACTOR_DAEMON;
    house_do(house, "user.use_totp", "{'user': <'22222222-2222-4222-8222-222222222222'>, 'totp_step': <int64 5>}");
    g_assert_cmpint(house->sequence, ==, 14);
    house_refuse(house, STORE_ERROR_IN_USE, "the desktops taken from a pool “Desk”", "user.delete",
                 "{'user': <'22222222-2222-4222-8222-222222222222'>}");
    g_clear_pointer(&house, house_free);
    house_forget_folder(folder);
}

/* What was there counts as edited when it was last changed, by whom nobody knows any more. */
static void
test_from_version_3(void)
{
    char *folder = house_folder();
    g_autoptr(House) house = open_fixture(folder, "version-3.sql");

    house_assert_column(house, "user", "22222222-2222-4222-8222-222222222222", "recovery", "[{}]");
    house->seen = 11;
    house_refuse(house, STORE_ERROR_CHANGED, "somebody has changed the desktop “Desk”", "desktop.change",
                 "{'desktop': <'99999999-9999-4999-8999-999999999999'>, 'memory': <int64 512>}");
    house->seen = 12;
    house_do(house, "desktop.change", "{'desktop': <'99999999-9999-4999-8999-999999999999'>, 'memory': <int64 512>}");
    g_clear_pointer(&house, house_free);
    house_forget_folder(folder);
}

/* Of what was set there stays what was a setting, and could be one. */
static void
test_from_version_4(void)
{
    char *folder = house_folder();
    g_autoptr(House) house = open_fixture(folder, "version-4.sql");

    house_assert_column(house, "setting", "memory.overcommit-percent", "value", "150");
    house_assert_column(house, "setting", "memory.overcommit-percent", "revision", "13");
    house_assert_column(house, "setting", "pools.left-minutes", "value", "10");
    house_assert_column(house, "setting", "desktops.shut-down-seconds", "value", "90");
    g_assert_false(house_has(house, "setting", "site.name"));
    g_clear_pointer(&house, house_free);
    house_forget_folder(folder);
}

/* What was there has no limits, and can be given some. */
static void
test_from_version_5(void)
{
    char *folder = house_folder();
    g_autoptr(House) house = open_fixture(folder, "version-5.sql");

    house_assert_column(house, "setting", "memory.overcommit-percent", "value", "150");
    house_assert_column(house, "desktop", "99999999-9999-4999-8999-999999999999", "cpu_percent", "0");
    house_assert_column(house, "desktop", "99999999-9999-4999-8999-999999999999", "disk_write_ops", "0");
    house_do(house, "desktop.change",
             "{'desktop': <'99999999-9999-4999-8999-999999999999'>, 'cpu_percent': <int64 150>}");
    house_assert_column(house, "desktop", "99999999-9999-4999-8999-999999999999", "cpu_percent", "150");
    g_clear_pointer(&house, house_free);
    house_forget_folder(folder);
}

static void
test_newer(void)
{
    char *folder = house_folder();
    g_autofree char *path = g_build_filename(folder, "carrel.db", NULL);

    make_file(path, "PRAGMA application_id = 0x43725374; PRAGMA user_version = 99; CREATE TABLE future (x)");
    house_refuse_file(path, STORE_ERROR_NEWER, "was made by a later version of Carrel (schema 99");
    house_forget_folder(folder);
}

static void
test_other_tables(void)
{
    static const char *const additions[] = {
        "CREATE TABLE extra (x)",
        "DROP INDEX audit_by_actor",
        "CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE users SET role = 'admin'; END",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -1",
        "PRAGMA user_version = 2",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(additions); i++) {
        char *folder = house_folder();
        g_autofree char *path = g_build_filename(folder, "carrel.db", NULL);
        g_autofree char *sql = fixture("version-1.sql");
        g_autofree char *changed = g_strconcat(sql, additions[i], NULL);
        make_file(path, changed);
        house_refuse_file(path, STORE_ERROR_DAMAGED,
                          i < 3 || i == 5 ? "its tables are not those" : "it has no schema version");
        house_forget_folder(folder);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/schema/from-version-1", test_from_version_1);
    g_test_add_func("/store/schema/from-version-2", test_from_version_2);
    g_test_add_func("/store/schema/from-version-3", test_from_version_3);
    g_test_add_func("/store/schema/from-version-4", test_from_version_4);
    g_test_add_func("/store/schema/from-version-5", test_from_version_5);
    g_test_add_func("/store/schema/newer", test_newer);
    g_test_add_func("/store/schema/other-tables", test_other_tables);
    return g_test_run();
}
