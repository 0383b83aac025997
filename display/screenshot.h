/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Screenshots: a surface written to a file as PNG, row by row.
 *
 * 8 bits a channel, without alpha: a screen has none. The guest may go on drawing meanwhile; the picture is then made of
 * rows of before and after. Any thread; compressing takes a while (40 ms for 1920 × 1080), so rather one that nobody waits
 * for.
 */
#pragma once

#include "display/scanout.h"

/* The cursor laid over a picture: NULL for none, and the place of its top left corner. */
typedef struct {
    const CursorImage *image;
    int32_t x, y;
} ScreenshotCursor;

/* Writes at @fd's position; the caller closes it. false and a GFileError where it cannot be written whole. */
bool screenshot_write(const Surface *surface, const ScreenshotCursor *cursor, int fd, GError **error);

/* The present picture of a scanout. A G_FILE_ERROR_NXIO error where it shows nothing. */
bool screenshot_write_scanout(Screen *screen, unsigned scanout, bool with_cursor, int fd, GError **error);
