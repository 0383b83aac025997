/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can go wrong in the store.
 *
 * A *refusal* depends on nothing but the command and the state, so every host that applies the command gives the same
 * one, word for word, and it is kept as the command's answer. The numbers are therefore stored: they never change. A
 * *failure* is this host's own (its disk, its file) and is kept nowhere.
 *
 * A message about a field begins with the field's name and a colon.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define STORE_ERROR (store_error_quark())
GQuark store_error_quark(void);
typedef enum {
    /* Refusals. */
    STORE_ERROR_MALFORMED = 1, /* bytes that are no command */
    STORE_ERROR_UNKNOWN = 2,   /* a command that does not exist */
    STORE_ERROR_FIELD = 3,     /* a field missing, unknown, or of a value it cannot have */
    STORE_ERROR_FORBIDDEN = 4, /* not with the actor's role */
    STORE_ERROR_NOT_FOUND = 5, /* something named is not there */
    STORE_ERROR_EXISTS = 6,    /* the id or the name is taken */
    STORE_ERROR_CHANGED = 7,   /* it is not as the actor saw it any more */
    STORE_ERROR_IN_USE = 8,    /* what others use cannot go */
    STORE_ERROR_FULL = 9,      /* a pool has no desktop left, a list no room */
    STORE_ERROR_RULE = 10,     /* two things that do not go together */

    /* Failures. */
    STORE_ERROR_NOT_OURS = 100, /* the file is something else; it was not touched */
    STORE_ERROR_DAMAGED = 101,  /* it is a store, but not whole; it was not touched */
    STORE_ERROR_NEWER = 102,    /* made by a later version of Carrel; it was not touched */
    STORE_ERROR_IO = 103,       /* the host's storage, or memory */
    STORE_ERROR_TOO_OLD = 104,  /* changes are not known that far back: read everything again */
} StoreError;

bool store_error_is_refusal(const GError *error);
