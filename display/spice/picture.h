/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A picture: what the clients have been sent of a surface, as one number a tile.
 *
 * There is no second copy of the pixels to compare with: a tile whose number is the one it had when it was sent has not
 * changed. The number is taken from the pixels that are sent, not from the surface, which the guest may write meanwhile;
 * so whatever a client shows, the next comparison is with just that.
 *
 * Owner: the thread that makes frames of it.
 */
#pragma once

#include "display/spice/tiles.h"
#include "display/surface.h"

typedef struct {
    TileGrid grid;
    /* private */
    uint64_t *sent; /* the tiles' numbers; 0: not sent */
    uint32_t *band; /* a row of tiles of a scattered or converted surface; made when first needed */
} Picture;

/* NULL: no memory. */
Picture *picture_new(uint32_t width, uint32_t height);
void picture_free(Picture *picture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Picture, picture_free)

/* Nothing counts as sent. */
void picture_forget(Picture *picture);
/* Takes the tiles out of @set that show what was sent. The surface has the picture's size. */
void picture_keep_changed(Picture *picture, const Surface *surface, uint64_t *set);
/*
 * Copies a box made of whole tiles to @to, as x8r8g8b8 in rows @stride bytes apart, and counts it as sent. Takes the tiles out
 * of @set that show what was sent before; NULL: not asked for.
 */
void picture_send(Picture *picture, const Surface *surface, const pixman_box32_t *box, void *to, size_t stride,
                  uint64_t *set);
