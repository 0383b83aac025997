/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the process and the last of what it said on its socket come in no order; what it said is heard first, if that comes
 * soon.
 */
#include "appliance/desktops/vmm.h"

#include "appliance/desktops/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECT_SECONDS 60
#define LAST_WORDS_MS 2000
#define SENTENCE_MAX 300
#define LOG_TAIL 4096

struct Vmm {
    int pidfd;
    const VmmOps *ops;
    void *user;
    GDBusConnection *connection;
    CarrelVmm1 *control;
    GCancellable *cancellable;
    guint end_source, connect_timeout, last_words_timeout;
    gulong closed_handler;
    int status;
    bool process_ended;
};

/* ---- words ---- */

char *
vmm_sentence(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, (gssize)strnlen(text, 4 * SENTENCE_MAX));
    GString *sentence = g_string_new(NULL);

    for (const char *c = valid; *c && sentence->len < SENTENCE_MAX; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        /* Controls, and what turns the direction of writing (Cf). */
        bool plain = g_unichar_isprint(character) && g_unichar_type(character) != G_UNICODE_FORMAT;
        g_string_append_unichar(sentence, plain ? character : ' ');
    }
    return g_strstrip(g_string_free(sentence, FALSE));
}

static char *
tail_of(const char *path)
{
    g_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    char text[LOG_TAIL + 1];

    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL;
    ssize_t n = pread(fd, text, LOG_TAIL, MAX(st.st_size - LOG_TAIL, 0));
    return n > 0 ? g_strndup(text, (gsize)n) : NULL;
}

char *
vmm_last_words(const char *log)
{
    static const char prefix[] = "carrel-vmm: ";
    g_autofree char *text = tail_of(log);

    if (!text)
        return NULL;
    g_strchomp(text);
    const char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    if (g_str_has_prefix(line, prefix))
        line += strlen(prefix);
    return *line ? vmm_sentence(line) : NULL;
}

/* ---- the end ---- */

static void
stop_source(guint *source)
{
    if (*source)
        g_source_remove(*source);
    *source = 0;
}

static void
tell_ended(Vmm *vmm)
{
    stop_source(&vmm->last_words_timeout);
    stop_source(&vmm->connect_timeout);
    vmm->ops->ended(vmm->user, vmm->status);
}

static gboolean
on_silence(gpointer user)
{
    Vmm *vmm = user;

    vmm->last_words_timeout = 0;
    tell_ended(vmm);
    return G_SOURCE_REMOVE;
}

/* As wait(2) has it. */
static int
status_of(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED ? W_EXITCODE(info->si_status, 0) : W_EXITCODE(0, info->si_status);
}

static gboolean
on_process_end(int fd, GIOCondition condition, gpointer user)
{
    Vmm *vmm = user;
    siginfo_t info = {0};

    vmm->end_source = 0;
    vmm->process_ended = true;
    vmm->status = waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0 ? status_of(&info) : -1;
    if (vmm->connection && !g_dbus_connection_is_closed(vmm->connection))
        vmm->last_words_timeout = g_timeout_add(LAST_WORDS_MS, on_silence, vmm);
    else
        tell_ended(vmm);
    return G_SOURCE_REMOVE;
}

/* ---- control ---- */

static void
lose(Vmm *vmm, const char *why)
{
    if (vmm->control)
        g_signal_handlers_disconnect_by_data(vmm->control, vmm);
    g_clear_object(&vmm->control);
    if (vmm->process_ended)
        tell_ended(vmm);
    else
        vmm->ops->lost(vmm->user, why);
}

static void
on_closed(GDBusConnection *connection, gboolean vanished, GError *error, gpointer user)
{
    lose(user, "its control socket was closed");
}

static VmmState
parse_state(const char *word)
{
    static const char *const words[] = {"starting", "running", "paused", "stopped"};

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        if (!g_strcmp0(word, words[i]))
            return (VmmState)i;
    return VMM_STARTING;
}

static void
on_state(CarrelVmm1 *control, const char *state, const char *const *reasons, const char *detail, gpointer user)
{
    Vmm *vmm = user;
    g_autofree char *sentence = vmm_sentence(detail);

    vmm->ops->state(vmm->user, parse_state(state), sentence);
}

static void
on_clients(GObject *control, GParamSpec *what, gpointer user)
{
    Vmm *vmm = user;

    vmm->ops->clients(vmm->user, carrel_vmm1_get_clients(vmm->control));
}

static void
on_connections(GObject *control, GParamSpec *what, gpointer user)
{
    static const char *const none[] = {NULL};
    Vmm *vmm = user;
    const char *const *names = carrel_vmm1_get_connections(vmm->control);

    vmm->ops->connections(vmm->user, names ? names : none);
}

static void
on_proxy(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;
    CarrelVmm1 *control = carrel_vmm1_proxy_new_finish(result, &error);
    Vmm *vmm = user;

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* it is freed */
    stop_source(&vmm->connect_timeout);
    if (!control || !carrel_vmm1_get_state(control)) {
        g_clear_object(&control);
        lose(vmm, "what answers is no desktop");
        return;
    }
    vmm->control = control;
    g_signal_connect(control, "state-changed", G_CALLBACK(on_state), vmm);
    g_signal_connect(control, "notify::clients", G_CALLBACK(on_clients), vmm);
    g_signal_connect(control, "notify::connections", G_CALLBACK(on_connections), vmm);
    vmm->ops->connected(vmm->user);
    const char *detail = vmm->control ? carrel_vmm1_get_pause_detail(vmm->control) : NULL;
    if (vmm->control)
        on_state(vmm->control, carrel_vmm1_get_state(vmm->control), NULL, detail ? detail : "", vmm);
    if (vmm->control)
        on_clients(NULL, NULL, vmm);
    if (vmm->control)
        on_connections(NULL, NULL, vmm);
}

static void
on_connection(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *connection = g_dbus_connection_new_finish(result, &error);
    Vmm *vmm = user;

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    if (!connection) {
        stop_source(&vmm->connect_timeout);
        lose(vmm, error->message);
        return;
    }
    vmm->connection = connection;
    g_dbus_connection_set_exit_on_close(connection, FALSE);
    vmm->closed_handler = g_signal_connect(connection, "closed", G_CALLBACK(on_closed), vmm);
    carrel_vmm1_proxy_new(connection, G_DBUS_PROXY_FLAGS_NONE, NULL, "/org/carrel/Vmm1", vmm->cancellable, on_proxy,
                          vmm);
}

/* Not DBUS_COOKIE_SHA1, in which the other side names a file of ours and learns of its content. */
static gboolean
allow_mechanism(GDBusAuthObserver *observer, const char *mechanism, gpointer user)
{
    return !strcmp(mechanism, "EXTERNAL") || !strcmp(mechanism, "ANONYMOUS");
}

static gboolean
on_connect_timeout(gpointer user)
{
    Vmm *vmm = user;

    vmm->connect_timeout = 0;
    g_cancellable_cancel(vmm->cancellable);
    g_object_unref(vmm->cancellable);
    vmm->cancellable = g_cancellable_new();
    lose(vmm, "it does not answer");
    return G_SOURCE_REMOVE;
}

/* The socket listens since before the process began, so this does not wait. */
static bool
connect_to(Vmm *vmm, const char *folder, GError **error)
{
    g_autoptr(GDBusAuthObserver) observer = g_dbus_auth_observer_new();
    g_autofd int fd = socket_connect(folder, "control", NULL, error);
    g_autoptr(GSocket) socket = fd < 0 ? NULL : g_socket_new_from_fd(fd, error);

    if (!socket)
        return false;
    (void)g_steal_fd(&fd);
    g_autoptr(GSocketConnection) stream = g_socket_connection_factory_create_connection(socket);
    g_signal_connect(observer, "allow-mechanism", G_CALLBACK(allow_mechanism), NULL);
    g_dbus_connection_new(G_IO_STREAM(stream), NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, observer,
                          vmm->cancellable, on_connection, vmm);
    vmm->connect_timeout = g_timeout_add_seconds(CONNECT_SECONDS, on_connect_timeout, vmm);
    return true;
}

static gboolean
on_no_socket(gpointer user)
{
    Vmm *vmm = user;

    vmm->connect_timeout = 0;
    lose(vmm, "it has no control socket");
    return G_SOURCE_REMOVE;
}

Vmm *
vmm_new(int pidfd, const char *folder, const VmmOps *ops, void *user)
{
    Vmm *vmm = g_new0(Vmm, 1);

    vmm->pidfd = pidfd;
    vmm->ops = ops;
    vmm->user = user;
    vmm->cancellable = g_cancellable_new();
    vmm->end_source = g_unix_fd_add(pidfd, G_IO_IN, on_process_end, vmm);
    if (!connect_to(vmm, folder, NULL))
        vmm->connect_timeout = g_idle_add(on_no_socket, vmm);
    return vmm;
}

void
vmm_free(Vmm *vmm)
{
    if (!vmm)
        return;
    g_cancellable_cancel(vmm->cancellable);
    g_object_unref(vmm->cancellable);
    stop_source(&vmm->end_source);
    stop_source(&vmm->connect_timeout);
    stop_source(&vmm->last_words_timeout);
    if (vmm->control) {
        g_signal_handlers_disconnect_by_data(vmm->control, vmm);
        g_object_unref(vmm->control);
    }
    if (vmm->connection) {
        g_signal_handler_disconnect(vmm->connection, vmm->closed_handler);
        g_dbus_connection_close(vmm->connection, NULL, NULL, NULL);
        g_object_unref(vmm->connection);
    }
    g_clear_fd(&vmm->pidfd, NULL);
    g_free(vmm);
}

CarrelVmm1 *
vmm_control(const Vmm *vmm)
{
    return vmm ? vmm->control : NULL;
}

void
vmm_signal(Vmm *vmm, int number)
{
    pidfd_send_signal(vmm->pidfd, number, NULL, 0);
}
