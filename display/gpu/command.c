/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands, in one table, and what is the same for all of them: lengths, headers, fences (virtio 1.2, 5.7.6.7).
 *
 * A command's fixed part is copied once, before its handler runs; a handler with more to read goes on from there. A
 * response is written whole or not at all. Commands end one after the other, so a fence is done when its command is.
 * What has no entry here (3D contexts, capability sets, other blobs) answers ERR_UNSPEC, as the specification has it for
 * what a device does not know.
 */
#include "display/gpu/private.h"

#define NO_FEATURE 0xff

typedef struct {
    uint32_t type;
    uint8_t queue;
    uint8_t feature; /* bit that must have been negotiated, or NO_FEATURE */
    uint16_t in;     /* bytes of the command's fixed part */
    uint16_t out;    /* bytes of its response when all is well */
    GpuHandler handle;
} GpuCommand;

#define HEADER sizeof(struct virtio_gpu_ctrl_hdr)

static const GpuCommand commands[] = {
    {VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, GPU_QUEUE_CONTROL, NO_FEATURE, sizeof(struct virtio_gpu_transfer_to_host_2d),
     HEADER, gpu_transfer_to_host_2d},
    {VIRTIO_GPU_CMD_RESOURCE_FLUSH, GPU_QUEUE_CONTROL, NO_FEATURE, sizeof(struct virtio_gpu_resource_flush), HEADER,
     gpu_resource_flush},
    {VIRTIO_GPU_CMD_MOVE_CURSOR, GPU_QUEUE_CURSOR, NO_FEATURE, sizeof(struct virtio_gpu_update_cursor), HEADER,
     gpu_move_cursor},
    {VIRTIO_GPU_CMD_UPDATE_CURSOR, GPU_QUEUE_CURSOR, NO_FEATURE, sizeof(struct virtio_gpu_update_cursor), HEADER,
     gpu_update_cursor},
    {VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, GPU_QUEUE_CONTROL, VIRTIO_GPU_F_RESOURCE_BLOB,
     sizeof(struct virtio_gpu_set_scanout_blob), HEADER, gpu_set_scanout_blob},
    {VIRTIO_GPU_CMD_SET_SCANOUT, GPU_QUEUE_CONTROL, NO_FEATURE, sizeof(struct virtio_gpu_set_scanout), HEADER,
     gpu_set_scanout},
    {VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, GPU_QUEUE_CONTROL, VIRTIO_GPU_F_RESOURCE_BLOB,
     sizeof(struct virtio_gpu_resource_create_blob), HEADER, gpu_resource_create_blob},
    {VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, GPU_QUEUE_CONTROL, NO_FEATURE, sizeof(struct virtio_gpu_resource_create_2d),
     HEADER, gpu_resource_create_2d},
    {VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, GPU_QUEUE_CONTROL, NO_FEATURE,
     sizeof(struct virtio_gpu_resource_attach_backing), HEADER, gpu_resource_attach_backing},
    {VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, GPU_QUEUE_CONTROL, NO_FEATURE,
     sizeof(struct virtio_gpu_resource_detach_backing), HEADER, gpu_resource_detach_backing},
    {VIRTIO_GPU_CMD_RESOURCE_UNREF, GPU_QUEUE_CONTROL, NO_FEATURE, sizeof(struct virtio_gpu_resource_unref), HEADER,
     gpu_resource_unref},
    {VIRTIO_GPU_CMD_GET_DISPLAY_INFO, GPU_QUEUE_CONTROL, NO_FEATURE, HEADER,
     sizeof(struct virtio_gpu_resp_display_info), gpu_get_display_info},
    {VIRTIO_GPU_CMD_GET_EDID, GPU_QUEUE_CONTROL, VIRTIO_GPU_F_EDID, sizeof(struct virtio_gpu_cmd_get_edid),
     sizeof(struct virtio_gpu_resp_edid), gpu_get_edid},
};

static const GpuCommand *
find_command(const VirtioGpu *gpu, unsigned queue, uint32_t type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        const GpuCommand *command = &commands[i];
        if (command->type != type)
            continue;
        bool known = command->queue == queue &&
                     (command->feature == NO_FEATURE || virtio_device_has(&gpu->device, command->feature));
        return known ? command : NULL;
    }
    return NULL;
}

/* Returns the response's type, and in @out_len its bytes. */
static uint32_t
execute(VirtioGpu *gpu, unsigned queue, GpuRequest *request, size_t *out_len)
{
    *out_len = HEADER;
    if (virt_chain_read(request->chain, &request->in.header, HEADER) < HEADER) {
        request->in.header.flags = 0;
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    }
    const GpuCommand *command = find_command(gpu, queue, request->in.header.type);
    if (!command)
        return VIRTIO_GPU_RESP_ERR_UNSPEC;

    size_t more = command->in - HEADER;
    if (virt_chain_read(request->chain, (uint8_t *)&request->in + HEADER, more) < more)
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    /* Asked first, so that no command is half done for want of room to say so. Cursor commands need not be answered. */
    if (queue == GPU_QUEUE_CONTROL && virt_chain_writable(request->chain) < command->out)
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

    uint32_t type = command->handle(gpu, request);
    if (type < VIRTIO_GPU_RESP_ERR_UNSPEC)
        *out_len = command->out;
    return type;
}

static void
fill_header(GpuRequest *request, uint32_t type)
{
    const struct virtio_gpu_ctrl_hdr *in = &request->in.header;
    struct virtio_gpu_ctrl_hdr *out = &request->out.header;

    *out = (struct virtio_gpu_ctrl_hdr){.type = type};
    if (in->flags & VIRTIO_GPU_FLAG_FENCE) {
        out->flags = VIRTIO_GPU_FLAG_FENCE;
        out->fence_id = in->fence_id;
        out->ctx_id = in->ctx_id;
    }
}

uint32_t
gpu_command_run(VirtioGpu *gpu, unsigned queue, VirtChain *chain)
{
    GpuRequest request; /* filled as far as it is used: a response of a kilobyte is rare */
    size_t len;

    request.chain = chain;
    uint32_t type = execute(gpu, queue, &request, &len);
    gpu->stats.commands[queue]++;
    gpu->stats.failed += type >= VIRTIO_GPU_RESP_ERR_UNSPEC;
    if (virt_chain_writable(chain) < len)
        return 0;
    fill_header(&request, type);
    return virt_chain_write(chain, &request.out, len);
}
