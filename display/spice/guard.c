/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three layers, each fed by the one below: bytes as they are read; SPICE's own, out of WebSocket frames (RFC 6455, 5.2) where
 * there are any; and messages (protocol.h), of which only the header is kept.
 */
#include "display/spice/guard.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <spice/enums.h>
#include <spice/protocol.h>

#include "display/spice/traffic.h"

#define MAX_NUMBER 4096
/* Of the link message, capabilities included: real ones have less than 100. */
#define LINK_BYTES 512
/* What spice-server reads of a connection first. */
#define MAGIC_BYTES 4
#define CAPS_OF_LINK (sizeof(SpiceLinkHeader) + 14) /* where it says where they are */
#define N_CAPS_OF_LINK (sizeof(SpiceLinkHeader) + 6)
#define FRAME_HEADER_MAX 14
#define FRAME_CONTROL 0x08
#define FRAME_MASKED 0x80

typedef struct {
    uint8_t header[FRAME_HEADER_MAX];
    unsigned n;    /* bytes of it */
    uint64_t left; /* of its payload */
    unsigned place;
    bool is_data;
    uint8_t mask[4];
} Frame;

struct Guard {
    int number;
    dev_t device; /* of the socket */
    ino_t inode;
    bool websocket;
    size_t greeting; /* bytes of a WebSocket's request, up to what spice-server reads first */
    bool has_frames; /* the request is over */
    Frame frame;
    uint8_t link[LINK_BYTES];
    size_t n_link;
    int type; /* of the channel; 0: it is not one yet */
    bool lost;
    uint8_t header[sizeof(SpiceDataHeader)];
    size_t header_size, n_header;
    uint32_t left; /* of the message after its header */
    bool begun;    /* a display channel's first message came */
};

static Guard *guards[MAX_NUMBER]; /* by descriptor; atomic where it is only asked whether there is one */
static GMutex lock;               /* covers them, and what is in them */

/* ---- messages ---- */

static uint32_t
little_endian(const uint8_t *bytes, size_t n)
{
    uint32_t value = 0;

    while (n-- > 0)
        value = value << 8 | bytes[n];
    return value;
}

static bool
is_forbidden(Guard *guard, uint16_t message)
{
    bool again = guard->begun;

    if (guard->type == SPICE_CHANNEL_DISPLAY && message == SPICE_MSGC_DISPLAY_INIT)
        guard->begun = true;
    return message == SPICE_MSGC_MIGRATE_FLUSH_MARK ||
           (guard->type == SPICE_CHANNEL_MAIN && message == SPICE_MSGC_MAIN_MIGRATE_DST_DO_SEAMLESS) ||
           (guard->type == SPICE_CHANNEL_DISPLAY && message == SPICE_MSGC_DISPLAY_INIT && again);
}

/* A header is whole; false where its message must not be heard. */
static bool
take_header(Guard *guard)
{
    bool mini = guard->header_size == sizeof(SpiceMiniDataHeader);
    const uint8_t *at = guard->header + (mini ? 0 : offsetof(SpiceDataHeader, type));

    guard->n_header = 0;
    guard->left = little_endian(at + 2, 4);
    return !is_forbidden(guard, (uint16_t)little_endian(at, 2));
}

/* SPICE's bytes: the link's are kept. */
static bool
hear_spice(Guard *guard, const uint8_t *bytes, size_t n)
{
    while (n > 0 && !guard->lost) {
        size_t used = 1;
        if (!guard->type) {
            used = MIN(n, LINK_BYTES - guard->n_link);
            memcpy(guard->link + guard->n_link, bytes, used);
            guard->n_link += used;
            used = n; /* beyond that it is not looked at */
        } else if (guard->left > 0) {
            used = MIN(n, guard->left);
            guard->left -= (uint32_t)used;
        } else {
            guard->header[guard->n_header++] = *bytes;
            if (guard->n_header == guard->header_size && !take_header(guard))
                guard->lost = true;
        }
        bytes += used;
        n -= used;
    }
    return !guard->lost;
}

/* ---- WebSocket frames ---- */

/* How long the header is, as far as its first two bytes tell. */
static unsigned
header_length(const Frame *frame)
{
    uint8_t length = frame->n < 2 ? 0 : frame->header[1] & ~FRAME_MASKED;

    return 2 + (length == 127 ? 8 : length == 126 ? 2 : 0) + (frame->n >= 2 && frame->header[1] & FRAME_MASKED ? 4 : 0);
}

static void
open_frame(Frame *frame)
{
    uint8_t length = frame->header[1] & ~FRAME_MASKED;
    unsigned more = length == 127 ? 8 : length == 126 ? 2 : 0;

    frame->left = more ? 0 : length;
    for (unsigned i = 0; i < more; i++)
        frame->left = frame->left << 8 | frame->header[2 + i];
    memset(frame->mask, 0, sizeof frame->mask);
    if (frame->header[1] & FRAME_MASKED)
        memcpy(frame->mask, frame->header + 2 + more, sizeof frame->mask);
    frame->is_data = !(frame->header[0] & FRAME_CONTROL);
    frame->place = 0;
    frame->n = 0;
}

static bool
hear_frames(Guard *guard, const uint8_t *bytes, size_t n)
{
    Frame *frame = &guard->frame;

    for (size_t i = 0; i < n; i++) {
        if (frame->left == 0) {
            frame->header[frame->n++] = bytes[i];
            if (frame->n >= 2 && frame->n == header_length(frame))
                open_frame(frame);
            continue;
        }
        uint8_t byte = bytes[i] ^ frame->mask[frame->place++ % 4];
        frame->left--;
        if (frame->is_data && !hear_spice(guard, &byte, 1))
            return false;
    }
    return true;
}

/* spice-server reads as much of the request as tells it from a link, then, at once, all of the rest. */
static bool
hear_websocket(Guard *guard, const uint8_t *bytes, size_t n)
{
    if (guard->has_frames)
        return hear_frames(guard, bytes, n);
    guard->has_frames = guard->greeting >= MAGIC_BYTES;
    guard->greeting += n;
    return true;
}

/* ---- descriptors ---- */

/* Whether it is not closed, or somebody else's, or stood in for. */
static bool
is_still_there(const Guard *guard)
{
    struct stat seen;

    return fstat(guard->number, &seen) == 0 && seen.st_dev == guard->device && seen.st_ino == guard->inode;
}

static bool
hear(int number, const uint8_t *bytes, size_t n)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    Guard *guard = guards[number];

    if (!guard || (!guard->lost && (guard->websocket ? hear_websocket : hear_spice)(guard, bytes, n)))
        return true;
    return !is_still_there(guard);
}

bool
guard_watches(int number)
{
    return number >= 0 && number < MAX_NUMBER && g_atomic_pointer_get(&guards[number]);
}

ssize_t
read(int number, void *buffer, size_t size)
{
    ssize_t n = syscall(SYS_read, number, buffer, size);

    if (n <= 0 || !guard_watches(number))
        return n;
    traffic_received((size_t)n);
    if (hear(number, buffer, (size_t)n))
        return n;
    errno = ECONNRESET;
    return -1;
}

Guard *
guard_new(int number, bool websocket)
{
    struct stat seen;

    if (number < 0 || number >= MAX_NUMBER || fstat(number, &seen) < 0)
        return NULL;
    Guard *guard = g_new0(Guard, 1);
    guard->number = number;
    guard->device = seen.st_dev;
    guard->inode = seen.st_ino;
    guard->websocket = websocket;
    g_mutex_lock(&lock);
    g_atomic_pointer_set(&guards[number], guard);
    g_mutex_unlock(&lock);
    return guard;
}

void
guard_free(Guard *guard)
{
    if (!guard)
        return;
    g_mutex_lock(&lock);
    if (guards[guard->number] == guard)
        g_atomic_pointer_set(&guards[guard->number], NULL);
    g_mutex_unlock(&lock);
    g_free(guard);
}

/* The kind of header the link's capabilities ask for; 0: they are where nobody has them. */
static size_t
find_header_size(const Guard *guard)
{
    const uint8_t *link = guard->link;

    if (guard->n_link < CAPS_OF_LINK + 4)
        return 0;
    if (little_endian(link + N_CAPS_OF_LINK, 4) == 0)
        return sizeof(SpiceDataHeader);
    uint64_t caps = sizeof(SpiceLinkHeader) + (uint64_t)little_endian(link + CAPS_OF_LINK, 4);
    if (caps + 4 > guard->n_link)
        return 0;
    return little_endian(link + caps, 4) >> SPICE_COMMON_CAP_MINI_HEADER & 1 ? sizeof(SpiceMiniDataHeader)
                                                                             : sizeof(SpiceDataHeader);
}

void
guard_begin(Guard *guard, int type)
{
    g_mutex_lock(&lock);
    guard->type = type;
    guard->header_size = find_header_size(guard);
    guard->lost = guard->header_size == 0;
    g_mutex_unlock(&lock);
}
