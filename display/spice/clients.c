/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections are accepted here and not by spice-server, which sets no limit to how many may be half open, nor for how
 * long, and does not say which socket an event is about: each event's info stays the same pointer for a connection's life,
 * and the first comes while the connection is handed over.
 *
 * spice-server sends pictures uncompressed to a Unix socket's peer, taking it for a viewer on the same host, and looks up
 * the address family in that info. Where the peer is a tunnel to the world, we write "TCP" there.
 */
#include "display/spice/clients.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gstdio.h>
#include <spice/enums.h>

#define LINK_SECONDS 10
#define MAX_LINKING 16
/* How long to leave the socket alone when the process is out of descriptors. */
#define PAUSE_MS 1000

/* One channel of one client, or a connection on its way to become one. */
typedef struct {
    const SpiceChannelEventInfo *info; /* spice-server's; the connection's name */
    int fd;                            /* a copy, to shut it down with */
    gint64 since;                      /* monotonic time of its arrival, µs */
    bool hung_up;                      /* its end has not been heard of yet */
    bool is_channel;
    int type, id; /* of the channel */
    uint64_t client;
    char *peer;
} Connection;

struct Clients {
    int listen_fd;
    bool compress_unix;
    const ClientsOps *ops;
    void *user;
    SpiceServer *server;
    GQueue connections; /* Connection, in order of arrival */
    unsigned n_clients;
    int accepted; /* the descriptor that is being handed over, or -1 */
    GSource *accepting;
    GSource *link_timer;
};

static void
connection_free(Connection *connection)
{
    close(connection->fd);
    g_free(connection->peer);
    g_free(connection);
}

static Connection *
find(const Clients *clients, const SpiceChannelEventInfo *info)
{
    for (const GList *link = clients->connections.head; link; link = link->next)
        if (((Connection *)link->data)->info == info)
            return link->data;
    return NULL;
}

/* The oldest connection that is not yet a channel, and how many there are. */
static Connection *
oldest_linking(const Clients *clients, unsigned *n)
{
    Connection *oldest = NULL;

    *n = 0;
    for (const GList *link = clients->connections.head; link; link = link->next) {
        Connection *connection = link->data;
        if (connection->is_channel || connection->hung_up)
            continue;
        if (!oldest)
            oldest = connection;
        ++*n;
    }
    return oldest;
}

/* Has spice-server find the connection closed. */
static void
hang_up(Connection *connection)
{
    connection->hung_up = true;
    shutdown(connection->fd, SHUT_RDWR);
}

/* ---- half-open connections ---- */

static void
arm_link_timer(Clients *clients)
{
    unsigned n;
    const Connection *oldest = oldest_linking(clients, &n);

    g_source_set_ready_time(clients->link_timer, oldest ? oldest->since + LINK_SECONDS * G_USEC_PER_SEC : -1);
}

static gboolean
link_timer_dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    return callback(user);
}

static gboolean
close_stalled(gpointer user)
{
    Clients *clients = user;
    gint64 deadline = g_get_monotonic_time() - LINK_SECONDS * G_USEC_PER_SEC;

    for (const GList *link = clients->connections.head; link; link = link->next) {
        Connection *connection = link->data;
        if (!connection->is_channel && !connection->hung_up && connection->since <= deadline)
            hang_up(connection);
    }
    arm_link_timer(clients);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs link_timer_funcs = {.dispatch = link_timer_dispatch};

/* ---- accepting ---- */

static bool
is_short_of_something(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static gboolean resume_accepting(gpointer user);

static gboolean
accept_one(int listen_fd, GIOCondition condition, gpointer user)
{
    Clients *clients = user;
    unsigned n_linking;
    Connection *oldest = oldest_linking(clients, &n_linking);

    if (n_linking >= MAX_LINKING)
        hang_up(oldest);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (!is_short_of_something(errno))
            return G_SOURCE_CONTINUE;
        g_clear_pointer(&clients->accepting, g_source_unref);
        clients->accepting = g_timeout_source_new(PAUSE_MS);
        g_source_set_callback(clients->accepting, resume_accepting, clients, NULL);
        g_source_attach(clients->accepting, g_main_context_get_thread_default());
        return G_SOURCE_REMOVE;
    }
    clients->accepted = fd;
    if (spice_server_add_client(clients->server, fd, 0) < 0)
        close(fd);
    clients->accepted = -1;
    return G_SOURCE_CONTINUE;
}

static gboolean
resume_accepting(gpointer user)
{
    Clients *clients = user;

    g_clear_pointer(&clients->accepting, g_source_unref);
    clients->accepting = g_unix_fd_source_new(clients->listen_fd, G_IO_IN);
    g_source_set_callback(clients->accepting, G_SOURCE_FUNC(accept_one), clients, NULL);
    g_source_attach(clients->accepting, g_main_context_get_thread_default());
    return G_SOURCE_REMOVE;
}

/* ---- events ---- */

/* For people: an address, or the process at the other end of a Unix socket. */
static char *
name_peer(const SpiceChannelEventInfo *info, int fd)
{
    const struct sockaddr_storage *address = &info->paddr_ext;
    char text[INET6_ADDRSTRLEN];
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        return g_strdup_printf("%s:%u", text, ntohs(in->sin_port));
    }
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        return g_strdup_printf("[%s]:%u", text, ntohs(in6->sin6_port));
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
        return g_strdup_printf("local process %d of user %u", (int)peer.pid, (unsigned)peer.uid);
    return g_strdup("local process");
}

static void
on_arrival(Clients *clients, SpiceChannelEventInfo *info)
{
    int fd = fcntl(clients->accepted, F_DUPFD_CLOEXEC, 3);

    if (fd < 0) { /* out of descriptors: it ends before it begins */
        shutdown(clients->accepted, SHUT_RDWR);
        return;
    }
    Connection *connection = g_new0(Connection, 1);
    connection->info = info;
    connection->fd = fd;
    connection->since = g_get_monotonic_time();
    connection->peer = name_peer(info, clients->accepted);
    g_queue_push_tail(&clients->connections, connection);
    if (clients->compress_unix && info->laddr_ext.ss_family == AF_UNIX)
        info->laddr_ext.ss_family = AF_INET;
    arm_link_timer(clients);
}

static unsigned
count_watching(const Clients *clients, int id)
{
    unsigned n = 0;

    for (const GList *link = clients->connections.head; link; link = link->next) {
        const Connection *connection = link->data;
        n += connection->is_channel && connection->type == SPICE_CHANNEL_DISPLAY && connection->id == id;
    }
    return n;
}

/* A channel came or went: @connection is still, or no more, in the list. */
static void
tell(Clients *clients, const Connection *connection, bool here)
{
    if (connection->type == SPICE_CHANNEL_MAIN) {
        clients->n_clients += here ? 1 : -1u;
        (here ? clients->ops->connected : clients->ops->disconnected)(clients->user, connection->peer,
                                                                      connection->client);
    } else if (connection->type == SPICE_CHANNEL_DISPLAY) {
        clients->ops->watching(clients->user, (unsigned)connection->id, count_watching(clients, connection->id));
    }
}

static void
on_channel(Clients *clients, Connection *connection, const SpiceChannelEventInfo *info)
{
    connection->is_channel = true;
    connection->type = info->type;
    connection->id = info->id;
    connection->client = (uint32_t)info->connection_id;
    arm_link_timer(clients);
    if (connection->type == SPICE_CHANNEL_DISPLAY)
        clients->ops->arriving(clients->user, (unsigned)connection->id, fcntl(connection->fd, F_DUPFD_CLOEXEC, 3));
    tell(clients, connection, true);
}

static void
on_end(Clients *clients, Connection *connection)
{
    g_queue_remove(&clients->connections, connection);
    arm_link_timer(clients);
    if (connection->is_channel)
        tell(clients, connection, false);
    connection_free(connection);
}

void
clients_channel_event(Clients *clients, int event, SpiceChannelEventInfo *info)
{
    Connection *connection = find(clients, info);

    if (event == SPICE_CHANNEL_EVENT_CONNECTED && !connection)
        on_arrival(clients, info);
    else if (event == SPICE_CHANNEL_EVENT_INITIALIZED && connection && !connection->is_channel)
        on_channel(clients, connection, info);
    else if (event == SPICE_CHANNEL_EVENT_DISCONNECTED && connection)
        on_end(clients, connection);
}

/* ---- clients that stall ---- */

static bool
is_blocked(const Connection *connection)
{
    struct pollfd socket = {.fd = connection->fd, .events = POLLOUT};

    return poll(&socket, 1, 0) == 0;
}

static void
drop_client(Clients *clients, uint64_t client)
{
    for (const GList *link = clients->connections.head; link; link = link->next) {
        Connection *connection = link->data;
        if (connection->is_channel && connection->client == client)
            hang_up(connection);
    }
}

void
clients_drop_blocked(Clients *clients, int id)
{
    for (const GList *link = clients->connections.head; link; link = link->next) {
        const Connection *connection = link->data;
        if (connection->is_channel && connection->type == SPICE_CHANNEL_DISPLAY && connection->id == id &&
            is_blocked(connection))
            drop_client(clients, connection->client);
    }
}

/* ---- life ---- */

Clients *
clients_new(int listen_fd, bool compress_unix, const ClientsOps *ops, void *user)
{
    g_assert(ops->connected && ops->disconnected && ops->arriving && ops->watching);
    Clients *clients = g_new0(Clients, 1);

    clients->listen_fd = listen_fd;
    clients->compress_unix = compress_unix;
    clients->ops = ops;
    clients->user = user;
    clients->accepted = -1;
    g_queue_init(&clients->connections);
    clients->link_timer = g_source_new(&link_timer_funcs, sizeof(GSource));
    g_source_set_static_name(clients->link_timer, "spice link time-out");
    g_source_set_callback(clients->link_timer, close_stalled, clients, NULL);
    g_source_attach(clients->link_timer, g_main_context_get_thread_default());
    return clients;
}

void
clients_start(Clients *clients, SpiceServer *server)
{
    clients->server = server;
    g_unix_set_fd_nonblocking(clients->listen_fd, TRUE, NULL);
    resume_accepting(clients);
}

void
clients_stop(Clients *clients)
{
    if (clients->accepting)
        g_source_destroy(clients->accepting);
    g_clear_pointer(&clients->accepting, g_source_unref);
    g_clear_fd(&clients->listen_fd, NULL);
}

void
clients_free(Clients *clients)
{
    if (!clients)
        return;
    clients_stop(clients);
    g_source_destroy(clients->link_timer);
    g_source_unref(clients->link_timer);
    g_queue_clear_full(&clients->connections, (GDestroyNotify)connection_free);
    g_free(clients);
}

unsigned
clients_count(const Clients *clients)
{
    return clients->n_clients;
}
