/* SPDX-License-Identifier: Apache-2.0 */
/* A viewer for tests: writes down how often it was told of each kind of thing, and the last of each, by scanout. */
#pragma once

#include "display/scanout.h"

typedef struct {
    unsigned n_surface, n_damage, n_cursor, n_move;
    Surface *surface; /* not referenced */
    pixman_box32_t box;
    bool cursor_shown;
    CursorImage cursor;
    int32_t x, y;
} NotesOfScanout;

typedef struct {
    NotesOfScanout of[SCREEN_MAX_SCANOUTS];
} Notes;

/* The viewer is a Notes. */
extern const ViewerOps notes_ops;

void assert_box(const pixman_box32_t *box, int32_t x1, int32_t y1, int32_t x2, int32_t y2);
