/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing and finding sections. The reader indexes the whole run first, so that a cut or foreign stream is refused before
 * the first object changes.
 */
#include "vmm/state/sections.h"

#include <string.h>

/* More objects than any desktop has; bounds the index of a hostile stream. */
#define SECTIONS_MAX 4096

typedef struct {
    char *id, *name;
    uint16_t version;
    const uint8_t *bytes;
    uint32_t len;
    bool claimed;
} Section;

struct SectionReader {
    GPtrArray *sections;
};

static void
section_free(void *object)
{
    Section *section = object;
    g_free(section->id);
    g_free(section->name);
    g_free(section);
}

static void
append_name(GByteArray *to, const char *name)
{
    size_t len = strlen(name);
    g_assert(len > 0 && len <= UINT8_MAX);
    uint8_t byte = len;
    g_byte_array_append(to, &byte, 1);
    g_byte_array_append(to, (const uint8_t *)name, len);
}

void
sections_add(GByteArray *sections, const char *id, const StateTable *table, void *object)
{
    append_name(sections, id);
    append_name(sections, table->name);
    uint16_t version = GUINT16_TO_LE(table->version);
    g_byte_array_append(sections, (const uint8_t *)&version, sizeof(version));

    guint len_at = sections->len;
    uint32_t len = 0;
    g_byte_array_append(sections, (const uint8_t *)&len, sizeof(len));
    state_save(table, object, sections);
    len = GUINT32_TO_LE(sections->len - len_at - sizeof(len));
    memcpy(sections->data + len_at, &len, sizeof(len));
}

static bool
take(const uint8_t **at, size_t *left, void *to, size_t len)
{
    if (len > *left)
        return false;
    memcpy(to, *at, len);
    *at += len;
    *left -= len;
    return true;
}

static char *
take_name(const uint8_t **at, size_t *left)
{
    uint8_t len;
    char name[UINT8_MAX + 1] = {0};

    if (!take(at, left, &len, 1) || !len || !take(at, left, name, len) || strlen(name) != len ||
        !g_utf8_validate(name, len, NULL))
        return NULL;
    return g_strdup(name);
}

static Section *
take_section(const uint8_t **at, size_t *left)
{
    Section *section = g_new0(Section, 1);

    section->id = take_name(at, left);
    section->name = section->id ? take_name(at, left) : NULL;
    if (section->name && take(at, left, &section->version, 2) && take(at, left, &section->len, 4)) {
        section->version = GUINT16_FROM_LE(section->version);
        section->len = GUINT32_FROM_LE(section->len);
        if (section->len <= *left) {
            section->bytes = *at;
            *at += section->len;
            *left -= section->len;
            return section;
        }
    }
    section_free(section);
    return NULL;
}

SectionReader *
section_reader_new(const uint8_t *bytes, size_t len, GError **error)
{
    g_autoptr(SectionReader) reader = g_new0(SectionReader, 1);
    reader->sections = g_ptr_array_new_with_free_func(section_free);
    while (len) {
        Section *section = reader->sections->len < SECTIONS_MAX ? take_section(&bytes, &len) : NULL;
        if (!section) {
            g_set_error(error, STATE_ERROR, STATE_ERROR_TRUNCATED, "the saved state ends inside section %u",
                        reader->sections->len + 1);
            return NULL;
        }
        g_ptr_array_add(reader->sections, section);
    }
    return g_steal_pointer(&reader);
}

void
section_reader_free(SectionReader *reader)
{
    if (!reader)
        return;
    g_ptr_array_unref(reader->sections);
    g_free(reader);
}

static Section *
find(SectionReader *reader, const char *id, const char *name, bool claimed)
{
    for (guint i = 0; i < reader->sections->len; i++) {
        Section *section = reader->sections->pdata[i];
        if (section->claimed == claimed && !strcmp(section->id, id) && !strcmp(section->name, name))
            return section;
    }
    return NULL;
}

bool
section_reader_claim(SectionReader *reader, const char *id, const StateTable *table, GError **error)
{
    Section *section = find(reader, id, table->name, false);

    if (section) {
        section->claimed = true;
        return true;
    }
    g_set_error(error, STATE_ERROR, STATE_ERROR_FOREIGN, "this desktop has %s (%s), the saved one had not", id,
                table->name);
    return false;
}

bool
section_reader_finish_claims(SectionReader *reader, GError **error)
{
    for (guint i = 0; i < reader->sections->len; i++) {
        const Section *section = reader->sections->pdata[i];
        if (section->claimed)
            continue;
        g_set_error(error, STATE_ERROR, STATE_ERROR_FOREIGN, "the saved desktop had %s (%s), this one has not",
                    section->id, section->name);
        return false;
    }
    return true;
}

bool
section_reader_load(SectionReader *reader, const char *id, const StateTable *table, void *object, GError **error)
{
    Section *section = find(reader, id, table->name, true);

    g_assert(section);
    if (state_load(table, object, section->version, section->bytes, section->len, error))
        return true;
    g_prefix_error(error, "%s: ", id);
    return false;
}
