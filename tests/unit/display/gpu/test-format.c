/* SPDX-License-Identifier: Apache-2.0 */
/* Formats: the channels lie in the bytes that virtio-gpu's names say. */
#include "display/gpu/private.h"

/* The bytes of one pixel in memory, read as @format. */
static uint32_t
as_argb(pixman_format_code_t format, const uint8_t bytes[4])
{
    uint32_t from, to;

    memcpy(&from, bytes, 4);
    pixman_image_t *source = pixman_image_create_bits(format, 1, 1, &from, 4);
    pixman_image_t *target = pixman_image_create_bits(PIXMAN_a8r8g8b8, 1, 1, &to, 4);
    pixman_image_composite32(PIXMAN_OP_SRC, source, NULL, target, 0, 0, 0, 0, 0, 0, 1, 1);
    pixman_image_unref(source);
    pixman_image_unref(target);
    return to;
}

static void
test_channels(void)
{
    static const char order[] = "BGRA";
    static const struct {
        uint32_t format;
        const char *bytes;
    } cases[] = {
        {VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, "BGRA"}, {VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, "BGRX"},
        {VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, "ARGB"}, {VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, "XRGB"},
        {VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, "RGBA"}, {VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, "RGBX"},
        {VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, "ABGR"}, {VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, "XBGR"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        bool has_alpha = strchr(cases[i].bytes, 'A');
        uint8_t bytes[4];
        for (int at = 0; at < 4; at++) {
            const char *channel = strchr(order, cases[i].bytes[at]);
            bytes[at] = 0x11 * (1 + (channel ? channel - order : 3)); /* 0x11 blue … 0x44 alpha or unused */
        }
        g_assert_cmphex(as_argb(gpu_format_with_alpha(cases[i].format), bytes), ==, 0x44332211);
        g_assert_cmphex(as_argb(gpu_format(cases[i].format), bytes), ==, has_alpha ? 0x44332211 : 0xff332211);
    }
}

static void
test_unknown(void)
{
    static const uint32_t unknown[] = {0, 5, 66, 69, 120, 122, 135, UINT32_MAX};
    for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++) {
        g_assert_cmphex(gpu_format(unknown[i]), ==, 0);
        g_assert_cmphex(gpu_format_with_alpha(unknown[i]), ==, 0);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/format/channels", test_channels);
    g_test_add_func("/format/unknown", test_unknown);
    return g_test_run();
}
