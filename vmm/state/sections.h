/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run of sections: the saved state of several objects, one after another, each with the object's id, its table's name
 * and version, and its length. A file and a migration stream carry the same run.
 *
 *     id length u8, id, name length u8, name, version u16, length u32, bytes
 *
 * Loading is strict both ways: a section nobody asked for, and an object without a section, are errors, since either means
 * that the saved desktop has another shape than this one. Owner: the thread that saves or loads.
 */
#pragma once

#include "vmm/state/state.h"

void sections_add(GByteArray *sections, const char *id, const StateTable *table, void *object);

typedef struct SectionReader SectionReader;

/* Finds the sections in @bytes, which must outlive the reader; NULL and an error where they are not sections. */
SectionReader *section_reader_new(const uint8_t *bytes, size_t len, GError **error);
void section_reader_free(SectionReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SectionReader, section_reader_free)

/*
 * The shapes are compared before anything is loaded, so that the error tells of the difference and not of what follows from
 * it: each object claims its section, which must be there; then none may be left, which finish_claims names.
 */
bool section_reader_claim(SectionReader *reader, const char *id, const StateTable *table, GError **error);
bool section_reader_finish_claims(SectionReader *reader, GError **error);
/* Loads @object from the section it claimed. */
bool section_reader_load(SectionReader *reader, const char *id, const StateTable *table, void *object, GError **error);
