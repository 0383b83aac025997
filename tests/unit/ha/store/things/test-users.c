/* SPDX-License-Identifier: Apache-2.0 */
/* Users: who may make and change them, what they may do themselves, and that an administrator is left. */
#include "house.h"

static void
test_create(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_assert_column(house, "user", "$uwe", "role", "'user'");
    house_assert_column(house, "user", "$uwe", "source", "'local'");
    house_assert_column(house, "user", "$uwe", "disabled", "false");
    house_assert_column(house, "user", "$anna", "password", ""); /* which nobody asked for */
    house_refuse(house, STORE_ERROR_EXISTS, "name: another user is called “uwe” already", "user.create",
                 "{'user': <'$other'>, 'name': <'UWE'>}");
    house_refuse(house, STORE_ERROR_EXISTS, "the user “uwe” has this id already", "user.create",
                 "{'user': <'$uwe'>, 'name': <'new'>}");
    house_refuse(house, STORE_ERROR_FIELD, "role: it is one of user, operator, admin", "user.create",
                 "{'user': <'$other'>, 'name': <'new'>, 'role': <'root'>}");
    house_refuse(house, STORE_ERROR_FIELD, "password: it is not a hashed password", "user.create",
                 "{'user': <'$other'>, 'name': <'new'>, 'password': <'secret'>}");
    house_refuse(house, STORE_ERROR_RULE, "password: the directory ad has it", "user.create",
                 "{'user': <'$other'>, 'name': <'new'>, 'source': <'ad'>, 'password': <'$y$a$b$c'>}");
    house_do(house, "user.create", "{'user': <'$other'>, 'name': <'new'>, 'source': <'ad'>}");
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role admin", "user.create",
                 "{'user': <'$mine'>, 'name': <'mine'>}");
}

static void
test_change(void)
{
    g_autoptr(House) house = house_new_furnished();

    house->actor = "anna";
    house_do(house, "user.change", "{'user': <'$uwe'>, 'full_name': <'Uwe Ähre'>, 'role': <'operator'>}");
    house_assert_column(house, "user", "$uwe", "full_name", "'Uwe Ähre'");
    house_assert_column(house, "user", "$uwe", "role", "'operator'");
    house_do(house, "user.change", "{'user': <'$uwe'>, 'full_name': <''>}");
    house_assert_column(house, "user", "$uwe", "full_name", "");
    house_do(house, "user.change", "{'user': <'$uwe'>, 'name': <'Uwe'>}");
    house_assert_column(house, "user", "$uwe", "name", "'Uwe'");
    house_refuse(house, STORE_ERROR_EXISTS, "another user is called “anna”", "user.change",
                 "{'user': <'$uwe'>, 'name': <'Anna'>}");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "there is no user", "user.change",
                 "{'user': <'$nobody'>, 'role': <'user'>}");
}

static void
test_last_admin(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_refuse(house, STORE_ERROR_RULE, "“anna” is the last administrator", "user.change",
                 "{'user': <'$anna'>, 'role': <'user'>}");
    house_refuse(house, STORE_ERROR_RULE, "the last administrator", "user.change",
                 "{'user': <'$anna'>, 'disabled': <true>}");
    house_refuse(house, STORE_ERROR_RULE, "the last administrator", "user.delete", "{'user': <'$anna'>}");
    house_do(house, "user.change", "{'user': <'$anna'>, 'role': <'admin'>, 'disabled': <false>}");
    house_do(house, "user.change", "{'user': <'$uwe'>, 'role': <'admin'>}");
    house_do(house, "user.delete", "{'user': <'$anna'>}");
    house_do(house, "user.change", "{'user': <'$olaf'>, 'disabled': <true>}");
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "the user “olaf” is disabled", "user.set_password",
                 "{'user': <'$olaf'>, 'password': <'$y$a$b$c'>}");
    house->actor = "anna";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "there is no user", "user.delete", "{'user': <'$uwe'>}");
}

static void
test_set_password(void)
{
    g_autoptr(House) house = house_new_furnished();

    house->actor = "uwe";
    house_do(house, "user.set_password", "{'user': <'$uwe'>, 'password': <'$y$j9T$salt$mine'>}");
    house_refuse(house, STORE_ERROR_FORBIDDEN, "user.set_password needs", "user.set_password",
                 "{'user': <'$anna'>, 'password': <'$y$j9T$salt$mine'>}");
    house->actor = "anna";
    house_do(house, "user.set_password", "{'user': <'$uwe'>, 'password': <'$y$j9T$salt$anna'>}");
    house_do(house, "user.create", "{'user': <'$dirk'>, 'name': <'dirk'>, 'source': <'ad'>}");
    house_refuse(house, STORE_ERROR_RULE, "the directory ad has it", "user.set_password",
                 "{'user': <'$dirk'>, 'password': <'$y$j9T$salt$mine'>}");
    g_autoptr(GVariant) uwe = NULL;
    const char *password;
    g_assert_true(store_reader_find_secret(house->reader, store_catalog_find_kind("user"), "UWE", &uwe, NULL));
    g_assert_true(g_variant_lookup(uwe, "password", "&s", &password));
    g_assert_cmpstr(password, ==, "$y$j9T$salt$anna");
}

/* A hash comes late; what was set meanwhile stays. */
static void
test_rehash(void)
{
    g_autoptr(House) house = house_new_furnished();
    g_autoptr(GVariant) uwe = NULL;
    const char *password;

    house_do(house, "user.set_password", "{'user': <'$uwe'>, 'password': <'$y$j9T$salt$old'>}");
    g_autofree char *edited = house_column(house, "user", "$uwe", "edited");
    house_refuse(house, STORE_ERROR_FORBIDDEN, "needs the role daemon", "user.rehash",
                 "{'user': <'$uwe'>, 'was': <'$y$j9T$salt$old'>, 'password': <'$y$jCT$salt$new'>}");
    house->actor = STORE_ACTOR_DAEMON;
    house_refuse(house, STORE_ERROR_FIELD, "was: it is not a hashed password", "user.rehash",
                 "{'user': <'$uwe'>, 'was': <'old'>, 'password': <'$y$jCT$salt$new'>}");
    house_do(house, "user.rehash", "{'user': <'$uwe'>, 'was': <'$y$j9T$salt$old'>, 'password': <'$y$jCT$salt$new'>}");
    house_refuse(house, STORE_ERROR_CHANGED, "the password of “uwe” is another by now", "user.rehash",
                 "{'user': <'$uwe'>, 'was': <'$y$j9T$salt$old'>, 'password': <'$y$jCT$salt$late'>}");
    house_do(house, "user.create", "{'user': <'$none'>, 'name': <'none'>}");
    house_refuse(house, STORE_ERROR_CHANGED, "is another by now", "user.rehash",
                 "{'user': <'$none'>, 'was': <'$y$j9T$salt$old'>, 'password': <'$y$jCT$salt$new'>}");
    house_assert_column(house, "user", "$uwe", "edited", edited); /* by nobody: who looks at the user may go on */
    g_assert_true(store_reader_find_secret(house->reader, store_catalog_find_kind("user"), "uwe", &uwe, NULL));
    g_assert_true(g_variant_lookup(uwe, "password", "&s", &password));
    g_assert_cmpstr(password, ==, "$y$jCT$salt$new");
    const StoreAuditQuery all = {.limit = 10};
    g_autoptr(GPtrArray) lines = store_reader_audit(house->reader, &all, NULL);
    for (guint i = 0; i < lines->len; i++) {
        g_autofree char *line = g_variant_print(lines->pdata[i], FALSE);
        g_assert_null(strstr(line, "$y$"));
    }
}

static void
test_delete(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'user': <'$uwe'>, 'desktop': <'$desktop'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the user “uwe” is in use by the assignment of the desktops “Reception”",
                 "user.delete", "{'user': <'$uwe'>}");
    house_do(house, "assignment.delete", "{'assignment': <'$as'>}");
    house_do(house, "assignment.create", "{'assignment': <'$as'>, 'user': <'$uwe'>, 'pool': <'$pool'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the assignment of the pools “Everybody”", "user.delete",
                 "{'user': <'$uwe'>}");
    house_do(house, "assignment.delete", "{'assignment': <'$as'>}");
    house_do(house, "desktop.create",
             "{'desktop': <'$one'>, 'name': <'One'>, 'pool': <'$pool'>, 'memory': <int64 512>, 'vcpus': <int64 1>}");
    house_do(house, "assignment.create", "{'assignment': <'$as3'>, 'user': <'$uwe'>, 'pool': <'$pool'>}");
    house_do(house, "pool.take", "{'pool': <'$pool'>, 'user': <'$uwe'>}");
    house_refuse(house, STORE_ERROR_IN_USE, "the desktops taken from a pool “One”", "user.delete",
                 "{'user': <'$uwe'>}");
    house_do(house, "assignment.delete", "{'assignment': <'$as3'>}");
    house_do(house, "desktop.release", "{'desktop': <'$one'>}");
    house_do(house, "user.delete", "{'user': <'$uwe'>}");
    house_assert_column(house, "group", "$group", "members", "[]");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/users/create", test_create);
    g_test_add_func("/store/users/change", test_change);
    g_test_add_func("/store/users/last-admin", test_last_admin);
    g_test_add_func("/store/users/set-password", test_set_password);
    g_test_add_func("/store/users/rehash", test_rehash);
    g_test_add_func("/store/users/delete", test_delete);
    return g_test_run();
}
