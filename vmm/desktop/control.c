/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a desktop does when the control socket asks, and the counters it shows.
 */
#include "vmm/desktop/desktop_private.h"

#include <string.h>

static bool
fail(GError **error, const char *why)
{
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, why);
    return false;
}

static void
do_pause(void *object)
{
    machine_pause(((Desktop *)object)->machine, MACHINE_PAUSE_USER, NULL);
}

static void
do_resume(void *object)
{
    Desktop *desktop = object;

    /* Disks try their parked requests again whenever the machine resumes; one that still fails pauses it anew. */
    machine_resume(desktop->machine, MACHINE_PAUSE_USER | MACHINE_PAUSE_STORAGE);
}

static void
do_power_button(void *object)
{
    pm_power_button(((Desktop *)object)->pm);
}

static void
do_reset(void *object)
{
    machine_reset(((Desktop *)object)->machine);
}

static void
do_stop(void *object)
{
    /* Through the request queue, so that the caller has its answer before the desktop is gone. */
    machine_request(((Desktop *)object)->machine, MACHINE_REQUEST_STOP, "stopped over the control socket");
}

static bool
do_set_ticket(void *object, const char *ticket, unsigned seconds, GError **error)
{
    Desktop *desktop = object;

    if (!desktop->spice)
        return fail(error, "the desktop has no SPICE server: its configuration has no [spice]");
    return spice_display_set_ticket(desktop->spice, ticket, seconds, error);
}

static bool
do_cut_connections(void *object, const char *name, GError **error)
{
    Desktop *desktop = object;

    if (!desktop->spice)
        return fail(error, "the desktop has no SPICE server: its configuration has no [spice]");
    spice_display_cut(desktop->spice, name);
    return true;
}

static bool
do_resize_disk(void *object, const char *disk, uint64_t *bytes, GError **error)
{
    Desktop *desktop = object;

    for (guint i = 0; i < desktop->disks->len; i++) {
        VirtioDevice *device = desktop->disks->pdata[i];
        if (!strcmp(device->id, disk))
            return virtio_blk_resize(device, bytes, error);
    }
    return fail(error, "the desktop has no such disk");
}

static bool
do_set_balloon(void *object, uint64_t bytes, GError **error)
{
    Desktop *desktop = object;
    uint64_t all = guest_memory_size(desktop->memory);

    if (!desktop->balloon)
        return fail(error, "the desktop has no balloon");
    if (bytes > all)
        return fail(error, "the desktop has less memory than that");
    virtio_balloon_set_target(desktop->balloon, bytes);
    return true;
}

/* Whether there is somebody to ask; else the answer is given. */
static bool
agent_can_answer(Desktop *desktop, ControlAnswer answer, void *user)
{
    g_autoptr(GError) error = NULL;

    if (!desktop->agent)
        fail(&error, "the desktop has no port for a guest's agent: its configuration says guest-agent=false");
    else if (machine_state(desktop->machine) != MACHINE_RUNNING)
        fail(&error, "the desktop does not run");
    if (error)
        answer(user, NULL, error);
    return !error;
}

static void
do_set_guest_time(void *object, ControlAnswer answer, void *user)
{
    Desktop *desktop = object;

    if (agent_can_answer(desktop, answer, user))
        guest_agent_set_time(desktop->agent, answer, user);
}

static void
do_freeze(void *object, unsigned seconds, ControlAnswer answer, void *user)
{
    Desktop *desktop = object;

    if (agent_can_answer(desktop, answer, user))
        guest_agent_freeze(desktop->agent, seconds, answer, user);
}

static void
do_thaw(void *object, ControlAnswer answer, void *user)
{
    Desktop *desktop = object;

    if (agent_can_answer(desktop, answer, user))
        guest_agent_thaw(desktop->agent, answer, user);
}

static void
do_shut_down_guest(void *object, bool restart, ControlAnswer answer, void *user)
{
    Desktop *desktop = object;

    if (agent_can_answer(desktop, answer, user))
        guest_agent_shut_down(desktop->agent, restart, answer, user);
}

static void
do_guest_addresses(void *object, ControlAnswer answer, void *user)
{
    Desktop *desktop = object;

    if (agent_can_answer(desktop, answer, user))
        guest_agent_addresses(desktop->agent, answer, user);
}

static void
do_list_usb(void *object, GVariantBuilder *devices)
{
    desktop_usb_list(((Desktop *)object)->usb, devices);
}

static bool
do_insert_medium(void *object, const char *drive, int fd, const char *name, GError **error)
{
    return desktop_usb_insert(((Desktop *)object)->usb, drive, fd, name, error);
}

static bool
do_eject_medium(void *object, const char *drive, bool force, GError **error)
{
    return desktop_usb_eject(((Desktop *)object)->usb, drive, force, error);
}

typedef struct {
    ControlAnswer answer;
    void *user;
} Attach;

static void
on_attached(void *user, const GError *error)
{
    g_autofree Attach *attach = user;
    g_autoptr(GVariant) nothing = g_variant_ref_sink(g_variant_new("()"));

    attach->answer(attach->user, error ? NULL : nothing, error);
}

static void
do_attach_usb(void *object, const char *device, int fd, const char *name, ControlAnswer answer, void *user)
{
    Attach *attach = g_new(Attach, 1);

    *attach = (Attach){answer, user};
    desktop_usb_attach(((Desktop *)object)->usb, device, fd, name, on_attached, attach);
}

static bool
do_reattach_usb(void *object, const char *device, GError **error)
{
    return desktop_usb_reattach(((Desktop *)object)->usb, device, error);
}

static bool
do_detach_usb(void *object, const char *device, GError **error)
{
    return desktop_usb_detach(((Desktop *)object)->usb, device, error);
}

static void
add(GVariantBuilder *counters, const char *id, const char *name, uint64_t value)
{
    g_autofree char *full = g_strdup_printf("%s.%s", id, name);
    g_variant_builder_add(counters, "{st}", full, (guint64)value);
}

static void
add_vcpus(Desktop *desktop, GVariantBuilder *counters)
{
    for (unsigned i = 0; i < vcpus_count(desktop->vcpus); i++) {
        uint64_t exits[VCPU_EXITS];
        g_autofree char *id = g_strdup_printf("vcpu%u.exits", i);
        vcpus_exits(desktop->vcpus, i, exits);
        for (unsigned kind = 0; kind < VCPU_EXITS; kind++)
            add(counters, id, vcpu_exit_names[kind], exits[kind]);
    }
}

static void
add_disks(Desktop *desktop, GVariantBuilder *counters)
{
    for (guint i = 0; i < desktop->disks->len; i++) {
        VirtioDevice *device = desktop->disks->pdata[i];
        VirtioBlkStats stats;
        virtio_blk_stats(device, &stats);
        add(counters, device->id, "reads", stats.reads);
        add(counters, device->id, "writes", stats.writes);
        add(counters, device->id, "read-bytes", stats.read_bytes);
        add(counters, device->id, "write-bytes", stats.write_bytes);
        add(counters, device->id, "flushes", stats.flushes);
        add(counters, device->id, "discards", stats.discards);
        add(counters, device->id, "errors", stats.errors);
        add(counters, device->id, "in-flight", stats.in_flight);
        add(counters, device->id, "parked", stats.parked);
    }
}

static void
add_nets(Desktop *desktop, GVariantBuilder *counters)
{
    for (guint i = 0; i < desktop->nets->len; i++) {
        VirtioDevice *device = desktop->nets->pdata[i];
        VirtioNetStats stats;
        virtio_net_stats(device, &stats);
        add(counters, device->id, "rx-frames", stats.rx_frames);
        add(counters, device->id, "rx-bytes", stats.rx_bytes);
        add(counters, device->id, "rx-dropped", stats.rx_dropped);
        add(counters, device->id, "tx-frames", stats.tx_frames);
        add(counters, device->id, "tx-bytes", stats.tx_bytes);
        add(counters, device->id, "tx-dropped", stats.tx_dropped);
    }
}

static void
add_timing(GVariantBuilder *counters, const char *id, const Timing *timing)
{
    add(counters, id, "count", timing->count);
    add(counters, id, "us", timing->total_us);
    for (unsigned i = 0; i < TIMING_BOUNDS; i++) {
        g_autofree char *name = g_strdup_printf("within-%u", timing_bounds_us[i]);
        add(counters, id, name, timing->within[i]);
    }
}

static void
add_quality(const SpiceDisplay *spice, GVariantBuilder *counters)
{
    SpiceQuality quality;

    spice_display_quality(spice, &quality);
    add(counters, "spice", "clients", spice_display_n_clients(spice));
    add(counters, "spice", "sent-bytes", quality.sent_bytes);
    add(counters, "spice", "received-bytes", quality.received_bytes);
    add_timing(counters, "spice.frame-age", &quality.frame_age);
    add_timing(counters, "spice.input", &quality.input);
}

static void
add_display(Desktop *desktop, GVariantBuilder *counters)
{
    for (unsigned i = 0; desktop->screen && i < screen_n_scanouts(desktop->screen); i++) {
        ScreenStats stats = screen_stats(desktop->screen, i);
        g_autofree char *id = g_strdup_printf("display%u", i);
        add(counters, id, "frames", stats.frames);
        add(counters, id, "damaged-pixels", stats.damaged_pixels);
    }
    if (desktop->gpu) {
        VirtioGpuStats stats = virtio_gpu_stats(desktop->gpu);
        add(counters, "gpu0", "control-commands", stats.control_commands);
        add(counters, "gpu0", "cursor-commands", stats.cursor_commands);
        add(counters, "gpu0", "failed-commands", stats.failed_commands);
        add(counters, "gpu0", "resources", stats.resources);
        add(counters, "gpu0", "host-bytes", stats.host_bytes);
    }
    if (desktop->spice)
        add_quality(desktop->spice, counters);
}

/* What the guest said of its memory when it was asked last; what it says now is for the next to ask. */
static void
add_guest_memory(VirtioDevice *balloon, GVariantBuilder *counters)
{
    VirtioBalloonStatistics guest;

    virtio_balloon_get_statistics(balloon, &guest);
    virtio_balloon_ask_statistics(balloon);
    add(counters, "memory", "guest-total", guest.total);
    add(counters, "memory", "guest-available", guest.available);
    add(counters, "memory", "guest-free", guest.free);
    add(counters, "memory", "guest-swapped-in", guest.swapped_in);
    add(counters, "memory", "guest-swapped-out", guest.swapped_out);
    add(counters, "memory", "guest-major-faults", guest.major_faults);
}

static void
add_usb(const DesktopUsb *usb, GVariantBuilder *counters)
{
    XhciStats stats;

    desktop_usb_stats(usb, &stats);
    add(counters, "usb", "transfers", stats.transfers);
    add(counters, "usb", "bytes", stats.bytes);
    add(counters, "usb", "errors", stats.errors);
    add(counters, "usb", "interrupts", stats.interrupts);
}

static void
do_statistics(void *object, GVariantBuilder *counters)
{
    Desktop *desktop = object;

    add_vcpus(desktop, counters);
    add_disks(desktop, counters);
    add_nets(desktop, counters);
    add_display(desktop, counters);
    if (desktop->usb)
        add_usb(desktop->usb, counters);
    if (desktop->balloon) {
        add(counters, "memory", "balloon-bytes", virtio_balloon_actual(desktop->balloon));
        add_guest_memory(desktop->balloon, counters);
    }
    add(counters, "memory", "bytes", guest_memory_size(desktop->memory));
}

const ControlOps desktop_control_ops = {
    .pause = do_pause,
    .resume = do_resume,
    .power_button = do_power_button,
    .reset = do_reset,
    .stop = do_stop,
    .screenshot = desktop_take_picture,
    .set_ticket = do_set_ticket,
    .cut_connections = do_cut_connections,
    .save = desktop_save,
    .cancel_save = desktop_cancel_save,
    .resize_disk = do_resize_disk,
    .list_usb = do_list_usb,
    .insert_medium = do_insert_medium,
    .eject_medium = do_eject_medium,
    .attach_usb = do_attach_usb,
    .reattach_usb = do_reattach_usb,
    .detach_usb = do_detach_usb,
    .set_balloon = do_set_balloon,
    .set_guest_time = do_set_guest_time,
    .freeze = do_freeze,
    .thaw = do_thaw,
    .shut_down_guest = do_shut_down_guest,
    .guest_addresses = do_guest_addresses,
    .statistics = do_statistics,
};
