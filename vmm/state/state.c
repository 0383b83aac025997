/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turning state tables and objects into bytes and back.
 *
 * Saving walks the fields and appends; loading walks the same fields with one bounds-checked reader, so no length in the
 * stream is believed before it is compared with what is left and with what the table allows.
 */
#include "vmm/state/state.h"

#include <string.h>

G_DEFINE_QUARK(carrel - state - error - quark, state_error)

typedef struct {
    const uint8_t *at;
    size_t left;
} Reader;

static const uint8_t *
reader_take(Reader *reader, size_t len)
{
    if (len > reader->left)
        return NULL;
    const uint8_t *taken = reader->at;
    reader->at += len;
    reader->left -= len;
    return taken;
}

static void
append_uint(GByteArray *to, uint64_t value, size_t size)
{
    uint64_t little = GUINT64_TO_LE(value);
    g_byte_array_append(to, (const uint8_t *)&little, size);
}

static bool
take_uint(Reader *reader, size_t size, uint64_t *value)
{
    const uint8_t *bytes = reader_take(reader, size);
    if (!bytes)
        return false;
    uint64_t little = 0;
    memcpy(&little, bytes, size);
    *value = GUINT64_FROM_LE(little);
    return true;
}

static uint64_t
load_place(const void *place, size_t size)
{
    switch (size) {
    case 1:
        return *(const uint8_t *)place;
    case 2:
        return *(const uint16_t *)place;
    case 4:
        return *(const uint32_t *)place;
    case 8:
        return *(const uint64_t *)place;
    default:
        g_assert_not_reached();
    }
}

static void
store_place(void *place, size_t size, uint64_t value)
{
    switch (size) {
    case 1:
        *(uint8_t *)place = value;
        break;
    case 2:
        *(uint16_t *)place = value;
        break;
    case 4:
        *(uint32_t *)place = value;
        break;
    case 8:
        *(uint64_t *)place = value;
        break;
    default:
        g_assert_not_reached();
    }
}

static void
save_field(const StateField *field, uint8_t *place, GByteArray *to)
{
    switch (field->kind) {
    case STATE_KIND_UINT:
        append_uint(to, load_place(place, field->size), field->size);
        break;
    case STATE_KIND_BOOL:
        append_uint(to, *(bool *)place, 1);
        break;
    case STATE_KIND_BYTES:
        g_byte_array_append(to, place, field->size);
        break;
    case STATE_KIND_BUFFER: {
        GByteArray *buffer = *(GByteArray **)place;
        append_uint(to, buffer ? buffer->len : 0, 4);
        if (buffer)
            g_byte_array_append(to, buffer->data, buffer->len);
        break;
    }
    case STATE_KIND_ARRAY:
        append_uint(to, field->table->version, 2);
        for (size_t i = 0; i < field->count; i++)
            state_save(field->table, place + i * field->size, to);
        break;
    case STATE_KIND_OBJECT:
        append_uint(to, field->table->version, 2);
        state_save(field->table, *(void **)place, to);
        break;
    case STATE_KIND_LIST: {
        GPtrArray *list = *(GPtrArray **)place;
        append_uint(to, field->table->version, 2);
        append_uint(to, list ? list->len : 0, 4);
        for (guint i = 0; list && i < list->len; i++)
            state_save(field->table, list->pdata[i], to);
        break;
    }
    case STATE_KIND_END:
        g_assert_not_reached();
    }
}

void
state_save(const StateTable *table, void *object, GByteArray *to)
{
    if (table->before_save)
        table->before_save(object);
    for (const StateField *field = table->fields; field->kind != STATE_KIND_END; field++)
        save_field(field, (uint8_t *)object + field->offset, to);
    if (table->after_save)
        table->after_save(object);
}

static bool load_fields(const StateTable *table, void *object, uint16_t version, Reader *reader, GError **error);

static bool
truncated(const StateTable *table, const StateField *field, GError **error)
{
    g_set_error(error, STATE_ERROR, STATE_ERROR_TRUNCATED, "state of %s ends inside field %s", table->name,
                field->name);
    return false;
}

static bool
malformed(const StateTable *table, const StateField *field, const char *what, GError **error)
{
    g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "state of %s: field %s %s", table->name, field->name, what);
    return false;
}

static bool
version_is_known(const StateTable *table, uint16_t version, GError **error)
{
    if (version >= table->oldest && version <= table->version)
        return true;
    g_set_error(error, STATE_ERROR, STATE_ERROR_VERSION, "state of %s has version %u, this Carrel reads %u to %u",
                table->name, version, table->oldest, table->version);
    return false;
}

/* The version of the nested table that wrote the elements that follow. */
static bool
take_version(const StateTable *table, const StateField *field, Reader *reader, uint16_t *version, GError **error)
{
    uint64_t value;
    if (!take_uint(reader, 2, &value))
        return truncated(table, field, error);
    *version = value;
    return version_is_known(field->table, *version, error);
}

static bool
take_count(const StateTable *table, const StateField *field, Reader *reader, uint64_t *count, GError **error)
{
    if (!take_uint(reader, 4, count))
        return truncated(table, field, error);
    return *count <= field->max || malformed(table, field, "is longer than allowed", error);
}

static bool
load_array(const StateTable *table, const StateField *field, uint8_t *place, Reader *reader, GError **error)
{
    uint16_t version;
    if (!take_version(table, field, reader, &version, error))
        return false;
    for (size_t i = 0; i < field->count; i++)
        if (!load_fields(field->table, place + i * field->size, version, reader, error))
            return false;
    return true;
}

static bool
load_object(const StateTable *table, const StateField *field, void *object, Reader *reader, GError **error)
{
    uint16_t version;
    return take_version(table, field, reader, &version, error) &&
           load_fields(field->table, object, version, reader, error);
}

static bool
load_list(const StateTable *table, const StateField *field, GPtrArray **place, Reader *reader, GError **error)
{
    uint16_t version;
    uint64_t count;
    if (!take_version(table, field, reader, &version, error) || !take_count(table, field, reader, &count, error))
        return false;
    g_assert(*place); /* the object makes its list, with its free function, at init */
    g_ptr_array_set_size(*place, 0);
    for (uint64_t i = 0; i < count; i++) {
        void *element = field->table->create();
        g_ptr_array_add(*place, element);
        if (!load_fields(field->table, element, version, reader, error))
            return false;
    }
    return true;
}

static bool
load_buffer(const StateTable *table, const StateField *field, GByteArray **place, Reader *reader, GError **error)
{
    uint64_t len;
    if (!take_count(table, field, reader, &len, error))
        return false;
    const uint8_t *bytes = reader_take(reader, len);
    if (!bytes)
        return truncated(table, field, error);
    g_clear_pointer(place, g_byte_array_unref);
    if (len) {
        *place = g_byte_array_sized_new(len);
        g_byte_array_append(*place, bytes, len);
    }
    return true;
}

static bool
load_field(const StateTable *table, const StateField *field, uint8_t *place, Reader *reader, GError **error)
{
    switch (field->kind) {
    case STATE_KIND_UINT: {
        uint64_t value;
        if (!take_uint(reader, field->size, &value))
            return truncated(table, field, error);
        store_place(place, field->size, value);
        return true;
    }
    case STATE_KIND_BOOL: {
        uint64_t value;
        if (!take_uint(reader, 1, &value))
            return truncated(table, field, error);
        if (value > 1)
            return malformed(table, field, "is neither true nor false", error);
        *(bool *)place = value;
        return true;
    }
    case STATE_KIND_BYTES: {
        const uint8_t *bytes = reader_take(reader, field->size);
        if (!bytes)
            return truncated(table, field, error);
        memcpy(place, bytes, field->size);
        return true;
    }
    case STATE_KIND_BUFFER:
        return load_buffer(table, field, (GByteArray **)place, reader, error);
    case STATE_KIND_ARRAY:
        return load_array(table, field, place, reader, error);
    case STATE_KIND_OBJECT:
        return load_object(table, field, *(void **)place, reader, error);
    case STATE_KIND_LIST:
        return load_list(table, field, (GPtrArray **)place, reader, error);
    case STATE_KIND_END:
        break;
    }
    g_assert_not_reached();
}

static bool
load_fields(const StateTable *table, void *object, uint16_t version, Reader *reader, GError **error)
{
    for (const StateField *field = table->fields; field->kind != STATE_KIND_END; field++)
        if (field->since <= version && !load_field(table, field, (uint8_t *)object + field->offset, reader, error))
            return false;
    return !table->after_load || table->after_load(object, error);
}

bool
state_load(const StateTable *table, void *object, uint16_t version, const uint8_t *bytes, size_t len, GError **error)
{
    Reader reader = {bytes, len};

    if (!version_is_known(table, version, error))
        return false;
    if (!load_fields(table, object, version, &reader, error))
        return false;
    if (reader.left) {
        g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "state of %s has %zu bytes too many", table->name,
                    reader.left);
        return false;
    }
    return true;
}
