/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Screenshots. pixman turns each row, of whatever format, into the bytes R, G, B, X and lays the cursor over it; libpng
 * drops the fourth byte and compresses. One row is held at a time.
 *
 * libpng reports errors by longjmp(). Everything that must be freed belongs to the frame that calls setjmp(), and nothing
 * there changes after it.
 */
#include "display/screenshot.h"

#include <errno.h>
#include <png.h>
#include <unistd.h>

/* zlib's fastest: a desktop of 1920 × 1080 full of text takes 40 ms and 290 KB, with zlib's default 75 ms and 250 KB. */
#define COMPRESSION 1
/* R, G, B and a filler, as libpng reads them from memory. */
#define ROW_FORMAT PIXMAN_x8b8g8r8

typedef struct {
    const Surface *surface;
    const ScreenshotCursor *cursor; /* NULL: none */
    int fd;
    int write_errno;     /* of the write that failed; 0: none did */
    uint32_t *scratch;   /* a row of the surface, where it is scattered */
    uint32_t *row;       /* a row to compress … */
    pixman_image_t *out; /* … and pixman's view of it */
    pixman_image_t *cursor_image;
} Shot;

static void
write_bytes(png_structp png, png_bytep bytes, size_t len)
{
    Shot *shot = png_get_io_ptr(png);

    while (len) {
        ssize_t written = write(shot->fd, bytes, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            shot->write_errno = written < 0 ? errno : EIO;
            png_error(png, "write");
        }
        bytes += written;
        len -= written;
    }
}

static void
flush_bytes(png_structp png)
{
}

/* libpng would print them. */
static void
stay_silent(png_structp png, png_const_charp message)
{
}

static void
leave(png_structp png, png_const_charp message)
{
    png_longjmp(png, 1);
}

static void
lay_cursor_over(Shot *shot, int32_t y)
{
    const ScreenshotCursor *cursor = shot->cursor;

    if (cursor && y >= cursor->y && y < cursor->y + CURSOR_SIDE)
        pixman_image_composite32(PIXMAN_OP_OVER, shot->cursor_image, NULL, shot->out, 0, y - cursor->y, 0, 0, cursor->x,
                                 0, CURSOR_SIDE, 1);
}

static void
convert_row(Shot *shot, uint32_t y)
{
    const Surface *surface = shot->surface;
    const uint32_t *pixels = surface_row(surface, 0, y, surface->width, shot->scratch);
    pixman_image_t *in = pixman_image_create_bits_no_clear(surface->format, surface->width, 1, (uint32_t *)pixels,
                                                           surface->width * sizeof *pixels);

    pixman_image_composite32(PIXMAN_OP_SRC, in, NULL, shot->out, 0, 0, 0, 0, 0, 0, surface->width, 1);
    pixman_image_unref(in);
    lay_cursor_over(shot, y);
}

/* Leaves by longjmp() on an error. */
static void
write_picture(png_structp png, png_infop info, Shot *shot)
{
    png_set_write_fn(png, shot, write_bytes, flush_bytes);
    png_set_compression_level(png, COMPRESSION);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
    png_set_IHDR(png, info, shot->surface->width, shot->surface->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    png_set_filler(png, 0, PNG_FILLER_AFTER);
    for (uint32_t y = 0; y < shot->surface->height; y++) {
        convert_row(shot, y);
        png_write_row(png, (png_const_bytep)shot->row);
    }
    png_write_end(png, NULL);
}

static bool
encode(Shot *shot)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, leave, stay_silent);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    volatile bool good = false; /* set between setjmp() and a possible longjmp() */

    if (info && !setjmp(png_jmpbuf(png))) {
        write_picture(png, info, shot);
        good = true;
    }
    png_destroy_write_struct(&png, &info);
    return good;
}

static void
shot_init(Shot *shot, const Surface *surface, const ScreenshotCursor *cursor, int fd)
{
    *shot = (Shot){.surface = surface, .cursor = cursor, .fd = fd};
    shot->scratch = g_new(uint32_t, surface->width);
    shot->row = g_new(uint32_t, surface->width);
    shot->out =
        pixman_image_create_bits_no_clear(ROW_FORMAT, surface->width, 1, shot->row, surface->width * sizeof *shot->row);
    if (cursor)
        shot->cursor_image = pixman_image_create_bits_no_clear(PIXMAN_a8r8g8b8, CURSOR_SIDE, CURSOR_SIDE,
                                                               (uint32_t *)cursor->image->pixels, CURSOR_SIDE * 4);
}

static void
shot_finish(Shot *shot)
{
    g_clear_pointer(&shot->cursor_image, pixman_image_unref);
    pixman_image_unref(shot->out);
    g_free(shot->row);
    g_free(shot->scratch);
}

bool
screenshot_write(const Surface *surface, const ScreenshotCursor *cursor, int fd, GError **error)
{
    Shot shot;

    shot_init(&shot, surface, cursor, fd);
    bool good = encode(&shot);
    shot_finish(&shot);
    if (!good && shot.write_errno)
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(shot.write_errno), "cannot write the screenshot: %s",
                    g_strerror(shot.write_errno));
    else if (!good)
        g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_NOMEM, "cannot write the screenshot: out of memory");
    return good;
}

bool
screenshot_write_scanout(Screen *screen, unsigned scanout, bool with_cursor, int fd, GError **error)
{
    g_autoptr(Surface) surface = screen_get_surface(screen, scanout);
    CursorImage image;
    ScreenshotCursor cursor = {.image = &image};

    if (!surface) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NXIO,
                    "screen %u shows nothing now: the guest has not started its display, or has turned it off",
                    scanout);
        return false;
    }
    bool shown = with_cursor && screen_get_cursor(screen, scanout, &image, &cursor.x, &cursor.y);
    return screenshot_write(surface, shown ? &cursor : NULL, fd, error);
}
