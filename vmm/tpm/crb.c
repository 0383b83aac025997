/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CRB's registers, and commands on their way to swtpm and back.
 *
 *     idle ── cmdReady ──→ ready ── START ──→ under way ── response ──→ ready
 *       ←──── goIdle ────────┘
 *
 * START is taken while idle, too, though the specification has it ignored then: SeaBIOS never asks to be ready first.
 * Requests are done at once, so that CTRL_REQ always reads as 0. CANCEL is taken and has no effect: a command that ends as it
 * would have is one of the two ends it may have.
 */
#include "vmm/tpm/crb.h"

#include "vmm/board/memory_map.h"

#include <string.h>

/* Registers (table 18). */
#define LOC_STATE 0x00
#define LOC_CTRL 0x08
#define LOC_STS 0x0c
#define INTF_ID 0x30 /* 8 bytes */
#define CTRL_REQ 0x40
#define CTRL_STS 0x44
#define CTRL_START 0x4c
#define CTRL_CMD_SIZE 0x58
#define CTRL_CMD_LADDR 0x5c
#define CTRL_RSP_SIZE 0x64
#define CTRL_RSP_ADDR 0x68 /* 8 bytes */
#define DATA_BUFFER 0x80
#define DATA_SIZE (CRB_SIZE - DATA_BUFFER)

#define LOC_STATE_NOT_ESTABLISHED (1u << 0) /* no dynamic launch has happened */
#define LOC_STATE_ASSIGNED (1u << 1)
#define LOC_STATE_VALID (1u << 7)
#define LOC_CTRL_REQUEST (1u << 0)
#define LOC_CTRL_RELINQUISH (1u << 1)
#define LOC_STS_GRANTED (1u << 0)
#define REQ_COMMAND_READY (1u << 0)
#define REQ_GO_IDLE (1u << 1)
#define STS_FAILED (1u << 0)
#define STS_IDLE (1u << 1)
#define START_INVOKE (1u << 0)

/* INTF_ID: CRB and only that, version 1, transfers of up to 64 bytes, locality 0 only. The vendor is the emulator's, IBM. */
#define INTF_ID_LOW (1u | 1u << 4 | 3u << 11 | 1u << 14 | 1u << 17)
#define INTF_ID_HIGH 0x1014

/* A response of no more than its header (TPM 2.0 library, part 2, 6.6.3). */
#define TAG_NO_SESSIONS 0x8001
#define RC_COMMAND_SIZE 0x142

struct Crb {
    Swtpm *swtpm;
    void (*report)(void *user, const char *message);
    void *user;

    GMutex lock; /* the registers */
    bool assigned;
    bool ready;
    bool failed;
    bool busy; /* a command is under way */
    uint8_t buffer[DATA_SIZE];

    /* The TPM's state, while the desktop is saved or loaded. */
    SwtpmBlob blobs[SWTPM_BLOBS];
    bool fetched;
};

/* ---- commands ---- */

static uint32_t
command_size(const Crb *crb)
{
    return (uint32_t)crb->buffer[2] << 24 | crb->buffer[3] << 16 | crb->buffer[4] << 8 | crb->buffer[5];
}

static void
respond_code(Crb *crb, uint32_t code)
{
    const uint8_t response[SWTPM_HEADER] = {
        TAG_NO_SESSIONS >> 8, TAG_NO_SESSIONS & 0xff, 0, 0, 0, SWTPM_HEADER, code >> 24, code >> 16, code >> 8, code};
    memcpy(crb->buffer, response, sizeof(response));
}

static void
start_command(Crb *crb)
{
    uint32_t size = command_size(crb);

    if (!crb->assigned || crb->busy || crb->failed)
        return;
    crb->ready = true;
    if (size < SWTPM_HEADER || size > DATA_SIZE) {
        respond_code(crb, RC_COMMAND_SIZE);
        return;
    }
    crb->busy = true;
    if (!swtpm_send(crb->swtpm, crb->buffer, size)) {
        crb->busy = false;
        crb->failed = true;
    }
}

static void
on_response(void *user, const uint8_t *bytes, size_t len)
{
    Crb *crb = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&crb->lock);

    if (len > DATA_SIZE)
        crb->failed = true; /* longer than it was told to make them */
    else
        memcpy(crb->buffer, bytes, len);
    crb->busy = false;
}

static void
on_lost(void *user, const char *why)
{
    Crb *crb = user;
    g_autofree char *message = g_strdup_printf("the TPM is lost to the guest: swtpm: %s", why);

    g_mutex_lock(&crb->lock);
    crb->failed = true;
    crb->busy = false;
    g_mutex_unlock(&crb->lock);
    crb->report(crb->user, message);
}

static const SwtpmOps swtpm_ops = {.response = on_response, .lost = on_lost};

/* ---- registers ---- */

static uint32_t
read_register(const Crb *crb, uint64_t offset)
{
    switch (offset) {
    case LOC_STATE:
        return LOC_STATE_VALID | LOC_STATE_NOT_ESTABLISHED | (crb->assigned ? LOC_STATE_ASSIGNED : 0);
    case LOC_STS:
        return crb->assigned ? LOC_STS_GRANTED : 0;
    case INTF_ID:
        return INTF_ID_LOW;
    case INTF_ID + 4:
        return INTF_ID_HIGH;
    case CTRL_STS:
        return (crb->failed ? STS_FAILED : 0) | (crb->ready ? 0 : STS_IDLE);
    case CTRL_START:
        return crb->busy ? START_INVOKE : 0;
    case CTRL_CMD_SIZE:
    case CTRL_RSP_SIZE:
        return DATA_SIZE;
    case CTRL_CMD_LADDR:
    case CTRL_RSP_ADDR:
        return BOARD_TPM_BASE + DATA_BUFFER;
    default:
        return 0;
    }
}

static void
write_register(Crb *crb, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case LOC_CTRL:
        if (value & LOC_CTRL_REQUEST)
            crb->assigned = true;
        else if (value & LOC_CTRL_RELINQUISH && !crb->busy)
            crb->assigned = false;
        break;
    case CTRL_REQ:
        if (!crb->assigned || crb->busy)
            break;
        if (value & REQ_COMMAND_READY)
            crb->ready = true;
        else if (value & REQ_GO_IDLE)
            crb->ready = false;
        break;
    case CTRL_START:
        if (value & START_INVOKE)
            start_command(crb);
        break;
    default:
        break;
    }
}

static uint64_t
crb_read(void *device, uint64_t offset, unsigned size)
{
    Crb *crb = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&crb->lock);
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        uint64_t at = offset + i;
        uint8_t byte =
            at >= DATA_BUFFER ? crb->buffer[at - DATA_BUFFER] : read_register(crb, at & ~3ull) >> (8 * (at & 3));
        value |= (uint64_t)byte << (8 * i);
    }
    return value;
}

static void
crb_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    Crb *crb = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&crb->lock);

    if (offset < DATA_BUFFER) {
        if (!(offset & 3)) /* bits above the first byte's are reserved in every register that is written */
            write_register(crb, offset, value);
        return;
    }
    if (!crb->assigned || crb->busy)
        return;
    for (unsigned i = 0; i < size; i++)
        crb->buffer[offset - DATA_BUFFER + i] = value >> (8 * i);
}

const BusOps crb_bus_ops = {crb_read, crb_write};

/* ---- life ---- */

static void
clear_registers(Crb *crb)
{
    crb->assigned = crb->ready = crb->busy = false;
    memset(crb->buffer, 0, sizeof(crb->buffer));
}

static void
crb_free(void *device)
{
    Crb *crb = device;

    if (!crb)
        return;
    swtpm_free(crb->swtpm);
    swtpm_blobs_clear(crb->blobs);
    g_mutex_clear(&crb->lock);
    g_free(crb);
}

static void
ignore_report(void *user, const char *message)
{
}

Crb *
crb_new(int control, void (*report)(void *user, const char *message), void *user, GError **error)
{
    Crb *crb = g_new0(Crb, 1);

    g_mutex_init(&crb->lock);
    crb->report = ignore_report; /* an error of this function says it all */
    crb->swtpm = swtpm_new(control, &swtpm_ops, crb, error);
    if (!crb->swtpm || !swtpm_start(crb->swtpm, DATA_SIZE, error)) {
        crb_free(crb);
        return NULL;
    }
    crb->report = report;
    crb->user = user;
    return crb;
}

/* A reset of the machine is one of the TPM: its volatile state is gone, what is permanent stays. */
static void
crb_reset(void *device)
{
    Crb *crb = device;
    g_autoptr(GError) error = NULL;

    clear_registers(crb); /* nothing is under way: quiesced before */
    crb->failed = !swtpm_start(crb->swtpm, DATA_SIZE, &error);
    if (g_error_matches(error, SWTPM_ERROR, SWTPM_ERROR_REFUSED))
        crb->report(crb->user, error->message); /* a loss was reported already */
}

static void
crb_quiesce(void *device)
{
    swtpm_finish(((Crb *)device)->swtpm);
}

bool
crb_fetch_state(Crb *crb, GError **error)
{
    crb->fetched = !crb->failed && swtpm_get_state(crb->swtpm, crb->blobs, error);
    if (crb->failed) /* one that has failed, just now even, has failed when it is loaded, too */
        g_clear_error(error);
    return crb->fetched || crb->failed;
}

static void
crb_before_save(void *object)
{
    Crb *crb = object;
    g_assert(crb->fetched || crb->failed);
}

static void
crb_after_save(void *object)
{
    Crb *crb = object;
    swtpm_blobs_clear(crb->blobs);
    crb->fetched = false;
}

static bool
crb_after_load(void *object, GError **error)
{
    Crb *crb = object;
    bool done = crb->failed || swtpm_resume(crb->swtpm, DATA_SIZE, crb->blobs, error);

    swtpm_blobs_clear(crb->blobs);
    return done;
}

static const StateField blob_fields[] = {
    STATE_BUFFER(SwtpmBlob, bytes, 1, SWTPM_BLOB_MAX),
    STATE_UINT(SwtpmBlob, flags, 1),
    STATE_END,
};
static const StateTable blob_state = {.name = "tpm-blob", .version = 1, .oldest = 1, .fields = blob_fields};

static const StateField crb_fields[] = {
    STATE_BOOL(Crb, assigned, 1),
    STATE_BOOL(Crb, ready, 1),
    STATE_BOOL(Crb, failed, 1),
    STATE_BYTES(Crb, buffer, 1),
    STATE_ARRAY(Crb, blobs, 1, &blob_state), /* permanent, volatile, saved */
    STATE_END,
};
static const StateTable crb_state = {
    .name = "tpm-crb",
    .version = 1,
    .oldest = 1,
    .fields = crb_fields,
    .before_save = crb_before_save,
    .after_save = crb_after_save,
    .after_load = crb_after_load,
};

const DeviceOps crb_device_ops = {
    .name = "tpm-crb",
    .reset = crb_reset,
    .quiesce = crb_quiesce,
    .state = &crb_state,
    .free = crb_free,
};
