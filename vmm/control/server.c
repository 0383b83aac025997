/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket's server side. Each accepted stream becomes a GDBusConnection that exports the one object; method
 * calls go straight to the desktop's ops, whose errors travel back as D-Bus errors with their sentence.
 */
#include "vmm/control/server.h"
#include "vmm/board/listener.h"
#include "vmm/control/org.carrel.Vmm1.h"

#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <string.h>

#define OBJECT_PATH "/org/carrel/Vmm1"
/* A supervisor, a person and a monitoring tool; more than this is a leak somewhere. */
#define PEERS_MAX 16
/* A peer that has connected and says nothing keeps a place from others no longer than this. */
#define HANDSHAKE_SECONDS 5
/* At the end, for peers that do not read what they are told. */
#define FLUSH_SECONDS 1

typedef struct {
    ControlServer *server;
    GDBusMethodInvocation *call;
} SaveCall;

/* A stream that is still shaking hands. */
typedef struct {
    ControlServer *server; /* NULL once that is gone */
    GCancellable *cancel;
    guint timer; /* 0: may take its time */
} Arrival;

struct ControlServer {
    const ControlOps *ops;
    void *desktop;
    CarrelVmm1 *object;
    GSocket *listener; /* NULL where the socket came connected */
    GSource *accept_source;
    GDBusAuthObserver *observer;
    GPtrArray *peers;    /* GDBusConnection * */
    GPtrArray *arrivals; /* Arrival *, each its own until its hands are shaken */
    SaveCall *saving;    /* the one that waits for its answer, NULL: none */
    char *guid;
};

static void
return_error(GDBusMethodInvocation *call, const GError *error)
{
    g_dbus_method_invocation_return_dbus_error(call, "org.carrel.Vmm1.Error.Failed", error->message);
}

#define SIMPLE_METHOD(method)                                                                           \
    static gboolean on_##method(CarrelVmm1 *object, GDBusMethodInvocation *call, ControlServer *server) \
    {                                                                                                   \
        server->ops->method(server->desktop);                                                           \
        carrel_vmm1_complete_##method(object, call);                                                    \
        return TRUE;                                                                                    \
    }

SIMPLE_METHOD(pause)
SIMPLE_METHOD(resume)
SIMPLE_METHOD(power_button)
SIMPLE_METHOD(reset)
SIMPLE_METHOD(stop)
SIMPLE_METHOD(cancel_save)

/* The descriptor a handle argument stands for, duplicated and close-on-exec, or -1 with an error. */
static int
take_fd(GUnixFDList *fds, GVariant *handle, GError **error)
{
    gint32 index = g_variant_get_handle(handle);

    if (!fds || index < 0 || index >= g_unix_fd_list_get_length(fds)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "the call carries no descriptor");
        return -1;
    }
    return g_unix_fd_list_get(fds, index, error);
}

static gboolean
on_list_usb(CarrelVmm1 *object, GDBusMethodInvocation *call, ControlServer *server)
{
    GVariantBuilder devices;

    g_variant_builder_init(&devices, G_VARIANT_TYPE("a(ssssss)"));
    server->ops->list_usb(server->desktop, &devices);
    carrel_vmm1_complete_list_usb(object, call, g_variant_builder_end(&devices));
    return TRUE;
}

static gboolean
on_insert_medium(CarrelVmm1 *object, GDBusMethodInvocation *call, GUnixFDList *fds, const char *drive, GVariant *file,
                 const char *name, ControlServer *server)
{
    g_autoptr(GError) error = NULL;
    int fd = take_fd(fds, file, &error);

    if (fd >= 0 && server->ops->insert_medium(server->desktop, drive, fd, name, &error))
        carrel_vmm1_complete_insert_medium(object, call, NULL);
    else
        return_error(call, error);
    return TRUE;
}

static gboolean
on_eject_medium(CarrelVmm1 *object, GDBusMethodInvocation *call, const char *drive, gboolean force,
                ControlServer *server)
{
    g_autoptr(GError) error = NULL;

    if (server->ops->eject_medium(server->desktop, drive, force, &error))
        carrel_vmm1_complete_eject_medium(object, call);
    else
        return_error(call, error);
    return TRUE;
}

static void
answer_call(void *call, GVariant *result, const GError *error)
{
    if (result)
        g_dbus_method_invocation_return_value(call, result);
    else
        return_error(call, error);
}

static gboolean
on_attach_usb(CarrelVmm1 *object, GDBusMethodInvocation *call, GUnixFDList *fds, const char *device, GVariant *node,
              const char *name, ControlServer *server)
{
    g_autoptr(GError) error = NULL;
    int fd = take_fd(fds, node, &error);

    if (fd >= 0)
        server->ops->attach_usb(server->desktop, device, fd, name, answer_call, call);
    else
        return_error(call, error);
    return TRUE;
}

static gboolean
on_reattach_usb(CarrelVmm1 *object, GDBusMethodInvocation *call, const char *device, ControlServer *server)
{
    g_autoptr(GError) error = NULL;

    if (server->ops->reattach_usb(server->desktop, device, &error))
        carrel_vmm1_complete_reattach_usb(object, call);
    else
        return_error(call, error);
    return TRUE;
}

static gboolean
on_detach_usb(CarrelVmm1 *object, GDBusMethodInvocation *call, const char *device, ControlServer *server)
{
    g_autoptr(GError) error = NULL;

    if (server->ops->detach_usb(server->desktop, device, &error))
        carrel_vmm1_complete_detach_usb(object, call);
    else
        return_error(call, error);
    return TRUE;
}

static gboolean
on_screenshot(CarrelVmm1 *object, GDBusMethodInvocation *call, GUnixFDList *fds, guint scanout, guint64 seen,
              GVariant *file, ControlServer *server)
{
    g_autoptr(GError) error = NULL;
    int fd = take_fd(fds, file, &error);

    if (fd >= 0)
        server->ops->screenshot(server->desktop, scanout, seen, fd, answer_call, call);
    else
        return_error(call, error);
    return TRUE;
}

static gboolean
on_set_ticket(CarrelVmm1 *object, GDBusMethodInvocation *call, const char *ticket, guint seconds, ControlServer *server)
{
    g_autoptr(GError) error = NULL;

    if (server->ops->set_ticket(server->desktop, *ticket ? ticket : NULL, seconds, &error))
        carrel_vmm1_complete_set_ticket(object, call);
    else
        return_error(call, error);
    return TRUE;
}

static gboolean
on_cut_connections(CarrelVmm1 *object, GDBusMethodInvocation *call, const char *name, ControlServer *server)
{
    g_autoptr(GError) error = NULL;

    if (server->ops->cut_connections(server->desktop, name, &error))
        carrel_vmm1_complete_cut_connections(object, call);
    else
        return_error(call, error);
    return TRUE;
}

static void
save_done(void *user, const GError *error)
{
    g_autofree SaveCall *save = user;

    if (save->server->saving == save)
        save->server->saving = NULL;
    if (error)
        return_error(save->call, error);
    else
        g_dbus_method_invocation_return_value(save->call, NULL);
}

static gboolean
on_save(CarrelVmm1 *object, GDBusMethodInvocation *call, GUnixFDList *fds, GVariant *file, ControlServer *server)
{
    g_autoptr(GError) error = NULL;
    g_autofd int fd = take_fd(fds, file, &error);

    if (fd < 0) {
        return_error(call, error);
        return TRUE;
    }
    SaveCall *save = g_new(SaveCall, 1);
    *save = (SaveCall){server, call};
    if (!server->saving) /* else this one is refused */
        server->saving = save;
    server->ops->save(server->desktop, g_steal_fd(&fd), save_done, save);
    return TRUE;
}

static gboolean
on_resize_disk(CarrelVmm1 *object, GDBusMethodInvocation *call, const char *disk, ControlServer *server)
{
    g_autoptr(GError) error = NULL;
    uint64_t bytes;

    if (server->ops->resize_disk(server->desktop, disk, &bytes, &error))
        carrel_vmm1_complete_resize_disk(object, call, bytes);
    else
        return_error(call, error);
    return TRUE;
}

static gboolean
on_set_balloon(CarrelVmm1 *object, GDBusMethodInvocation *call, guint64 bytes, ControlServer *server)
{
    g_autoptr(GError) error = NULL;

    if (server->ops->set_balloon(server->desktop, bytes, &error))
        carrel_vmm1_complete_set_balloon(object, call);
    else
        return_error(call, error);
    return TRUE;
}

static gboolean
on_set_guest_time(CarrelVmm1 *object, GDBusMethodInvocation *call, ControlServer *server)
{
    server->ops->set_guest_time(server->desktop, answer_call, call);
    return TRUE;
}

static gboolean
on_freeze_filesystems(CarrelVmm1 *object, GDBusMethodInvocation *call, guint seconds, ControlServer *server)
{
    server->ops->freeze(server->desktop, seconds, answer_call, call);
    return TRUE;
}

static gboolean
on_thaw_filesystems(CarrelVmm1 *object, GDBusMethodInvocation *call, ControlServer *server)
{
    server->ops->thaw(server->desktop, answer_call, call);
    return TRUE;
}

static gboolean
on_shut_down_guest(CarrelVmm1 *object, GDBusMethodInvocation *call, gboolean restart, ControlServer *server)
{
    server->ops->shut_down_guest(server->desktop, restart, answer_call, call);
    return TRUE;
}

static gboolean
on_get_guest_addresses(CarrelVmm1 *object, GDBusMethodInvocation *call, ControlServer *server)
{
    server->ops->guest_addresses(server->desktop, answer_call, call);
    return TRUE;
}

static gboolean
on_get_statistics(CarrelVmm1 *object, GDBusMethodInvocation *call, ControlServer *server)
{
    GVariantBuilder counters;

    g_variant_builder_init(&counters, G_VARIANT_TYPE("a{st}"));
    server->ops->statistics(server->desktop, &counters);
    carrel_vmm1_complete_get_statistics(object, call, g_variant_builder_end(&counters));
    return TRUE;
}

static const struct {
    const char *signal;
    GCallback handler;
} handlers[] = {
    {"handle-pause", G_CALLBACK(on_pause)},
    {"handle-resume", G_CALLBACK(on_resume)},
    {"handle-power-button", G_CALLBACK(on_power_button)},
    {"handle-reset", G_CALLBACK(on_reset)},
    {"handle-stop", G_CALLBACK(on_stop)},
    {"handle-screenshot", G_CALLBACK(on_screenshot)},
    {"handle-set-ticket", G_CALLBACK(on_set_ticket)},
    {"handle-cut-connections", G_CALLBACK(on_cut_connections)},
    {"handle-save", G_CALLBACK(on_save)},
    {"handle-cancel-save", G_CALLBACK(on_cancel_save)},
    {"handle-list-usb", G_CALLBACK(on_list_usb)},
    {"handle-insert-medium", G_CALLBACK(on_insert_medium)},
    {"handle-eject-medium", G_CALLBACK(on_eject_medium)},
    {"handle-attach-usb", G_CALLBACK(on_attach_usb)},
    {"handle-reattach-usb", G_CALLBACK(on_reattach_usb)},
    {"handle-detach-usb", G_CALLBACK(on_detach_usb)},
    {"handle-resize-disk", G_CALLBACK(on_resize_disk)},
    {"handle-set-balloon", G_CALLBACK(on_set_balloon)},
    {"handle-set-guest-time", G_CALLBACK(on_set_guest_time)},
    {"handle-freeze-filesystems", G_CALLBACK(on_freeze_filesystems)},
    {"handle-thaw-filesystems", G_CALLBACK(on_thaw_filesystems)},
    {"handle-shut-down-guest", G_CALLBACK(on_shut_down_guest)},
    {"handle-get-guest-addresses", G_CALLBACK(on_get_guest_addresses)},
    {"handle-get-statistics", G_CALLBACK(on_get_statistics)},
};

static void
on_peer_closed(GDBusConnection *peer, gboolean vanished, GError *error, ControlServer *server)
{
    g_signal_handlers_disconnect_by_data(peer, server);
    g_dbus_interface_skeleton_unexport_from_connection(G_DBUS_INTERFACE_SKELETON(server->object), peer);
    /* A desktop must not end for a file that nobody puts in its place. */
    if (server->saving && g_dbus_method_invocation_get_connection(server->saving->call) == peer)
        server->ops->cancel_save(server->desktop);
    g_ptr_array_remove_fast(server->peers, peer);
}

static void
arrival_leave(Arrival *arrival)
{
    if (arrival->timer)
        g_source_remove(arrival->timer);
    arrival->timer = 0;
    arrival->server = NULL;
}

static void
on_peer_ready(GObject *source, GAsyncResult *result, gpointer user)
{
    Arrival *arrival = user;
    ControlServer *server = arrival->server;
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusConnection) peer = g_dbus_connection_new_finish(result, &error);

    if (server)
        g_ptr_array_remove_fast(server->arrivals, arrival);
    arrival_leave(arrival);
    g_object_unref(arrival->cancel);
    g_free(arrival);
    if (!server)
        return;
    if (!peer ||
        !g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(server->object), peer, OBJECT_PATH, &error)) {
        g_debug("control: a peer was refused: %s", error->message);
        return;
    }
    g_signal_connect(peer, "closed", G_CALLBACK(on_peer_closed), server);
    g_ptr_array_add(server->peers, g_object_ref(peer));
    g_dbus_connection_start_message_processing(peer);
}

static gboolean
on_handshake_late(gpointer user)
{
    Arrival *arrival = user;

    arrival->timer = 0;
    g_cancellable_cancel(arrival->cancel);
    return G_SOURCE_REMOVE;
}

/* @seconds: for shaking hands; 0: as many as it likes. */
static void
adopt(ControlServer *server, GSocket *socket, unsigned seconds)
{
    g_autoptr(GSocketConnection) stream = g_socket_connection_factory_create_connection(socket);
    Arrival *arrival = g_new(Arrival, 1);

    *arrival = (Arrival){.server = server, .cancel = g_cancellable_new()};
    if (seconds)
        arrival->timer = g_timeout_add_seconds(seconds, on_handshake_late, arrival);
    g_ptr_array_add(server->arrivals, arrival);
    /* Message processing starts once the object is there, so that an early call does not meet an empty connection. */
    g_dbus_connection_new(G_IO_STREAM(stream), server->guid,
                          G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
                              G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_ALLOW_ANONYMOUS |
                              G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                          server->observer, arrival->cancel, on_peer_ready, arrival);
}

static gboolean
on_accept(GSocket *listener, GIOCondition condition, gpointer user)
{
    ControlServer *server = user;
    g_autoptr(GSocket) socket = g_socket_accept(listener, NULL, NULL);

    if (socket && server->peers->len + server->arrivals->len < PEERS_MAX)
        adopt(server, socket, HANDSHAKE_SECONDS);
    return G_SOURCE_CONTINUE;
}

/*
 * Whoever reaches the socket is trusted (its mode decides), so being anonymous will do: in a PID namespace of its own the
 * server sees peers outside without a process id, and GLib takes such credentials for none. Not DBUS_COOKIE_SHA1, which
 * keeps keys in a home directory.
 */
static gboolean
allow_mechanism(GDBusAuthObserver *observer, const char *mechanism, gpointer user)
{
    return !strcmp(mechanism, "EXTERNAL") || !strcmp(mechanism, "ANONYMOUS");
}

static void
listen_on(ControlServer *server, GSocket *socket)
{
    server->listener = g_object_ref(socket);
    g_socket_set_blocking(socket, FALSE);
    server->accept_source = g_socket_create_source(socket, G_IO_IN, NULL);
    g_source_set_callback(server->accept_source, G_SOURCE_FUNC(on_accept), server, NULL);
    g_source_attach(server->accept_source, NULL);
}

static CarrelVmm1 *
make_object(ControlServer *server, const char *name, const char *uuid)
{
    const char *const no_reasons[] = {NULL};
    CarrelVmm1 *object = carrel_vmm1_skeleton_new();

    for (size_t i = 0; i < G_N_ELEMENTS(handlers); i++)
        g_signal_connect(object, handlers[i].signal, handlers[i].handler, server);
    carrel_vmm1_set_version(object, CARREL_VERSION);
    carrel_vmm1_set_name(object, name);
    carrel_vmm1_set_uuid(object, uuid);
    carrel_vmm1_set_state(object, "starting");
    carrel_vmm1_set_pause_reasons(object, no_reasons);
    carrel_vmm1_set_pause_detail(object, "");
    return object;
}

ControlServer *
control_server_new(int fd, const char *name, const char *uuid, const ControlOps *ops, void *desktop, GError **error)
{
    g_autofd int owned = fd;
    bool listening;

    if (!listener_check(owned, &listening)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "the control descriptor is not a stream socket that listens or is connected");
        return NULL;
    }
    g_autoptr(GSocket) socket = g_socket_new_from_fd(owned, error);
    if (!socket)
        return NULL;
    (void)g_steal_fd(&owned);

    ControlServer *server = g_new0(ControlServer, 1);
    server->ops = ops;
    server->desktop = desktop;
    server->peers = g_ptr_array_new_with_free_func(g_object_unref);
    server->arrivals = g_ptr_array_new();
    server->guid = g_dbus_generate_guid();
    server->observer = g_dbus_auth_observer_new();
    g_signal_connect(server->observer, "allow-mechanism", G_CALLBACK(allow_mechanism), NULL);
    server->object = make_object(server, name, uuid);
    if (listening)
        listen_on(server, socket);
    else
        adopt(server, socket, 0); /* keeps nobody else waiting */
    return server;
}

void
control_server_free(ControlServer *server)
{
    if (!server)
        return;
    for (guint i = 0; i < server->arrivals->len; i++) {
        Arrival *arrival = server->arrivals->pdata[i];
        arrival_leave(arrival);
        g_cancellable_cancel(arrival->cancel); /* on_peer_ready() frees it */
    }
    g_ptr_array_unref(server->arrivals);
    if (server->accept_source) {
        g_source_destroy(server->accept_source);
        g_source_unref(server->accept_source);
    }
    for (guint i = 0; i < server->peers->len; i++) {
        GDBusConnection *peer = server->peers->pdata[i];
        g_signal_handlers_disconnect_by_data(peer, server);
        g_dbus_interface_skeleton_unexport_from_connection(G_DBUS_INTERFACE_SKELETON(server->object), peer);
    }
    g_signal_handlers_disconnect_by_data(server->object, server);
    g_ptr_array_unref(server->peers);
    g_clear_object(&server->listener);
    g_object_unref(server->object);
    g_object_unref(server->observer);
    g_free(server->guid);
    g_free(server);
}

void
control_server_set_state(ControlServer *server, const char *state, const char *const *reasons, const char *detail)
{
    const char *shown = detail ? detail : "";

    if (!g_strcmp0(carrel_vmm1_get_state(server->object), state) &&
        g_strv_equal(carrel_vmm1_get_pause_reasons(server->object), reasons) &&
        !g_strcmp0(carrel_vmm1_get_pause_detail(server->object), shown))
        return;
    carrel_vmm1_set_state(server->object, state);
    carrel_vmm1_set_pause_reasons(server->object, reasons);
    carrel_vmm1_set_pause_detail(server->object, shown);
    carrel_vmm1_emit_state_changed(server->object, state, reasons, shown);
}

void
control_server_client(ControlServer *server, bool connected, uint64_t client, const char *peer, unsigned n_clients)
{
    carrel_vmm1_set_clients(server->object, n_clients);
    if (connected)
        carrel_vmm1_emit_client_connected(server->object, client, peer);
    else
        carrel_vmm1_emit_client_disconnected(server->object, client, peer);
}

void
control_server_set_connections(ControlServer *server, const char *const *names)
{
    carrel_vmm1_set_connections(server->object, names);
}

void
control_server_set_agent(ControlServer *server, bool connected, bool frozen)
{
    carrel_vmm1_set_guest_agent(server->object, connected);
    carrel_vmm1_set_frozen(server->object, frozen);
}

/* Shared by the flushes under way, which may outlast whoever waits for them. */
typedef struct {
    unsigned left;
} Flush;

static void
on_flushed(GObject *peer, GAsyncResult *result, gpointer user)
{
    Flush *flush = user;

    g_dbus_connection_flush_finish(G_DBUS_CONNECTION(peer), result, NULL);
    flush->left--;
    g_rc_box_release(flush);
}

static gboolean
on_flush_late(gpointer user)
{
    *(bool *)user = true;
    return G_SOURCE_REMOVE;
}

void
control_server_usb(ControlServer *server, const char *change, const char *device, const char *name, const char *reason)
{
    carrel_vmm1_emit_usb_changed(server->object, change, device, name, reason);
}

void
control_server_flush(ControlServer *server)
{
    Flush *flush = g_rc_box_new0(Flush);
    bool late = false;
    guint timer = g_timeout_add_seconds(FLUSH_SECONDS, on_flush_late, &late);

    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(server->object));
    for (guint i = 0; i < server->peers->len; i++) {
        flush->left++;
        g_dbus_connection_flush(server->peers->pdata[i], NULL, on_flushed, g_rc_box_acquire(flush));
    }
    while (flush->left && !late)
        g_main_context_iteration(NULL, TRUE);
    if (!late)
        g_source_remove(timer);
    g_rc_box_release(flush);
}
