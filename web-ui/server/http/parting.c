/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/http/parting.h"

#include "web-ui/server/port/visitor.h"

bool
parting_is_due(SoupServerMessage *message)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(message);
    SoupEncoding encoding = soup_message_headers_get_encoding(headers);

    if (soup_message_headers_get_expectations(headers) & SOUP_EXPECTATION_CONTINUE)
        return false; /* the client asks before it sends, and libsoup answers that */
    return encoding == SOUP_ENCODING_CHUNKED ||
           (encoding == SOUP_ENCODING_CONTENT_LENGTH && soup_message_headers_get_content_length(headers));
}

static void
append_header(const char *name, const char *value, void *data)
{
    GString *text = data;

    if (g_ascii_strcasecmp(name, "Content-Length") && g_ascii_strcasecmp(name, "Connection"))
        g_string_append_printf(text, "%s: %s\r\n", name, value);
}

static GString *
whole_answer(SoupServerMessage *message)
{
    g_autoptr(GBytes) body = soup_message_body_flatten(soup_server_message_get_response_body(message));
    unsigned status = soup_server_message_get_status(message);
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Length: %zu\r\n", status,
                           soup_status_get_phrase(status), g_bytes_get_size(body));
    soup_message_headers_foreach(soup_server_message_get_response_headers(message), append_header, text);
    g_string_append(text, "\r\n");
    return g_string_append_len(text, g_bytes_get_data(body, NULL), g_bytes_get_size(body));
}

void
parting_send(SoupServerMessage *message)
{
    Visitor *visitor = visitor_of_address(soup_server_message_get_remote_address(message));

    if (!visitor)
        return;
    g_autoptr(GString) answer = whole_answer(message);
    g_autoptr(SoupServerMessage) held = g_object_ref(message);
    visitor_reclaim(visitor);
    g_autoptr(GIOStream) stream = soup_server_message_steal_connection(message);
    visitor_part(visitor, answer->str, answer->len);
}
