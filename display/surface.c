/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Surfaces: one allocation holds the surface, its copy of the iovecs and their running starts, so that making one costs
 * one malloc.
 */
#include "display/surface.h"

#include "display/scatter.h"

#define BYTES_PER_PIXEL 4

/* Bytes from the first pixel to the end of the last; false where the sizes are absurd. */
static bool
pixels_span(uint32_t width, uint32_t height, uint32_t stride, uint64_t *span)
{
    if (width == 0 || height == 0 || width > SURFACE_MAX_SIDE || height > SURFACE_MAX_SIDE)
        return false;
    if (stride < width * BYTES_PER_PIXEL || stride % BYTES_PER_PIXEL)
        return false;
    *span = (uint64_t)(height - 1) * stride + width * BYTES_PER_PIXEL;
    return true;
}

static bool
is_aligned(const void *pixel)
{
    return (uintptr_t)pixel % BYTES_PER_PIXEL == 0;
}

static Scatter
scattered(const Surface *surface)
{
    return (Scatter){.iov = surface->iov, .starts = surface->iov_offsets, .n = surface->n_iov};
}

/* Where @len bytes from byte @at on lie in one run, aligned for a pixel; else NULL. */
static void *
find_run(const Surface *surface, uint64_t at, uint64_t len)
{
    const Scatter scatter = scattered(surface);
    void *run = scatter_run(&scatter, at, len);
    return is_aligned(run) ? run : NULL;
}

Surface *
surface_new(uint32_t width, uint32_t height, uint32_t stride, uint64_t start, pixman_format_code_t format,
            const struct iovec *iov, size_t n_iov, GDestroyNotify release, void *owner)
{
    uint64_t span, total, end;

    if (!pixels_span(width, height, stride, &span) || PIXMAN_FORMAT_BPP(format) != 8 * BYTES_PER_PIXEL)
        return NULL;
    g_autofree Surface *surface = g_try_malloc0(sizeof *surface + n_iov * (sizeof *iov + sizeof *surface->iov_offsets));
    if (!surface)
        return NULL;
    struct iovec *copy = (struct iovec *)(surface + 1);
    surface->iov_offsets = (uint64_t *)(copy + n_iov);
    surface->iov = copy;
    if (!scatter_pack(iov, n_iov, copy, surface->iov_offsets, &surface->n_iov, &total))
        return NULL;
    if (__builtin_add_overflow(start, span, &end) || end > total)
        return NULL;

    surface->width = width;
    surface->height = height;
    surface->stride = stride;
    surface->start = start;
    surface->format = format;
    surface->release = release;
    surface->owner = owner;
    surface->linear = find_run(surface, start, span);
    g_atomic_ref_count_init(&surface->references);
    return g_steal_pointer(&surface);
}

Surface *
surface_ref(Surface *surface)
{
    g_atomic_ref_count_inc(&surface->references);
    return surface;
}

void
surface_unref(Surface *surface)
{
    if (!surface || !g_atomic_ref_count_dec(&surface->references))
        return;
    if (surface->release)
        surface->release(surface->owner);
    g_free(surface);
}

const uint32_t *
surface_row(const Surface *surface, uint32_t x, uint32_t y, uint32_t n, uint32_t *scratch)
{
    g_assert(y < surface->height && x <= surface->width && n <= surface->width - x);
    uint64_t in_picture = (uint64_t)y * surface->stride + (uint64_t)x * BYTES_PER_PIXEL;
    if (surface->linear)
        return (const uint32_t *)((const uint8_t *)surface->linear + in_picture);
    if (n == 0)
        return scratch;

    size_t len = (size_t)n * BYTES_PER_PIXEL;
    const uint32_t *run = find_run(surface, surface->start + in_picture, len);
    if (run)
        return run;
    const Scatter scatter = scattered(surface);
    scatter_read(&scatter, surface->start + in_picture, scratch, len);
    return scratch;
}
