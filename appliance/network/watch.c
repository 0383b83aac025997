/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/network/watch.h"

#include <errno.h>
#include <glib-unix.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTLE_MS 500
#define TABLE_DELETED ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_DELTABLE)

struct NetworkWatch {
    void (*changed)(void *user);
    void *user;
    int sockets[2]; /* firewall, routes; -1: the kernel does not tell */
    guint sources[2];
    guint settling; /* the source of the call to come, or 0 */
};

/* A socket on which the kernel tells of one group's events. */
static int
listen_to(int protocol, int group)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    g_autofd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
        return -1;
    return g_steal_fd(&fd);
}

static bool
matters(const struct nlmsghdr *header)
{
    return header->nlmsg_type == TABLE_DELETED || header->nlmsg_type == RTM_NEWROUTE ||
           header->nlmsg_type == RTM_DELROUTE;
}

/* Reads all there is. When there was too much to keep, something of it may have mattered. */
static bool
read_events(int fd)
{
    _Alignas(struct nlmsghdr) char buffer[16384];
    bool any = false;
    ssize_t got;

    while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0 || (got < 0 && (errno == ENOBUFS || errno == EINTR))) {
        any |= got < 0 && errno == ENOBUFS;
        size_t left = got > 0 ? (size_t)got : 0;
        for (struct nlmsghdr *header = (struct nlmsghdr *)buffer; NLMSG_OK(header, left);
             header = NLMSG_NEXT(header, left))
            any |= matters(header);
    }
    return any;
}

static gboolean
on_settled(gpointer data)
{
    NetworkWatch *watch = data;

    watch->settling = 0;
    watch->changed(watch->user);
    return G_SOURCE_REMOVE;
}

static gboolean
on_event(int fd, GIOCondition condition, gpointer data)
{
    NetworkWatch *watch = data;

    if (read_events(fd) && !watch->settling)
        watch->settling = g_timeout_add(SETTLE_MS, on_settled, watch);
    return G_SOURCE_CONTINUE;
}

NetworkWatch *
network_watch_new(void (*changed)(void *user), void *user)
{
    NetworkWatch *watch = g_new0(NetworkWatch, 1);

    watch->changed = changed;
    watch->user = user;
    watch->sockets[0] = listen_to(NETLINK_NETFILTER, NFNLGRP_NFTABLES);
    watch->sockets[1] = listen_to(NETLINK_ROUTE, RTNLGRP_IPV4_ROUTE);
    for (unsigned i = 0; i < G_N_ELEMENTS(watch->sockets); i++)
        if (watch->sockets[i] >= 0)
            watch->sources[i] = g_unix_fd_add(watch->sockets[i], G_IO_IN, on_event, watch);
    return watch;
}

void
network_watch_free(NetworkWatch *watch)
{
    if (!watch)
        return;
    for (unsigned i = 0; i < G_N_ELEMENTS(watch->sockets); i++) {
        g_clear_handle_id(&watch->sources[i], g_source_remove);
        if (watch->sockets[i] >= 0)
            close(watch->sockets[i]);
    }
    g_clear_handle_id(&watch->settling, g_source_remove);
    g_free(watch);
}
