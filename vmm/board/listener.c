/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making Unix sockets that nobody else can have opened, and telling a live socket from one left behind.
 */
#include "vmm/board/listener.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static bool
somebody_listens(const struct sockaddr_un *address)
{
    g_autofd int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return probe >= 0 && (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN);
}

/* bind() obeys the file mode creation mask: set for this call, since the mode must be right from the first instant. */
static int
bind_private(const struct sockaddr_un *address)
{
    g_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    mode_t mask = umask(0177);
    int status = bind(fd, (const struct sockaddr *)address, sizeof(*address));
    umask(mask);
    if (status < 0 || listen(fd, 16) < 0)
        return -1;
    return g_steal_fd(&fd);
}

/* Why the path cannot be had although nobody may be using it; on true it has been freed. */
static bool
clear_stale(const char *path, const struct sockaddr_un *address, GError **error)
{
    struct stat st;

    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST, "%s: exists and is not a socket", path);
        return false;
    }
    if (somebody_listens(address)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
                    "%s: in use: another program listens there; stop it or choose another path", path);
        return false;
    }
    g_unlink(path);
    return true;
}

int
listener_new(const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NAMETOOLONG, "%s: a socket's path has at most %zu bytes", path,
                    sizeof(address.sun_path) - 1);
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = bind_private(&address);
    if (fd < 0 && errno == EADDRINUSE) {
        if (!clear_stale(path, &address, error))
            return -1;
        fd = bind_private(&address);
    }
    if (fd < 0)
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: cannot make the socket: %s", path,
                    g_strerror(errno));
    return fd;
}

bool
listener_check(int fd, bool *listening)
{
    int type = 0, accepts = 0;
    struct sockaddr_storage peer;
    socklen_t len = sizeof(int), peer_len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) < 0)
        return false;
    *listening = accepts;
    return accepts || getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0;
}
