/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/http/metrics.h"

#include "web-ui/server/api/call.h"
#include "web-ui/server/http/sessions.h"

#include <string.h>

typedef struct {
    SoupServerMessage *message;
    GString *text; /* of ours */
} Serving;

static void
add(GString *text, const char *name, const char *type, const char *help, uint64_t value)
{
    g_string_append_printf(text, "# HELP %s %s\n# TYPE %s %s\n%s %" G_GUINT64_FORMAT "\n", name, help, name, type, name,
                           value);
}

static GString *
measure(const MetricsSources *sources)
{
    GString *text = g_string_new(NULL);
    GuestCounts guests;
    RelayCounts relay;

    guests_count(sources->guests, &guests);
    tunnels_count(sources->tunnels, &relay);
    add(text, "carrel_web_connections", "gauge", "Connections to the port.", guests.all);
    add(text, "carrel_web_connections_waiting", "gauge", "Those that nobody serves at the moment.", guests.waiting);
    add(text, "carrel_web_connections_total", "counter", "Connections that have come.", guests.arrived);
    add(text, "carrel_web_sent_away_total", "counter", "Those that took too long, or for which there was no room.",
        guests.sent_away);
    add(text, "carrel_web_requests_total", "counter", "Requests.", sources->requests);
    add(text, "carrel_web_tunnels", "gauge", "Tunnels to desktops.", relay.open);
    add(text, "carrel_web_tunnel_sent_bytes_total", "counter", "Bytes from desktops to clients.", relay.to_clients);
    add(text, "carrel_web_tunnel_received_bytes_total", "counter", "Bytes from clients to desktops.",
        relay.to_desktops);
    return text;
}

static void
refuse(SoupServerMessage *message, const GError *error)
{
    if (error->code == HOST_ERROR_NOT_SIGNED_IN)
        api_put_error(message, 401, "not-signed-in", NULL, error->message);
    else if (error->code == HOST_ERROR_FORBIDDEN)
        api_put_error(message, 403, "forbidden", NULL, error->message);
    else
        api_put_error(message, 503, "unavailable", NULL, error->message);
}

static void
on_metrics(GVariant *reply, GUnixFDList *fds, const GError *error, void *data)
{
    g_autofree Serving *serving = data;
    g_autoptr(SoupServerMessage) message = serving->message;
    g_autoptr(GString) own = serving->text;
    const char *text;

    if (error) {
        refuse(message, error);
    } else {
        g_variant_get(reply, "(&s)", &text);
        g_string_prepend(own, text);
        soup_server_message_set_status(message, SOUP_STATUS_OK, NULL);
        soup_server_message_set_response(message, "text/plain; version=0.0.4; charset=utf-8", SOUP_MEMORY_COPY,
                                         own->str, own->len);
    }
    soup_server_message_unpause(message);
}

void
metrics_serve(HostLink *link, SoupServerMessage *message, const MetricsSources *sources)
{
    bool by_cookie;
    g_autofree char *session = session_of(soup_server_message_get_request_headers(message), &by_cookie);

    if (!session) {
        api_put_error(message, 401, "not-signed-in", NULL, "you are not signed in");
        return;
    }
    Serving *serving = g_new(Serving, 1);
    *serving = (Serving){g_object_ref(message), measure(sources)};
    soup_server_message_pause(message);
    host_link_call(link, "GetMetrics", g_variant_new("(s)", session), HOST_CALL_MS, on_metrics, serving);
}
