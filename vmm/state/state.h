/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved state: what each device declares once, and what saving to a file, live migration and checkpoints all read.
 *
 * A device describes its state with a StateTable: a name, a version and a list of fields, each a place inside its struct.
 * Saving turns a table and an object into bytes (little endian, fields in order, no padding); loading turns bytes into an
 * object, checking every length and count against the table before anything is allocated.
 *
 *     static const StateField rtc_fields[] = {
 *         STATE_BYTES(Rtc, ram, 1),
 *         STATE_UINT(Rtc, offset_ns, 1),
 *         STATE_END,
 *     };
 *     const StateTable rtc_state = { .name = "rtc", .version = 1, .oldest = 1, .fields = rtc_fields };
 *
 * A field carries the table version it came with. Loading an older version leaves newer fields as they were at reset; a
 * version newer than the table's, or older than .oldest, is refused. Nested tables carry their own version in the stream. Owner: the thread that saves or loads; every object
 * is at rest (quiesced) meanwhile.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_ERROR (state_error_quark())
GQuark state_error_quark(void);
typedef enum {
    STATE_ERROR_TRUNCATED, /* ends before its own lengths say */
    STATE_ERROR_FOREIGN,   /* not a saved desktop, or not of this desktop's shape */
    STATE_ERROR_VERSION,   /* written by a newer Carrel, or one too old */
    STATE_ERROR_MALFORMED, /* a count or value out of range */
    STATE_ERROR_IO,
    STATE_ERROR_CANCELLED,
} StateError;

typedef struct StateTable StateTable;

typedef enum {
    STATE_KIND_END,
    STATE_KIND_UINT,   /* 1, 2, 4 or 8 bytes */
    STATE_KIND_BOOL,   /* one byte, 0 or 1 */
    STATE_KIND_BYTES,  /* an array of bytes inside the struct */
    STATE_KIND_BUFFER, /* a heap buffer: GByteArray *, NULL or up to .max bytes */
    STATE_KIND_ARRAY,  /* an array inside the struct, each element by .table */
    STATE_KIND_OBJECT, /* a pointer to an object that exists already, by .table */
    STATE_KIND_LIST,   /* a GPtrArray * of heap objects, up to .max, each by .table (its .create makes them) */
} StateKind;

typedef struct {
    const char *name;
    StateKind kind;
    uint16_t since;          /* table version that brought the field */
    size_t offset;           /* in the object */
    size_t size;             /* bytes of the field or of one element */
    size_t count;            /* elements (ARRAY) */
    size_t max;              /* bytes (BUFFER) or objects (LIST) accepted when loading */
    const StateTable *table; /* of an element (ARRAY, LIST) or the object (OBJECT) */
} StateField;

struct StateTable {
    const char *name;
    uint16_t version; /* written; 1 or more */
    uint16_t oldest;  /* read */
    const StateField *fields;
    void (*before_save)(void *object); /* may be NULL: gather what lives elsewhere (KVM) into the fields */
    void (*after_save)(void *object);  /* may be NULL: let go of what before_save gathered */
    bool (*after_load)(void *object, GError **error); /* may be NULL: check the whole, and put it back to work */
    void *(*create)(void);                            /* LIST elements only */
};

#define STATE_FIELD_(T, m, s, k, ...) \
    {.name = #m,                      \
     .kind = STATE_KIND_##k,          \
     .since = (s),                    \
     .offset = offsetof(T, m),        \
     .size = sizeof(((T *)0)->m),     \
     __VA_ARGS__}
#define STATE_UINT(T, m, s) STATE_FIELD_(T, m, s, UINT)
#define STATE_BOOL(T, m, s) STATE_FIELD_(T, m, s, BOOL)
#define STATE_BYTES(T, m, s) STATE_FIELD_(T, m, s, BYTES)
#define STATE_BUFFER(T, m, s, limit) STATE_FIELD_(T, m, s, BUFFER, .max = (limit))
#define STATE_ARRAY(T, m, s, t)          \
    {.name = #m,                         \
     .kind = STATE_KIND_ARRAY,           \
     .since = (s),                       \
     .offset = offsetof(T, m),           \
     .size = sizeof(((T *)0)->m[0]),     \
     .count = G_N_ELEMENTS(((T *)0)->m), \
     .table = (t)}
/* One struct inside the struct. */
#define STATE_STRUCT(T, m, s, t) STATE_FIELD_(T, m, s, ARRAY, .count = 1, .table = (t))
#define STATE_OBJECT(T, m, s, t) STATE_FIELD_(T, m, s, OBJECT, .table = (t))
#define STATE_LIST(T, m, s, t, limit) STATE_FIELD_(T, m, s, LIST, .table = (t), .max = (limit))
#define STATE_END {.kind = STATE_KIND_END}

/* Appends the fields of @object to @to. Calls before_save first (of nested tables too). */
void state_save(const StateTable *table, void *object, GByteArray *to);

/*
 * Fills @object from @len bytes that version @version of the table wrote, then calls after_load. false, with @error set,
 * on anything the table does not allow; the object is then half filled and must be reset or thrown away.
 */
bool state_load(const StateTable *table, void *object, uint16_t version, const uint8_t *bytes, size_t len,
                GError **error);
