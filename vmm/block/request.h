/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One virtio-blk request, as the driver laid it out (virtio 1.2, 5.2.6), checked and ready to be carried out.
 *
 * Parsing copies what it needs once; the data stays where it is in guest memory, and its buffers are the chain's own
 * (or a trimmed copy where the header or the status shares a buffer with data). Nothing here does I/O.
 *
 * Owner: the I/O thread.
 */
#pragma once

#include "vmm/virtio/queue.h"

#include <linux/virtio_blk.h>

/* Segments of one discard or write-zeroes command, and sectors in each; told to the driver. */
#define BLK_RANGES_MAX 32
#define BLK_DISCARD_SECTORS_MAX (1u << 21)      /* 1 GiB */
#define BLK_WRITE_ZEROES_SECTORS_MAX (1u << 17) /* 64 MiB: it may come to writing them */

/* What a request is checked against. */
typedef struct {
    uint64_t bytes;      /* of the disk */
    uint32_t block_size; /* everything is a multiple of it */
    bool read_only;
    bool discard; /* offered; write-zeroes always is */
    const char *serial;
} BlkLimits;

typedef enum {
    BLK_READ,
    BLK_WRITE,
    BLK_FLUSH,
    BLK_DISCARD,
    BLK_WRITE_ZEROES,
    BLK_ANSWER, /* nothing to do but to give the status back */
} BlkKind;

typedef struct {
    uint64_t offset, len; /* bytes */
    bool unmap;           /* write-zeroes: the space may be given back */
} BlkRange;

typedef struct {
    BlkKind kind;
    uint8_t answer;       /* BLK_ANSWER: VIRTIO_BLK_S_… */
    uint64_t offset, len; /* reads and writes: bytes */
    struct iovec *data;   /* reads and writes: exactly @len bytes */
    size_t n_data;
    struct iovec *own_data; /* what data points to where it is not the chain's; freed by blk_command_clear() */
    BlkRange *ranges;       /* discard and write-zeroes; likewise */
    unsigned n_ranges;
    uint8_t *status; /* in guest memory: the chain's last byte */
} BlkCommand;

/*
 * Reads @chain from its start. false where it has no room for a header or a status: the driver's fault, and nothing can
 * be answered. Any other fault makes a BLK_ANSWER.
 */
bool blk_command_parse(BlkCommand *command, VirtChain *chain, const BlkLimits *limits);
void blk_command_clear(BlkCommand *command);

/*
 * A copy of the buffers from @offset on, at most @max of them, at most @len bytes; @n is set to their number. Free it.
 */
struct iovec *blk_iov_slice(const struct iovec *iov, size_t n_iov, uint64_t offset, uint64_t len, size_t max,
                            size_t *n);
