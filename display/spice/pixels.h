/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for the pixels of frames, used again and again: touching fresh memory costs ten times what copying a frame does.
 *
 * Owner: the display worker of one scanout.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

typedef struct {
    GQueue idle;  /* blocks not in use, the one used last in front */
    size_t bytes; /* taken and not given back */
} PixelPool;

void pixel_pool_init(PixelPool *pool);
/* All blocks are back. */
void pixel_pool_finish(PixelPool *pool);
/* NULL: no memory. */
void *pixel_pool_take(PixelPool *pool, size_t bytes);
void pixel_pool_give(PixelPool *pool, void *pixels);
/* Gives idle blocks back to the system. */
void pixel_pool_trim(PixelPool *pool);
