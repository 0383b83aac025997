/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs: resources that are the guest's own memory (virtio 1.2, 5.7.6.8, VIRTIO_GPU_F_RESOURCE_BLOB).
 *
 * Nothing is copied: a scanout's surface points into guest pages, and viewers read there what they need when they need
 * it. Linux uses blobs for every buffer a desktop draws into, so this is the usual path. Guest RAM is never unmapped, so
 * a surface may outlive its blob; it then shows whatever the guest put there since.
 */
#include "display/gpu/private.h"

#define KNOWN_BLOB_FLAGS \
    (VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE | VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE | VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE)

uint32_t
gpu_resource_create_blob(VirtioGpu *gpu, GpuRequest *request)
{
    const struct virtio_gpu_resource_create_blob *create = &request->in.create_blob;

    uint32_t wrong = gpu_resource_check_new(gpu, create->resource_id);
    if (wrong != VIRTIO_GPU_RESP_OK_NODATA)
        return wrong;
    if (create->blob_mem != VIRTIO_GPU_BLOB_MEM_GUEST || create->blob_flags & ~KNOWN_BLOB_FLAGS || create->size == 0)
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    g_autoptr(GpuResource) resource = gpu_resource_new();
    resource->id = create->resource_id;
    resource->blob = true;
    resource->blob_size = create->size;
    if (create->nr_entries) /* else it is attached later */
        wrong = gpu_resource_read_backing(gpu, resource, request->chain, create->nr_entries);
    if (wrong == VIRTIO_GPU_RESP_OK_NODATA)
        gpu_resource_add(gpu, g_steal_pointer(&resource));
    return wrong;
}

uint32_t
gpu_set_scanout_blob(VirtioGpu *gpu, GpuRequest *request)
{
    const struct virtio_gpu_set_scanout_blob *set = &request->in.set_scanout_blob;

    if (set->scanout_id >= screen_n_scanouts(gpu->screen))
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    if (set->resource_id == 0)
        return gpu_scanout_show(gpu, set->scanout_id, NULL, NULL);
    GpuResource *resource = gpu_resource_find(gpu, set->resource_id);
    if (!resource || !resource->blob)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    const GpuView view = {
        .x = set->r.x,
        .y = set->r.y,
        .width = set->r.width,
        .height = set->r.height,
        .picture_width = set->width,
        .picture_height = set->height,
        .stride = set->strides[0],
        .offset = set->offsets[0],
        .format = set->format,
    };
    return gpu_scanout_show(gpu, set->scanout_id, resource, &view);
}
