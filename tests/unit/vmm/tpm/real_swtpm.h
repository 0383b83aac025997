/* SPDX-License-Identifier: Apache-2.0 */
/* A real swtpm with a state folder of its own, for tests; they are skipped where it is not installed. */
#pragma once

#include <glib.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    char *folder;
    GPid pid;
    int control; /* ours; whoever takes it sets it to -1 */
} RealSwtpm;

static inline bool
real_swtpm_is_there(void)
{
    g_autofree char *path = g_find_program_in_path("swtpm");
    if (!path)
        g_test_skip("swtpm is not installed");
    return path;
}

static inline void
real_swtpm_start(RealSwtpm *real)
{
    g_autoptr(GError) error = NULL;
    int pair[2];

    real->folder = g_dir_make_tmp("carrel-swtpm-XXXXXX", &error);
    g_assert_no_error(error);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    g_autofree char *state = g_strdup_printf("dir=%s", real->folder);
    const char *const arguments[] = {"swtpm",      "socket",      "--tpm2", "--terminate",
                                     "--tpmstate", state,         "--ctrl", "type=unixio,clientfd=3",
                                     "--seccomp",  "action=none", NULL};
    const int from[] = {pair[1]}, to[] = {3};
    g_spawn_async_with_pipes_and_fds(NULL, arguments, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                     -1, -1, -1, from, to, 1, &real->pid, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    close(pair[1]);
    real->control = pair[0];
}

/* Waits for its end, which is near once its control socket is closed. */
static inline void
real_swtpm_finish(RealSwtpm *real)
{
    g_autoptr(GDir) folder = g_dir_open(real->folder, 0, NULL);
    const char *name;
    int status;

    if (real->control >= 0)
        close(real->control);
    g_assert_cmpint(waitpid(real->pid, &status, 0), ==, real->pid);
    while ((name = g_dir_read_name(folder))) {
        g_autofree char *path = g_build_filename(real->folder, name, NULL);
        g_unlink(path);
    }
    g_rmdir(real->folder);
    g_free(real->folder);
}
