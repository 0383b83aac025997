/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What most commands do: make, change or remove a thing, by the tables alone. Fields are columns, lists of records are
 * rows of their parts' tables, fields that name other things are looked up first, so that a refusal can say which is
 * not there.
 */
#pragma once

#include "ha/store/apply.h"

bool store_action_run(StoreApply *apply, GError **error);

/* What people call a thing; NULL: it is not there. */
bool store_action_label(StoreDatabase *database, const StoreKind *kind, const char *thing, char **label,
                        GError **error);

/* Whether the names given, of fields that are STORE_FIELD_KEYED, are those of no other thing of the kind. */
bool store_action_check_names(StoreApply *apply, GError **error);
