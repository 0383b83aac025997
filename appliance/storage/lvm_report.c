/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/lvm_report.h"
#include "appliance/storage/error.h"
#include "appliance/storage/names.h"

#include <json-glib/json-glib.h>
#include <string.h>

void
lvm_report_clear(LvmReport *report)
{
    g_clear_pointer(&report->view, volumes_view_free);
}

/* Never NULL. Every value is a string, also numbers. */
static const char *
text_of(JsonObject *row, const char *field)
{
    return json_object_get_string_member_with_default(row, field, "");
}

static uint64_t
number_of(JsonObject *row, const char *field)
{
    return g_ascii_strtoull(text_of(row, field), NULL, 10);
}

static double
part_of(JsonObject *row, const char *field)
{
    return CLAMP(g_ascii_strtod(text_of(row, field), NULL), 0, 100) / 100;
}

static void
read_pool(JsonObject *row, LvmReport *report)
{
    uint64_t size = number_of(row, "lv_size");

    report->has_pool = true;
    report->metadata_percent = part_of(row, "metadata_percent") * 100;
    report->extent = number_of(row, "vg_extent_size");
    report->fails_when_full = !strcmp(text_of(row, "lv_when_full"), "error");
    report->view->bytes = size;
    report->view->free = size - (uint64_t)((double)size * part_of(row, "data_percent"));
}

static bool
has_tag(JsonObject *row)
{
    g_auto(GStrv) tags = g_strsplit(text_of(row, "lv_tags"), ",", -1);
    return g_strv_contains((const char *const *)tags, LVM_TAG);
}

static void
read_volume(JsonObject *row, LvmReport *report)
{
    g_autoptr(StorageThing) thing = g_new0(StorageThing, 1);
    const char *name = text_of(row, "lv_name"), *made = name_being_made(name);
    uint64_t size = number_of(row, "lv_size");

    if (!has_tag(row) || !name_read(made ? made : name, thing))
        return;
    Volume *volume = g_new(Volume, 1);
    *volume = (Volume){g_strdup(name), size, (uint64_t)((double)size * part_of(row, "data_percent")),
                       g_ascii_strtoll(text_of(row, "lv_time"), NULL, 10)};
    g_ptr_array_add(report->view->volumes, volume);
}

static void
read_row(JsonObject *row, const char *pool, LvmReport *report)
{
    if (!strcmp(text_of(row, "lv_name"), pool))
        read_pool(row, report);
    else if (!strcmp(text_of(row, "pool_lv"), pool))
        read_volume(row, report);
}

/* {"report": [{"lv": [{…}, …]}]}; NULL: it is something else. */
static JsonArray *
rows_of(JsonNode *root)
{
    JsonObject *whole = root && JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
    JsonNode *reports = whole ? json_object_get_member(whole, "report") : NULL;
    JsonArray *list = reports && JSON_NODE_HOLDS_ARRAY(reports) ? json_node_get_array(reports) : NULL;
    JsonNode *first = list && json_array_get_length(list) ? json_array_get_element(list, 0) : NULL;
    JsonNode *rows =
        first && JSON_NODE_HOLDS_OBJECT(first) ? json_object_get_member(json_node_get_object(first), "lv") : NULL;

    return rows && JSON_NODE_HOLDS_ARRAY(rows) ? json_node_get_array(rows) : NULL;
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(((const Volume *)a)->name, ((const Volume *)b)->name);
}

bool
lvm_report_read(const char *json, const char *pool, LvmReport *report, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();

    if (!json_parser_load_from_data(parser, json, -1, error))
        return false;
    JsonArray *rows = rows_of(json_parser_get_root(parser));
    if (!rows)
        return storage_fail(error, STORAGE_ERROR_FAILED, "lvs told something that is no report");
    *report = (LvmReport){g_new0(VolumesView, 1)};
    report->view->volumes = g_ptr_array_new_with_free_func((GDestroyNotify)volume_free);
    for (guint i = 0; i < json_array_get_length(rows); i++) {
        JsonNode *row = json_array_get_element(rows, i);
        if (JSON_NODE_HOLDS_OBJECT(row))
            read_row(json_node_get_object(row), pool, report);
    }
    g_ptr_array_sort_values(report->view->volumes, compare_names);
    return true;
}
