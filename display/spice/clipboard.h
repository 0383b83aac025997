/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clipboard that is open in one direction only. The agent in the guest and the client say to each other who has something to
 * paste, who wants it, and what it is (spice/vd_agent.h); spice-server can only forbid all of that. Here what belongs to the
 * forbidden direction is made unintelligible on its way between the guest's port and spice-server: a type that neither side
 * knows, and zeros for content. Lengths stay, so both sides' framing does.
 *
 * Bytes may come in any pieces. What is no valid framing is spice-server's or the guest's to refuse; nothing is believed of it
 * but lengths. Owner: the main thread.
 */
#pragma once

#include "display/spice/server.h"

#include <stddef.h>
#include <stdint.h>

#define CLIPBOARD_CHUNK_HEADER 8    /* VDIChunkHeader */
#define CLIPBOARD_MESSAGE_HEADER 20 /* VDAgentMessage */

typedef struct {
    unsigned n_header; /* bytes of its header that have come */
    uint32_t left;     /* of its content */
    uint8_t type;      /* the low byte: no type is larger */
    bool forbidden;
} ClipboardMessage;

/* One direction of the wire. */
typedef struct {
    uint32_t forbidden;           /* a bit for each type of message */
    unsigned n_header;            /* bytes of the chunk's header that have come */
    uint32_t port, left;          /* of the chunk */
    ClipboardMessage messages[2]; /* of the ports: clients' and the server's */
} ClipboardFilter;

void clipboard_filter_init(ClipboardFilter *filter, SpiceClipboard allowed, bool to_guest);
/* The next bytes of the wire, changed in place. */
void clipboard_filter_apply(ClipboardFilter *filter, uint8_t *bytes, size_t n);
