/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written down of a run, so that a daemon that starts again finds it: a file in the run folder, whole or not there.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    char *network, *mac; /* mac: as it was chosen; NULL: it was made from the desktop's id */
} RecordCard;

typedef struct {
    pid_t pid;
    uint64_t began; /* spawn_began() */
    pid_t tpm_pid;  /* 0: none */
    uint64_t tpm_began;
    uid_t uid;        /* 0: none of the range */
    uint64_t memory;  /* bytes that are promised to it */
    int64_t since;    /* µs since 1970: of its start */
    char *name;       /* of the desktop at that time */
    GPtrArray *cards; /* RecordCard *, by place */
} Record;

Record *record_new(void);
void record_free(Record *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Record, record_free)
void record_add_card(Record *record, const char *network, const char *mac);

/* What names this start of the host, which process ids and monotonic time belong to. Free it. */
char *record_boot(void);

bool record_write(const Record *record, const char *path, GError **error);
/* NULL with an error: it is not there, not whole, or of before the host's last start. */
Record *record_read(const char *path, GError **error);
