/* SPDX-License-Identifier: Apache-2.0 */
/* The guest with a virtio-gpu: see guest.h. */
#include "guest.h"

GpuGuest *
gpu_guest_new(unsigned n_scanouts, uint64_t max_host_memory)
{
    GpuGuest *guest = g_new0(GpuGuest, 1);
    const VirtioGpuOptions options = {
        .n_scanouts = n_scanouts, .width = 1024, .height = 768, .max_host_memory = max_host_memory};

    guest->screen = screen_new(n_scanouts);
    guest->driver = virtio_driver_new(0);
    guest->gpu = (VirtioGpu *)virtio_gpu_new("gpu0", guest->driver->memory, NULL, guest->screen, &options);
    virtio_driver_start(guest->driver, &guest->gpu->device, GPU_FEATURES);
    screen_add_viewer(guest->screen, &notes_ops, &guest->notes);
    return guest;
}

void
gpu_guest_free(GpuGuest *guest)
{
    if (!guest)
        return;
    screen_remove_viewer(guest->screen, &guest->notes);
    virtio_driver_free(guest->driver);
    screen_free(guest->screen);
    g_free(guest);
}

uint32_t
gpu_guest_call(GpuGuest *guest, unsigned queue, const void *command, size_t len, void *response, size_t room)
{
    return virtio_driver_call(guest->driver, queue, command, len, response, room);
}

uint32_t
gpu_guest_command(GpuGuest *guest, const void *command, size_t len)
{
    struct virtio_gpu_ctrl_hdr response;

    uint32_t written = gpu_guest_call(guest, GPU_QUEUE_CONTROL, command, len, &response, sizeof response);
    g_assert_cmpuint(written, ==, sizeof response);
    g_assert_cmphex(response.flags, ==, 0);
    return response.type;
}

#define COMMAND(guest, command) gpu_guest_command(guest, &(command), sizeof(command))

uint32_t
gpu_guest_create_2d_of(GpuGuest *guest, uint32_t id, uint32_t width, uint32_t height, uint32_t format)
{
    const struct virtio_gpu_resource_create_2d command = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
        .resource_id = id,
        .format = format,
        .width = width,
        .height = height,
    };
    return COMMAND(guest, command);
}

uint32_t
gpu_guest_create_2d(GpuGuest *guest, uint32_t id, uint32_t width, uint32_t height)
{
    return gpu_guest_create_2d_of(guest, id, width, height, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM);
}

uint32_t
gpu_guest_unref(GpuGuest *guest, uint32_t id)
{
    const struct virtio_gpu_resource_unref command = {.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF, .resource_id = id};
    return COMMAND(guest, command);
}

/* A command followed by entries. */
static uint32_t
command_with_entries(GpuGuest *guest, const void *command, size_t len, const struct virtio_gpu_mem_entry *entries,
                     uint32_t n)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, command, len);
    if (n)
        g_byte_array_append(bytes, (const uint8_t *)entries, n * sizeof *entries);
    return gpu_guest_command(guest, bytes->data, bytes->len);
}

uint32_t
gpu_guest_attach(GpuGuest *guest, uint32_t id, const struct virtio_gpu_mem_entry *entries, uint32_t n)
{
    const struct virtio_gpu_resource_attach_backing command = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, .resource_id = id, .nr_entries = n};
    return command_with_entries(guest, &command, sizeof command, entries, n);
}

uint32_t
gpu_guest_attach_one(GpuGuest *guest, uint32_t id, uint64_t address, uint32_t len)
{
    return gpu_guest_attach(guest, id, &(struct virtio_gpu_mem_entry){.addr = address, .length = len}, 1);
}

uint32_t
gpu_guest_detach(GpuGuest *guest, uint32_t id)
{
    const struct virtio_gpu_resource_detach_backing command = {.hdr.type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
                                                               .resource_id = id};
    return COMMAND(guest, command);
}

uint32_t
gpu_guest_create_blob(GpuGuest *guest, uint32_t id, uint64_t size, const struct virtio_gpu_mem_entry *entries,
                      uint32_t n)
{
    const struct virtio_gpu_resource_create_blob command = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
        .resource_id = id,
        .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
        .blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE,
        .nr_entries = n,
        .size = size,
    };
    return command_with_entries(guest, &command, sizeof command, entries, n);
}

uint32_t
gpu_guest_create_blob_one(GpuGuest *guest, uint32_t id, uint64_t address, uint32_t len)
{
    return gpu_guest_create_blob(guest, id, len, &(struct virtio_gpu_mem_entry){.addr = address, .length = len}, 1);
}

uint32_t
gpu_guest_transfer(GpuGuest *guest, uint32_t id, struct virtio_gpu_rect rect, uint64_t offset)
{
    const struct virtio_gpu_transfer_to_host_2d command = {
        .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, .r = rect, .offset = offset, .resource_id = id};
    return COMMAND(guest, command);
}

uint32_t
gpu_guest_flush(GpuGuest *guest, uint32_t id, struct virtio_gpu_rect rect)
{
    const struct virtio_gpu_resource_flush command = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .r = rect, .resource_id = id};
    return COMMAND(guest, command);
}

uint32_t
gpu_guest_set_scanout(GpuGuest *guest, uint32_t scanout, uint32_t id, struct virtio_gpu_rect rect)
{
    const struct virtio_gpu_set_scanout command = {
        .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT, .r = rect, .scanout_id = scanout, .resource_id = id};
    return COMMAND(guest, command);
}

uint32_t
gpu_guest_set_scanout_blob(GpuGuest *guest, uint32_t scanout, uint32_t id, uint32_t width, uint32_t height)
{
    const struct virtio_gpu_set_scanout_blob command = {
        .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
        .r = {0, 0, width, height},
        .scanout_id = scanout,
        .resource_id = id,
        .width = width,
        .height = height,
        .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
        .strides = {width * 4},
    };
    return COMMAND(guest, command);
}

uint64_t
gpu_guest_pixels(GpuGuest *guest, uint32_t n, uint32_t first)
{
    uint64_t address = virtio_driver_alloc(guest->driver, n * 4);
    uint32_t *pixels = virtio_driver_at(guest->driver, address, n * 4);
    for (uint32_t i = 0; i < n; i++)
        pixels[i] = first + i;
    return address;
}

uint32_t
gpu_guest_shown(GpuGuest *guest, unsigned scanout, uint32_t x, uint32_t y)
{
    uint32_t scratch;
    g_autoptr(Surface) surface = screen_get_surface(guest->screen, scanout);
    g_assert_nonnull(surface);
    return *surface_row(surface, x, y, 1, &scratch);
}
