/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The USB controller and a guest that writes its registers and rings as it likes, with a keyboard, a tablet behind a hub, an empty CD-ROM
 * drive and a device that keeps what it is given.
 *
 * The input is records: an operation and its arguments. The guest's memory begins with a command ring, an event ring, one
 * input context and three transfer rings that a driver could have made, so that changes of a byte lead far; records write
 * over them. After the last record the controller comes to rest, and its state loads into another one.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vmm/pci/fixture.h"
#include "usb/hid/hid.h"
#include "usb/hub/hub.h"
#include "usb/storage/storage.h"
#include "usb/xhci/context.h"
#include "usb/xhci/spec.h"
#include "usb/xhci/xhci.h"

#include <linux/input-event-codes.h>
#include <string.h>

#define RAM (1u << 20)
#define SLOT 4   /* on PCI */
#define TURNS 32 /* of the loop, a record: a ring without end goes on for ever */

/* Where the guest keeps what. */
#define DCBAA 0x1000
#define ERST 0x2000
#define EVENTS 0x3000
#define COMMANDS 0x4000
#define INPUT 0x5000
#define OUTPUT 0x6000
#define RINGS 0x8000 /* a page each */
#define DATA 0x10000

enum {
    OP_WRITE,    /* offset / 4 (2), value (4) */
    OP_WRITE8,   /* offset / 4 (2), value (8) */
    OP_READ,     /* offset (2), width (1) */
    OP_TRB,      /* ring (1), index (1), parameter (3), length (3), control (4) */
    OP_RAM,      /* address / 4 (2), value (4) */
    OP_DOORBELL, /* slot (1), target (1) */
    OP_TIME,     /* microseconds (2) */
    OP_PLUG,     /* which (1): in or out */
    OP_GIVE,     /* bytes (2), status (1): the keeper gives a transfer back */
    OP_KEY,      /* code (1), value (1) */
    OP_PAUSE,
    OP_RESET,
    N_OPS,
};

/* --- a device that keeps transfers ------------------------------------------------------------------------------- */

static UsbTransfer *kept;

static void
keeper_submit(UsbDevice *device, UsbTransfer *transfer)
{
    if (transfer->type == USB_ISOCHRONOUS || transfer->length % 3 == 0) {
        usb_transfer_complete(transfer, USB_OK);
        return;
    }
    transfer->next = kept;
    kept = transfer;
}

static void
keeper_give(UsbTransfer *transfer, uint32_t bytes, UsbStatus status)
{
    UsbTransfer **place = &kept;

    while (*place != transfer)
        place = &(*place)->next;
    *place = transfer->next;
    transfer->actual = MIN(bytes, transfer->length);
    usb_transfer_complete(transfer, status);
}

static void
keeper_cancel(UsbDevice *device, UsbTransfer *transfer)
{
    keeper_give(transfer, transfer->length / 2, USB_CANCELLED);
}

static void
keeper_reset(UsbDevice *device)
{
    usb_device_reset_done(device);
}

static bool
keeper_set_streams(UsbDevice *device, uint8_t endpoint, unsigned n)
{
    g_assert(n <= USB_STREAMS_MAX);
    return true;
}

static unsigned
keeper_depth(UsbDevice *device, uint8_t endpoint)
{
    return 4;
}

static const StateField no_fields[] = {STATE_END};
static const StateTable keeper_state = {.name = "keeper", .version = 1, .oldest = 1, .fields = no_fields};
static const UsbDeviceOps keeper_ops = {
    .kind = "keeper",
    .submit = keeper_submit,
    .cancel = keeper_cancel,
    .reset = keeper_reset,
    .set_streams = keeper_set_streams,
    .depth = keeper_depth,
    .state = &keeper_state,
};

#define HUB 1
#define TABLET 4 /* behind the hub, the others in ports of the controller's */
#define N_DEVICES 5

static UsbDevice *
make_device(unsigned which, Clock *clock)
{
    switch (which) {
    case 0:
        return usb_keyboard_new("keyboard", clock);
    case HUB:
        return usb_hub_new("hub", 4);
    case 2:
        return usb_storage_new("cd", true, NULL, NULL);
    case TABLET:
        return usb_tablet_new("tablet");
    default: {
        UsbDevice *keeper = g_new0(UsbDevice, 1);
        usb_device_init(keeper, &keeper_ops, USB_SUPER, "keeper", "keeper");
        return keeper;
    }
    }
}

/* --- the machine ------------------------------------------------------------------------------------------------- */

typedef struct {
    PciFixture pci;
    GuestMemory *memory;
    Clock *clock;
    UsbBus *bus;
    Xhci *xhci;
    UsbDevice *devices[N_DEVICES];
    InputSink keys;
} Machine;

static void
plug(Machine *machine, unsigned which)
{
    UsbDevice *hub = which == TABLET ? machine->devices[HUB] : NULL;

    if (which == TABLET && !hub)
        return;
    if (machine->devices[which]) {
        if (which == HUB)
            machine->devices[TABLET] = NULL; /* which goes with it */
        usb_bus_detach(machine->bus, machine->devices[which], NULL);
        usb_device_free(machine->devices[which]);
        machine->devices[which] = NULL;
        return;
    }
    machine->devices[which] = make_device(which, machine->clock);
    if (which == 0)
        machine->keys = usb_hid_sink(machine->devices[0], machine->bus);
    g_assert(usb_bus_attach(machine->bus, machine->devices[which], hub, hub ? 2 : which + 1, NULL, NULL));
}

static void
machine_init(Machine *machine)
{
    const GuestMemoryOptions options = {.size = RAM};

    memset(machine, 0, sizeof(*machine));
    pci_fixture_init(&machine->pci);
    machine->memory = guest_memory_new(&options, NULL);
    machine->clock = clock_new_manual(0);
    machine->bus = usb_bus_new(g_main_context_default(), 4);
    const XhciOptions xhci = {.bus = machine->bus, .memory = machine->memory, .clock = machine->clock};
    machine->xhci = xhci_new(machine->pci.pci, SLOT, &xhci, NULL);
    pci_fixture_assign(&machine->pci);
    for (unsigned i = 0; i < N_DEVICES; i++)
        plug(machine, i);
}

static void
turn(Machine *machine)
{
    for (unsigned i = 0; i < TURNS && g_main_context_iteration(NULL, FALSE); i++)
        continue;
}

static void
machine_finish(Machine *machine)
{
    xhci_device_ops.quiesce(machine->xhci);
    g_assert(!kept);
    xhci_free(machine->xhci);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    usb_bus_free(machine->bus);
    clock_free(machine->clock);
    guest_memory_free(machine->memory);
    pci_fixture_finish(&machine->pci);
}

static void
put(Machine *machine, unsigned offset, uint64_t value, unsigned size)
{
    xhci_bus_ops.write(machine->xhci, offset, size, value);
}

static void
put_trb(Machine *machine, uint64_t at, uint64_t parameter, uint32_t status, uint32_t control)
{
    guest_memory_write(machine->memory, at, &parameter, 8);
    guest_memory_write(machine->memory, at + 8, &status, 4);
    guest_memory_write(machine->memory, at + 12, &control, 4);
}

#define TYPE(type) ((uint32_t)(type) << TRB_TYPE_SHIFT)

/* What a driver would have set up, up to a device in slot 1 whose endpoints 1 to 4 have rings. */
static void
set_up(Machine *machine)
{
    const uint64_t erst[] = {EVENTS, 64}, output = OUTPUT;
    const uint32_t flags[] = {0, 3};
    uint32_t words[CONTEXT_WORDS];
    XhciSlotContext slot = {.root_port = 4, .entries = 4};

    guest_memory_write(machine->memory, ERST, erst, sizeof(erst));
    for (unsigned i = 1; i < 8; i++)
        guest_memory_write(machine->memory, DCBAA + i * 8, &output, 8);
    guest_memory_write(machine->memory, INPUT, flags, sizeof(flags));
    xhci_slot_context_write(&slot, words);
    guest_memory_write(machine->memory, INPUT + CONTEXT_SIZE, words, sizeof(words));
    for (unsigned i = 1; i <= 4; i++) {
        static const uint8_t types[] = {0, EP_TYPE_CONTROL, EP_TYPE_BULK_OUT, EP_TYPE_BULK_IN, EP_TYPE_ISOCH_OUT};
        XhciEndpointContext endpoint = {.type = types[i], .packet_size = 64, .dequeue = (RINGS + i * 0x1000) | 1};
        xhci_endpoint_context_write(&endpoint, words);
        guest_memory_write(machine->memory, INPUT + (1 + i) * CONTEXT_SIZE, words, sizeof(words));
    }
    put_trb(machine, COMMANDS, 0, 0, TYPE(TRB_ENABLE_SLOT) | 1);
    put_trb(machine, COMMANDS + 16, INPUT, 0, TYPE(TRB_ADDRESS_DEVICE) | 1u << 24 | 1);
    put(machine, XHCI_CAPLENGTH + OP_CONFIG, 64, 4);
    put(machine, XHCI_CAPLENGTH + OP_DCBAAP, DCBAA, 8);
    put(machine, XHCI_CAPLENGTH + OP_CRCR, COMMANDS | 1, 8);
    put(machine, XHCI_RUNTIME + XHCI_INTERRUPTER + IR_ERSTSZ, 1, 4);
    put(machine, XHCI_RUNTIME + XHCI_INTERRUPTER + IR_ERDP, EVENTS, 8);
    put(machine, XHCI_RUNTIME + XHCI_INTERRUPTER + IR_ERSTBA, ERST, 8);
    put(machine, XHCI_RUNTIME + XHCI_INTERRUPTER + IR_IMAN, IMAN_IE, 4);
    for (unsigned i = 0; i < 8; i++)
        put(machine, XHCI_CAPLENGTH + XHCI_PORTS + i * XHCI_PORT_SIZE, PORTSC_PP | PORTSC_PR, 4);
    put(machine, XHCI_CAPLENGTH + OP_USBCMD, USBCMD_RS | USBCMD_INTE, 4);
    turn(machine);
}

static void
write_trb(Machine *machine, FuzzInput *input)
{
    unsigned ring = fuzz_take(input, 1) % 6, index = fuzz_take(input, 1);
    uint64_t at = (ring ? RINGS + (ring - 1) * 0x1000 : COMMANDS) + index * TRB_SIZE;
    uint64_t parameter = fuzz_take(input, 3);
    uint32_t status = fuzz_take(input, 3);

    put_trb(machine, at, parameter, status, fuzz_take(input, 4));
}

static void
press(Machine *machine, FuzzInput *input)
{
    InputEvent event = {EV_KEY, fuzz_take(input, 1), fuzz_take(input, 1)};

    if (machine->devices[0])
        machine->keys.ops->report(machine->keys.sink, &event, 1);
}

static void
run_record(Machine *machine, FuzzInput *input)
{
    uint8_t op = fuzz_take(input, 1) % N_OPS;
    unsigned offset;

    switch (op) {
    case OP_WRITE:
        offset = fuzz_take(input, 2) % (XHCI_BAR_SIZE / 4) * 4;
        put(machine, offset, fuzz_take(input, 4), 4);
        break;
    case OP_WRITE8:
        offset = fuzz_take(input, 2) % (XHCI_BAR_SIZE / 4 - 1) * 4;
        put(machine, offset, fuzz_take(input, 8), 8);
        break;
    case OP_READ:
        offset = fuzz_take(input, 2) % (XHCI_BAR_SIZE - 8);
        xhci_bus_ops.read(machine->xhci, offset, 1u << fuzz_take(input, 1) % 4);
        break;
    case OP_TRB:
        write_trb(machine, input);
        break;
    case OP_RAM: {
        uint64_t at = fuzz_take(input, 2) * 4;
        uint32_t value = fuzz_take(input, 4);
        guest_memory_write(machine->memory, at, &value, 4);
        break;
    }
    case OP_DOORBELL:
        offset = XHCI_DOORBELLS + fuzz_take(input, 1) * 4;
        put(machine, offset, fuzz_take(input, 1), 4);
        break;
    case OP_TIME:
        clock_advance(machine->clock, fuzz_take(input, 2) * 1000);
        break;
    case OP_PLUG:
        plug(machine, fuzz_take(input, 1) % N_DEVICES);
        break;
    case OP_GIVE: {
        uint32_t bytes = fuzz_take(input, 2);
        uint8_t status = fuzz_take(input, 1) % (USB_FAULT + 1);
        if (kept)
            keeper_give(kept, bytes, status);
        break;
    }
    case OP_KEY:
        press(machine, input);
        break;
    case OP_PAUSE:
        xhci_device_ops.quiesce(machine->xhci);
        g_assert(!kept);
        xhci_device_ops.resume(machine->xhci);
        break;
    case OP_RESET:
        xhci_device_ops.quiesce(machine->xhci);
        xhci_device_ops.reset(machine->xhci);
        xhci_device_ops.resume(machine->xhci);
        break;
    default:
        break;
    }
    turn(machine);
}

/* What one says, another takes: no guest can make a state that does not load. */
static void
save_and_load(Machine *machine)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    Machine other;
    size_t n;

    state_save(xhci_device_ops.state, machine->xhci, bytes);
    machine_init(&other);
    memcpy(guest_memory_regions(other.memory, &n)->host, guest_memory_regions(machine->memory, &n)->host, RAM);
    xhci_device_ops.quiesce(other.xhci);
    if (!state_load(xhci_device_ops.state, other.xhci, 1, bytes->data, bytes->len, &error))
        g_error("%s", error->message);
    xhci_device_ops.resume(other.xhci);
    turn(&other);
    machine_finish(&other);
}

static GLogWriterOutput
say_nothing(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
    return level & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO) ? G_LOG_WRITER_HANDLED
                                                            : g_log_writer_default(level, fields, n, user);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static bool quiet;
    FuzzInput input = {bytes, MIN(len, 4096)};
    Machine machine;

    if (!quiet)
        g_log_set_writer_func(say_nothing, NULL, NULL);
    quiet = true;
    machine_init(&machine);
    set_up(&machine);
    put(&machine, XHCI_DOORBELLS, 0, 4);
    turn(&machine);
    while (input.left)
        run_record(&machine, &input);
    xhci_device_ops.quiesce(machine.xhci);
    save_and_load(&machine);
    machine_finish(&machine);
    return 0;
}
