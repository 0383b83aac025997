/* SPDX-License-Identifier: Apache-2.0 */
/* The little driver that reads a disk (USB Mass Storage Class, Bulk-Only Transport 1.0), on a thread of its own. */
#include "tests/spice/usb-guest.h"

#include <stdio.h>
#include <string.h>

#define CHUNK 65536 /* as Linux reads a CD */

typedef struct {
    char *id;
    unsigned repeat;
    uint8_t in, out; /* bulk endpoints */
    uint32_t tag;
} Disk;

static int
bulk(const Disk *disk, uint8_t endpoint, void *bytes, uint32_t len)
{
    return usb_guest_move(disk->id, (UsbTransfer){.type = USB_BULK, .endpoint = endpoint}, bytes, len);
}

/* BOT, 5.1 and 5.2: a command, its data, its status. Returns the bytes of data, or -1. */
static int
command(Disk *disk, const uint8_t *cdb, uint8_t cdb_len, void *data, uint32_t len)
{
    uint8_t wrapper[31] = {'U', 'S', 'B', 'C'}, status[13];

    disk->tag++;
    memcpy(wrapper + 4, &disk->tag, 4);
    memcpy(wrapper + 8, &len, 4);
    wrapper[12] = USB_DIR_IN;
    wrapper[14] = cdb_len;
    memcpy(wrapper + 15, cdb, cdb_len);
    if (bulk(disk, disk->out, wrapper, sizeof wrapper) != sizeof wrapper)
        return -1;
    int n = len ? bulk(disk, disk->in, data, len) : 0;
    if (n < 0 || bulk(disk, disk->in, status, sizeof status) != sizeof status)
        return -1;
    return status[12] == 0 && !memcmp(status + 4, &disk->tag, 4) ? n : -1;
}

static uint32_t
big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Finds the bulk endpoints, and chooses the first configuration. */
static const char *
configure(Disk *disk)
{
    uint8_t bytes[256];
    int len = usb_guest_control(disk->id, USB_DIR_IN, USB_REQ_GET_DESCRIPTOR, USB_DT_CONFIG << 8, bytes, sizeof bytes);

    for (int at = 0; at + 4 < len && bytes[at]; at += bytes[at])
        if (bytes[at + 1] == USB_DT_ENDPOINT && (bytes[at + 3] & 3) == USB_BULK)
            *(bytes[at + 2] & USB_DIR_IN ? &disk->in : &disk->out) = bytes[at + 2];
    if (!disk->in || !disk->out)
        return "no bulk endpoints";
    return usb_guest_control(disk->id, USB_DIR_OUT, USB_REQ_SET_CONFIGURATION, bytes[5], NULL, 0) < 0 ? "not configured"
                                                                                                      : NULL;
}

static const char *
read_all(Disk *disk, GChecksum *sum, uint64_t *total)
{
    static const uint8_t ready[6] = {0}, capacity[10] = {0x25};
    g_autofree uint8_t *bytes = g_malloc(CHUNK);
    uint8_t answer[8];

    for (int i = 0; i < 5 && command(disk, ready, sizeof ready, NULL, 0) < 0; i++)
        command(disk, (const uint8_t[6]){0x03, 0, 0, 0, 18}, 6, bytes, 18); /* it says that its medium is new */
    if (command(disk, capacity, sizeof capacity, answer, sizeof answer) != sizeof answer)
        return "no capacity";
    uint32_t blocks = big_endian(answer) + 1, size = big_endian(answer + 4);
    if (size != 512 && size != 2048)
        return "blocks of an odd size";
    for (uint32_t at = 0; at < blocks; at += CHUNK / size) {
        uint32_t n = MIN(CHUNK / size, blocks - at);
        const uint8_t cdb[10] = {0x28, 0, at >> 24, at >> 16, at >> 8, at, 0, n >> 8, n};
        if (command(disk, cdb, sizeof cdb, bytes, n * size) != (int)(n * size))
            return "not read";
        g_checksum_update(sum, bytes, n * size);
        *total += n * size;
    }
    return NULL;
}

static void
say_result(const char *wrong, const GChecksum *sum, uint64_t total)
{
    if (wrong)
        printf("usb failed: %s\n", wrong);
    else
        printf("usb read %" G_GUINT64_FORMAT " %s\n", total, g_checksum_get_string((GChecksum *)sum));
    fflush(stdout);
}

static gpointer
work(gpointer data)
{
    Disk *disk = data;
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    uint64_t total = 0;
    const char *wrong = configure(disk);

    for (unsigned i = 0; i < disk->repeat && !wrong; i++)
        wrong = read_all(disk, sum, &total);
    say_result(wrong, sum, total);
    g_checksum_free(sum);
    g_free(disk->id);
    g_free(disk);
    return NULL;
}

void
usb_guest_read_disk(const char *id, unsigned repeat)
{
    Disk *disk = g_new0(Disk, 1);

    disk->id = g_strdup(id);
    disk->repeat = repeat;
    g_thread_unref(g_thread_new("driver", work, disk));
}
