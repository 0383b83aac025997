/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-gpu, the device: configuration space, the two queues, life.
 *
 * A pass over a queue carries commands out one after the other, gives each back as it is done, and interrupts the guest
 * once at its end. It ends after so many commands, or bytes moved by them, which lets go of the device's lock: a vCPU that
 * reads the configuration, or the main thread that pauses the machine, waits for no more than that.
 */
#include "display/gpu/private.h"

#define COMMANDS_A_PASS 64
#define BYTES_A_PASS (32u << 20) /* a picture of 4096 × 2048; the command that reaches it is finished */
#define DEFAULT_MAX_HOST_MEMORY (256ull << 20)
/*
 * A VGA, though there are no VGA registers behind it: the one device that shows what the machine shows. OVMF's driver leaves such
 * a virtio-gpu alone and draws into ramfb, not into both; Linux's driver has the console of the firmware's picture, which
 * nobody would see any more, moved to its own. Drivers know ids and class together from QEMU's virtio-vga.
 */
#define PCI_CLASS_DISPLAY_VGA 0x0300

static VirtioGpu *
gpu_of(VirtioDevice *device)
{
    return (VirtioGpu *)device;
}

static void
gpu_serve(VirtioDevice *device, VirtQueue *queue)
{
    VirtioGpu *gpu = gpu_of(device);
    unsigned index = virtqueue_index(queue), left = COMMANDS_A_PASS;

    gpu->moved = 0;
    while (left && gpu->moved < BYTES_A_PASS && virtqueue_pop(queue, &gpu->chain)) {
        uint32_t written = gpu_command_run(gpu, index, &gpu->chain);
        virtqueue_push(queue, &gpu->chain, written);
        left--;
    }
    virtqueue_notify(queue);
    if (!left || gpu->moved >= BYTES_A_PASS)
        virtio_device_schedule(device, queue);
}

static struct virtio_gpu_config
gpu_config(const VirtioGpu *gpu)
{
    return (struct virtio_gpu_config){
        .events_read = gpu->events_read,
        .num_scanouts = screen_n_scanouts(gpu->screen),
    };
}

static void
gpu_config_read(VirtioDevice *device, uint32_t offset, void *to, uint32_t len)
{
    const struct virtio_gpu_config config = gpu_config(gpu_of(device));
    memcpy(to, (const uint8_t *)&config + offset, len);
}

/* virtio 1.2, 5.7.4.1: what is written to events_clear goes from events_read; nothing else can be written. */
static void
gpu_config_write(VirtioDevice *device, uint32_t offset, const void *from, uint32_t len)
{
    VirtioGpu *gpu = gpu_of(device);
    struct virtio_gpu_config config = gpu_config(gpu);

    memcpy((uint8_t *)&config + offset, from, len);
    gpu->events_read &= ~config.events_clear;
}

static void
gpu_reset(VirtioDevice *device)
{
    VirtioGpu *gpu = gpu_of(device);

    for (unsigned i = 0; i < screen_n_scanouts(gpu->screen); i++) {
        gpu_scanout_show(gpu, i, NULL, NULL);
        screen_set_cursor(gpu->screen, i, NULL);
    }
    screen_begin(gpu->screen);
    gpu_state_forget(gpu);
    memset(gpu->scanouts, 0, sizeof gpu->scanouts);
    gpu_resources_clear(gpu);
    gpu->events_read = 0; /* the driver asks for everything when it begins; what viewers wish for stays */
}

static void
gpu_finish(VirtioDevice *device)
{
    VirtioGpu *gpu = gpu_of(device);

    screen_set_producer(gpu->screen, NULL, NULL);
    gpu_reset(device);
    g_ptr_array_unref(gpu->resources);
    g_hash_table_unref(gpu->by_id);
    pixel_budget_unref(gpu->budget);
    virt_chain_clear(&gpu->chain);
}

static const VirtioClass gpu_class = {
    .name = "virtio-gpu",
    .id = VIRTIO_ID_GPU,
    .pci_class = PCI_CLASS_DISPLAY_VGA,
    .n_queues = GPU_N_QUEUES,
    .features = 1ull << VIRTIO_GPU_F_EDID | 1ull << VIRTIO_GPU_F_RESOURCE_BLOB,
    .config_size = sizeof(struct virtio_gpu_config),
    .serve = gpu_serve,
    .config_read = gpu_config_read,
    .config_write = gpu_config_write,
    .reset = gpu_reset,
    .state = &gpu_state,
    .finish = gpu_finish,
};

VirtioDevice *
virtio_gpu_new(const char *id, GuestMemory *memory, GMainContext *display_context, Screen *screen,
               const VirtioGpuOptions *options)
{
    g_assert(options->n_scanouts == screen_n_scanouts(screen));
    VirtioGpu *gpu = g_new0(VirtioGpu, 1);

    gpu->screen = screen;
    gpu->resources = g_ptr_array_new_with_free_func((GDestroyNotify)gpu_resource_free);
    gpu->by_id = g_hash_table_new(NULL, NULL);
    gpu->budget = pixel_budget_new(options->max_host_memory ? options->max_host_memory : DEFAULT_MAX_HOST_MEMORY);
    gpu_monitors_init(gpu, options->width, options->height);
    virtio_device_init(&gpu->device, &gpu_class, id, memory, 0, 0, display_context);
    screen_set_producer(screen, &gpu_producer_ops, gpu);
    return &gpu->device;
}

VirtioGpuStats
virtio_gpu_stats(VirtioDevice *device)
{
    const VirtioGpu *gpu = gpu_of(device);

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&device->lock);
    return (VirtioGpuStats){
        .control_commands = gpu->stats.commands[GPU_QUEUE_CONTROL],
        .cursor_commands = gpu->stats.commands[GPU_QUEUE_CURSOR],
        .failed_commands = gpu->stats.failed,
        .resources = gpu->resources->len,
        .host_bytes = pixel_budget_used(gpu->budget),
    };
}
