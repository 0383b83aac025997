/* SPDX-License-Identifier: Apache-2.0 */
/* Screenshots: read back with libpng, every pixel is the screen's, from any format, scattered or not, with a cursor. */
#include "display/screenshot.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <png.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int
new_file(void)
{
    int fd = memfd_create("screenshot", MFD_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

/* The picture in @fd as 0xRRGGBB. */
static uint32_t *
read_back(int fd, uint32_t *width, uint32_t *height)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    off_t len = lseek(fd, 0, SEEK_END);
    g_autofree uint8_t *file = g_malloc(len);
    g_assert_cmpint(pread(fd, file, len, 0), ==, len);

    g_assert_true(png_image_begin_read_from_memory(&image, file, len));
    g_assert_cmpint(image.format & PNG_FORMAT_FLAG_ALPHA, ==, 0);
    image.format = PNG_FORMAT_RGB;
    g_autofree uint8_t *bytes = g_malloc(PNG_IMAGE_SIZE(image));
    g_assert_true(png_image_finish_read(&image, NULL, bytes, 0, NULL));
    uint32_t *pixels = g_new(uint32_t, image.width *image.height);
    for (size_t i = 0; i < (size_t)image.width * image.height; i++)
        pixels[i] = bytes[3 * i] << 16 | bytes[3 * i + 1] << 8 | bytes[3 * i + 2];
    *width = image.width;
    *height = image.height;
    return pixels;
}

static uint32_t
colour(uint32_t x, uint32_t y)
{
    return (x * 7 + y * 131 + 0x10203) * 2654435761u & 0xffffff;
}

/* A picture of colour(x, y) with a stride of 4 (width + 3), in @format, in pieces of @piece bytes. */
typedef struct {
    uint8_t *bytes;
    size_t len;
    struct iovec *iov;
    size_t n;
} Picture;

static Surface *
make_picture(Picture *picture, uint32_t width, uint32_t height, pixman_format_code_t format, size_t piece)
{
    uint32_t stride = 4 * (width + 3);
    picture->len = (size_t)stride * height;
    picture->bytes = g_malloc0(picture->len);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            uint32_t rgb = colour(x, y), pixel;
            if (PIXMAN_FORMAT_TYPE(format) == PIXMAN_TYPE_BGRA)
                pixel = (rgb & 0xff) << 24 | (rgb & 0xff00) << 8 | (rgb >> 16) << 8;
            else if (PIXMAN_FORMAT_TYPE(format) == PIXMAN_TYPE_ABGR)
                pixel = (rgb & 0xff) << 16 | (rgb & 0xff00) | rgb >> 16;
            else if (PIXMAN_FORMAT_TYPE(format) == PIXMAN_TYPE_RGBA)
                pixel = rgb << 8;
            else
                pixel = rgb;
            memcpy(picture->bytes + y * stride + 4 * x, &pixel, 4);
        }
    }
    picture->n = (picture->len + piece - 1) / piece;
    picture->iov = g_new(struct iovec, picture->n);
    for (size_t i = 0; i < picture->n; i++)
        picture->iov[i] = (struct iovec){g_memdup2(picture->bytes + i * piece, MIN(piece, picture->len - i * piece)),
                                         MIN(piece, picture->len - i * piece)};
    return surface_new(width, height, stride, 0, format, picture->iov, picture->n, NULL, NULL);
}

static void
picture_clear(Picture *picture)
{
    for (size_t i = 0; i < picture->n; i++)
        g_free(picture->iov[i].iov_base);
    g_free(picture->iov);
    g_free(picture->bytes);
}

static void
check(uint32_t width, uint32_t height, pixman_format_code_t format, size_t piece)
{
    Picture picture;
    g_autoptr(Surface) surface = make_picture(&picture, width, height, format, piece);
    g_autofd int fd = new_file();
    g_autoptr(GError) error = NULL;
    uint32_t got_width, got_height;

    g_assert_true(screenshot_write(surface, NULL, fd, &error));
    g_assert_no_error(error);
    g_autofree uint32_t *got = read_back(fd, &got_width, &got_height);
    g_assert_cmpuint(got_width, ==, width);
    g_assert_cmpuint(got_height, ==, height);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            g_assert_cmphex(got[y * width + x], ==, colour(x, y));
    picture_clear(&picture);
}

static void
test_formats(void)
{
    static const pixman_format_code_t formats[] = {
        PIXMAN_x8r8g8b8,
        PIXMAN_x8b8g8r8,
        PIXMAN_b8g8r8x8,
        PIXMAN_r8g8b8x8,
        /* the alpha of these is 0 here: a screen shows their colours all the same */
        PIXMAN_a8r8g8b8,
        PIXMAN_a8b8g8r8,
        PIXMAN_b8g8r8a8,
        PIXMAN_r8g8b8a8,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        check(61, 17, formats[i], 1 << 20);
        check(61, 17, formats[i], 4096);
        check(61, 17, formats[i], 7);
    }
    check(1, 1, PIXMAN_x8r8g8b8, 64);
    check(1366, 768, PIXMAN_x8r8g8b8, 4096);
}

/* Premultiplied, half transparent in one half; partly outside, on each side. */
static void
test_cursor(void)
{
    static const int32_t places[][2] = {{10, 5}, {-20, -30}, {90, 60}, {-64, 0}, {200, 0}, {0, -64}, {0, 200}};
    CursorImage image = {.pixels = {0}};
    Picture picture;
    g_autoptr(Surface) surface = make_picture(&picture, 100, 70, PIXMAN_x8r8g8b8, 4096);

    for (uint32_t i = 0; i < CURSOR_SIDE * CURSOR_SIDE / 2; i++)
        image.pixels[i] = i % 2 ? 0xffff8040 : 0x80800000; /* opaque, and a red of half its strength */
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        const ScreenshotCursor cursor = {&image, places[i][0], places[i][1]};
        g_autofd int fd = new_file();
        uint32_t width, height;
        g_assert_true(screenshot_write(surface, &cursor, fd, NULL));
        g_autofree uint32_t *got = read_back(fd, &width, &height);
        for (int32_t y = 0; y < 70; y++) {
            for (int32_t x = 0; x < 100; x++) {
                int32_t in_x = x - cursor.x, in_y = y - cursor.y;
                uint32_t pixel = got[y * 100 + x], under = colour(x, y);
                if (in_x < 0 || in_y < 0 || in_x >= CURSOR_SIDE || in_y >= CURSOR_SIDE / 2)
                    g_assert_cmphex(pixel, ==, under);
                else if (in_x % 2)
                    g_assert_cmphex(pixel, ==, 0xff8040);
                else /* 0x80 + 127/255 of what is under it */
                    g_assert_cmpint(ABS((int)(pixel >> 16) - (int)(0x80 + (under >> 16) * 127 / 255)), <=, 1);
            }
        }
    }
    picture_clear(&picture);
}

static void
test_cannot_write(void)
{
    Picture picture;
    g_autoptr(Surface) surface = make_picture(&picture, 300, 300, PIXMAN_x8r8g8b8, 1 << 20);
    g_autoptr(GError) full = NULL, read_only = NULL;

    g_autofd int null = open("/dev/full", O_WRONLY | O_CLOEXEC);
    g_assert_false(screenshot_write(surface, NULL, null, &full));
    g_assert_error(full, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
    g_autofd int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    g_assert_false(screenshot_write(surface, NULL, zero, &read_only));
    g_assert_error(read_only, G_FILE_ERROR, G_FILE_ERROR_BADF);
    picture_clear(&picture);
}

static void
test_of_a_screen(void)
{
    g_autoptr(Screen) screen = screen_new(2);
    CursorImage image = {.pixels = {0xff123456}};
    Picture picture;
    uint32_t width, height;
    g_autoptr(GError) error = NULL;
    g_autofd int blank = new_file();
    g_autofd int without = new_file();
    g_autofd int with = new_file();

    g_assert_false(screenshot_write_scanout(screen, 1, true, blank, &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NXIO);
    g_assert_cmpint(lseek(blank, 0, SEEK_END), ==, 0);

    g_autoptr(Surface) surface = make_picture(&picture, 8, 8, PIXMAN_x8r8g8b8, 4096);
    screen_set_surface(screen, 1, surface);
    screen_set_cursor(screen, 1, &image);
    screen_move_cursor(screen, 1, 2, 3);
    g_assert_true(screenshot_write_scanout(screen, 1, false, without, NULL));
    g_autofree uint32_t *bare = read_back(without, &width, &height);
    g_assert_cmphex(bare[3 * 8 + 2], ==, colour(2, 3));
    g_assert_true(screenshot_write_scanout(screen, 1, true, with, NULL));
    g_autofree uint32_t *pointed = read_back(with, &width, &height);
    g_assert_cmphex(pointed[3 * 8 + 2], ==, 0x123456);
    g_assert_cmphex(pointed[3 * 8 + 3], ==, colour(3, 3));
    screen_set_surface(screen, 1, NULL);
    picture_clear(&picture);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/screenshot/formats", test_formats);
    g_test_add_func("/screenshot/cursor", test_cursor);
    g_test_add_func("/screenshot/cannot-write", test_cannot_write);
    g_test_add_func("/screenshot/screen", test_of_a_screen);
    return g_test_run();
}
