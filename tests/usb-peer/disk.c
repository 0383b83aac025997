/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that cannot be written (bulk-only transport, SCSI): its blocks are those of a file, "file=PATH". Requests for data
 * wait until there are some, as a device would keep them waiting.
 */
#include "device.h"

#include <glib.h>
#include <string.h>

#define BLOCK 512
#define OUT 0x02
#define IN 0x81
#define COMMAND_BYTES 31
#define STATUS_BYTES 13

typedef struct {
    uint64_t id;
    uint32_t len;
} Wanted;

static struct {
    struct usbredirparser *parser;
    GMappedFile *file;
    GQueue wanted; /* of Wanted: requests for data not answered yet */
    bool has_data; /* the command at hand has a data stage … */
    const uint8_t *data;
    uint32_t left;
    bool has_status; /* … and a status to come */
    uint8_t status[STATUS_BYTES];
    uint8_t reply[64];
    uint8_t sense, sense_code;
} disk;

static const uint8_t device_descriptor[] = {18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x09, 0x12, 0x01, 0x00, 0, 1, 0, 0, 0, 1};
static const uint8_t configuration[] = {
    9, 2, 32,  0, 1, 1, 0, 0x80, 50, /* one interface */
    9, 4, 0,   0, 2, 8, 6, 80,   0,  /* mass storage, SCSI, bulk-only */
    7, 5, IN,  2, 0, 2, 0,           /* 512 bytes */
    7, 5, OUT, 2, 0, 2, 0,
};

static void
start(struct usbredirparser *parser, char **arguments)
{
    g_autoptr(GError) error = NULL;

    disk.parser = parser;
    disk.file = g_mapped_file_new(peer_argument(arguments, "file", ""), FALSE, &error);
    if (!disk.file)
        g_error("%s", error->message);
}

/* --- answers ---------------------------------------------------------------------------------------------------- */

static void
answer(const Wanted *wanted, uint8_t status, const uint8_t *data, uint32_t len)
{
    struct usb_redir_bulk_packet_header header = {
        .endpoint = IN, .status = status, .length = (uint16_t)len, .length_high = (uint16_t)(len >> 16)};

    usbredirparser_send_bulk_packet(disk.parser, wanted->id, &header, (uint8_t *)data, (int)len);
}

static void
answer_waiting(void)
{
    while (disk.wanted.length && (disk.has_data || disk.has_status)) {
        g_autofree Wanted *wanted = g_queue_pop_head(&disk.wanted);
        uint32_t n = MIN(wanted->len, disk.left);
        if (disk.has_data) {
            answer(wanted, usb_redir_success, disk.data, n);
            disk.data += n;
            disk.left -= n;
            disk.has_data = disk.left;
        } else {
            answer(wanted, usb_redir_success, disk.status, STATUS_BYTES);
            disk.has_status = false;
        }
    }
}

static void
cancel(uint64_t id)
{
    for (GList *link = disk.wanted.head; link; link = link->next) {
        Wanted *wanted = link->data;
        if (wanted->id != id)
            continue;
        answer(wanted, usb_redir_cancelled, NULL, 0);
        g_queue_delete_link(&disk.wanted, link);
        g_free(wanted);
        return;
    }
}

/* --- commands (SPC-4, SBC-3) ------------------------------------------------------------------------------------ */

static uint32_t
big_endian(const uint8_t *bytes, unsigned n)
{
    uint32_t value = 0;

    while (n--)
        value = value << 8 | *bytes++;
    return value;
}

static void
put_big_endian(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static bool
give(const uint8_t *data, size_t len)
{
    disk.data = data;
    disk.left = (uint32_t)len;
    return true;
}

static bool
reply(size_t len)
{
    return give(disk.reply, len);
}

static bool
refuse(uint8_t key, uint8_t code)
{
    disk.sense = key;
    disk.sense_code = code;
    return false;
}

static bool
read_blocks(uint64_t first, uint32_t n)
{
    uint64_t blocks = g_mapped_file_get_length(disk.file) / BLOCK;

    if (first + n > blocks)
        return refuse(5, 0x21);
    return give((const uint8_t *)g_mapped_file_get_contents(disk.file) + first * BLOCK, (size_t)n * BLOCK);
}

static bool
carry_out(const uint8_t *cdb)
{
    memset(disk.reply, 0, sizeof disk.reply);
    switch (cdb[0]) {
    case 0x00: /* TEST UNIT READY, START STOP UNIT, PREVENT, SYNCHRONIZE CACHE */
    case 0x1b:
    case 0x1e:
    case 0x35:
        return true;
    case 0x03: /* REQUEST SENSE */
        disk.reply[0] = 0x70;
        disk.reply[2] = disk.sense;
        disk.reply[7] = 10;
        disk.reply[12] = disk.sense_code;
        return reply(18);
    case 0x12: /* INQUIRY */
        if (cdb[1] & 1)
            return refuse(5, 0x24);
        memcpy(disk.reply, "\0\200\5\2\37\0\0\0Carrel  Peer's disk     1   ", 36);
        return reply(36);
    case 0x1a: /* MODE SENSE (6): it cannot be written */
        memcpy(disk.reply, "\3\0\200\0", 4);
        return reply(4);
    case 0x25: /* READ CAPACITY (10) */
        put_big_endian(disk.reply, (uint32_t)(g_mapped_file_get_length(disk.file) / BLOCK - 1));
        put_big_endian(disk.reply + 4, BLOCK);
        return reply(8);
    case 0x28: /* READ (10) */
        return read_blocks(big_endian(cdb + 2, 4), big_endian(cdb + 7, 2));
    default:
        return refuse(5, 0x20);
    }
}

static void
take_command(const uint8_t *wrapper)
{
    uint32_t expected;

    memcpy(&expected, wrapper + 8, 4);
    disk.left = 0;
    bool good = carry_out(wrapper + 15);
    disk.left = MIN(disk.left, expected);
    disk.has_data = expected; /* it takes place, though there be nothing */
    memcpy(disk.status, "USBS", 4);
    memcpy(disk.status + 4, wrapper + 4, 4);
    expected -= disk.left;
    memcpy(disk.status + 8, &expected, 4);
    disk.status[12] = !good;
    disk.has_status = true;
}

static void
bulk(uint64_t id, const struct usb_redir_bulk_packet_header *header, const uint8_t *data, int len)
{
    uint32_t length = (uint32_t)header->length_high << 16 | header->length;

    if (header->endpoint == OUT) {
        struct usb_redir_bulk_packet_header done = *header;
        if (len == COMMAND_BYTES)
            take_command(data);
        done.status = len == COMMAND_BYTES ? usb_redir_success : usb_redir_stall;
        usbredirparser_send_bulk_packet(disk.parser, id, &done, NULL, 0);
    } else {
        Wanted *wanted = g_new(Wanted, 1);
        *wanted = (Wanted){id, length};
        g_queue_push_tail(&disk.wanted, wanted);
    }
    answer_waiting();
}

const PeerKind peer_disk = {
    .speed = usb_redir_speed_high,
    .device = device_descriptor,
    .configuration = configuration,
    .start = start,
    .bulk = bulk,
    .cancel = cancel,
};
