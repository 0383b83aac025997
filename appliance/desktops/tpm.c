/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swtpm is given both its channel and its folder as descriptors: it needs no path that its user could not reach.
 */
#include "appliance/desktops/tpm.h"

#include "appliance/apparmor/apparmor.h"
#include "appliance/desktops/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct Tpm {
    Spawned process;
    int socket;
    bool released;
};

static bool
fail(GError **error, const char *what)
{
    int code = errno;

    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", what, g_strerror(code));
    return false;
}

/* Its files may be another user's, of the run before. */
static bool
own(const char *folder, uid_t uid, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, error);
    const char *name;

    if (!dir)
        return false;
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (lchown(path, uid, uid) < 0)
            return fail(error, path);
    }
    return lchown(folder, uid, uid) == 0 || fail(error, folder);
}

static int
open_folder(const TpmPlace *place, GError **error)
{
    g_autofree char *folder = g_build_filename(place->keep, "tpm", NULL);

    if (g_mkdir(folder, 0700) < 0 && errno != EEXIST) {
        fail(error, folder);
        return -1;
    }
    if (place->uid && !own(folder, place->uid, error))
        return -1;
    int fd = open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        fail(error, folder);
    return fd;
}

static bool
start(Tpm *tpm, const TpmPlace *place, GError **error)
{
    g_autofree char *log = g_build_filename(place->run, "tpm.log", NULL);
    g_autofd int folder = open_folder(place, error), theirs = -1;
    int pair[2];
    /* Descriptors are handed over from the third on. */
    const char *arguments[] = {place->swtpm,
                               "socket",
                               "--tpm2",
                               "--tpmstate",
                               "dir=/proc/self/fd/4",
                               "--terminate",
                               "--ctrl",
                               "type=unixio,clientfd=3",
                               NULL};

    if (folder < 0)
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return fail(error, "socketpair");
    tpm->socket = pair[0];
    theirs = pair[1];
    const SpawnPlan plan = {.arguments = arguments,
                            .log = log,
                            .uid = place->uid,
                            .profile = APPARMOR_TPM,
                            .fds = {{theirs, "control"}, {folder, "state"}},
                            .n_fds = 2};
    if (!spawn_hold(&plan, &tpm->process, error))
        return false;
    if (spawn_go(&tpm->process, error))
        return true;
    g_prefix_error(error, "%s: ", place->swtpm);
    return false;
}

Tpm *
tpm_start(const TpmPlace *place, GError **error)
{
    Tpm *tpm = g_new0(Tpm, 1);

    tpm->process.pidfd = tpm->process.gate = tpm->socket = -1;
    if (start(tpm, place, error))
        return tpm;
    tpm_free(tpm);
    return NULL;
}

void
tpm_free(Tpm *tpm)
{
    if (!tpm)
        return;
    g_clear_fd(&tpm->socket, NULL);
    if (tpm->released)
        g_clear_fd(&tpm->process.pidfd, NULL);
    else
        spawn_drop(&tpm->process);
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
