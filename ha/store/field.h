/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A field of a command: what it is called, what it may hold. The command line's help and the API's description and
 * validation are made from the same lines.
 *
 * Constant tables: any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct StoreKind StoreKind;

/* A field's type, and in brackets the GVariant type it comes as. */
typedef enum {
    STORE_FIELD_UUID,    /* [s] */
    STORE_FIELD_TOKEN,   /* [s] a word for machines, min to max characters */
    STORE_FIELD_NAME,    /* [s] a name for people, min to max characters; both: text.h */
    STORE_FIELD_LINE,    /* [s] one line for people */
    STORE_FIELD_WORD,    /* [s] one of .words */
    STORE_FIELD_HASH,    /* [s] a hashed password, crypt(5) */
    STORE_FIELD_BASE32,  /* [s] RFC 4648, 6, without padding */
    STORE_FIELD_SHA256,  /* [s] in lower-case hexadecimal digits */
    STORE_FIELD_MAC,     /* [s] 52:54:00:12:34:56, lower case, unicast */
    STORE_FIELD_BOOL,    /* [b] */
    STORE_FIELD_NUMBER,  /* [x] min to max */
    STORE_FIELD_TIME,    /* [x] microseconds since 1970, UTC */
    STORE_FIELD_RECORDS, /* [aa{sv}] min to max records of .fields; given, they replace those there were */
} StoreFieldType;

typedef enum {
    STORE_FIELD_REQUIRED = 1 << 0,
    STORE_FIELD_CLEARABLE = 1 << 1, /* text: "" takes away what was there */
    STORE_FIELD_SECRET = 1 << 2,    /* never in the audit trail, nor in an ordinary read */
    STORE_FIELD_LOOSE = 1 << 3,     /* no column of the thing's: the command's own function uses it */
    STORE_FIELD_KEYED = 1 << 4,     /* a name that no other of its kind has: there is a column NAME_key beside it */
} StoreFieldFlags;

/* No field but a list of records takes more bytes. */
#define STORE_FIELD_BYTES_MAX 4096

typedef struct StoreField {
    const char *name;  /* also the column's */
    const char *about; /* a phrase for help: "what people call it" */
    StoreFieldType type;
    unsigned flags; /* StoreFieldFlags */
    int64_t min, max;
    const char *const *words; /* NULL-terminated */
    /* UUID, TOKEN: the kind of the thing it names, which must be there; NULL: a new thing's, or nobody looks. */
    const StoreKind *to;

    /* Of records. */
    const struct StoreField *fields; /* ends with a NULL name */
    const char *table;               /* each is a row of it, with the thing's id and its place in the list */
} StoreField;

const StoreField *store_field_find(const StoreField *fields, const char *name);

/*
 * Whether @values (a{sv}) fit @fields, of which there are at most 64: an error that begins with the field's name where
 * not.
 */
bool store_field_check_all(const StoreField *fields, GVariant *values, GError **error);

/* For help: "token", "number"; and the GVariant type. */
const char *store_field_type_name(StoreFieldType type);
const GVariantType *store_field_variant_type(StoreFieldType type);
