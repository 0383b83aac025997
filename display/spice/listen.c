/* SPDX-License-Identifier: Apache-2.0 */
/* Loopback TCP for the demo and for tests: nothing here listens to the network. */
#include "display/spice/server.h"

#include <errno.h>
#include <unistd.h>

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <sys/socket.h>

/* The address in the kernel's form; NULL with an error where it is none of loopback's. */
static GSocketAddress *
loopback_address(const char *address, uint16_t port, GError **error)
{
    g_autoptr(GInetAddress) inet = g_inet_address_new_from_string(address);

    if (!inet || !g_inet_address_get_is_loopback(inet)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "SPICE cannot listen on %s: only on a loopback address such as 127.0.0.1", address);
        return NULL;
    }
    return g_inet_socket_address_new(inet, port);
}

int
spice_display_listen(const char *address, uint16_t port, GError **error)
{
    g_autoptr(GSocketAddress) where = loopback_address(address, port, error);
    struct sockaddr_storage native;

    if (!where)
        return -1;
    g_socket_address_to_native(where, &native, sizeof native, NULL);
    g_autofd int fd = socket(native.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
        bind(fd, (struct sockaddr *)&native, (socklen_t)g_socket_address_get_native_size(where)) < 0 ||
        listen(fd, SOMAXCONN) < 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "SPICE cannot listen on %s port %u: %s", address,
                    port, g_strerror(errno));
        return -1;
    }
    return g_steal_fd(&fd);
}
