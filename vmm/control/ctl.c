/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `carrel-vmm ctl SOCKET VERB …`: one table of verbs over the generated proxy. Each verb is one call; `watch` stays.
 */
#include "vmm/control/ctl.h"
#include "vmm/control/line.h"
#include "vmm/control/org.carrel.Vmm1.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <gio/gunixsocketaddress.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const CtlHostUsb *host_usb;

typedef bool (*Verb)(CarrelVmm1 *desktop, char **arguments, GError **error);

#define SIMPLE_VERB(verb)                                                        \
    static bool do_##verb(CarrelVmm1 *desktop, char **arguments, GError **error) \
    {                                                                            \
        return carrel_vmm1_call_##verb##_sync(desktop, NULL, error);             \
    }

SIMPLE_VERB(pause)
SIMPLE_VERB(resume)
SIMPLE_VERB(power_button)
SIMPLE_VERB(reset)
SIMPLE_VERB(stop)

static bool
parse_number(const char *text, uint64_t max, uint64_t *number, const char *what, GError **error)
{
    g_autoptr(GError) inner = NULL;
    guint64 value;

    if (!g_ascii_string_to_unsigned(text, 10, 0, max, &value, &inner)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: %s", what, inner->message);
        return false;
    }
    *number = value;
    return true;
}

static bool
do_status(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    g_autofree char *reasons = g_strjoinv(", ", (char **)carrel_vmm1_get_pause_reasons(desktop));
    const char *detail = carrel_vmm1_get_pause_detail(desktop);

    print_line(stdout, "name:    %s", carrel_vmm1_get_name(desktop));
    print_line(stdout, "uuid:    %s", carrel_vmm1_get_uuid(desktop));
    print_line(stdout, "state:   %s%s%s%s", carrel_vmm1_get_state(desktop), *reasons ? " (" : "", reasons,
               *reasons ? ")" : "");
    if (*detail)
        print_line(stdout, "reason:  %s", detail);
    print_line(stdout, "clients: %u", carrel_vmm1_get_clients(desktop));
    print_line(stdout, "agent:   %s",
               !carrel_vmm1_get_guest_agent(desktop) ? "none"
               : carrel_vmm1_get_frozen(desktop)     ? "there (file systems frozen)"
                                                     : "there");
    print_line(stdout, "version: %s", carrel_vmm1_get_version(desktop));
    return true;
}

static int
compare_lines(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
do_stats(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    g_autoptr(GVariant) counters = NULL;
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    GVariantIter iter;
    const char *name;
    guint64 value;

    if (!carrel_vmm1_call_get_statistics_sync(desktop, &counters, NULL, error))
        return false;
    g_variant_iter_init(&iter, counters);
    while (g_variant_iter_next(&iter, "{&st}", &name, &value))
        g_ptr_array_add(lines, g_strdup_printf("%s %" G_GUINT64_FORMAT, name, value));
    g_ptr_array_sort(lines, compare_lines);
    for (guint i = 0; i < lines->len; i++)
        print_line(stdout, "%s", (const char *)lines->pdata[i]);
    return true;
}

/* A file the VMM is to write: new and beside the one asked for, renamed once whole, so that a failure harms nothing. */
typedef struct {
    const char *path;
    char *temporary;
    GUnixFDList *fds;
} OutputFile;

static bool
output_open(OutputFile *file, const char *path, GError **error)
{
    file->path = path;
    file->temporary = g_strdup_printf("%s.partial-%d", path, getpid());
    int fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s: %s", file->temporary, g_strerror(errno));
        g_clear_pointer(&file->temporary, g_free);
        return false;
    }
    file->fds = g_unix_fd_list_new_from_array(&fd, 1);
    return true;
}

/* @written: whether the VMM did its part. Returns whether the file is in its place. */
static bool
output_close(OutputFile *file, bool written, GError **error)
{
    bool placed = written && g_rename(file->temporary, file->path) == 0;

    if (written && !placed)
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s: %s", file->path, g_strerror(errno));
    if (!placed)
        g_unlink(file->temporary);
    g_free(file->temporary);
    g_object_unref(file->fds);
    return placed;
}

static bool
do_screenshot(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    uint64_t scanout = 0;
    OutputFile file;

    if ((arguments[1] && !parse_number(arguments[1], 3, &scanout, "monitor", error)) ||
        !output_open(&file, arguments[0], error))
        return false;
    bool written = carrel_vmm1_call_screenshot_sync(desktop, scanout, 0, g_variant_new_handle(0), file.fds, NULL, NULL,
                                                    NULL, error);
    return output_close(&file, written, error);
}

static void
keep_result(GObject *source, GAsyncResult *result, gpointer place)
{
    *(GAsyncResult **)place = g_object_ref(result);
}

static gboolean
on_end_signal(gpointer desktop)
{
    carrel_vmm1_call_cancel_save(desktop, NULL, NULL, NULL);
    return G_SOURCE_CONTINUE;
}

/*
 * Whoever ends us meanwhile wants the desktop back and not a file; but it may be saved already, and then the file is all
 * there is of it. So a signal only asks for an end, and the answer decides.
 */
static bool
save_until_told(CarrelVmm1 *desktop, GUnixFDList *fds, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;

    /* It writes the whole of memory to a disk, however slow. */
    g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(desktop), G_MAXINT);
    carrel_vmm1_call_save(desktop, g_variant_new_handle(0), fds, NULL, keep_result, &result);
    while (!result)
        g_main_context_iteration(NULL, TRUE);
    return carrel_vmm1_call_save_finish(desktop, NULL, result, error);
}

static bool
do_save(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    OutputFile file;

    g_unix_signal_add(SIGINT, on_end_signal, desktop);
    g_unix_signal_add(SIGTERM, on_end_signal, desktop);
    g_unix_signal_add(SIGHUP, on_end_signal, desktop);
    return output_open(&file, arguments[0], error) &&
           output_close(&file, save_until_told(desktop, file.fds, error), error);
}

/* The ticket comes on standard input, so that it stands in no process list. */
static bool
do_ticket(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    uint64_t seconds = 0;
    char line[256];

    if (arguments[0] && !parse_number(arguments[0], G_MAXUINT32, &seconds, "seconds", error))
        return false;
    if (!fgets(line, sizeof(line), stdin))
        line[0] = '\0';
    g_strchomp(line);
    return carrel_vmm1_call_set_ticket_sync(desktop, line, seconds, NULL, error);
}

static bool
do_resize(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    guint64 bytes;

    if (!carrel_vmm1_call_resize_disk_sync(desktop, arguments[0], &bytes, NULL, error))
        return false;
    print_line(stdout, "%s has %" G_GUINT64_FORMAT " bytes", arguments[0], bytes);
    return true;
}

static bool
do_usb(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    g_autoptr(GVariant) devices = NULL;
    const char *path, *id, *kind, *speed, *name, *medium;
    GVariantIter iter;

    if (!carrel_vmm1_call_list_usb_sync(desktop, &devices, NULL, error))
        return false;
    g_variant_iter_init(&iter, devices);
    while (g_variant_iter_next(&iter, "(&s&s&s&s&s&s)", &path, &id, &kind, &speed, &name, &medium))
        if (*path)
            print_line(stdout, "port %s: %s (%s, %s speed): %s%s%s", path, id, kind, speed, name,
                       *medium ? ", holds " : "", medium);
        else
            print_line(stdout, "not there: %s (%s): waits for %s", id, kind, name);
    return true;
}

static bool
do_host_usb(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    g_autoptr(GPtrArray) lines = host_usb->list();

    for (guint i = 0; i < lines->len; i++)
        print_line(stdout, "%s", (char *)lines->pdata[i]);
    return true;
}

static bool
do_attach(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    g_autofree char *name = NULL;

    if (!arguments[1])
        return carrel_vmm1_call_reattach_usb_sync(desktop, arguments[0], NULL, error);
    int fd = host_usb->open(arguments[1], &name, error);
    if (fd < 0)
        return false;
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&fd, 1);
    return carrel_vmm1_call_attach_usb_sync(desktop, arguments[0], g_variant_new_handle(0), name, fds, NULL, NULL,
                                            error);
}

static bool
do_insert(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    int fd = open(arguments[1], O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s: %s", arguments[1], g_strerror(errno));
        return false;
    }
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&fd, 1);
    return carrel_vmm1_call_insert_medium_sync(desktop, arguments[0], g_variant_new_handle(0), arguments[1], fds, NULL,
                                               NULL, error);
}

static bool
do_eject(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    if (!arguments[1] || !strcmp(arguments[1], "force"))
        return carrel_vmm1_call_eject_medium_sync(desktop, arguments[0], arguments[1] != NULL, NULL, error);
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "eject: “%s” is not “force”", arguments[1]);
    return false;
}

static bool
do_detach(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    return carrel_vmm1_call_detach_usb_sync(desktop, arguments[0], NULL, error);
}

static bool
do_balloon(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    uint64_t mib;

    return parse_number(arguments[0], 512 << 10, &mib, "MiB", error) &&
           carrel_vmm1_call_set_balloon_sync(desktop, mib << 20, NULL, error);
}

/* The agent may take its time: longer than D-Bus waits by itself. */
#define AGENT_TIMEOUT_MS (90 * 1000)
#define FREEZE_DEFAULT 30

static bool
do_set_time(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    return carrel_vmm1_call_set_guest_time_sync(desktop, NULL, error);
}

static bool
do_freeze(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    uint64_t seconds = FREEZE_DEFAULT;
    guint count;

    g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(desktop), AGENT_TIMEOUT_MS);
    if ((arguments[0] && !parse_number(arguments[0], G_MAXUINT32, &seconds, "seconds", error)) ||
        !carrel_vmm1_call_freeze_filesystems_sync(desktop, seconds, &count, NULL, error))
        return false;
    print_line(stdout, "%u file systems are frozen for %" G_GUINT64_FORMAT " seconds", count, seconds);
    return true;
}

static bool
do_thaw(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    guint count;

    g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(desktop), AGENT_TIMEOUT_MS);
    if (!carrel_vmm1_call_thaw_filesystems_sync(desktop, &count, NULL, error))
        return false;
    print_line(stdout, "%u file systems were frozen", count);
    return true;
}

static bool
do_shut_down(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    bool restart = arguments[0] && !strcmp(arguments[0], "restart");

    if (arguments[0] && !restart) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "“%s” is not restart", arguments[0]);
        return false;
    }
    g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(desktop), AGENT_TIMEOUT_MS);
    return carrel_vmm1_call_shut_down_guest_sync(desktop, restart, NULL, error);
}

static bool
do_addresses(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    g_autoptr(GVariant) interfaces = NULL;
    g_autoptr(GVariantIter) addresses = NULL;
    GVariantIter iter;
    const char *name, *hardware, *address;
    guint prefix;

    if (!carrel_vmm1_call_get_guest_addresses_sync(desktop, &interfaces, NULL, error))
        return false;
    g_variant_iter_init(&iter, interfaces);
    while (g_variant_iter_loop(&iter, "(&s&sa(su))", &name, &hardware, &addresses)) {
        print_line(stdout, "%s%s%s", name, *hardware ? " " : "", hardware);
        while (g_variant_iter_next(addresses, "(&su)", &address, &prefix))
            print_line(stdout, "  %s/%u", address, prefix);
    }
    return true;
}

static void
print_state(CarrelVmm1 *desktop, const char *state, const char *const *reasons, const char *detail, gpointer user)
{
    g_autofree char *list = g_strjoinv(",", (char **)reasons);
    print_line(stdout, "state %s%s%s%s%s", state, *list ? " " : "", list, *detail ? ": " : "", detail);
}

static void
print_connected(CarrelVmm1 *desktop, guint64 client, const char *peer, gpointer user)
{
    print_line(stdout, "client %" G_GUINT64_FORMAT " connected %s", client, peer);
}

static void
print_disconnected(CarrelVmm1 *desktop, guint64 client, const char *peer, gpointer user)
{
    print_line(stdout, "client %" G_GUINT64_FORMAT " disconnected %s", client, peer);
}

static void
print_usb(CarrelVmm1 *desktop, const char *change, const char *device, const char *name, const char *reason,
          gpointer user)
{
    print_line(stdout, "usb %s %s “%s”%s%s", change, device, name, *reason ? ": " : "", reason);
}

static void
on_closed(GDBusConnection *connection, gboolean vanished, GError *error, gpointer loop)
{
    g_main_loop_quit(loop);
}

static bool
do_watch(CarrelVmm1 *desktop, char **arguments, GError **error)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);

    setvbuf(stdout, NULL, _IOLBF, 0);
    g_signal_connect(desktop, "state-changed", G_CALLBACK(print_state), NULL);
    g_signal_connect(desktop, "client-connected", G_CALLBACK(print_connected), NULL);
    g_signal_connect(desktop, "usb-changed", G_CALLBACK(print_usb), NULL);
    g_signal_connect(desktop, "client-disconnected", G_CALLBACK(print_disconnected), NULL);
    g_signal_connect(g_dbus_proxy_get_connection(G_DBUS_PROXY(desktop)), "closed", G_CALLBACK(on_closed), loop);
    print_state(desktop, carrel_vmm1_get_state(desktop), carrel_vmm1_get_pause_reasons(desktop),
                carrel_vmm1_get_pause_detail(desktop), NULL);
    g_main_loop_run(loop);
    return true;
}

static const struct {
    const char *name;
    int least, most; /* arguments */
    Verb run;
    const char *arguments, *help;
} verbs[] = {
    {"status", 0, 0, do_status, "", "what it is and how it is"},
    {"stats", 0, 0, do_stats, "", "counters since start, a line each"},
    {"watch", 0, 0, do_watch, "", "print every change until it ends"},
    {"pause", 0, 0, do_pause, "", "stop its processors"},
    {"resume", 0, 0, do_resume, "", "let them run again, and retry what failed"},
    {"power-button", 0, 0, do_power_button, "", "press it; the guest decides what follows"},
    {"reset", 0, 0, do_reset, "", "as the reset button does"},
    {"stop", 0, 0, do_stop, "", "flush the disks and end at once"},
    {"save", 1, 1, do_save, "FILE", "write the whole desktop to FILE and end"},
    {"screenshot", 1, 2, do_screenshot, "FILE [N]", "write monitor N (0) to FILE as PNG"},
    {"ticket", 0, 1, do_ticket, "[SECONDS]", "set the SPICE password read from standard input"},
    {"resize", 1, 1, do_resize, "DISK", "tell the guest the image's new size"},
    {"usb", 0, 0, do_usb, "", "what is plugged in"},
    {"insert", 2, 2, do_insert, "DRIVE FILE", "put an ISO image into a CD-ROM drive"},
    {"eject", 1, 2, do_eject, "DRIVE [force]", "take it out again"},
    {"host-usb", 0, 0, do_host_usb, "", "what is plugged into the host"},
    {"attach", 1, 2, do_attach, "NAME [DEVICE]", "give it a USB device of the host's as NAME"},
    {"detach", 1, 1, do_detach, "DEVICE", "unplug a USB device"},
    {"addresses", 0, 0, do_addresses, "", "the guest's network addresses *"},
    {"set-time", 0, 0, do_set_time, "", "set the guest's clock to the host's *"},
    {"freeze", 0, 1, do_freeze, "[SECONDS]", "freeze the guest's file systems for so long (30) *"},
    {"thaw", 0, 0, do_thaw, "", "thaw them *"},
    {"shut-down", 0, 1, do_shut_down, "[restart]", "have the guest shut down, or restart *"},
    {"balloon", 1, 1, do_balloon, "MIB", "ask the guest to make do with so much memory"},
};

void
control_ctl_print_verbs(FILE *to)
{
    for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
        g_autofree char *left = g_strdup_printf("%s %s", verbs[i].name, verbs[i].arguments);
        fprintf(to, "  %-22s %s\n", left, verbs[i].help);
    }
    fprintf(to, "* with an agent in the guest (the package qemu-guest-agent)\n");
}

/* Not DBUS_COOKIE_SHA1, in which the other side names a file of ours and learns of its content. */
static gboolean
allow_mechanism(GDBusAuthObserver *observer, const char *mechanism, gpointer user)
{
    return !strcmp(mechanism, "EXTERNAL") || !strcmp(mechanism, "ANONYMOUS");
}

/* Whether the properties that are printed are there. */
static bool
tells_all(CarrelVmm1 *desktop)
{
    return carrel_vmm1_get_name(desktop) && carrel_vmm1_get_uuid(desktop) && carrel_vmm1_get_state(desktop) &&
           carrel_vmm1_get_pause_reasons(desktop) && carrel_vmm1_get_pause_detail(desktop) &&
           carrel_vmm1_get_version(desktop);
}

/* The desktop may have fallen to its guest, and is not trusted here. */
static CarrelVmm1 *
connect_to(const char *path, GError **error)
{
    g_autoptr(GDBusAuthObserver) observer = g_dbus_auth_observer_new();
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GError) inner = NULL;
    g_autoptr(GDBusConnection) connection = NULL;
    g_autoptr(GSocketConnection) stream = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, &inner);

    g_signal_connect(observer, "allow-mechanism", G_CALLBACK(allow_mechanism), NULL);
    if (stream)
        connection = g_dbus_connection_new_sync(G_IO_STREAM(stream), NULL,
                                                G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, observer, NULL, &inner);
    if (!connection) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: cannot reach the desktop: %s", path, inner->message);
        return NULL;
    }
    g_autoptr(CarrelVmm1) desktop =
        carrel_vmm1_proxy_new_sync(connection, G_DBUS_PROXY_FLAGS_NONE, NULL, "/org/carrel/Vmm1", NULL, error);
    if (!desktop || tells_all(desktop))
        return g_steal_pointer(&desktop);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: what answers is not a desktop of this version", path);
    return NULL;
}

static int
run_verb(size_t verb, int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    if (argc - 2 < verbs[verb].least || argc - 2 > verbs[verb].most) {
        fprintf(stderr, "usage: carrel-vmm ctl SOCKET %s %s\n", verbs[verb].name, verbs[verb].arguments);
        return 2;
    }
    g_autoptr(CarrelVmm1) desktop = connect_to(argv[0], &error);
    if (desktop && verbs[verb].run(desktop, argv + 2, &error))
        return 0;
    g_dbus_error_strip_remote_error(error);
    print_line(stderr, "carrel-vmm: %s", error->message);
    return 1;
}

int
control_ctl(int argc, char **argv, const CtlHostUsb *usb)
{
    host_usb = usb;
    for (size_t i = 0; argc >= 2 && i < G_N_ELEMENTS(verbs); i++)
        if (!strcmp(verbs[i].name, argv[1]))
            return run_verb(i, argc, argv);
    fprintf(stderr, "usage: carrel-vmm ctl SOCKET VERB …\n");
    control_ctl_print_verbs(stderr);
    return 2;
}
