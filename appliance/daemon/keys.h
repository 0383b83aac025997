/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of a key file read into a struct by a table: what each key may hold, where it goes, what it is when it is not given.
 *
 * Any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key's type, and in brackets its member's. */
typedef enum {
    DAEMON_KEY_TEXT,   /* [char *] NULL where there is no fallback either */
    DAEMON_KEY_PATH,   /* [char *] absolute */
    DAEMON_KEY_LIST,   /* [char **] */
    DAEMON_KEY_PORTS,  /* [uint16_t *] TCP ports, ends with 0; NULL where there is no fallback either */
    DAEMON_KEY_NUMBER, /* [int64_t] min to max */
    DAEMON_KEY_BOOL,   /* [bool] */
    DAEMON_KEY_WORD,   /* [int] the place in .words */
} DaemonKeyType;

typedef struct {
    const char *name;
    DaemonKeyType type;
    size_t offset;
    int64_t min, max;
    const char *fallback; /* as it would be written; of a word the first, of a bool false */
    const char *const *words;
} DaemonKey;

typedef struct {
    const char *name;
    const DaemonKey *keys; /* ends with a NULL name */
} DaemonKeyGroup;

/* Groups end with a NULL name. */
const DaemonKeyGroup *daemon_keys_find_group(const DaemonKeyGroup *groups, const char *name);

/* The keys of one group, which may be absent. An error names group and key; one for what is no key too. */
bool daemon_keys_read(const DaemonKey *keys, GKeyFile *file, const char *group, void *into, GError **error);

/* Frees what reading allocated. */
void daemon_keys_clear(const DaemonKey *keys, void *from);
