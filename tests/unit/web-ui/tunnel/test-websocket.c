/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in every cut, and those that break the protocol. */
#include "web-ui/server/tunnel/websocket.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

static void
append_frame(GByteArray *bytes, uint8_t first, const void *payload, size_t len)
{
    uint8_t header[WEBSOCKET_HEADER_MAX], mask[4];
    size_t header_len = websocket_header(header, len);

    header[0] = first;
    header[1] |= 0x80;
    for (unsigned i = 0; i < 4; i++)
        mask[i] = g_test_rand_int();
    g_byte_array_append(bytes, header, header_len);
    g_byte_array_append(bytes, mask, 4);
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = ((const uint8_t *)payload)[i] ^ mask[i & 3];
        g_byte_array_append(bytes, &byte, 1);
    }
}

/* What comes out when @bytes come in pieces of at most @piece. */
static GByteArray *
read_in_pieces(WebsocketReader *reader, const GByteArray *bytes, size_t piece)
{
    GByteArray *payload = g_byte_array_new();

    for (size_t at = 0; at < bytes->len && !reader->closed; at += piece) {
        size_t len = MIN(piece, bytes->len - at);
        g_autofree uint8_t *copy = g_memdup2(bytes->data + at, len);
        ssize_t n = websocket_read(reader, copy, len);
        g_assert_cmpint(n, >=, 0);
        g_byte_array_append(payload, copy, n);
    }
    return payload;
}

static void
test_every_cut(void)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree uint8_t *large = g_malloc0(70000);

    append_frame(bytes, 0x82, "one", 3);
    append_frame(bytes, 0x02, "tw", 2);
    append_frame(bytes, 0x89, "ping", 4);
    append_frame(bytes, 0x00, "", 0);
    append_frame(bytes, 0x80, "o", 1);
    append_frame(bytes, 0x82, large, 200);
    append_frame(bytes, 0x8a, "pong that nobody asked for", 26);
    append_frame(bytes, 0x82, large, 70000);
    append_frame(bytes, 0x88, "\x03\xe8", 2);
    append_frame(bytes, 0x82, "after", 5);
    for (size_t piece = 1; piece < 40; piece++) {
        WebsocketReader reader = {0};
        g_autoptr(GByteArray) payload = read_in_pieces(&reader, bytes, piece);
        g_assert_cmpuint(payload->len, ==, 6 + 200 + 70000);
        g_assert_cmpmem(payload->data, 6, "onetwo", 6);
        g_assert_true(reader.closed);
    }
}

static void
test_pong(void)
{
    WebsocketReader reader = {0};
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    uint8_t frame[2 + WEBSOCKET_CONTROL_MAX];

    append_frame(bytes, 0x89, "hello", 5);
    g_assert_cmpint(websocket_read(&reader, bytes->data, bytes->len), ==, 0);
    g_assert_true(reader.pong_due);
    g_assert_cmpuint(websocket_pong(&reader, frame), ==, 7);
    g_assert_cmpmem(frame, 7, "\x8a\x05hello", 7);
    g_assert_false(reader.pong_due);
}

static void
test_broken(void)
{
    static const struct {
        uint8_t bytes[16];
        size_t len;
    } cases[] = {
        {{0x82, 0x01}, 2},                                         /* not masked */
        {{0xc2, 0x80}, 2},                                         /* reserved bit */
        {{0x81, 0x80, 0, 0, 0, 0}, 6},                             /* text */
        {{0x83, 0x80, 0, 0, 0, 0}, 6},                             /* unknown */
        {{0x8b, 0x80, 0, 0, 0, 0}, 6},                             /* unknown control */
        {{0x80, 0x80, 0, 0, 0, 0}, 6},                             /* continues nothing */
        {{0x09, 0x80, 0, 0, 0, 0}, 6},                             /* control in parts */
        {{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, 8},                     /* control too long */
        {{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 14}, /* 2^63 */
        {{0x02, 0x80, 0, 0, 0, 0, 0x82, 0x80, 0, 0, 0, 0}, 12},    /* begins within another */
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        WebsocketReader reader = {0};
        uint8_t bytes[16];
        memcpy(bytes, cases[i].bytes, sizeof(bytes));
        g_assert_cmpint(websocket_read(&reader, bytes, cases[i].len), ==, -EPROTO);
    }
}

static void
test_headers(void)
{
    uint8_t header[WEBSOCKET_HEADER_MAX];

    g_assert_cmpuint(websocket_header(header, 125), ==, 2);
    g_assert_cmpmem(header, 2, "\x82\x7d", 2);
    g_assert_cmpuint(websocket_header(header, 126), ==, 4);
    g_assert_cmpmem(header, 4, "\x82\x7e\0\x7e", 4);
    g_assert_cmpuint(websocket_header(header, 65536), ==, 10);
    g_assert_cmpmem(header, 10, "\x82\x7f\0\0\0\0\0\1\0\0", 10);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/websocket/every-cut", test_every_cut);
    g_test_add_func("/websocket/pong", test_pong);
    g_test_add_func("/websocket/broken", test_broken);
    g_test_add_func("/websocket/headers", test_headers);
    return g_test_run();
}
