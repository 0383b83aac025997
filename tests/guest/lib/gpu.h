/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for virtio-gpu's 2D commands (virtio 1.2, 5.7.6). Set up in kernel mode; commands work in any mode.
 * Every command is sent alone and waited for, and returns the response's type.
 */
#ifndef GUEST_GPU_H
#define GUEST_GPU_H

#include <stdbool.h>
#include <stdint.h>

#include "virtqueue.h"

#define GPU_F_EDID (1ull << 1)
#define GPU_F_BLOB (1ull << 3)

#define GPU_CONFIG_EVENTS 0
#define GPU_CONFIG_EVENTS_CLEAR 4
#define GPU_CONFIG_SCANOUTS 8
#define GPU_CONFIG_CAPSETS 12
#define GPU_EVENT_DISPLAY 1

#define GPU_GET_DISPLAY_INFO 0x100
#define GPU_CREATE_2D 0x101
#define GPU_UNREF 0x102
#define GPU_SET_SCANOUT 0x103
#define GPU_FLUSH 0x104
#define GPU_TRANSFER 0x105
#define GPU_ATTACH 0x106
#define GPU_DETACH 0x107
#define GPU_GET_CAPSET_INFO 0x108
#define GPU_GET_CAPSET 0x109
#define GPU_GET_EDID 0x10a
#define GPU_CREATE_BLOB 0x10c
#define GPU_SET_SCANOUT_BLOB 0x10d
#define GPU_UPDATE_CURSOR 0x300
#define GPU_MOVE_CURSOR 0x301

#define GPU_OK 0x1100
#define GPU_OK_DISPLAY_INFO 0x1101
#define GPU_OK_EDID 0x1104
#define GPU_ERROR 0x1200 /* this and above */
#define GPU_ERROR_OUT_OF_MEMORY 0x1201
#define GPU_ERROR_SCANOUT 0x1202
#define GPU_ERROR_RESOURCE 0x1203
#define GPU_ERROR_PARAMETER 0x1205
#define GPU_LOST 0 /* not a type: no answer came */

#define GPU_FLAG_FENCE 1

/* Bytes in memory, lowest first: blue, green, red, and one that is alpha or not looked at. */
#define GPU_BGRA 1
#define GPU_BGRX 2
#define GPU_RGBX 134

#define GPU_BLOB_GUEST 1

typedef struct GpuHead {
    uint32_t type, flags;
    uint64_t fence;
    uint32_t context;
    uint8_t ring, pad[3];
} GpuHead;

typedef struct GpuBox {
    uint32_t x, y, width, height; /* pixels */
} GpuBox;

typedef struct GpuEntry {
    uint64_t address;
    uint32_t length, pad;
} GpuEntry;

typedef struct GpuCreate2d {
    GpuHead head;
    uint32_t resource, format, width, height;
} GpuCreate2d;

typedef struct GpuResource { /* unref, detach */
    GpuHead head;
    uint32_t resource, pad;
} GpuResource;

typedef struct GpuSetScanout {
    GpuHead head;
    GpuBox box;
    uint32_t scanout, resource;
} GpuSetScanout;

typedef struct GpuFlush {
    GpuHead head;
    GpuBox box;
    uint32_t resource, pad;
} GpuFlush;

typedef struct GpuTransfer {
    GpuHead head;
    GpuBox box;
    uint64_t offset; /* bytes into the backing, of the box's first pixel */
    uint32_t resource, pad;
} GpuTransfer;

typedef struct GpuAttach {
    GpuHead head;
    uint32_t resource, n_entries;
    GpuEntry entries[16];
} GpuAttach;

typedef struct GpuCapset { /* info: index; get: id, version */
    GpuHead head;
    uint32_t number, version;
} GpuCapset;

typedef struct GpuEdid {
    GpuHead head;
    uint32_t scanout, pad;
} GpuEdid;

typedef struct GpuCreateBlob {
    GpuHead head;
    uint32_t resource, memory, flags, n_entries;
    uint64_t id, size;
    GpuEntry entries[16];
} GpuCreateBlob;

typedef struct GpuSetScanoutBlob {
    GpuHead head;
    GpuBox box;
    uint32_t scanout, resource, width, height, format, pad, strides[4], offsets[4];
} GpuSetScanoutBlob;

typedef struct GpuCursor {
    GpuHead head;
    uint32_t scanout, x, y, pad;
    uint32_t resource, hot_x, hot_y, pad2;
} GpuCursor;

typedef struct GpuDisplayInfo {
    GpuHead head;
    struct {
        GpuBox box;
        uint32_t enabled, flags;
    } modes[16];
} GpuDisplayInfo;

typedef struct GpuEdidAnswer {
    GpuHead head;
    uint32_t size, pad;
    uint8_t edid[1024];
} GpuEdidAnswer;

typedef struct Gpu {
    VirtioDevice device;
    VirtQueue control, cursor;
} Gpu;

extern Gpu gpu; /* the one */

/* Finds, resets and starts it. features: of the device and of its rings. Kernel mode. */
bool gpu_start(uint64_t features);

/* Any bytes as a command on the control queue; the answer in *answer (NULL: its type only). */
uint32_t gpu_command(const void *command, uint32_t length, void *answer, uint32_t answer_length);

uint32_t gpu_create(uint32_t resource, uint32_t format, uint32_t width, uint32_t height);
uint32_t gpu_unref(uint32_t resource);
uint32_t gpu_attach(uint32_t resource, const GpuEntry *entries, uint32_t n);
uint32_t gpu_detach(uint32_t resource);
uint32_t gpu_transfer(uint32_t resource, GpuBox box, uint64_t offset);
uint32_t gpu_flush(uint32_t resource, GpuBox box);
uint32_t gpu_set_scanout(uint32_t scanout, uint32_t resource, GpuBox box);

/* On the cursor queue. true: it was taken (it has no answer). */
bool gpu_cursor(uint32_t type, uint32_t scanout, uint32_t resource, uint32_t x, uint32_t y);

#endif
