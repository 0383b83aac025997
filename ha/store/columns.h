/* SPDX-License-Identifier: Apache-2.0 */
/* Columns and what goes into them, on the way from a command's fields to a row. */
#pragma once

#include "ha/store/database.h"
#include "ha/store/field.h"

typedef struct StoreColumns StoreColumns;

StoreColumns *store_columns_new(void);
void store_columns_free(StoreColumns *columns);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreColumns, store_columns_free)

/* A floating value is taken; NULL, and the text "", are NULL. */
void store_columns_add(StoreColumns *columns, const char *name, GVariant *value);

/*
 * The fields that are given and are columns, with the keys of names; not @own (or NULL), the field that carries the
 * thing's own id.
 */
void store_columns_add_given(StoreColumns *columns, const StoreField *fields, GVariant *values, const char *own);

bool store_columns_insert(StoreDatabase *database, const char *table, const StoreColumns *columns, GError **error);
/* In the row that the last of @columns names. */
bool store_columns_update(StoreDatabase *database, const char *table, const StoreColumns *columns, GError **error);
