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

/* Registers itself as the screen's producer. */
VirtioDevice *virtio_gpu_new(const char *id, GuestMemory *memory, GMainContext *display_context, Screen *screen,
                             const VirtioGpuOptions *options);
