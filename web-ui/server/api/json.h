/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON on its way in and out. What comes in is anybody's: it is UTF-8 without NUL, an object, not deep, each name once,
 * numbers whole and of 64 bits; anything else is refused with a message that names the place.
 *
 * Any thread.
 */
#pragma once

#include "web-ui/server/api/field.h"

#include <gio/gio.h>

/* Of the API: what is wrong with what somebody sent. */
#define API_ERROR api_error_quark()
GQuark api_error_quark(void);
enum { API_ERROR_INVALID };

/* The a{sv} that an object of these fields means; no bytes at all are an empty one. The error begins with the field's name. */
GVariant *json_read(const char *text, gsize len, const ApiField *fields, GError **error);

/* Values that came as text (a query's) for the same fields: a{sv}. */
typedef struct {
    char *name, *value;
} TextValue;
GVariant *json_read_texts(const TextValue *values, gsize n, const ApiField *fields, GError **error);

/* Appends a value of any type that has JSON's shape: texts, numbers, booleans, arrays, dictionaries of texts, variants. */
void json_write(GString *text, GVariant *value);
void json_write_text(GString *text, const char *value);
