/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest with a virtio-gpu, for unit tests: sends commands over real queues and looks at the Screen.
 *
 *     g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
 *     g_assert_cmphex(gpu_guest_create_2d(guest, 1, 64, 64), ==, VIRTIO_GPU_RESP_OK_NODATA);
 *
 * Every call returns the response's type. Owner: the test's one thread.
 */
#pragma once

#include "display/gpu/private.h"
#include "driver.h"
#include "notes.h"

#define OK VIRTIO_GPU_RESP_OK_NODATA
#define GPU_FEATURES (1ull << VIRTIO_GPU_F_EDID | 1ull << VIRTIO_GPU_F_RESOURCE_BLOB)

typedef struct {
    VirtioDriver *driver;
    VirtioGpu *gpu;
    Screen *screen;
    Notes notes; /* of a viewer of the screen */
} GpuGuest;

/* @max_host_memory 0: the default. All features. */
GpuGuest *gpu_guest_new(unsigned n_scanouts, uint64_t max_host_memory);
void gpu_guest_free(GpuGuest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GpuGuest, gpu_guest_free)

/* A command on the control queue, whose response has only a header. Asserts that the response is whole. */
uint32_t gpu_guest_command(GpuGuest *guest, const void *command, size_t len);
/* Any command with any room for its response; returns the bytes the device wrote. */
uint32_t gpu_guest_call(GpuGuest *guest, unsigned queue, const void *command, size_t len, void *response, size_t room);

uint32_t gpu_guest_create_2d(GpuGuest *guest, uint32_t id, uint32_t width, uint32_t height);
uint32_t gpu_guest_create_2d_of(GpuGuest *guest, uint32_t id, uint32_t width, uint32_t height, uint32_t format);
uint32_t gpu_guest_unref(GpuGuest *guest, uint32_t id);
uint32_t gpu_guest_attach(GpuGuest *guest, uint32_t id, const struct virtio_gpu_mem_entry *entries, uint32_t n);
uint32_t gpu_guest_attach_one(GpuGuest *guest, uint32_t id, uint64_t address, uint32_t len);
uint32_t gpu_guest_detach(GpuGuest *guest, uint32_t id);
uint32_t gpu_guest_create_blob(GpuGuest *guest, uint32_t id, uint64_t size, const struct virtio_gpu_mem_entry *entries,
                               uint32_t n);
uint32_t gpu_guest_create_blob_one(GpuGuest *guest, uint32_t id, uint64_t address, uint32_t len);
uint32_t gpu_guest_transfer(GpuGuest *guest, uint32_t id, struct virtio_gpu_rect rect, uint64_t offset);
uint32_t gpu_guest_flush(GpuGuest *guest, uint32_t id, struct virtio_gpu_rect rect);
uint32_t gpu_guest_set_scanout(GpuGuest *guest, uint32_t scanout, uint32_t id, struct virtio_gpu_rect rect);
/* The whole of a picture of this size that begins at the blob's start, B8G8R8X8, rows without gaps. */
uint32_t gpu_guest_set_scanout_blob(GpuGuest *guest, uint32_t scanout, uint32_t id, uint32_t width, uint32_t height);

/* Guest memory holding @n pixels first, first + 1, … */
uint64_t gpu_guest_pixels(GpuGuest *guest, uint32_t n, uint32_t first);
/* One pixel of what a scanout shows. */
uint32_t gpu_guest_shown(GpuGuest *guest, unsigned scanout, uint32_t x, uint32_t y);
