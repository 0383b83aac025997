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

/*
 * The boxes that @set, of changed tiles, is sent as; FRAME_MAX_BOXES at most. Where something of @film (see film.h; NULL: none)
 * changed, all of it is one of them, the last: spice-server makes a stream of what it sees again and again at one place.
 * Of the rest, what is to be compressed (@in_bands) is cut into bands, which are under way while the next ones are still
 * being compressed, and take little memory for that. Takes the film's tiles out of @set.
 */
size_t frame_boxes(const TileGrid *grid, uint64_t *set, const pixman_box32_t *film, bool in_bands,
                   pixman_box32_t boxes[FRAME_MAX_BOXES]);

/*
 * Copies the boxes' pixels and makes draw commands of them. @set: as for picture_send(). @box_done(@user) is called when
 * spice-server needs a box no more; the frame is freed with the last, or by frame_free() if none was handed out. NULL: no memory.
 */
Frame *frame_new(PixelPool *pool, Picture *picture, const Surface *surface, const pixman_box32_t *boxes, size_t n,
                 uint64_t *set, void (*box_done)(void *user), void *user);
void frame_free(Frame *frame);
const Command *frame_command(const Frame *frame, size_t box);
