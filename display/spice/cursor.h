/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cursor of one scanout, as commands for spice-server, which takes them when it has time: only the newest picture and
 * the newest place are kept.
 *
 * Any thread; a lock of its own, which no other is taken with.
 */
#pragma once

#include "display/scanout.h"

#include <spice.h>
#include <spice/qxl_dev.h>

typedef struct QxlCursor QxlCursor;

QxlCursor *qxl_cursor_new(void);
void qxl_cursor_free(QxlCursor *cursor);

/* NULL: hidden. */
void qxl_cursor_set(QxlCursor *cursor, const CursorImage *image);
/* Its top left corner, as the Screen tells it. */
void qxl_cursor_move(QxlCursor *cursor, int32_t x, int32_t y);
/* spice-server has forgotten the picture. */
void qxl_cursor_resend(QxlCursor *cursor);

bool qxl_cursor_is_pending(QxlCursor *cursor);
/* Worker. False: nothing new. */
bool qxl_cursor_get_command(QxlCursor *cursor, QXLCommandExt *command);
