/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-gpu (virtio 1.2, 5.7): 2D resources, blobs in guest memory, EDID, cursor, up to 4 scanouts.
 *
 * Control commands run on the display thread, whose context is given; the results appear on the Screen.
 */
#pragma once

#include "display/scanout.h"
#include "vmm/virtio/device.h"

typedef struct {
    unsigned n_scanouts;      /* 1 to SCREEN_MAX_SCANOUTS */
    uint32_t width, height;   /* of the first scanout until a viewer asks for another size */
    uint64_t max_host_memory; /* bytes of pixels held in this process for one guest; 0: 256 MiB */
} VirtioGpuOptions;

/*
 * Registers itself as the screen's producer. The screen outlives the device and has as many scanouts as the options say.
 * @display_context is run by one thread (vmm/board/loop_thread.h), which is stopped before the device is freed.
 */
VirtioDevice *virtio_gpu_new(const char *id, GuestMemory *memory, GMainContext *display_context, Screen *screen,
                             const VirtioGpuOptions *options);

/* Since start. Frames and damage of each scanout: screen_stats(). */
typedef struct {
    uint64_t control_commands, cursor_commands;
    uint64_t failed_commands; /* of both, answered with an error */
    /* now */
    uint64_t resources;
    uint64_t host_bytes; /* of pixels in this process */
} VirtioGpuStats;
/* Any thread; waits for a pass over the queue to end. */
VirtioGpuStats virtio_gpu_stats(VirtioDevice *device);
