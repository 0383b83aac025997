/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of what comes in and goes out: what each is called and may hold. JSON is held against them, D-Bus values
 * are made by them, and the OpenAPI document describes them; so the three cannot differ.
 *
 * Constant tables, or those of the catalog, which lasts: any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A field's type, in brackets its D-Bus type. */
typedef enum {
    API_TEXT,    /* [s] min to max characters, as many as you like where max is 0; no control characters */
    API_OPAQUE,  /* [s] what only its giver understands */
    API_UUID,    /* [s] */
    API_TOKEN,   /* [s] a word for machines */
    API_NAME,    /* [s] a name for people, whose finer rules the store knows */
    API_LINE,    /* [s] one line for people */
    API_WORD,    /* [s] one of .words */
    API_SECRET,  /* [s] a password, or what else nobody may see */
    API_BASE32,  /* [s] */
    API_SHA256,  /* [s] */
    API_MAC,     /* [s] */
    API_BOOL,    /* [b] */
    API_NUMBER,  /* [x] min to max */
    API_COUNT,   /* [u] min to max */
    API_BYTES,   /* [t] min to max */
    API_TIME,    /* [x] microseconds since 1970, UTC */
    API_REAL,    /* [d] */
    API_TEXTS,   /* [as] at most max of them */
    API_RECORDS, /* [aa{sv}] min to max records of .fields */
    API_MAP,     /* [a{sa{sv}}] records of .fields by names; goes out only */
} ApiType;

typedef enum {
    API_REQUIRED = 1 << 0,
    API_CLEARABLE = 1 << 1, /* text: "" takes away what was there */
} ApiFlags;

typedef struct ApiField {
    const char *name;
    const char *about; /* a phrase: "what people call it" */
    ApiType type;
    unsigned flags; /* ApiFlags */
    int64_t min, max;
    const char *const *words;      /* NULL-terminated */
    const struct ApiField *fields; /* of records; ends with a NULL name */
} ApiField;

const ApiField *api_field_find(const ApiField *fields, const char *name);

const GVariantType *api_field_variant_type(ApiType type);
/* A regular expression that its text fits (ECMA 262), or NULL. */
const char *api_field_pattern(ApiType type);

/* NULL where the text or the number fits; else the end of a sentence: "it is missing". Free with g_free(). */
char *api_field_check_text(const ApiField *field, const char *text);
char *api_field_check_number(const ApiField *field, int64_t number);
