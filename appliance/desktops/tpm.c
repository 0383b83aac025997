/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/tpm.h"

#include "appliance/desktops/socket.h"
#include "appliance/desktops/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 10
#define PATIENCE_SECONDS 10

struct Tpm {
    Spawned process;
    char *run;
    int socket;
    bool released;
    TpmDone done;
    void *user;
    guint source;
    int64_t deadline;
};

static void
answer(Tpm *tpm, const GError *error)
{
    tpm->source = 0;
    tpm->done(tpm->user, error);
}

static bool
has_ended(const Tpm *tpm)
{
    siginfo_t info = {0};

    return waitid(P_PIDFD, (id_t)tpm->process.pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

/* It says nothing when its socket is there. */
static gboolean
look(gpointer user)
{
    Tpm *tpm = user;
    g_autoptr(GError) error = NULL;

    tpm->socket = socket_connect(tpm->run, "tpm", &error);
    if (tpm->socket >= 0) {
        g_unix_set_fd_nonblocking(tpm->socket, FALSE, NULL);
        answer(tpm, NULL);
        return G_SOURCE_REMOVE;
    }
    if (!has_ended(tpm) && g_get_monotonic_time() < tpm->deadline)
        return G_SOURCE_CONTINUE;
    g_prefix_error(&error, "the desktop's TPM (swtpm) does not start, see %s/tpm.log: ", tpm->run);
    answer(tpm, error);
    return G_SOURCE_REMOVE;
}

/* Its files may be another user's, of the run before. */
static bool
own(const char *folder, uid_t uid, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, error);
    const char *name;
    int code = 0;

    if (!dir)
        return false;
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (lchown(path, uid, uid) < 0)
            code = errno;
    }
    if (lchown(folder, uid, uid) < 0)
        code = errno;
    if (code)
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", folder, g_strerror(code));
    return !code;
}

static bool
start(Tpm *tpm, const TpmPlace *place, GError **error)
{
    g_autofree char *folder = g_build_filename(place->keep, "tpm", NULL);
    g_autofree char *state = g_strdup_printf("dir=%s", folder);
    g_autofree char *path = g_build_filename(place->run, "tpm", NULL);
    g_autofree char *control = g_strdup_printf("type=unixio,path=%s", path);
    g_autofree char *log = g_build_filename(place->run, "tpm.log", NULL);
    g_autofree char *uid = g_strdup_printf("%u", (unsigned)place->uid);
    const char *arguments[] = {place->swtpm, "socket", "--tpm2", "--tpmstate", state, "--terminate",
                               "--ctrl",     control,  NULL,     NULL,         NULL};
    const SpawnPlan plan = {.arguments = arguments, .log = log};

    if (g_mkdir_with_parents(folder, 0700) < 0 && errno != EEXIST) {
        int code = errno;
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", folder, g_strerror(code));
        return false;
    }
    if (place->uid) {
        arguments[8] = "--runas";
        arguments[9] = uid;
        if (!own(folder, place->uid, error))
            return false;
    }
    g_unlink(path);
    if (!spawn_hold(&plan, &tpm->process, error))
        return false;
    if (spawn_go(&tpm->process, error))
        return true;
    g_prefix_error(error, "%s: ", place->swtpm);
    return false;
}

Tpm *
tpm_start(const TpmPlace *place, TpmDone done, void *user, GError **error)
{
    Tpm *tpm = g_new0(Tpm, 1);

    tpm->process.pidfd = tpm->process.gate = tpm->socket = -1;
    tpm->run = g_strdup(place->run);
    tpm->done = done;
    tpm->user = user;
    tpm->deadline = g_get_monotonic_time() + PATIENCE_SECONDS * G_USEC_PER_SEC;
    if (!start(tpm, place, error)) {
        tpm_free(tpm);
        return NULL;
    }
    tpm->source = g_timeout_add(LOOK_MS, look, tpm);
    return tpm;
}

void
tpm_free(Tpm *tpm)
{
    if (!tpm)
        return;
    if (tpm->source)
        g_source_remove(tpm->source);
    g_clear_fd(&tpm->socket, NULL);
    if (tpm->released)
        g_clear_fd(&tpm->process.pidfd, NULL);
    else
        spawn_drop(&tpm->process);
    g_free(tpm->run);
    g_free(tpm);
}

static void
on_end(GPid pid, gint status, gpointer user)
{
}

void
tpm_release(Tpm *tpm)
{
    if (!tpm)
        return;
    tpm->released = true;
    g_child_watch_add(tpm->process.pid, on_end, NULL); /* so that no zombie is left of it */
}

int
tpm_socket(const Tpm *tpm)
{
    return tpm->socket;
}

void
tpm_process(const Tpm *tpm, pid_t *pid, uint64_t *began)
{
    *pid = tpm->process.pid;
    *began = spawn_began(*pid);
}
