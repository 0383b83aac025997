/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/http/server.h"

#include "web-ui/server/http/authority.h"
#include "web-ui/server/http/metrics.h"
#include "web-ui/server/http/parting.h"

#include <string.h>
#include <sys/socket.h>

/* Seconds for a request's head, which counts from the end of the one before; for its body; for writing the answer. */
#define HEAD_SECONDS 30
#define BODY_SECONDS 30
#define ANSWER_SECONDS (HOST_CALL_MS / 1000 * 3)
#define WRITE_SECONDS 60
#define PATH_MAX_BYTES 4096

struct WebServer {
    SoupServer *soup;
    WebParts parts;
    Guests *guests;
    uint64_t requests;
};

static Visitor *
visitor_of(SoupServerMessage *message)
{
    return visitor_of_address(soup_server_message_get_remote_address(message));
}

/* --- what every answer says --- */

static void
set_policy(SoupMessageHeaders *headers, const Authority *authority)
{
    /* Not every browser takes 'self' for a WebSocket's address too. */
    g_autofree char *policy = g_strdup_printf(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        "media-src 'self' blob:; connect-src 'self' wss://%s:%u; manifest-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'",
        authority->host, authority->port);

    soup_message_headers_replace(headers, "Content-Security-Policy", policy);
}

static void
set_headers(WebServer *server, SoupServerMessage *message, const Authority *authority)
{
    SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);

    set_policy(headers, authority);
    soup_message_headers_replace(headers, "X-Content-Type-Options", "nosniff");
    soup_message_headers_replace(headers, "Referrer-Policy", "no-referrer");
    soup_message_headers_replace(headers, "Cross-Origin-Opener-Policy", "same-origin");
    soup_message_headers_replace(headers, "Cross-Origin-Resource-Policy", "same-origin");
    soup_message_headers_replace(headers, "Cache-Control", "no-store");
    /* Whoever has accepted a certificate by hand must be able to do so again. */
    if (!tls_identity_is_self_signed(guests_get_identity(server->guests)))
        soup_message_headers_replace(headers, "Strict-Transport-Security", "max-age=31536000");
}

/* --- who answers --- */

static bool
is_below(const char *path, const char *prefix)
{
    gsize len = strlen(prefix);

    return !strncmp(path, prefix, len) && (path[len] == '/' || !path[len]);
}

/* A body without a length is measured as it comes. */
static void
on_chunk(SoupServerMessage *message, GBytes *chunk, void *data)
{
    gsize before = GPOINTER_TO_SIZE(g_object_get_data(G_OBJECT(message), "carrel-bytes"));
    gsize now = before + g_bytes_get_size(chunk);

    g_object_set_data(G_OBJECT(message), "carrel-bytes", GSIZE_TO_POINTER(now));
    if (now <= API_BODY_MAX || !soup_message_body_get_accumulate(soup_server_message_get_request_body(message)))
        return;
    api_put_error(message, 413, "too-large", NULL, "the request is larger than any has to be");
    parting_send(message);
}

static void
see_head(WebServer *server, SoupServerMessage *message, const char *path)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(message);
    Authority authority;

    if (!authority_parse(soup_message_headers_get_one(headers, "Host"), &authority)) {
        api_put_error(message, 400, "invalid", "Host", "Host: it is the name or address that this host is called by");
        return;
    }
    set_headers(server, message, &authority);
    if (strlen(path) > PATH_MAX_BYTES)
        api_put_error(message, 414, "too-large", NULL, "the path is longer than any is");
    else if (is_below(path, API_PREFIX))
        api_see_head(server->parts.api, message, path);
    else if (parting_is_due(message))
        api_put_error(message, 413, "too-large", NULL, "nothing is taken there");
}

static void
on_head(SoupServer *soup, SoupServerMessage *message, const char *soup_path, GHashTable *query, void *data)
{
    WebServer *server = data;
    Visitor *visitor = visitor_of(message);

    server->requests++;
    if (visitor)
        visitor_serve(visitor, BODY_SECONDS);
    g_signal_connect(message, "got-chunk", G_CALLBACK(on_chunk), NULL);
    see_head(server, message, g_uri_get_path(soup_server_message_get_uri(message)));
    if (soup_server_message_get_status(message) && parting_is_due(message))
        parting_send(message);
}

static void
on_request(SoupServer *soup, SoupServerMessage *message, const char *soup_path, GHashTable *query, void *data)
{
    WebServer *server = data;
    const char *path = g_uri_get_path(soup_server_message_get_uri(message));
    Visitor *visitor = visitor_of(message);

    if (visitor && !soup_server_message_get_status(message))
        visitor_serve(visitor, ANSWER_SECONDS);
    if (is_below(path, API_PREFIX))
        api_see_body(server->parts.api, message, path);
    else if (g_str_has_prefix(path, TUNNEL_PATH))
        tunnels_websocket(server->parts.tunnels, message, path);
    else if (!strcmp(path, "/metrics"))
        metrics_serve(server->parts.link, message,
                      &(MetricsSources){server->guests, server->parts.tunnels, server->requests});
    else
        page_serve(server->parts.page, message, path);
}

/* --- its times --- */

static void
on_wrote_headers(SoupServerMessage *message, void *data)
{
    SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);
    Visitor *visitor = visitor_of(message);

    if (visitor && soup_message_headers_get_encoding(headers) != SOUP_ENCODING_CHUNKED)
        visitor_serve(visitor, WRITE_SECONDS);
    /* Without a length libsoup thinks that the connection's end is the answer's, and ends it. */
    if (soup_server_message_get_status(message) == SOUP_STATUS_NO_CONTENT)
        soup_message_headers_set_encoding(headers, SOUP_ENCODING_NONE);
}

static void
on_started(SoupServer *soup, SoupServerMessage *message, void *data)
{
    g_signal_connect(message, "wrote-headers", G_CALLBACK(on_wrote_headers), NULL);
}

static void
on_finished(SoupServer *soup, SoupServerMessage *message, void *data)
{
    Visitor *visitor = visitor_of(message);

    if (visitor)
        visitor_wait(visitor, HEAD_SECONDS);
}

/* --- visitors --- */

static void
on_visitor(Visitor *visitor, void *data)
{
    WebServer *server = data;
    g_autoptr(TlsStream) stream = visitor_make_stream(visitor);

    visitor_wait(visitor, HEAD_SECONDS);
    soup_server_accept_iostream(server->soup, G_IO_STREAM(stream), visitor_get_local_address(visitor),
                                visitor_get_socket_address(visitor), NULL);
}

static void
on_connect_head(Visitor *visitor, const char *head, size_t len, void *data)
{
    WebServer *server = data;

    tunnels_connect(server->parts.tunnels, visitor, head, len);
}

const GuestOps web_server_guest_ops = {.http = on_visitor, .connect = on_connect_head};

/*
 * libsoup keeps a connection for the next request only while it listens somewhere itself. A socket whose other end is
 * ours, and silent, will do.
 */
static void
listen_nowhere(SoupServer *soup)
{
    int pair[2];
    g_autoptr(GError) error = NULL;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        g_error("no sockets: %m");
    g_autoptr(GSocket) silent = g_socket_new_from_fd(pair[0], &error);
    if (!silent || !soup_server_listen_socket(soup, silent, 0, &error))
        g_error("no listener: %s", error->message);
    /* The other end stays open as long as the process. */
}

WebServer *
web_server_new(const WebParts *parts)
{
    WebServer *server = g_new0(WebServer, 1);

    server->parts = *parts;
    server->soup = soup_server_new("raw-paths", TRUE, "server-header", NULL, NULL);
    listen_nowhere(server->soup);
    soup_server_add_early_handler(server->soup, NULL, on_head, server, NULL);
    soup_server_add_handler(server->soup, NULL, on_request, server, NULL);
    g_signal_connect(server->soup, "request-started", G_CALLBACK(on_started), server);
    g_signal_connect(server->soup, "request-finished", G_CALLBACK(on_finished), server);
    return server;
}

void
web_server_set_guests(WebServer *server, Guests *guests)
{
    server->guests = guests;
}

void
web_server_free(WebServer *server)
{
    if (!server)
        return;
    soup_server_disconnect(server->soup);
    g_object_unref(server->soup);
    g_free(server);
}
