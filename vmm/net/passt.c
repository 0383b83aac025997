/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting passt(1): the host's own network for a guest, without any privilege.
 *
 * passt gets one end of a socket pair and goes into the background once it is ready, so its exit status tells whether it
 * started, and what it printed tells why not. It ends when the socket does: with the card, or with this process, however
 * that ends. The guest reaches the host's network but not the host's own loopback services.
 */
#include "vmm/net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SOCKET 3
#define WORDS_MAX 1024 /* of what passt printed */

extern char **environ;

/* Spawns passt with @socket_fd as its descriptor 3 and @words_fd as standard error. An errno. */
static int
spawn(int socket_fd, int words_fd, pid_t *child)
{
    static const char *const arguments[] = {"passt", "--quiet", "--no-map-gw", "--fd", G_STRINGIFY(CHILD_SOCKET), NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, pipe_only;

    /* This process holds its signals back and ignores SIGPIPE; passt is to end by them as any other program. */
    sigemptyset(&none);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &pipe_only);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, words_fd, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, socket_fd, CHILD_SOCKET);
    int result = posix_spawnp(child, arguments[0], &actions, &attributes, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return result;
}

/* The last line of what it printed before it ended or went into the background. */
static char *
last_words(int fd)
{
    char words[WORDS_MAX];
    size_t len = 0;
    ssize_t got;

    while (len < sizeof(words) - 1 && (got = read(fd, words + len, sizeof(words) - 1 - len)) != 0) {
        if (got > 0)
            len += got;
        else if (errno != EINTR)
            break;
    }
    words[len] = 0;
    g_strchomp(words);
    const char *line = strrchr(words, '\n');
    return g_strdup(line ? line + 1 : words);
}

/* Waits until passt is ready or has given up. */
static bool
wait_ready(pid_t child, int words_fd, GError **error)
{
    g_autofree char *words = last_words(words_fd);
    int status;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    g_set_error(error, NET_ERROR, NET_ERROR_PASST, "passt does not start: %s", *words ? words : "it says nothing");
    return false;
}

NetBackend *
net_backend_passt_new(GError **error)
{
    g_autofd int ours = -1, theirs = -1, words = -1, words_in = -1;
    int pair[2], pipes[2];
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        g_set_error(error, NET_ERROR, NET_ERROR_PASST, "no socket for passt: %s", g_strerror(errno));
        return NULL;
    }
    ours = pair[0], theirs = pair[1];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        g_set_error(error, NET_ERROR, NET_ERROR_PASST, "no pipe for passt: %s", g_strerror(errno));
        return NULL;
    }
    words = pipes[0], words_in = pipes[1];
    int result = spawn(theirs, words_in, &child);
    if (result) {
        g_set_error(error, NET_ERROR, NET_ERROR_PASST, "cannot run passt: %s%s", g_strerror(result),
                    result == ENOENT ? ": install it (apt-get install passt), or use backend=tap" : "");
        return NULL;
    }
    close(g_steal_fd(&words_in));
    close(g_steal_fd(&theirs));
    if (!wait_ready(child, words, error))
        return NULL;
    return stream_backend_new(g_steal_fd(&ours), "passt");
}
