/* SPDX-License-Identifier: Apache-2.0 */
/* One packet a message, with at most one descriptor; what comes otherwise is closed and passed over. */
#include "usb/host/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool
usb_host_send(int socket, UsbHostVerb verb, const char *wish, const char *text, int fd)
{
    UsbHostMessage message = {.verb = verb};
    struct iovec iov = {&message, sizeof(message)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr packet = {.msg_iov = &iov, .msg_iovlen = 1};

    g_strlcpy(message.wish, wish, sizeof(message.wish));
    if (text)
        g_strlcpy(message.text, text, sizeof(message.text));
    if (fd >= 0) {
        packet.msg_control = &control;
        packet.msg_controllen = sizeof(control.bytes);
        control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    return sendmsg(socket, &packet, MSG_NOSIGNAL) == sizeof(message);
}

/* The one descriptor that came with @packet, or -1. Others than one are not taken. */
static int
take_fd(struct msghdr *packet)
{
    int fd = -1;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(packet); header; header = CMSG_NXTHDR(packet, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
            header->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

UsbHostReceived
usb_host_receive(int socket, UsbHostMessage *message, int *fd)
{
    struct iovec iov = {message, sizeof(*message)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;

    for (;;) {
        struct msghdr packet = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.bytes)};
        ssize_t len = recvmsg(socket, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            return USB_HOST_NOTHING;
        if (len <= 0)
            return USB_HOST_END;
        *fd = take_fd(&packet);
        if (len == sizeof(*message) && !(packet.msg_flags & MSG_TRUNC) &&
            memchr(message->wish, '\0', sizeof(message->wish)) && memchr(message->text, '\0', sizeof(message->text)))
            return USB_HOST_MESSAGE;
        if (*fd >= 0)
            close(*fd);
    }
}
