/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/api/api.h"

#include "web-ui/server/api/json.h"
#include "web-ui/server/http/parting.h"
#include "web-ui/server/port/visitor.h"

#include <string.h>

struct Api {
    HostLink *link;
    ApiOps ops;
    CsrfTable *csrf;
    GHashTable *listeners; /* session → how many streams of events */
};

/* A stream's call, which begins with the head. */
#define STREAM_CALL "carrel-stream"

Api *
api_new(HostLink *link, const ApiOps *ops)
{
    Api *api = g_new(Api, 1);

    *api = (Api){link, *ops, csrf_table_new(), g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    return api;
}

void
api_free(Api *api)
{
    if (!api)
        return;
    csrf_table_free(api->csrf);
    g_hash_table_unref(api->listeners);
    g_free(api);
}

HostLink *
api_get_link(Api *api)
{
    return api->link;
}

TlsIdentity *
api_get_identity(Api *api)
{
    return api->ops.identity(api->ops.data);
}

static unsigned
count_listeners(Api *api, const char *session)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(api->listeners, session));
}

bool
api_add_listener(Api *api, const char *session)
{
    unsigned count = count_listeners(api, session);

    if (count >= API_LISTENERS_MAX)
        return false;
    g_hash_table_insert(api->listeners, g_strdup(session), GUINT_TO_POINTER(count + 1));
    return true;
}

void
api_remove_listener(Api *api, const char *session)
{
    unsigned count = count_listeners(api, session);

    if (count > 1)
        g_hash_table_insert(api->listeners, g_strdup(session), GUINT_TO_POINTER(count - 1));
    else
        g_hash_table_remove(api->listeners, session);
}

/* --- answers --- */

void
api_call_free(ApiCall *call)
{
    g_clear_object(&call->message);
    for (unsigned i = 0; i < ROUTE_PARAMETERS_MAX; i++)
        g_free(call->parameters[i]);
    g_clear_pointer(&call->query, g_variant_unref);
    g_clear_pointer(&call->body, g_variant_unref);
    g_free(call->session);
    g_free(call->state);
    g_free(call);
}

/* A stream that was not read to its end is not read now. */
static void
end_call(ApiCall *call)
{
    bool streams = g_object_get_data(G_OBJECT(call->message), STREAM_CALL);

    if (streams && soup_server_message_get_status(call->message) >= 400 && parting_is_due(call->message))
        parting_send(call->message);
    else
        soup_server_message_unpause(call->message);
    api_call_free(call);
}

void
api_answer_nothing(ApiCall *call, unsigned status)
{
    soup_server_message_set_status(call->message, status, NULL);
    end_call(call);
}

void
api_answer_bytes(ApiCall *call, const char *type, GBytes *bytes)
{
    SoupMessageHeaders *headers = soup_server_message_get_response_headers(call->message);

    soup_message_headers_replace(headers, "Content-Type", type);
    soup_message_body_append_bytes(soup_server_message_get_response_body(call->message), bytes);
    api_answer_nothing(call, soup_server_message_get_status(call->message) ?: SOUP_STATUS_OK);
}

void
api_answer_text(ApiCall *call, unsigned status, GString *json)
{
    g_autoptr(GBytes) bytes = g_string_free_to_bytes(json);

    soup_server_message_set_status(call->message, status, NULL);
    api_answer_bytes(call, "application/json", bytes);
}

void
api_answer_value(ApiCall *call, unsigned status, GVariant *value)
{
    g_autoptr(GVariant) held = g_variant_ref_sink(value);
    GString *json = g_string_sized_new(1024);

    json_write(json, held);
    api_answer_text(call, status, json);
}

void
api_put_error(SoupServerMessage *message, unsigned status, const char *code, const char *field, const char *text)
{
    g_autoptr(GString) json = g_string_new("{\"error\":{\"code\":");

    json_write_text(json, code);
    g_string_append(json, ",\"message\":");
    json_write_text(json, text);
    if (field) {
        g_string_append(json, ",\"field\":");
        json_write_text(json, field);
    }
    g_string_append(json, "}}");
    if (status == 429)
        soup_message_headers_replace(soup_server_message_get_response_headers(message), "Retry-After", "5");
    soup_server_message_set_status(message, status, NULL);
    soup_server_message_set_response(message, "application/json", SOUP_MEMORY_COPY, json->str, json->len);
}

void
api_refuse(ApiCall *call, unsigned status, const char *code, const char *field, const char *message)
{
    api_put_error(call->message, status, code, field, message);
    end_call(call);
}

static const struct {
    unsigned status;
    const char *code;
} statuses[] = {
    [HOST_ERROR_SIGN_IN] = {401, "sign-in"},     [HOST_ERROR_NOT_SIGNED_IN] = {401, "not-signed-in"},
    [HOST_ERROR_FORBIDDEN] = {403, "forbidden"}, [HOST_ERROR_NOT_FOUND] = {404, "not-found"},
    [HOST_ERROR_INVALID] = {400, "invalid"},     [HOST_ERROR_IN_USE] = {409, "in-use"},
    [HOST_ERROR_CHANGED] = {412, "changed"},     [HOST_ERROR_FULL] = {507, "full"},
    [HOST_ERROR_BUSY] = {429, "busy"},           [HOST_ERROR_UNAVAILABLE] = {503, "unavailable"},
    [HOST_ERROR_FAILED] = {500, "failed"},
};

/* "name: it is missing" is about the field "name". */
static char *
field_of(const char *message)
{
    gsize len = strspn(message, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.[]");

    return len && len < 128 && g_str_has_prefix(message + len, ": ") ? g_strndup(message, len) : NULL;
}

void
api_refuse_error(ApiCall *call, const GError *error)
{
    bool known = error->domain == HOST_ERROR && (unsigned)error->code < G_N_ELEMENTS(statuses);
    unsigned code = error->domain == API_ERROR ? HOST_ERROR_INVALID : known ? error->code : HOST_ERROR_FAILED;
    g_autofree char *field = code == HOST_ERROR_INVALID ? field_of(error->message) : NULL;

    if (code == HOST_ERROR_NOT_SIGNED_IN && call->by_cookie)
        session_set_cookie(soup_server_message_get_response_headers(call->message), NULL);
    api_refuse(call, statuses[code].status, statuses[code].code, field, error->message);
}

/* --- asking carreld --- */

typedef struct {
    ApiCall *call;
    ApiThen then;
} Asked;

static void
on_host_reply(GVariant *reply, GUnixFDList *fds, const GError *error, void *data)
{
    g_autofree Asked *asked = data;

    if (error)
        api_refuse_error(asked->call, error);
    else
        asked->then(asked->call, reply, fds);
}

void
api_call_host(ApiCall *call, const char *method, GVariant *arguments, ApiThen then)
{
    Asked *asked = g_new(Asked, 1);

    *asked = (Asked){call, then};
    host_link_call(call->api->link, method, arguments, HOST_CALL_MS, on_host_reply, asked);
}

void
api_answer_first(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    g_autoptr(GVariant) value = g_variant_get_child_value(reply, 0);

    api_answer_value(call, SOUP_STATUS_OK, value);
}

void
api_answer_items(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    g_autoptr(GVariant) items = g_variant_get_child_value(reply, 0);
    GString *json = g_string_new("{\"items\":");

    json_write(json, items);
    api_answer_text(call, SOUP_STATUS_OK, g_string_append_c(json, '}'));
}

void
api_answer_done(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    api_answer_nothing(call, SOUP_STATUS_NO_CONTENT);
}

GVariant *
api_client(ApiCall *call, const char *kind)
{
    Visitor *visitor = visitor_of_address(soup_server_message_get_remote_address(call->message));
    GVariantBuilder client = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

    g_variant_builder_add(&client, "{sv}", "address",
                          g_variant_new_string(visitor ? visitor_get_address(visitor) : "unknown"));
    g_variant_builder_add(&client, "{sv}", "kind", g_variant_new_string(kind));
    return g_variant_builder_end(&client);
}

const char *
api_body_text(ApiCall *call, const char *name)
{
    const char *text = "";

    g_variant_lookup(call->body, name, "&s", &text);
    return text;
}

bool
api_body_bool(ApiCall *call, const char *name)
{
    gboolean yes = FALSE;

    g_variant_lookup(call->body, name, "b", &yes);
    return yes;
}

/* --- coming in --- */

static bool
changes_something(const ApiRoute *route)
{
    return strcmp(route->method, "GET");
}

static void
admit(ApiCall *call)
{
    call->route->handler(call);
}

static void
check_csrf(ApiCall *call)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(call->message);

    if (csrf_table_is(call->api->csrf, call->session, soup_message_headers_get_one(headers, CSRF_HEADER)))
        admit(call);
    else
        api_refuse(call, 403, "forbidden", NULL, "the header " CSRF_HEADER " is not that of this session");
}

static void
on_session_for_csrf(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    g_autoptr(GVariant) who = g_variant_get_child_value(reply, 0);
    const char *csrf = "";

    g_variant_lookup(who, "csrf", "&s", &csrf);
    csrf_table_put(call->api->csrf, call->session, csrf);
    check_csrf(call);
}

/* A cookie comes along by itself, whoever made the request; only a page of ours can have asked for the other. */
static void
prove_and_admit(ApiCall *call)
{
    if (call->route->flags & ROUTE_OPEN || !call->by_cookie || !changes_something(call->route))
        admit(call);
    else if (csrf_table_knows(call->api->csrf, call->session))
        check_csrf(call);
    else
        api_call_host(call, "GetSession", g_variant_new("(s)", call->session), on_session_for_csrf);
}

static bool
read_query(ApiCall *call, GError **error)
{
    const char *text = g_uri_get_query(soup_server_message_get_uri(call->message));
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(TextValue));
    g_autoptr(GError) odd = NULL;
    GUriParamsIter iter;
    char *name, *value;

    g_uri_params_iter_init(&iter, text ?: "", -1, "&", G_URI_PARAMS_WWW_FORM);
    while (g_uri_params_iter_next(&iter, &name, &value, &odd)) {
        TextValue one = {name, value};
        g_array_append_val(values, one);
    }
    /* What comes behind cannot be read either: with half of what was asked, more would be answered than was meant. */
    if (odd)
        g_set_error_literal(error, API_ERROR, API_ERROR_INVALID, "query: it holds what is no text");
    else
        call->query = json_read_texts((TextValue *)values->data, values->len, call->route->query, error);
    for (guint i = 0; i < values->len; i++) {
        g_free(g_array_index(values, TextValue, i).name);
        g_free(g_array_index(values, TextValue, i).value);
    }
    return call->query;
}

static bool
is_json(SoupServerMessage *message)
{
    const char *type = soup_message_headers_get_content_type(soup_server_message_get_request_headers(message), NULL);

    return type && !g_ascii_strcasecmp(type, "application/json");
}

static bool
read_body(ApiCall *call, GError **error)
{
    gsize len;

    if (call->route->flags & ROUTE_STREAM)
        return true;
    g_autoptr(GBytes) bytes = soup_message_body_flatten(soup_server_message_get_request_body(call->message));
    const char *text = g_bytes_get_data(bytes, &len);
    /* A form that another site has a browser send is never of this type. */
    if (len && !is_json(call->message)) {
        g_set_error_literal(error, API_ERROR, API_ERROR_INVALID, "Content-Type: it is application/json");
        return false;
    }
    call->body = json_read(text, len, call->route->body, error);
    return call->body;
}

static bool
are_parameters_good(ApiCall *call, GError **error)
{
    const char *last = NULL;

    for (unsigned i = 0; i < ROUTE_PARAMETERS_MAX && call->parameters[i]; i++)
        last = call->parameters[i];
    if (!call->route->words || g_strv_contains(call->route->words, last))
        return true;
    g_autofree char *words = g_strjoinv(", ", (char **)call->route->words);
    g_set_error(error, API_ERROR, API_ERROR_INVALID, "action: it is one of %s", words);
    return false;
}

static ApiCall *
begin(Api *api, SoupServerMessage *message, RouteMatch *match)
{
    ApiCall *call = g_new0(ApiCall, 1);

    call->api = api;
    call->message = g_object_ref(message);
    call->route = match->route;
    for (unsigned i = 0; i < ROUTE_PARAMETERS_MAX; i++)
        call->parameters[i] = g_steal_pointer(&match->parameters[i]);
    call->session = session_of(soup_server_message_get_request_headers(message), &call->by_cookie);
    return call;
}

static void
come_in(Api *api, SoupServerMessage *message, RouteMatch *match)
{
    ApiCall *call = begin(api, message, match);
    g_autoptr(GError) error = NULL;

    soup_server_message_pause(message);
    if (!call->session && !(match->route->flags & ROUTE_OPEN))
        api_refuse(call, 401, "not-signed-in", NULL, "you are not signed in");
    else if (!read_query(call, &error) || !read_body(call, &error) || !are_parameters_good(call, &error))
        api_refuse_error(call, error);
    else
        prove_and_admit(call);
}

static const char *
below_prefix(const char *path)
{
    return path + strlen(API_PREFIX);
}

static void
find(SoupServerMessage *message, const char *path, RouteMatch *match)
{
    const char *method = soup_server_message_get_method(message);

    routes_find(strcmp(method, "HEAD") ? method : "GET", below_prefix(path), match);
}

static void
refuse_unrouted(SoupServerMessage *message, const RouteMatch *match)
{
    if (match->other_method)
        api_put_error(message, 405, "not-found", NULL, "nothing is done there by this method");
    else
        api_put_error(message, 404, "not-found", NULL, "there is no such path in the API");
}

/* Below 0 is how libsoup reads what is no number. */
static bool
is_too_large(SoupServerMessage *message, goffset max)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(message);
    goffset len = soup_message_headers_get_content_length(headers);

    return soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH && (len < 0 || len > max);
}

void
api_see_head(Api *api, SoupServerMessage *message, const char *path)
{
    g_auto(RouteMatch) match = {0};

    find(message, path, &match);
    if (!match.route) {
        refuse_unrouted(message, &match);
    } else if (is_too_large(message, match.route->flags & ROUTE_STREAM ? G_MAXOFFSET : API_BODY_MAX)) {
        api_put_error(message, 413, "too-large", NULL, "the request is larger than any has to be");
    } else if (match.route->flags & ROUTE_STREAM) {
        soup_message_body_set_accumulate(soup_server_message_get_request_body(message), FALSE);
        g_object_set_data(G_OBJECT(message), STREAM_CALL, message);
        come_in(api, message, &match);
    }
}

void
api_see_body(Api *api, SoupServerMessage *message, const char *path)
{
    g_auto(RouteMatch) match = {0};

    if (g_object_get_data(G_OBJECT(message), STREAM_CALL)) {
        /* It is under way since its head, and answered like any other from now on. */
        g_object_set_data(G_OBJECT(message), STREAM_CALL, NULL);
        return;
    }
    find(message, path, &match);
    if (match.route)
        come_in(api, message, &match);
    else
        refuse_unrouted(message, &match);
}
