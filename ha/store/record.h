/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store remembers of commands: the answers to the last requests, the changes they made, the audit trail. The
 * first two reach back a fixed number of commands, the trail as far as audit.prune leaves it.
 */
#pragma once

#include "ha/store/apply.h"

/* Answers and changes are known of so many commands. */
#define STORE_REQUESTS_KEPT 10000
#define STORE_CHANGES_KEPT 10000

/*
 * Whether this request was seen before: then *answer, or the refusal it got; *repeated is set in either case. An id
 * used before by a command with other bytes (@digest) is refused. False with an error only.
 */
bool store_record_find(StoreDatabase *database, const StoreCommand *command, const char *digest, bool *repeated,
                       StoreAnswer *answer, GError **error);

/* Writes everything about a command down; @refusal is NULL for one that was done. */
bool store_record_write(StoreApply *apply, const char *digest, const GError *refusal, GError **error);
