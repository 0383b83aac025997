/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio over PCI: registers decoded, interrupts and doorbells wired. The rules behind the registers are device.c's.
 *
 * Lock order: PCI's config lock, the virtio device's lock, then the doorbells' or the ISR's, which are leaves.
 */
#include "vmm/virtio/pci.h"
#include "vmm/pci/msix.h"
#include "vmm/virtio/transport.h"

#include <linux/virtio_pci.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>

#define VENDOR_ID 0x1af4
#define DEVICE_ID_BASE 0x1040 /* virtio 1.2, 4.1.2.1 */
#define SUBSYSTEM_ID 0x1100

#define MSIX_BAR 1
#define VIRTIO_BAR 4
#define VIRTIO_BAR_SIZE 0x4000
/* Where in that BAR, a page each. */
#define COMMON_OFFSET 0x0000
#define ISR_OFFSET 0x1000
#define DEVICE_OFFSET 0x2000
#define NOTIFY_OFFSET 0x3000
#define PART_SIZE 0x1000
#define NOTIFY_STEP 4 /* bytes between two queues' doorbells */

#define ISR_QUEUE 1
#define ISR_CONFIG 2

#define NO_DOORBELL (-1)

G_STATIC_ASSERT(VIRTIO_QUEUES_MAX *NOTIFY_STEP <= PART_SIZE);
G_STATIC_ASSERT(VIRTIO_QUEUES_MAX + 1 <= PCI_MSIX_VECTORS_MAX);

struct VirtioPci {
    PciDevice pci;
    VirtioDevice *device; /* owned */
    unsigned cfg_access;  /* where the configuration access capability is */

    /* Registers, under the device's lock; the vectors are also read without it, atomically. */
    uint32_t device_feature_select;
    uint32_t driver_feature_select;
    uint16_t queue_select;
    uint16_t config_vector;
    uint16_t queue_vectors[VIRTIO_QUEUES_MAX];

    GMutex isr_lock;
    uint8_t isr;

    GMutex doorbell_lock;
    uint64_t notify_address;                 /* of the notification structure; 0: the BAR is not mapped */
    bool driver_runs;                        /* DRIVER_OK: doorbells belong on the bus */
    uint64_t doorbell_address;               /* where they are now; 0: nowhere */
    int8_t doorbell_size[VIRTIO_QUEUES_MAX]; /* as added: 0 any, 2, or NO_DOORBELL */
};

/* --- interrupts ------------------------------------------------------------------------------------------------- */

static void
isr_raise(VirtioPci *pci, uint8_t why)
{
    g_mutex_lock(&pci->isr_lock);
    pci->isr |= why;
    pci_device_set_intx(&pci->pci, true);
    g_mutex_unlock(&pci->isr_lock);
}

/* Reading acknowledges (virtio 1.2, 4.1.4.5). */
static uint8_t
isr_take(VirtioPci *pci)
{
    g_mutex_lock(&pci->isr_lock);
    uint8_t why = pci->isr;
    pci->isr = 0;
    pci_device_set_intx(&pci->pci, false);
    g_mutex_unlock(&pci->isr_lock);
    return why;
}

/* VIRTIO_MSI_NO_VECTOR is no vector of any device, so it signals nothing. */
static void
interrupt(VirtioPci *pci, const uint16_t *vector, uint8_t why)
{
    if (pci_msix_enabled(&pci->pci))
        pci_msix_signal(&pci->pci, __atomic_load_n(vector, __ATOMIC_RELAXED));
    else
        isr_raise(pci, why);
}

static void
notify_queue(void *transport, VirtQueue *queue)
{
    VirtioPci *pci = transport;
    interrupt(pci, &pci->queue_vectors[virtqueue_index(queue)], ISR_QUEUE);
}

static void
notify_config(void *transport)
{
    VirtioPci *pci = transport;
    interrupt(pci, &pci->config_vector, ISR_CONFIG);
}

/* A vector the device does not have reads back as none (virtio 1.2, 4.1.5.1.2.1). */
static void
set_vector(VirtioPci *pci, uint16_t *vector, uint16_t value)
{
    __atomic_store_n(vector, value < pci_msix_vectors(&pci->pci) ? value : VIRTIO_MSI_NO_VECTOR, __ATOMIC_RELAXED);
}

static void
give_call_fds(VirtioPci *pci)
{
    bool msix = pci_msix_enabled(&pci->pci);

    for (unsigned i = 0; i < pci->device->n_queues; i++) {
        uint16_t vector = pci->queue_vectors[i];
        bool has = msix && vector != VIRTIO_MSI_NO_VECTOR;
        virtqueue_set_call_fd(pci->device->queues[i], has ? pci_msix_eventfd(&pci->pci, vector) : -1);
    }
}

/* --- doorbells -------------------------------------------------------------------------------------------------- */

static uint64_t
doorbell_place(uint64_t base, unsigned queue)
{
    return base + queue * NOTIFY_STEP;
}

static void
doorbells_remove(VirtioPci *pci)
{
    Bus *memory = pci_bus_memory(pci->pci.bus);

    for (unsigned i = 0; i < pci->device->n_queues; i++) {
        if (pci->doorbell_size[i] == NO_DOORBELL)
            continue;
        bus_doorbell_remove(memory, doorbell_place(pci->doorbell_address, i), pci->doorbell_size[i],
                            virtqueue_kick_fd(pci->device->queues[i]));
        pci->doorbell_size[i] = NO_DOORBELL;
    }
    pci->doorbell_address = 0;
}

/* A queue whose doorbell the host does not take rings through notify_write(). */
static void
doorbells_add(VirtioPci *pci)
{
    Bus *memory = pci_bus_memory(pci->pci.bus);

    pci->doorbell_address = pci->notify_address;
    for (unsigned i = 0; i < pci->device->n_queues; i++) {
        VirtQueue *queue = pci->device->queues[i];
        uint64_t place = doorbell_place(pci->doorbell_address, i);
        if (!virtqueue_enabled(queue))
            continue;
        if (bus_doorbell_add(memory, place, 0, virtqueue_kick_fd(queue)) == 0)
            pci->doorbell_size[i] = 0;
        else if (bus_doorbell_add(memory, place, 2, virtqueue_kick_fd(queue)) == 0)
            pci->doorbell_size[i] = 2;
    }
}

/* Puts the doorbells where they belong now: nowhere while the BAR is unmapped or no driver runs. */
static void
doorbells_follow(VirtioPci *pci)
{
    uint64_t wanted = pci->driver_runs ? pci->notify_address : 0;

    if (wanted == pci->doorbell_address)
        return;
    if (pci->doorbell_address)
        doorbells_remove(pci);
    if (wanted)
        doorbells_add(pci);
}

static void
set_driver_runs(VirtioPci *pci, bool runs)
{
    g_mutex_lock(&pci->doorbell_lock);
    pci->driver_runs = runs;
    doorbells_follow(pci);
    g_mutex_unlock(&pci->doorbell_lock);
}

static void
set_notify_address(VirtioPci *pci, uint64_t address)
{
    g_mutex_lock(&pci->doorbell_lock);
    pci->notify_address = address;
    doorbells_follow(pci);
    g_mutex_unlock(&pci->doorbell_lock);
}

static void
bar_mapped(PciDevice *device, unsigned bar, uint64_t address)
{
    if (bar == VIRTIO_BAR)
        set_notify_address((VirtioPci *)device, address + NOTIFY_OFFSET);
}

static void
bar_unmapping(PciDevice *device, unsigned bar, uint64_t address)
{
    if (bar == VIRTIO_BAR)
        set_notify_address((VirtioPci *)device, 0);
}

/* --- the common configuration structure (virtio 1.2, 4.1.4.3) ------------------------------------------------------- */

static uint32_t
feature_word(uint64_t features, uint32_t select)
{
    return select < 2 ? features >> (32 * select) : 0;
}

static VirtQueue *
selected_queue(const VirtioPci *pci)
{
    return pci->queue_select < pci->device->n_queues ? pci->device->queues[pci->queue_select] : NULL;
}

/* The registers as the driver would read them now. A queue that does not exist has size 0. */
static struct virtio_pci_common_cfg
common_registers(const VirtioPci *pci)
{
    const VirtioDevice *device = pci->device;
    struct virtio_pci_common_cfg registers = {
        .device_feature_select = pci->device_feature_select,
        .device_feature = feature_word(device->offered, pci->device_feature_select),
        .guest_feature_select = pci->driver_feature_select,
        .guest_feature = feature_word(device->accepted, pci->driver_feature_select),
        .msix_config = pci->config_vector,
        .num_queues = device->n_queues,
        .device_status = virtio_device_status(device),
        .config_generation = __atomic_load_n(&device->config_generation, __ATOMIC_ACQUIRE),
        .queue_select = pci->queue_select,
        .queue_msix_vector = VIRTIO_MSI_NO_VECTOR,
    };
    const VirtQueue *queue = selected_queue(pci);
    if (!queue)
        return registers;
    const VirtQueueSetup *setup = virtqueue_setup(queue);
    registers.queue_size = setup->size;
    registers.queue_msix_vector = pci->queue_vectors[pci->queue_select];
    registers.queue_enable = virtqueue_enabled(queue);
    registers.queue_notify_off = pci->queue_select;
    registers.queue_desc_lo = setup->descriptors;
    registers.queue_desc_hi = setup->descriptors >> 32;
    registers.queue_avail_lo = setup->driver;
    registers.queue_avail_hi = setup->driver >> 32;
    registers.queue_used_lo = setup->device;
    registers.queue_used_hi = setup->device >> 32;
    return registers;
}

static uint64_t
common_read(VirtioPci *pci, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    g_mutex_lock(&pci->device->lock);
    struct virtio_pci_common_cfg registers = common_registers(pci);
    g_mutex_unlock(&pci->device->lock);
    if (offset < sizeof(registers))
        memcpy(&value, (const uint8_t *)&registers + offset, MIN(size, sizeof(registers) - offset));
    return value;
}

static void
reset_registers(VirtioPci *pci)
{
    pci->device_feature_select = pci->driver_feature_select = 0;
    pci->queue_select = 0;
    __atomic_store_n(&pci->config_vector, VIRTIO_MSI_NO_VECTOR, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
        __atomic_store_n(&pci->queue_vectors[i], VIRTIO_MSI_NO_VECTOR, __ATOMIC_RELAXED);
    isr_take(pci);
}

static void
write_status(VirtioPci *pci, uint8_t status)
{
    VirtioDevice *device = pci->device;

    if (status & ~device->status & VIRTIO_CONFIG_S_DRIVER_OK)
        give_call_fds(pci);
    if (!status)
        set_driver_runs(pci, false);
    virtio_device_set_status(device, status);
    if (!status)
        reset_registers(pci);
    else
        set_driver_runs(pci, device->status & VIRTIO_CONFIG_S_DRIVER_OK);
}

static void
write_features(VirtioPci *pci, uint32_t word)
{
    VirtioDevice *device = pci->device;
    uint32_t select = pci->driver_feature_select;

    if (select > 1)
        return;
    uint64_t others = device->accepted & ~((uint64_t)UINT32_MAX << (32 * select));
    virtio_device_accept(device, others | (uint64_t)word << (32 * select));
}

/* Puts @size bytes at @offset of a 64-bit address register: a half or, as some drivers do, the whole. */
static void
patch_address(uint64_t *address, unsigned offset, unsigned size, uint64_t value)
{
    if (size == 8 && offset == 0)
        *address = value;
    else if (size == 4)
        memcpy((uint8_t *)address + offset, &value, 4);
}

static void
write_queue_setup(VirtioPci *pci, uint64_t offset, unsigned size, uint64_t value)
{
    VirtQueue *queue = selected_queue(pci);
    if (!queue)
        return;
    VirtQueueSetup setup = *virtqueue_setup(queue);

    if (offset == VIRTIO_PCI_COMMON_Q_SIZE && size == 2)
        setup.size = value;
    else if (offset == VIRTIO_PCI_COMMON_Q_DESCLO || offset == VIRTIO_PCI_COMMON_Q_DESCHI)
        patch_address(&setup.descriptors, offset - VIRTIO_PCI_COMMON_Q_DESCLO, size, value);
    else if (offset == VIRTIO_PCI_COMMON_Q_AVAILLO || offset == VIRTIO_PCI_COMMON_Q_AVAILHI)
        patch_address(&setup.driver, offset - VIRTIO_PCI_COMMON_Q_AVAILLO, size, value);
    else if (offset == VIRTIO_PCI_COMMON_Q_USEDLO || offset == VIRTIO_PCI_COMMON_Q_USEDHI)
        patch_address(&setup.device, offset - VIRTIO_PCI_COMMON_Q_USEDLO, size, value);
    virtqueue_set_setup(queue, &setup);
}

/* Each register by an access of its own width only (virtio 1.2, 4.1.3.1); anything else is ignored. */
static void
common_write_locked(VirtioPci *pci, uint64_t offset, unsigned size, uint64_t value)
{
    VirtQueue *queue = selected_queue(pci);

    switch (offset << 4 | size) {
    case VIRTIO_PCI_COMMON_DFSELECT << 4 | 4:
        pci->device_feature_select = value;
        break;
    case VIRTIO_PCI_COMMON_GFSELECT << 4 | 4:
        pci->driver_feature_select = value;
        break;
    case VIRTIO_PCI_COMMON_GF << 4 | 4:
        write_features(pci, value);
        break;
    case VIRTIO_PCI_COMMON_MSIX << 4 | 2:
        set_vector(pci, &pci->config_vector, value);
        break;
    case VIRTIO_PCI_COMMON_STATUS << 4 | 1:
        write_status(pci, value);
        break;
    case VIRTIO_PCI_COMMON_Q_SELECT << 4 | 2:
        pci->queue_select = value;
        break;
    case VIRTIO_PCI_COMMON_Q_MSIX << 4 | 2:
        if (queue)
            set_vector(pci, &pci->queue_vectors[pci->queue_select], value);
        break;
    case VIRTIO_PCI_COMMON_Q_ENABLE << 4 | 2:
        if (queue && value == 1)
            virtqueue_enable(queue);
        break;
    default:
        write_queue_setup(pci, offset, size, value);
    }
}

static void
common_write(VirtioPci *pci, uint64_t offset, unsigned size, uint64_t value)
{
    g_mutex_lock(&pci->device->lock);
    common_write_locked(pci, offset, size, value);
    g_mutex_unlock(&pci->device->lock);
}

/* --- the other structures --------------------------------------------------------------------------------------- */

static uint64_t
device_config_read(VirtioPci *pci, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    g_mutex_lock(&pci->device->lock);
    virtio_device_config_read(pci->device, offset, &value, size);
    g_mutex_unlock(&pci->device->lock);
    return value;
}

static void
device_config_write(VirtioPci *pci, uint64_t offset, unsigned size, uint64_t value)
{
    g_mutex_lock(&pci->device->lock);
    virtio_device_config_write(pci->device, offset, &value, size);
    g_mutex_unlock(&pci->device->lock);
}

/* Where the kernel has no doorbell: the place says which queue, as the value does. */
static void
notify_write(VirtioPci *pci, uint64_t offset)
{
    uint64_t queue = offset / NOTIFY_STEP;

    if (queue < pci->device->n_queues)
        (void)!eventfd_write(virtqueue_kick_fd(pci->device->queues[queue]), 1);
}

static uint64_t
bar_read(void *owner, uint64_t offset, unsigned size)
{
    uint64_t inside = offset % PART_SIZE;

    switch (offset - inside) {
    case COMMON_OFFSET:
        return common_read(owner, inside, size);
    case ISR_OFFSET:
        return inside ? 0 : isr_take(owner);
    case DEVICE_OFFSET:
        return device_config_read(owner, inside, size);
    default:
        return 0; /* doorbells read as nothing */
    }
}

static void
bar_write(void *owner, uint64_t offset, unsigned size, uint64_t value)
{
    uint64_t inside = offset % PART_SIZE;

    switch (offset - inside) {
    case COMMON_OFFSET:
        common_write(owner, inside, size, value);
        break;
    case DEVICE_OFFSET:
        device_config_write(owner, inside, size, value);
        break;
    case NOTIFY_OFFSET:
        notify_write(owner, inside);
        break;
    default:
        break; /* the ISR is read-only */
    }
}

/* --- capabilities (virtio 1.2, 4.1.4) ---------------------------------------------------------------------------- */

static unsigned
add_capability(PciConfig *config, uint8_t type, unsigned size, uint32_t offset, uint32_t length)
{
    unsigned at = pci_config_add_capability(config, PCI_CAP_ID_VNDR, size);

    pci_config_set(config, at + VIRTIO_PCI_CAP_LEN, 1, size);
    pci_config_set(config, at + VIRTIO_PCI_CAP_CFG_TYPE, 1, type);
    pci_config_set(config, at + VIRTIO_PCI_CAP_BAR, 1, VIRTIO_BAR);
    pci_config_set(config, at + VIRTIO_PCI_CAP_OFFSET, 4, offset);
    pci_config_set(config, at + VIRTIO_PCI_CAP_LENGTH, 4, length);
    return at;
}

static void
add_capabilities(VirtioPci *pci)
{
    PciConfig *config = &pci->pci.config;
    const unsigned size = sizeof(struct virtio_pci_cap);

    add_capability(config, VIRTIO_PCI_CAP_COMMON_CFG, size, COMMON_OFFSET, sizeof(struct virtio_pci_common_cfg));
    unsigned notify = add_capability(config, VIRTIO_PCI_CAP_NOTIFY_CFG, sizeof(struct virtio_pci_notify_cap),
                                     NOTIFY_OFFSET, NOTIFY_STEP * MAX(pci->device->n_queues, 1));
    pci_config_set(config, notify + VIRTIO_PCI_NOTIFY_CAP_MULT, 4, NOTIFY_STEP);
    add_capability(config, VIRTIO_PCI_CAP_ISR_CFG, size, ISR_OFFSET, 1);
    if (pci->device->class->config_size)
        add_capability(config, VIRTIO_PCI_CAP_DEVICE_CFG, size, DEVICE_OFFSET, pci->device->class->config_size);

    pci->cfg_access = add_capability(config, VIRTIO_PCI_CAP_PCI_CFG, sizeof(struct virtio_pci_cfg_cap), 0, 0);
    pci_config_set(config, pci->cfg_access + VIRTIO_PCI_CAP_BAR, 1, 0);
    pci_config_allow(config, pci->cfg_access + VIRTIO_PCI_CAP_BAR, 1, 0xff);
    pci_config_allow(config, pci->cfg_access + VIRTIO_PCI_CAP_OFFSET, 4, UINT32_MAX);
    pci_config_allow(config, pci->cfg_access + VIRTIO_PCI_CAP_LENGTH, 4, UINT32_MAX);
    pci_config_allow(config, pci->cfg_access + sizeof(struct virtio_pci_cap), 4, UINT32_MAX);
    pci_config_set_power_on(config);
}

/* Where the configuration access capability points; false where it is no access of 1, 2 or 4 bytes, aligned. */
typedef struct {
    unsigned bar, length;
    uint32_t offset;
    unsigned data; /* where in configuration */
} CfgAccess;

static bool
cfg_access(const VirtioPci *pci, unsigned offset, unsigned size, CfgAccess *access)
{
    const PciConfig *config = &pci->pci.config;

    access->data = pci->cfg_access + sizeof(struct virtio_pci_cap);
    if (!pci_config_touches(offset, size, access->data, 4))
        return false;
    access->bar = pci_config_get(config, pci->cfg_access + VIRTIO_PCI_CAP_BAR, 1);
    access->offset = pci_config_get(config, pci->cfg_access + VIRTIO_PCI_CAP_OFFSET, 4);
    access->length = pci_config_get(config, pci->cfg_access + VIRTIO_PCI_CAP_LENGTH, 4);
    return (access->length == 1 || access->length == 2 || access->length == 4) && access->offset % access->length == 0;
}

static void
config_reading(PciDevice *device, unsigned offset, unsigned size)
{
    CfgAccess access;

    if (cfg_access((VirtioPci *)device, offset, size, &access))
        pci_config_set(&device->config, access.data, access.length,
                       pci_device_bar_read(device, access.bar, access.offset, access.length));
}

static void
config_written(PciDevice *device, unsigned offset, unsigned size)
{
    CfgAccess access;

    if (cfg_access((VirtioPci *)device, offset, size, &access))
        pci_device_bar_write(device, access.bar, access.offset, access.length,
                             pci_config_get(&device->config, access.data, access.length));
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void
pci_init(VirtioPci *pci)
{
    static const PciDeviceOps ops = {
        .config_reading = config_reading,
        .config_written = config_written,
        .bar_mapped = bar_mapped,
        .bar_unmapping = bar_unmapping,
    };
    static const BusOps bar_ops = {.read = bar_read, .write = bar_write};
    const VirtioClass *class = pci->device->class;

    const PciIdentity identity = {
        .vendor = VENDOR_ID,
        .device = DEVICE_ID_BASE + class->id,
        .subsystem_vendor = VENDOR_ID,
        .subsystem = SUBSYSTEM_ID,
        .revision = 1, /* not transitional (virtio 1.2, 4.1.2.1) */
        .class = (class->pci_class ? class->pci_class : 0xff00) << 8,
        .intx = true,
    };
    pci_device_init(&pci->pci, &identity, &ops);
    pci_device_add_bar(&pci->pci, VIRTIO_BAR, PCI_BAR_64_PREFETCH, VIRTIO_BAR_SIZE, &bar_ops, pci);
    add_capabilities(pci);
    pci_msix_add(&pci->pci, pci->device->n_queues + 1, MSIX_BAR);
    pci_device_add_power_management(&pci->pci);
    pci_device_add_express(&pci->pci);
}

static void
pci_free(void *object)
{
    VirtioPci *pci = object;

    pci_device_finish(&pci->pci); /* doorbells go with the BAR */
    virtio_device_free(pci->device);
    g_mutex_clear(&pci->isr_lock);
    g_mutex_clear(&pci->doorbell_lock);
    g_free(pci);
}

VirtioPci *
virtio_pci_new(VirtioDevice *device, PciBus *bus, int slot, GError **error)
{
    static const VirtioTransportOps transport_ops = {.notify_queue = notify_queue, .notify_config = notify_config};

    VirtioPci *pci = g_new0(VirtioPci, 1);
    pci->device = device;
    g_mutex_init(&pci->isr_lock);
    g_mutex_init(&pci->doorbell_lock);
    memset(pci->doorbell_size, NO_DOORBELL, sizeof(pci->doorbell_size));
    pci_init(pci);
    reset_registers(pci);
    virtio_device_attach(device, &transport_ops, pci);
    if (pci_bus_add(bus, &pci->pci, slot) >= 0)
        return pci;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no PCI slot for %s: a desktop has %d, and they are all taken",
                device->id, PCI_SLOTS_FREE);
    pci_free(pci);
    return NULL;
}

VirtioDevice *
virtio_pci_device(VirtioPci *pci)
{
    return pci->device;
}

unsigned
virtio_pci_slot(const VirtioPci *pci)
{
    return pci->pci.slot;
}

/* --- for the machine -------------------------------------------------------------------------------------------- */

static void
pci_reset(void *object)
{
    VirtioPci *pci = object;

    set_driver_runs(pci, false);
    g_mutex_lock(&pci->device->lock);
    virtio_device_reset(pci->device);
    reset_registers(pci);
    g_mutex_unlock(&pci->device->lock);
    pci_device_reset(&pci->pci);
}

static void
pci_quiesce(void *object)
{
    VirtioPci *pci = object;

    g_mutex_lock(&pci->device->lock);
    virtio_device_quiesce(pci->device);
    g_mutex_unlock(&pci->device->lock);
}

static void
pci_resume(void *object)
{
    VirtioPci *pci = object;

    g_mutex_lock(&pci->device->lock);
    virtio_device_resume(pci->device);
    g_mutex_unlock(&pci->device->lock);
}

static bool
pci_after_load(void *object, GError **error)
{
    VirtioPci *pci = object;

    /* a vector beyond those there are reads back as none, also from a file */
    set_vector(pci, &pci->config_vector, pci->config_vector);
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
        set_vector(pci, &pci->queue_vectors[i], pci->queue_vectors[i]);
    give_call_fds(pci);
    set_driver_runs(pci, pci->device->status & VIRTIO_CONFIG_S_DRIVER_OK);
    return true;
}

static const StateField pci_fields[] = {
    STATE_STRUCT(VirtioPci, pci, 1, &pci_device_state),
    STATE_UINT(VirtioPci, device_feature_select, 1),
    STATE_UINT(VirtioPci, driver_feature_select, 1),
    STATE_UINT(VirtioPci, queue_select, 1),
    STATE_UINT(VirtioPci, config_vector, 1),
    STATE_BYTES(VirtioPci, queue_vectors, 1),
    STATE_UINT(VirtioPci, isr, 1),
    STATE_OBJECT(VirtioPci, device, 1, &virtio_device_state),
    STATE_END,
};

static const StateTable pci_state = {
    .name = "virtio-pci",
    .version = 1,
    .oldest = 1,
    .fields = pci_fields,
    .after_load = pci_after_load,
};

const DeviceOps virtio_pci_ops = {
    .name = "virtio-pci",
    .reset = pci_reset,
    .quiesce = pci_quiesce,
    .resume = pci_resume,
    .state = &pci_state,
    .free = pci_free,
};
