/* SPDX-License-Identifier: Apache-2.0 */
/* The rings as a driver sees them: see driver.h. Written from the specification, apart from the device's side. */
#include "driver.h"

#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/eventfd.h>

#define DRIVER_RAM (16u << 20)
#define DRIVER_FIRST 0x10000 /* leaves page zero and a little more alone */
#define WAIT_US (10 * G_USEC_PER_SEC)

#define AVAIL_BIT (1 << VRING_PACKED_DESC_F_AVAIL)
#define USED_BIT (1 << VRING_PACKED_DESC_F_USED)

VirtioDriver *
virtio_driver_new(VirtioDriverFlags flags)
{
    g_autoptr(GError) error = NULL;
    VirtioDriver *driver = g_new0(VirtioDriver, 1);

    driver->flags = flags;
    driver->memory = guest_memory_new(&(GuestMemoryOptions){.size = DRIVER_RAM}, &error);
    g_assert_no_error(error);
    driver->next = DRIVER_FIRST;
    return driver;
}

static void
forget_queues(VirtioDriver *driver)
{
    for (unsigned i = 0; i < driver->n_queues; i++)
        g_clear_pointer(&driver->queues[i].n_descriptors, g_free);
    memset(driver->queues, 0, driver->n_queues * sizeof(*driver->queues));
}

void
virtio_driver_free(VirtioDriver *driver)
{
    if (!driver)
        return;
    virtio_device_free(driver->device);
    if (driver->queues)
        forget_queues(driver);
    g_free(driver->queues);
    guest_memory_free(driver->memory);
    g_free(driver);
}

uint64_t
virtio_driver_alloc(VirtioDriver *driver, size_t len)
{
    uint64_t address = driver->next;
    driver->next += (len + 4095) & ~4095ull;
    memset(virtio_driver_at(driver, address, len), 0, len);
    return address;
}

void *
virtio_driver_at(VirtioDriver *driver, uint64_t address, size_t len)
{
    void *place = guest_memory_at(driver->memory, address, len);
    g_assert_nonnull(place);
    return place;
}

/* --- the transport ---------------------------------------------------------------------------------------------- */

static void
notify_queue(void *transport, VirtQueue *queue)
{
    VirtioDriver *driver = transport;
    __atomic_add_fetch(&driver->queues[virtqueue_index(queue)].interrupts, 1, __ATOMIC_SEQ_CST);
}

static void
notify_config(void *transport)
{
    VirtioDriver *driver = transport;
    __atomic_add_fetch(&driver->config_interrupts, 1, __ATOMIC_SEQ_CST);
}

void
virtio_driver_attach(VirtioDriver *driver, VirtioDevice *device)
{
    static const VirtioTransportOps ops = {.notify_queue = notify_queue, .notify_config = notify_config};

    g_assert_null(driver->device);
    driver->device = device;
    driver->n_queues = device->n_queues;
    driver->queues = g_new0(VirtioDriverQueue, device->n_queues);
    virtio_device_attach(device, &ops, driver);
}

void
virtio_driver_set_status(VirtioDriver *driver, uint8_t bits)
{
    VirtioDevice *device = driver->device;
    g_mutex_lock(&device->lock);
    virtio_device_set_status(device, bits ? virtio_device_status(device) | bits : 0);
    g_mutex_unlock(&device->lock);
}

void
virtio_driver_reset(VirtioDriver *driver)
{
    virtio_driver_set_status(driver, 0);
    forget_queues(driver);
}

void
virtio_driver_negotiate(VirtioDriver *driver, uint64_t features)
{
    VirtioDevice *device = driver->device;

    features |= 1ull << VIRTIO_F_VERSION_1;
    if (driver->flags & VIRTIO_DRIVER_PACKED)
        features |= 1ull << VIRTIO_F_RING_PACKED;
    if (driver->flags & VIRTIO_DRIVER_INDIRECT)
        features |= 1ull << VIRTIO_RING_F_INDIRECT_DESC;
    if (driver->flags & VIRTIO_DRIVER_EVENT_INDEX)
        features |= 1ull << VIRTIO_RING_F_EVENT_IDX;
    virtio_driver_set_status(driver, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    g_mutex_lock(&device->lock);
    virtio_device_accept(device, features);
    g_mutex_unlock(&device->lock);
    virtio_driver_set_status(driver, VIRTIO_CONFIG_S_FEATURES_OK);
}

void
virtio_driver_setup_queue(VirtioDriver *driver, unsigned index, uint16_t size)
{
    VirtioDevice *device = driver->device;
    VirtioDriverQueue *queue = &driver->queues[index];

    if (!size)
        size = virtqueue_setup(device->queues[index])->size;
    queue->setup = (VirtQueueSetup){
        .descriptors = virtio_driver_alloc(driver, 16 * size),
        .driver = virtio_driver_alloc(driver, 6 + 2 * size),
        .device = virtio_driver_alloc(driver, 6 + 8 * size),
        .size = size,
    };
    queue->wrap = queue->seen_wrap = true;
    queue->n_free = size;
    g_free(queue->n_descriptors);
    queue->n_descriptors = g_new0(uint16_t, size);
    g_mutex_lock(&device->lock);
    virtqueue_set_setup(device->queues[index], &queue->setup);
    virtqueue_enable(device->queues[index]);
    g_mutex_unlock(&device->lock);
}

void
virtio_driver_start(VirtioDriver *driver, VirtioDevice *device, uint64_t features)
{
    if (!driver->device)
        virtio_driver_attach(driver, device);
    virtio_driver_negotiate(driver, features);
    g_assert_true(virtio_device_status(device) & VIRTIO_CONFIG_S_FEATURES_OK);
    for (unsigned i = 0; i < driver->n_queues; i++)
        virtio_driver_setup_queue(driver, i, 0);
    virtio_driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER_OK);
    g_assert_false(virtio_driver_needs_reset(driver));
}

/* --- adding ----------------------------------------------------------------------------------------------------- */

static bool
is_packed(const VirtioDriver *driver)
{
    return driver->flags & VIRTIO_DRIVER_PACKED;
}

static struct vring_avail *
avail_ring(VirtioDriver *driver, const VirtioDriverQueue *queue)
{
    return virtio_driver_at(driver, queue->setup.driver, 6 + 2 * queue->setup.size);
}

static struct vring_used *
used_ring(VirtioDriver *driver, const VirtioDriverQueue *queue)
{
    return virtio_driver_at(driver, queue->setup.device, 6 + 8 * queue->setup.size);
}

static struct vring_packed_desc *
packed_ring(VirtioDriver *driver, const VirtioDriverQueue *queue)
{
    return virtio_driver_at(driver, queue->setup.descriptors, 16 * queue->setup.size);
}

/* An id nobody uses; split: it is a run of free descriptors' first. */
static uint16_t
free_id(VirtioDriverQueue *queue)
{
    for (uint16_t id = 0; id < queue->setup.size; id++)
        if (!queue->n_descriptors[id])
            return id;
    g_assert_not_reached();
}

/* A table of indirect descriptors in guest RAM, in the ring's own layout. */
static uint64_t
write_indirect(VirtioDriver *driver, const VirtioBuffer *buffers, size_t n)
{
    uint64_t address = virtio_driver_alloc(driver, 16 * n);
    struct vring_desc *split = virtio_driver_at(driver, address, 16 * n);
    struct vring_packed_desc *packed = (void *)split;

    for (size_t i = 0; i < n; i++) {
        uint16_t write = buffers[i].write ? VRING_DESC_F_WRITE : 0;
        if (is_packed(driver))
            packed[i] = (struct vring_packed_desc){.addr = buffers[i].address, .len = buffers[i].len, .flags = write};
        else
            split[i] = (struct vring_desc){.addr = buffers[i].address,
                                           .len = buffers[i].len,
                                           .flags = write | (i + 1 < n ? VRING_DESC_F_NEXT : 0),
                                           .next = i + 1 < n ? i + 1 : 0};
    }
    return address;
}

/* Ids are descriptor numbers, so a chain takes as many ids as it has descriptors. */
static uint16_t
add_split(VirtioDriver *driver, VirtioDriverQueue *queue, const VirtioBuffer *buffers, size_t n, uint16_t flags)
{
    struct vring_desc *table = virtio_driver_at(driver, queue->setup.descriptors, 16 * queue->setup.size);
    struct vring_avail *avail = avail_ring(driver, queue);
    uint16_t head = 0, last = 0;

    for (size_t i = 0; i < n; i++) {
        uint16_t at = free_id(queue);
        queue->n_descriptors[at] = UINT16_MAX; /* of another's chain, unless it is the head */
        table[at] = (struct vring_desc){.addr = buffers[i].address,
                                        .len = buffers[i].len,
                                        .flags = flags | (buffers[i].write ? VRING_DESC_F_WRITE : 0)};
        if (i) {
            table[last].flags |= VRING_DESC_F_NEXT;
            table[last].next = at;
        } else {
            head = at;
        }
        last = at;
    }
    queue->n_descriptors[head] = n;
    avail->ring[queue->added % queue->setup.size] = head;
    queue->added++;
    __atomic_store_n(&avail->idx, queue->added, __ATOMIC_RELEASE);
    return head;
}

static uint16_t
add_packed(VirtioDriver *driver, VirtioDriverQueue *queue, const VirtioBuffer *buffers, size_t n, uint16_t flags)
{
    struct vring_packed_desc *ring = packed_ring(driver, queue);
    uint16_t id = free_id(queue);
    uint16_t head = queue->next, head_flags = 0;

    for (size_t i = 0; i < n; i++) {
        uint16_t slot_flags = flags | (buffers[i].write ? VRING_DESC_F_WRITE : 0) |
                              (i + 1 < n ? VRING_DESC_F_NEXT : 0) | (queue->wrap ? AVAIL_BIT : USED_BIT);
        struct vring_packed_desc *slot = &ring[queue->next];
        slot->addr = buffers[i].address;
        slot->len = buffers[i].len;
        slot->id = id;
        if (i)
            slot->flags = slot_flags;
        else
            head_flags = slot_flags;
        if (++queue->next == queue->setup.size) {
            queue->next = 0;
            queue->wrap = !queue->wrap;
        }
    }
    queue->n_descriptors[id] = n;
    __atomic_store_n(&ring[head].flags, head_flags, __ATOMIC_RELEASE);
    return id;
}

uint16_t
virtio_driver_add(VirtioDriver *driver, unsigned index, const VirtioBuffer *buffers, size_t n)
{
    VirtioDriverQueue *queue = &driver->queues[index];
    VirtioBuffer table;
    uint16_t flags = 0;

    if (n > 1 && driver->flags & VIRTIO_DRIVER_INDIRECT) {
        table = (VirtioBuffer){.address = write_indirect(driver, buffers, n), .len = 16 * n};
        buffers = &table;
        n = 1;
        flags = VRING_DESC_F_INDIRECT;
    }
    g_assert_cmpuint(n, >, 0);
    g_assert_cmpuint(queue->n_free, >=, n);
    queue->n_free -= n;
    return is_packed(driver) ? add_packed(driver, queue, buffers, n, flags)
                             : add_split(driver, queue, buffers, n, flags);
}

bool
virtio_driver_wants_kick(VirtioDriver *driver, unsigned index, uint16_t n_new)
{
    VirtioDriverQueue *queue = &driver->queues[index];
    bool event_index = driver->flags & VIRTIO_DRIVER_EVENT_INDEX;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!is_packed(driver)) {
        struct vring_used *used = used_ring(driver, queue);
        if (!event_index)
            return !(used->flags & VRING_USED_F_NO_NOTIFY);
        uint16_t event = *(uint16_t *)&used->ring[queue->setup.size];
        return vring_need_event(event, queue->added, queue->added - n_new);
    }
    struct vring_packed_desc_event *event = virtio_driver_at(driver, queue->setup.device, sizeof(*event));
    if (event->flags != VRING_PACKED_EVENT_FLAG_DESC)
        return event->flags != VRING_PACKED_EVENT_FLAG_DISABLE;
    uint16_t at = event->off_wrap & 0x7fff;
    if (event->off_wrap >> 15 != queue->wrap)
        at -= queue->setup.size;
    return vring_need_event(at, queue->next, queue->next - n_new);
}

void
virtio_driver_run(VirtioDriver *driver)
{
    while (g_main_context_iteration(driver->device->context, FALSE)) {
    }
}

void
virtio_driver_kick(VirtioDriver *driver, unsigned index)
{
    g_assert_cmpint(eventfd_write(virtqueue_kick_fd(driver->device->queues[index]), 1), ==, 0);
    virtio_driver_run(driver);
}

/* --- taking back ------------------------------------------------------------------------------------------------ */

/* Frees a split chain's descriptors by following it, as its table was left. */
static void
free_split(VirtioDriver *driver, VirtioDriverQueue *queue, uint16_t head)
{
    struct vring_desc *table = virtio_driver_at(driver, queue->setup.descriptors, 16 * queue->setup.size);

    queue->n_free += queue->n_descriptors[head];
    for (uint16_t n = queue->n_descriptors[head], at = head; n; n--) {
        queue->n_descriptors[at] = 0;
        at = table[at].next;
    }
}

static bool
used_split(VirtioDriver *driver, VirtioDriverQueue *queue, VirtioUsed *used)
{
    struct vring_used *ring = used_ring(driver, queue);

    if (__atomic_load_n(&ring->idx, __ATOMIC_ACQUIRE) == queue->seen)
        return false;
    struct vring_used_elem *element = &ring->ring[queue->seen % queue->setup.size];
    *used = (VirtioUsed){.id = element->id, .len = element->len};
    queue->seen++;
    return true;
}

static bool
used_packed(VirtioDriver *driver, VirtioDriverQueue *queue, VirtioUsed *used)
{
    struct vring_packed_desc *slot = &packed_ring(driver, queue)[queue->seen];
    uint16_t flags = __atomic_load_n(&slot->flags, __ATOMIC_ACQUIRE);

    if (!!(flags & AVAIL_BIT) != queue->seen_wrap || !!(flags & USED_BIT) != queue->seen_wrap)
        return false;
    *used = (VirtioUsed){.id = slot->id, .len = flags & VRING_DESC_F_WRITE ? slot->len : 0};
    g_assert_cmpuint(used->id, <, queue->setup.size);
    queue->seen += queue->n_descriptors[used->id];
    if (queue->seen >= queue->setup.size) {
        queue->seen -= queue->setup.size;
        queue->seen_wrap = !queue->seen_wrap;
    }
    return true;
}

bool
virtio_driver_used(VirtioDriver *driver, unsigned index, VirtioUsed *used)
{
    VirtioDriverQueue *queue = &driver->queues[index];

    if (!(is_packed(driver) ? used_packed(driver, queue, used) : used_split(driver, queue, used)))
        return false;
    g_assert_cmpuint(used->id, <, queue->setup.size);
    uint16_t n = queue->n_descriptors[used->id];
    g_assert_true(n > 0 && n <= queue->setup.size); /* it was given out */
    if (is_packed(driver)) {
        queue->n_free += n;
        queue->n_descriptors[used->id] = 0;
    } else {
        free_split(driver, queue, used->id);
    }
    return true;
}

void
virtio_driver_wait_used(VirtioDriver *driver, unsigned index, VirtioUsed *used)
{
    int64_t end = g_get_monotonic_time() + WAIT_US;

    while (!virtio_driver_used(driver, index, used)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        if (!g_main_context_iteration(driver->device->context, FALSE))
            g_usleep(100);
    }
}

/* --- interrupts ------------------------------------------------------------------------------------------------- */

void
virtio_driver_set_used_event(VirtioDriver *driver, unsigned index, uint16_t n)
{
    VirtioDriverQueue *queue = &driver->queues[index];

    if (!is_packed(driver)) {
        avail_ring(driver, queue)->ring[queue->setup.size] = queue->seen + n - 1;
        return;
    }
    struct vring_packed_desc_event *event = virtio_driver_at(driver, queue->setup.driver, sizeof(*event));
    uint32_t at = queue->seen + n - 1;
    bool wrap = queue->seen_wrap;
    if (at >= queue->setup.size) {
        at -= queue->setup.size;
        wrap = !wrap;
    }
    *event = (struct vring_packed_desc_event){.off_wrap = at | wrap << 15, .flags = VRING_PACKED_EVENT_FLAG_DESC};
}

void
virtio_driver_set_interrupts(VirtioDriver *driver, unsigned index, bool wanted)
{
    VirtioDriverQueue *queue = &driver->queues[index];

    if (is_packed(driver)) {
        struct vring_packed_desc_event *event = virtio_driver_at(driver, queue->setup.driver, sizeof(*event));
        event->flags = wanted ? VRING_PACKED_EVENT_FLAG_ENABLE : VRING_PACKED_EVENT_FLAG_DISABLE;
    } else {
        avail_ring(driver, queue)->flags = wanted ? 0 : VRING_AVAIL_F_NO_INTERRUPT;
    }
}

unsigned
virtio_driver_interrupts(VirtioDriver *driver, unsigned index)
{
    return __atomic_load_n(&driver->queues[index].interrupts, __ATOMIC_SEQ_CST);
}

bool
virtio_driver_needs_reset(VirtioDriver *driver)
{
    return virtio_device_status(driver->device) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

uint32_t
virtio_driver_call(VirtioDriver *driver, unsigned index, const void *out, size_t n_out, void *in, size_t n_in)
{
    VirtioBuffer buffers[2];
    size_t n = 0;
    uint64_t start = driver->next; /* what it takes of the guest's RAM is given back */
    uint64_t in_address = 0;

    if (n_out) {
        buffers[n] = (VirtioBuffer){.address = virtio_driver_alloc(driver, n_out), .len = n_out};
        memcpy(virtio_driver_at(driver, buffers[n].address, n_out), out, n_out);
        n++;
    }
    if (n_in) {
        in_address = virtio_driver_alloc(driver, n_in);
        buffers[n++] = (VirtioBuffer){.address = in_address, .len = n_in, .write = true};
    }
    uint16_t id = virtio_driver_add(driver, index, buffers, n);
    virtio_driver_kick(driver, index);
    VirtioUsed used;
    virtio_driver_wait_used(driver, index, &used);
    g_assert_cmpuint(used.id, ==, id);
    if (n_in)
        memcpy(in, virtio_driver_at(driver, in_address, n_in), n_in);
    driver->next = start;
    return used.len;
}

/* --- floods ----------------------------------------------------------------------------------------------------- */

struct VirtioFlood {
    struct vring_avail *avail;
    struct vring_used *used;
    uint16_t slots, n;
    bool end; /* atomic */
    GThread *thread;
};

/* Keeps half of the ring available, so that the index never runs ahead of what the device allows. */
static gpointer
flood_thread(gpointer user)
{
    VirtioFlood *flood = user;
    uint16_t given_back;

    while (!__atomic_load_n(&flood->end, __ATOMIC_RELAXED) && (given_back = virtio_driver_flooded(flood)) < flood->n)
        __atomic_store_n(&flood->avail->idx, given_back + flood->slots / 2, __ATOMIC_RELEASE);
    return NULL;
}

VirtioFlood *
virtio_driver_flood(VirtioDriver *driver, unsigned index, VirtioBuffer buffer, uint16_t n)
{
    VirtioDriverQueue *queue = &driver->queues[index];
    VirtioFlood *flood = g_new0(VirtioFlood, 1);

    g_assert_false(is_packed(driver));
    virtio_driver_add(driver, index, &buffer, 1); /* descriptor 0, and so every slot of the avail ring */
    *flood = (VirtioFlood){
        .avail = avail_ring(driver, queue), .used = used_ring(driver, queue), .slots = queue->setup.size, .n = n};
    flood->thread = g_thread_new("flood", flood_thread, flood);
    return flood;
}

uint16_t
virtio_driver_flooded(const VirtioFlood *flood)
{
    return __atomic_load_n(&flood->used->idx, __ATOMIC_ACQUIRE);
}

void
virtio_driver_flood_end(VirtioFlood *flood)
{
    if (!flood)
        return;
    __atomic_store_n(&flood->end, true, __ATOMIC_RELAXED);
    g_thread_join(flood->thread);
    g_free(flood);
}
