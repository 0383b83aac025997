/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/network/tap.h"

#include "appliance/network/network.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* @flags: IFF_TUN_EXCL for the first one, so that it is nobody else's. -1 with errno. */
static int
open_queue(const char *name, unsigned flags)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE | flags};
    g_autofd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
    return fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0 ? g_steal_fd(&fd) : -1;
}

bool
network_tap_open(const char *name, unsigned n, int *fds, GError **error)
{
    for (unsigned i = 0; i < n; i++) {
        fds[i] = open_queue(name, i ? 0 : IFF_TUN_EXCL);
        if (fds[i] >= 0)
            continue;
        g_set_error(error, NETWORK_ERROR, errno == EBUSY ? NETWORK_ERROR_TAKEN : NETWORK_ERROR_UNAVAILABLE,
                    "the tap interface %s cannot be made: %s", name,
                    errno == EBUSY ? "there is one already" : g_strerror(errno));
        while (i--)
            close(fds[i]);
        return false;
    }
    return true;
}

unsigned
network_mtu(const char *name)
{
    struct ifreq request = {0};
    g_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
    return fd >= 0 && ioctl(fd, SIOCGIFMTU, &request) == 0 ? request.ifr_mtu : 0;
}
