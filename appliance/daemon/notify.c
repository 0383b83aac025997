/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or with @ the name of an abstract socket. */
static socklen_t
address_of(const char *name, struct sockaddr_un *address)
{
    size_t len = strlen(name);

    if ((*name != '/' && *name != '@') || len >= sizeof(address->sun_path))
        return 0;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, name, len);
    if (*name == '@')
        address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void
notify_tell(const char *what)
{
    const char *name = g_getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {0};
    socklen_t len = name ? address_of(name, &address) : 0;
    int fd = len ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

    if (fd < 0)
        return;
    if (sendto(fd, what, strlen(what), MSG_NOSIGNAL, (struct sockaddr *)&address, len) < 0)
        g_debug("systemd does not hear: %s", g_strerror(errno));
    close(fd);
}

static gboolean
feed(gpointer data)
{
    notify_tell("WATCHDOG=1");
    return G_SOURCE_CONTINUE;
}

guint
notify_feed_watchdog(void)
{
    const char *us = g_getenv("WATCHDOG_USEC");
    const char *pid = g_getenv("WATCHDOG_PID");
    guint64 interval = us ? g_ascii_strtoull(us, NULL, 10) / 1000 / 2 : 0;

    if (!interval || interval > G_MAXUINT || (pid && g_ascii_strtoull(pid, NULL, 10) != (guint64)getpid()))
        return 0;
    return g_timeout_add((guint)interval, feed, NULL);
}
