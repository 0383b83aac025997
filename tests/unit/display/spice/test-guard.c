/* SPDX-License-Identifier: Apache-2.0 */
/* Guards: what passes, what does not, in whatever pieces it comes, and only where it is to be guarded. */
#include "display/spice/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <spice/enums.h>
#include <spice/protocol.h>

/* What a client says, put together. */
static void
add(GByteArray *said, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        g_byte_array_append(said, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}

static void
add_link(GByteArray *said, bool mini, unsigned n_caps, uint32_t caps_offset)
{
    g_byte_array_append(said, (const uint8_t *)"REDQ", 4);
    add(said, 2, 4);
    add(said, 2, 4);
    add(said, 18 + n_caps * 4, 4);
    add(said, 0, 4);      /* connection */
    add(said, 2, 1);      /* channel's type */
    add(said, 0, 1);      /* and number */
    add(said, n_caps, 4); /* common capabilities */
    add(said, 0, 4);
    add(said, caps_offset, 4);
    for (unsigned i = 0; i < n_caps; i++)
        add(said, i == 0 ? 3 | (mini ? 8 : 0) : 0, 4);
    add(said, 1, 4); /* how to sign in */
    for (unsigned i = 0; i < 128; i++)
        add(said, i, 1); /* the ticket */
}

static void
add_message(GByteArray *said, bool mini, uint16_t type, uint32_t size)
{
    if (!mini)
        add(said, 77, 8);
    add(said, type, 2);
    add(said, size, 4);
    if (!mini)
        add(said, 0, 4);
    for (uint32_t i = 0; i < size; i++)
        add(said, 4, 1); /* looks like the flush mark, but is none */
}

/* One frame with all of @said from @start on. */
static void
add_frame(GByteArray *frames, const GByteArray *said, size_t start, uint8_t first)
{
    static const uint8_t mask[4] = {0x12, 0xef, 0x00, 0x77};
    size_t n = said->len - start;

    add(frames, first, 1);
    if (n < 126) {
        add(frames, 0x80 | n, 1);
    } else if (n < 65536) {
        add(frames, 0x80 | 126, 1);
        add(frames, n >> 8, 1);
        add(frames, n, 1);
    } else {
        add(frames, 0x80 | 127, 1);
        for (int shift = 56; shift >= 0; shift -= 8)
            add(frames, n >> shift, 1);
    }
    g_byte_array_append(frames, mask, 4);
    for (size_t i = 0; i < n; i++)
        add(frames, said->data[start + i] ^ mask[i % 4], 1);
}

/* ---- a guarded descriptor ---- */

typedef struct {
    int ends[2];
    Guard *guard;
} Wire;

static void
wire_open(Wire *wire, bool websocket)
{
    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, wire->ends));
    wire->guard = guard_new(wire->ends[0], websocket);
    g_assert_nonnull(wire->guard);
}

static void
wire_close(Wire *wire)
{
    guard_free(wire->guard);
    close(wire->ends[0]);
    close(wire->ends[1]);
}

/* Sends it, and reads it at the guarded end in pieces of at most @piece; how much came through before it failed. */
static size_t
pass(const Wire *wire, const uint8_t *bytes, size_t n, size_t piece)
{
    uint8_t got[4096];
    size_t at = 0;

    while (at < n) {
        size_t now = MIN(MIN(piece, n - at), sizeof got);
        g_assert_cmpint(send(wire->ends[1], bytes + at, now, 0), ==, now);
        ssize_t came = read(wire->ends[0], got, now);
        if (came < 0) {
            g_assert_cmpint(errno, ==, ECONNRESET);
            return at;
        }
        g_assert_cmpmem(got, (size_t)came, bytes + at, now);
        at += now;
    }
    return at;
}

/* The link, then the messages; whether all of them came through. */
static bool
talk(bool mini, int type, const GByteArray *messages, size_t piece)
{
    g_autoptr(GByteArray) link = g_byte_array_new();
    Wire wire;

    add_link(link, mini, 2, 18);
    wire_open(&wire, false);
    g_assert_cmpuint(pass(&wire, link->data, link->len, piece), ==, link->len);
    guard_begin(wire.guard, type);
    size_t came = pass(&wire, messages->data, messages->len, piece);
    wire_close(&wire);
    return came == messages->len;
}

static const size_t pieces[] = {1, 2, 3, 5, 7, 20, 1000};

/* @type and @before: what came first. */
static void
check(int type, uint16_t before, uint16_t message, bool passes)
{
    for (unsigned mini = 0; mini < 2; mini++) {
        g_autoptr(GByteArray) messages = g_byte_array_new();
        add_message(messages, mini, before, 14);
        add_message(messages, mini, SPICE_MSGC_PONG, 0);
        add_message(messages, mini, SPICE_MSGC_PONG, 300);
        add_message(messages, mini, message, 4);
        add_message(messages, mini, SPICE_MSGC_PONG, 12);
        for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++)
            g_assert_cmpint(talk(mini, type, messages, pieces[i]), ==, passes);
    }
}

static void
test_messages(void)
{
    const uint16_t again = SPICE_MSGC_DISPLAY_INIT, migrate = SPICE_MSGC_MAIN_MIGRATE_DST_DO_SEAMLESS;

    for (int type = SPICE_CHANNEL_MAIN; type <= SPICE_CHANNEL_PORT; type++) {
        check(type, SPICE_MSGC_ACK, SPICE_MSGC_MIGRATE_FLUSH_MARK, false);
        check(type, SPICE_MSGC_ACK, SPICE_MSGC_DISCONNECTING, true);
        check(type, SPICE_MSGC_ACK, SPICE_MSGC_MIGRATE_FLUSH_MARK | 0x100, true);
        check(type, SPICE_MSGC_ACK, migrate, type != SPICE_CHANNEL_MAIN);
        check(type, again, SPICE_MSGC_ACK, true);
        check(type, again, again, type != SPICE_CHANNEL_DISPLAY);
    }
}

/* Capabilities that are not there, or where nobody has them. */
static void
test_links(void)
{
    static const struct {
        unsigned n_caps;
        uint32_t offset;
        bool mini, passes;
    } cases[] = {
        {0, 18, false, true},   {1, 18, true, true},
        {1, 20, false, true}, /* the word is half of something else: no matter, spice-server reads it there too */
        {1, 5000, true, false}, {1, UINT32_MAX - 8, true, false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) link = g_byte_array_new(), message = g_byte_array_new();
        Wire wire;
        add_link(link, cases[i].mini, cases[i].n_caps, cases[i].offset);
        add_message(message, cases[i].mini, SPICE_MSGC_PONG, 12);
        wire_open(&wire, false);
        g_assert_cmpuint(pass(&wire, link->data, link->len, 7), ==, link->len);
        guard_begin(wire.guard, SPICE_CHANNEL_MAIN);
        g_assert_cmpint(pass(&wire, message->data, message->len, 7) == message->len, ==, cases[i].passes);
        wire_close(&wire);
    }

    Wire wire; /* no link at all */
    wire_open(&wire, false);
    guard_begin(wire.guard, SPICE_CHANNEL_MAIN);
    g_assert_cmpuint(pass(&wire, (const uint8_t *)"\3\0\0\0\0\0", 6, 6), ==, 0);
    wire_close(&wire);
}

/* The same in frames: whole ones, many small ones, long ones, with others in between. */
static void
test_websocket(void)
{
    static const char request[] = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    static const uint16_t last[] = {SPICE_MSGC_PONG, SPICE_MSGC_MIGRATE_FLUSH_MARK};

    for (size_t l = 0; l < G_N_ELEMENTS(last); l++) {
        for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
            g_autoptr(GByteArray) link = g_byte_array_new(), said = g_byte_array_new();
            g_autoptr(GByteArray) frames = g_byte_array_new(), others = g_byte_array_new();
            Wire wire;
            add_link(link, true, 1, 18);
            add_frame(frames, link, 0, 0x82);
            wire_open(&wire, true);
            g_assert_cmpuint(pass(&wire, (const uint8_t *)request, 4, pieces[i]), ==, 4);
            g_assert_cmpuint(pass(&wire, (const uint8_t *)request + 4, strlen(request) - 4, 4000), ==,
                             strlen(request) - 4);
            g_assert_cmpuint(pass(&wire, frames->data, frames->len, pieces[i]), ==, frames->len);
            guard_begin(wire.guard, SPICE_CHANNEL_MAIN);

            g_byte_array_set_size(frames, 0);
            add_message(said, true, SPICE_MSGC_PONG, 70000);
            add_frame(frames, said, 0, 0x02); /* to be continued … */
            add_message(others, true, SPICE_MSGC_MIGRATE_FLUSH_MARK, 0);
            add_frame(frames, others, 0, 0x89); /* a ping is no data */
            g_byte_array_set_size(others, 0);
            add_frame(frames, others, 0, 0x8a); /* nor is an empty pong */
            size_t start = said->len;
            add_message(said, true, last[l], 0);
            add_frame(frames, said, start, 0x80); /* … here */
            add_message(said, true, SPICE_MSGC_PONG, 0);
            add_frame(frames, said, said->len - 6, 0x82);
            size_t came = pass(&wire, frames->data, frames->len, MAX(pieces[i], 3));
            g_assert_cmpint(came == frames->len, ==, last[l] == SPICE_MSGC_PONG);
            wire_close(&wire);
        }
    }
}

/* The descriptor is somebody else's by now: he is not bothered, even if the guard is still there. */
static void
test_another_descriptor(void)
{
    g_autoptr(GByteArray) link = g_byte_array_new(), message = g_byte_array_new();
    int other[2];
    Wire wire;

    add_link(link, true, 1, 18);
    add_message(message, true, SPICE_MSGC_MIGRATE_FLUSH_MARK, 0);
    wire_open(&wire, false);
    g_assert_cmpuint(pass(&wire, link->data, link->len, 1000), ==, link->len);
    guard_begin(wire.guard, SPICE_CHANNEL_MAIN);
    close(wire.ends[1]);
    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, other));
    g_assert_no_errno(dup3(other[0], wire.ends[0], O_CLOEXEC));
    close(other[0]);
    wire.ends[1] = other[1];
    for (unsigned i = 0; i < 5; i++)
        g_assert_cmpuint(pass(&wire, message->data, message->len, 1000), ==, message->len);

    Guard *next = guard_new(wire.ends[0], false); /* a new connection there, before the end of the old was heard of */
    g_assert_nonnull(next);
    guard_free(wire.guard);
    wire.guard = next;
    g_assert_cmpuint(pass(&wire, link->data, link->len, 1000), ==, link->len);
    guard_begin(wire.guard, SPICE_CHANNEL_MAIN);
    g_assert_cmpuint(pass(&wire, message->data, message->len, 1000), ==, 0);
    wire_close(&wire);

    g_assert_null(guard_new(100000, false));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guard/messages", test_messages);
    g_test_add_func("/guard/links", test_links);
    g_test_add_func("/guard/websocket", test_websocket);
    g_test_add_func("/guard/another-descriptor", test_another_descriptor);
    return g_test_run();
}
