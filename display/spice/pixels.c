/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pixel memory: small blocks are malloc's business; large ones are mapped, so that they can go back to the system, and a
 * few of them wait for the next frame.
 */
#include "display/spice/pixels.h"

#include <sys/mman.h>

#define SMALL (64 * 1024)
#define ROUND (256 * 1024)
/* A frame being sent, the one the client shows, and one to write: more are never in use while the picture moves. */
#define MAX_IDLE 3

/* In front of the pixels, in a cache line of its own. */
typedef struct {
    _Alignas(64) size_t capacity; /* bytes of pixels */
    size_t used;
} Block;

void
pixel_pool_init(PixelPool *pool)
{
    g_queue_init(&pool->idle);
    pool->bytes = 0;
}

static void
block_free(Block *block)
{
    if (block->capacity <= SMALL)
        g_aligned_free(block);
    else
        munmap(block, sizeof *block + block->capacity);
}

void
pixel_pool_trim(PixelPool *pool)
{
    Block *block;

    while ((block = g_queue_pop_head(&pool->idle)))
        block_free(block);
}

void
pixel_pool_finish(PixelPool *pool)
{
    g_assert(pool->bytes == 0);
    pixel_pool_trim(pool);
}

static Block *
block_new(size_t bytes)
{
    Block *block;

    if (bytes <= SMALL) {
        block = g_aligned_alloc(1, sizeof *block + bytes, _Alignof(Block));
        block->capacity = bytes;
        return block;
    }
    size_t whole = (sizeof *block + bytes + ROUND - 1) / ROUND * ROUND;
    block = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (block == MAP_FAILED)
        return NULL;
    block->capacity = whole - sizeof *block;
    return block;
}

/* An idle block that is large enough and not absurdly so. */
static Block *
find_idle(PixelPool *pool, size_t bytes)
{
    for (GList *link = pool->idle.head; link; link = link->next) {
        Block *block = link->data;
        if (block->capacity >= bytes && block->capacity / 16 <= bytes) {
            g_queue_delete_link(&pool->idle, link);
            return block;
        }
    }
    return NULL;
}

void *
pixel_pool_take(PixelPool *pool, size_t bytes)
{
    Block *block = bytes > SMALL ? find_idle(pool, bytes) : NULL;

    if (!block)
        block = block_new(bytes);
    if (!block)
        return NULL;
    block->used = bytes;
    pool->bytes += bytes;
    return block + 1;
}

void
pixel_pool_give(PixelPool *pool, void *pixels)
{
    Block *block = (Block *)pixels - 1;

    pool->bytes -= block->used;
    if (block->capacity <= SMALL) {
        block_free(block);
        return;
    }
    g_queue_push_head(&pool->idle, block);
    if (pool->idle.length > MAX_IDLE)
        block_free(g_queue_pop_tail(&pool->idle));
}
