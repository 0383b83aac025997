/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file says of the controller and all that is plugged in is input like any other: bytes of a good one are changed at
 * random, and what is not refused goes on with a guest that rings every doorbell.
 */
#include "host.h"
#include "usb/hid/hid.h"
#include "usb/hub/hub.h"
#include "usb/storage/storage.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHANGED_FILES 150
#define IMAGE_BYTES (128 * 1024)

typedef struct {
    Host host;
    IoThread *thread; /* the test's */
} Machine;

static void
plug(Machine *machine, UsbDevice *device, UsbDevice *hub)
{
    g_assert_true(usb_bus_attach(machine->host.bus, device, hub, USB_PORT_ANY, NULL, NULL));
}

/* A disk in port 1, keyboard and tablet, and a hub with another tablet. */
static void
machine_init(Machine *machine, IoThread *thread)
{
    g_autoptr(GError) error = NULL;
    int image = memfd_create("image", MFD_CLOEXEC);
    UsbDevice *hub = usb_hub_new("hub", 4);

    machine->thread = thread;
    host_init(&machine->host, 4);
    g_assert_cmpint(ftruncate(image, IMAGE_BYTES), ==, 0);
    Medium *medium = medium_new(image, "image", false, false, thread, &error);
    g_assert_no_error(error);
    plug(machine, usb_storage_new("disk", false, medium, NULL), NULL);
    plug(machine, usb_keyboard_new("keyboard", machine->host.clock), NULL);
    plug(machine, usb_tablet_new("tablet"), NULL);
    plug(machine, hub, NULL);
    plug(machine, usb_tablet_new("tablet behind"), hub);
    host_pump(&machine->host);
}

/* The image is read for the thread that would wait for it: this one. */
static void
let_reads_end(Machine *machine)
{
    while (usb_bus_held(machine->host.bus))
        g_main_context_iteration(NULL, TRUE);
}

static void
machine_finish(Machine *machine)
{
    let_reads_end(machine);
    host_finish(&machine->host);
}

/* A command of the disk's stands in the middle of its data, and the keyboard waits for a key. */
static void
work(Machine *machine)
{
    static const uint8_t cbw[31] = {0x55, 0x53, 0x42, 0x43, 1, 0, 0, 0, 0, 0x20, 0, 0,
                                    0x80, 0,    10,   0x28, 0, 0, 0, 0, 0, 0,    0, 0x10};
    Host *host = &machine->host;
    uint64_t data = host_alloc(host, 0x2000);

    host_start(host);
    host_reset_port(host, 2);
    unsigned keyboard = host_address(host, 2, 0);
    g_assert_cmpuint(host_configure(host, keyboard, 3, EP_TYPE_INTERRUPT_IN, 8, 6), ==, CC_SUCCESS);
    g_assert_cmpuint(host_control(host, keyboard, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0, NULL), ==, CC_SUCCESS);
    host_normal(host, keyboard, 3, data, 8);

    host_reset_port(host, 1);
    unsigned disk = host_address(host, 1, 0);
    g_assert_cmpuint(host_configure(host, disk, 3, EP_TYPE_BULK_IN, 512, 0), ==, CC_SUCCESS);
    g_assert_cmpuint(host_configure(host, disk, 4, EP_TYPE_BULK_OUT, 512, 0), ==, CC_SUCCESS);
    g_assert_cmpuint(host_control(host, disk, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0, NULL), ==, CC_SUCCESS);
    memcpy(host_at(host, data), cbw, sizeof(cbw));
    host_normal(host, disk, 4, data, sizeof(cbw));
    host_normal(host, disk, 3, data + 0x1000, 2048);
    let_reads_end(machine);
    xhci_device_ops.quiesce(host->xhci);
}

static void
change(GRand *random, uint8_t *bytes, guint len)
{
    static const uint8_t usual[] = {0, 1, 0x7f, 0x80, 0xff};

    for (int n = g_rand_int_range(random, 1, 4); n; n--) {
        uint8_t *at = &bytes[g_rand_int_range(random, 0, (gint32)len)];
        if (g_rand_boolean(random))
            *at = usual[g_rand_int_range(random, 0, G_N_ELEMENTS(usual))];
        else
            *at ^= 1 << g_rand_int_range(random, 0, 8);
    }
}

static void
ring_everything(Host *host)
{
    xhci_device_ops.resume(host->xhci);
    for (unsigned slot = 0; slot <= 3; slot++)
        for (unsigned target = !!slot; target < (slot ? 6 : 1); target++)
            host_put(host, XHCI_DOORBELLS + 4 * slot, target);
    for (unsigned i = 0; i < 50; i++) /* a ring without end is one of the things that may come out */
        g_main_context_iteration(NULL, FALSE);
}

static void
test_changed(void)
{
    g_autoptr(GByteArray) saved = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    IoThread *thread = io_thread_new("io", &error);
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    Machine machine;
    unsigned n_loaded = 0;
    size_t n;

    machine_init(&machine, thread);
    work(&machine);
    state_save(&xhci_state, machine.host.xhci, saved);
    const uint8_t *ram = guest_memory_regions(machine.host.memory, &n)->host;
    for (unsigned i = 0; i <= CHANGED_FILES; i++) {
        g_autofree uint8_t *bytes = g_memdup2(saved->data, saved->len);
        Machine other;

        machine_init(&other, thread);
        memcpy(guest_memory_regions(other.host.memory, &n)->host, ram, machine.host.free);
        xhci_device_ops.quiesce(other.host.xhci);
        if (i)
            change(random, bytes, saved->len);
        g_autoptr(GError) why = NULL;
        if (state_load(&xhci_state, other.host.xhci, xhci_state.version, bytes, saved->len, &why)) {
            n_loaded++;
            ring_everything(&other.host);
        } else {
            g_assert_true(i && why); /* the first is as it was saved */
        }
        machine_finish(&other);
    }
    g_assert_cmpuint(n_loaded, <, CHANGED_FILES);
    machine_finish(&machine);
    io_thread_free(thread);
}

static GLogWriterOutput
keep_quiet(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
    return G_LOG_WRITER_HANDLED; /* of guests at fault */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(keep_quiet, NULL, NULL);
    g_test_add_func("/usb/saved/changed", test_changed);
    return g_test_run();
}
