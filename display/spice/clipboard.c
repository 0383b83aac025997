/* SPDX-License-Identifier: Apache-2.0 */
#include "display/spice/clipboard.h"

#include <string.h>

#include <glib.h>
#include <spice/vd_agent.h>

#define BIT(type) (1u << (type))

/* What the side says that has something to paste, and what the other answers. */
#define OF_GIVER (BIT(VD_AGENT_CLIPBOARD_GRAB) | BIT(VD_AGENT_CLIPBOARD) | BIT(VD_AGENT_CLIPBOARD_RELEASE))
#define OF_TAKER BIT(VD_AGENT_CLIPBOARD_REQUEST)

G_STATIC_ASSERT(sizeof(VDIChunkHeader) == CLIPBOARD_CHUNK_HEADER);
G_STATIC_ASSERT(sizeof(VDAgentMessage) == CLIPBOARD_MESSAGE_HEADER);
G_STATIC_ASSERT(VD_AGENT_END_MESSAGE <= 32);

void
clipboard_filter_init(ClipboardFilter *filter, SpiceClipboard allowed, bool to_guest)
{
    bool may_give = allowed == SPICE_CLIPBOARD_BOTH ||
                    allowed == (to_guest ? SPICE_CLIPBOARD_TO_DESKTOP : SPICE_CLIPBOARD_FROM_DESKTOP);
    bool may_take = allowed == SPICE_CLIPBOARD_BOTH ||
                    allowed == (to_guest ? SPICE_CLIPBOARD_FROM_DESKTOP : SPICE_CLIPBOARD_TO_DESKTOP);

    *filter = (ClipboardFilter){.forbidden = (may_give ? 0 : OF_GIVER) | (may_take ? 0 : OF_TAKER)};
}

/* A byte of a number that is sent with its lowest byte first. */
static uint32_t
add_byte(uint32_t number, unsigned place, uint8_t byte)
{
    return (place ? number : 0) | (uint32_t)byte << (8 * place);
}

static void
header_byte(const ClipboardFilter *filter, ClipboardMessage *message, uint8_t *byte)
{
    unsigned place = message->n_header++;

    if (place == offsetof(VDAgentMessage, type)) {
        /* The rest of the type follows in perhaps another piece: with this byte zero it is no type in any case. */
        message->type = *byte;
        message->forbidden = *byte < 32 && filter->forbidden & BIT(*byte);
        if (message->forbidden)
            *byte = 0;
    }
    if (place >= offsetof(VDAgentMessage, size))
        message->left = add_byte(message->left, place - offsetof(VDAgentMessage, size), *byte);
}

/* Whoever was cut off in the middle of a message is no more; spice-server tells the guest so over its own port. */
static void
end_message(ClipboardFilter *filter, ClipboardMessage *message)
{
    message->n_header = 0;
    if (message == &filter->messages[VDP_SERVER_PORT - 1] && message->type == VD_AGENT_CLIENT_DISCONNECTED)
        filter->messages[VDP_CLIENT_PORT - 1].n_header = 0;
}

/* How many of the bytes belong together. */
static size_t
message_bytes(ClipboardFilter *filter, ClipboardMessage *message, uint8_t *bytes, size_t n)
{
    size_t done = 1;

    if (message->n_header < CLIPBOARD_MESSAGE_HEADER) {
        header_byte(filter, message, bytes);
    } else {
        done = MIN(n, message->left);
        if (message->forbidden)
            memset(bytes, 0, done);
        message->left -= (uint32_t)done;
    }
    if (message->n_header == CLIPBOARD_MESSAGE_HEADER && !message->left)
        end_message(filter, message);
    return done;
}

static size_t
chunk_bytes(ClipboardFilter *filter, uint8_t *bytes, size_t n)
{
    n = MIN(n, filter->left);
    if (filter->port == VDP_CLIENT_PORT || filter->port == VDP_SERVER_PORT)
        n = message_bytes(filter, &filter->messages[filter->port - 1], bytes, n);
    filter->left -= (uint32_t)n;
    return n;
}

static void
chunk_header_byte(ClipboardFilter *filter, uint8_t byte)
{
    unsigned place = filter->n_header++;

    if (place < offsetof(VDIChunkHeader, size))
        filter->port = add_byte(filter->port, place, byte);
    else
        filter->left = add_byte(filter->left, place - offsetof(VDIChunkHeader, size), byte);
}

void
clipboard_filter_apply(ClipboardFilter *filter, uint8_t *bytes, size_t n)
{
    size_t i = 0;

    while (filter->forbidden && i < n) {
        if (filter->n_header < CLIPBOARD_CHUNK_HEADER)
            chunk_header_byte(filter, bytes[i++]);
        else
            i += chunk_bytes(filter, bytes + i, n - i);
        if (filter->n_header == CLIPBOARD_CHUNK_HEADER && !filter->left)
            filter->n_header = 0;
    }
}
