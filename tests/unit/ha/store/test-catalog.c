/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables against one another and against the schema: every column, part, filter and use is there, and has its
 * index.
 */
#include "house.h"

#include <string.h>

static bool
has_column(House *house, const char *table, const char *column)
{
    int64_t n = 0;

    g_assert_true(store_database_number(store_get_database(house->store), &n, 0, NULL,
                                        "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2", "ss", table,
                                        column));
    return n;
}

static void
must_have(House *house, const char *table, const char *column)
{
    if (!has_column(house, table, column))
        g_error("%s has no column %s", table, column);
}

static void
check_fields(House *house, const char *table, const StoreField *fields, const char *own)
{
    for (const StoreField *field = fields; field->name; field++) {
        g_assert_nonnull(field->about);
        g_assert_true((field->type == STORE_FIELD_WORD) == !!field->words);
        g_assert_true((field->type == STORE_FIELD_RECORDS) == (field->fields && field->table));
        g_assert_cmpint(field->min, <=, field->max);
        if (!table || field->flags & STORE_FIELD_LOOSE || !g_strcmp0(field->name, own))
            continue;
        if (field->fields) {
            must_have(house, field->table, own);
            must_have(house, field->table, "place");
            check_fields(house, field->table, field->fields, NULL);
            continue;
        }
        must_have(house, table, field->name);
        if (field->flags & STORE_FIELD_KEYED) {
            g_autofree char *key = g_strconcat(field->name, "_key", NULL);
            must_have(house, table, key);
        }
    }
}

static void
test_commands(void)
{
    g_autoptr(House) house = house_new();
    const StoreCommandKind *command;

    for (unsigned i = 0; (command = store_catalog_command(i)); i++) {
        bool by_tables = command->kind && command->action != STORE_OTHER;
        g_test_message("%s", command->name);
        g_assert_true(store_catalog_find(command->name) == command);
        g_assert_nonnull(command->about);
        if (command->kind)
            g_assert_true(g_str_has_prefix(command->name, command->kind->name));
        if (command->kind)
            g_assert_nonnull(store_field_find(command->fields, command->kind->name));
        check_fields(house, by_tables ? command->kind->table : NULL, command->fields,
                     command->kind ? command->kind->name : NULL);
    }
}

static void
check_columns(House *house, const char *table, const StoreColumn *columns)
{
    for (const StoreColumn *column = columns; column->name; column++)
        must_have(house, table, column->name);
}

static void
test_kinds(void)
{
    g_autoptr(House) house = house_new();
    const StoreKind *kind;

    for (unsigned i = 0; (kind = store_catalog_kind(i)); i++) {
        static const char *const common[] = {"id", "created", "revision", "edited"};
        g_assert_true(store_catalog_find_kind(kind->name) == kind);
        for (unsigned j = 0; j < G_N_ELEMENTS(common); j++)
            must_have(house, kind->table, common[j]);
        must_have(house, kind->table, kind->label);
        must_have(house, kind->table, kind->order);
        check_columns(house, kind->table, kind->columns);
        for (const StorePart *part = kind->parts; part && part->name; part++) {
            must_have(house, part->table, kind->name);
            check_columns(house, part->table, part->columns);
        }
    }
}

/* Every column of a table is one that readers know, but for those that only commands use. */
static void
test_no_column_forgotten(void)
{
    g_autoptr(House) house = house_new();
    const StoreKind *kind;

    for (unsigned i = 0; (kind = store_catalog_kind(i)); i++) {
        g_autofree char *listed = NULL;
        g_autoptr(GString) known = g_string_new(" id created revision edited name_key ");
        for (const StoreColumn *column = kind->columns; column->name; column++)
            g_string_append_printf(known, "%s ", column->name);
        g_assert_true(store_database_text(store_get_database(house->store), &listed, NULL,
                                          "SELECT group_concat(name) FROM pragma_table_info(?1) "
                                          "WHERE instr(?2, ' ' || name || ' ') = 0",
                                          "ss", kind->table, known->str));
        if (listed)
            g_error("%s: nobody reads %s", kind->table, listed);
    }
}

/* A reference that keeps a thing from being removed has its use; else the refusal could not say by whom. */
static void
test_uses(void)
{
    g_autoptr(House) house = house_new();
    const StoreKind *kind;

    for (unsigned i = 0; (kind = store_catalog_kind(i)); i++) {
        StoreDatabase *database = store_get_database(house->store);
        sqlite3_stmt *rows =
            store_database_prepare(database, NULL,
                                   "SELECT m.name, f.\"from\" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f "
                                   "WHERE f.\"table\" = ?1 AND f.on_delete <> 'CASCADE'",
                                   "s", kind->table);
        while (store_database_step(database, rows, NULL) == SQLITE_ROW) {
            bool named = false;
            for (const StoreUse *use = kind->uses; use && use->by; use++)
                named |= strstr(use->sql, (const char *)sqlite3_column_text(rows, 0)) != NULL;
            if (!named)
                g_error("nobody says that %s use a %s", sqlite3_column_text(rows, 0), kind->name);
        }
    }
}

static void
test_roles(void)
{
    StoreRole role;

    g_assert_true(store_role_from_name("operator", &role));
    g_assert_cmpint(role, ==, STORE_ROLE_OPERATOR);
    g_assert_cmpstr(store_role_names[role], ==, "operator");
    g_assert_false(store_role_from_name("root", &role));
}

static void
test_unknown(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(StoreCommand) command = store_command_new("user.adopt", "console", "host1", 1, NULL);

    g_assert_null(store_catalog_check(command, &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_UNKNOWN);
    g_assert_null(store_catalog_find("user"));
    g_assert_null(store_catalog_find_kind("users"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/catalog/commands", test_commands);
    g_test_add_func("/store/catalog/kinds", test_kinds);
    g_test_add_func("/store/catalog/no-column-forgotten", test_no_column_forgotten);
    g_test_add_func("/store/catalog/uses", test_uses);
    g_test_add_func("/store/catalog/roles", test_roles);
    g_test_add_func("/store/catalog/unknown", test_unknown);
    return g_test_run();
}
