/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: all boxes' pixels lie in one block of the pool. */
#include "display/spice/frame.h"

#include <string.h>

/* Each box costs clients a message of about 100 bytes more. */
#define MAX_MERGED 24
#define MAX_CUTS (FRAME_MAX_BOXES - 1 - MAX_MERGED) /* one is the film's */
/* Of a band, unless that would make more than MAX_CUTS cuts. */
#define BAND_BYTES (512 * 1024)

typedef struct {
    DrawCommand draw; /* first: it is what comes back */
    Frame *frame;
} FrameBox;

struct Frame {
    PixelPool *pool;
    void *pixels;
    void (*box_done)(void *user);
    void *user;
    size_t n_held;
    FrameBox boxes[];
};

static size_t
box_bytes(const pixman_box32_t *box)
{
    return (size_t)(box->x2 - box->x1) * (size_t)(box->y2 - box->y1) * 4;
}

static size_t
all_bytes(const pixman_box32_t *boxes, size_t n)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += box_bytes(&boxes[i]);
    return bytes;
}

/* ---- boxes ---- */

/* Tile rows to a band of this width, so that bands have at least @bytes. */
static int32_t
band_height(const pixman_box32_t *box, size_t bytes)
{
    size_t row = (size_t)(box->x2 - box->x1) * 4 * TILE_HEIGHT;
    return (int32_t)((bytes + row - 1) / row) * TILE_HEIGHT;
}

static size_t
cut(const pixman_box32_t *box, size_t bytes, pixman_box32_t *bands)
{
    int32_t height = band_height(box, bytes);
    size_t n = 0;

    for (int32_t y = box->y1; y < box->y2; y += height)
        bands[n++] = (pixman_box32_t){box->x1, y, box->x2, MIN(y + height, box->y2)};
    return n;
}

size_t
frame_boxes(const TileGrid *grid, uint64_t *set, const pixman_box32_t *film, bool in_bands,
            pixman_box32_t boxes[FRAME_MAX_BOXES])
{
    pixman_box32_t merged[MAX_MERGED];
    bool film_moves = film && tile_set_remove_box(grid, set, film);
    size_t n = 0, n_merged = tile_set_merge(grid, set, merged, MAX_MERGED);
    size_t bytes = all_bytes(merged, n_merged);
    size_t band = in_bands ? MAX(BAND_BYTES, bytes / MAX_CUTS + 1) : bytes; /* a cut for each whole band at most */

    for (size_t i = 0; i < n_merged; i++)
        n += cut(&merged[i], band, boxes + n);
    if (film_moves) /* over all that may cover it, coarse as the rest can be */
        boxes[n++] = *film;
    return n;
}

/* ---- frames ---- */

void
frame_free(Frame *frame)
{
    pixel_pool_give(frame->pool, frame->pixels);
    g_free(frame);
}

static void
on_box_done(Command *command)
{
    FrameBox *box = (FrameBox *)command;
    Frame *frame = box->frame;
    void (*box_done)(void *user) = frame->box_done;
    void *user = frame->user;

    if (--frame->n_held == 0)
        frame_free(frame);
    box_done(user);
}

Frame *
frame_new(PixelPool *pool, Picture *picture, const Surface *surface, const pixman_box32_t *boxes, size_t n,
          uint64_t *set, void (*box_done)(void *user), void *user)
{
    uint8_t *pixels = pixel_pool_take(pool, all_bytes(boxes, n));

    if (!pixels)
        return NULL;
    Frame *frame = g_malloc(sizeof *frame + n * sizeof *frame->boxes);
    frame->pool = pool;
    frame->pixels = pixels;
    frame->box_done = box_done;
    frame->user = user;
    frame->n_held = n;
    for (size_t i = 0; i < n; pixels += box_bytes(&boxes[i]), i++) {
        FrameBox *box = &frame->boxes[i];
        box->frame = frame;
        box->draw.command.done = on_box_done;
        picture_send(picture, surface, &boxes[i], pixels, (size_t)(boxes[i].x2 - boxes[i].x1) * 4, set);
        command_init_draw(&box->draw, &boxes[i], pixels);
    }
    return frame;
}

const Command *
frame_command(const Frame *frame, size_t box)
{
    return &frame->boxes[box].draw.command;
}
