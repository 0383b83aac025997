/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop's screen on this machine: remote-viewer connects to a socket of ours, and each of its connections is carried to one
 * that carreld opens with the ticket. Nothing goes through the network.
 */
#include "appliance/command/call.h"

#include <gio/gunixsocketaddress.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

typedef struct {
    CliClient *client;
    GMainLoop *loop;
    char *folder, *socket, *file;
    char *ticket;
    GSubprocess *viewer; /* NULL: somebody else's, or none */
    GError *problem;
} View;

static void
view_clear(View *view)
{
    if (view->viewer) {
        g_subprocess_send_signal(view->viewer, SIGTERM);
        g_object_unref(view->viewer);
    }
    if (view->socket)
        g_unlink(view->socket);
    if (view->file)
        g_unlink(view->file);
    if (view->folder)
        g_rmdir(view->folder);
    g_free(view->socket);
    g_free(view->file);
    g_free(view->folder);
    g_free(view->ticket);
    g_clear_error(&view->problem);
    g_clear_pointer(&view->loop, g_main_loop_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(View, view_clear)

/* A viewer's connection and the one that it is carried to. Gone when both ways are. */
typedef struct {
    GSocketConnection *ends[2];
    unsigned n_ways;
} Pair;

static void
on_way_end(GObject *source, GAsyncResult *result, gpointer data)
{
    Pair *pair = data;

    g_output_stream_splice_finish(G_OUTPUT_STREAM(source), result, NULL);
    for (unsigned i = 0; i < 2; i++)
        g_socket_shutdown(g_socket_connection_get_socket(pair->ends[i]), true, true, NULL);
    if (--pair->n_ways)
        return;
    g_object_unref(pair->ends[0]);
    g_object_unref(pair->ends[1]);
    g_free(pair);
}

/* Takes both. */
static void
carry(GSocketConnection *viewer, GSocketConnection *desktop)
{
    Pair *pair = g_new0(Pair, 1);

    pair->ends[0] = viewer;
    pair->ends[1] = desktop;
    pair->n_ways = 2;
    for (unsigned i = 0; i < 2; i++)
        g_output_stream_splice_async(g_io_stream_get_output_stream(G_IO_STREAM(pair->ends[!i])),
                                     g_io_stream_get_input_stream(G_IO_STREAM(pair->ends[i])),
                                     G_OUTPUT_STREAM_SPLICE_NONE, G_PRIORITY_DEFAULT, NULL, on_way_end, pair);
}

static GSocketConnection *
open_tunnel(View *view, GError **error)
{
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GVariant) answer = NULL;
    g_autoptr(GSocket) socket = NULL;
    GVariantBuilder words;

    g_variant_builder_init(&words, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&words, "{sv}", "kind", g_variant_new_string("command"));
    g_variant_builder_add(&words, "{sv}", "address", g_variant_new_string(""));
    answer = cli_call(view->client, "OpenTunnel",
                      g_variant_new("(s@a{sv})", view->ticket, g_variant_builder_end(&words)), &fds, error);
    if (!answer)
        return NULL;
    g_autofd int fd = fds ? g_unix_fd_list_get(fds, 0, error) : -1;
    if (fd < 0 || !(socket = g_socket_new_from_fd(fd, error)))
        return NULL;
    g_steal_fd(&fd);
    return g_socket_connection_factory_create_connection(socket);
}

static gboolean
on_connection(GSocketService *service, GSocketConnection *viewer, GObject *source, gpointer data)
{
    View *view = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocketConnection) desktop = open_tunnel(view, &error);

    if (!desktop) {
        if (!view->problem)
            view->problem = g_steal_pointer(&error);
        return true;
    }
    carry(g_object_ref(viewer), g_steal_pointer(&desktop));
    return true;
}

static gboolean
on_signal(gpointer data)
{
    g_main_loop_quit(((View *)data)->loop);
    return G_SOURCE_CONTINUE;
}

static void
on_viewer_end(GObject *source, GAsyncResult *result, gpointer data)
{
    g_subprocess_wait_finish(G_SUBPROCESS(source), result, NULL);
    g_main_loop_quit(((View *)data)->loop);
}

/* What remote-viewer reads: the name for its title, and how to come in. */
static bool
write_file(View *view, CliCall *call, const char *path, const char *password, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *text = NULL;

    g_key_file_set_string(file, "virt-viewer", "type", "spice");
    g_key_file_set_string(file, "virt-viewer", "unix-path", view->socket);
    g_key_file_set_string(file, "virt-viewer", "password", password);
    g_key_file_set_string(file, "virt-viewer", "title", cli_label(call->client, "desktop", cli_text(call, "desktop")));
    text = g_key_file_to_data(file, NULL, NULL);
    return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

static bool
listen_for_viewer(View *view, GSocketService *service, GError **error)
{
    g_autoptr(GSocketAddress) address = NULL;

    view->folder = g_dir_make_tmp("carrel-view-XXXXXX", error);
    if (!view->folder)
        return false;
    view->socket = g_build_filename(view->folder, "spice", NULL);
    address = g_unix_socket_address_new(view->socket);
    return g_socket_listener_add_address(G_SOCKET_LISTENER(service), address, G_SOCKET_TYPE_STREAM,
                                         G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, error);
}

static bool
start_viewer(View *view, const char *path, GError **error)
{
    view->viewer = g_subprocess_new(G_SUBPROCESS_FLAGS_NONE, error, "remote-viewer", path, NULL);
    if (!view->viewer) {
        g_prefix_error(error, "remote-viewer (install virt-viewer): ");
        return false;
    }
    g_subprocess_wait_async(view->viewer, NULL, on_viewer_end, view);
    return true;
}

CliExit
cli_run_view(CliCall *call, GError **error)
{
    g_auto(View) view = {.client = call->client, .loop = g_main_loop_new(NULL, FALSE)};
    g_autoptr(GSocketService) service = g_socket_service_new();
    g_autofree char *password = NULL;
    const char *path = cli_text(call, "file");
    GVariant *options = g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0);
    g_autoptr(GVariant) answer =
        cli_call(call->client, "Connect",
                 g_variant_new("(ss@a{sv})", call->client->token, cli_text(call, "desktop"), options), NULL, error);

    if (!answer || !listen_for_viewer(&view, service, error))
        return CLI_FAILED;
    g_variant_get(answer, "(ssx)", &view.ticket, &password, NULL);
    if (!path)
        path = view.file = g_build_filename(view.folder, "desktop.vv", NULL);
    if (!write_file(&view, call, path, password, error))
        return CLI_FAILED;
    g_signal_connect(service, "incoming", G_CALLBACK(on_connection), &view);
    g_unix_signal_add(SIGINT, on_signal, &view);
    g_unix_signal_add(SIGTERM, on_signal, &view);
    if (!view.file)
        g_printerr("remote-viewer %s connects as long as this runs\n", path);
    else if (!start_viewer(&view, path, error))
        return CLI_FAILED;
    g_main_loop_run(view.loop);
    g_socket_service_stop(service);
    if (!view.problem)
        return CLI_DONE;
    g_propagate_error(error, g_steal_pointer(&view.problem));
    return CLI_FAILED;
}
