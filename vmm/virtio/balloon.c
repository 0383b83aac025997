/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-balloon: page lists in, discarded memory out.
 *
 * Deflating needs no work: a page given back to the guest is there as soon as it is touched. The statistics queue works the
 * other way round than others: the guest posts a filled buffer and the device keeps it until it wants newer figures
 * (virtio 1.2, 5.5.6.3); across a stop it is put back into the ring, and taken again at the start.
 */
#include "vmm/virtio/balloon.h"

#include <linux/virtio_balloon.h>
#include <stddef.h>

#define PAGE_SHIFT VIRTIO_BALLOON_PFN_SHIFT
#define CONFIG_SIZE 8 /* num_pages and actual; what follows belongs to features not offered */
#define FEATURES \
    (1ull << VIRTIO_BALLOON_F_STATS_VQ | 1ull << VIRTIO_BALLOON_F_DEFLATE_ON_OOM | 1ull << VIRTIO_BALLOON_F_REPORTING)
#define QUEUES 5
/* Calls to the kernel in one turn of the loop, and one for each request: a guest that gives its memory back does not keep a
 * client waiting. The list that reaches it is finished. */
#define DISCARDS_A_TURN 1024
#define PAGES_A_READ 256
/* Of one list; drivers send 256 or 1024. To the guest the rest is given as well: discarding is the host's own choice. */
#define PAGES_A_LIST 4096
/* Entries of one report: more than there are kinds. */
#define STATISTICS_MAX 64

typedef enum { ROLE_NONE, ROLE_INFLATE, ROLE_DEFLATE, ROLE_STATISTICS, ROLE_REPORTING } QueueRole;

typedef struct {
    VirtioDevice device;
    uint32_t num_pages; /* the guest is to give, of 4 KiB */
    uint32_t actual;    /* it says it gave */
    VirtioBalloonStatistics statistics;
    VirtChain held; /* the statistics queue's buffer */
} Balloon;

static Balloon *
balloon_of(VirtioDevice *device)
{
    return (Balloon *)device;
}

/*
 * The specification gives each queue a fixed number (5.5.2), but Linux and others leave no gap for features that were not
 * negotiated. Without free page hints the two disagree about reporting only, and both its places are served.
 */
static QueueRole
queue_role(const VirtioDevice *device, unsigned index)
{
    bool statistics = virtio_device_has(device, VIRTIO_BALLOON_F_STATS_VQ);
    bool reporting = virtio_device_has(device, VIRTIO_BALLOON_F_REPORTING);

    if (index < 2)
        return index ? ROLE_DEFLATE : ROLE_INFLATE;
    if (index == 2 && statistics)
        return ROLE_STATISTICS;
    return reporting && (index == 4 || index == (statistics ? 3 : 2)) ? ROLE_REPORTING : ROLE_NONE;
}

/* --- pages ------------------------------------------------------------------------------------------------------ */

/* Discards a run of @n pages that ends, or begins, with the last one read. What is not RAM is the guest's mistake. */
static unsigned
discard_run(Balloon *balloon, uint64_t first, uint64_t n)
{
    return n && guest_memory_discard(balloon->device.memory, first << PAGE_SHIFT, n << PAGE_SHIFT);
}

/* Page numbers mostly come in runs, upwards or downwards: each run is one call to the kernel. Returns how many there were. */
static unsigned
inflate(Balloon *balloon, VirtChain *chain)
{
    uint32_t pages[PAGES_A_READ];
    uint64_t first = 0, n = 0;
    unsigned calls = 0;
    size_t len;

    for (unsigned reads = 0; reads < PAGES_A_LIST / PAGES_A_READ; reads++) {
        if ((len = virt_chain_read(chain, pages, sizeof(pages))) < sizeof(pages[0]))
            break;
        for (size_t i = 0; i < len / sizeof(pages[0]); i++) {
            uint64_t page = pages[i];
            if (n && page == first + n) {
                n++;
            } else if (n && page + 1 == first) {
                first = page;
                n++;
            } else {
                calls += discard_run(balloon, first, n);
                first = page;
                n = 1;
            }
        }
    }
    return calls + discard_run(balloon, first, n);
}

/* The reported pages are the chain's buffers themselves (5.5.6.5). Returns how many there were. */
static unsigned
report(Balloon *balloon, const VirtChain *chain)
{
    for (size_t i = 0; i < chain->n_in; i++)
        guest_memory_discard(balloon->device.memory,
                             guest_memory_address(balloon->device.memory, chain->in[i].iov_base), chain->in[i].iov_len);
    return chain->n_in;
}

/* --- statistics ------------------------------------------------------------------------------------------------- */

static void
take_statistics(VirtioBalloonStatistics *statistics, VirtChain *chain)
{
    struct virtio_balloon_stat entry;

    *statistics = (VirtioBalloonStatistics){0};
    for (unsigned i = 0; i < STATISTICS_MAX && virt_chain_read(chain, &entry, sizeof(entry)) == sizeof(entry); i++)
        switch (entry.tag) {
        case VIRTIO_BALLOON_S_MEMTOT:
            statistics->total = entry.val;
            break;
        case VIRTIO_BALLOON_S_AVAIL:
            statistics->available = entry.val;
            break;
        case VIRTIO_BALLOON_S_MEMFREE:
            statistics->free = entry.val;
            break;
        case VIRTIO_BALLOON_S_SWAP_IN:
            statistics->swapped_in = entry.val;
            break;
        case VIRTIO_BALLOON_S_SWAP_OUT:
            statistics->swapped_out = entry.val;
            break;
        case VIRTIO_BALLOON_S_MAJFLT:
            statistics->major_faults = entry.val;
            break;
        default:
            break; /* more than we ask for */
        }
}

static VirtQueue *
statistics_queue(Balloon *balloon)
{
    return balloon->device.queues[2];
}

/* One buffer is kept; a second one waits in the ring. */
static void
serve_statistics(Balloon *balloon, VirtQueue *queue)
{
    if (!balloon->held.popped && virtqueue_pop(queue, &balloon->held))
        take_statistics(&balloon->statistics, &balloon->held);
}

bool
virtio_balloon_ask_statistics(VirtioDevice *device)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&device->lock);
    Balloon *balloon = balloon_of(device);
    VirtQueue *queue = statistics_queue(balloon);
    if (!balloon->held.popped || !virtqueue_ready(queue))
        return false;
    virtqueue_push(queue, &balloon->held, 0);
    virtqueue_notify(queue);
    if (virtqueue_set_kicks(queue, true))
        virtio_device_schedule(device, queue);
    return true;
}

void
virtio_balloon_get_statistics(VirtioDevice *device, VirtioBalloonStatistics *statistics)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&device->lock);
    *statistics = balloon_of(device)->statistics;
}

/* --- the class -------------------------------------------------------------------------------------------------- */

static void
serve_pages(Balloon *balloon, VirtQueue *queue, QueueRole role)
{
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    unsigned left = DISCARDS_A_TURN;

    while (left && virtqueue_pop(queue, &chain)) {
        unsigned calls = 1;
        if (role == ROLE_INFLATE)
            calls += inflate(balloon, &chain);
        else if (role == ROLE_REPORTING)
            calls += report(balloon, &chain);
        virtqueue_push(queue, &chain, 0);
        left -= MIN(left, calls);
    }
    virtqueue_notify(queue);
    if (!left)
        virtio_device_schedule(&balloon->device, queue);
}

static void
balloon_serve(VirtioDevice *device, VirtQueue *queue)
{
    QueueRole role = queue_role(device, virtqueue_index(queue));

    if (role == ROLE_STATISTICS)
        serve_statistics(balloon_of(device), queue);
    else if (role != ROLE_NONE)
        serve_pages(balloon_of(device), queue, role);
}

static void
balloon_stop(VirtioDevice *device)
{
    Balloon *balloon = balloon_of(device);

    if (balloon->held.popped)
        virtqueue_unpop(statistics_queue(balloon), &balloon->held);
}

static void
balloon_reset(VirtioDevice *device)
{
    Balloon *balloon = balloon_of(device);

    balloon->actual = 0;
    balloon->statistics = (VirtioBalloonStatistics){0};
}

static void
balloon_config_read(VirtioDevice *device, uint32_t offset, void *to, uint32_t len)
{
    const Balloon *balloon = balloon_of(device);
    const uint32_t config[CONFIG_SIZE / 4] = {balloon->num_pages, balloon->actual};

    memcpy(to, (const uint8_t *)config + offset, len);
}

static void
balloon_config_write(VirtioDevice *device, uint32_t offset, const void *from, uint32_t len)
{
    if (offset == offsetof(struct virtio_balloon_config, actual) && len == 4)
        memcpy(&balloon_of(device)->actual, from, 4);
}

static void
balloon_finish(VirtioDevice *device)
{
    virt_chain_clear(&balloon_of(device)->held);
}

static const StateField balloon_fields[] = {
    STATE_UINT(Balloon, num_pages, 1),
    STATE_UINT(Balloon, actual, 1),
    STATE_END,
};
static const StateTable balloon_state = {
    .name = "virtio-balloon",
    .version = 1,
    .oldest = 1,
    .fields = balloon_fields,
};

static const VirtioClass balloon_class = {
    .name = "virtio-balloon",
    .id = VIRTIO_ID_BALLOON,
    .pci_class = 0x00ff,
    .n_queues = QUEUES,
    .queue_size = 128,
    .features = FEATURES,
    .config_size = CONFIG_SIZE,
    .serve = balloon_serve,
    .config_read = balloon_config_read,
    .config_write = balloon_config_write,
    .stop = balloon_stop,
    .reset = balloon_reset,
    .state = &balloon_state,
    .finish = balloon_finish,
};

VirtioDevice *
virtio_balloon_new(const char *id, GuestMemory *memory)
{
    Balloon *balloon = g_new0(Balloon, 1);
    virtio_device_init(&balloon->device, &balloon_class, id, memory, 0, 0, NULL);
    return &balloon->device;
}

void
virtio_balloon_set_target(VirtioDevice *device, uint64_t bytes)
{
    Balloon *balloon = balloon_of(device);
    uint64_t ram = guest_memory_size(device->memory);

    g_mutex_lock(&device->lock);
    balloon->num_pages = (ram - MIN(bytes, ram)) >> PAGE_SHIFT;
    g_mutex_unlock(&device->lock);
    virtio_device_config_changed(device);
}

static uint64_t
kept(const VirtioDevice *device, uint32_t given)
{
    uint64_t ram = guest_memory_size(device->memory);
    return ram - MIN((uint64_t)given << PAGE_SHIFT, ram);
}

uint64_t
virtio_balloon_target(VirtioDevice *device)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&device->lock);
    return kept(device, balloon_of(device)->num_pages);
}

uint64_t
virtio_balloon_actual(VirtioDevice *device)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&device->lock);
    return kept(device, balloon_of(device)->actual);
}
