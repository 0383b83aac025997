/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/service.h"

#include "appliance/daemon/call.h"
#include "appliance/daemon/daemon.h"
#include "appliance/daemon/host1.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#define OBJECT_PATH "/org/carrel/Host1"

struct Service {
    Daemon *daemon;
    GDBusServer *server;
    char *path, *web_user;
    GHashTable *peers; /* of Peer, which it owns */
    unsigned n_peers;  /* that ever came */
};

bool
peer_may_be_console(const Peer *peer)
{
    return peer->uid == 0;
}

static void
peer_free(void *data)
{
    Peer *peer = data;

    g_dbus_connection_unregister_object(peer->connection, peer->registration);
    g_object_unref(peer->connection);
    g_free(peer->name);
    g_free(peer);
}

/* The user's id now: packages may be installed while the daemon runs. */
static bool
is_web_user(const char *name, uid_t uid)
{
    struct passwd entry, *found = NULL;
    char buffer[4096];

    return !getpwnam_r(name, &entry, buffer, sizeof(buffer), &found) && found && found->pw_uid == uid;
}

static gboolean
authorize(GDBusAuthObserver *observer, GIOStream *stream, GCredentials *credentials, gpointer data)
{
    Service *service = data;
    uid_t uid = credentials ? g_credentials_get_unix_user(credentials, NULL) : (uid_t)-1;

    if (uid != (uid_t)-1 && (uid == 0 || uid == geteuid() || is_web_user(service->web_user, uid)))
        return TRUE;
    g_message("a process of the user %ld was turned away at %s", (long)uid, service->path);
    return FALSE;
}

/* What is sent by the kernel is believed; the others prove nothing about who it is. */
static gboolean
allow_mechanism(GDBusAuthObserver *observer, const char *mechanism, gpointer data)
{
    return !g_strcmp0(mechanism, "EXTERNAL");
}

static void
called(GDBusConnection *connection, const char *sender, const char *path, const char *interface, const char *method,
       GVariant *arguments, GDBusMethodInvocation *invocation, gpointer data)
{
    call_begin(data, method, arguments, invocation);
}

static void
closed(GDBusConnection *connection, gboolean by_them, GError *error, gpointer data)
{
    Peer *peer = data;
    Daemon *daemon = peer->daemon;

    g_debug("%s, process %ld, is gone", peer->name, (long)peer->pid);
    g_signal_handlers_disconnect_by_data(connection, peer);
    events_peer_gone(daemon->events, peer);
    desktops_carrier_gone(daemon->rooms.desktops, peer->name);
    g_hash_table_remove(daemon->service->peers, peer);
}

static gboolean
came(GDBusServer *server, GDBusConnection *connection, gpointer data)
{
    static const GDBusInterfaceVTable methods = {.method_call = called};
    Service *service = data;
    GCredentials *credentials = g_dbus_connection_get_peer_credentials(connection);
    g_autoptr(GError) error = NULL;
    Peer *peer = g_new0(Peer, 1);

    *peer = (Peer){
        .daemon = service->daemon,
        .connection = g_object_ref(connection),
        .name = g_strdup_printf("peer%u", ++service->n_peers),
        .uid = g_credentials_get_unix_user(credentials, NULL),
        .pid = g_credentials_get_unix_pid(credentials, NULL),
    };
    g_dbus_connection_set_exit_on_close(connection, FALSE);
    peer->registration = g_dbus_connection_register_object(
        connection, OBJECT_PATH, (GDBusInterfaceInfo *)&org_carrel_host1_interface, &methods, peer, NULL, &error);
    if (!peer->registration) {
        g_warning("%s is offered nothing: %s", peer->name, error->message);
        peer_free(peer);
        return FALSE;
    }
    g_hash_table_add(service->peers, peer);
    g_signal_connect(connection, "closed", G_CALLBACK(closed), peer);
    g_debug("%s is process %ld of the user %ld", peer->name, (long)peer->pid, (long)peer->uid);
    return TRUE;
}

/* A socket that a daemon left behind is in the way; anything else that is there is not ours to remove. */
static bool
make_room(const char *path, GError **error)
{
    struct stat there;

    if (g_lstat(path, &there) || !S_ISSOCK(there.st_mode) || !g_unlink(path))
        return true;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s cannot be removed: %s", path, g_strerror(errno));
    return false;
}

static bool
listen_at(Service *service, GError **error)
{
    g_autoptr(GDBusAuthObserver) observer = g_dbus_auth_observer_new();
    g_autofree char *escaped = g_dbus_address_escape_value(service->path);
    g_autofree char *address = g_strdup_printf("unix:path=%s", escaped);
    g_autofree char *guid = g_dbus_generate_guid();

    g_signal_connect(observer, "authorize-authenticated-peer", G_CALLBACK(authorize), service);
    g_signal_connect(observer, "allow-mechanism", G_CALLBACK(allow_mechanism), NULL);
    service->server = g_dbus_server_new_sync(address, G_DBUS_SERVER_FLAGS_NONE, guid, observer, NULL, error);
    if (!service->server)
        return false;
    g_signal_connect(service->server, "new-connection", G_CALLBACK(came), service);
    /* Who it is that comes decides, not the file's mode. */
    if (g_chmod(service->path, 0666)) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s: %s", service->path, g_strerror(errno));
        return false;
    }
    g_dbus_server_start(service->server);
    return true;
}

Service *
service_new(Daemon *daemon, const char *path, const char *web_user, GError **error)
{
    g_autoptr(Service) service = g_new0(Service, 1);

    service->daemon = daemon;
    service->path = g_strdup(path);
    service->web_user = g_strdup(web_user);
    service->peers = g_hash_table_new_full(NULL, NULL, peer_free, NULL);
    if (!make_room(path, error) || !listen_at(service, error))
        return NULL;
    return g_steal_pointer(&service);
}

void
service_free(Service *service)
{
    GHashTableIter iter;
    void *value;

    if (!service)
        return;
    if (service->server) {
        g_dbus_server_stop(service->server);
        g_signal_handlers_disconnect_by_data(service->server, service);
        g_object_unref(service->server);
    }
    g_hash_table_iter_init(&iter, service->peers);
    while (g_hash_table_iter_next(&iter, &value, NULL)) {
        Peer *peer = value;
        g_signal_handlers_disconnect_by_data(peer->connection, peer);
        events_peer_gone(service->daemon->events, peer);
        g_dbus_connection_close_sync(peer->connection, NULL, NULL);
    }
    g_hash_table_unref(service->peers);
    g_free(service->path);
    g_free(service->web_user);
    g_free(service);
}
