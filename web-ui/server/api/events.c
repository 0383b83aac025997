/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events (HTML, 9.2): one answer that never ends, for each tab of a browser. A client that does not read is
 * cut off; it comes back by itself, says what it saw last, and misses nothing.
 */
#include "web-ui/server/api/handlers.h"

#include "web-ui/server/api/api.h"
#include "web-ui/server/api/json.h"
#include "web-ui/server/port/visitor.h"

#include <string.h>

/* A word now and then, so that proxies keep the connection, and a client that has vanished is found. */
#define ALIVE_SECONDS 15
/* What may wait to be read. */
#define UNREAD_MAX (256 * 1024)

typedef struct {
    ApiCall *call;
    guint32 subscription;
    guint alive;
    gsize unread;
    bool ended;
} Listener;

static void
listener_free(Listener *listener)
{
    g_signal_handlers_disconnect_by_data(listener->call->message, listener);
    g_clear_handle_id(&listener->alive, g_source_remove);
    if (!listener->ended)
        host_link_forget(api_get_link(listener->call->api), listener->subscription);
    api_remove_listener(listener->call->api, listener->call->session);
    api_call_free(listener->call);
    g_free(listener);
}

static void
hang_up(Listener *listener)
{
    Visitor *visitor = visitor_of_address(soup_server_message_get_remote_address(listener->call->message));

    if (visitor)
        visitor_close(visitor);
}

static void
write_text(Listener *listener, GString *text)
{
    SoupMessageBody *body = soup_server_message_get_response_body(listener->call->message);

    listener->unread += text->len;
    g_autoptr(GBytes) bytes = g_string_free_to_bytes(text);
    soup_message_body_append_bytes(body, bytes);
    soup_server_message_unpause(listener->call->message);
    if (listener->unread > UNREAD_MAX)
        hang_up(listener);
}

static void
finish(Listener *listener)
{
    listener->ended = true;
    soup_message_body_complete(soup_server_message_get_response_body(listener->call->message));
    soup_server_message_unpause(listener->call->message);
}

/* What the browser tells again when it comes back. */
static void
write_id(GString *text, GVariant *data)
{
    gint64 sequence;

    if (g_variant_lookup(data, "sequence", "x", &sequence))
        g_string_append_printf(text, "id: %" G_GINT64_FORMAT "\n", sequence);
}

static void
on_event(const char *topic, GVariant *data, void *user)
{
    Listener *listener = user;

    if (listener->ended)
        return;
    if (!topic) {
        finish(listener); /* carreld has gone; coming back asks for what was missed */
        return;
    }
    GString *text = g_string_new("event: ");
    g_string_append(text, topic);
    g_string_append_c(text, '\n');
    write_id(text, data);
    g_string_append(text, "data: ");
    json_write(text, data);
    g_string_append(text, "\n\n");
    write_text(listener, text);
    if (!strcmp(topic, "session"))
        finish(listener);
}

static gboolean
on_alive(void *data)
{
    Listener *listener = data;

    write_text(listener, g_string_new(":\n\n"));
    return G_SOURCE_CONTINUE;
}

static void
on_written(SoupServerMessage *message, guint bytes, Listener *listener)
{
    listener->unread -= MIN(listener->unread, bytes);
}

static void
on_gone(SoupServerMessage *message, Listener *listener)
{
    listener_free(listener);
}

static void
refuse_another(ApiCall *call, Listener *listener)
{
    host_link_listen(api_get_link(call->api), listener->subscription, on_event, listener);
    host_link_forget(api_get_link(call->api), listener->subscription);
    g_free(listener);
    api_refuse(call, 429, "busy", NULL, "there are too many tabs that listen");
}

static void
on_subscribed(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    SoupServerMessage *message = call->message;
    SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);
    Visitor *visitor = visitor_of_address(soup_server_message_get_remote_address(message));
    Listener *listener = g_new0(Listener, 1);

    *listener = (Listener){.call = call};
    g_variant_get(reply, "(u)", &listener->subscription);
    if (!api_add_listener(call->api, call->session)) {
        refuse_another(call, listener);
        return;
    }
    host_link_listen(api_get_link(call->api), listener->subscription, on_event, listener);
    if (!visitor) {
        soup_server_message_unpause(message);
        listener_free(listener);
        return;
    }
    visitor_serve(visitor, 0);
    soup_server_message_set_status(message, SOUP_STATUS_OK, NULL);
    soup_message_headers_set_encoding(headers, SOUP_ENCODING_CHUNKED);
    soup_message_headers_replace(headers, "Content-Type", "text/event-stream");
    soup_message_body_set_accumulate(soup_server_message_get_response_body(message), FALSE);
    g_signal_connect(message, "wrote-body-data", G_CALLBACK(on_written), listener);
    g_signal_connect(message, "finished", G_CALLBACK(on_gone), listener);
    g_signal_connect(message, "disconnected", G_CALLBACK(on_gone), listener);
    listener->alive = g_timeout_add_seconds(ALIVE_SECONDS, on_alive, listener);
    write_text(listener, g_string_new("retry: 1000\n\n"));
}

void
handle_events(ApiCall *call)
{
    const char *last =
        soup_message_headers_get_one(soup_server_message_get_request_headers(call->message), "Last-Event-ID");
    gint64 since = 0;

    g_variant_lookup(call->query, "since", "x", &since);
    if (last && !g_ascii_string_to_signed(last, 10, 0, INT64_MAX, &since, NULL)) {
        api_refuse(call, 400, "invalid", "Last-Event-ID", "Last-Event-ID: it is a sequence number");
        return;
    }
    api_call_host(call, "Subscribe", g_variant_new("(sx)", call->session, since), on_subscribed);
}
