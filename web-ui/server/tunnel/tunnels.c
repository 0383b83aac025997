/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/tunnel/tunnels.h"

#include "web-ui/server/api/call.h"
#include "web-ui/server/http/authority.h"
#include "web-ui/server/tunnel/connect.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* A desktop that is off has to start first. */
#define OPEN_MS (3 * 60 * 1000)
/* A client that turns round and goes on with TLS takes no longer. */
#define ACCEPTED "HTTP/1.1 200 OK\r\n\r\n"

struct Tunnels {
    HostLink *link;
    Relay *relay;
};

/* One on its way to be open. */
typedef struct {
    Tunnels *tunnels;
    Visitor *visitor;           /* of a CONNECT from the beginning, of a WebSocket when it is stolen */
    SoupServerMessage *message; /* of a WebSocket */
    int desktop;
} Opening;

Tunnels *
tunnels_new(HostLink *link, unsigned threads)
{
    Tunnels *tunnels = g_new(Tunnels, 1);

    *tunnels = (Tunnels){link, relay_new(threads)};
    return tunnels;
}

void
tunnels_free(Tunnels *tunnels)
{
    if (!tunnels)
        return;
    relay_free(tunnels->relay);
    g_free(tunnels);
}

void
tunnels_count(Tunnels *tunnels, RelayCounts *counts)
{
    relay_count(tunnels->relay, counts);
}

static void
opening_free(Opening *opening)
{
    g_clear_object(&opening->message);
    if (opening->desktop >= 0)
        close(opening->desktop);
    g_free(opening);
}

static void
on_ended(void *data)
{
    visitor_close(data);
}

/* The session is the tunnel's from now on, and the visitor there as long as it lasts. */
static void
carry(Opening *opening, Visitor *visitor, bool websocket)
{
    TlsSession *session = visitor_take_session(visitor);

    visitor_serve(visitor, 0);
    if (session)
        relay_add(opening->tunnels->relay, session, g_steal_fd(&opening->desktop), websocket, on_ended, visitor);
    else
        visitor_close(visitor);
    opening_free(opening);
}

static int
take_stream(GVariant *reply, GUnixFDList *fds)
{
    gint32 index;

    g_variant_get(reply, "(h)", &index);
    return fds ? g_unix_fd_list_get(fds, index, NULL) : -1;
}

static void
open_tunnel(Opening *opening, const char *ticket, const char *address, const char *kind, HostReply reply)
{
    GVariantBuilder client = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

    g_variant_builder_add(&client, "{sv}", "address", g_variant_new_string(address));
    g_variant_builder_add(&client, "{sv}", "kind", g_variant_new_string(kind));
    host_link_call(opening->tunnels->link, "OpenTunnel", g_variant_new("(sa{sv})", ticket, &client), OPEN_MS, reply,
                   opening);
}

/* --- CONNECT --- */

static void
refuse_connect(Visitor *visitor, const char *status)
{
    g_autofree char *answer = g_strdup_printf("HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);

    visitor_say(visitor, answer);
    visitor_close(visitor);
}

static void
on_tls_ready(Visitor *visitor, void *data)
{
    carry(data, visitor, false);
}

/* A handshake that fails ends the visitor, and nobody tells: the desktop's socket goes with it. */
static void
on_connect_open(GVariant *reply, GUnixFDList *fds, const GError *error, void *data)
{
    Opening *opening = data;
    Visitor *visitor = opening->visitor;

    if (!error)
        opening->desktop = take_stream(reply, fds);
    if (opening->desktop < 0) {
        bool ours = error && error->code != HOST_ERROR_UNAVAILABLE && error->code != HOST_ERROR_FAILED;
        refuse_connect(visitor, ours ? "403 Forbidden" : "503 Service Unavailable");
        opening_free(opening);
    } else if (!visitor_say(visitor, ACCEPTED)) {
        visitor_close(visitor);
        opening_free(opening);
    } else {
        visitor_start_tls(visitor, on_tls_ready, opening, (GDestroyNotify)opening_free);
    }
}

void
tunnels_connect(Tunnels *tunnels, Visitor *visitor, const char *head, size_t len)
{
    char ticket[TICKET_MAX + 1];

    if (!connect_parse(head, len, ticket)) {
        refuse_connect(visitor, "403 Forbidden");
        return;
    }
    Opening *opening = g_new(Opening, 1);
    *opening = (Opening){.tunnels = tunnels, .visitor = visitor, .desktop = -1};
    visitor_serve(visitor, 0);
    open_tunnel(opening, ticket, visitor_get_address(visitor), "spice", on_connect_open);
}

/* --- WebSocket --- */

static char protocol[] = TUNNEL_PROTOCOL;
static char *protocols[] = {protocol, NULL};

static void
on_upgraded(SoupServerMessage *message, Opening *opening)
{
    Visitor *visitor = visitor_of_address(soup_server_message_get_remote_address(message));

    if (soup_server_message_get_status(message) != SOUP_STATUS_SWITCHING_PROTOCOLS || !visitor)
        return;
    g_signal_handlers_disconnect_by_data(message, opening);
    g_autoptr(SoupServerMessage) held = g_object_ref(message);
    /* The session first: libsoup closes what it thinks it has. */
    Opening *own = g_new(Opening, 1);
    *own = (Opening){.tunnels = opening->tunnels, .desktop = g_steal_fd(&opening->desktop)};
    carry(own, visitor, true);
    g_autoptr(GIOStream) stream = soup_server_message_steal_connection(message);
    opening_free(opening);
}

static void
on_given_up(SoupServerMessage *message, Opening *opening)
{
    g_signal_handlers_disconnect_by_data(message, opening);
    opening_free(opening);
}

static void
upgrade(Opening *opening)
{
    SoupServerMessage *message = opening->message;

    if (!soup_websocket_server_process_handshake(message, NULL, protocols, NULL, NULL)) {
        soup_server_message_unpause(message);
        opening_free(opening);
        return;
    }
    g_signal_connect(message, "wrote-informational", G_CALLBACK(on_upgraded), opening);
    g_signal_connect(message, "finished", G_CALLBACK(on_given_up), opening);
    g_signal_connect(message, "disconnected", G_CALLBACK(on_given_up), opening);
    soup_server_message_unpause(message);
}

static void
on_websocket_open(GVariant *reply, GUnixFDList *fds, const GError *error, void *data)
{
    Opening *opening = data;

    if (!error)
        opening->desktop = take_stream(reply, fds);
    if (opening->desktop >= 0) {
        upgrade(opening);
        return;
    }
    bool busy = !error || error->code == HOST_ERROR_UNAVAILABLE || error->code == HOST_ERROR_FAILED;
    api_put_error(opening->message, busy ? 503 : 403, busy ? "unavailable" : "forbidden", NULL,
                  error ? error->message : "the desktop gave no connection");
    soup_server_message_unpause(opening->message);
    opening_free(opening);
}

/* Pages of other places have no business here, whatever they know. */
static bool
is_from_here(SoupServerMessage *message)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(message);
    const char *origin = soup_message_headers_get_one(headers, "Origin");
    Authority authority;

    return !origin || (authority_parse(soup_message_headers_get_one(headers, "Host"), &authority) &&
                       authority_is_origin(&authority, origin));
}

void
tunnels_websocket(Tunnels *tunnels, SoupServerMessage *message, const char *path)
{
    const char *ticket = path + strlen(TUNNEL_PATH);
    Visitor *visitor = visitor_of_address(soup_server_message_get_remote_address(message));

    if (!ticket_is_valid(ticket)) {
        api_put_error(message, 404, "not-found", NULL, "there is no such tunnel");
    } else if (!is_from_here(message)) {
        api_put_error(message, 403, "forbidden", NULL, "Origin: it is another site's page");
    } else if (!visitor || !soup_websocket_server_check_handshake(message, NULL, protocols, NULL, NULL)) {
        api_put_error(message, 400, "invalid", NULL, "a tunnel is a WebSocket of the protocol " TUNNEL_PROTOCOL);
    } else {
        Opening *opening = g_new(Opening, 1);
        *opening = (Opening){.tunnels = tunnels, .message = g_object_ref(message), .desktop = -1};
        soup_server_message_pause(message);
        visitor_serve(visitor, OPEN_MS / 1000 + 10);
        open_tunnel(opening, ticket, visitor_get_address(visitor), "browser", on_websocket_open);
    }
}
