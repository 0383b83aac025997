/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searching by name: what has a text somewhere in its name, or in what else its kind is known by (kind.h, .searched).
 *
 * Texts are compared as names are (text.h): neither case nor compatibility forms count ("BÜRO" finds "Büro", "ﬁ" finds "fi"), in any
 * writing; accents do ("buro" finds no "Büro"). Each character stands for itself: nothing is a wildcard.
 */
#pragma once

#include "ha/store/database.h"
#include "ha/store/kind.h"

/* The longest text, in characters: longer than any name. */
#define STORE_SEARCH_MAX 128

/*
 * What to look for: *key, to be freed; NULL where the text is NULL or holds nothing but spaces, which narrows nothing. FIELD, with
 * "search" in front: a text that is too long or no UTF-8, or a kind whose things have no names.
 */
bool store_search_read(const StoreKind *kind, const char *text, char **key, GError **error);

/* Adds to a statement the condition that a row fits the key which is its parameter @number. */
void store_search_condition(GString *sql, const StoreKind *kind, unsigned number);

/* Whether a thing as readers give it fits. */
bool store_search_fits(const StoreKind *kind, const char *key, GVariant *thing);

/* Makes the function known to a connection that such statements use. An SQLite code. */
int store_search_set_up(sqlite3 *handle);
