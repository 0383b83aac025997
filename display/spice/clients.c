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
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gstdio.h>
#include <spice/enums.h>

#include "display/spice/alarm.h"
#include "display/spice/guard.h"

#define LINK_SECONDS 10
#define MAX_LINKING 16
/*
 * Asked for where pictures go to a viewer on this host as they are, by the megabyte: the worker is woken the less often for
 * the rest of one. (Compressed, a tunnel may wait behind it: what is in the socket's buffer has been sent, and only grows old.)
 */
#define RAW_BUFFER_BYTES (1 << 20)
/* How long to leave the socket alone when the process is out of descriptors. */
#define PAUSE_MS 1000

/* One channel of one client, or a connection on its way to become one. */
typedef struct {
    Clients *clients;
    int fd;              /* the socket; a copy, once spice-server has it */
    GSource *first_byte; /* before spice-server has it: wakes when there is something to read */
    int number;          /* spice-server's descriptor, … */
    Guard *guard;        /* … and who listens to what it reads from there */
    bool websocket;
    const SpiceChannelEventInfo *info; /* spice-server's; the connection's name. NULL: it does not have it yet */
    gint64 since;                      /* monotonic time of its arrival, µs */
    bool hung_up;                      /* its end has not been heard of yet */
    bool is_channel;
    int type, id; /* of the channel */
    uint64_t client;
    char *peer;
    char *name; /* its socket's, by which it is cut; NULL: none */
} Connection;

struct Clients {
    int listen_fd;
    bool is_unix, compress_unix;
    const ClientsOps *ops;
    void *user;
    SpiceServer *server;
    GQueue connections; /* Connection, in order of arrival */
    unsigned n_clients;
    Connection *handed_over; /* while spice_server_add_client() runs */
    GSource *accepting;
    GSource *link_alarm;
};

static void
stop_source(GSource **source)
{
    if (*source)
        g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

static void
connection_free(Connection *connection)
{
    stop_source(&connection->first_byte);
    guard_free(connection->guard);
    g_clear_fd(&connection->fd, NULL);
    g_free(connection->peer);
    g_free(connection->name);
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

/* One that has a name came or went. */
static void
tell_names(const Connection *connection)
{
    if (connection->name)
        connection->clients->ops->named(connection->clients->user);
}

/* Has it found closed by whoever reads it. */
static void
hang_up(Connection *connection)
{
    if (connection->hung_up)
        return;
    connection->hung_up = true;
    shutdown(connection->fd, SHUT_RDWR);
    tell_names(connection);
}

bool
clients_socket_is_unix(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;

    return getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.ss_family == AF_UNIX;
}

/* ---- half-open connections ---- */

static void
set_link_alarm(Clients *clients)
{
    unsigned n;
    const Connection *oldest = oldest_linking(clients, &n);

    alarm_set(clients->link_alarm, oldest ? oldest->since + LINK_SECONDS * G_USEC_PER_SEC : ALARM_NEVER);
}

static void
close_stalled(void *user)
{
    Clients *clients = user;
    gint64 deadline = g_get_monotonic_time() - LINK_SECONDS * G_USEC_PER_SEC;

    for (const GList *link = clients->connections.head; link; link = link->next) {
        Connection *connection = link->data;
        if (!connection->is_channel && !connection->hung_up && connection->since <= deadline)
            hang_up(connection);
    }
    set_link_alarm(clients);
}

/* ---- accepting ---- */

static void
forget(Clients *clients, Connection *connection)
{
    g_queue_remove(&clients->connections, connection);
    set_link_alarm(clients);
    tell_names(connection);
    connection_free(connection);
}

/* Gives spice-server the socket; a copy stays. */
static void
hand_over(Clients *clients, Connection *connection)
{
    int copy = fcntl(connection->fd, F_DUPFD_CLOEXEC, 3);

    if (copy < 0) { /* out of descriptors */
        forget(clients, connection);
        return;
    }
    connection->number = connection->fd;
    connection->fd = copy;
    connection->guard = guard_new(connection->number, connection->websocket);
    clients->handed_over = connection;
    if (!connection->guard || spice_server_add_client(clients->server, connection->number, 0) < 0) {
        close(connection->number);
        forget(clients, connection);
    }
    clients->handed_over = NULL;
}

/* A web client begins with "GET", others with "REDQ". */
static gboolean
on_first_byte(int fd, GIOCondition condition, gpointer user)
{
    Connection *connection = user;
    Clients *clients = connection->clients;
    char first;
    ssize_t n = recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (n <= 0) {
        forget(clients, connection);
        return G_SOURCE_REMOVE;
    }
    stop_source(&connection->first_byte);
    connection->websocket = first == 'G';
    hand_over(clients, connection);
    return G_SOURCE_REMOVE;
}

static GSource *
watch(int fd, GUnixFDSourceFunc func, gpointer user)
{
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN);

    g_source_set_callback(source, G_SOURCE_FUNC(func), user, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
    return source;
}

/* Of a socket that bind(2) gave an abstract name, as unix(7) has it: up to its last hyphen. NULL: it has none. */
static char *
name_of(const struct sockaddr_un *address, socklen_t size)
{
    if (address->sun_family != AF_UNIX || size <= offsetof(struct sockaddr_un, sun_path) + 1 || address->sun_path[0])
        return NULL;
    g_autofree char *name = g_strndup(address->sun_path + 1, size - offsetof(struct sockaddr_un, sun_path) - 1);
    char *hyphen = strrchr(name, '-');
    if (hyphen)
        *hyphen = '\0';
    return g_str_is_ascii(name) ? g_steal_pointer(&name) : NULL;
}

static void
take_in(Clients *clients, int fd, char *name)
{
    Connection *connection = g_new0(Connection, 1);

    connection->clients = clients;
    connection->fd = fd;
    connection->name = name;
    if (clients->is_unix && !clients->compress_unix)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){RAW_BUFFER_BYTES}, sizeof(int));
    connection->since = g_get_monotonic_time();
    connection->first_byte = watch(fd, on_first_byte, connection);
    g_queue_push_tail(&clients->connections, connection);
    set_link_alarm(clients);
    tell_names(connection);
}

static bool
is_short_of_something(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static gboolean accept_one(int listen_fd, GIOCondition condition, gpointer user);

static gboolean
resume_accepting(gpointer user)
{
    Clients *clients = user;

    stop_source(&clients->accepting);
    clients->accepting = watch(clients->listen_fd, accept_one, clients);
    return G_SOURCE_REMOVE;
}

static void
pause_accepting(Clients *clients)
{
    stop_source(&clients->accepting);
    clients->accepting = g_timeout_source_new(PAUSE_MS);
    g_source_set_callback(clients->accepting, resume_accepting, clients, NULL);
    g_source_attach(clients->accepting, g_main_context_get_thread_default());
}

static gboolean
accept_one(int listen_fd, GIOCondition condition, gpointer user)
{
    Clients *clients = user;
    unsigned n_linking;
    Connection *oldest = oldest_linking(clients, &n_linking);
    union {
        struct sockaddr any;
        struct sockaddr_un local;
    } peer = {0};
    socklen_t size = sizeof peer;

    if (n_linking >= MAX_LINKING)
        hang_up(oldest);
    int fd = accept4(listen_fd, &peer.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        take_in(clients, fd, name_of(&peer.local, MIN(size, sizeof peer)));
    else if (is_short_of_something(errno))
        pause_accepting(clients);
    return G_SOURCE_CONTINUE;
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
on_start(Clients *clients, Connection *connection, SpiceChannelEventInfo *info)
{
    connection->info = info;
    connection->peer = name_peer(info, connection->fd);
    if (clients->compress_unix && info->laddr_ext.ss_family == AF_UNIX)
        info->laddr_ext.ss_family = AF_INET;
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
    int copy = info->type == SPICE_CHANNEL_DISPLAY ? fcntl(connection->fd, F_DUPFD_CLOEXEC, 3) : -1;

    connection->is_channel = true;
    connection->type = info->type;
    connection->id = info->id;
    connection->client = (uint32_t)info->connection_id;
    guard_begin(connection->guard, info->type);
    set_link_alarm(clients);
    if (info->type == SPICE_CHANNEL_DISPLAY)
        clients->ops->arriving(clients->user, (unsigned)info->id,
                               arrival_new(copy, connection->number, connection->websocket));
    tell(clients, connection, true);
}

static void
on_end(Clients *clients, Connection *connection)
{
    g_queue_remove(&clients->connections, connection);
    set_link_alarm(clients);
    if (connection->is_channel && connection->type == SPICE_CHANNEL_DISPLAY)
        clients->ops->closing(clients->user, (unsigned)connection->id, connection->number);
    if (connection->is_channel)
        tell(clients, connection, false);
    tell_names(connection);
    connection_free(connection);
}

void
clients_channel_event(Clients *clients, int event, SpiceChannelEventInfo *info)
{
    Connection *connection = find(clients, info);

    if (event == SPICE_CHANNEL_EVENT_CONNECTED && clients->handed_over)
        on_start(clients, clients->handed_over, info);
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

/* ---- by name ---- */

char **
clients_names(const Clients *clients)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (const GList *link = clients->connections.head; link; link = link->next) {
        const Connection *connection = link->data;
        if (connection->name && !connection->hung_up && g_hash_table_add(seen, connection->name))
            g_strv_builder_add(names, connection->name);
    }
    return g_strv_builder_end(names);
}

void
clients_cut(Clients *clients, const char *name)
{
    for (const GList *link = clients->connections.head; link; link = link->next) {
        Connection *connection = link->data;
        if (!g_strcmp0(connection->name, name))
            hang_up(connection);
    }
}

/* ---- life ---- */

Clients *
clients_new(int listen_fd, bool compress_unix, const ClientsOps *ops, void *user)
{
    g_assert(ops->connected && ops->disconnected && ops->arriving && ops->closing && ops->watching && ops->named);
    Clients *clients = g_new0(Clients, 1);

    clients->listen_fd = listen_fd;
    clients->is_unix = clients_socket_is_unix(listen_fd);
    clients->compress_unix = compress_unix;
    clients->ops = ops;
    clients->user = user;
    g_queue_init(&clients->connections);
    clients->link_alarm = alarm_new("spice link time-out", close_stalled, clients);
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
    stop_source(&clients->accepting);
    g_clear_fd(&clients->listen_fd, NULL);
}

void
clients_free(Clients *clients)
{
    if (!clients)
        return;
    clients_stop(clients);
    alarm_free(&clients->link_alarm);
    g_queue_clear_full(&clients->connections, (GDestroyNotify)connection_free);
    g_free(clients);
}

unsigned
clients_count(const Clients *clients)
{
    return clients->n_clients;
}
