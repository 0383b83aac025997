/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Monitors: what a viewer asks for, and how the guest is told: DISPLAY_INFO, EDID and a configuration event (virtio 1.2,
 * 5.7.6.5 and 5.7.6.8).
 *
 * Sizes are passed on as they are asked for, not rounded: Linux keeps a preferred mode only where it is no larger than
 * DISPLAY_INFO's size and within 16 pixels of it, spice-vdagent looks for a mode of exactly the size its client asked for
 * and makes one rounded down to a multiple of 8 only when there is none, and 1366 × 768 is a real panel. A guest without
 * EDID does the rounding by itself.
 */
#include "display/gpu/edid.h"
#include "display/gpu/private.h"

/* Smaller than any desktop is made for; a client's window may be smaller, and then scales. */
#define MONITOR_MIN_WIDTH 640
#define MONITOR_MIN_HEIGHT 480
/* Linux's virtio-gpu refuses larger modes, and would be left with none that is preferred. */
#define MONITOR_MAX_SIDE 8192
/* Of a monitor nobody asked for yet. */
#define DEFAULT_WIDTH 1280
#define DEFAULT_HEIGHT 800
/* Larger than any glass (16 m): what is beyond is a client's mistake, and taken for unknown. */
#define MONITOR_MAX_MM 16000

static GpuMonitor
sane_monitor(const MonitorRequest *wanted)
{
    bool known_size = wanted->width_mm <= MONITOR_MAX_MM && wanted->height_mm <= MONITOR_MAX_MM;

    return (GpuMonitor){
        .enabled = wanted->enabled,
        .width = CLAMP(wanted->width, MONITOR_MIN_WIDTH, MONITOR_MAX_SIDE),
        .height = CLAMP(wanted->height, MONITOR_MIN_HEIGHT, MONITOR_MAX_SIDE),
        .x = CLAMP(wanted->x, 0, INT16_MAX),
        .y = CLAMP(wanted->y, 0, INT16_MAX),
        .width_mm = known_size ? wanted->width_mm : 0,
        .height_mm = known_size ? wanted->height_mm : 0,
    };
}

static bool
same_monitor(const GpuMonitor *a, const GpuMonitor *b)
{
    return a->enabled == b->enabled && a->width == b->width && a->height == b->height && a->x == b->x && a->y == b->y &&
           a->width_mm == b->width_mm && a->height_mm == b->height_mm;
}

/* Whether it is another than before. One that goes off keeps its size, for when it comes back. */
static bool
set_monitor(GpuMonitor *monitor, const GpuMonitor *wanted)
{
    if (same_monitor(monitor, wanted) || (!wanted->enabled && !monitor->enabled))
        return false;
    if (wanted->enabled)
        *monitor = *wanted;
    else
        monitor->enabled = false;
    return true;
}

/* Any thread. Those not asked for are off. */
static void
monitors_requested(void *producer, const MonitorRequest *monitors, unsigned n)
{
    VirtioGpu *gpu = producer;
    bool any = false, changed = false;

    for (unsigned i = 0; i < n; i++)
        any |= monitors[i].enabled;
    if (!any) /* a desktop with no monitor at all is nobody's wish */
        return;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&gpu->device.lock);
    for (unsigned i = 0; i < screen_n_scanouts(gpu->screen); i++) {
        const GpuMonitor wanted = i < n ? sane_monitor(&monitors[i]) : (GpuMonitor){.enabled = false};
        changed |= set_monitor(&gpu->monitors[i], &wanted);
    }
    if (!changed)
        return;
    gpu->events_read |= VIRTIO_GPU_EVENT_DISPLAY;
    virtio_device_config_changed(&gpu->device);
}

const ProducerOps gpu_producer_ops = {.monitors = monitors_requested};

void
gpu_monitors_init(VirtioGpu *gpu, uint32_t width, uint32_t height)
{
    for (unsigned i = 0; i < SCREEN_MAX_SCANOUTS; i++) {
        const MonitorRequest first = {
            .enabled = i == 0,
            .width = i == 0 && width ? width : DEFAULT_WIDTH,
            .height = i == 0 && height ? height : DEFAULT_HEIGHT,
        };
        gpu->monitors[i] = sane_monitor(&first);
    }
}

bool
gpu_monitors_are_sane(const VirtioGpu *gpu)
{
    for (unsigned i = 0; i < SCREEN_MAX_SCANOUTS; i++) {
        const GpuMonitor *monitor = &gpu->monitors[i];
        const MonitorRequest again = {monitor->enabled, monitor->width,    monitor->height,   monitor->x,
                                      monitor->y,       monitor->width_mm, monitor->height_mm};
        const GpuMonitor sane = sane_monitor(&again);
        if (!same_monitor(monitor, &sane))
            return false;
    }
    return true;
}

uint32_t
gpu_get_display_info(VirtioGpu *gpu, GpuRequest *request)
{
    struct virtio_gpu_resp_display_info *info = &request->out.display_info;

    memset(info, 0, sizeof *info);
    for (unsigned i = 0; i < screen_n_scanouts(gpu->screen); i++) {
        const GpuMonitor *monitor = &gpu->monitors[i];
        info->pmodes[i].enabled = monitor->enabled;
        info->pmodes[i].r = (struct virtio_gpu_rect){monitor->x, monitor->y, monitor->width, monitor->height};
    }
    return VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
}

uint32_t
gpu_get_edid(VirtioGpu *gpu, GpuRequest *request)
{
    uint32_t scanout = request->in.get_edid.scanout;
    struct virtio_gpu_resp_edid *edid = &request->out.edid;

    if (scanout >= screen_n_scanouts(gpu->screen))
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    const GpuMonitor *monitor = &gpu->monitors[scanout];
    const EdidMonitor facts = {
        .width = monitor->width,
        .height = monitor->height,
        .width_mm = monitor->width_mm,
        .height_mm = monitor->height_mm,
        .number = scanout + 1,
    };
    memset(edid, 0, sizeof *edid);
    edid->size = edid_make(&facts, edid->edid);
    return VIRTIO_GPU_RESP_OK_EDID;
}
