/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TRANSFER_TO_HOST_2D: guest memory into a 2D resource's pixels (virtio 1.2, 5.7.6.8).
 *
 * Only the rectangle is copied: whole rows as one run, else row by row. The guest's picture has the resource's own
 * stride, and the offset says where in the backing the rectangle's first pixel is.
 */
#include "display/gpu/private.h"

/* Whether the rectangle's bytes lie inside the backing. */
static bool
backing_covers(const GpuResource *resource, const struct virtio_gpu_transfer_to_host_2d *transfer)
{
    uint64_t stride = (uint64_t)resource->width * GPU_BYTES_PER_PIXEL;
    uint64_t span = (transfer->r.height - 1) * stride + (uint64_t)transfer->r.width * GPU_BYTES_PER_PIXEL;

    return transfer->offset <= resource->backing->len && span <= resource->backing->len - transfer->offset;
}

static void
copy_rectangle(const GpuResource *resource, const struct virtio_gpu_transfer_to_host_2d *transfer)
{
    const Scatter from = backing_scatter(resource->backing);
    const struct virtio_gpu_rect *rect = &transfer->r;
    size_t stride = (size_t)resource->width * GPU_BYTES_PER_PIXEL;
    size_t row = (size_t)rect->width * GPU_BYTES_PER_PIXEL;
    uint8_t *to = resource->pixels->bytes + rect->y * stride + rect->x * GPU_BYTES_PER_PIXEL;
    uint64_t at = transfer->offset;

    if (row == stride) {
        scatter_read(&from, at, to, rect->height * stride);
        return;
    }
    for (uint32_t y = 0; y < rect->height; y++, at += stride, to += stride)
        scatter_read(&from, at, to, row);
}

uint32_t
gpu_transfer_to_host_2d(VirtioGpu *gpu, GpuRequest *request)
{
    const struct virtio_gpu_transfer_to_host_2d *transfer = &request->in.transfer;
    const GpuResource *resource = gpu_resource_find(gpu, transfer->resource_id);

    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (resource->blob) /* Linux asks for blobs too; they are seen where they are */
        return VIRTIO_GPU_RESP_OK_NODATA;
    if (!resource->backing)
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    if (!gpu_rect_is_inside(&transfer->r, resource->width, resource->height))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    if (transfer->r.width == 0 || transfer->r.height == 0)
        return VIRTIO_GPU_RESP_OK_NODATA;
    if (!backing_covers(resource, transfer))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    copy_rectangle(resource, transfer);
    gpu->moved += (uint64_t)transfer->r.width * transfer->r.height * GPU_BYTES_PER_PIXEL;
    return VIRTIO_GPU_RESP_OK_NODATA;
}
