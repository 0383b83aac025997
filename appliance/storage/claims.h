/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at what: a table of names, each held by one call alone or by several together. Nobody waits here: what cannot be had is
 * BUSY. Any thread.
 */
#pragma once

#include "appliance/storage/storage.h"

typedef struct Claims Claims;

Claims *claims_new(void);
void claims_free(Claims *claims); /* nothing is held any more */

/* @name is what is claimed ("the image ID"), and stands in the message. */
bool claims_take(Claims *claims, const char *name, bool alone, GError **error);
void claims_give_back(Claims *claims, const char *name);
