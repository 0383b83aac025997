/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X: the table the guest writes, and for each vector an eventfd and, while it is unmasked, a route in the kernel.
 *
 * A vector is open while MSI-X is on and neither the function nor the vector is masked. A signal that came while it was
 * closed is delivered when it opens: from here before the kernel listens, by the kernel if it comes in between.
 */
#include "vmm/pci/bus.h"
#include "vmm/pci/msix_private.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <poll.h>
#include <unistd.h>

#define NO_ROUTE (-1)
#define TABLE_STEP 2048 /* table and pending bits each take a power of two of at least this */

typedef struct {
    MsiMessage message;
    uint32_t control; /* bit 0: masked; the rest is reserved */
    int eventfd;
    int route;   /* of the kernel; NO_ROUTE while closed */
    bool unsent; /* atomic; open, but the kernel had no route left: signals are sent from here */
} Vector;

struct PciMsix {
    PciDevice *device;
    unsigned capability; /* where it is in configuration */
    unsigned n_vectors;
    uint64_t pending_offset; /* in the BAR */
    GMutex lock;             /* the vectors and the two below */
    bool enabled;            /* atomic for readers without the lock */
    bool function_masked;
    Vector vectors[];
};

static bool
vector_is_masked(const PciMsix *msix, const Vector *vector)
{
    return !msix->enabled || msix->function_masked || vector->control & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

/* Delivers what was signalled while nobody listened. */
static void
vector_send_pending(PciMsix *msix, Vector *vector)
{
    const IrqController *irq = pci_bus_irq(msix->device->bus);
    eventfd_t count;

    if (eventfd_read(vector->eventfd, &count) == 0)
        irq->ops->send(irq->host, &vector->message);
}

static void
vector_close(PciMsix *msix, Vector *vector)
{
    const IrqController *irq = pci_bus_irq(msix->device->bus);

    __atomic_store_n(&vector->unsent, false, __ATOMIC_SEQ_CST);
    if (vector->route == NO_ROUTE)
        return;
    irq->ops->route_remove(irq->host, vector->route, vector->eventfd);
    vector->route = NO_ROUTE;
}

static void
vector_open(PciMsix *msix, Vector *vector)
{
    const IrqController *irq = pci_bus_irq(msix->device->bus);

    if (vector->route == NO_ROUTE) {
        /* Before the kernel listens: it delivers, by itself, what it finds signalled when it begins to. */
        vector_send_pending(msix, vector);
        int route = irq->ops->route_add(irq->host, vector->eventfd, &vector->message);
        vector->route = route < 0 ? NO_ROUTE : route;
    } else if (irq->ops->route_change(irq->host, vector->route, vector->eventfd, &vector->message) < 0) {
        vector_close(msix, vector);
    }
    __atomic_store_n(&vector->unsent, vector->route == NO_ROUTE, __ATOMIC_SEQ_CST);
    if (vector->unsent)
        vector_send_pending(msix, vector);
}

/* After a change of the vector's message or of anything that masks it. With the lock. */
static void
vector_follow(PciMsix *msix, Vector *vector, bool message_changed)
{
    bool open = vector->route != NO_ROUTE || vector->unsent;

    if (vector_is_masked(msix, vector)) {
        if (open)
            vector_close(msix, vector);
    } else if (!open || message_changed) {
        vector_open(msix, vector);
    }
}

/* --- the table and the pending bits in their BAR ---------------------------------------------------------------- */

static uint32_t
table_word(const Vector *vector, unsigned at)
{
    switch (at) {
    case PCI_MSIX_ENTRY_LOWER_ADDR:
        return vector->message.address;
    case PCI_MSIX_ENTRY_UPPER_ADDR:
        return vector->message.address >> 32;
    case PCI_MSIX_ENTRY_DATA:
        return vector->message.data;
    default:
        return vector->control;
    }
}

static void
set_table_word(Vector *vector, unsigned at, uint32_t value)
{
    uint64_t address = vector->message.address;

    switch (at) {
    case PCI_MSIX_ENTRY_LOWER_ADDR:
        vector->message.address = (address & ~(uint64_t)UINT32_MAX) | (value & ~3u);
        break;
    case PCI_MSIX_ENTRY_UPPER_ADDR:
        vector->message.address = (address & UINT32_MAX) | (uint64_t)value << 32;
        break;
    case PCI_MSIX_ENTRY_DATA:
        vector->message.data = value;
        break;
    default:
        vector->control = value & PCI_MSIX_ENTRY_CTRL_MASKBIT;
    }
}

static bool
vector_is_pending(const PciMsix *msix, const Vector *vector)
{
    struct pollfd poll_fd = {.fd = vector->eventfd, .events = POLLIN};

    return vector_is_masked(msix, vector) && poll(&poll_fd, 1, 0) == 1;
}

static uint32_t
pending_word(const PciMsix *msix, uint64_t offset)
{
    uint32_t word = 0;

    for (unsigned i = 0; i < 32 && offset * 8 + i < msix->n_vectors; i++)
        word |= (uint32_t)vector_is_pending(msix, &msix->vectors[offset * 8 + i]) << i;
    return word;
}

static uint32_t
bar_word(const PciMsix *msix, uint64_t offset)
{
    if (offset < (uint64_t)msix->n_vectors * PCI_MSIX_ENTRY_SIZE)
        return table_word(&msix->vectors[offset / PCI_MSIX_ENTRY_SIZE], offset % PCI_MSIX_ENTRY_SIZE);
    if (offset >= msix->pending_offset)
        return pending_word(msix, offset - msix->pending_offset);
    return 0;
}

/* The specification allows aligned accesses of 4 and 8 bytes only (6.8.2); others read zero and write nothing. */
static bool
access_is_allowed(uint64_t offset, unsigned size)
{
    return (size == 4 || size == 8) && offset % size == 0;
}

static uint64_t
msix_read(void *owner, uint64_t offset, unsigned size)
{
    PciMsix *msix = owner;

    if (!access_is_allowed(offset, size))
        return 0;
    g_mutex_lock(&msix->lock);
    uint64_t value = bar_word(msix, offset);
    if (size == 8)
        value |= (uint64_t)bar_word(msix, offset + 4) << 32;
    g_mutex_unlock(&msix->lock);
    return value;
}

static void
msix_write(void *owner, uint64_t offset, unsigned size, uint64_t value)
{
    PciMsix *msix = owner;

    if (!access_is_allowed(offset, size) || offset >= (uint64_t)msix->n_vectors * PCI_MSIX_ENTRY_SIZE)
        return;
    g_mutex_lock(&msix->lock);
    Vector *vector = &msix->vectors[offset / PCI_MSIX_ENTRY_SIZE];
    MsiMessage before = vector->message;
    set_table_word(vector, offset % PCI_MSIX_ENTRY_SIZE, value);
    if (size == 8)
        set_table_word(vector, offset % PCI_MSIX_ENTRY_SIZE + 4, value >> 32);
    vector_follow(msix, vector, before.address != vector->message.address || before.data != vector->message.data);
    g_mutex_unlock(&msix->lock);
}

/* --- the device's side ------------------------------------------------------------------------------------------ */

void
pci_msix_add(PciDevice *device, unsigned n_vectors, unsigned bar)
{
    static const BusOps bar_ops = {.read = msix_read, .write = msix_write};

    g_assert(n_vectors && n_vectors <= PCI_MSIX_VECTORS_MAX && !device->msix);
    PciMsix *msix = g_malloc0(sizeof(*msix) + n_vectors * sizeof(Vector));
    msix->device = device;
    msix->n_vectors = n_vectors;
    msix->pending_offset = TABLE_STEP;
    while (msix->pending_offset < n_vectors * PCI_MSIX_ENTRY_SIZE)
        msix->pending_offset *= 2;
    g_mutex_init(&msix->lock);
    for (unsigned i = 0; i < n_vectors; i++) {
        msix->vectors[i].control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
        msix->vectors[i].route = NO_ROUTE;
        msix->vectors[i].eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (msix->vectors[i].eventfd < 0)
            g_error("MSI-X: eventfd: %s: raise the limit of open files", g_strerror(errno));
    }
    device->msix = msix;

    msix->capability = pci_config_add_capability(&device->config, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
    pci_config_set(&device->config, msix->capability + PCI_MSIX_FLAGS, 2, n_vectors - 1);
    pci_config_allow(&device->config, msix->capability + PCI_MSIX_FLAGS, 2,
                     PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    pci_config_set(&device->config, msix->capability + PCI_MSIX_TABLE, 4, bar);
    pci_config_set(&device->config, msix->capability + PCI_MSIX_PBA, 4, msix->pending_offset | bar);
    pci_device_add_bar(device, bar, PCI_BAR_32, 2 * msix->pending_offset, &bar_ops, msix);
}

void
pci_msix_free(PciDevice *device)
{
    PciMsix *msix = g_steal_pointer(&device->msix);

    if (!msix)
        return;
    for (unsigned i = 0; i < msix->n_vectors; i++)
        close(msix->vectors[i].eventfd);
    g_mutex_clear(&msix->lock);
    g_free(msix);
}

bool
pci_msix_enabled(const PciDevice *device)
{
    return device->msix && __atomic_load_n(&device->msix->enabled, __ATOMIC_ACQUIRE);
}

unsigned
pci_msix_vectors(const PciDevice *device)
{
    return device->msix ? device->msix->n_vectors : 0;
}

int
pci_msix_eventfd(const PciDevice *device, unsigned vector)
{
    g_assert(vector < pci_msix_vectors(device));
    return device->msix->vectors[vector].eventfd;
}

void
pci_msix_signal(PciDevice *device, unsigned number)
{
    PciMsix *msix = device->msix;

    if (number >= pci_msix_vectors(device))
        return;
    Vector *vector = &msix->vectors[number];
    (void)!eventfd_write(vector->eventfd, 1);
    if (!__atomic_load_n(&vector->unsent, __ATOMIC_SEQ_CST))
        return;
    g_mutex_lock(&msix->lock);
    if (vector->unsent)
        vector_send_pending(msix, vector);
    g_mutex_unlock(&msix->lock);
}

/* Takes the two control bits from configuration. With the lock. */
static void
msix_follow_control(PciMsix *msix)
{
    uint16_t control = pci_config_get(&msix->device->config, msix->capability + PCI_MSIX_FLAGS, 2);

    __atomic_store_n(&msix->enabled, !!(control & PCI_MSIX_FLAGS_ENABLE), __ATOMIC_RELEASE);
    msix->function_masked = control & PCI_MSIX_FLAGS_MASKALL;
    for (unsigned i = 0; i < msix->n_vectors; i++)
        vector_follow(msix, &msix->vectors[i], false);
}

void
pci_msix_config_written(PciDevice *device, unsigned offset, unsigned size)
{
    PciMsix *msix = device->msix;

    if (!msix || !pci_config_touches(offset, size, msix->capability + PCI_MSIX_FLAGS, 2))
        return;
    g_mutex_lock(&msix->lock);
    msix_follow_control(msix);
    g_mutex_unlock(&msix->lock);
}

void
pci_msix_reset(PciDevice *device)
{
    PciMsix *msix = device->msix;
    eventfd_t count;

    if (!msix)
        return;
    g_mutex_lock(&msix->lock);
    msix_follow_control(msix); /* closes every vector: configuration was reset */
    for (unsigned i = 0; i < msix->n_vectors; i++) {
        Vector *vector = &msix->vectors[i];
        vector->message = (MsiMessage){0};
        vector->control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
        (void)!eventfd_read(vector->eventfd, &count);
    }
    g_mutex_unlock(&msix->lock);
}

/* --- saved state ------------------------------------------------------------------------------------------------ */

static const StateField vector_fields[] = {
    STATE_UINT(PciMsixVectorState, address, 1),
    STATE_UINT(PciMsixVectorState, data, 1),
    STATE_BOOL(PciMsixVectorState, masked, 1),
    STATE_BOOL(PciMsixVectorState, pending, 1),
    STATE_END,
};

static void *
vector_state_create(void)
{
    return g_new0(PciMsixVectorState, 1);
}

const StateTable pci_msix_vector_state = {
    .name = "msix-vector",
    .version = 1,
    .oldest = 1,
    .fields = vector_fields,
    .create = vector_state_create,
};

void
pci_msix_save(PciDevice *device, GPtrArray *to)
{
    PciMsix *msix = device->msix;

    for (unsigned i = 0; i < pci_msix_vectors(device); i++) {
        const Vector *vector = &msix->vectors[i];
        PciMsixVectorState *state = vector_state_create();
        *state = (PciMsixVectorState){
            .address = vector->message.address,
            .data = vector->message.data,
            .masked = vector->control & PCI_MSIX_ENTRY_CTRL_MASKBIT,
            .pending = vector_is_pending(msix, vector),
        };
        g_ptr_array_add(to, state);
    }
}

bool
pci_msix_load(PciDevice *device, const GPtrArray *from)
{
    PciMsix *msix = device->msix;

    if (from->len != pci_msix_vectors(device))
        return false;
    for (unsigned i = 0; i < from->len; i++) {
        const PciMsixVectorState *state = from->pdata[i];
        Vector *vector = &msix->vectors[i];
        vector->message = (MsiMessage){.address = state->address, .data = state->data};
        vector->control = state->masked ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0;
        if (state->pending)
            (void)!eventfd_write(vector->eventfd, 1);
    }
    return true;
}
