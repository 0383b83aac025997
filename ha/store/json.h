/* SPDX-License-Identifier: Apache-2.0 */
/* A command's fields as JSON, for the audit trail: in the order of the table, secrets hidden. Any thread. */
#pragma once

#include "ha/store/field.h"

char *store_json_from_fields(const StoreField *fields, GVariant *values);
