/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop's life: made, started or loaded, told of signals, stopped, taken apart in the reverse order of its making.
 */
#include "vmm/desktop/desktop_private.h"
#include "vmm/desktop/socket_port.h"
#include "vmm/sandbox/sandbox.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const char *const state_names[] = {
    [MACHINE_STARTING] = "starting",
    [MACHINE_RUNNING] = "running",
    [MACHINE_PAUSED] = "paused",
    [MACHINE_STOPPED] = "stopped",
};

static const struct {
    MachinePause reason;
    const char *name;
} reason_names[] = {
    {MACHINE_PAUSE_USER, "user"},
    {MACHINE_PAUSE_STORAGE, "storage"},
    {MACHINE_PAUSE_SAVE, "save"},
    {MACHINE_PAUSE_ERROR, "error"},
};

/* For whoever is to know and was not there to hear it. */
static void
write_down_end(const Desktop *desktop, const char *why)
{
    if (desktop->end >= 0 && why && write(desktop->end, why, strlen(why)) < 0)
        g_message("why the desktop ended cannot be written down: %s", g_strerror(errno));
}

static void
on_state(void *user, MachineState state, unsigned reasons, const char *detail)
{
    Desktop *desktop = user;
    const char *names[G_N_ELEMENTS(reason_names) + 1] = {NULL};
    unsigned n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(reason_names); i++)
        if (reasons & reason_names[i].reason)
            names[n++] = reason_names[i].name;
    if (state == MACHINE_PAUSED && reasons & (MACHINE_PAUSE_STORAGE | MACHINE_PAUSE_ERROR))
        g_message("paused: %s", detail ? detail : "no reason was given");
    if (desktop->control)
        control_server_set_state(desktop->control, state_names[state], names, detail);
    if (desktop->spice)
        spice_display_set_running(desktop->spice, state == MACHINE_RUNNING);
    if (state == MACHINE_STOPPED) {
        write_down_end(desktop, detail);
        g_main_loop_quit(desktop->loop);
    }
}

static void
on_client(Desktop *desktop, bool connected, const char *peer, uint64_t client)
{
    if (desktop->control)
        control_server_client(desktop->control, connected, client, peer, spice_display_n_clients(desktop->spice));
}

static void
on_client_connected(void *user, const char *peer, uint64_t client)
{
    on_client(user, true, peer, client);
}

static void
on_client_disconnected(void *user, const char *peer, uint64_t client)
{
    on_client(user, false, peer, client);
}

static void
on_connections_changed(void *user)
{
    Desktop *desktop = user;
    g_auto(GStrv) names = spice_display_connections(desktop->spice);

    if (desktop->control)
        control_server_set_connections(desktop->control, (const char *const *)names);
}

const SpiceDisplayEvents desktop_spice_events = {
    .client_connected = on_client_connected,
    .client_disconnected = on_client_disconnected,
    .connections_changed = on_connections_changed,
};

void
desktop_agent_changed(void *user, bool connected, bool frozen)
{
    Desktop *desktop = user;

    if (desktop->control)
        control_server_set_agent(desktop->control, connected, frozen);
}

static gboolean
on_end_signal(gpointer user)
{
    Desktop *desktop = user;

    if (machine_state(desktop->machine) == MACHINE_STOPPED)
        desktop_cancel_save(desktop); /* the second: somebody will not wait for the file */
    else
        machine_request(desktop->machine, MACHINE_REQUEST_STOP, "ended by a signal");
    return G_SOURCE_CONTINUE;
}

static void
on_usb(void *user, const char *change, const char *id, const char *name, const char *reason)
{
    control_server_usb(((Desktop *)user)->control, change, id, name, reason);
}

static bool
make_control(Desktop *desktop, Resources *resources, GError **error)
{
    if (resources->control < 0)
        return true;
    desktop->control = control_server_new(g_steal_fd(&resources->control), desktop->config->name, desktop->config->uuid,
                                          &desktop_control_ops, desktop, error);
    if (desktop->control && desktop->usb)
        desktop_usb_listen(desktop->usb, on_usb, desktop);
    return desktop->control != NULL;
}

Desktop *
desktop_new(const DesktopConfig *config, Resources *resources, const SavedFile *saved, GError **error)
{
    g_autoptr(Desktop) desktop = g_new0(Desktop, 1);

    desktop->config = config;
    desktop->start_paused = config->paused;
    desktop->end = g_steal_fd(&resources->end);
    desktop->loop = g_main_loop_new(NULL, FALSE);
    desktop->disks = g_ptr_array_new();
    desktop->nets = g_ptr_array_new();
    desktop->pictures = desktop_pictures_new();
    desktop->ports_of_guest = g_ptr_array_new_with_free_func((GDestroyNotify)socket_port_free);
    if (!desktop_make_board(desktop, resources, saved, error) || !desktop_make_devices(desktop, resources, error) ||
        !make_control(desktop, resources, error))
        return NULL;
    if (saved ? !desktop_load(desktop, saved, error) : !vcpus_boot(desktop->vcpus, error))
        return NULL;
    return g_steal_pointer(&desktop);
}

int
desktop_run(Desktop *desktop)
{
    static const int end_signals[] = {SIGTERM, SIGINT, SIGHUP};
    guint sources[G_N_ELEMENTS(end_signals)] = {0};

    for (size_t i = 0; i < G_N_ELEMENTS(end_signals); i++)
        if (!sandbox_signal_is_ignored(end_signals[i]))
            sources[i] = g_unix_signal_add(end_signals[i], on_end_signal, desktop);
    sandbox_release_signals();
    sandbox_watch_keeper();
    machine_listen(desktop->machine, on_state, desktop);
    machine_start(desktop->machine, desktop->start_paused);
    g_main_loop_run(desktop->loop);
    while (desktop->save) /* a stop meanwhile ends the desktop, but not before the file is whole */
        g_main_context_iteration(NULL, TRUE);
    if (desktop->control)
        control_server_flush(desktop->control);
    for (size_t i = 0; i < G_N_ELEMENTS(end_signals); i++)
        if (sources[i])
            g_source_remove(sources[i]);
    return 0;
}

void
desktop_free(Desktop *desktop)
{
    if (!desktop)
        return;
    if (desktop->machine)
        machine_stop(desktop->machine);
    desktop_usb_end_host(desktop->usb);
    guest_agent_free(desktop->agent); /* answers whoever waits */
    desktop_usb_end_redirection(desktop->usb);
    spice_display_free(desktop->spice);
    g_ptr_array_unref(desktop->pictures);  /* answers, too */
    control_server_free(desktop->control); /* the two above tell it of the end and of every client that goes */
    g_ptr_array_unref(desktop->ports_of_guest);
    loop_thread_free(desktop->display_thread); /* before the graphics card that runs on it */
    desktop_usb_stop(desktop->usb);            /* before its controller */
    machine_free(desktop->machine);            /* and the devices of its table */
    desktop_usb_free(desktop->usb);
    input_route_free(desktop->keyboard_route);
    input_route_free(desktop->pointer_route);
    io_thread_free(desktop->io_thread);
    screen_free(desktop->screen);
    address_map_free(desktop->address_map);
    kernel_free(desktop->kernel);
    acpi_tables_free(desktop->acpi);
    vcpus_free(desktop->vcpus);
    bus_free(desktop->ports);
    bus_free(desktop->addresses);
    bus_free(desktop->smm_addresses);
    vm_free(desktop->vm);
    rom_finish(&desktop->rom);
    guest_memory_free(desktop->memory);
    g_ptr_array_unref(desktop->disks);
    g_ptr_array_unref(desktop->nets);
    g_clear_fd(&desktop->end, NULL);
    g_main_loop_unref(desktop->loop);
    g_free(desktop);
}
