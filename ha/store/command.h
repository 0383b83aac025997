/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command: who wants what changed. Immutable and reference-counted; any thread.
 *
 * It carries everything that applying it needs, time and ids included, so that each host that applies it comes to the
 * same state. Its bytes are a GVariant of type (yssssxxa{sv}) in normal form, little-endian:
 *
 *     version  y       1
 *     id       s       UUID of this request: sent again, it is answered as it was the first time
 *     name     s       "desktop.create"
 *     actor    s       a user's UUID, or one of the words below
 *     origin   s       the host it came from: a token, at most 64 characters
 *     time     x       microseconds since 1970, UTC, by the origin's clock
 *     seen     x       the revision of the thing that the actor looked at; 0: whatever it is now
 *     fields   a{sv}   as the catalog says
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What a command may take in bytes; a longer one is not looked at. */
#define STORE_COMMAND_BYTES_MAX (64 * 1024)

/* Actors that are no users: somebody who is root on the host, at its own console; the host's daemon, by itself. */
#define STORE_ACTOR_CONSOLE "console"
#define STORE_ACTOR_DAEMON "daemon"

typedef struct {
    gatomicrefcount refs;
    char *id, *name, *actor, *origin;
    int64_t time;
    int64_t seen;
    GVariant *fields;
} StoreCommand;

/*
 * A new request, with an id of its own. @fields (a{sv}; a floating one is taken; NULL: none) is not yet held against
 * the catalog. @time is the issuer's clock, g_get_real_time().
 */
StoreCommand *store_command_new(const char *name, const char *actor, const char *origin, int64_t time,
                                GVariant *fields);
/* The same with an id of the issuer's and the revision it saw. */
StoreCommand *store_command_new_full(const char *id, const char *name, const char *actor, const char *origin,
                                     int64_t time, int64_t seen, GVariant *fields);
StoreCommand *store_command_ref(StoreCommand *command);
void store_command_unref(StoreCommand *command);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreCommand, store_command_unref)

GBytes *store_command_encode(const StoreCommand *command);
/* Bytes from anywhere: STORE_ERROR_MALFORMED for what is no command. */
StoreCommand *store_command_decode(GBytes *bytes, GError **error);

/* What decoding checks of the envelope, for a command that was made here. */
bool store_command_check(const StoreCommand *command, GError **error);

/* Text or number of a field; NULL and @fallback where it is not there. */
const char *store_command_text(const StoreCommand *command, const char *field);
int64_t store_command_number(const StoreCommand *command, const char *field, int64_t fallback);
