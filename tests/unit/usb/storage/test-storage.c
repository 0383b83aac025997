/* SPDX-License-Identifier: Apache-2.0 */
/* Disks and CD-ROM drives on USB as a guest's driver sees them: commands through the controller, data from real files. */
#include "host.h"
#include "usb/storage/storage.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define IMAGE_BLOCKS 64 /* of 2048 bytes */

typedef struct {
    Host host;
    IoThread *thread;
    UsbDevice *device;
    unsigned slot;
    uint64_t cbw, csw, data;
    uint32_t tag;
} Drive;

/* An image whose every byte says where it is; a CD's has a volume descriptor. */
static int
image(bool disc)
{
    g_autofree char *name = NULL;
    int fd = g_file_open_tmp("carrel-image-XXXXXX", &name, NULL);
    uint8_t *bytes = g_malloc(IMAGE_BLOCKS * 2048);

    g_assert_cmpint(fd, >=, 0);
    unlink(name);
    for (unsigned i = 0; i < IMAGE_BLOCKS * 2048; i++)
        bytes[i] = i / 2048 + i % 251;
    if (disc)
        memcpy(bytes + 16 * 2048, "\1CD001\1", 7);
    g_assert_cmpint(write(fd, bytes, IMAGE_BLOCKS * 2048), ==, IMAGE_BLOCKS * 2048);
    g_free(bytes);
    return fd;
}

static Medium *
medium(Drive *drive, bool cd)
{
    g_autoptr(GError) error = NULL;
    Medium *made = medium_new(image(cd), "image", cd, cd, drive->thread, &error);
    g_assert_no_error(error);
    return made;
}

static void
plug_in(Drive *drive)
{
    Host *host = &drive->host;

    g_assert_true(usb_bus_attach(host->bus, drive->device, NULL, USB_PORT_ANY, NULL, NULL));
    host_pump(host);
    host_reset_port(host, 1);
    drive->slot = host_address(host, 1, 0);
    g_assert_cmpuint(host_configure(host, drive->slot, 3, EP_TYPE_BULK_IN, 512, 0), ==, CC_SUCCESS);
    g_assert_cmpuint(host_configure(host, drive->slot, 4, EP_TYPE_BULK_OUT, 512, 0), ==, CC_SUCCESS);
    g_assert_cmpuint(host_control(host, drive->slot, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0, NULL), ==,
                     CC_SUCCESS);
}

static void
drive_init(Drive *drive, bool cd, bool loaded)
{
    Host *host = &drive->host;
    g_autoptr(GError) error = NULL;

    *drive = (Drive){.tag = 0x1234};
    host_init(host, 4);
    host_start(host);
    drive->thread = io_thread_new("io", &error);
    g_assert_no_error(error);
    drive->device = usb_storage_new(cd ? "cd0" : "disk0", cd, loaded ? medium(drive, cd) : NULL, NULL);
    plug_in(drive);
    drive->cbw = host_alloc(host, 4096);
    drive->csw = host_alloc(host, 4096);
    drive->data = host_alloc(host, 0x20000);
}

static void
drive_finish(Drive *drive)
{
    while (usb_bus_held(drive->host.bus))
        g_main_context_iteration(NULL, TRUE);
    host_finish(&drive->host);
    io_thread_free(drive->thread);
}

/* The next transfer event; waits for the I/O thread. Returns the completion code, *@left: bytes not moved. */
static unsigned
outcome(Drive *drive, uint32_t *left)
{
    XhciTrb event;

    for (;;) {
        if (!host_event(&drive->host, &event)) {
            g_main_context_iteration(NULL, TRUE);
            continue;
        }
        if (xhci_trb_type(&event) != TRB_TRANSFER_EVENT)
            continue;
        if (left)
            *left = event.status & 0xffffff;
        return event_code(&event);
    }
}

static void
send_cbw(Drive *drive, uint32_t expected, bool in, const uint8_t *command, unsigned len)
{
    uint8_t cbw[31] = {0x55, 0x53, 0x42, 0x43};

    drive->tag++;
    memcpy(cbw + 4, &drive->tag, 4);
    memcpy(cbw + 8, &expected, 4);
    cbw[12] = in ? 0x80 : 0;
    cbw[14] = len;
    memcpy(cbw + 15, command, len);
    memcpy(host_at(&drive->host, drive->cbw), cbw, 31);
    host_normal(&drive->host, drive->slot, 4, drive->cbw, 31);
    g_assert_cmpuint(outcome(drive, NULL), ==, CC_SUCCESS);
}

/* Asks for the status; returns it, *@residue as it says. */
static unsigned
status(Drive *drive, uint32_t *residue)
{
    const uint8_t *csw = host_at(&drive->host, drive->csw);

    host_normal(&drive->host, drive->slot, 3, drive->csw, 13);
    g_assert_cmpuint(outcome(drive, NULL), ==, CC_SUCCESS);
    g_assert_cmpmem(csw, 4, "USBS", 4);
    g_assert_cmpmem(csw + 4, 4, &drive->tag, 4);
    if (residue)
        memcpy(residue, csw + 8, 4);
    return csw[12];
}

/* A whole command with data in; returns its status. *@moved: bytes that came. */
static unsigned
command_in(Drive *drive, uint32_t expected, const uint8_t *command, unsigned len, uint32_t *moved)
{
    uint32_t left = 0, residue;

    send_cbw(drive, expected, true, command, len);
    if (expected) {
        host_normal(&drive->host, drive->slot, 3, drive->data, expected);
        outcome(drive, &left);
    }
    unsigned result = status(drive, &residue);
    g_assert_cmpuint(residue, ==, left);
    if (moved)
        *moved = expected - left;
    return result;
}
#define COMMAND_IN(drive, expected, moved, ...) \
    command_in(drive, expected, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), moved)

static void
assert_pattern(Drive *drive, unsigned block, unsigned len)
{
    const uint8_t *data = host_at(&drive->host, drive->data);
    for (unsigned i = 0; i < len; i++)
        g_assert_cmpuint(data[i], ==, (uint8_t)((block * 2048 + i) / 2048 + (block * 2048 + i) % 251));
}

static void
test_read(void)
{
    Drive drive;
    uint32_t moved;

    drive_init(&drive, true, true);
    g_assert_cmpuint(COMMAND_IN(&drive, 36, &moved, 0x12, 0, 0, 0, 36, 0), ==, 0);
    g_assert_cmpuint(moved, ==, 36);
    g_assert_cmpuint(COMMAND_IN(&drive, 0, NULL, 0), ==, 0);
    g_assert_cmpuint(COMMAND_IN(&drive, 8192, &moved, 0x28, 0, 0, 0, 0, 20, 0, 0, 4, 0), ==, 0);
    g_assert_cmpuint(moved, ==, 8192);
    assert_pattern(&drive, 20, 8192);
    /* more room than data: a short packet ends it */
    g_assert_cmpuint(COMMAND_IN(&drive, 255, &moved, 0x12, 0, 0, 0, 255, 0), ==, 0);
    g_assert_cmpuint(moved, ==, 36);
    g_assert_cmpuint(COMMAND_IN(&drive, 8192, &moved, 0x28, 0, 0, 0, 0, 20, 0, 0, 2, 0), ==, 0);
    g_assert_cmpuint(moved, ==, 4096);
    /* a command that fails: nothing comes, the status says so, the sense says why */
    g_assert_cmpuint(COMMAND_IN(&drive, 2048, &moved, 0x28, 0, 0, 1, 0, 0, 0, 0, 1, 0), ==, 1);
    g_assert_cmpuint(moved, ==, 0);
    g_assert_cmpuint(COMMAND_IN(&drive, 18, &moved, 3, 0, 0, 0, 18, 0), ==, 0);
    g_assert_cmphex(((uint8_t *)host_at(&drive.host, drive.data))[12], ==, 0x21);
    /* less room than the medium's data, or the other way: phase errors (BOT 6.7.2, 6.7.3) */
    g_assert_cmpuint(COMMAND_IN(&drive, 2048, NULL, 0x28, 0, 0, 0, 0, 20, 0, 0, 4, 0), ==, 2);
    g_assert_cmpuint(COMMAND_IN(&drive, 0, NULL, 0x28, 0, 0, 0, 0, 20, 0, 0, 4, 0), ==, 2);
    drive_finish(&drive);
}

static void
test_read_in_pieces(void)
{
    Drive drive;
    uint32_t left;

    drive_init(&drive, true, true);
    send_cbw(&drive, 16384, true, (const uint8_t[]){0x28, 0, 0, 0, 0, 30, 0, 0, 8, 0}, 10);
    for (unsigned i = 0; i < 8; i++) { /* pieces that are no blocks */
        host_normal(&drive.host, drive.slot, 3, drive.data + i * 2048, i == 7 ? 2048 : i % 2 ? 2049 : 2047);
        g_assert_cmpuint(outcome(&drive, &left), ==, CC_SUCCESS);
        g_assert_cmpuint(left, ==, 0);
        if (i == 6) {
            host_normal(&drive.host, drive.slot, 3, drive.data + 6 * 2048 + 2047, 1);
            outcome(&drive, NULL);
        }
    }
    g_assert_cmpuint(status(&drive, NULL), ==, 0);
    drive_finish(&drive);
}

static void
test_write(void)
{
    Drive drive;
    uint32_t left;

    drive_init(&drive, false, true);
    memset(host_at(&drive.host, drive.data), 0xa5, 1024);
    send_cbw(&drive, 1024, false, (const uint8_t[]){0x2a, 0, 0, 0, 0, 7, 0, 0, 2, 0}, 10);
    host_normal(&drive.host, drive.slot, 4, drive.data, 1024);
    g_assert_cmpuint(outcome(&drive, &left), ==, CC_SUCCESS);
    g_assert_cmpuint(status(&drive, NULL), ==, 0);
    g_assert_cmpuint(COMMAND_IN(&drive, 0, NULL, 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0), ==, 0);
    memset(host_at(&drive.host, drive.data), 0, 2048);
    g_assert_cmpuint(COMMAND_IN(&drive, 2048, NULL, 0x28, 0, 0, 0, 0, 6, 0, 0, 4, 0), ==, 0);
    const uint8_t *data = host_at(&drive.host, drive.data);
    g_assert_true(data[511] != 0xa5 && data[512] == 0xa5 && data[1535] == 0xa5 && data[1536] != 0xa5);
    /* the host brings more than the command writes: it is taken, and the residue tells (BOT 6.7.3, case 11) */
    send_cbw(&drive, 1536, false, (const uint8_t[]){0x2a, 0, 0, 0, 0, 7, 0, 0, 2, 0}, 10);
    host_normal(&drive.host, drive.slot, 4, drive.data, 1536);
    g_assert_cmpuint(outcome(&drive, &left), ==, CC_SUCCESS);
    g_assert_cmpuint(left, ==, 0);
    g_assert_cmpuint(status(&drive, &left), ==, 0);
    g_assert_cmpuint(left, ==, 512);
    /* what nobody wants is taken all the same */
    send_cbw(&drive, 1024, false, (const uint8_t[]){0x2a, 0, 0xff, 0, 0, 7, 0, 0, 2, 0}, 10);
    host_normal(&drive.host, drive.slot, 4, drive.data, 1024);
    g_assert_cmpuint(outcome(&drive, &left), ==, CC_SUCCESS);
    g_assert_cmpuint(status(&drive, &left), ==, 1);
    g_assert_cmpuint(left, ==, 1024);
    drive_finish(&drive);
}

/* A command with data out; returns its status. *@stable: the drive was still at work when it had its data. */
static unsigned
command_out(Drive *drive, uint32_t len, bool *stable, const uint8_t *command, unsigned command_len)
{
    send_cbw(drive, len, false, command, command_len);
    host_normal(&drive->host, drive->slot, 4, drive->data, len);
    g_assert_cmpuint(outcome(drive, NULL), ==, CC_SUCCESS);
    *stable = usb_storage_is_busy(drive->device);
    return status(drive, NULL);
}
#define COMMAND_OUT(drive, len, stable, ...) \
    command_out(drive, len, stable, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Writes with FUA, and all of them while the write cache is off, end when they are on stable storage. */
static void
test_stable(void)
{
    Drive drive;
    bool stable;

    drive_init(&drive, false, true);
    uint8_t *data = host_at(&drive.host, drive.data);
    g_assert_cmpuint(COMMAND_OUT(&drive, 1024, &stable, 0x2a, 0, 0, 0, 0, 7, 0, 0, 2, 0), ==, 0);
    g_assert_false(stable);
    memset(data, 0x5a, 1024);
    g_assert_cmpuint(COMMAND_OUT(&drive, 1024, &stable, 0x2a, 8, 0, 0, 0, 7, 0, 0, 2, 0), ==, 0);
    g_assert_true(stable);
    /* what was written before goes there too before it is read so */
    send_cbw(&drive, 1024, true, (const uint8_t[]){0x28, 8, 0, 0, 0, 7, 0, 0, 2, 0}, 10);
    g_assert_true(usb_storage_is_busy(drive.device));
    memset(data, 0, 1024);
    host_normal(&drive.host, drive.slot, 3, drive.data, 1024);
    g_assert_cmpuint(outcome(&drive, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(status(&drive, NULL), ==, 0);
    g_assert_true(data[0] == 0x5a && data[1023] == 0x5a);

    memcpy(data, "\0\0\0\0\x08\x12\0", 7);
    g_assert_cmpuint(COMMAND_OUT(&drive, 24, &stable, 0x15, 0x10, 0, 0, 24, 0), ==, 0);
    g_assert_true(stable); /* the cache is emptied as it goes */
    g_assert_cmpuint(COMMAND_OUT(&drive, 1024, &stable, 0x2a, 0, 0, 0, 0, 7, 0, 0, 2, 0), ==, 0);
    g_assert_true(stable);
    g_assert_cmpuint(COMMAND_IN(&drive, 24, NULL, 0x1a, 0, 8, 0, 24, 0), ==, 0);
    g_assert_true(data[4] == 8 && data[6] == 0);
    memcpy(data, "\0\0\0\0\x08\x12\4", 7);
    g_assert_cmpuint(COMMAND_OUT(&drive, 24, &stable, 0x15, 0x10, 0, 0, 24, 0), ==, 0);
    g_assert_false(stable);
    g_assert_cmpuint(COMMAND_OUT(&drive, 1024, &stable, 0x2a, 0, 0, 0, 0, 7, 0, 0, 2, 0), ==, 0);
    g_assert_false(stable);
    drive_finish(&drive);
}

static void
mend(Drive *drive, unsigned index)
{
    Host *host = &drive->host;
    uint32_t where = drive->slot << 24 | index << 16;

    host_command(host, 0, 0, HOST_TYPE(TRB_RESET_ENDPOINT) | where, NULL);
    g_assert_cmpuint(host_command(host, host->rings[index].at | host->rings[index].cycle, 0,
                                  HOST_TYPE(TRB_SET_TR_DEQUEUE) | where, NULL),
                     ==, CC_SUCCESS);
}

static void
test_no_command(void)
{
    Drive drive;
    Host *host = &drive.host;
    uint8_t *cbw;

    drive_init(&drive, true, true);
    cbw = host_at(host, drive.cbw);
    for (unsigned i = 0; i < 5; i++) {
        memset(cbw, 0, 64);
        memcpy(cbw, "USBC", 4);
        cbw[14] = 6;
        if (i == 0)
            cbw[0] = 'X';
        else if (i == 1)
            cbw[13] = 1; /* a LUN that there is not */
        else if (i == 2)
            cbw[14] = 0;
        else if (i == 3)
            cbw[14] = 17;
        host_normal(host, drive.slot, 4, drive.cbw, i == 4 ? 30 : 31);
        g_assert_cmpuint(outcome(&drive, NULL), ==, CC_STALL);
        /* both stay halted, whatever is cleared, until the reset (BOT 6.6.1, 5.3.4) */
        host_normal(host, drive.slot, 3, drive.csw, 13);
        g_assert_cmpuint(outcome(&drive, NULL), ==, CC_STALL);
        mend(&drive, 4);
        g_assert_cmpuint(host_control(host, drive.slot, 2, USB_REQ_CLEAR_FEATURE, 0, 2, NULL, 0, NULL), ==, CC_SUCCESS);
        host_normal(host, drive.slot, 4, drive.cbw, 31);
        g_assert_cmpuint(outcome(&drive, NULL), ==, CC_STALL);
        g_assert_cmpuint(host_control(host, drive.slot, 0x21, 0xff, 0, 0, NULL, 0, NULL), ==, CC_SUCCESS);
        mend(&drive, 4);
        mend(&drive, 3);
        g_assert_cmpuint(host_control(host, drive.slot, 2, USB_REQ_CLEAR_FEATURE, 0, 2, NULL, 0, NULL), ==, CC_SUCCESS);
        g_assert_cmpuint(host_control(host, drive.slot, 2, USB_REQ_CLEAR_FEATURE, 0, 0x81, NULL, 0, NULL), ==,
                         CC_SUCCESS);
        g_assert_cmpuint(COMMAND_IN(&drive, 0, NULL, 0), ==, 0);
    }
    uint8_t last = 9;
    g_assert_cmpuint(host_control(host, drive.slot, 0xa1, 0xfe, 0, 0, &last, 1, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(last, ==, 0);
    drive_finish(&drive);
}

static void
test_media(void)
{
    Drive drive;
    g_autoptr(GError) error = NULL;

    drive_init(&drive, true, false);
    g_assert_null(usb_storage_medium(drive.device));
    g_assert_cmpuint(COMMAND_IN(&drive, 0, NULL, 0), ==, 1);
    g_assert_false(usb_storage_eject(drive.device, false, &error));
    g_clear_error(&error);
    g_assert_true(usb_storage_insert(drive.device, medium(&drive, true), &error));
    g_assert_false(usb_storage_insert(drive.device, medium(&drive, true), &error)); /* full */
    g_clear_error(&error);
    g_assert_cmpuint(COMMAND_IN(&drive, 0, NULL, 0), ==, 1); /* there is news … */
    g_assert_cmpuint(COMMAND_IN(&drive, 0, NULL, 0), ==, 0); /* … told once */
    g_assert_cmpuint(COMMAND_IN(&drive, 0, NULL, 0x1e, 0, 0, 0, 1, 0), ==, 0);
    g_assert_false(usb_storage_eject(drive.device, false, &error)); /* locked by the guest */
    g_assert_nonnull(strstr(error->message, "locked"));
    g_clear_error(&error);
    g_assert_true(usb_storage_eject(drive.device, true, &error));
    g_assert_cmpuint(COMMAND_IN(&drive, 0, NULL, 0), ==, 1);
    g_assert_true(usb_storage_insert(drive.device, medium(&drive, true), &error));
    g_assert_cmpuint(COMMAND_IN(&drive, 0, NULL, 0x1b, 0, 0, 0, 2, 0), ==, 0); /* the guest takes it out */
    g_assert_null(usb_storage_medium(drive.device));
    drive_finish(&drive);
}

/* Another disc in the middle of a command is none of what was asked for. */
static void
test_exchanged(void)
{
    Drive drive;
    uint32_t left;

    drive_init(&drive, true, true);
    send_cbw(&drive, 4096, true, (const uint8_t[]){0x28, 0, 0, 0, 0, 30, 0, 0, 2, 0}, 10);
    host_normal(&drive.host, drive.slot, 3, drive.data, 2048);
    g_assert_cmpuint(outcome(&drive, &left), ==, CC_SUCCESS);
    g_assert_true(usb_storage_eject(drive.device, true, NULL));
    g_assert_true(usb_storage_insert(drive.device, medium(&drive, true), NULL));
    host_normal(&drive.host, drive.slot, 3, drive.data, 2048);
    g_assert_cmpuint(outcome(&drive, &left), ==, CC_SHORT_PACKET);
    g_assert_cmpuint(left, ==, 2048);
    g_assert_cmpuint(status(&drive, NULL), ==, 1);
    drive_finish(&drive);
}

static void
hold_up(void *gate)
{
    g_mutex_lock(gate);
    g_mutex_unlock(gate);
}

/* A write that fails after the guest has reset the drive: nobody hears of it, and the next command is a command. */
static void
test_reset_and_failed(void)
{
    Drive drive;
    GMutex gate;
    g_autoptr(GError) error = NULL;

    drive_init(&drive, true, false);
    usb_bus_detach(drive.host.bus, drive.device, NULL);
    usb_device_free(drive.device);
    int fd = memfd_create("image", MFD_ALLOW_SEALING);
    g_assert_cmpint(ftruncate(fd, IMAGE_BLOCKS * 2048), ==, 0);
    g_assert_cmpint(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), ==, 0);
    Medium *sealed = medium_new(fd, "sealed", false, false, drive.thread, &error);
    g_assert_no_error(error);
    drive.device = usb_storage_new("disk0", false, sealed, NULL);
    plug_in(&drive);

    send_cbw(&drive, 1024, false, (const uint8_t[]){0x2a, 0, 0, 0, 0, 7, 0, 0, 2, 0}, 10);
    g_mutex_init(&gate);
    g_mutex_lock(&gate);
    io_thread_post(drive.thread, hold_up, &gate);
    host_normal(&drive.host, drive.slot, 4, drive.data, 1024);
    g_assert_cmpuint(host_control(&drive.host, drive.slot, 0x21, 0xff, 0, 0, NULL, 0, NULL), ==, CC_SUCCESS);
    g_mutex_unlock(&gate);
    g_assert_cmpuint(outcome(&drive, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(COMMAND_IN(&drive, 0, NULL, 0), ==, 0);
    /* and one that fails while it is asked for */
    send_cbw(&drive, 1024, false, (const uint8_t[]){0x2a, 0, 0, 0, 0, 7, 0, 0, 2, 0}, 10);
    host_normal(&drive.host, drive.slot, 4, drive.data, 1024);
    g_assert_cmpuint(outcome(&drive, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(status(&drive, NULL), ==, 1);
    g_mutex_clear(&gate);
    drive_finish(&drive);
}

static void
test_no_disc(void)
{
    Drive drive;
    g_autoptr(GError) error = NULL;

    drive_init(&drive, true, false);
    g_assert_null(medium_new(image(false), "/srv/a.iso", true, true, drive.thread, &error));
    g_assert_error(error, USB_ERROR, USB_ERROR_MEDIUM);
    g_assert_nonnull(strstr(error->message, "/srv/a.iso"));
    drive_finish(&drive);
}

/* A reset and a pause with reads under way: the machine rests only once the image is let go. */
static void
test_stopped_in_flight(void)
{
    Drive drive;
    Host *host = &drive.host;

    drive_init(&drive, true, true);
    for (unsigned i = 0; i < 20; i++) {
        send_cbw(&drive, 65536, true, (const uint8_t[]){0x28, 0, 0, 0, 0, 17, 0, 0, 32, 0}, 10);
        host_ring_add(host, &host->rings[3], drive.data, 65536, HOST_TYPE(TRB_NORMAL) | TRB_IOC | TRB_ISP);
        host_put(host, XHCI_DOORBELLS + 4 * drive.slot, 3);
        g_main_context_iteration(NULL, FALSE);
        host_ring_add(host, &host->commands, 0, 0, HOST_TYPE(TRB_STOP_ENDPOINT) | drive.slot << 24 | 3 << 16);
        host_put(host, XHCI_DOORBELLS, 0);
        g_main_context_iteration(NULL, FALSE);
        while (usb_bus_held(host->bus))
            g_main_context_iteration(NULL, TRUE);
        host_pump(host);
        /* on from where it was */
        host_doorbell(host, drive.slot, 3);
        while (usb_bus_held(host->bus))
            g_main_context_iteration(NULL, TRUE);
        host_pump(host);
        XhciTrb event;
        while (host_event(host, &event))
            continue;
        assert_pattern(&drive, 17, 65536);
        g_assert_cmpuint(status(&drive, NULL), ==, 0);
    }
    drive_finish(&drive);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/storage/read", test_read);
    g_test_add_func("/storage/read-in-pieces", test_read_in_pieces);
    g_test_add_func("/storage/write", test_write);
    g_test_add_func("/storage/stable", test_stable);
    g_test_add_func("/storage/no-command", test_no_command);
    g_test_add_func("/storage/media", test_media);
    g_test_add_func("/storage/exchanged", test_exchanged);
    g_test_add_func("/storage/reset-and-failed", test_reset_and_failed);
    g_test_add_func("/storage/no-disc", test_no_disc);
    g_test_add_func("/storage/stopped-in-flight", test_stopped_in_flight);
    return g_test_run();
}
