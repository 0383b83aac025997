/* SPDX-License-Identifier: Apache-2.0 */
/* Desktops as they are used: what is one's own, how they are, what is done with them, and the ways in. */
#include "web-ui/server/api/handlers.h"

#include "web-ui/server/api/api.h"
#include "web-ui/server/tunnel/tunnels.h"
#include "web-ui/server/tunnel/viewer_file.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The largest picture of a monitor that is taken. */
#define SCREEN_MAX (32 * 1024 * 1024)

void
handle_mine(ApiCall *call)
{
    api_call_host(call, "ListMine", g_variant_new("(s)", call->session), api_answer_items);
}

void
handle_live(ApiCall *call)
{
    g_autoptr(GVariant) ids = g_variant_lookup_value(call->query, "id", G_VARIANT_TYPE_STRING_ARRAY);

    if (!ids)
        ids = g_variant_ref_sink(g_variant_new_strv(NULL, 0));
    api_call_host(call, "GetLive", g_variant_new("(s@as)", call->session, ids), api_answer_first);
}

/* --- doing something --- */

static void
on_job(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    const char *job;

    g_variant_get(reply, "(&s)", &job);
    if (*job)
        api_answer_value(call, SOUP_STATUS_ACCEPTED, g_variant_new_parsed("{'job': %s}", job));
    else
        api_answer_nothing(call, SOUP_STATUS_NO_CONTENT);
}

static bool
makes_another(const char *action)
{
    return !strcmp(action, "clone") || !strcmp(action, "make-template");
}

void
handle_action(ApiCall *call)
{
    const char *action = call->parameters[1];
    g_autoptr(GVariantDict) options = g_variant_dict_new(call->body);

    if (makes_another(action) && !g_variant_dict_contains(options, "id")) {
        g_autofree char *id = g_uuid_string_random();
        g_variant_dict_insert(options, "id", "s", id);
    }
    api_call_host(call, "Control",
                  g_variant_new("(sss@a{sv})", call->session, call->parameters[0], action, g_variant_dict_end(options)),
                  on_job);
}

void
handle_snapshots(ApiCall *call)
{
    api_call_host(call, "ListSnapshots", g_variant_new("(ss)", call->session, call->parameters[0]), api_answer_items);
}

void
handle_watch(ApiCall *call)
{
    api_call_host(call, "AnswerWatch",
                  g_variant_new("(ssb)", call->session, call->parameters[0], api_body_bool(call, "agreed")),
                  api_answer_done);
}

void
handle_end_watch(ApiCall *call)
{
    api_call_host(call, "EndWatch", g_variant_new("(ss)", call->session, call->parameters[0]), api_answer_done);
}

/* --- its picture --- */

/* A file, in memory or not: reading it never waits. */
static GBytes *
read_picture(int fd)
{
    struct stat stat;

    if (fstat(fd, &stat) || !S_ISREG(stat.st_mode) || stat.st_size <= 0 || stat.st_size > SCREEN_MAX)
        return NULL;
    g_autofree char *bytes = g_try_malloc(stat.st_size);
    if (!bytes || pread(fd, bytes, stat.st_size, 0) != stat.st_size)
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&bytes), stat.st_size);
}

/* ETags of pictures are their numbers; one that is none of ours was not seen. */
static uint64_t
seen_picture(ApiCall *call)
{
    const char *tag =
        soup_message_headers_get_one(soup_server_message_get_request_headers(call->message), "If-None-Match");
    uint64_t number;

    if (!tag || *tag != '"' || strlen(tag) < 3)
        return 0;
    g_autofree char *digits = g_strndup(tag + 1, strlen(tag) - 2);
    return g_ascii_string_to_unsigned(digits, 16, 1, UINT64_MAX, &number, NULL) ? number : 0;
}

static void
set_picture_tag(ApiCall *call, uint64_t number)
{
    g_autofree char *tag = g_strdup_printf("\"%" G_GINT64_MODIFIER "x\"", number);

    soup_message_headers_replace(soup_server_message_get_response_headers(call->message), "ETag", tag);
}

static void
on_screen(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    gint32 index;
    guint64 number;

    g_variant_get(reply, "(ht)", &index, &number);
    if (number)
        set_picture_tag(call, number);
    if (number && number == seen_picture(call)) {
        api_answer_nothing(call, SOUP_STATUS_NOT_MODIFIED);
        return;
    }
    g_autofd int fd = fds ? g_unix_fd_list_get(fds, index, NULL) : -1;
    g_autoptr(GBytes) picture = fd >= 0 ? read_picture(fd) : NULL;
    if (picture)
        api_answer_bytes(call, "image/png", picture);
    else
        api_refuse(call, 500, "failed", NULL, "the host gave no picture");
}

void
handle_screen(ApiCall *call)
{
    api_call_host(call, "Screenshot", g_variant_new("(sst)", call->session, call->parameters[0], seen_picture(call)),
                  on_screen);
}

/* --- ways in --- */

static void
connect_desktop(ApiCall *call, bool watch, ApiThen then)
{
    GVariantBuilder options = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

    if (watch)
        g_variant_builder_add(&options, "{sv}", "watch", g_variant_new_boolean(TRUE));
    api_call_host(call, "Connect", g_variant_new("(ssa{sv})", call->session, call->parameters[0], &options), then);
}

static void
on_ticket(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    const char *ticket, *password;
    gint64 expires;

    g_variant_get(reply, "(&s&sx)", &ticket, &password, &expires);
    if (api_body_bool(call, "watch")) {
        api_answer_value(call, SOUP_STATUS_CREATED,
                         g_variant_new_parsed("{'request': <%s>, 'expires': <%x>}", ticket, expires));
        return;
    }
    g_autofree char *tunnel = g_strconcat(TUNNEL_PATH, ticket, NULL);
    api_answer_value(call, SOUP_STATUS_CREATED,
                     g_variant_new_parsed("{'ticket': <%s>, 'password': <%s>, 'expires': <%x>, 'tunnel': <%s>}", ticket,
                                          password, expires, tunnel));
}

void
handle_connection(ApiCall *call)
{
    connect_desktop(call, api_body_bool(call, "watch"), on_ticket);
}

/* As the browser calls this host; it was read before. */
static void
get_host(ApiCall *call, Authority *host)
{
    GSocketAddress *local = soup_server_message_get_local_address(call->message);

    authority_parse(soup_message_headers_get_one(soup_server_message_get_request_headers(call->message), "Host"), host);
    authority_settle(
        host, G_IS_INET_SOCKET_ADDRESS(local) ? g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(local)) : NULL);
}

static void
on_ticket_for_viewer(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    TlsIdentity *identity = api_get_identity(call->api);
    SoupMessageHeaders *headers = soup_server_message_get_response_headers(call->message);
    const char *title = call->state;
    Authority host;
    ViewerFile file = {.title = title, .host = &host};

    g_variant_get(reply, "(&s&sx)", &file.ticket, &file.password, NULL);
    get_host(call, &host);
    file.authority = tls_identity_get_authority(identity);
    file.subject = tls_identity_get_subject(identity);
    g_autofree char *text = viewer_file_make(&file);
    g_autofree char *name = viewer_file_name(title);
    g_autofree char *disposition = g_strdup_printf("attachment; filename=\"%s\"", name);
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    soup_message_headers_replace(headers, "Content-Disposition", disposition);
    api_answer_bytes(call, "application/x-virt-viewer", bytes);
}

static void
on_name_for_viewer(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    g_autoptr(GVariant) desktop = g_variant_get_child_value(reply, 0);
    const char *name = "desktop";

    g_variant_lookup(desktop, "name", "&s", &name);
    call->state = g_strdup(name);
    connect_desktop(call, false, on_ticket_for_viewer);
}

void
handle_viewer_file(ApiCall *call)
{
    api_call_host(call, "Get", g_variant_new("(sss)", call->session, "desktop", call->parameters[0]),
                  on_name_for_viewer);
}
