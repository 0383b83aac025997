/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the actor may: by the role that the store itself has for them at this moment, in the command's own
 * transaction, so that somebody who has just lost a role cannot use it once more.
 */
#pragma once

#include "ha/store/apply.h"

/* Fills in the actor's name and role. Refused: FORBIDDEN. */
bool store_authority_check(StoreApply *apply, GError **error);
