/* SPDX-License-Identifier: Apache-2.0 */
/* Arrivals: the message is checked as far as spice-server must not find fault with it while it waits. */
#include "display/spice/arrival.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <linux/sockios.h>
#include <spice/enums.h>
#include <spice/protocol.h>

#define PATIENCE_MS 3000

#define INIT_BYTES 14      /* cache id, cache size, dictionary id, dictionary size: 1 + 8 + 1 + 4 */
#define DICTIONARY_BYTES 4 /* at its end: the size, in pixels */
/* More, and spice-server aborts (its LZ_MAX_WINDOW_SIZE). */
#define DICTIONARY_MAX (1u << 25)
#define MINI_BYTES (sizeof(SpiceMiniDataHeader) + INIT_BYTES)
#define FULL_BYTES (sizeof(SpiceDataHeader) + INIT_BYTES)
/* RFC 6455, 5.2: the last fragment of a binary message, masked, of less than 126 bytes. */
#define FRAME_HEADER_BYTES 6
#define FRAME_START 0x82
#define FRAME_MASKED 0x80

struct Arrival {
    int fd; /* -1: the client did not begin */
    int number;
    bool websocket;
    int stand_in; /* our end of it; -1: there is none */
    dev_t device; /* of the other end */
    ino_t inode;
    bool abandoned;
};

/*
 * A first message for a client that sent none, whichever of the two headers it would have used: read with a mini header it
 * is a message of 20 bytes, and then the beginning of one that never ends; with a full header it is one of 32.
 */
static const uint8_t harmless[FULL_BYTES] = {
    SPICE_MSGC_DISPLAY_INIT,
    0,
    INIT_BYTES,
    0,
    0,
    0, /* mini header */
    1,
    0, /* cache id and size …      | … of the serial number */
    SPICE_MSGC_DISPLAY_INIT,
    0,
    INIT_BYTES,
    0,
    0,
    0, /* … size …                 | type and size */
    0,
    0,
    0,
    0, /* … size, dictionary's id … | no sub-list */
    1,
    1, /* … and size               | cache id and size … */
    SPICE_MSGC_ACK_SYNC,
    0,
    100,
    0,
    0,
    0,
    0, /* of the unfinished one    | … size */
    0,
    0,
    0,
    1,
    0, /*                          | dictionary */
};
G_STATIC_ASSERT(MINI_BYTES == 20 && FULL_BYTES == 32);

Arrival *
arrival_new(int fd, int number, bool websocket)
{
    Arrival *arrival = g_new0(Arrival, 1);

    arrival->fd = fd;
    arrival->number = number;
    arrival->websocket = websocket;
    arrival->stand_in = -1;
    return arrival;
}

void
arrival_free(Arrival *arrival)
{
    if (!arrival)
        return;
    g_clear_fd(&arrival->fd, NULL);
    g_clear_fd(&arrival->stand_in, NULL);
    g_free(arrival);
}

int
arrival_number(const Arrival *arrival)
{
    return arrival->number;
}

/* ---- the first message ---- */

typedef struct {
    uint8_t bytes[FRAME_HEADER_BYTES + FULL_BYTES];
    size_t n;
} Message;

/* Reads until the message has @n bytes; false where it does not get them. */
static bool
read_up_to(const Arrival *arrival, Message *message, size_t n, gint64 deadline)
{
    while (message->n < n) {
        struct pollfd socket = {.fd = arrival->fd, .events = POLLIN};
        gint64 left = (deadline - g_get_monotonic_time()) / 1000;
        if (left <= 0 || poll(&socket, 1, (int)left + 1) < 0)
            return false;
        ssize_t got = recv(arrival->fd, message->bytes + message->n, n - message->n, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        message->n += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static uint32_t
little_endian(const uint8_t *bytes, size_t n)
{
    uint32_t value = 0;

    while (n-- > 0)
        value = value << 8 | bytes[n];
    return value;
}

/* Whether a header at @bytes, from its type on, is the first message's. */
static bool
announces_init(const uint8_t *bytes)
{
    return little_endian(bytes, 2) == SPICE_MSGC_DISPLAY_INIT && little_endian(bytes + 2, 4) == INIT_BYTES;
}

/* The whole length of a message whose first MINI_BYTES are there; 0: it is not the one. */
static size_t
length_of(const uint8_t *bytes)
{
    if (announces_init(bytes))
        return MINI_BYTES;
    return announces_init(bytes + offsetof(SpiceDataHeader, type)) ? FULL_BYTES : 0;
}

/* Whether spice-server will put up with the message whose last byte is before @end. */
static bool
is_sane(const uint8_t *end)
{
    uint32_t dictionary = little_endian(end - DICTIONARY_BYTES, DICTIONARY_BYTES);

    return dictionary > 0 && dictionary <= DICTIONARY_MAX;
}

static bool
read_plain(const Arrival *arrival, Message *message, gint64 deadline)
{
    if (!read_up_to(arrival, message, MINI_BYTES, deadline))
        return false;
    size_t length = length_of(message->bytes);
    return length && read_up_to(arrival, message, length, deadline) && is_sane(message->bytes + length);
}

/* One frame with all of the message; it goes on as it is. */
static bool
read_frame(const Arrival *arrival, Message *message, gint64 deadline)
{
    uint8_t payload[FULL_BYTES];

    if (!read_up_to(arrival, message, FRAME_HEADER_BYTES, deadline))
        return false;
    size_t n = message->bytes[1] & ~FRAME_MASKED;
    if (message->bytes[0] != FRAME_START || !(message->bytes[1] & FRAME_MASKED) ||
        (n != MINI_BYTES && n != FULL_BYTES) || !read_up_to(arrival, message, FRAME_HEADER_BYTES + n, deadline))
        return false;
    for (size_t i = 0; i < n; i++)
        payload[i] = message->bytes[FRAME_HEADER_BYTES + i] ^ message->bytes[2 + i % 4];
    return length_of(payload) == n && is_sane(payload + n);
}

static void
say_harmless(const Arrival *arrival, Message *message)
{
    static const uint8_t frame[FRAME_HEADER_BYTES] = {FRAME_START, FRAME_MASKED | FULL_BYTES};

    message->n = 0;
    if (arrival->websocket) {
        memcpy(message->bytes, frame, sizeof frame);
        message->n = sizeof frame;
    }
    memcpy(message->bytes + message->n, harmless, sizeof harmless);
    message->n += sizeof harmless;
}

/* ---- the stand-in ---- */

/* Puts one end of a fresh pair in the socket's place, with the message to be read from it. */
static bool
stand_in(Arrival *arrival, const Message *message)
{
    int pair[2];
    struct stat seen;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return false;
    arrival->stand_in = pair[0];
    bool done = send(pair[0], message->bytes, message->n, MSG_NOSIGNAL) == (ssize_t)message->n &&
                fstat(pair[1], &seen) == 0 && dup3(pair[1], arrival->number, O_CLOEXEC) >= 0;
    if (done) {
        arrival->device = seen.st_dev;
        arrival->inode = seen.st_ino;
    }
    close(pair[1]);
    return done;
}

void
arrival_begin(Arrival *arrival)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE_MS * 1000;
    Message message = {.n = 0};

    if (!(arrival->websocket ? read_frame : read_plain)(arrival, &message, deadline)) {
        g_clear_fd(&arrival->fd, NULL);
        say_harmless(arrival, &message);
    }
    if (!stand_in(arrival, &message))
        shutdown(arrival->number, SHUT_RDWR); /* out of descriptors: nothing better is left */
}

bool
arrival_was_heard(const Arrival *arrival)
{
    int unread = 0;

    return arrival->stand_in < 0 || ioctl(arrival->stand_in, SIOCOUTQ, &unread) < 0 || unread == 0;
}

/* Whether the descriptor still is the stand-in, and not closed, or somebody else's by now. */
static bool
stands_in(const Arrival *arrival)
{
    struct stat seen;

    return !arrival->abandoned && arrival->stand_in >= 0 && fstat(arrival->number, &seen) == 0 &&
           seen.st_dev == arrival->device && seen.st_ino == arrival->inode;
}

/* What spice-server wrote meanwhile goes where it belongs. */
static bool
pass_on(const Arrival *arrival)
{
    uint8_t bytes[4096];
    ssize_t n;

    while ((n = recv(arrival->stand_in, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        if (send(arrival->fd, bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) != n)
            return false;
    return true;
}

void
arrival_end(Arrival *arrival)
{
    if (stands_in(arrival) && arrival->fd >= 0 && pass_on(arrival))
        dup3(arrival->fd, arrival->number, O_CLOEXEC);
}

void
arrival_abandon(Arrival *arrival)
{
    arrival->abandoned = true;
}
