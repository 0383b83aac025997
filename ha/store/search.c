/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names are kept with their keys, which an index covers. Other text is folded while it is looked at, by a function of ours, since
 * SQLite's own knows only ASCII.
 */
#include "ha/store/search.h"

#include "ha/store/apply.h"
#include "ha/store/error.h"
#include "ha/store/text.h"

#include <string.h>

static bool
has_names(const StoreKind *kind)
{
    return !strcmp(kind->order, "name_key");
}

bool
store_search_read(const StoreKind *kind, const char *text, char **key, GError **error)
{
    *key = NULL;
    if (!text)
        return true;
    if (!has_names(kind))
        return store_refuse(error, STORE_ERROR_FIELD, "search: %s have no names", kind->table);
    if (!g_utf8_validate(text, -1, NULL))
        return store_refuse(error, STORE_ERROR_FIELD, "search: it is no UTF-8");
    if (g_utf8_strlen(text, -1) > STORE_SEARCH_MAX)
        return store_refuse(error, STORE_ERROR_FIELD, "search: it can have %d characters", STORE_SEARCH_MAX);
    g_autofree char *stripped = g_strstrip(g_strdup(text));
    *key = *stripped ? store_text_key(stripped) : NULL;
    return true;
}

void
store_search_condition(GString *sql, const StoreKind *kind, unsigned number)
{
    g_string_append_printf(sql, "(instr(name_key, ?%u)", number);
    for (const char *const *column = kind->searched; column && *column; column++)
        g_string_append_printf(sql, " OR instr(folded(\"%s\"), ?%u)", *column, number);
    g_string_append_c(sql, ')');
}

static bool
holds(GVariant *thing, const char *column, const char *key)
{
    const char *text;

    if (!g_variant_lookup(thing, column, "&s", &text))
        return false;
    g_autofree char *folded = store_text_key(text);
    return strstr(folded, key);
}

bool
store_search_fits(const StoreKind *kind, const char *key, GVariant *thing)
{
    bool fits = holds(thing, kind->label, key);

    for (const char *const *column = kind->searched; !fits && column && *column; column++)
        fits = holds(thing, *column, key);
    return fits;
}

static void
fold(sqlite3_context *context, int n, sqlite3_value **values)
{
    const char *text = (const char *)sqlite3_value_text(values[0]);

    if (text)
        sqlite3_result_text(context, store_text_key(text), -1, g_free);
}

int
store_search_set_up(sqlite3 *handle)
{
    /* A store may have come from another host: nothing in its schema can call it. */
    return sqlite3_create_function_v2(handle, "folded", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
                                      fold, NULL, NULL, NULL);
}
