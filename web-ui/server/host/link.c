/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/host/link.h"

#include "web-ui/server/host-api.h"

#define OBJECT "/org/carrel/Host1"
#define INTERFACE "org.carrel.Host1"

struct HostLink {
    char *address;
    GDBusConnection *connection; /* NULL: none yet, or it was lost */
    GCancellable *connecting;    /* or NULL */
    GQueue waiting;              /* Call, for a connection */
    GHashTable *listeners;       /* subscription → Listener */
    guint signal;
};

typedef struct {
    HostLink *link;
    char *method;
    GVariant *arguments;
    int timeout_ms;
    HostReply reply;
    void *data;
} Call;

typedef struct {
    HostEvent event;
    void *user;
} Listener;

static const GDBusErrorEntry errors[] = {
    {HOST_ERROR_SIGN_IN, "org.carrel.Error.SignIn"},      {HOST_ERROR_NOT_SIGNED_IN, "org.carrel.Error.NotSignedIn"},
    {HOST_ERROR_FORBIDDEN, "org.carrel.Error.Forbidden"}, {HOST_ERROR_NOT_FOUND, "org.carrel.Error.NotFound"},
    {HOST_ERROR_INVALID, "org.carrel.Error.Invalid"},     {HOST_ERROR_IN_USE, "org.carrel.Error.InUse"},
    {HOST_ERROR_CHANGED, "org.carrel.Error.Changed"},     {HOST_ERROR_FULL, "org.carrel.Error.Full"},
    {HOST_ERROR_BUSY, "org.carrel.Error.Busy"},           {HOST_ERROR_UNAVAILABLE, "org.carrel.Error.Unavailable"},
    {HOST_ERROR_FAILED, "org.carrel.Error.Failed"},
};

GQuark
host_error_quark(void)
{
    static gsize quark;

    g_dbus_error_register_error_domain("carrel-host-error", &quark, errors, G_N_ELEMENTS(errors));
    return quark;
}

HostLink *
host_link_new(const char *socket)
{
    HostLink *link = g_new0(HostLink, 1);
    g_autofree char *path = g_dbus_address_escape_value(socket);

    host_error_quark(); /* so that errors that come are known */
    link->address = g_strdup_printf("unix:path=%s", path);
    g_queue_init(&link->waiting);
    link->listeners = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return link;
}

/* --- calls --- */

static void
call_free(Call *call)
{
    g_variant_unref(call->arguments);
    g_free(call->method);
    g_free(call);
}

static void
call_fail(Call *call, const char *why)
{
    g_autoptr(GError) error = g_error_new_literal(HOST_ERROR, HOST_ERROR_UNAVAILABLE, why);

    call->reply(NULL, NULL, error, call->data);
    call_free(call);
}

/* What D-Bus itself says is never for people. */
static GError *
plain_error(GError *error)
{
    if (error->domain == HOST_ERROR) {
        g_dbus_error_strip_remote_error(error);
        return g_error_copy(error);
    }
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) ||
        g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY))
        return g_error_new_literal(HOST_ERROR, HOST_ERROR_UNAVAILABLE, "the host does not answer: try again later");
    if (error->domain == G_DBUS_ERROR && g_dbus_error_is_remote_error(error))
        return g_error_new_literal(HOST_ERROR, HOST_ERROR_UNAVAILABLE, "this host does not know how to do that");
    return g_error_new_literal(HOST_ERROR, HOST_ERROR_UNAVAILABLE, "the host's daemon has gone: try again in a moment");
}

static void
on_reply(GObject *source, GAsyncResult *result, void *data)
{
    Call *call = data;
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_with_unix_fd_list_finish(G_DBUS_CONNECTION(source), &fds, result, &error);

    if (reply) {
        call->reply(reply, fds, NULL, call->data);
    } else {
        g_autoptr(GError) plain = plain_error(error);
        if (plain->code == HOST_ERROR_UNAVAILABLE)
            g_debug("%s: %s", call->method, error->message);
        call->reply(NULL, NULL, plain, call->data);
    }
    call_free(call);
}

/* The types of what a method answers with, as the interface has it. */
static GVariantType *
reply_type(const char *method)
{
    GDBusMethodInfo *info = g_dbus_interface_info_lookup_method(carrel_host1_interface_info(), method);
    g_autoptr(GString) type = g_string_new("(");

    g_assert(info);
    for (GDBusArgInfo **argument = info->out_args; argument && *argument; argument++)
        g_string_append(type, (*argument)->signature);
    g_string_append_c(type, ')');
    return g_variant_type_new(type->str);
}

static void
send_call(Call *call)
{
    g_autoptr(GVariantType) type = reply_type(call->method);

    g_dbus_connection_call_with_unix_fd_list(call->link->connection, NULL, OBJECT, INTERFACE, call->method,
                                             call->arguments, type, G_DBUS_CALL_FLAGS_NONE, call->timeout_ms, NULL,
                                             NULL, on_reply, call);
}

/* --- the connection --- */

static void
on_event(GDBusConnection *connection, const char *sender, const char *path, const char *interface, const char *signal,
         GVariant *parameters, void *data)
{
    HostLink *link = data;
    const char *topic;
    guint32 subscription;
    g_autoptr(GVariant) content = NULL;

    if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(usa{sv})")))
        return;
    g_variant_get(parameters, "(u&s@a{sv})", &subscription, &topic, &content);
    Listener *listener = g_hash_table_lookup(link->listeners, GUINT_TO_POINTER(subscription));
    if (listener)
        listener->event(topic, content, listener->user);
}

static void
lose_listeners(HostLink *link)
{
    g_autoptr(GHashTable) lost = g_steal_pointer(&link->listeners);
    GHashTableIter iter;
    void *value;

    link->listeners = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_hash_table_iter_init(&iter, lost);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Listener *listener = value;
        listener->event(NULL, NULL, listener->user);
    }
}

static void
disconnect(HostLink *link)
{
    if (!link->connection)
        return;
    g_signal_handlers_disconnect_by_data(link->connection, link);
    g_dbus_connection_signal_unsubscribe(link->connection, link->signal);
    g_clear_object(&link->connection);
}

static void
on_closed(GDBusConnection *connection, gboolean by_peer, GError *error, void *data)
{
    HostLink *link = data;

    g_info("the daemon has closed its connection");
    disconnect(link);
    lose_listeners(link);
}

static void
answer_waiting(HostLink *link)
{
    Call *call;

    while ((call = g_queue_pop_head(&link->waiting))) {
        if (link->connection)
            send_call(call);
        else
            call_fail(call, "Carrel is not running on the host at this moment: try again soon");
    }
}

static void
on_connected(GObject *source, GAsyncResult *result, void *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusConnection) connection = g_dbus_connection_new_for_address_finish(result, &error);
    HostLink *link = data;

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* and the link is gone */
    g_clear_object(&link->connecting);
    if (connection) {
        link->connection = g_steal_pointer(&connection);
        g_dbus_connection_set_exit_on_close(link->connection, FALSE);
        g_signal_connect(link->connection, "closed", G_CALLBACK(on_closed), link);
        link->signal = g_dbus_connection_signal_subscribe(link->connection, NULL, INTERFACE, "Event", OBJECT, NULL,
                                                          G_DBUS_SIGNAL_FLAGS_NONE, on_event, link, NULL);
    } else {
        g_warning("the daemon cannot be reached at %s: %s", link->address, error->message);
    }
    answer_waiting(link);
}

static void
connect_to_host(HostLink *link)
{
    if (link->connecting)
        return;
    link->connecting = g_cancellable_new();
    g_dbus_connection_new_for_address(link->address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL,
                                      link->connecting, on_connected, link);
}

void
host_link_call(HostLink *link, const char *method, GVariant *arguments, int timeout_ms, HostReply reply, void *data)
{
    Call *call = g_new(Call, 1);

    *call = (Call){link, g_strdup(method), g_variant_ref_sink(arguments), timeout_ms, reply, data};
    if (link->connection && g_dbus_connection_is_closed(link->connection))
        disconnect(link);
    if (link->connection) {
        send_call(call);
        return;
    }
    g_queue_push_tail(&link->waiting, call);
    connect_to_host(link);
}

void
host_link_free(HostLink *link)
{
    if (!link)
        return;
    if (link->connecting)
        g_cancellable_cancel(link->connecting);
    g_clear_object(&link->connecting);
    disconnect(link);
    answer_waiting(link);
    g_hash_table_unref(link->listeners);
    g_free(link->address);
    g_free(link);
}

/* --- events --- */

void
host_link_listen(HostLink *link, guint32 subscription, HostEvent event, void *user)
{
    Listener *listener = g_new(Listener, 1);

    *listener = (Listener){event, user};
    g_hash_table_insert(link->listeners, GUINT_TO_POINTER(subscription), listener);
}

void
host_link_forget(HostLink *link, guint32 subscription)
{
    if (g_hash_table_remove(link->listeners, GUINT_TO_POINTER(subscription)) && link->connection)
        g_dbus_connection_call(link->connection, NULL, OBJECT, INTERFACE, "Unsubscribe",
                               g_variant_new("(u)", subscription), NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL, NULL);
}
