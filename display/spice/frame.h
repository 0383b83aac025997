/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: the boxes of a picture that changed, copied, and on their way to the clients.
 *
 * Owner: the display worker of one scanout.
 */
#pragma once

#include "display/spice/command.h"
#include "display/spice/picture.h"
#include "display/spice/pixels.h"

#define FRAME_MAX_BOXES 40

typedef struct Frame Frame;

/* The boxes of the last frame, to tell what moves. */
typedef struct {
    pixman_box32_t boxes[FRAME_MAX_BOXES];
    size_t n;
    int64_t at; /* monotonic time, µs */
} FrameMotion;

/*
 * The boxes that @set, of changed tiles, is sent as; FRAME_MAX_BOXES at most. A box that changed in the last frame too and
 * just now moves, perhaps it is a film: spice-server finds that out by seeing it whole. Others are cut into bands, which are
 * under way while the next ones are still being compressed, and take little memory for that.
 */
size_t frame_boxes(const TileGrid *grid, const uint64_t *set, FrameMotion *motion, int64_t now,
                   pixman_box32_t boxes[FRAME_MAX_BOXES]);

/*
 * Copies the boxes' pixels and makes draw commands of them. @box_done(@user) is called when spice-server needs a box no
 * more; the frame is freed with the last. NULL: no memory.
 */
Frame *frame_new(PixelPool *pool, Picture *picture, const Surface *surface, const pixman_box32_t *boxes, size_t n,
                 void (*box_done)(void *user), void *user);
const Command *frame_command(const Frame *frame, size_t box);
