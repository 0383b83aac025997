/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of virtio-gpu, shared by its files; nobody else includes it.
 *
 *     gpu.c       the device: configuration space, queues, life          command.c  table of commands, headers, fences
 *     resource.c  resources by id, 2D pixels, attaching backing          blob.c     resources that are guest memory
 *     transfer.c  guest memory → 2D pixels                               scanout.c  resources → the Screen, flush
 *     cursor.c    the cursor queue                                       monitors.c what the guest is told of monitors
 *     state.c     saved state                                            pixels, backing, edid: building blocks
 *
 * Everything runs under the device's lock: commands on the display thread, configuration and reset on any.
 */
#pragma once

#include "display/gpu/backing.h"
#include "display/gpu/gpu.h"
#include "display/gpu/pixels.h"

#include <linux/virtio_gpu.h>

enum { GPU_QUEUE_CONTROL, GPU_QUEUE_CURSOR, GPU_N_QUEUES };

#define GPU_BYTES_PER_PIXEL 4 /* in every format virtio-gpu has */

/* What one guest may have at a time; beyond it commands answer ERR_OUT_OF_MEMORY. */
#define GPU_RESOURCES_MAX 8192
/* Runs of guest memory in all backings together: 24 bytes each here, and as much again where one is shown. */
#define GPU_RUNS_MAX (512 * 1024)

/* A part of a resource, seen as a picture: what a scanout shows. */
typedef struct {
    uint32_t x, y, width, height; /* the part shown, in pixels of the picture */
    uint32_t picture_width, picture_height;
    uint32_t stride; /* bytes from row to row */
    uint32_t offset; /* bytes before the picture's first pixel */
    uint32_t format; /* VIRTIO_GPU_FORMAT_… */
} GpuView;

typedef struct {
    uint32_t id;
    bool blob;
    uint32_t width, height, format; /* 2D */
    uint64_t blob_size;             /* blob */
    Pixels *pixels;                 /* 2D: the picture; NULL in a blob */
    Backing *backing;               /* NULL: none attached */
    Surface *surface;               /* as it was last shown, kept for the next page flip; NULL: not yet … */
    GpuView view;                   /* … by this view */
    guint index;                    /* in gpu->resources */
    /* what only a stream holds, filled while saving or loading */
    bool saved_has_backing; /* which may be empty */
    GByteArray *saved_pixels, *saved_backing;
} GpuResource;

typedef struct {
    uint32_t resource_id; /* 0: blank */
    GpuView view;
    Surface *surface; /* what the Screen was given; its reference keeps it */
    /* the cursor: the Screen has it, a stream holds it; saved_cursor NULL: hidden */
    uint32_t saved_hot_x, saved_hot_y;
    int32_t saved_cursor_x, saved_cursor_y;
    GByteArray *saved_cursor;
} GpuScanout;

typedef struct {
    bool enabled;
    uint32_t width, height;
    int32_t x, y;
    uint32_t width_mm, height_mm;
} GpuMonitor;

typedef struct {
    VirtioDevice device;
    Screen *screen; /* not owned */
    uint32_t events_read;
    GpuMonitor monitors[SCREEN_MAX_SCANOUTS];
    GpuScanout scanouts[SCREEN_MAX_SCANOUTS];
    GPtrArray *resources; /* GpuResource, owned, in no order … */
    GHashTable *by_id;    /* … and by their ids */
    size_t n_runs;        /* in all backings */
    PixelBudget *budget;
    VirtChain chain; /* kept from request to request */
    uint64_t moved;  /* bytes that this pass's commands read or copied, as far as they can be many */
    uint32_t saved_n_scanouts;
    struct {
        uint64_t commands[GPU_N_QUEUES];
        uint64_t failed;
    } stats;
} VirtioGpu;

/* One command on its way. */
typedef struct {
    VirtChain *chain; /* its cursors stand behind the command's fixed part and at the response's start */
    union {
        struct virtio_gpu_ctrl_hdr header;
        struct virtio_gpu_resource_create_2d create_2d;
        struct virtio_gpu_resource_unref unref;
        struct virtio_gpu_set_scanout set_scanout;
        struct virtio_gpu_resource_flush flush;
        struct virtio_gpu_transfer_to_host_2d transfer;
        struct virtio_gpu_resource_attach_backing attach;
        struct virtio_gpu_resource_detach_backing detach;
        struct virtio_gpu_cmd_get_edid get_edid;
        struct virtio_gpu_resource_create_blob create_blob;
        struct virtio_gpu_set_scanout_blob set_scanout_blob;
        struct virtio_gpu_update_cursor cursor;
    } in;
    union {
        struct virtio_gpu_ctrl_hdr header; /* filled by command.c */
        struct virtio_gpu_resp_display_info display_info;
        struct virtio_gpu_resp_edid edid;
    } out;
} GpuRequest;

/* Carries a command out; returns the response's type. Fills request->out where that type has more than a header. */
typedef uint32_t (*GpuHandler)(VirtioGpu *gpu, GpuRequest *request);

/* command.c: carries out the command in @chain, which came on @queue; returns the bytes of its response. */
uint32_t gpu_command_run(VirtioGpu *gpu, unsigned queue, VirtChain *chain);

/* resource.c */
uint32_t gpu_resource_create_2d(VirtioGpu *gpu, GpuRequest *request);
uint32_t gpu_resource_unref(VirtioGpu *gpu, GpuRequest *request);
uint32_t gpu_resource_attach_backing(VirtioGpu *gpu, GpuRequest *request);
uint32_t gpu_resource_detach_backing(VirtioGpu *gpu, GpuRequest *request);
GpuResource *gpu_resource_find(const VirtioGpu *gpu, uint32_t id);
GpuResource *gpu_resource_new(void);
void gpu_resource_free(GpuResource *resource);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GpuResource, gpu_resource_free)
/* Whether one more may be made with this id: OK_NODATA, or what is wrong. */
uint32_t gpu_resource_check_new(const VirtioGpu *gpu, uint32_t id);
/* Takes @resource over. */
void gpu_resource_add(VirtioGpu *gpu, GpuResource *resource);
/* Gives it memory for its pixels; it has a size and format. OK_NODATA, or what is wrong. */
uint32_t gpu_resource_allocate(VirtioGpu *gpu, GpuResource *resource);
/* Reads a scatter list from the command and makes it the backing. OK_NODATA, or what is wrong. */
uint32_t gpu_resource_read_backing(VirtioGpu *gpu, GpuResource *resource, VirtChain *command, uint32_t n_entries);
/* Counts and takes over a backing. OK_NODATA, or that there are too many runs; it is freed then. */
uint32_t gpu_resource_set_backing(VirtioGpu *gpu, GpuResource *resource, Backing *backing);
/* Ends them all, half loaded ones too. No scanout shows one. */
void gpu_resources_clear(VirtioGpu *gpu);

/* blob.c */
uint32_t gpu_resource_create_blob(VirtioGpu *gpu, GpuRequest *request);
uint32_t gpu_set_scanout_blob(VirtioGpu *gpu, GpuRequest *request);

/* transfer.c */
uint32_t gpu_transfer_to_host_2d(VirtioGpu *gpu, GpuRequest *request);

/* scanout.c */
uint32_t gpu_set_scanout(VirtioGpu *gpu, GpuRequest *request);
uint32_t gpu_resource_flush(VirtioGpu *gpu, GpuRequest *request);
/* Shows @view of @resource, or nothing (NULL), on a scanout that exists. OK_NODATA, or what is wrong with the view. */
uint32_t gpu_scanout_show(VirtioGpu *gpu, unsigned scanout, GpuResource *resource, const GpuView *view);
/* Blanks the scanouts that show @resource, and drops its surface. */
void gpu_scanouts_forget(VirtioGpu *gpu, GpuResource *resource);

/* cursor.c */
uint32_t gpu_update_cursor(VirtioGpu *gpu, GpuRequest *request);
uint32_t gpu_move_cursor(VirtioGpu *gpu, GpuRequest *request);

/* monitors.c */
uint32_t gpu_get_display_info(VirtioGpu *gpu, GpuRequest *request);
uint32_t gpu_get_edid(VirtioGpu *gpu, GpuRequest *request);
void gpu_monitors_init(VirtioGpu *gpu, uint32_t width, uint32_t height);
/* Whether all are of a size a viewer could have asked for. */
bool gpu_monitors_are_sane(const VirtioGpu *gpu);
extern const ProducerOps gpu_producer_ops;

/* format.c: 0 where virtio-gpu has no such format. */
pixman_format_code_t gpu_format(uint32_t virtio_format);
/* The same with an alpha channel in place of the unused one. */
pixman_format_code_t gpu_format_with_alpha(uint32_t virtio_format);

/* @rect inside a picture of this size. Nothing wraps. */
static inline bool
gpu_rect_is_inside(const struct virtio_gpu_rect *rect, uint32_t width, uint32_t height)
{
    return (uint64_t)rect->x + rect->width <= width && (uint64_t)rect->y + rect->height <= height;
}

/* state.c */
extern const StateTable gpu_state;
/* Lets go of what a load that failed left in the scanouts. */
void gpu_state_forget(VirtioGpu *gpu);
