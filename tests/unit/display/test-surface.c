/* SPDX-License-Identifier: Apache-2.0 */
/* Surfaces: rows are found in linear and scattered pixels, absurd sizes are refused, and the last reference releases. */
#include "display/surface.h"

#include <string.h>

static void
count_release(void *owner)
{
    g_atomic_int_inc((int *)owner);
}

static Surface *
linear_surface(uint32_t width, uint32_t height, void *pixels, size_t len)
{
    const struct iovec iov = {pixels, len};
    return surface_new(width, height, width * 4, 0, PIXMAN_x8r8g8b8, &iov, 1, NULL, NULL);
}

static void
test_linear(void)
{
    uint32_t pixels[6] = {0, 1, 2, 3, 4, 5};
    uint32_t scratch[3];
    g_autoptr(Surface) surface = linear_surface(3, 2, pixels, sizeof pixels);

    g_assert_true(surface->linear == pixels);
    g_assert_true(surface_row(surface, 1, 1, 2, scratch) == &pixels[4]);
}

/* A picture of 5 × 4 with a stride of 24 that starts 8 bytes into pieces of the given lengths; pixel value = y << 8 | x. */
typedef struct {
    uint8_t *pieces[64];
    struct iovec iov[64];
    size_t n;
} Scattered;

static void
scatter(Scattered *scattered, const size_t *lengths, size_t n)
{
    uint8_t bytes[8 + 4 * 24] = {0};
    size_t at = 0;

    for (uint32_t y = 0; y < 4; y++) {
        for (uint32_t x = 0; x < 5; x++) {
            uint32_t pixel = y << 8 | x;
            memcpy(bytes + 8 + y * 24 + x * 4, &pixel, 4);
        }
    }
    scattered->n = n;
    for (size_t i = 0; i < n; i++) {
        size_t len = MIN(lengths[i], sizeof bytes - at);
        scattered->pieces[i] = g_memdup2(bytes + at, len);
        scattered->iov[i] = (struct iovec){scattered->pieces[i], len};
        at += len;
    }
}

static void
scattered_free(Scattered *scattered)
{
    for (size_t i = 0; i < scattered->n; i++)
        g_free(scattered->pieces[i]);
}

static void
check_every_run(const Surface *surface)
{
    uint32_t scratch[5];

    for (uint32_t y = 0; y < 4; y++) {
        for (uint32_t x = 0; x < 5; x++) {
            for (uint32_t n = 1; n <= 5 - x; n++) {
                const uint32_t *row = surface_row(surface, x, y, n, scratch);
                for (uint32_t i = 0; i < n; i++)
                    g_assert_cmphex(row[i], ==, y << 8 | (x + i));
            }
        }
    }
}

static void
test_scattered(void)
{
    static const size_t cuts[][64] = {
        {104},                         /* one piece */
        {8, 96},                       /* the start alone */
        {20, 0, 44, 0, 40},            /* inside rows, with empty pieces */
        {7, 6, 5, 4, 3, 2, 1, 76},     /* across pixels */
        {32, 24, 24, 24},              /* at row ends */
        {50, 1, 1, 1, 1, 1, 1, 1, 47}, /* byte by byte */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cuts); i++) {
        Scattered scattered;
        size_t n = 0;
        for (size_t at = 0; at < 104; n++)
            at += cuts[i][n];
        scatter(&scattered, cuts[i], n);
        g_autoptr(Surface) surface = surface_new(5, 4, 24, 8, PIXMAN_a8r8g8b8, scattered.iov, scattered.n, NULL, NULL);
        g_assert_nonnull(surface);
        g_assert_true((surface->linear != NULL) == (i < 2));
        check_every_run(surface);
        scattered_free(&scattered);
    }
}

/* Guest entries may lie at any address: a run that is no place for a uint32_t is copied. */
static void
test_misaligned_pixels_are_copied(void)
{
    uint8_t *bytes = g_malloc(9);
    const uint32_t pixels[2] = {0x11223344, 0x55667788};
    memcpy(bytes + 1, pixels, 8);
    const struct iovec iov = {bytes + 1, 8};
    uint32_t scratch[2];
    g_autoptr(Surface) surface = surface_new(2, 1, 8, 0, PIXMAN_x8r8g8b8, &iov, 1, NULL, NULL);

    g_assert_null(surface->linear);
    g_assert_true(surface_row(surface, 0, 0, 2, scratch) == scratch);
    g_assert_cmpmem(scratch, 8, pixels, 8);
    g_free(bytes);
}

static void
test_no_pixels_asked(void)
{
    uint32_t pixel = 0;
    struct iovec iov = {&pixel, 4};
    g_autoptr(Surface) surface = surface_new(1, 1, 4, 0, PIXMAN_x8r8g8b8, &iov, 1, NULL, NULL);
    uint32_t scratch[1];
    g_assert_nonnull(surface_row(surface, 1, 0, 0, scratch));
}

static void
expect_refusal(uint32_t width, uint32_t height, uint32_t stride, uint64_t start, pixman_format_code_t format,
               size_t len)
{
    static uint8_t pixels[64];
    int released = 0;
    const struct iovec iov[] = {{pixels, len}, {pixels, 0}};
    g_assert_null(surface_new(width, height, stride, start, format, iov, 2, count_release, &released));
    g_assert_cmpint(released, ==, 0);
}

static void
test_refusals(void)
{
    const pixman_format_code_t format = PIXMAN_x8r8g8b8;

    expect_refusal(0, 1, 4, 0, format, 64);
    expect_refusal(1, 0, 4, 0, format, 64);
    expect_refusal(SURFACE_MAX_SIDE + 1, 1, 4 * (SURFACE_MAX_SIDE + 1), 0, format, SIZE_MAX / 4);
    expect_refusal(1, SURFACE_MAX_SIDE + 1, 4, 0, format, SIZE_MAX / 4);
    expect_refusal(0x40000001, 1, 4, 0, format, 64); /* width * 4 wraps to 4 */
    expect_refusal(4, 4, 12, 0, format, 64);         /* rows overlap */
    expect_refusal(1, 2, 6, 0, format, 64);          /* the second row is misaligned */
    expect_refusal(4, 4, 16, 1, format, 64);         /* one byte too short */
    expect_refusal(4, 4, 16, 0, format, 63);
    expect_refusal(1, 1, 4, UINT64_MAX - 2, format, 64); /* the end wraps */
    expect_refusal(2, 4, 0xfffffff8, 0, format, 64);
    expect_refusal(4, 4, 16, 0, PIXMAN_r5g6b5, 64);

    const struct iovec wrap[] = {{NULL, SIZE_MAX}, {NULL, 65}};
    g_assert_null(surface_new(4, 4, 16, 0, format, wrap, 2, NULL, NULL));
    g_assert_null(surface_new(4, 4, 16, 0, format, NULL, 0, NULL, NULL));
}

static void
test_last_reference_releases(void)
{
    uint32_t pixel;
    int released = 0;
    const struct iovec iov = {&pixel, 4};
    Surface *surface = surface_new(1, 1, 4, 0, PIXMAN_x8r8g8b8, &iov, 1, count_release, &released);

    g_assert_true(surface_ref(surface) == surface);
    surface_unref(surface);
    g_assert_cmpint(released, ==, 0);
    surface_unref(surface);
    g_assert_cmpint(released, ==, 1);
    surface_unref(NULL);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/surface/linear", test_linear);
    g_test_add_func("/surface/scattered", test_scattered);
    g_test_add_func("/surface/misaligned", test_misaligned_pixels_are_copied);
    g_test_add_func("/surface/no-pixels", test_no_pixels_asked);
    g_test_add_func("/surface/refusals", test_refusals);
    g_test_add_func("/surface/references", test_last_reference_releases);
    return g_test_run();
}
