/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: real D-Bus over a real socket, calls in, signals out, bad peers shrugged off. */
#include "vmm/board/listener.h"
#include "vmm/control/org.carrel.Vmm1.h"
#include "vmm/control/server.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    unsigned pauses;
    char *ticket;
    unsigned ticket_seconds;
    char *cut;
} Desktop;

static void
do_pause(void *desktop)
{
    ((Desktop *)desktop)->pauses++;
}

static void
do_nothing(void *desktop)
{
}

static void
do_screenshot(void *desktop, unsigned scanout, uint64_t seen, int fd, ControlAnswer answer, void *user)
{
    g_autofd int file = fd;

    if (scanout == 0) {
        g_assert_cmpint(write(file, "png", 3), ==, 3);
        g_autoptr(GVariant) result = g_variant_ref_sink(g_variant_new("(t)", seen + 1));
        answer(user, result, NULL);
        return;
    }
    g_autoptr(GError) error = g_error_new(G_IO_ERROR, G_IO_ERROR_FAILED, "there is no monitor %u", scanout);
    answer(user, NULL, error);
}

static bool
do_set_ticket(void *desktop, const char *ticket, unsigned seconds, GError **error)
{
    Desktop *d = desktop;
    g_free(d->ticket);
    d->ticket = g_strdup(ticket);
    d->ticket_seconds = seconds;
    return true;
}

static bool
do_cut(void *desktop, const char *name, GError **error)
{
    g_set_str(&((Desktop *)desktop)->cut, name);
    return true;
}

static void
do_save(void *desktop, int fd, ControlSaved saved, void *user)
{
    close(fd);
    g_autoptr(GError) error = g_error_new(G_IO_ERROR, G_IO_ERROR_NO_SPACE, "no room");
    saved(user, error);
}

static bool
do_resize(void *desktop, const char *disk, uint64_t *bytes, GError **error)
{
    *bytes = 1234;
    return true;
}

static bool
do_balloon(void *desktop, uint64_t bytes, GError **error)
{
    return true;
}

static void
do_statistics(void *desktop, GVariantBuilder *counters)
{
    g_variant_builder_add(counters, "{st}", "disk0.reads", (guint64)7);
}

static void
do_agent(void *desktop, ControlAnswer answer, void *user)
{
    g_autoptr(GVariant) result = g_variant_ref_sink(g_variant_new("()"));
    answer(user, result, NULL);
}

static void
do_agent_flag(void *desktop, bool flag, ControlAnswer answer, void *user)
{
    do_agent(desktop, answer, user);
}

static void
do_freeze(void *desktop, unsigned seconds, ControlAnswer answer, void *user)
{
    g_autoptr(GVariant) result = g_variant_ref_sink(g_variant_new("(u)", seconds / 10));
    answer(user, result, NULL);
}

static void
do_refuse(void *desktop, ControlAnswer answer, void *user)
{
    g_autoptr(GError) error = g_error_new(G_IO_ERROR, G_IO_ERROR_FAILED, "nothing is frozen");
    answer(user, NULL, error);
}

static const ControlOps ops = {
    .pause = do_pause,
    .resume = do_nothing,
    .power_button = do_nothing,
    .reset = do_nothing,
    .stop = do_nothing,
    .screenshot = do_screenshot,
    .set_ticket = do_set_ticket,
    .cut_connections = do_cut,
    .save = do_save,
    .cancel_save = do_nothing,
    .resize_disk = do_resize,
    .set_balloon = do_balloon,
    .set_guest_time = do_agent,
    .freeze = do_freeze,
    .thaw = do_refuse,
    .shut_down_guest = do_agent_flag,
    .guest_addresses = do_refuse,
    .statistics = do_statistics,
};

/* Runs the main loop until the asynchronous call behind @done has answered. */
static void
wait_for(GAsyncResult **result)
{
    while (!*result)
        g_main_context_iteration(NULL, TRUE);
}

static void
keep_result(GObject *source, GAsyncResult *result, gpointer place)
{
    *(GAsyncResult **)place = g_object_ref(result);
}

/* The same main loop serves both ends, so the client's set-up is asynchronous. */
static CarrelVmm1 *
proxy_on(GSocket *socket)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocketConnection) stream = g_socket_connection_factory_create_connection(socket);
    g_autoptr(GAsyncResult) connected = NULL, ready = NULL;

    g_dbus_connection_new(G_IO_STREAM(stream), NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL,
                          keep_result, &connected);
    wait_for(&connected);
    g_autoptr(GDBusConnection) connection = g_dbus_connection_new_finish(connected, &error);
    g_assert_no_error(error);
    carrel_vmm1_proxy_new(connection, G_DBUS_PROXY_FLAGS_NONE, NULL, "/org/carrel/Vmm1", NULL, keep_result, &ready);
    wait_for(&ready);
    CarrelVmm1 *proxy = carrel_vmm1_proxy_new_finish(ready, &error);
    g_assert_no_error(error);
    return proxy;
}

typedef struct {
    Desktop desktop;
    ControlServer *server;
    CarrelVmm1 *proxy;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    int pair[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    fixture->server = control_server_new(pair[0], "Anna", "uuid", &ops, &fixture->desktop, NULL);
    g_assert_nonnull(fixture->server);
    g_autoptr(GSocket) socket = g_socket_new_from_fd(pair[1], NULL);
    fixture->proxy = proxy_on(socket);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    g_object_unref(fixture->proxy);
    control_server_free(fixture->server);
    g_free(fixture->desktop.ticket);
    g_free(fixture->desktop.cut);
}

static void
test_calls(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) paused = NULL, ticketed = NULL, counted = NULL;
    g_autoptr(GVariant) counters = NULL;
    guint64 reads;

    g_assert_cmpstr(carrel_vmm1_get_name(fixture->proxy), ==, "Anna");
    g_assert_cmpstr(carrel_vmm1_get_state(fixture->proxy), ==, "starting");
    carrel_vmm1_call_pause(fixture->proxy, NULL, keep_result, &paused);
    wait_for(&paused);
    g_assert_true(carrel_vmm1_call_pause_finish(fixture->proxy, paused, &error));
    g_assert_cmpuint(fixture->desktop.pauses, ==, 1);

    carrel_vmm1_call_set_ticket(fixture->proxy, "geheim", 30, NULL, keep_result, &ticketed);
    wait_for(&ticketed);
    g_assert_true(carrel_vmm1_call_set_ticket_finish(fixture->proxy, ticketed, &error));
    g_assert_cmpstr(fixture->desktop.ticket, ==, "geheim");
    g_assert_cmpuint(fixture->desktop.ticket_seconds, ==, 30);

    carrel_vmm1_call_get_statistics(fixture->proxy, NULL, keep_result, &counted);
    wait_for(&counted);
    g_assert_true(carrel_vmm1_call_get_statistics_finish(fixture->proxy, &counters, counted, &error));
    g_assert_true(g_variant_lookup(counters, "disk0.reads", "t", &reads));
    g_assert_cmpuint(reads, ==, 7);
}

static void
call_screenshot(Fixture *fixture, unsigned scanout, int fd, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();

    g_unix_fd_list_append(fds, fd, NULL);
    carrel_vmm1_call_screenshot(fixture->proxy, scanout, 7, g_variant_new_handle(0), fds, NULL, keep_result, &result);
    wait_for(&result);
    guint64 picture;
    if (carrel_vmm1_call_screenshot_finish(fixture->proxy, &picture, NULL, result, error))
        g_assert_cmpuint(picture, ==, 8);
}

static void
test_descriptors_and_errors(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    int ends[2];
    char text[4] = {0};

    g_assert_cmpint(pipe(ends), ==, 0);
    call_screenshot(fixture, 0, ends[1], &error);
    g_assert_no_error(error);
    g_assert_cmpint(read(ends[0], text, 3), ==, 3);
    g_assert_cmpstr(text, ==, "png");

    call_screenshot(fixture, 9, ends[1], &error);
    g_assert_nonnull(error);
    g_dbus_error_strip_remote_error(error);
    g_assert_cmpstr(error->message, ==, "there is no monitor 9");
    close(ends[0]);
    close(ends[1]);
}

static void
test_guest_agent(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) frozen = NULL, thawed = NULL;
    guint count;

    g_assert_false(carrel_vmm1_get_guest_agent(fixture->proxy));
    control_server_set_agent(fixture->server, true, true);
    while (!carrel_vmm1_get_frozen(fixture->proxy))
        g_main_context_iteration(NULL, TRUE);
    g_assert_true(carrel_vmm1_get_guest_agent(fixture->proxy));

    carrel_vmm1_call_freeze_filesystems(fixture->proxy, 70, NULL, keep_result, &frozen);
    wait_for(&frozen);
    g_assert_true(carrel_vmm1_call_freeze_filesystems_finish(fixture->proxy, &count, frozen, &error));
    g_assert_cmpuint(count, ==, 7);
    carrel_vmm1_call_thaw_filesystems(fixture->proxy, NULL, keep_result, &thawed);
    wait_for(&thawed);
    g_assert_false(carrel_vmm1_call_thaw_filesystems_finish(fixture->proxy, &count, thawed, &error));
    g_dbus_error_strip_remote_error(error);
    g_assert_cmpstr(error->message, ==, "nothing is frozen");
}

static void
test_connections(Fixture *fixture, gconstpointer data)
{
    static const char *const names[] = {"anna", "ben", NULL};
    g_autoptr(GAsyncResult) cut = NULL;

    g_assert_cmpuint(g_strv_length((char **)carrel_vmm1_get_connections(fixture->proxy)), ==, 0);
    control_server_set_connections(fixture->server, names);
    while (!g_strv_equal(carrel_vmm1_get_connections(fixture->proxy), names))
        g_main_context_iteration(NULL, TRUE);
    carrel_vmm1_call_cut_connections(fixture->proxy, "anna", NULL, keep_result, &cut);
    wait_for(&cut);
    g_assert_true(carrel_vmm1_call_cut_connections_finish(fixture->proxy, cut, NULL));
    g_assert_cmpstr(fixture->desktop.cut, ==, "anna");
}

static void
on_state(CarrelVmm1 *proxy, const char *state, const char *const *reasons, const char *detail, gpointer place)
{
    g_autofree char *list = g_strjoinv("+", (char **)reasons);
    *(char **)place = g_strdup_printf("%s %s %s", state, list, detail);
}

static void
test_signals(Fixture *fixture, gconstpointer data)
{
    g_autofree char *seen = NULL;
    const char *const reasons[] = {"user", "storage", NULL};

    g_signal_connect(fixture->proxy, "state-changed", G_CALLBACK(on_state), &seen);
    control_server_set_state(fixture->server, "paused", reasons, "disk0: full");
    while (!seen)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(seen, ==, "paused user+storage disk0: full");
}

static void
test_wrong_descriptor(void)
{
    g_autoptr(GError) error = NULL;
    Desktop desktop = {0};

    g_assert_null(control_server_new(open("/dev/null", O_RDWR | O_CLOEXEC), "x", "u", &ops, &desktop, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}

/* Peers that talk nonsense, say nothing, or leave in the middle; the next one is served all the same. */
static void
test_bad_peers(void)
{
    g_autofree char *folder = g_dir_make_tmp("carrel-control-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "s", NULL);
    Desktop desktop = {0};
    g_autoptr(ControlServer) server = control_server_new(listener_new(path, NULL), "Anna", "u", &ops, &desktop, NULL);
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    static const char *const words[] = {"GET / HTTP/1.0\r\n\r\n", "\0AUTH EXTERNAL 30\r\n", "", "\xff\xff\xff\xff"};
    GSocket *bad[G_N_ELEMENTS(words)];

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        bad[i] = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, 0, NULL);
        g_assert_true(g_socket_connect(bad[i], address, NULL, NULL));
        g_socket_send(bad[i], words[i], i == 1 ? 19 : strlen(words[i]), NULL, NULL);
        if (i % 2)
            g_socket_close(bad[i], NULL);
    }
    g_autoptr(GSocket) good = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, 0, NULL);
    g_assert_true(g_socket_connect(good, address, NULL, NULL));
    g_autoptr(CarrelVmm1) proxy = proxy_on(good);
    g_assert_cmpstr(carrel_vmm1_get_name(proxy), ==, "Anna");
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        g_object_unref(bad[i]);
    g_unlink(path);
    g_rmdir(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/control/calls", Fixture, NULL, set_up, test_calls, tear_down);
    g_test_add("/control/descriptors-and-errors", Fixture, NULL, set_up, test_descriptors_and_errors, tear_down);
    g_test_add("/control/guest-agent", Fixture, NULL, set_up, test_guest_agent, tear_down);
    g_test_add("/control/connections", Fixture, NULL, set_up, test_connections, tear_down);
    g_test_add("/control/signals", Fixture, NULL, set_up, test_signals, tear_down);
    g_test_add_func("/control/wrong-descriptor", test_wrong_descriptor);
    g_test_add_func("/control/bad-peers", test_bad_peers);
    return g_test_run();
}
