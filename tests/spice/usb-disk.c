/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/spice/usb-disk.h"

#include "usb/redirect/redirect.h"
#include "vmm/board/loop_thread.h"

#include <stdio.h>
#include <string.h>

#define CHUNK_BLOCKS 32 /* of 2048 bytes: 64 KiB, as Linux reads a CD */

static struct {
    LoopThread *thread;
    UsbBus *bus;
    UsbPolicy *policy;
    UsbRedirect *redirect;
} app;

typedef struct {
    char *id;
    unsigned repeat;
    uint8_t in, out; /* bulk endpoints */
    uint32_t tag;
} Disk;

/* --- transfers, from a thread that may wait --------------------------------------------------------------------- */

typedef struct {
    UsbTransfer transfer;
    struct iovec iov;
    const char *id;
    GMutex lock;
    GCond changed;
    bool done;
} Wait;

static void
on_done(UsbTransfer *transfer)
{
    Wait *wait = (Wait *)transfer;

    g_mutex_lock(&wait->lock);
    wait->done = true;
    g_cond_signal(&wait->changed);
    g_mutex_unlock(&wait->lock);
}

static void
submit(void *data)
{
    Wait *wait = data;
    UsbDevice *device = usb_bus_find(app.bus, wait->id);

    if (device) {
        wait->transfer.device = device;
        device->ops->submit(device, &wait->transfer);
        return;
    }
    wait->transfer.status = USB_GONE;
    on_done(&wait->transfer);
}

/* Returns the bytes moved, or -1. */
static int
carry_out(const Disk *disk, UsbTransfer transfer, void *bytes, uint32_t len)
{
    Wait wait = {.transfer = transfer, .iov = {bytes, len}, .id = disk->id};

    wait.transfer.iov = &wait.iov;
    wait.transfer.n_iov = len ? 1 : 0;
    wait.transfer.length = len;
    wait.transfer.done = on_done;
    g_mutex_init(&wait.lock);
    g_cond_init(&wait.changed);
    usb_bus_post(app.bus, submit, &wait);
    g_mutex_lock(&wait.lock);
    while (!wait.done)
        g_cond_wait(&wait.changed, &wait.lock);
    g_mutex_unlock(&wait.lock);
    g_mutex_clear(&wait.lock);
    g_cond_clear(&wait.changed);
    return wait.transfer.status == USB_OK ? (int)wait.transfer.actual : -1;
}

static int
control(const Disk *disk, uint8_t type, uint8_t request, uint16_t value, void *bytes, uint16_t len)
{
    UsbTransfer transfer = {.type = USB_CONTROL, .setup = {type, request, value, 0, len}};

    return carry_out(disk, transfer, bytes, len);
}

static int
bulk(const Disk *disk, uint8_t endpoint, void *bytes, uint32_t len)
{
    return carry_out(disk, (UsbTransfer){.type = USB_BULK, .endpoint = endpoint}, bytes, len);
}

/* --- the driver ------------------------------------------------------------------------------------------------- */

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
    int len = control(disk, USB_DIR_IN, USB_REQ_GET_DESCRIPTOR, USB_DT_CONFIG << 8, bytes, sizeof bytes);

    for (int at = 0; at + 4 < len && bytes[at]; at += bytes[at])
        if (bytes[at + 1] == USB_DT_ENDPOINT && (bytes[at + 3] & 3) == USB_BULK)
            *(bytes[at + 2] & USB_DIR_IN ? &disk->in : &disk->out) = bytes[at + 2];
    if (!disk->in || !disk->out)
        return "no bulk endpoints";
    return control(disk, USB_DIR_OUT, USB_REQ_SET_CONFIGURATION, bytes[5], NULL, 0) < 0 ? "not configured" : NULL;
}

static const char *
read_all(Disk *disk, GChecksum *sum, uint64_t *total)
{
    static const uint8_t ready[6] = {0}, capacity[10] = {0x25};
    g_autofree uint8_t *bytes = g_malloc(CHUNK_BLOCKS * 2048);
    uint8_t answer[8];

    for (int i = 0; i < 5 && command(disk, ready, sizeof ready, NULL, 0) < 0; i++)
        command(disk, (const uint8_t[6]){0x03, 0, 0, 0, 18}, 6, bytes, 18); /* it says that its medium is new */
    if (command(disk, capacity, sizeof capacity, answer, sizeof answer) != sizeof answer)
        return "no capacity";
    uint32_t blocks = big_endian(answer) + 1, size = big_endian(answer + 4);
    for (uint32_t at = 0; at < blocks; at += CHUNK_BLOCKS) {
        uint32_t n = MIN(CHUNK_BLOCKS, blocks - at);
        const uint8_t cdb[10] = {0x28, 0, at >> 24, at >> 16, at >> 8, at, 0, n >> 8, n};
        if (size != 2048 || command(disk, cdb, sizeof cdb, bytes, n * size) != (int)(n * size))
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
usb_disk_read(const char *id, unsigned repeat)
{
    Disk *disk = g_new0(Disk, 1);

    disk->id = g_strdup(id);
    disk->repeat = repeat;
    g_thread_unref(g_thread_new("driver", work, disk));
}

/* --- the bus ---------------------------------------------------------------------------------------------------- */

static void
on_change(void *user, UsbChange change, const UsbDevice *device, const char *reason)
{
    static const char *const names[] = {
        [USB_ATTACHED] = "attached", [USB_DETACHED] = "detached", [USB_REFUSED] = "refused"};

    printf("usb %s %s: %s\n", names[change], device ? device->id : "-", reason);
    fflush(stdout);
}

static void
no_device(void *controller, UsbDevice *device)
{
}

static void
nothing(void *controller)
{
}

static const UsbControllerOps no_controller = {no_device, no_device, no_device, no_device, no_device, nothing};

void
usb_disk_start(SpiceDisplay *display, unsigned n_channels, const char *rules)
{
    g_autoptr(GError) error = NULL;

    app.thread = loop_thread_new("usb", NULL, NULL);
    app.bus = usb_bus_new(loop_thread_context(app.thread), 8);
    usb_bus_set_lock(app.bus, loop_thread_lock(app.thread));
    usb_bus_set_controller(app.bus, &no_controller, NULL);
    usb_bus_listen(app.bus, on_change, NULL);
    app.policy = usb_policy_new(rules ? rules : USB_POLICY_ALL, &error);
    if (!app.policy)
        g_error("%s", error->message);
    app.redirect = usb_redirect_new(spice_display_server(display), app.bus, app.policy, n_channels);
}

void
usb_disk_stop(void)
{
    if (!app.thread)
        return;
    usb_redirect_free(app.redirect);
    loop_thread_free(app.thread);
    usb_bus_free(app.bus);
    usb_policy_free(app.policy);
}
