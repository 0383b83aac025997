/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <errno.h>
#include <glib.h>
#include <spice/enums.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define BUFFER (256 << 10)
#define GATHERED (16 << 10) /* larger pieces are not copied together */
#define HEADER 6            /* a type of two bytes, a length of four; spice/protocol.h, SpiceMiniDataHeader */

struct Link {
    int fd;
    bool messages;
    bool closed;
    unsigned window, unacknowledged; /* messages */
    size_t payload;                  /* bytes of the present message that are still to come */
    size_t at, end;
    uint8_t in[BUFFER];
    size_t gathered;
    uint8_t out[GATHERED];
};

Link *
link_new(int fd, bool messages)
{
    Link *link = g_new0(Link, 1);

    link->fd = fd;
    link->messages = messages;
    return link;
}

/* --- out -------------------------------------------------------------------------------------------------------- */

static void
send_all(Link *link, struct iovec *parts, int n)
{
    while (n && !link->closed) {
        ssize_t sent = sendmsg(link->fd, &(struct msghdr){.msg_iov = parts, .msg_iovlen = (size_t)n}, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            link->closed = true;
        for (; n && sent >= (ssize_t)parts->iov_len; parts++, n--)
            sent -= (ssize_t)parts->iov_len;
        if (n && sent > 0)
            *parts = (struct iovec){(uint8_t *)parts->iov_base + sent, parts->iov_len - (size_t)sent};
    }
}

static void
send_message(Link *link, uint16_t type, const void *body, size_t len)
{
    uint8_t header[HEADER];
    struct iovec parts[] = {{header, HEADER}, {(void *)body, len}};
    uint32_t size = (uint32_t)len;

    memcpy(header, &type, 2);
    memcpy(header + 2, &size, 4);
    send_all(link, parts, len ? 2 : 1);
}

static void
send_payload(Link *link, const void *from, size_t len)
{
    if (link->messages)
        send_message(link, SPICE_MSGC_SPICEVMC_DATA, from, len);
    else
        send_all(link, &(struct iovec){(void *)from, len}, 1);
}

bool
link_flush(Link *link)
{
    if (link->gathered)
        send_payload(link, link->out, link->gathered);
    link->gathered = 0;
    return !link->closed;
}

void
link_write(Link *link, const void *from, size_t len)
{
    if (link->gathered + len > GATHERED)
        link_flush(link);
    if (len > GATHERED) {
        send_payload(link, from, len);
        return;
    }
    memcpy(link->out + link->gathered, from, len);
    link->gathered += len;
}

/* --- in --------------------------------------------------------------------------------------------------------- */

bool
link_fill(Link *link)
{
    if (link->at == link->end)
        link->at = link->end = 0;
    if (link->at && BUFFER - link->end < BUFFER / 4) {
        memmove(link->in, link->in + link->at, link->end - link->at);
        link->end -= link->at;
        link->at = 0;
    }
    ssize_t got = recv(link->fd, link->in + link->end, BUFFER - link->end, 0);
    if (got > 0)
        link->end += (size_t)got;
    else if (got == 0 || errno != EINTR)
        link->closed = true;
    return !link->closed;
}

static void
acknowledge(Link *link)
{
    link->unacknowledged++;
    if (link->window && link->unacknowledged >= link->window) {
        link->unacknowledged = 0;
        send_message(link, SPICE_MSGC_ACK, NULL, 0);
    }
}

static void
answer(Link *link, uint16_t type, const uint8_t *body, size_t len)
{
    if (type == SPICE_MSG_SET_ACK && len >= 8) {
        memcpy(&link->window, body + 4, 4);
        link->unacknowledged = 0;
        send_message(link, SPICE_MSGC_ACK_SYNC, body, 4);
        return;
    }
    acknowledge(link);
    if (type == SPICE_MSG_PING && len >= 12)
        send_message(link, SPICE_MSGC_PONG, body, 12);
}

/* Up to the next message with payload; false: it is not there yet. */
static bool
next_message(Link *link)
{
    uint16_t type;
    uint32_t len;

    while (link->end - link->at >= HEADER) {
        memcpy(&type, link->in + link->at, 2);
        memcpy(&len, link->in + link->at + 2, 4);
        if (type == SPICE_MSG_SPICEVMC_DATA) {
            link->at += HEADER;
            link->payload = len;
            acknowledge(link);
            return true;
        }
        if (len > BUFFER / 2)
            g_error("a message of type %u, of %u bytes", type, len);
        if (link->end - link->at < HEADER + len)
            return false;
        answer(link, type, link->in + link->at + HEADER, len);
        link->at += HEADER + len;
    }
    return false;
}

size_t
link_read(Link *link, void *to, size_t len)
{
    if (!link->messages)
        link->payload = link->end - link->at;
    while (!link->payload)
        if (!link->messages || !next_message(link))
            return 0;
    size_t n = MIN(MIN(len, link->payload), link->end - link->at);
    memcpy(to, link->in + link->at, n);
    link->at += n;
    link->payload -= n;
    return n;
}
