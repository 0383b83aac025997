/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of things and the commands on them, all from the catalog: lists, single things, and what changes them. */
#include "web-ui/server/api/handlers.h"

#include "web-ui/server/api/json.h"

#include <string.h>

/* --- reading --- */

static void
on_page(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    g_autoptr(GVariant) things = NULL;
    GString *json = g_string_sized_new(32 * 1024);
    const char *next;
    gint64 count;

    g_variant_get(reply, "(@aa{sv}&sx)", &things, &next, &count);
    g_string_append(json, "{\"items\":");
    json_write(json, things);
    g_string_append(json, ",\"next\":");
    json_write_text(json, next);
    g_string_append_printf(json, ",\"count\":%" G_GINT64_FORMAT "}", count);
    api_answer_text(call, SOUP_STATUS_OK, json);
}

void
handle_list(ApiCall *call)
{
    api_call_host(call, "List", g_variant_new("(ss@a{sv})", call->session, call->route->kind->name, call->query),
                  on_page);
}

static void
set_tag(ApiCall *call, GVariant *thing)
{
    gint64 revision;

    if (!g_variant_lookup(thing, "revision", "x", &revision))
        return;
    g_autofree char *tag = g_strdup_printf("\"%" G_GINT64_FORMAT "\"", revision);
    soup_message_headers_replace(soup_server_message_get_response_headers(call->message), "ETag", tag);
}

static void
on_thing(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    g_autoptr(GVariant) thing = g_variant_get_child_value(reply, 0);

    set_tag(call, thing);
    api_answer_value(call, call->route->status, thing);
}

static void
get_thing(ApiCall *call, const char *id)
{
    api_call_host(call, "Get", g_variant_new("(sss)", call->session, call->route->kind->name, id), on_thing);
}

void
handle_get(ApiCall *call)
{
    get_thing(call, call->parameters[0]);
}

/* --- changing --- */

/* The fields of the command, and in the field of the kind's name its thing. */
static GVariant *
fields_of(ApiCall *call, const char *id)
{
    GVariantBuilder fields = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    GVariantIter iter;
    const char *name;
    GVariant *value;

    if (call->route->kind)
        g_variant_builder_add(&fields, "{sv}", call->route->kind->name, g_variant_new_string(id));
    g_variant_iter_init(&iter, call->body);
    while (g_variant_iter_next(&iter, "{&sv}", &name, &value)) {
        g_autoptr(GVariant) held = value;
        if (strcmp(name, "id"))
            g_variant_builder_add(&fields, "{sv}", name, value);
    }
    return g_variant_builder_end(&fields);
}

/* If-Match is an ETag of ours, or "*"; false: something else. */
static bool
read_seen(ApiCall *call, gint64 *seen)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(call->message);
    const char *text = soup_message_headers_get_one(headers, "If-Match");
    gsize len = text ? strlen(text) : 0;

    *seen = 0;
    if (!text || !strcmp(text, "*"))
        return true;
    if (len < 3 || text[0] != '"' || text[len - 1] != '"')
        return false;
    g_autofree char *digits = g_strndup(text + 1, len - 2);
    return g_ascii_string_to_signed(digits, 10, 1, INT64_MAX, seen, NULL);
}

/* What is sent again under the same key is done once. */
static char *
request_id(ApiCall *call)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(call->message);
    const char *key = soup_message_headers_get_one(headers, "Idempotency-Key");

    return key && g_uuid_string_is_valid(key) ? g_ascii_strdown(key, -1) : g_uuid_string_random();
}

static void
submit(ApiCall *call, const char *id, ApiThen then)
{
    g_autofree char *request = request_id(call);
    gint64 seen;

    if (!read_seen(call, &seen)) {
        api_refuse(call, 400, "invalid", "If-Match", "If-Match: it is an ETag that this API gave");
        return;
    }
    api_call_host(
        call, "Submit",
        g_variant_new("(sssx@a{sv})", call->session, request, call->route->command->name, seen, fields_of(call, id)),
        then);
}

static void
on_made(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    g_autofree char *escaped = g_uri_escape_string(call->state, NULL, FALSE);
    g_autofree char *location = g_strdup_printf("/api/v1/%s/%s", call->route->kind->table, escaped);

    soup_message_headers_replace(soup_server_message_get_response_headers(call->message), "Location", location);
    get_thing(call, call->state);
}

void
handle_make(ApiCall *call)
{
    const char *given = api_body_text(call, "id");

    call->state = *given ? g_strdup(given) : g_uuid_string_random();
    submit(call, call->state, on_made);
}

static void
on_changed(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    get_thing(call, call->parameters[0]);
}

void
handle_change(ApiCall *call)
{
    submit(call, call->parameters[0], on_changed);
}

void
handle_remove(ApiCall *call)
{
    submit(call, call->parameters[0], api_answer_done);
}

static void
on_verb_done(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    g_autoptr(GVariant) result = NULL;
    g_autoptr(GVariantDict) answer = NULL;
    gint64 sequence;

    g_variant_get(reply, "(x@a{sv})", &sequence, &result);
    answer = g_variant_dict_new(result);
    g_variant_dict_insert(answer, "sequence", "x", sequence);
    api_answer_value(call, SOUP_STATUS_OK, g_variant_dict_end(answer));
}

void
handle_verb(ApiCall *call)
{
    submit(call, call->parameters[0], on_verb_done);
}
