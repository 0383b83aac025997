/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cursor (virtio 1.2, 5.7.6.10): a 64 × 64 resource whose picture is copied to the Screen when it changes.
 *
 * Linux makes its cursors from buffers it calls opaque and means transparent, so the fourth byte is taken for alpha
 * whatever the resource's format says. A blob has no format: it is taken for B8G8R8A8, rows without gaps.
 */
#include "display/gpu/private.h"

/* Where the pixels are, and what they are. false where the resource is no cursor. */
static bool
read_pixels(const GpuResource *resource, uint32_t *pixels, pixman_format_code_t *format)
{
    size_t len = CURSOR_SIDE * CURSOR_SIDE * GPU_BYTES_PER_PIXEL;

    if (!resource->blob) {
        if (resource->width != CURSOR_SIDE || resource->height != CURSOR_SIDE)
            return false;
        memcpy(pixels, resource->pixels->bytes, len);
        *format = gpu_format_with_alpha(resource->format);
        return true;
    }
    if (resource->blob_size < len || !resource->backing)
        return false;
    const Scatter scatter = backing_scatter(resource->backing);
    scatter_read(&scatter, 0, pixels, len);
    *format = PIXMAN_a8r8g8b8;
    return true;
}

/* To a8r8g8b8, in place. */
static void
convert_pixels(uint32_t *pixels, pixman_format_code_t format)
{
    if (format == PIXMAN_a8r8g8b8)
        return;
    const int side = CURSOR_SIDE, stride = CURSOR_SIDE * GPU_BYTES_PER_PIXEL;
    pixman_image_t *from = pixman_image_create_bits(format, side, side, pixels, stride);
    pixman_image_t *to = pixman_image_create_bits(PIXMAN_a8r8g8b8, side, side, pixels, stride);
    pixman_image_composite32(PIXMAN_OP_SRC, from, NULL, to, 0, 0, 0, 0, 0, 0, side, side);
    pixman_image_unref(from);
    pixman_image_unref(to);
}

static uint32_t
show_picture(VirtioGpu *gpu, const struct virtio_gpu_update_cursor *update)
{
    const GpuResource *resource = gpu_resource_find(gpu, update->resource_id);
    pixman_format_code_t format;
    CursorImage image;

    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (!read_pixels(resource, image.pixels, &format))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    convert_pixels(image.pixels, format);
    image.hot_x = MIN(update->hot_x, CURSOR_SIDE - 1);
    image.hot_y = MIN(update->hot_y, CURSOR_SIDE - 1);
    screen_set_cursor(gpu->screen, update->pos.scanout_id, &image);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* A guest's coordinate, which Linux lets go below zero near the edges, as far as a screen and a cursor reach. */
static int32_t
coordinate(uint32_t value)
{
    return CLAMP((int32_t)value, -CURSOR_SIDE, SURFACE_MAX_SIDE);
}

uint32_t
gpu_move_cursor(VirtioGpu *gpu, GpuRequest *request)
{
    const struct virtio_gpu_cursor_pos *pos = &request->in.cursor.pos;

    if (pos->scanout_id >= screen_n_scanouts(gpu->screen))
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    screen_move_cursor(gpu->screen, pos->scanout_id, coordinate(pos->x), coordinate(pos->y));
    return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t
gpu_update_cursor(VirtioGpu *gpu, GpuRequest *request)
{
    const struct virtio_gpu_update_cursor *update = &request->in.cursor;
    uint32_t type = VIRTIO_GPU_RESP_OK_NODATA;

    if (update->pos.scanout_id >= screen_n_scanouts(gpu->screen))
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    if (update->resource_id)
        type = show_picture(gpu, update);
    else
        screen_set_cursor(gpu->screen, update->pos.scanout_id, NULL);
    return type == VIRTIO_GPU_RESP_OK_NODATA ? gpu_move_cursor(gpu, request) : type;
}
