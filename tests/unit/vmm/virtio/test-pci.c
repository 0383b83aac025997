/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio-pci transport as a guest's driver meets it: capabilities, registers, doorbells, interrupts, reset, state. */
#include "../pci/fixture.h"
#include "driver.h"
#include "vmm/virtio/pci.h"

#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <string.h>

#define SLOT 3
#define QUEUES 2
#define FEATURE 5

/* A device that fills every buffer with 0x5a, and counts. */
typedef struct {
    VirtioDevice device;
    unsigned starts, stops, served[QUEUES];
    uint8_t config[7];
    int call_fd; /* as it was at start */
} Probe;

static void
probe_serve(VirtioDevice *device, VirtQueue *queue)
{
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    Probe *probe = (Probe *)device;

    probe->served[virtqueue_index(queue)]++;
    while (virtqueue_pop(queue, &chain)) {
        for (size_t i = 0; i < chain.n_in; i++)
            memset(chain.in[i].iov_base, 0x5a, chain.in[i].iov_len);
        virtqueue_push(queue, &chain, chain.in_len);
    }
    virtqueue_notify(queue);
}

static void
probe_start(VirtioDevice *device)
{
    Probe *probe = (Probe *)device;
    probe->starts++;
    probe->call_fd = virtqueue_call_fd(device->queues[0]);
}

static void
probe_stop(VirtioDevice *device)
{
    ((Probe *)device)->stops++;
}

static void
probe_config_read(VirtioDevice *device, uint32_t offset, void *to, uint32_t len)
{
    memcpy(to, ((Probe *)device)->config + offset, len);
}

static void
probe_config_write(VirtioDevice *device, uint32_t offset, const void *from, uint32_t len)
{
    memcpy(((Probe *)device)->config + offset, from, len);
}

static const VirtioClass probe_class = {
    .name = "virtio-probe",
    .id = VIRTIO_ID_RNG,
    .pci_class = 0x0280,
    .n_queues = QUEUES,
    .queue_size = 16,
    .features = 1 << FEATURE,
    .config_size = 7,
    .serve = probe_serve,
    .start = probe_start,
    .stop = probe_stop,
    .config_read = probe_config_read,
    .config_write = probe_config_write,
};

typedef struct {
    PciFixture bus;
    GuestMemory *memory;
    Probe *probe;
    VirtioPci *pci;
    uint64_t common, notify, isr, device; /* where the guest finds the structures */
    uint32_t notify_step;
    uint64_t msix;
    struct vring_desc *descriptors; /* queue 0's */
    struct vring_avail *avail;
    struct vring_used *used;
} Fixture;

#define RING 0x10000 /* guest physical, queue q at RING + q * 0x4000: descriptors, driver, device a page each */
#define BUFFER 0x30000

static void
make_device(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    Probe *probe = g_new0(Probe, 1);
    memcpy(probe->config, "configu", 7);
    virtio_device_init(&probe->device, &probe_class, "probe0", fixture->memory, 0, 0, NULL);
    fixture->probe = probe;
    fixture->pci = virtio_pci_new(&probe->device, fixture->bus.pci, SLOT, &error);
    g_assert_no_error(error);
}

/* The @type structure's address and length, found through the capability list as virtio 1.2, 4.1.4 says. */
static uint64_t
find_structure(Fixture *fixture, uint8_t type, uint32_t *length, unsigned *capability)
{
    unsigned at;
    for (unsigned n = 0; (at = find_capability(&fixture->bus, SLOT, PCI_CAP_ID_VNDR, n)); n++) {
        if (config_get(&fixture->bus, SLOT, at + VIRTIO_PCI_CAP_CFG_TYPE, 1) != type)
            continue;
        if (length)
            *length = config_get(&fixture->bus, SLOT, at + VIRTIO_PCI_CAP_LENGTH, 4);
        if (capability)
            *capability = at;
        return bar_base(&fixture->bus, SLOT, config_get(&fixture->bus, SLOT, at + VIRTIO_PCI_CAP_BAR, 1)) +
               config_get(&fixture->bus, SLOT, at + VIRTIO_PCI_CAP_OFFSET, 4);
    }
    g_assert_not_reached();
}

static void
find_structures(Fixture *fixture)
{
    unsigned capability;

    fixture->common = find_structure(fixture, VIRTIO_PCI_CAP_COMMON_CFG, NULL, NULL);
    fixture->isr = find_structure(fixture, VIRTIO_PCI_CAP_ISR_CFG, NULL, NULL);
    fixture->device = find_structure(fixture, VIRTIO_PCI_CAP_DEVICE_CFG, NULL, NULL);
    fixture->notify = find_structure(fixture, VIRTIO_PCI_CAP_NOTIFY_CFG, NULL, &capability);
    fixture->notify_step = config_get(&fixture->bus, SLOT, capability + VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
    fixture->msix = bar_base(&fixture->bus, SLOT, 1);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    pci_fixture_init(&fixture->bus);
    fixture->memory = guest_memory_new(&(GuestMemoryOptions){.size = 1 << 20}, NULL);
    make_device(fixture);
    pci_fixture_assign(&fixture->bus);
    config_put(&fixture->bus, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    find_structures(fixture);
    fixture->descriptors = (void *)guest_memory_at(fixture->memory, RING, 0x1000);
    fixture->avail = (void *)guest_memory_at(fixture->memory, RING + 0x1000, 0x1000);
    fixture->used = (void *)guest_memory_at(fixture->memory, RING + 0x2000, 0x1000);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    virtio_pci_ops.free(fixture->pci);
    pci_fixture_finish(&fixture->bus);
    guest_memory_free(fixture->memory);
}

static uint64_t
get(Fixture *fixture, unsigned offset, unsigned size)
{
    return bus_read(fixture->bus.memory, fixture->common + offset, size);
}

static void
put(Fixture *fixture, unsigned offset, unsigned size, uint64_t value)
{
    bus_write(fixture->bus.memory, fixture->common + offset, size, value);
}

static void
run(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static void
negotiate(Fixture *fixture)
{
    put(fixture, VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    put(fixture, VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    put(fixture, VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
    put(fixture, VIRTIO_PCI_COMMON_GF, 4, 1 << FEATURE);
    put(fixture, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
    put(fixture, VIRTIO_PCI_COMMON_GF, 4, 1); /* VERSION_1 */
    put(fixture, VIRTIO_PCI_COMMON_STATUS, 1, 0xb);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 0xb);
}

static void
setup_queue(Fixture *fixture, unsigned queue, unsigned vector)
{
    uint64_t ring = RING + queue * 0x4000;

    put(fixture, VIRTIO_PCI_COMMON_Q_SELECT, 2, queue);
    g_assert_cmpuint(get(fixture, VIRTIO_PCI_COMMON_Q_SIZE, 2), ==, 16);
    put(fixture, VIRTIO_PCI_COMMON_Q_SIZE, 2, 8);
    put(fixture, VIRTIO_PCI_COMMON_Q_MSIX, 2, vector);
    put(fixture, VIRTIO_PCI_COMMON_Q_DESCLO, 4, ring);
    put(fixture, VIRTIO_PCI_COMMON_Q_DESCHI, 4, 0);
    put(fixture, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, ring + 0x1000);
    put(fixture, VIRTIO_PCI_COMMON_Q_AVAILHI, 4, 0);
    put(fixture, VIRTIO_PCI_COMMON_Q_USEDLO, 8, ring + 0x2000); /* some drivers write the whole */
    put(fixture, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
    g_assert_cmpuint(get(fixture, VIRTIO_PCI_COMMON_Q_ENABLE, 2), ==, 1);
    g_assert_cmpuint(get(fixture, VIRTIO_PCI_COMMON_Q_NOFF, 2), ==, queue);
}

static void
driver_ok(Fixture *fixture)
{
    put(fixture, VIRTIO_PCI_COMMON_STATUS, 1, 0xf);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 0xf);
    run();
}

/* Makes one writable buffer of 4 bytes available on queue 0 and rings its doorbell. */
static void
request(Fixture *fixture)
{
    uint16_t at = fixture->avail->idx % 8;
    memset(guest_memory_at(fixture->memory, BUFFER, 4), 0, 4);
    fixture->descriptors[at] = (struct vring_desc){.addr = BUFFER, .len = 4, .flags = VRING_DESC_F_WRITE};
    fixture->avail->ring[at] = at;
    __atomic_add_fetch(&fixture->avail->idx, 1, __ATOMIC_RELEASE);
    bus_write(fixture->bus.memory, fixture->notify, 2, 0);
    run();
}

static void
enable_msix(Fixture *fixture)
{
    unsigned at = find_capability(&fixture->bus, SLOT, PCI_CAP_ID_MSIX, 0);
    config_put(&fixture->bus, SLOT, at + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    for (unsigned i = 0; i <= QUEUES; i++) {
        bus_write(fixture->bus.memory, fixture->msix + 16 * i, 8, 0xfee00000);
        bus_write(fixture->bus.memory, fixture->msix + 16 * i + 8, 8, 0x40 + i);
    }
}

static unsigned
interrupts(Fixture *fixture, uint32_t *vector)
{
    return irq_recorder_take(&fixture->bus.irq, vector);
}

static void
test_identity(Fixture *fixture, gconstpointer data)
{
    uint32_t length;

    g_assert_cmphex(config_get(&fixture->bus, SLOT, 0, 4), ==, 0x10441af4);
    g_assert_cmphex(config_get(&fixture->bus, SLOT, PCI_CLASS_REVISION, 4), ==, 0x02800001);
    g_assert_cmphex(config_get(&fixture->bus, SLOT, PCI_SUBSYSTEM_ID, 2), >=, 0x40);
    find_structure(fixture, VIRTIO_PCI_CAP_COMMON_CFG, &length, NULL);
    g_assert_cmpuint(length, >=, sizeof(struct virtio_pci_common_cfg));
    find_structure(fixture, VIRTIO_PCI_CAP_NOTIFY_CFG, &length, NULL);
    g_assert_cmpuint(length, >=, QUEUES * fixture->notify_step);
    find_structure(fixture, VIRTIO_PCI_CAP_DEVICE_CFG, &length, NULL);
    g_assert_cmpuint(length, ==, 7);
    g_assert_cmpuint(find_capability(&fixture->bus, SLOT, PCI_CAP_ID_EXP, 0), !=, 0);
    g_assert_cmpuint(get(fixture, VIRTIO_PCI_COMMON_NUMQ, 2), ==, QUEUES);
}

static void
test_features(Fixture *fixture, gconstpointer data)
{
    put(fixture, VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_DF, 4), ==,
                    1u << FEATURE | 1u << VIRTIO_RING_F_INDIRECT_DESC | 1u << VIRTIO_RING_F_EVENT_IDX);
    put(fixture, VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_DF, 4), ==, 1 | 1 << (VIRTIO_F_RING_PACKED - 32));
    put(fixture, VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_DF, 4), ==, 0);

    put(fixture, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
    put(fixture, VIRTIO_PCI_COMMON_GF, 4, 1 | 1 << 7); /* never offered */
    put(fixture, VIRTIO_PCI_COMMON_STATUS, 1, 0xb);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 3);
    put(fixture, VIRTIO_PCI_COMMON_GF, 4, 1);
    put(fixture, VIRTIO_PCI_COMMON_STATUS, 1, 0xb);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 0xb);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_GF, 4), ==, 1);
}

static void
test_no_such_queue(Fixture *fixture, gconstpointer data)
{
    for (unsigned queue = QUEUES; queue <= 0xffff; queue += 0xfffd) {
        put(fixture, VIRTIO_PCI_COMMON_Q_SELECT, 2, queue);
        g_assert_cmpuint(get(fixture, VIRTIO_PCI_COMMON_Q_SIZE, 2), ==, 0);
        g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_Q_MSIX, 2), ==, VIRTIO_MSI_NO_VECTOR);
        put(fixture, VIRTIO_PCI_COMMON_Q_SIZE, 2, 8);
        put(fixture, VIRTIO_PCI_COMMON_Q_MSIX, 2, 0);
        put(fixture, VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0x1000);
        put(fixture, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
        g_assert_cmpuint(get(fixture, VIRTIO_PCI_COMMON_Q_ENABLE, 2), ==, 0);
    }
    bus_write(fixture->bus.memory, fixture->notify + QUEUES * fixture->notify_step, 2, QUEUES);
    bus_write(fixture->bus.memory, fixture->notify + 0xffc, 4, 0);
    run();
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 0);
}

static void
test_msix(Fixture *fixture, gconstpointer data)
{
    uint32_t vector = 0;

    enable_msix(fixture);
    put(fixture, VIRTIO_PCI_COMMON_MSIX, 2, 0);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_MSIX, 2), ==, 0);
    put(fixture, VIRTIO_PCI_COMMON_MSIX, 2, QUEUES + 1); /* one too far */
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_MSIX, 2), ==, VIRTIO_MSI_NO_VECTOR);
    put(fixture, VIRTIO_PCI_COMMON_MSIX, 2, 2);
    negotiate(fixture);
    setup_queue(fixture, 0, 1);
    setup_queue(fixture, 1, VIRTIO_MSI_NO_VECTOR);
    driver_ok(fixture);
    g_assert_cmpint(fixture->probe->call_fd, >=, 0);

    request(fixture);
    g_assert_cmpuint(fixture->used->idx, ==, 1);
    g_assert_cmphex(*(uint32_t *)guest_memory_at(fixture->memory, BUFFER, 4), ==, 0x5a5a5a5a);
    g_assert_cmpuint(interrupts(fixture, &vector), ==, 1);
    g_assert_cmphex(vector, ==, 0x41);
    virtio_device_config_changed(&fixture->probe->device);
    g_assert_cmpuint(interrupts(fixture, &vector), ==, 1);
    g_assert_cmphex(vector, ==, 0x42);
    g_assert_false(fixture->bus.irq.lines[board_intx_gsi(SLOT, 0)]);

    /* Another vector while it runs, and none. */
    put(fixture, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
    put(fixture, VIRTIO_PCI_COMMON_Q_MSIX, 2, 0);
    request(fixture);
    g_assert_cmpuint(interrupts(fixture, &vector), ==, 1);
    g_assert_cmphex(vector, ==, 0x40);
    put(fixture, VIRTIO_PCI_COMMON_Q_MSIX, 2, VIRTIO_MSI_NO_VECTOR);
    request(fixture);
    g_assert_cmpuint(interrupts(fixture, NULL), ==, 0);
    g_assert_cmpuint(fixture->used->idx, ==, 3);
}

static void
test_intx(Fixture *fixture, gconstpointer data)
{
    const bool *line = &fixture->bus.irq.lines[board_intx_gsi(SLOT, 0)];

    negotiate(fixture);
    setup_queue(fixture, 0, VIRTIO_MSI_NO_VECTOR);
    driver_ok(fixture);
    g_assert_cmpint(fixture->probe->call_fd, ==, -1);
    request(fixture);
    g_assert_true(*line);
    g_assert_cmphex(bus_read(fixture->bus.memory, fixture->isr, 1), ==, 1);
    g_assert_false(*line);
    g_assert_cmphex(bus_read(fixture->bus.memory, fixture->isr, 1), ==, 0);
    virtio_device_config_changed(&fixture->probe->device);
    g_assert_true(*line);
    request(fixture);
    g_assert_cmphex(bus_read(fixture->bus.memory, fixture->isr, 1), ==, 3);
    g_assert_false(*line);

    request(fixture);
    put(fixture, VIRTIO_PCI_COMMON_STATUS, 1, 0); /* a reset takes the interrupt back */
    g_assert_false(*line);
    g_assert_cmphex(bus_read(fixture->bus.memory, fixture->isr, 1), ==, 0);
    g_assert_cmpuint(interrupts(fixture, NULL), ==, 0);
}

/* The doorbells follow the BAR, and are on the bus only while a driver runs. */
static void
test_doorbells(Fixture *fixture, gconstpointer data)
{
    Bus *memory = fixture->bus.memory;
    const unsigned *served = fixture->probe->served;
    uint64_t old = fixture->notify;

    negotiate(fixture);
    setup_queue(fixture, 0, VIRTIO_MSI_NO_VECTOR);
    setup_queue(fixture, 1, VIRTIO_MSI_NO_VECTOR);
    driver_ok(fixture);
    g_assert_cmpuint(served[0] + served[1], ==, 2); /* at start */
    bus_write(memory, fixture->notify + fixture->notify_step, 2, 1);
    run();
    g_assert_cmpuint(served[1], ==, 2);

    config_put(&fixture->bus, SLOT, PCI_BASE_ADDRESS_5, 4, 0x30);
    find_structures(fixture);
    g_assert_cmphex(fixture->notify, !=, old);
    bus_write(memory, old, 2, 0);
    run();
    g_assert_cmpuint(served[0], ==, 1);
    bus_write(memory, fixture->notify, 2, 0);
    run();
    g_assert_cmpuint(served[0], ==, 2);

    put(fixture, VIRTIO_PCI_COMMON_STATUS, 1, 0);
    bus_write(memory, fixture->notify, 2, 0);
    run();
    g_assert_cmpuint(served[0], ==, 2);
}

static void
test_rings_rewritten_while_running(Fixture *fixture, gconstpointer data)
{
    negotiate(fixture);
    setup_queue(fixture, 0, VIRTIO_MSI_NO_VECTOR);
    driver_ok(fixture);
    put(fixture, VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0xfee00000);
    put(fixture, VIRTIO_PCI_COMMON_Q_AVAILHI, 4, 0xffffffff);
    put(fixture, VIRTIO_PCI_COMMON_Q_SIZE, 2, 0x8000);
    put(fixture, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 0);
    g_assert_cmpuint(get(fixture, VIRTIO_PCI_COMMON_Q_ENABLE, 2), ==, 1);
    g_assert_cmpuint(get(fixture, VIRTIO_PCI_COMMON_Q_SIZE, 2), ==, 8);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_Q_DESCLO, 4), ==, RING);
    request(fixture);
    g_assert_cmpuint(fixture->used->idx, ==, 1);
}

static void
test_needs_reset(Fixture *fixture, gconstpointer data)
{
    uint32_t vector = 0;

    enable_msix(fixture);
    put(fixture, VIRTIO_PCI_COMMON_MSIX, 2, 0);
    negotiate(fixture);
    setup_queue(fixture, 0, 1);
    driver_ok(fixture);
    fixture->avail->idx = 100;
    bus_write(fixture->bus.memory, fixture->notify, 2, 0);
    run();
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 0xf | VIRTIO_CONFIG_S_NEEDS_RESET);
    g_assert_cmpuint(interrupts(fixture, &vector), ==, 1);
    g_assert_cmphex(vector, ==, 0x40);
    fixture->avail->idx = 0;
    request(fixture);
    g_assert_cmpuint(fixture->used->idx, ==, 0);

    put(fixture, VIRTIO_PCI_COMMON_STATUS, 1, 0);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 0);
    g_assert_cmpuint(fixture->probe->stops, ==, 1);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_MSIX, 2), ==, VIRTIO_MSI_NO_VECTOR);
    fixture->avail->idx = 0;
    negotiate(fixture);
    setup_queue(fixture, 0, 1);
    driver_ok(fixture);
    request(fixture);
    g_assert_cmpuint(fixture->used->idx, ==, 1);
}

static void
test_bad_ring(Fixture *fixture, gconstpointer data)
{
    negotiate(fixture);
    put(fixture, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
    put(fixture, VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0xfee00000);
    put(fixture, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 0xb | VIRTIO_CONFIG_S_NEEDS_RESET);
    g_assert_cmpuint(get(fixture, VIRTIO_PCI_COMMON_Q_ENABLE, 2), ==, 0);
}

/* Accesses of a width that is not the register's do nothing; reads give the bytes that are there. */
static void
test_odd_accesses(Fixture *fixture, gconstpointer data)
{
    put(fixture, VIRTIO_PCI_COMMON_STATUS, 4, 0x0003000f);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 0);
    put(fixture, VIRTIO_PCI_COMMON_Q_SIZE + 1, 1, 0xff);
    put(fixture, VIRTIO_PCI_COMMON_Q_DESCLO, 2, 0xffff);
    put(fixture, VIRTIO_PCI_COMMON_Q_DESCHI, 8, UINT64_MAX);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_Q_DESCLO, 8), ==, 0);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_NUMQ, 4), ==, QUEUES); /* with status and generation */
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_NUMQ + 1, 1), ==, 0);
    g_assert_cmphex(get(fixture, 0xff8, 8), ==, 0);
    g_assert_cmphex(get(fixture, sizeof(struct virtio_pci_common_cfg) - 4, 8), ==, 0);
    put(fixture, 0xff8, 8, UINT64_MAX);
    bus_write(fixture->bus.memory, fixture->isr, 1, 0xff);
    g_assert_cmphex(bus_read(fixture->bus.memory, fixture->isr, 1), ==, 0);
    g_assert_cmphex(bus_read(fixture->bus.memory, fixture->notify, 4), ==, 0);
}

static void
test_device_config(Fixture *fixture, gconstpointer data)
{
    Bus *memory = fixture->bus.memory;

    g_assert_cmphex(bus_read(memory, fixture->device, 4), ==, 0x666e6f63); /* "conf" */
    g_assert_cmphex(bus_read(memory, fixture->device + 4, 4), ==, 0x00756769);
    g_assert_cmphex(bus_read(memory, fixture->device + 6, 1), ==, 'u');
    bus_write(memory, fixture->device + 6, 2, 0x4142);
    g_assert_cmpmem(fixture->probe->config, 7, "configB", 7);
    unsigned generation = get(fixture, VIRTIO_PCI_COMMON_CFGGENERATION, 1);
    virtio_device_config_changed(&fixture->probe->device);
    g_assert_cmpuint(get(fixture, VIRTIO_PCI_COMMON_CFGGENERATION, 1), !=, generation);
}

/* The whole device through configuration space alone (virtio 1.2, 4.1.4.9). */
static void
test_cfg_access(Fixture *fixture, gconstpointer data)
{
    PciFixture *bus = &fixture->bus;
    unsigned at;
    find_structure(fixture, VIRTIO_PCI_CAP_PCI_CFG, NULL, &at);
    unsigned window = at + sizeof(struct virtio_pci_cap);

    config_put(bus, SLOT, at + VIRTIO_PCI_CAP_BAR, 1, 4);
    config_put(bus, SLOT, at + VIRTIO_PCI_CAP_OFFSET, 4, VIRTIO_PCI_COMMON_STATUS);
    config_put(bus, SLOT, at + VIRTIO_PCI_CAP_LENGTH, 4, 1);
    config_put(bus, SLOT, window, 1, 3);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 3);
    g_assert_cmphex(config_get(bus, SLOT, window, 1), ==, 3);
    config_put(bus, SLOT, at + VIRTIO_PCI_CAP_OFFSET, 4, 0x2000);
    config_put(bus, SLOT, at + VIRTIO_PCI_CAP_LENGTH, 4, 4);
    g_assert_cmphex(config_get(bus, SLOT, window, 4), ==, 0x666e6f63);

    const struct {
        uint32_t bar, offset, length;
    } bad[] = {{4, 0x2000, 0}, {4, 0x2000, 3}, {4, 0x2000, 8},     {4, 0x2000, UINT32_MAX},
               {4, 0x2001, 4}, {4, 0x4000, 4}, {4, 0xfffffffc, 4}, {5, 0, 4},
               {0, 0, 4},      {255, 0, 4}};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        config_put(bus, SLOT, at + VIRTIO_PCI_CAP_BAR, 1, bad[i].bar);
        config_put(bus, SLOT, at + VIRTIO_PCI_CAP_OFFSET, 4, bad[i].offset);
        config_put(bus, SLOT, at + VIRTIO_PCI_CAP_LENGTH, 4, bad[i].length);
        config_put(bus, SLOT, window, 4, 0x12345678);
        config_get(bus, SLOT, window, 4);
    }
    g_assert_cmpmem(fixture->probe->config, 7, "configu", 7);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 3);
}

static void
test_machine_reset(Fixture *fixture, gconstpointer data)
{
    negotiate(fixture);
    setup_queue(fixture, 0, VIRTIO_MSI_NO_VECTOR);
    driver_ok(fixture);
    request(fixture);
    virtio_pci_ops.quiesce(fixture->pci);
    virtio_pci_ops.reset(fixture->pci);
    virtio_pci_ops.resume(fixture->pci);
    g_assert_cmpuint(fixture->probe->stops, ==, 1);
    g_assert_cmphex(config_get(&fixture->bus, SLOT, PCI_COMMAND, 2), ==, 0);
    g_assert_false(fixture->bus.irq.lines[board_intx_gsi(SLOT, 0)]);
    config_put(&fixture->bus, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_STATUS, 1), ==, 0);
    fixture->avail->idx = fixture->used->idx = 0;
    negotiate(fixture);
    setup_queue(fixture, 0, VIRTIO_MSI_NO_VECTOR);
    driver_ok(fixture);
    request(fixture);
    g_assert_cmpuint(fixture->used->idx, ==, 1);
}

static void
test_saved_state(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    uint32_t vector = 0;

    enable_msix(fixture);
    put(fixture, VIRTIO_PCI_COMMON_MSIX, 2, 2);
    negotiate(fixture);
    setup_queue(fixture, 0, 1);
    driver_ok(fixture);
    request(fixture);
    g_assert_cmpuint(interrupts(fixture, NULL), ==, 1);
    virtio_pci_ops.quiesce(fixture->pci);
    state_save(virtio_pci_ops.state, fixture->pci, bytes);
    virtio_pci_ops.free(fixture->pci);

    make_device(fixture);
    state_load(virtio_pci_ops.state, fixture->pci, 1, bytes->data, bytes->len, &error);
    g_assert_no_error(error);
    virtio_pci_ops.resume(fixture->pci);
    g_assert_cmpuint(fixture->probe->starts, ==, 1);
    g_assert_cmpint(fixture->probe->call_fd, >=, 0);
    run();
    request(fixture);
    g_assert_cmpuint(fixture->used->idx, ==, 2);
    g_assert_cmpuint(interrupts(fixture, &vector), ==, 1);
    g_assert_cmphex(vector, ==, 0x41);
    g_assert_cmphex(get(fixture, VIRTIO_PCI_COMMON_MSIX, 2), ==, 2);
    virtio_pci_ops.free(fixture->pci);

    /* Cut anywhere, it is refused and leaves nothing behind. */
    for (size_t len = 0; len < bytes->len; len += 7) {
        make_device(fixture);
        g_assert_false(state_load(virtio_pci_ops.state, fixture->pci, 1, bytes->data, len, NULL));
        virtio_pci_ops.free(fixture->pci);
    }
    make_device(fixture);
}

static void
test_bus_full(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    Probe *probe = g_new0(Probe, 1);
    virtio_device_init(&probe->device, &probe_class, "probe1", fixture->memory, 0, 0, NULL);
    g_assert_null(virtio_pci_new(&probe->device, fixture->bus.pci, SLOT, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, "probe1"));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        {"identity", test_identity},
        {"features", test_features},
        {"no-such-queue", test_no_such_queue},
        {"msix", test_msix},
        {"intx", test_intx},
        {"doorbells", test_doorbells},
        {"rings-rewritten-while-running", test_rings_rewritten_while_running},
        {"needs-reset", test_needs_reset},
        {"bad-ring", test_bad_ring},
        {"odd-accesses", test_odd_accesses},
        {"device-config", test_device_config},
        {"cfg-access", test_cfg_access},
        {"machine-reset", test_machine_reset},
        {"saved-state", test_saved_state},
        {"bus-full", test_bus_full},
    };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/virtio/pci/%s", tests[i].name);
        g_test_add(path, Fixture, NULL, set_up, tests[i].test, tear_down);
    }
    return g_test_run();
}
