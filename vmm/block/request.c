/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a driver's request.
 *
 * A request is a 16-byte header, data, and one status byte, in any number of buffers cut anywhere (virtio 1.2, 2.7.4.3).
 * In practice the header and the status have buffers of their own, and the data's buffers are used as they are.
 */
#include "vmm/block/request.h"

#include "vmm/block/blk.h"
#include "vmm/block/disk.h"

#include <string.h>

G_STATIC_ASSERT(sizeof(struct virtio_blk_outhdr) == 16);

static void
rewind_chain(VirtChain *chain)
{
    chain->out_cursor = chain->in_cursor = 0;
    chain->out_at = chain->in_at = 0;
    chain->out_at_off = chain->in_at_off = 0;
}

static void
answer(BlkCommand *command, uint8_t status)
{
    command->kind = BLK_ANSWER;
    command->answer = status;
}

/* [offset, offset + len) in whole blocks, not empty, on the disk. */
static bool
range_is_good(uint64_t offset, uint64_t len, const BlkLimits *limits)
{
    return len && offset % limits->block_size == 0 && len % limits->block_size == 0 && len <= limits->bytes &&
           offset <= limits->bytes - len;
}

/* Bytes of a count of sectors; beyond any disk where it does not fit. */
static uint64_t
sectors_to_bytes(uint64_t sectors)
{
    return sectors <= UINT64_MAX / DISK_SECTOR ? sectors * DISK_SECTOR : UINT64_MAX;
}

struct iovec *
blk_iov_slice(const struct iovec *iov, size_t n_iov, uint64_t offset, uint64_t len, size_t max, size_t *n)
{
    struct iovec *slice = g_new(struct iovec, MIN(n_iov, max));

    *n = 0;
    for (size_t i = 0; i < n_iov && len && *n < max; i++) {
        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        size_t piece = MIN(iov[i].iov_len - offset, len);
        slice[*n] = (struct iovec){.iov_base = (uint8_t *)iov[i].iov_base + offset, .iov_len = piece};
        *n += 1;
        offset = 0;
        len -= piece;
    }
    return slice;
}

/* The out buffers behind the header. */
static void
take_out_data(BlkCommand *command, VirtChain *chain)
{
    command->len = virt_chain_readable(chain);
    command->n_data = chain->n_out - chain->out_at;
    command->data = chain->out + chain->out_at;
    if (chain->out_at_off)
        command->data = command->own_data =
            blk_iov_slice(chain->out, chain->n_out, chain->out_cursor, command->len, SIZE_MAX, &command->n_data);
}

/* The in buffers before the status. */
static void
take_in_data(BlkCommand *command, VirtChain *chain)
{
    command->len = chain->in_len - 1;
    command->n_data = chain->n_in - 1;
    command->data = chain->in;
    if (chain->in[chain->n_in - 1].iov_len > 1)
        command->data = command->own_data =
            blk_iov_slice(chain->in, chain->n_in, 0, command->len, SIZE_MAX, &command->n_data);
}

static void
parse_transfer(BlkCommand *command, VirtChain *chain, BlkKind kind, uint64_t sector, const BlkLimits *limits)
{
    command->kind = kind;
    command->offset = sectors_to_bytes(sector);
    if (kind == BLK_READ)
        take_in_data(command, chain);
    else
        take_out_data(command, chain);
    if (!range_is_good(command->offset, command->len, limits) || (kind == BLK_WRITE && limits->read_only))
        answer(command, VIRTIO_BLK_S_IOERR);
}

/* VIRTIO_BLK_S_OK, or what is wrong with one segment (virtio 1.2, 5.2.6.2). */
static uint8_t
parse_range(BlkRange *range, BlkKind kind, const struct virtio_blk_discard_write_zeroes *segment,
            const BlkLimits *limits)
{
    uint32_t sectors = GUINT32_FROM_LE(segment->num_sectors);
    uint32_t flags = GUINT32_FROM_LE(segment->flags);
    uint32_t known = kind == BLK_WRITE_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;

    *range = (BlkRange){
        .offset = sectors_to_bytes(GUINT64_FROM_LE(segment->sector)),
        .len = sectors_to_bytes(sectors),
        .unmap = flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
    };
    if (flags & ~known)
        return VIRTIO_BLK_S_UNSUPP;
    if (sectors > (kind == BLK_DISCARD ? BLK_DISCARD_SECTORS_MAX : BLK_WRITE_ZEROES_SECTORS_MAX) ||
        !range_is_good(range->offset, range->len, limits))
        return VIRTIO_BLK_S_IOERR;
    return VIRTIO_BLK_S_OK;
}

static void
parse_ranges(BlkCommand *command, VirtChain *chain, BlkKind kind, const BlkLimits *limits)
{
    struct virtio_blk_discard_write_zeroes segments[BLK_RANGES_MAX];
    size_t len = virt_chain_readable(chain);
    size_t n = len / sizeof(segments[0]);

    command->kind = kind;
    if (!n || len % sizeof(segments[0]) || n > BLK_RANGES_MAX || limits->read_only) {
        answer(command, VIRTIO_BLK_S_IOERR);
        return;
    }
    virt_chain_read(chain, segments, len);
    command->ranges = g_new(BlkRange, n);
    command->n_ranges = n;
    for (size_t i = 0; i < n; i++) {
        uint8_t status = parse_range(&command->ranges[i], kind, &segments[i], limits);
        if (status != VIRTIO_BLK_S_OK) {
            answer(command, status);
            return;
        }
    }
}

/* As much of the serial as there is room for, padded with zeroes (virtio 1.2, 5.2.6.1). */
static void
give_id(BlkCommand *command, VirtChain *chain, const BlkLimits *limits)
{
    char id[VIRTIO_BLK_SERIAL_MAX] = {0};

    memcpy(id, limits->serial, strnlen(limits->serial, sizeof(id)));
    virt_chain_write(chain, id, MIN(sizeof(id), chain->in_len - 1));
    answer(command, VIRTIO_BLK_S_OK);
}

bool
blk_command_parse(BlkCommand *command, VirtChain *chain, const BlkLimits *limits)
{
    struct virtio_blk_outhdr header;

    *command = (BlkCommand){0};
    rewind_chain(chain);
    if (chain->in_len < 1 || virt_chain_read(chain, &header, sizeof(header)) < sizeof(header))
        return false;
    const struct iovec *last = &chain->in[chain->n_in - 1];
    command->status = (uint8_t *)last->iov_base + last->iov_len - 1;

    switch (GUINT32_FROM_LE(header.type)) {
    case VIRTIO_BLK_T_IN:
        parse_transfer(command, chain, BLK_READ, GUINT64_FROM_LE(header.sector), limits);
        break;
    case VIRTIO_BLK_T_OUT:
        parse_transfer(command, chain, BLK_WRITE, GUINT64_FROM_LE(header.sector), limits);
        break;
    case VIRTIO_BLK_T_FLUSH:
        command->kind = BLK_FLUSH;
        break;
    case VIRTIO_BLK_T_DISCARD:
        if (limits->discard)
            parse_ranges(command, chain, BLK_DISCARD, limits);
        else
            answer(command, VIRTIO_BLK_S_UNSUPP);
        break;
    case VIRTIO_BLK_T_WRITE_ZEROES:
        parse_ranges(command, chain, BLK_WRITE_ZEROES, limits);
        break;
    case VIRTIO_BLK_T_GET_ID:
        give_id(command, chain, limits);
        break;
    default:
        answer(command, VIRTIO_BLK_S_UNSUPP);
        break;
    }
    return true;
}

void
blk_command_clear(BlkCommand *command)
{
    g_clear_pointer(&command->own_data, g_free);
    g_clear_pointer(&command->ranges, g_free);
}
