/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Films: finds the part of a picture that moves like one, and so is worth being sent as a stream.
 *
 * It is a block of neighbouring tiles that have changed many times a second for half a second, and are smooth where looked
 * at: most neighbouring pixels differ, and little. Text, scrolled, is not: its pixels are the same or in strong contrast.
 *
 * The clock and the pixels are the caller's. Owner: the display worker of one scanout.
 */
#pragma once

#include "display/spice/tiles.h"
#include "display/surface.h"

typedef struct Film Film;

/* For pictures of @grid, which is copied. NULL: no memory. */
Film *film_new(const TileGrid *grid);
void film_free(Film *film);
/* There is no film, and nothing has changed yet. */
void film_forget(Film *film);

/* The tiles of @changed change, and show what @surface has. @now: monotonic time, µs. */
void film_watch(Film *film, const Surface *surface, const uint64_t *changed, int64_t now);
/* Where the film is, in pixels and made of whole tiles, the same box for as long as it can be; NULL: nowhere. */
const pixman_box32_t *film_box(const Film *film);
