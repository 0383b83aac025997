/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pixel formats. virtio-gpu names the bytes in memory order, pixman the bits from the top of a little-endian word, so the
 * letters run the other way round.
 */
#include "display/gpu/private.h"

static const struct {
    uint32_t virtio;
    pixman_format_code_t plain, with_alpha;
} formats[] = {
    {VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, PIXMAN_x8r8g8b8, PIXMAN_a8r8g8b8},
    {VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, PIXMAN_a8r8g8b8, PIXMAN_a8r8g8b8},
    {VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, PIXMAN_b8g8r8x8, PIXMAN_b8g8r8a8},
    {VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, PIXMAN_b8g8r8a8, PIXMAN_b8g8r8a8},
    {VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, PIXMAN_x8b8g8r8, PIXMAN_a8b8g8r8},
    {VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, PIXMAN_a8b8g8r8, PIXMAN_a8b8g8r8},
    {VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, PIXMAN_r8g8b8x8, PIXMAN_r8g8b8a8},
    {VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, PIXMAN_r8g8b8a8, PIXMAN_r8g8b8a8},
};

pixman_format_code_t
gpu_format(uint32_t virtio_format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        if (formats[i].virtio == virtio_format)
            return formats[i].plain;
    return 0;
}

pixman_format_code_t
gpu_format_with_alpha(uint32_t virtio_format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        if (formats[i].virtio == virtio_format)
            return formats[i].with_alpha;
    return 0;
}
