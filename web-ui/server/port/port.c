/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/port/port.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Taken at once before others have their turn. */
#define ACCEPT_A_TURN 64
/* Milliseconds to wait when the process can open nothing more. */
#define BREATH_MS 100
#define BACKLOG 1024

struct Port {
    Guests *guests;
    GPtrArray *sockets; /* GSocket */
    GPtrArray *sources; /* GSource of each, while it is listened to */
    unsigned breath;
};

static void listen_all(Port *port);

static gboolean
on_breath(void *data)
{
    Port *port = data;

    port->breath = 0;
    listen_all(port);
    return G_SOURCE_REMOVE;
}

static void
stop_listening(Port *port)
{
    for (guint i = 0; i < port->sources->len; i++)
        g_source_destroy(port->sources->pdata[i]);
    g_ptr_array_set_size(port->sources, 0);
}

/* Nothing more can be opened: who waits longest makes room; without anybody, those who come wait outside. */
static void
make_room(Port *port)
{
    guests_send_one_away(port->guests);
    stop_listening(port);
    if (!port->breath)
        port->breath = g_timeout_add(BREATH_MS, on_breath, port);
}

static gboolean
on_visitors(int fd, GIOCondition condition, void *data)
{
    Port *port = data;

    for (unsigned i = 0; i < ACCEPT_A_TURN; i++) {
        int visitor = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (visitor >= 0) {
            guests_arrive(port->guests, visitor);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            make_room(port);
            return G_SOURCE_REMOVE;
        } else if (errno == EAGAIN) {
            break;
        }
    }
    return G_SOURCE_CONTINUE;
}

static void
listen_all(Port *port)
{
    for (guint i = 0; i < port->sockets->len; i++) {
        GSource *source = g_unix_fd_source_new(g_socket_get_fd(port->sockets->pdata[i]), G_IO_IN);
        g_source_set_callback(source, G_SOURCE_FUNC(on_visitors), port, NULL);
        g_source_attach(source, NULL);
        g_ptr_array_add(port->sources, source);
    }
}

/* Some machines have it switched off. */
static bool
has_ipv6(void)
{
    g_autoptr(GSocket) socket = g_socket_new(G_SOCKET_FAMILY_IPV6, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);

    return socket;
}

/* Of both kinds where only a port is named. */
static GSocketAddress *
parse(const char *text, GError **error)
{
    g_autoptr(GInetAddress) any = NULL;
    guint64 number;

    if (g_ascii_string_to_unsigned(text, 10, 0, 65535, &number, NULL)) {
        any = g_inet_address_new_any(has_ipv6() ? G_SOCKET_FAMILY_IPV6 : G_SOCKET_FAMILY_IPV4);
        return g_inet_socket_address_new(any, number);
    }
    g_autoptr(GNetworkAddress) address = G_NETWORK_ADDRESS(g_network_address_parse(text, 443, error));
    if (!address)
        return NULL;
    GSocketAddress *socket = g_inet_socket_address_new_from_string(g_network_address_get_hostname(address),
                                                                   g_network_address_get_port(address));
    if (!socket)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "“%s” is not a port or an address to listen on, like 443, 192.0.2.1:443 or [2001:db8::1]:443",
                    text);
    return socket;
}

static GSocket *
open_socket(const char *text, GError **error)
{
    g_autoptr(GSocketAddress) address = parse(text, error);
    g_autoptr(GSocket) socket = NULL;

    if (!address)
        return NULL;
    socket = g_socket_new(g_socket_address_get_family(address), G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);
    if (!socket)
        return NULL;
    /* all addresses are those of both kinds, whatever the system's own default is */
    if (g_socket_get_family(socket) == G_SOCKET_FAMILY_IPV6 &&
        !g_socket_set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, false, error))
        return NULL;
    g_socket_set_listen_backlog(socket, BACKLOG);
    if (!g_socket_bind(socket, address, TRUE, error) || !g_socket_listen(socket, error)) {
        g_prefix_error(error, "listening on %s: ", text);
        return NULL;
    }
    g_socket_set_blocking(socket, FALSE);
    return g_steal_pointer(&socket);
}

static Port *
make(Guests *guests)
{
    Port *port = g_new(Port, 1);

    *port = (Port){.guests = guests,
                   .sockets = g_ptr_array_new_with_free_func(g_object_unref),
                   .sources = g_ptr_array_new_with_free_func((GDestroyNotify)g_source_unref)};
    return port;
}

Port *
port_new(const char *const *listen, Guests *guests, GError **error)
{
    g_autoptr(Port) port = make(guests);

    for (; *listen; listen++) {
        GSocket *socket = open_socket(*listen, error);
        if (!socket)
            return NULL;
        g_ptr_array_add(port->sockets, socket);
    }
    listen_all(port);
    return g_steal_pointer(&port);
}

Port *
port_new_for_sockets(int first, unsigned n, Guests *guests, GError **error)
{
    g_autoptr(Port) port = make(guests);

    for (unsigned i = 0; i < n; i++) {
        GSocket *socket = g_socket_new_from_fd(first + i, error);
        if (!socket)
            return NULL;
        g_socket_set_blocking(socket, FALSE);
        g_ptr_array_add(port->sockets, socket);
    }
    listen_all(port);
    return g_steal_pointer(&port);
}

void
port_free(Port *port)
{
    if (!port)
        return;
    stop_listening(port);
    g_clear_handle_id(&port->breath, g_source_remove);
    g_ptr_array_unref(port->sources);
    g_ptr_array_unref(port->sockets);
    g_free(port);
}

char *
port_describe(Port *port)
{
    g_autoptr(GSocketAddress) address = g_socket_get_local_address(port->sockets->pdata[0], NULL);

    return address ? g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(address)) : g_strdup("a socket");
}
