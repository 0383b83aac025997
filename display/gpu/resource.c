/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources: making and ending them, and attaching the guest's memory (virtio 1.2, 5.7.6.8).
 *
 * A 2D resource has pixels in this process, which transfers fill; a blob has only its backing. Both are found by id in a
 * hash table, and their number, their pixels and the runs of their backings are each capped.
 */
#include "display/gpu/private.h"

GpuResource *
gpu_resource_find(const VirtioGpu *gpu, uint32_t id)
{
    return g_hash_table_lookup(gpu->by_id, GUINT_TO_POINTER(id));
}

GpuResource *
gpu_resource_new(void)
{
    return g_new0(GpuResource, 1);
}

void
gpu_resource_free(GpuResource *resource)
{
    if (!resource)
        return;
    surface_unref(resource->surface);
    pixels_unref(resource->pixels);
    backing_free(resource->backing);
    g_clear_pointer(&resource->saved_pixels, g_byte_array_unref);
    g_clear_pointer(&resource->saved_backing, g_byte_array_unref);
    g_free(resource);
}

uint32_t
gpu_resource_check_new(const VirtioGpu *gpu, uint32_t id)
{
    if (id == 0 || gpu_resource_find(gpu, id))
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (g_hash_table_size(gpu->by_id) >= GPU_RESOURCES_MAX)
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

void
gpu_resource_add(VirtioGpu *gpu, GpuResource *resource)
{
    resource->index = gpu->resources->len;
    g_ptr_array_add(gpu->resources, resource);
    g_hash_table_insert(gpu->by_id, GUINT_TO_POINTER(resource->id), resource);
}

static void
drop_backing(VirtioGpu *gpu, GpuResource *resource)
{
    if (!resource->backing)
        return;
    gpu->n_runs -= resource->backing->n;
    g_clear_pointer(&resource->backing, backing_free);
}

static void
remove_resource(VirtioGpu *gpu, GpuResource *resource)
{
    guint index = resource->index;

    gpu_scanouts_forget(gpu, resource);
    drop_backing(gpu, resource);
    g_hash_table_remove(gpu->by_id, GUINT_TO_POINTER(resource->id));
    g_ptr_array_remove_index_fast(gpu->resources, index);
    if (index < gpu->resources->len) /* the last one moved here */
        ((GpuResource *)gpu->resources->pdata[index])->index = index;
}

void
gpu_resources_clear(VirtioGpu *gpu)
{
    g_hash_table_remove_all(gpu->by_id);
    g_ptr_array_set_size(gpu->resources, 0);
    gpu->n_runs = 0;
}

uint32_t
gpu_resource_allocate(VirtioGpu *gpu, GpuResource *resource)
{
    if (!gpu_format(resource->format) || resource->width == 0 || resource->height == 0 ||
        resource->width > SURFACE_MAX_SIDE || resource->height > SURFACE_MAX_SIDE)
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    resource->pixels = pixels_new(gpu->budget, (uint64_t)resource->width * resource->height * GPU_BYTES_PER_PIXEL);
    return resource->pixels ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
}

uint32_t
gpu_resource_create_2d(VirtioGpu *gpu, GpuRequest *request)
{
    const struct virtio_gpu_resource_create_2d *create = &request->in.create_2d;

    uint32_t wrong = gpu_resource_check_new(gpu, create->resource_id);
    if (wrong != VIRTIO_GPU_RESP_OK_NODATA)
        return wrong;
    g_autoptr(GpuResource) resource = gpu_resource_new();
    resource->id = create->resource_id;
    resource->width = create->width;
    resource->height = create->height;
    resource->format = create->format;
    wrong = gpu_resource_allocate(gpu, resource);
    if (wrong == VIRTIO_GPU_RESP_OK_NODATA)
        gpu_resource_add(gpu, g_steal_pointer(&resource));
    return wrong;
}

uint32_t
gpu_resource_unref(VirtioGpu *gpu, GpuRequest *request)
{
    GpuResource *resource = gpu_resource_find(gpu, request->in.unref.resource_id);

    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    remove_resource(gpu, resource);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t
gpu_resource_set_backing(VirtioGpu *gpu, GpuResource *resource, Backing *backing)
{
    g_autoptr(Backing) owned = backing;

    if (backing->n > GPU_RUNS_MAX - gpu->n_runs)
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    if (resource->blob && backing->len < resource->blob_size)
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    gpu->n_runs += backing->n;
    resource->backing = g_steal_pointer(&owned);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t
gpu_resource_read_backing(VirtioGpu *gpu, GpuResource *resource, VirtChain *command, uint32_t n_entries)
{
    Backing *backing;

    gpu->moved += (uint64_t)n_entries * sizeof(struct virtio_gpu_mem_entry);
    uint32_t wrong = backing_read(command, n_entries, gpu->device.memory, &backing);
    return wrong ? wrong : gpu_resource_set_backing(gpu, resource, backing);
}

uint32_t
gpu_resource_attach_backing(VirtioGpu *gpu, GpuRequest *request)
{
    GpuResource *resource = gpu_resource_find(gpu, request->in.attach.resource_id);

    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (resource->backing)
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    return gpu_resource_read_backing(gpu, resource, request->chain, request->in.attach.nr_entries);
}

uint32_t
gpu_resource_detach_backing(VirtioGpu *gpu, GpuRequest *request)
{
    GpuResource *resource = gpu_resource_find(gpu, request->in.detach.resource_id);

    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (!resource->backing)
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    if (resource->blob) /* its picture goes with it; a 2D resource keeps its own */
        gpu_scanouts_forget(gpu, resource);
    drop_backing(gpu, resource);
    return VIRTIO_GPU_RESP_OK_NODATA;
}
