/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest's agent says, cut into lines. The guest may say anything, at any length: a line that is too long is passed
 * over as it comes, and never held.
 *
 * A byte 0xff, which is in no UTF-8, begins a line anew: the agent sends one before the answer to guest-sync-delimited, so
 * that whoever listens finds it behind whatever an earlier user of the port left. Owner: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_LINE_MAX (64 * 1024) /* bytes: the addresses of a hundred network cards */

typedef struct {
    GString *text;  /* of the line so far */
    bool delimited; /* it began with 0xff */
    bool too_long;
    bool whole; /* given out */
} AgentLines;

void agent_lines_init(AgentLines *lines);
void agent_lines_finish(AgentLines *lines);
/* Forgets a line begun. */
void agent_lines_clear(AgentLines *lines);

/*
 * Takes bytes until a line is whole, and moves *@bytes and *@len past them. Whether one is: then ->text holds it without its
 * end, empty where it was ->too_long, until the next call.
 */
bool agent_lines_next(AgentLines *lines, const uint8_t **bytes, size_t *len);
