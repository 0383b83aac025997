/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest's agent answers (QEMU's guest agent protocol, qapi-schema.json): lines of JSON, hostile, into values that
 * may go on to whoever asked. Pure functions.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_ERROR (agent_error_quark())
GQuark agent_error_quark(void);
typedef enum {
    AGENT_ERROR_ABSENT,    /* no agent has the port open, or it went away */
    AGENT_ERROR_SILENT,    /* it does not answer in time */
    AGENT_ERROR_MALFORMED, /* what it says is no answer */
    AGENT_ERROR_REFUSED,   /* it says why not */
    AGENT_ERROR_BUSY,      /* too many calls wait */
} AgentError;

#define AGENT_DEPTH_MAX 16       /* of nesting; the deepest answer we ask for has 6 */
#define AGENT_INTERFACES_MAX 128 /* what is told of a guest; more is left out */
#define AGENT_ADDRESSES_MAX 64   /* of an interface */

/* The answer to one command, of one of these kinds. */
typedef enum {
    AGENT_RESULT_NONE,       /* "()" */
    AGENT_RESULT_COUNT,      /* "(u)" */
    AGENT_RESULT_NUMBER,     /* "(x)" */
    AGENT_RESULT_INTERFACES, /* "(a(ssa(su)))": name, hardware address or "", IP addresses with their prefix lengths */
} AgentResult;

/* NULL with an error; else a floating tuple. @line has no end of line. */
GVariant *agent_reply_parse(const char *line, size_t len, AgentResult kind, GError **error);
