/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bulk-only transport (MSC BOT 1.0): a command in, data either way, a status out; one at a time.
 *
 * At most one transfer lies here for each of the two endpoints. pump() does what can be done with them in the stage at hand;
 * it is called whenever a transfer or the outcome of a piece of work comes. A transfer that work is under way for is given
 * back after it, done, also when it was cancelled.
 */
#include "usb/emulated.h"
#include "usb/storage/scsi.h"
#include "usb/storage/storage.h"

#include <errno.h>
#include <string.h>

#define CBW_SIZE 31
#define CBW_SIGNATURE 0x43425355
#define CSW_SIZE 13
#define CSW_SIGNATURE 0x53425355
#define CBW_IN 0x80

#define CSW_PASSED 0
#define CSW_FAILED 1
#define CSW_PHASE_ERROR 2

#define REQUEST_RESET 0xff /* BOT 3.1 */
#define REQUEST_MAX_LUN 0xfe

#define ENDPOINT_IN (USB_DIR_IN | 1)
#define ENDPOINT_OUT 2

typedef enum { STAGE_COMMAND, STAGE_DATA_IN, STAGE_DATA_OUT, STAGE_WORK, STAGE_STATUS, STAGE_BROKEN } Stage;

typedef struct {
    UsbEmulated emulated; /* first */
    ScsiUnit unit;
    Medium *medium; /* NULL: none */

    UsbTransfer *in, *out; /* the guest's, waiting */
    uint8_t stage;
    uint8_t next; /* STAGE_WORK: what comes behind it */
    uint32_t tag;
    uint32_t expected; /* bytes the guest expects to move … */
    uint32_t moved;    /* … and that did */
    uint8_t status;    /* CSW_… */
    ScsiPlan plan;
    uint32_t reply_len; /* of the plan, for saving */

    MediumWork work;
    bool working;
    bool forgotten;           /* the work's outcome is nobody's any more: there was a reset */
    UsbTransfer *working_for; /* NULL: none; else the transfer whose data it moves … */
    uint32_t work_len;        /* … and how much of it */
} Storage;

static Storage *
storage_of(const UsbDevice *device)
{
    return (Storage *)device;
}

static void pump(Storage *storage);

/* --- the command -------------------------------------------------------------------------------------------------- */

static uint32_t
get_le32(const uint8_t *at)
{
    return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

static void
put_le32(uint8_t *at, uint32_t value)
{
    at[0] = value;
    at[1] = value >> 8;
    at[2] = value >> 16;
    at[3] = value >> 24;
}

/* Bytes that the plan would move, and which way. */
static uint64_t
plan_len(const ScsiPlan *plan)
{
    return plan->kind == SCSI_REPLY                                                         ? plan->reply_len
           : plan->kind == SCSI_NONE || plan->kind == SCSI_SYNC || plan->kind == SCSI_EJECT ? 0
                                                                                            : plan->len;
}

static bool
plan_is_out(const ScsiPlan *plan)
{
    return plan->kind == SCSI_WRITE || plan->kind == SCSI_TAKE || plan->kind == SCSI_MODES;
}

/* BOT 6.7: the guest expects another direction than the command has, or less than it moves. Replies are cut short. */
static bool
disagrees(const Storage *storage, bool in)
{
    uint64_t len = plan_len(&storage->plan);

    if (!len)
        return false;
    if (plan_is_out(&storage->plan) ? in : !in && storage->expected)
        return true;
    return len > storage->expected && storage->plan.kind != SCSI_REPLY;
}

/* A command in the middle of its data ends there: what comes into the drive next is not what it asked for. */
static void
let_go_of_medium(Storage *storage, const char *reason)
{
    bool reading = storage->stage == STAGE_DATA_IN && storage->plan.kind == SCSI_READ;
    bool writing = storage->stage == STAGE_DATA_OUT && storage->plan.kind == SCSI_WRITE;

    if (reading || writing) {
        scsi_set_sense(&storage->unit, SCSI_SENSE_NOT_READY, 0x3a, 2);
        storage->status = CSW_FAILED;
        storage->plan.kind = writing ? SCSI_TAKE : SCSI_NONE;
    }
    g_clear_pointer(&storage->medium, medium_unref);
    scsi_medium_out(&storage->unit);
    usb_bus_tell(storage->emulated.device.bus, USB_EJECTED, &storage->emulated.device, reason);
}

static void
on_synced(MediumWork *work, int error)
{
    Storage *storage = (Storage *)((char *)work - offsetof(Storage, work));

    storage->working = false;
    if (storage->forgotten) {
        storage->forgotten = false;
        pump(storage);
        return;
    }
    if (error) {
        scsi_set_sense(&storage->unit, SCSI_SENSE_MEDIUM_ERROR, 0x0c, 0);
        storage->status = CSW_FAILED;
        storage->plan.kind = SCSI_NONE;
    }
    storage->stage = storage->next;
    pump(storage);
}

/* On to @next once all that was written is on stable storage. */
static void
sync_before(Storage *storage, Stage next)
{
    storage->stage = STAGE_WORK;
    storage->next = next;
    storage->working = true;
    storage->work.done = on_synced;
    medium_work(&storage->work, storage->medium, storage->emulated.device.bus, MEDIUM_SYNC, 0, NULL, 0, 0);
}

/* Whether the command that is done with its data wants that. */
static bool
ends_stable(Storage *storage)
{
    const ScsiPlan *plan = &storage->plan;

    return plan->kind == SCSI_SYNC || (plan->kind == SCSI_WRITE && plan->stable) ||
           (plan->kind == SCSI_MODES && scsi_set_modes(&storage->unit, plan, storage->moved));
}

/* What comes after the data. */
static void
finish_command(Storage *storage)
{
    if (ends_stable(storage) && storage->medium && !storage->working) {
        sync_before(storage, STAGE_STATUS);
        return;
    }
    if (storage->plan.kind == SCSI_EJECT && storage->medium)
        let_go_of_medium(storage, "the guest ejected it");
    storage->stage = STAGE_STATUS;
}

static void
begin_command(Storage *storage, const uint8_t *cbw)
{
    bool in = cbw[12] & CBW_IN;

    storage->tag = get_le32(cbw + 4);
    storage->expected = get_le32(cbw + 8);
    storage->moved = 0;
    storage->status = CSW_PASSED;
    scsi_plan(&storage->unit, cbw + 15, cbw[14], &storage->plan);
    if (storage->plan.failed)
        storage->status = CSW_FAILED;
    if (disagrees(storage, in)) {
        storage->plan.kind = SCSI_NONE;
        storage->status = CSW_PHASE_ERROR;
    }
    storage->reply_len = storage->plan.reply_len;
    if (storage->plan.kind == SCSI_READ && storage->plan.stable && storage->medium && !storage->working)
        sync_before(storage, STAGE_DATA_IN);
    else if (storage->expected)
        storage->stage = in ? STAGE_DATA_IN : STAGE_DATA_OUT;
    else
        finish_command(storage);
}

/* A command that is none: both endpoints are halted until the guest resets the device (BOT 6.6.1). */
static void
take_command(Storage *storage)
{
    UsbTransfer *transfer = g_steal_pointer(&storage->out);
    uint8_t cbw[CBW_SIZE];
    bool valid = transfer->length == CBW_SIZE && usb_transfer_read(transfer, cbw, CBW_SIZE) == CBW_SIZE &&
                 get_le32(cbw) == CBW_SIGNATURE && cbw[13] == 0 && cbw[14] >= 1 && cbw[14] <= SCSI_BLOCK_MAX;

    if (!valid) {
        storage->stage = STAGE_BROKEN;
        usb_emulated_halt(&storage->emulated, ENDPOINT_IN);
        usb_emulated_stall(&storage->emulated, transfer);
        return;
    }
    begin_command(storage, cbw);
    usb_transfer_complete(transfer, USB_OK);
}

/* --- data ----------------------------------------------------------------------------------------------------------- */

/* @len bytes of @transfer moved. A short packet, an empty one even, says that this is all there is (BOT 6.7.2). */
static void
note_moved(Storage *storage, const UsbTransfer *transfer, uint32_t len)
{
    storage->moved += len;
    if (storage->moved >= storage->expected || (storage->stage == STAGE_DATA_IN && len < transfer->length))
        finish_command(storage);
}

static uint8_t
sense_of(int error, bool writing)
{
    return error == -EROFS || error == -ENOSPC ? SCSI_SENSE_PROTECT : SCSI_SENSE_MEDIUM_ERROR;
}

/* All that @transfer brings is taken: also what could not be written, or is more than the command writes. */
static uint32_t
taken_of(const Storage *storage, const UsbTransfer *transfer)
{
    return MIN(transfer->length, storage->expected - storage->moved);
}

static void
fail_move(Storage *storage, int error, bool writing)
{
    scsi_set_sense(&storage->unit, sense_of(error, writing), writing ? 0x0c : 0x11, 0);
    storage->status = CSW_FAILED;
    storage->plan.kind = writing ? SCSI_TAKE : SCSI_NONE; /* the rest is not the medium's any more */
    storage->stage = writing ? STAGE_DATA_OUT : STAGE_STATUS;
}

static void
on_moved(MediumWork *work, int error)
{
    Storage *storage = (Storage *)((char *)work - offsetof(Storage, work));
    UsbTransfer *transfer = g_steal_pointer(&storage->working_for);
    bool writing = !usb_transfer_is_in(transfer), forgotten = storage->forgotten;

    storage->working = storage->forgotten = false;
    transfer->actual = writing ? taken_of(storage, transfer) : error ? 0 : storage->work_len;
    if (!forgotten && error)
        fail_move(storage, error, writing);
    if (!forgotten && (writing || !error))
        note_moved(storage, transfer, transfer->actual);
    usb_transfer_complete(transfer, USB_OK);
    pump(storage);
}

static void
begin_move(Storage *storage, UsbTransfer *transfer, MediumKind kind, uint32_t len)
{
    g_autofree struct iovec *iov = g_new(struct iovec, transfer->n_iov);
    uint32_t taken;
    unsigned n = usb_transfer_slice(transfer, 0, len, iov, transfer->n_iov, &taken);

    g_assert(taken == len);
    storage->working = true;
    storage->working_for = transfer;
    storage->work_len = len;
    storage->work.done = on_moved;
    medium_work(&storage->work, storage->medium, storage->emulated.device.bus, kind,
                storage->plan.offset + storage->moved, iov, n, len);
}

/* How much of @transfer the plan still has to say. */
static uint32_t
share(const Storage *storage, const UsbTransfer *transfer)
{
    uint64_t len = plan_len(&storage->plan);
    uint64_t left = len > storage->moved ? len - storage->moved : 0;
    return MIN(left, MIN(transfer->length, storage->expected - storage->moved));
}

static void
move_in(Storage *storage)
{
    UsbTransfer *transfer = g_steal_pointer(&storage->in);
    uint32_t len = share(storage, transfer);

    if (storage->plan.kind == SCSI_READ && len && storage->medium) {
        begin_move(storage, transfer, MEDIUM_READ, len);
        return;
    }
    if (storage->plan.kind == SCSI_REPLY)
        usb_transfer_write(transfer, storage->plan.reply + storage->moved, len);
    note_moved(storage, transfer, transfer->actual);
    usb_transfer_complete(transfer, USB_OK);
}

static void
move_out(Storage *storage)
{
    UsbTransfer *transfer = g_steal_pointer(&storage->out);
    uint32_t len = share(storage, transfer);

    if (storage->plan.kind == SCSI_WRITE && len && storage->medium) {
        begin_move(storage, transfer, MEDIUM_WRITE, len);
        return;
    }
    if (storage->plan.kind == SCSI_MODES && storage->moved < SCSI_REPLY_MAX)
        usb_transfer_read(transfer, storage->plan.reply + storage->moved, MIN(len, SCSI_REPLY_MAX - storage->moved));
    transfer->actual = taken_of(storage, transfer);
    note_moved(storage, transfer, transfer->actual);
    usb_transfer_complete(transfer, USB_OK);
}

static void
send_status(Storage *storage)
{
    UsbTransfer *transfer = g_steal_pointer(&storage->in);
    uint8_t csw[CSW_SIZE];
    uint64_t useful = MIN(plan_len(&storage->plan), storage->moved);

    put_le32(csw, CSW_SIGNATURE);
    put_le32(csw + 4, storage->tag);
    put_le32(csw + 8, storage->expected - (uint32_t)useful);
    csw[12] = storage->status;
    storage->stage = STAGE_COMMAND;
    bool fits = usb_transfer_write(transfer, csw, CSW_SIZE) == CSW_SIZE;
    usb_transfer_complete(transfer, fits ? USB_OK : USB_BABBLE);
}

/* One step; false: there is nothing to do. */
static bool
step(Storage *storage)
{
    if (storage->working || !storage->emulated.device.bus)
        return false;
    switch (storage->stage) {
    case STAGE_COMMAND:
        if (storage->out)
            take_command(storage);
        else
            return false;
        return true;
    case STAGE_DATA_IN:
        if (storage->in)
            move_in(storage);
        return storage->in || storage->stage != STAGE_DATA_IN;
    case STAGE_DATA_OUT:
        if (storage->out)
            move_out(storage);
        return storage->out || storage->stage != STAGE_DATA_OUT;
    case STAGE_STATUS:
        if (!storage->in)
            return false;
        send_status(storage);
        return true;
    default:
        return false;
    }
}

static void
pump(Storage *storage)
{
    while (step(storage))
        continue;
}

/* --- transfers and requests ---------------------------------------------------------------------------------------- */

static void
data(UsbEmulated *emulated, UsbTransfer *transfer)
{
    Storage *storage = (Storage *)emulated;
    UsbTransfer **place = transfer->endpoint == ENDPOINT_IN ? &storage->in : &storage->out;

    if (transfer->endpoint != ENDPOINT_IN && transfer->endpoint != ENDPOINT_OUT) {
        usb_transfer_complete(transfer, USB_FAULT);
        return;
    }
    if (storage->stage == STAGE_BROKEN) {
        usb_emulated_stall(emulated, transfer);
        return;
    }
    g_assert(!*place);
    *place = transfer;
    pump(storage);
}

static void
cancel(UsbEmulated *emulated, UsbTransfer *transfer)
{
    Storage *storage = (Storage *)emulated;

    if (storage->working_for == transfer)
        return; /* it comes back whole, once the image's data is in it or out of it */
    if (storage->in == transfer)
        storage->in = NULL;
    else if (storage->out == transfer)
        storage->out = NULL;
    usb_transfer_complete(transfer, USB_CANCELLED);
}

/* Back to waiting for a command (BOT 3.1). */
static void
begin_anew(Storage *storage)
{
    storage->stage = STAGE_COMMAND;
    storage->forgotten = storage->working;
    memset(&storage->plan, 0, sizeof(storage->plan));
}

static bool
control(UsbEmulated *emulated, UsbTransfer *transfer)
{
    uint8_t last = 0;

    switch (usb_setup_request(&transfer->setup)) {
    case USB_REQUEST(USB_DIR_OUT | USB_TYPE_CLASS | USB_RECIP_INTERFACE, REQUEST_RESET):
        begin_anew((Storage *)emulated);
        return true;
    case USB_REQUEST(USB_DIR_IN | USB_TYPE_CLASS | USB_RECIP_INTERFACE, REQUEST_MAX_LUN):
        usb_transfer_write(transfer, &last, 1);
        return true;
    default:
        return false;
    }
}

static void
configured(UsbEmulated *emulated)
{
    Storage *storage = (Storage *)emulated;

    begin_anew(storage);
    if (!emulated->configuration)
        scsi_reset(&storage->unit);
}

/* A command that was none keeps the endpoints halted until a reset (BOT 6.6.1). */
static void
cleared(UsbEmulated *emulated, uint8_t endpoint)
{
    if (((Storage *)emulated)->stage == STAGE_BROKEN)
        usb_emulated_halt(emulated, endpoint);
}

static const uint8_t device_descriptor[] = {
    18,
    USB_DT_DEVICE,
    USB_WORD(0x0200),
    0,
    0,
    0,
    64,
    USB_WORD(USB_VENDOR_CARREL),
    USB_WORD(USB_PRODUCT_STORAGE),
    USB_WORD(0x0100),
    1,
    2,
    3,
    1,
};

static const uint8_t configuration_descriptor[] = {
    9,
    USB_DT_CONFIG,
    USB_WORD(9 + 9 + 7 + 7),
    1,
    1,
    0,
    0xc0,
    0,
    9,
    USB_DT_INTERFACE,
    0,
    0,
    2,
    USB_CLASS_MASS_STORAGE,
    6 /* SCSI */,
    0x50 /* bulk only */,
    0,
    7,
    USB_DT_ENDPOINT,
    ENDPOINT_IN,
    USB_ENDPOINT_XFER_BULK,
    USB_WORD(512),
    0,
    7,
    USB_DT_ENDPOINT,
    ENDPOINT_OUT,
    USB_ENDPOINT_XFER_BULK,
    USB_WORD(512),
    0,
};

/* At full speed it would be the same (USB 2.0, 9.6.2). */
static const uint8_t qualifier_descriptor[] = {10, USB_DT_DEVICE_QUALIFIER, USB_WORD(0x0200), 0, 0, 0, 64, 1, 0};

static const UsbDescription disk_description = {
    .device = device_descriptor,
    .configuration = configuration_descriptor,
    .configuration_size = sizeof(configuration_descriptor),
    .qualifier = qualifier_descriptor,
    .vendor = "Carrel",
    .product = "Carrel disk",
};
static const UsbDescription cd_description = {
    .device = device_descriptor,
    .configuration = configuration_descriptor,
    .configuration_size = sizeof(configuration_descriptor),
    .qualifier = qualifier_descriptor,
    .vendor = "Carrel",
    .product = "Carrel CD-ROM drive",
};

#define EMULATED_OPS(what)     \
    {.description = (what),    \
     .control = control,       \
     .data = data,             \
     .cancel = cancel,         \
     .configured = configured, \
     .cleared = cleared}
static const UsbEmulatedOps disk_ops = EMULATED_OPS(&disk_description), cd_ops = EMULATED_OPS(&cd_description);

/* --- life ----------------------------------------------------------------------------------------------------------- */

static void
finish(UsbDevice *device)
{
    Storage *storage = storage_of(device);

    g_assert(!storage->working); /* the machine came to rest, or detaching waited */
    medium_unref(storage->medium);
    usb_emulated_finish(&storage->emulated);
}

static void
before_save(void *object)
{
    Storage *storage = object;
    storage->reply_len = storage->plan.reply_len;
}

static bool
malformed(const char *what, GError **error)
{
    g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "a USB drive with %s", what);
    return false;
}

/* The medium of the configuration is the one it was, another, or there should be none. */
static void
settle_medium(Storage *storage)
{
    ScsiUnit *unit = &storage->unit;
    uint64_t bytes = storage->medium ? medium_bytes(storage->medium) : 0;

    bytes -= bytes % scsi_block_size(unit);
    if (!unit->present && unit->cd)
        g_clear_pointer(&storage->medium, medium_unref);
    else if (!storage->medium)
        scsi_medium_out(unit);
    else if (bytes != unit->bytes)
        scsi_medium_in(unit, bytes);
}

static bool
after_load(void *object, GError **error)
{
    Storage *storage = object;
    ScsiPlan *plan = &storage->plan;

    if (storage->stage > STAGE_BROKEN || storage->stage == STAGE_WORK)
        return malformed("a command in no stage there is", error);
    if (plan->kind > SCSI_MODES || storage->reply_len > SCSI_REPLY_MAX || storage->moved > storage->expected)
        return malformed("a command of no kind there is", error);
    if ((plan->kind == SCSI_READ || plan->kind == SCSI_WRITE) &&
        (plan->offset > storage->unit.bytes || plan->len > storage->unit.bytes - plan->offset))
        return malformed("a command beyond its medium", error);
    plan->reply_len = storage->reply_len;
    uint64_t before = storage->unit.bytes;
    settle_medium(storage);
    if (storage->unit.bytes != before && plan_len(plan) && plan->kind != SCSI_REPLY) {
        plan->kind = SCSI_NONE; /* it began on another medium */
        storage->status = CSW_FAILED;
    }
    return true;
}

static const StateField plan_fields[] = {
    STATE_UINT(ScsiPlan, kind, 1),   STATE_UINT(ScsiPlan, offset, 1), STATE_UINT(ScsiPlan, len, 1),
    STATE_BYTES(ScsiPlan, reply, 1), STATE_BOOL(ScsiPlan, stable, 2), STATE_END,
};
static const StateTable plan_state = {.name = "scsi-plan", .version = 2, .oldest = 1, .fields = plan_fields};

static const StateField fields[] = {
    STATE_STRUCT(Storage, emulated, 1, &usb_emulated_state),
    STATE_STRUCT(Storage, unit, 1, &scsi_unit_state),
    STATE_UINT(Storage, stage, 1),
    STATE_UINT(Storage, tag, 1),
    STATE_UINT(Storage, expected, 1),
    STATE_UINT(Storage, moved, 1),
    STATE_UINT(Storage, status, 1),
    STATE_STRUCT(Storage, plan, 1, &plan_state),
    STATE_UINT(Storage, reply_len, 1),
    STATE_END,
};
static const StateTable state = {
    .name = "usb-storage",
    .version = 1,
    .oldest = 1,
    .fields = fields,
    .before_save = before_save,
    .after_load = after_load,
};

#define DEVICE_OPS(name)            \
    {.kind = (name),                \
     .submit = usb_emulated_submit, \
     .cancel = usb_emulated_cancel, \
     .reset = usb_emulated_reset,   \
     .state = &state,               \
     .finish = finish}
static const UsbDeviceOps disk_device_ops = DEVICE_OPS("disk"), cd_device_ops = DEVICE_OPS("cdrom");

UsbDevice *
usb_storage_new(const char *id, bool cd, Medium *medium, const char *serial)
{
    Storage *storage = g_new0(Storage, 1);

    g_assert(cd || medium);
    usb_emulated_init(&storage->emulated, cd ? &cd_device_ops : &disk_device_ops, cd ? &cd_ops : &disk_ops, USB_HIGH,
                      id, serial);
    storage->unit.cd = cd;
    storage->unit.serial = storage->emulated.serial;
    storage->medium = medium;
    storage->unit.read_only = cd || medium_is_read_only(medium);
    if (medium) {
        scsi_medium_in(&storage->unit, medium_bytes(medium));
        storage->unit.changed = storage->unit.event_new = false; /* it was there before the guest was */
    }
    return &storage->emulated.device;
}

bool
usb_storage_is_drive(const UsbDevice *device)
{
    return device->ops == &cd_device_ops || device->ops == &disk_device_ops;
}

bool
usb_storage_is_cd(const UsbDevice *device)
{
    return device->ops == &cd_device_ops;
}

const char *
usb_storage_medium(const UsbDevice *device)
{
    const Medium *medium = usb_storage_is_drive(device) ? storage_of(device)->medium : NULL;
    return medium ? medium_path(medium) : NULL;
}

bool
usb_storage_is_busy(const UsbDevice *device)
{
    return usb_storage_is_drive(device) && storage_of(device)->working;
}

bool
usb_storage_insert(UsbDevice *device, Medium *medium, GError **error)
{
    Storage *storage = storage_of(device);

    g_assert(usb_storage_is_cd(device));
    if (storage->medium) {
        g_set_error(error, USB_ERROR, USB_ERROR_MEDIUM, "“%s” holds %s already: eject that first", device->id,
                    medium_path(storage->medium));
        medium_unref(medium);
        return false;
    }
    storage->medium = medium;
    scsi_medium_in(&storage->unit, medium_bytes(medium));
    usb_bus_tell(device->bus, USB_INSERTED, device, medium_path(medium));
    return true;
}

bool
usb_storage_eject(UsbDevice *device, bool force, GError **error)
{
    Storage *storage = storage_of(device);

    g_assert(usb_storage_is_cd(device));
    if (!storage->medium) {
        g_set_error(error, USB_ERROR, USB_ERROR_MEDIUM, "“%s” is empty", device->id);
        return false;
    }
    if (storage->unit.locked && !force) {
        storage->unit.event_request = true;
        g_set_error(error, USB_ERROR, USB_ERROR_MEDIUM,
                    "the guest has locked “%s”: it was asked to let go; try again, or force it", device->id);
        return false;
    }
    storage->unit.open = true;
    let_go_of_medium(storage, force ? "it was taken out by force" : "it was taken out");
    return true;
}
