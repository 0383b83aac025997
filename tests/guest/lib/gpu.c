/* SPDX-License-Identifier: Apache-2.0 */
/* One command at a time, through buffers of the driver's own. */
#include "gpu.h"
#include "start.h"
#include "text.h"

#define RING 64

Gpu gpu;

bool
gpu_start(uint64_t features)
{
    if (!gpu.device.common && !virtio_find(VIRTIO_GPU, 0, &gpu.device))
        return false;
    if (!virtio_negotiate(&gpu.device, features) ||
        !virtqueue_init(&gpu.control, &gpu.device, 0, RING, VIRTIO_NO_VECTOR) ||
        !virtqueue_init(&gpu.cursor, &gpu.device, 1, 16, VIRTIO_NO_VECTOR))
        return false;
    virtio_driver_ok(&gpu.device);
    return true;
}

uint32_t
gpu_command(const void *command, uint32_t length, void *answer, uint32_t answer_length)
{
    GpuHead own = {0};
    VirtBuffer chain[] = {{(void *)command, length}, {answer ? answer : &own, answer ? answer_length : sizeof(own)}};

    if (virtqueue_do(&gpu.control, chain, 1, 1) < (int64_t)sizeof(uint32_t))
        return GPU_LOST;
    return *(volatile uint32_t *)chain[1].data;
}

uint32_t
gpu_create(uint32_t resource, uint32_t format, uint32_t width, uint32_t height)
{
    GpuCreate2d command = {{GPU_CREATE_2D}, resource, format, width, height};

    return gpu_command(&command, sizeof(command), NULL, 0);
}

uint32_t
gpu_unref(uint32_t resource)
{
    GpuResource command = {{GPU_UNREF}, resource, 0};

    return gpu_command(&command, sizeof(command), NULL, 0);
}

uint32_t
gpu_attach(uint32_t resource, const GpuEntry *entries, uint32_t n)
{
    GpuAttach command = {{GPU_ATTACH}, resource, n, {{0}}};

    memcpy(command.entries, entries, n * sizeof(*entries));
    return gpu_command(&command, sizeof(command) - sizeof(command.entries) + n * sizeof(*entries), NULL, 0);
}

uint32_t
gpu_detach(uint32_t resource)
{
    GpuResource command = {{GPU_DETACH}, resource, 0};

    return gpu_command(&command, sizeof(command), NULL, 0);
}

uint32_t
gpu_transfer(uint32_t resource, GpuBox box, uint64_t offset)
{
    GpuTransfer command = {{GPU_TRANSFER}, box, offset, resource, 0};

    return gpu_command(&command, sizeof(command), NULL, 0);
}

uint32_t
gpu_flush(uint32_t resource, GpuBox box)
{
    GpuFlush command = {{GPU_FLUSH}, box, resource, 0};

    return gpu_command(&command, sizeof(command), NULL, 0);
}

uint32_t
gpu_set_scanout(uint32_t scanout, uint32_t resource, GpuBox box)
{
    GpuSetScanout command = {{GPU_SET_SCANOUT}, box, scanout, resource};

    return gpu_command(&command, sizeof(command), NULL, 0);
}

bool
gpu_cursor(uint32_t type, uint32_t scanout, uint32_t resource, uint32_t x, uint32_t y)
{
    GpuCursor command = {{type}, scanout, x, y, 0, resource, 0, 0, 0};
    VirtBuffer chain = {&command, sizeof(command)};

    return virtqueue_do(&gpu.cursor, &chain, 1, 0) >= 0;
}
