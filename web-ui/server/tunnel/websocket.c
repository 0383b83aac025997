/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/tunnel/websocket.h"

#include <errno.h>
#include <string.h>

enum { CONTINUATION = 0, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

#define FIN 0x80
#define RESERVED 0x70
#define MASKED 0x80

static bool
is_control(uint8_t opcode)
{
    return opcode & 8;
}

/* How long the header is, as far as its first two bytes tell. */
static unsigned
header_len(const WebsocketReader *reader)
{
    if (reader->have < 2)
        return 2;
    switch (reader->header[1] & 0x7f) {
    case 126:
        return 2 + 2 + 4;
    case 127:
        return 2 + 8 + 4;
    default:
        return 2 + 4;
    }
}

static bool
is_opcode_good(WebsocketReader *reader, uint8_t opcode, bool fin)
{
    if (is_control(opcode))
        return fin && opcode <= PONG;
    if (opcode == CONTINUATION ? !reader->in_message : opcode != BINARY || reader->in_message)
        return false;
    reader->in_message = !fin;
    return true;
}

static bool
begin_frame(WebsocketReader *reader)
{
    const uint8_t *header = reader->header;
    unsigned bytes = (header[1] & 0x7f) == 126 ? 2 : (header[1] & 0x7f) == 127 ? 8 : 0;
    uint64_t len = bytes ? 0 : header[1] & 0x7f;

    for (unsigned i = 0; i < bytes; i++)
        len = len << 8 | header[2 + i];
    reader->opcode = header[0] & 0x0f;
    if (len >> 63 || !is_opcode_good(reader, reader->opcode, header[0] & FIN))
        return false;
    if (is_control(reader->opcode)) {
        if (len > WEBSOCKET_CONTROL_MAX)
            return false;
        reader->control_len = 0;
    }
    memcpy(reader->mask, header + 2 + bytes, sizeof(reader->mask));
    reader->mask_at = 0;
    reader->left = len;
    reader->in_payload = true;
    return true;
}

static void
unmask(WebsocketReader *reader, uint8_t *to, const uint8_t *from, size_t len)
{
    uint8_t key[8];
    uint64_t wide;
    size_t i = 0;

    for (unsigned k = 0; k < sizeof(key); k++)
        key[k] = reader->mask[(reader->mask_at + k) & 3];
    memcpy(&wide, key, sizeof(wide));
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, from + i, sizeof(word));
        word ^= wide;
        memcpy(to + i, &word, sizeof(word)); /* never past what was read: @to is not behind @from */
    }
    for (; i < len; i++)
        to[i] = from[i] ^ key[i & 7];
    reader->mask_at = (reader->mask_at + len) & 3;
}

static void
end_frame(WebsocketReader *reader)
{
    reader->in_payload = false;
    reader->have = 0;
    if (reader->opcode == CLOSE)
        reader->closed = true;
    else if (reader->opcode == PING)
        reader->pong_due = true;
}

/* Nothing was agreed on that would use the reserved bits, and every client masks. */
static bool
is_promising(const WebsocketReader *reader)
{
    return (reader->have < 1 || !(reader->header[0] & RESERVED)) && (reader->have < 2 || reader->header[1] & MASKED);
}

/* Takes of the header what is there; false: it is a bad one, as far as it can be seen. */
static bool
take_header(WebsocketReader *reader, const uint8_t *bytes, size_t len, size_t *used)
{
    while (*used < len && reader->have < header_len(reader))
        reader->header[reader->have++] = bytes[(*used)++];
    return is_promising(reader) && (reader->have < header_len(reader) || begin_frame(reader));
}

ssize_t
websocket_read(WebsocketReader *reader, uint8_t *bytes, size_t len)
{
    size_t used = 0, payload = 0;

    while ((used < len || (reader->in_payload && !reader->left)) && !reader->closed) {
        if (!reader->in_payload) {
            if (!take_header(reader, bytes, len, &used))
                return -EPROTO;
            continue;
        }
        size_t n = reader->left < len - used ? reader->left : len - used;
        if (is_control(reader->opcode)) {
            unmask(reader, reader->control + reader->control_len, bytes + used, n);
            reader->control_len += n;
        } else {
            unmask(reader, bytes + payload, bytes + used, n);
            payload += n;
        }
        used += n;
        reader->left -= n;
        if (!reader->left)
            end_frame(reader);
    }
    return payload;
}

size_t
websocket_header(uint8_t header[static WEBSOCKET_HEADER_MAX], size_t len)
{
    unsigned bytes = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;

    header[0] = FIN | BINARY;
    header[1] = bytes == 0 ? len : bytes == 2 ? 126 : 127;
    for (unsigned i = 0; i < bytes; i++)
        header[2 + i] = (uint64_t)len >> (8 * (bytes - 1 - i));
    return 2 + bytes;
}

size_t
websocket_pong(WebsocketReader *reader, uint8_t frame[static 2 + WEBSOCKET_CONTROL_MAX])
{
    frame[0] = FIN | PONG;
    frame[1] = reader->control_len;
    memcpy(frame + 2, reader->control, reader->control_len);
    reader->pong_due = false;
    return 2 + reader->control_len;
}

size_t
websocket_goodbye(uint8_t frame[static 4])
{
    static const uint8_t normal[] = {FIN | CLOSE, 2, 1000 >> 8, 1000 & 0xff};

    memcpy(frame, normal, sizeof(normal));
    return sizeof(normal);
}
