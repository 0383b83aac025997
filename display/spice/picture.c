/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures: bands one tile high are read from the surface, in place where they lie in one run, else gathered; the numbers
 * are taken of the surface's own format, so that a conversion is paid for changed tiles only.
 */
#include "display/spice/picture.h"

#include <string.h>

Picture *
picture_new(uint32_t width, uint32_t height)
{
    g_autoptr(Picture) picture = g_new0(Picture, 1);

    tile_grid_init(&picture->grid, width, height);
    picture->sent = g_try_new0(uint64_t, (gsize)picture->grid.columns * picture->grid.rows);
    return picture->sent ? g_steal_pointer(&picture) : NULL;
}

void
picture_free(Picture *picture)
{
    if (!picture)
        return;
    g_free(picture->sent);
    g_free(picture->band);
    g_free(picture);
}

void
picture_forget(Picture *picture)
{
    memset(picture->sent, 0, (gsize)picture->grid.columns * picture->grid.rows * sizeof *picture->sent);
}

static uint64_t *
sent_of(Picture *picture, uint32_t column, uint32_t row)
{
    return &picture->sent[(gsize)row * picture->grid.columns + column];
}

static void
gather(const Surface *surface, const pixman_box32_t *box, uint8_t *to, size_t stride)
{
    uint32_t width = (uint32_t)(box->x2 - box->x1);

    for (int32_t y = box->y1; y < box->y2; y++, to += stride) {
        const uint32_t *row = surface_row(surface, (uint32_t)box->x1, (uint32_t)y, width, (uint32_t *)to);
        if ((const uint8_t *)row != to)
            memcpy(to, row, (size_t)width * 4);
    }
}

static uint32_t *
band_of(Picture *picture)
{
    if (!picture->band)
        picture->band = g_new(uint32_t, (gsize)picture->grid.width *TILE_HEIGHT);
    return picture->band;
}

/* The pixels of a box at most one tile high, wherever they are. */
static const uint8_t *
view(Picture *picture, const Surface *surface, const pixman_box32_t *box, size_t *stride)
{
    if (surface->linear) {
        *stride = surface->stride;
        return (const uint8_t *)surface->linear + (size_t)box->y1 * surface->stride + (size_t)box->x1 * 4;
    }
    *stride = (size_t)(box->x2 - box->x1) * 4;
    gather(surface, box, (uint8_t *)band_of(picture), *stride);
    return (const uint8_t *)picture->band;
}

static void
keep_changed_of_run(Picture *picture, const Surface *surface, uint32_t row, const TileRun *run, uint64_t *set)
{
    pixman_box32_t first = tile_box(&picture->grid, run->from, row);
    pixman_box32_t last = tile_box(&picture->grid, run->to - 1, row);
    pixman_box32_t box = {first.x1, first.y1, last.x2, last.y2};
    size_t stride;
    const uint8_t *pixels = view(picture, surface, &box, &stride);

    for (uint32_t column = run->from; column < run->to; column++) {
        pixman_box32_t tile = tile_box(&picture->grid, column, row);
        uint64_t hash = tile_hash(pixels + (size_t)(tile.x1 - box.x1) * 4, stride, (unsigned)(tile.x2 - tile.x1),
                                  (unsigned)(tile.y2 - tile.y1));
        if (hash == *sent_of(picture, column, row))
            tile_set_remove(&picture->grid, set, column, row);
    }
}

void
picture_keep_changed(Picture *picture, const Surface *surface, uint64_t *set)
{
    TileRun run;

    g_assert(surface->width == picture->grid.width && surface->height == picture->grid.height);
    for (uint32_t row = 0; row < picture->grid.rows; row++)
        for (uint32_t at = 0; tile_set_next_run(&picture->grid, set, row, at, &run); at = run.to)
            keep_changed_of_run(picture, surface, row, &run, set);
}

/* Whether the surface's pixels can be sent as they are: the fourth byte does not count. */
static bool
is_native(const Surface *surface)
{
    return surface->format == PIXMAN_x8r8g8b8 || surface->format == PIXMAN_a8r8g8b8;
}

static void
convert(const Surface *surface, const uint8_t *from, size_t from_stride, uint8_t *to, size_t stride, int width,
        int height)
{
    pixman_image_t *source =
        pixman_image_create_bits_no_clear(surface->format, width, height, (uint32_t *)from, (int)from_stride);
    pixman_image_t *target =
        pixman_image_create_bits_no_clear(PIXMAN_x8r8g8b8, width, height, (uint32_t *)to, (int)stride);

    pixman_image_composite32(PIXMAN_OP_SRC, source, NULL, target, 0, 0, 0, 0, 0, 0, width, height);
    pixman_image_unref(source);
    pixman_image_unref(target);
}

/* Counts a tile as sent; out of @set if it was already. */
static void
note_sent(Picture *picture, uint32_t column, uint32_t row, uint64_t hash, uint64_t *set)
{
    uint64_t *sent = sent_of(picture, column, row);

    if (set && hash == *sent)
        tile_set_remove(&picture->grid, set, column, row);
    *sent = hash;
}

/* One row of tiles: the numbers are taken of a copy the guest cannot change. */
static void
send_band(Picture *picture, const Surface *surface, const pixman_box32_t *box, uint8_t *to, size_t stride,
          uint64_t *set)
{
    bool native = is_native(surface);
    unsigned width = (unsigned)(box->x2 - box->x1), height = (unsigned)(box->y2 - box->y1);
    size_t from_stride = (size_t)width * 4;
    const uint8_t *from;

    if (native) {
        from = view(picture, surface, box, &from_stride);
    } else {
        gather(surface, box, (uint8_t *)band_of(picture), from_stride);
        from = (const uint8_t *)picture->band;
    }
    for (unsigned x = 0; x < width; x += TILE_WIDTH) {
        size_t at = (size_t)x * 4;
        unsigned n = MIN(TILE_WIDTH, width - x);
        uint64_t hash = native ? tile_copy(to + at, stride, from + at, from_stride, n, height)
                               : tile_hash(from + at, from_stride, n, height);
        note_sent(picture, ((uint32_t)box->x1 + x) / TILE_WIDTH, (uint32_t)box->y1 / TILE_HEIGHT, hash, set);
    }
    if (!native)
        convert(surface, from, from_stride, to, stride, (int)width, (int)height);
}

void
picture_send(Picture *picture, const Surface *surface, const pixman_box32_t *box, void *to, size_t stride,
             uint64_t *set)
{
    g_assert(surface->width == picture->grid.width && surface->height == picture->grid.height);
    g_assert(box->x1 % TILE_WIDTH == 0 && box->y1 % TILE_HEIGHT == 0);
    for (int32_t y = box->y1; y < box->y2; y += TILE_HEIGHT) {
        pixman_box32_t band = {box->x1, y, box->x2, MIN(y + TILE_HEIGHT, box->y2)};
        send_band(picture, surface, &band, (uint8_t *)to + (size_t)(y - box->y1) * stride, stride, set);
    }
}
