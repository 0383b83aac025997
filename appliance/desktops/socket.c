/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket's address has room for 108 bytes. /proc/self/fd/N/NAME, N being the folder, always fits.
 */
#include "appliance/desktops/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
fail(GError **error, const char *folder, const char *name)
{
    int code = errno;

    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s/%s: %s", folder, name, g_strerror(code));
    return -1;
}

static int
make(const char *folder, const char *name, int *folder_fd, struct sockaddr_un *address)
{
    *folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (*folder_fd < 0)
        return -1;
    g_snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *folder_fd, name);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int
socket_listen(const char *folder, const char *name, GError **error)
{
    g_autofd int folder_fd = -1;
    struct sockaddr_un address;
    g_autofd int fd = make(folder, name, &folder_fd, &address);

    if (fd < 0)
        return fail(error, folder, name);
    unlinkat(folder_fd, name, 0);
    /* Nobody but us is in the folder; the mode is for whoever opens that to others. */
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, SOMAXCONN) < 0)
        return fail(error, folder, name);
    return g_steal_fd(&fd);
}

static bool
take_name(int fd, const char *as)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint64_t one_of_a_kind;

    g_assert(getrandom(&one_of_a_kind, sizeof one_of_a_kind, 0) == sizeof one_of_a_kind);
    int n = g_snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s-%016" PRIx64, as, one_of_a_kind);
    return bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (gsize)n)) ==
           0;
}

int
socket_connect(const char *folder, const char *name, const char *as, GError **error)
{
    g_autofd int folder_fd = -1;
    struct sockaddr_un address;
    g_autofd int fd = make(folder, name, &folder_fd, &address);

    if (fd < 0 || (as && !take_name(fd, as)) || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return fail(error, folder, name);
    return g_steal_fd(&fd);
}
