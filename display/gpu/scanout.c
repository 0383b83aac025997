/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scanouts: which part of which resource each shows, and what a flush of a resource damages (virtio 1.2, 5.7.6.8).
 *
 * The surface a resource was last shown by is kept with it, so flipping between two buffers makes no new ones. Any number
 * of scanouts may show one resource. A flush damages the Screen at once, before the command is answered: viewers only
 * take note there, and their workers can start while the answer is still on its way to the guest.
 */
#include "display/gpu/private.h"

static void
release_pixels(void *pixels)
{
    pixels_unref(pixels);
}

/* The pixels of 2D resources are one run of ours; those of blobs are the guest's, mapped for good. */
static Surface *
make_surface(const GpuResource *resource, const GpuView *view)
{
    uint64_t start = view->offset + (uint64_t)view->y * view->stride + (uint64_t)view->x * GPU_BYTES_PER_PIXEL;
    pixman_format_code_t format = gpu_format(view->format);

    if (resource->blob)
        return surface_new(view->width, view->height, view->stride, start, format, resource->backing->iov,
                           resource->backing->n, NULL, NULL);
    const struct iovec iov = {resource->pixels->bytes, resource->pixels->len};
    Surface *surface =
        surface_new(view->width, view->height, view->stride, start, format, &iov, 1, release_pixels, resource->pixels);
    if (surface)
        pixels_ref(resource->pixels);
    return surface;
}

/* Whether the picture fits into the resource, and the part into the picture. */
static bool
view_is_valid(const GpuResource *resource, const GpuView *view)
{
    const struct virtio_gpu_rect part = {view->x, view->y, view->width, view->height};
    uint64_t size = resource->blob ? resource->blob_size : resource->pixels->len;
    uint32_t width = view->picture_width, height = view->picture_height;

    if (width == 0 || height == 0 || width > SURFACE_MAX_SIDE || height > SURFACE_MAX_SIDE)
        return false;
    if (view->width == 0 || view->height == 0 || !gpu_rect_is_inside(&part, width, height))
        return false;
    if (view->stride < width * GPU_BYTES_PER_PIXEL || view->stride % GPU_BYTES_PER_PIXEL || !gpu_format(view->format))
        return false;
    return view->offset + (uint64_t)(height - 1) * view->stride + (uint64_t)width * GPU_BYTES_PER_PIXEL <= size;
}

static uint32_t
refresh_surface(VirtioGpu *gpu, GpuResource *resource, const GpuView *view)
{
    if (resource->blob && !resource->backing)
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    if (resource->surface && memcmp(&resource->view, view, sizeof *view) == 0)
        return VIRTIO_GPU_RESP_OK_NODATA;
    if (!view_is_valid(resource, view))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    if (resource->blob)
        gpu->moved += resource->backing->n * sizeof(struct iovec);
    Surface *surface = make_surface(resource, view);
    if (!surface)
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    surface_unref(resource->surface);
    resource->surface = surface;
    resource->view = *view;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

static void
put_on_screen(VirtioGpu *gpu, unsigned index, uint32_t resource_id, Surface *surface)
{
    GpuScanout *scanout = &gpu->scanouts[index];

    scanout->resource_id = resource_id;
    if (scanout->surface == surface)
        return;
    scanout->surface = surface;
    screen_set_surface(gpu->screen, index, surface);
}

uint32_t
gpu_scanout_show(VirtioGpu *gpu, unsigned index, GpuResource *resource, const GpuView *view)
{
    if (!resource) {
        put_on_screen(gpu, index, 0, NULL);
        return VIRTIO_GPU_RESP_OK_NODATA;
    }
    uint32_t wrong = refresh_surface(gpu, resource, view);
    if (wrong != VIRTIO_GPU_RESP_OK_NODATA)
        return wrong;
    gpu->scanouts[index].view = *view;
    put_on_screen(gpu, index, resource->id, resource->surface);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

void
gpu_scanouts_forget(VirtioGpu *gpu, GpuResource *resource)
{
    for (unsigned i = 0; i < screen_n_scanouts(gpu->screen); i++)
        if (gpu->scanouts[i].resource_id == resource->id)
            put_on_screen(gpu, i, 0, NULL);
    g_clear_pointer(&resource->surface, surface_unref);
}

uint32_t
gpu_set_scanout(VirtioGpu *gpu, GpuRequest *request)
{
    const struct virtio_gpu_set_scanout *set = &request->in.set_scanout;

    if (set->scanout_id >= screen_n_scanouts(gpu->screen))
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    if (set->resource_id == 0)
        return gpu_scanout_show(gpu, set->scanout_id, NULL, NULL);
    GpuResource *resource = gpu_resource_find(gpu, set->resource_id);
    if (!resource || resource->blob) /* a blob has no size or format to be shown by: SET_SCANOUT_BLOB brings them */
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    const GpuView view = {
        .x = set->r.x,
        .y = set->r.y,
        .width = set->r.width,
        .height = set->r.height,
        .picture_width = resource->width,
        .picture_height = resource->height,
        .stride = resource->width * GPU_BYTES_PER_PIXEL,
        .format = resource->format,
    };
    return gpu_scanout_show(gpu, set->scanout_id, resource, &view);
}

/* @rect, in pixels of the picture, as a box in pixels of the part shown, clipped to it. */
static void
damage_view(VirtioGpu *gpu, unsigned scanout, const GpuView *view, const struct virtio_gpu_rect *rect)
{
    int64_t x1 = (int64_t)rect->x - view->x, y1 = (int64_t)rect->y - view->y;
    const pixman_box32_t box = {
        .x1 = CLAMP(x1, 0, view->width),
        .y1 = CLAMP(y1, 0, view->height),
        .x2 = CLAMP(x1 + rect->width, 0, view->width),
        .y2 = CLAMP(y1 + rect->height, 0, view->height),
    };
    screen_damage(gpu->screen, scanout, &box);
}

uint32_t
gpu_resource_flush(VirtioGpu *gpu, GpuRequest *request)
{
    const struct virtio_gpu_resource_flush *flush = &request->in.flush;
    const GpuResource *resource = gpu_resource_find(gpu, flush->resource_id);

    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (!resource->blob && !gpu_rect_is_inside(&flush->r, resource->width, resource->height))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    for (unsigned i = 0; i < screen_n_scanouts(gpu->screen); i++)
        if (gpu->scanouts[i].resource_id == resource->id)
            damage_view(gpu, i, &gpu->scanouts[i].view, &flush->r);
    return VIRTIO_GPU_RESP_OK_NODATA;
}
