/* SPDX-License-Identifier: Apache-2.0 */
/* The viewer that writes down: see notes.h. */
#include "notes.h"

static NotesOfScanout *
notes_of(void *viewer, unsigned scanout)
{
    g_assert_cmpuint(scanout, <, SCREEN_MAX_SCANOUTS);
    return &((Notes *)viewer)->of[scanout];
}

static void
note_surface(void *viewer, unsigned scanout, Surface *surface)
{
    NotesOfScanout *notes = notes_of(viewer, scanout);
    notes->n_surface++;
    notes->surface = surface;
}

static void
note_damage(void *viewer, unsigned scanout, const pixman_box32_t *box)
{
    NotesOfScanout *notes = notes_of(viewer, scanout);
    notes->n_damage++;
    notes->box = *box;
}

static void
note_cursor(void *viewer, unsigned scanout, const CursorImage *image)
{
    NotesOfScanout *notes = notes_of(viewer, scanout);
    notes->n_cursor++;
    notes->cursor_shown = image;
    if (image)
        notes->cursor = *image;
}

static void
note_move(void *viewer, unsigned scanout, int32_t x, int32_t y)
{
    NotesOfScanout *notes = notes_of(viewer, scanout);
    notes->n_move++;
    notes->x = x;
    notes->y = y;
}

const ViewerOps notes_ops = {
    .surface = note_surface, .damage = note_damage, .cursor_image = note_cursor, .cursor_move = note_move};

void
assert_box(const pixman_box32_t *box, int32_t x1, int32_t y1, int32_t x2, int32_t y2)
{
    g_assert_cmpint(box->x1, ==, x1);
    g_assert_cmpint(box->y1, ==, y1);
    g_assert_cmpint(box->x2, ==, x2);
    g_assert_cmpint(box->y2, ==, y2);
}
