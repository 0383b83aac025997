/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-gpu's commands, in any order, between requests for monitors, resets, saving and loading.
 *
 * The input is a byte of features, then records: an operation, an argument, a length, and so many bytes. For commands the
 * operation chooses the type, the bytes are what follows it, and the argument is the room for the response. After each
 * record the device's own counts must agree, and every pixel that is shown must be readable.
 */
#include "display/gpu/private.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/virtio/transport.h"

#define RAM (2u << 20)
#define MAX_HOST_MEMORY (4u << 20)
#define N_SCANOUTS 2

static const uint32_t types[] = {
    VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
    VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
    VIRTIO_GPU_CMD_RESOURCE_UNREF,
    VIRTIO_GPU_CMD_SET_SCANOUT,
    VIRTIO_GPU_CMD_RESOURCE_FLUSH,
    VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
    VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
    VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
    VIRTIO_GPU_CMD_GET_EDID,
    VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
    VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
    VIRTIO_GPU_CMD_UPDATE_CURSOR,
    VIRTIO_GPU_CMD_MOVE_CURSOR,
};

/* Operations; smaller ones are indices of types. */
enum { OP_RAW = G_N_ELEMENTS(types), OP_MONITORS, OP_CONFIG, OP_RESET, OP_SAVE, OP_LOAD_CHANGED, N_OPS };

typedef struct {
    Screen *screen;
    VirtioGpu *gpu;
} Display;

static Display
display_new(GuestMemory *memory)
{
    const VirtioGpuOptions options = {.n_scanouts = N_SCANOUTS, .max_host_memory = MAX_HOST_MEMORY};
    Screen *screen = screen_new(N_SCANOUTS);
    return (Display){screen, (VirtioGpu *)virtio_gpu_new("gpu", memory, NULL, screen, &options)};
}

static void
display_reset(Display *display)
{
    virtio_device_reset(&display->gpu->device);
    gpu_monitors_init(display->gpu, 0, 0);
}

static void
check_scanout(Display *display, unsigned index)
{
    const GpuScanout *scanout = &display->gpu->scanouts[index];
    g_autoptr(Surface) surface = screen_get_surface(display->screen, index);
    static uint32_t scratch[SURFACE_MAX_SIDE];
    volatile uint32_t sum = 0;

    g_assert_true(surface == scanout->surface);
    g_assert_true((surface != NULL) == (scanout->resource_id != 0));
    if (!surface)
        return;
    g_assert_nonnull(gpu_resource_find(display->gpu, scanout->resource_id));
    for (uint32_t y = 0; y < surface->height; y += 1 + surface->height / 64) { /* and the last */
        const uint32_t *row = surface_row(surface, 0, y, surface->width, scratch);
        sum += row[0] + row[surface->width - 1];
    }
    const uint32_t *row = surface_row(surface, 0, surface->height - 1, surface->width, scratch);
    sum += row[0] + row[surface->width - 1];
}

static void
check(Display *display)
{
    const VirtioGpu *gpu = display->gpu;
    size_t runs = 0;

    g_assert_cmpuint(g_hash_table_size(gpu->by_id), ==, gpu->resources->len);
    for (guint i = 0; i < gpu->resources->len; i++) {
        const GpuResource *resource = gpu->resources->pdata[i];
        g_assert_cmpuint(resource->index, ==, i);
        g_assert_true(gpu_resource_find(gpu, resource->id) == resource);
        runs += resource->backing ? resource->backing->n : 0;
    }
    g_assert_cmpuint(gpu->n_runs, ==, runs);
    g_assert_cmpuint(pixel_budget_used(gpu->budget), <=, MAX_HOST_MEMORY);
    g_assert_true(gpu_monitors_are_sane(gpu));
    for (unsigned i = 0; i < N_SCANOUTS; i++)
        check_scanout(display, i);
}

static void
run_command(Display *display, unsigned op, uint8_t argument, const uint8_t *bytes, size_t len)
{
    size_t type_len = op < OP_RAW ? sizeof types[0] : 0;
    bool cursor = op < OP_RAW ? types[op] >= VIRTIO_GPU_CMD_UPDATE_CURSOR : argument & 1;
    /* Blocks of their exact size, so that whatever reads or writes beyond is caught. */
    g_autofree uint8_t *command = g_malloc(type_len + len + 1);
    size_t room = argument * 8;
    g_autofree uint8_t *response = g_malloc(room + 1);
    size_t half = (type_len + len) / 2;

    if (op < OP_RAW)
        memcpy(command, &types[op], type_len);
    memcpy(command + type_len, bytes, len);
    struct iovec out[2] = {{command, half}, {command + half, type_len + len - half}};
    struct iovec in = {response, room};
    VirtChain chain = {.out = half ? out : out + 1,
                       .n_out = half ? 2 : 1,
                       .out_len = type_len + len,
                       .in = &in,
                       .n_in = 1,
                       .in_len = room};
    uint32_t written = gpu_command_run(display->gpu, cursor ? GPU_QUEUE_CURSOR : GPU_QUEUE_CONTROL, &chain);
    g_assert_cmpuint(written, <=, room);
    if (written)
        g_assert_cmpuint(written, >=, sizeof(struct virtio_gpu_ctrl_hdr));
}

static void
request_monitors(Display *display, const uint8_t *bytes, size_t len)
{
    MonitorRequest monitors[SCREEN_MAX_SCANOUTS] = {0};
    unsigned n = 0;

    for (; n < SCREEN_MAX_SCANOUTS && len >= 25; n++, bytes += 25, len -= 25) {
        monitors[n].enabled = bytes[0] & 1;
        memcpy(&monitors[n].width, bytes + 1, 24);
    }
    screen_request_monitors(display->screen, monitors, n);
}

/* What was saved must load, and be the same length when it is saved again. */
static void
save_and_load(Display *from, Display *to)
{
    g_autoptr(GByteArray) first = g_byte_array_new(), second = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    state_save(&gpu_state, from->gpu, first);
    display_reset(to);
    state_load(&gpu_state, to->gpu, gpu_state.version, first->data, first->len, &error);
    g_assert_no_error(error);
    check(to);
    state_save(&gpu_state, to->gpu, second);
    g_assert_cmpuint(first->len, ==, second->len);
    display_reset(to);
}

/* What was saved, with bytes of it changed: loaded or refused, and after a reset fit for use either way. */
static void
load_changed(Display *from, Display *to, const uint8_t *changes, size_t len)
{
    g_autoptr(GByteArray) saved = g_byte_array_new();

    state_save(&gpu_state, from->gpu, saved);
    for (; len >= 3; changes += 3, len -= 3)
        saved->data[(changes[0] | changes[1] << 8) % saved->len] = changes[2];
    display_reset(to);
    if (state_load(&gpu_state, to->gpu, gpu_state.version, saved->data, saved->len, NULL))
        check(to);
    display_reset(to);
    check(to);
}

static void
run_record(Display *display, Display *other, unsigned op, uint8_t argument, const uint8_t *bytes, size_t len)
{
    switch (op) {
    case OP_MONITORS:
        request_monitors(display, bytes, len);
        break;
    case OP_CONFIG:
        virtio_device_config_write(&display->gpu->device, argument, bytes, len);
        break;
    case OP_RESET:
        virtio_device_reset(&display->gpu->device);
        break;
    case OP_SAVE:
        save_and_load(display, other);
        break;
    case OP_LOAD_CHANGED:
        load_changed(display, other, bytes, len);
        break;
    default:
        run_command(display, op, argument, bytes, len);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static Display display, other;

    if (!display.gpu) {
        GuestMemory *memory = guest_memory_new(&(GuestMemoryOptions){.size = RAM}, NULL);
        display = display_new(memory);
        other = display_new(memory);
    }
    display_reset(&display);
    if (len < 1)
        return 0;
    uint64_t features = ~(uint64_t)bytes[0] & (1 << VIRTIO_GPU_F_EDID | 1 << VIRTIO_GPU_F_RESOURCE_BLOB);
    display.gpu->device.negotiated = features; /* a first byte of 0: all of them */
    bytes++;
    len--;
    while (len >= 4) {
        unsigned op = bytes[0] % N_OPS;
        uint8_t argument = bytes[1];
        size_t record = MIN((size_t)(bytes[2] | bytes[3] << 8), len - 4);
        run_record(&display, &other, op, argument, bytes + 4, record);
        if (op == OP_RESET)
            display.gpu->device.negotiated = features;
        check(&display);
        bytes += 4 + record;
        len -= 4 + record;
    }
    return 0;
}
