/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved state of virtio-gpu: resources with their pixels or the addresses of their memory, what each scanout shows, the
 * cursors, and what the guest was told of its monitors.
 *
 * A stream is believed no more than a guest: loading goes through the same checks and caps as the commands do, and ends
 * with the desktop's picture on the Screen again.
 */
#include "display/gpu/private.h"

#define CURSOR_BYTES (CURSOR_SIDE * CURSOR_SIDE * GPU_BYTES_PER_PIXEL)
#define PIXEL_BYTES_MAX ((uint64_t)SURFACE_MAX_SIDE * SURFACE_MAX_SIDE * GPU_BYTES_PER_PIXEL)
/* Runs that were joined may be saved as two entries where they cross the hole below 4 GiB, and no more. */
#define BACKING_BYTES_MAX (2 * BACKING_ENTRIES_MAX * sizeof(struct virtio_gpu_mem_entry))

/* --- resources -------------------------------------------------------------------------------------------------- */

static void
resource_after_save(void *object)
{
    GpuResource *resource = object;
    g_clear_pointer(&resource->saved_pixels, g_byte_array_unref);
    g_clear_pointer(&resource->saved_backing, g_byte_array_unref);
}

/* The pixels are copied one resource at a time; the backing's addresses need the guest's memory: see before_save(). */
static void
resource_before_save(void *object)
{
    GpuResource *resource = object;

    if (!resource->pixels)
        return;
    resource->saved_pixels = g_byte_array_sized_new(resource->pixels->len);
    g_byte_array_append(resource->saved_pixels, resource->pixels->bytes, resource->pixels->len);
}

static const StateField resource_fields[] = {
    STATE_UINT(GpuResource, id, 1),
    STATE_BOOL(GpuResource, blob, 1),
    STATE_UINT(GpuResource, width, 1),
    STATE_UINT(GpuResource, height, 1),
    STATE_UINT(GpuResource, format, 1),
    STATE_UINT(GpuResource, blob_size, 1),
    STATE_BOOL(GpuResource, saved_has_backing, 1),
    STATE_BUFFER(GpuResource, saved_backing, 1, BACKING_BYTES_MAX),
    STATE_BUFFER(GpuResource, saved_pixels, 1, PIXEL_BYTES_MAX),
    STATE_END,
};

static void *
resource_create(void)
{
    return gpu_resource_new();
}

static const StateTable resource_state = {
    .name = "virtio-gpu resource",
    .version = 1,
    .oldest = 1,
    .fields = resource_fields,
    .before_save = resource_before_save,
    .after_save = resource_after_save,
    .create = resource_create,
};

static bool
load_backing(VirtioGpu *gpu, GpuResource *resource)
{
    if (!resource->saved_has_backing)
        return !resource->saved_backing;
    Backing *backing = backing_load(resource->saved_backing, gpu->device.memory);
    return backing && gpu_resource_set_backing(gpu, resource, backing) == VIRTIO_GPU_RESP_OK_NODATA;
}

static bool
load_pixels(VirtioGpu *gpu, GpuResource *resource)
{
    const GByteArray *saved = resource->saved_pixels;

    if (resource->blob)
        return !saved && resource->blob_size > 0;
    if (gpu_resource_allocate(gpu, resource) != VIRTIO_GPU_RESP_OK_NODATA || !saved ||
        saved->len != resource->pixels->len)
        return false;
    memcpy(resource->pixels->bytes, saved->data, saved->len);
    return true;
}

/* Takes @resource over. */
static bool
load_resource(VirtioGpu *gpu, GpuResource *resource)
{
    g_autoptr(GpuResource) owned = resource;

    if (gpu_resource_check_new(gpu, resource->id) != VIRTIO_GPU_RESP_OK_NODATA || !load_pixels(gpu, resource) ||
        !load_backing(gpu, resource))
        return false;
    resource_after_save(resource);
    gpu_resource_add(gpu, g_steal_pointer(&owned));
    return true;
}

/* --- scanouts and cursors --------------------------------------------------------------------------------------- */

static const StateField scanout_fields[] = {
    STATE_UINT(GpuScanout, resource_id, 1),
    STATE_UINT(GpuScanout, view.x, 1),
    STATE_UINT(GpuScanout, view.y, 1),
    STATE_UINT(GpuScanout, view.width, 1),
    STATE_UINT(GpuScanout, view.height, 1),
    STATE_UINT(GpuScanout, view.picture_width, 1),
    STATE_UINT(GpuScanout, view.picture_height, 1),
    STATE_UINT(GpuScanout, view.stride, 1),
    STATE_UINT(GpuScanout, view.offset, 1),
    STATE_UINT(GpuScanout, view.format, 1),
    STATE_UINT(GpuScanout, saved_hot_x, 1),
    STATE_UINT(GpuScanout, saved_hot_y, 1),
    STATE_UINT(GpuScanout, saved_cursor_x, 1),
    STATE_UINT(GpuScanout, saved_cursor_y, 1),
    STATE_BUFFER(GpuScanout, saved_cursor, 1, CURSOR_BYTES),
    STATE_END,
};
static const StateTable scanout_state = {
    .name = "virtio-gpu scanout", .version = 1, .oldest = 1, .fields = scanout_fields};

/* The Screen has the cursor; it is hidden where the stream has none. */
static void
gather_cursor(VirtioGpu *gpu, unsigned index)
{
    GpuScanout *scanout = &gpu->scanouts[index];
    CursorImage image;

    if (!screen_get_cursor(gpu->screen, index, &image, &scanout->saved_cursor_x, &scanout->saved_cursor_y))
        return;
    scanout->saved_hot_x = image.hot_x;
    scanout->saved_hot_y = image.hot_y;
    scanout->saved_cursor = g_byte_array_sized_new(CURSOR_BYTES);
    g_byte_array_append(scanout->saved_cursor, (const uint8_t *)image.pixels, CURSOR_BYTES);
}

static bool
load_cursor(VirtioGpu *gpu, unsigned index)
{
    GpuScanout *scanout = &gpu->scanouts[index];
    CursorImage image = {.hot_x = scanout->saved_hot_x, .hot_y = scanout->saved_hot_y};

    if (!scanout->saved_cursor) {
        screen_set_cursor(gpu->screen, index, NULL);
        return true;
    }
    if (scanout->saved_cursor->len != CURSOR_BYTES || image.hot_x >= CURSOR_SIDE || image.hot_y >= CURSOR_SIDE)
        return false;
    memcpy(image.pixels, scanout->saved_cursor->data, CURSOR_BYTES);
    screen_set_cursor(gpu->screen, index, &image);
    screen_move_cursor(gpu->screen, index, CLAMP(scanout->saved_cursor_x, -CURSOR_SIDE, SURFACE_MAX_SIDE),
                       CLAMP(scanout->saved_cursor_y, -CURSOR_SIDE, SURFACE_MAX_SIDE));
    return true;
}

/* The loaded numbers say what is to be shown; nothing is yet. */
static bool
load_scanout(VirtioGpu *gpu, unsigned index)
{
    GpuScanout *scanout = &gpu->scanouts[index];
    const GpuView view = scanout->view;
    GpuResource *resource = gpu_resource_find(gpu, scanout->resource_id);

    if (scanout->resource_id && (!resource || index >= screen_n_scanouts(gpu->screen)))
        return false;
    if (index >= screen_n_scanouts(gpu->screen))
        return !scanout->saved_cursor;
    return gpu_scanout_show(gpu, index, resource, &view) == VIRTIO_GPU_RESP_OK_NODATA && load_cursor(gpu, index);
}

/* --- monitors --------------------------------------------------------------------------------------------------- */

static const StateField monitor_fields[] = {
    STATE_BOOL(GpuMonitor, enabled, 1),   STATE_UINT(GpuMonitor, width, 1),
    STATE_UINT(GpuMonitor, height, 1),    STATE_UINT(GpuMonitor, x, 1),
    STATE_UINT(GpuMonitor, y, 1),         STATE_UINT(GpuMonitor, width_mm, 1),
    STATE_UINT(GpuMonitor, height_mm, 1), STATE_END,
};
static const StateTable monitor_state = {
    .name = "virtio-gpu monitor", .version = 1, .oldest = 1, .fields = monitor_fields};

/* --- the device ------------------------------------------------------------------------------------------------- */

void
gpu_state_forget(VirtioGpu *gpu)
{
    for (unsigned i = 0; i < SCREEN_MAX_SCANOUTS; i++)
        g_clear_pointer(&gpu->scanouts[i].saved_cursor, g_byte_array_unref);
}

static void
gpu_before_save(void *object)
{
    VirtioGpu *gpu = object;

    gpu->saved_n_scanouts = screen_n_scanouts(gpu->screen);
    for (unsigned i = 0; i < screen_n_scanouts(gpu->screen); i++)
        gather_cursor(gpu, i);
    for (guint i = 0; i < gpu->resources->len; i++) {
        GpuResource *resource = gpu->resources->pdata[i];
        resource->saved_has_backing = resource->backing;
        if (resource->backing)
            resource->saved_backing = backing_save(resource->backing, gpu->device.memory);
    }
}

static void
gpu_after_save(void *object)
{
    gpu_state_forget(object);
}

static bool
load_all(VirtioGpu *gpu, GPtrArray *loaded)
{
    while (loaded->len) {
        GpuResource *next = g_ptr_array_steal_index_fast(loaded, loaded->len - 1);
        if (!load_resource(gpu, next))
            return false;
    }
    for (unsigned i = 0; i < SCREEN_MAX_SCANOUTS; i++)
        if (!load_scanout(gpu, i))
            return false;
    return gpu_monitors_are_sane(gpu);
}

/* Loading needs a device that was reset, so that all in the list has just come from the stream. */
static bool
gpu_after_load(void *object, GError **error)
{
    VirtioGpu *gpu = object;
    g_autoptr(GPtrArray) loaded = g_steal_pointer(&gpu->resources);
    unsigned n_scanouts = screen_n_scanouts(gpu->screen);

    gpu->resources = g_ptr_array_new_with_free_func((GDestroyNotify)gpu_resource_free);
    if (gpu->saved_n_scanouts != n_scanouts) { /* the guest has counted them */
        gpu_state_forget(gpu);
        g_set_error(error, STATE_ERROR, STATE_ERROR_FOREIGN,
                    "state of %s is of a card with %u scanouts, this one has %u", gpu->device.id, gpu->saved_n_scanouts,
                    n_scanouts);
        return false;
    }
    bool good = load_all(gpu, loaded);
    gpu_state_forget(gpu);
    if (!good)
        g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "state of %s holds pictures this display cannot have",
                    gpu->device.id);
    return good;
}

static const StateField gpu_fields[] = {
    STATE_UINT(VirtioGpu, saved_n_scanouts, 1),
    STATE_UINT(VirtioGpu, events_read, 1),
    STATE_ARRAY(VirtioGpu, monitors, 1, &monitor_state),
    STATE_LIST(VirtioGpu, resources, 1, &resource_state, GPU_RESOURCES_MAX),
    STATE_ARRAY(VirtioGpu, scanouts, 1, &scanout_state),
    STATE_END,
};

const StateTable gpu_state = {
    .name = "virtio-gpu",
    .version = 1,
    .oldest = 1,
    .fields = gpu_fields,
    .before_save = gpu_before_save,
    .after_save = gpu_after_save,
    .after_load = gpu_after_load,
};
