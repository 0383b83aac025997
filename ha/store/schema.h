/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema, in steps: schema/1-people.sql makes version 1 of an empty file, each later one the next version of the
 * one before. A new store goes through all of them, so that it cannot differ from one that has grown up. A step that
 * has been released is never edited.
 *
 * The file's application id says that it is a store, its user version how many steps it has seen.
 */
#pragma once

#include "ha/store/database.h"

#define STORE_SCHEMA_VERSION 6
#define STORE_APPLICATION_ID 0x43725374 /* "CrSt" */

bool store_schema_version(StoreDatabase *database, int64_t *version, GError **error);

/* Takes the steps that are missing, up to @version, each in a transaction of its own. */
bool store_schema_upgrade(StoreDatabase *database, int64_t version, GError **error);

/* Whether it has a version that is known here, and exactly the tables, indexes and constraints of that version. */
bool store_schema_check(StoreDatabase *database, GError **error);
