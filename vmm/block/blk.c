/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk as the driver sees it: features, configuration space, start and stop. serve.c carries its requests out, park.c
 * keeps those that wait for the host.
 */
#include "vmm/block/blk_private.h"

#include <string.h>
#include <unistd.h>

#define BLK_QUEUE_SIZE 256
/* Data buffers of one request: all of a ring but header and status. Larger requests gain nothing. */
#define BLK_SEGMENTS_MAX (BLK_QUEUE_SIZE - 2)
#define BLK_SEGMENT_BYTES_MAX (1u << 20)
/* Configuration up to what is offered here: secure erase and zones come after. */
#define BLK_CONFIG_SIZE offsetof(struct virtio_blk_config, unused1)

#define BIT(n) (1ull << (n))

static uint64_t
features_of(const Disk *disk, bool discard)
{
    uint64_t features = BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
                        BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_MQ);
    if (disk->read_only)
        return features | BIT(VIRTIO_BLK_F_RO);
    features |= BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_CONFIG_WCE) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);
    return discard ? features | BIT(VIRTIO_BLK_F_DISCARD) : features;
}

static uint8_t
physical_exponent(const Disk *disk)
{
    return __builtin_ctz(MAX(disk->physical_size / disk->block_size, 1));
}

static void
fill_config(const VirtioBlk *blk, struct virtio_blk_config *config)
{
    uint32_t block_sectors = blk->disk.block_size / DISK_SECTOR;

    *config = (struct virtio_blk_config){
        .capacity = GUINT64_TO_LE(__atomic_load_n(&blk->capacity, __ATOMIC_RELAXED) / DISK_SECTOR),
        .size_max = GUINT32_TO_LE(BLK_SEGMENT_BYTES_MAX),
        .seg_max = GUINT32_TO_LE(BLK_SEGMENTS_MAX),
        .blk_size = GUINT32_TO_LE(blk->disk.block_size),
        .physical_block_exp = physical_exponent(&blk->disk),
        .wce = blk->writeback,
        .num_queues = GUINT16_TO_LE(blk->device.n_queues),
        .max_discard_sectors = GUINT32_TO_LE(BLK_DISCARD_SECTORS_MAX),
        .max_discard_seg = GUINT32_TO_LE(BLK_RANGES_MAX),
        .discard_sector_alignment = GUINT32_TO_LE(MAX(blk->disk.physical_size / DISK_SECTOR, block_sectors)),
        .max_write_zeroes_sectors = GUINT32_TO_LE(BLK_WRITE_ZEROES_SECTORS_MAX),
        .max_write_zeroes_seg = GUINT32_TO_LE(BLK_RANGES_MAX),
        .write_zeroes_may_unmap = blk->discard,
    };
}

static void
virtio_blk_config_read(VirtioDevice *device, uint32_t offset, void *to, uint32_t len)
{
    struct virtio_blk_config config;
    fill_config((VirtioBlk *)device, &config);
    memcpy(to, (const uint8_t *)&config + offset, len);
}

/* Nothing but the write cache can be set (virtio 1.2, 5.2.5). */
static void
virtio_blk_config_write(VirtioDevice *device, uint32_t offset, const void *from, uint32_t len)
{
    VirtioBlk *blk = (VirtioBlk *)device;
    uint32_t place = offsetof(struct virtio_blk_config, wce);

    if (!virtio_device_has(device, VIRTIO_BLK_F_CONFIG_WCE) || place < offset || place >= offset + len)
        return;
    blk->writeback = ((const uint8_t *)from)[place - offset] & 1;
    __atomic_store_n(&blk->durable, !blk->writeback, __ATOMIC_RELAXED);
}

/* Without the driver's promise to flush, each write must last by itself (virtio 1.2, 5.2.6.2). */
static bool
writes_must_last(const VirtioBlk *blk)
{
    if (virtio_device_has(&blk->device, VIRTIO_BLK_F_CONFIG_WCE))
        return !blk->writeback;
    return !virtio_device_has(&blk->device, VIRTIO_BLK_F_FLUSH);
}

static void
virtio_blk_start(VirtioDevice *device)
{
    VirtioBlk *blk = (VirtioBlk *)device;

    __atomic_store_n(&blk->durable, writes_must_last(blk), __ATOMIC_RELAXED);
    io_thread_call(blk->thread, blk_attach, blk);
    if (blk->saved_capacity && blk->saved_capacity != blk->capacity)
        virtio_device_config_changed(device); /* it was resized while the desktop was away */
    blk->saved_capacity = 0;
}

static void
virtio_blk_stop(VirtioDevice *device)
{
    VirtioBlk *blk = (VirtioBlk *)device;

    io_thread_call(blk->thread, blk_detach, blk);
    blk_watch_storage(blk);
}

static void
virtio_blk_reset(VirtioDevice *device)
{
    VirtioBlk *blk = (VirtioBlk *)device;

    blk_forget_parked(blk);
    blk->writeback = true;
}

static void
virtio_blk_finish(VirtioDevice *device)
{
    VirtioBlk *blk = (VirtioBlk *)device;

    blk_park_finish(blk);
    for (unsigned i = 0; i < device->n_queues; i++)
        blk_queue_finish(&blk->queues[i]);
    g_free(blk->queues);
    g_ptr_array_unref(blk->saved_parked);
    disk_finish(&blk->disk);
}

static void
blk_before_save(void *object)
{
    VirtioBlk *blk = object;

    blk_save_parked(blk);
    blk->saved_capacity = blk->capacity;
    /* The saved desktop and its disk must agree, whatever happens to this host next. */
    if (!blk->disk.read_only)
        fdatasync(blk->disk.fd);
}

static void
blk_after_save(void *object)
{
    VirtioBlk *blk = object;

    g_ptr_array_set_size(blk->saved_parked, 0);
    blk->saved_capacity = 0;
}

static bool
blk_after_load(void *object, GError **error)
{
    VirtioBlk *blk = object;

    if (blk_load_parked(blk))
        return true;
    g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "state of %s holds a request that cannot be",
                blk->device.id);
    return false;
}

static const StateField blk_fields[] = {
    STATE_BOOL(VirtioBlk, writeback, 1),
    STATE_UINT(VirtioBlk, saved_capacity, 1),
    STATE_LIST(VirtioBlk, saved_parked, 1, &virt_chain_state, VIRTIO_BLK_QUEUES_MAX *BLK_QUEUE_SIZE),
    STATE_END,
};

static const StateTable blk_state = {
    .name = "virtio-blk",
    .version = 1,
    .oldest = 1,
    .fields = blk_fields,
    .before_save = blk_before_save,
    .after_save = blk_after_save,
    .after_load = blk_after_load,
};

static const VirtioClass virtio_blk_class = {
    .name = "virtio-blk",
    .id = VIRTIO_ID_BLOCK,
    .pci_class = 0x0100, /* mass storage, SCSI: what firmware looks for */
    .n_queues = 1,
    .queue_size = BLK_QUEUE_SIZE,
    .config_size = BLK_CONFIG_SIZE,
    .config_read = virtio_blk_config_read,
    .config_write = virtio_blk_config_write,
    .start = virtio_blk_start,
    .stop = virtio_blk_stop,
    .reset = virtio_blk_reset,
    .state = &blk_state,
    .finish = virtio_blk_finish,
};

VirtioDevice *
virtio_blk_new(const char *id, GuestMemory *memory, const VirtioBlkOptions *options, GError **error)
{
    g_assert(options->n_queues <= VIRTIO_BLK_QUEUES_MAX && options->thread);
    g_assert(options->machine || options->on_error == BLK_ON_ERROR_REPORT);

    g_autofree VirtioBlk *blk = g_new0(VirtioBlk, 1);
    if (!disk_init(&blk->disk, options->fd, options->path, options->read_only, options->direct, error))
        return NULL;
    if (!disk_measure(&blk->disk, &blk->capacity, error)) {
        disk_finish(&blk->disk);
        return NULL;
    }
    g_strlcpy(blk->serial, options->serial ? options->serial : "", sizeof(blk->serial));
    blk->discard = options->discard && !options->read_only;
    blk->on_error = options->on_error;
    blk->thread = options->thread;
    blk->machine = options->machine;
    blk->writeback = true;
    blk->saved_parked = g_ptr_array_new_with_free_func((GDestroyNotify)virt_chain_state_free);

    VirtioDevice *device = &blk->device;
    virtio_device_init(device, &virtio_blk_class, id, memory, options->n_queues, features_of(&blk->disk, blk->discard),
                       NULL);
    blk->queues = g_new0(BlkQueue, device->n_queues);
    for (unsigned i = 0; i < device->n_queues; i++)
        blk_queue_init(&blk->queues[i], blk, device->queues[i]);
    g_steal_pointer(&blk);
    return device;
}

bool
virtio_blk_resize(VirtioDevice *device, uint64_t *bytes, GError **error)
{
    VirtioBlk *blk = (VirtioBlk *)device;
    uint64_t now;

    g_assert(device->class == &virtio_blk_class);
    if (!disk_measure(&blk->disk, &now, error))
        return false;
    /* A driver reads the capacity in two halves: no half of the new one may be seen under the old generation (virtio 1.2,
     * 2.5.3). */
    g_mutex_lock(&device->lock);
    if (__atomic_exchange_n(&blk->capacity, now, __ATOMIC_RELAXED) != now)
        virtio_device_config_changed(device);
    g_mutex_unlock(&device->lock);
    if (bytes)
        *bytes = now;
    return true;
}

void
virtio_blk_stats(VirtioDevice *device, VirtioBlkStats *stats)
{
    const VirtioBlkStats *live = &((VirtioBlk *)device)->stats;

    g_assert(device->class == &virtio_blk_class);
    *stats = (VirtioBlkStats){
        .reads = __atomic_load_n(&live->reads, __ATOMIC_RELAXED),
        .writes = __atomic_load_n(&live->writes, __ATOMIC_RELAXED),
        .read_bytes = __atomic_load_n(&live->read_bytes, __ATOMIC_RELAXED),
        .write_bytes = __atomic_load_n(&live->write_bytes, __ATOMIC_RELAXED),
        .flushes = __atomic_load_n(&live->flushes, __ATOMIC_RELAXED),
        .discards = __atomic_load_n(&live->discards, __ATOMIC_RELAXED),
        .errors = __atomic_load_n(&live->errors, __ATOMIC_RELAXED),
        .in_flight = __atomic_load_n(&live->in_flight, __ATOMIC_RELAXED),
        .parked = __atomic_load_n(&live->parked, __ATOMIC_RELAXED),
    };
}
