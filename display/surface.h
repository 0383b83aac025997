/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A surface: pixels a scanout shows, wherever they live.
 *
 * The pixels are either one run of host memory (a 2D resource) or scattered guest pages (a blob resource); readers see an
 * iovec list either way and use surface_row(). Everything but the pixels is immutable, and a surface is counted, so
 * a viewer on another thread may go on reading one whose resource the guest has just destroyed: it sees old or torn
 * pixels, never freed memory. Any thread.
 */
#pragma once

#include <pixman.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <glib.h>

/* Largest accepted width or height, in pixels. */
#define SURFACE_MAX_SIDE 16384

typedef struct Surface {
    uint32_t width, height;      /* pixels, 1 to SURFACE_MAX_SIDE */
    uint32_t stride;             /* bytes from one row to the next, a multiple of 4 */
    uint64_t start;              /* byte of the first pixel in the iovecs */
    pixman_format_code_t format; /* 32 bits a pixel: PIXMAN_x8r8g8b8, a8r8g8b8, b8g8r8x8, … */
    const struct iovec *iov;
    size_t n_iov;
    void *linear; /* the first pixel where all rows lie in one run of memory, four-byte aligned; else NULL */
    /* private */
    uint64_t *iov_offsets; /* running start of each iovec, for the binary search */
    gatomicrefcount references;
    GDestroyNotify release;
    void *owner;
} Surface;

/*
 * @iov is copied. The pixels must stay mapped until @release(@owner) is called, on whichever thread drops the last
 * reference. NULL where the sizes are absurd or the iovecs are too short for them; nothing is released then.
 */
Surface *surface_new(uint32_t width, uint32_t height, uint32_t stride, uint64_t start, pixman_format_code_t format,
                     const struct iovec *iov, size_t n_iov, GDestroyNotify release, void *owner);
Surface *surface_ref(Surface *surface);
void surface_unref(Surface *surface);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Surface, surface_unref)

/*
 * @n pixels of row @y from column @x, in the surface's own format: a pointer into the pixels where they lie in one run,
 * else copied to @scratch (4 * n bytes) and @scratch returned. In range.
 */
const uint32_t *surface_row(const Surface *surface, uint32_t x, uint32_t y, uint32_t n, uint32_t *scratch);
