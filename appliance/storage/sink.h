/* SPDX-License-Identifier: Apache-2.0 */
/* Where an upload's bytes go: from a pipe into a file, counted, hashed, zeros left out. Blocks, on any thread. */
#pragma once

#include "appliance/storage/work.h"

typedef struct {
    uint64_t expected; /* bytes; 0: not known */
    uint64_t most;     /* more are refused */
    /* Asked every SINK_ASK bytes whether there is room for so many more. */
    bool (*has_room)(gpointer user, uint64_t more, GError **error);
    gpointer user;
} SinkLimits;

#define SINK_ASK (UINT64_C(64) << 20)

/*
 * Until the pipe's last writer closes it. @to is an empty file; its size is right in the end. *sha256: in hexadecimal, the
 * caller's.
 */
bool sink_fill(int from, int to, const SinkLimits *limits, Work *work, uint64_t *size, char **sha256, GError **error);
