/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libusb's descriptors are gathered in an epoll set, which is the one that the main context watches: they come and go on any
 * thread, and the kernel keeps the set consistent.
 */
#include "usb/host/loop.h"

#include "usb/bus.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <sys/epoll.h>
#include <unistd.h>

struct UsbHostLoop {
    libusb_context *context;
    int set;
    GSource *source;
    GThread *serving; /* while libusb handles events, who does */
    void (*on_removed)(void *user, int fd);
    void *user;
};

static void
watch(int fd, short events, void *user)
{
    const UsbHostLoop *loop = user;
    struct epoll_event event = {.events = (uint32_t)events, .data.fd = fd}; /* EPOLLIN is POLLIN, and so on */

    epoll_ctl(loop->set, EPOLL_CTL_ADD, fd, &event);
}

/* libusb closes devices elsewhere; while it handles events, it lets go of those that are gone. */
static void
unwatch(int fd, void *user)
{
    UsbHostLoop *loop = user;

    epoll_ctl(loop->set, EPOLL_CTL_DEL, fd, NULL);
    if (g_atomic_pointer_get(&loop->serving) == g_thread_self())
        loop->on_removed(loop->user, fd);
}

static gboolean
serve(int fd, GIOCondition condition, gpointer user)
{
    UsbHostLoop *loop = user;
    struct timeval now = {0};

    g_atomic_pointer_set(&loop->serving, g_thread_self());
    libusb_handle_events_timeout_completed(loop->context, &now, NULL);
    g_atomic_pointer_set(&loop->serving, NULL);
    return G_SOURCE_CONTINUE;
}

UsbHostLoop *
usb_host_loop_new(GMainContext *context, void (*on_removed)(void *user, int fd), void *user, GError **error)
{
    static const struct libusb_init_option options[] = {{.option = LIBUSB_OPTION_NO_DEVICE_DISCOVERY}};
    g_autofree UsbHostLoop *loop = g_new0(UsbHostLoop, 1);
    int status = libusb_init_context(&loop->context, options, G_N_ELEMENTS(options));

    loop->set = epoll_create1(EPOLL_CLOEXEC);
    if (status != LIBUSB_SUCCESS || loop->set < 0) {
        g_set_error(error, USB_ERROR, USB_ERROR_DEVICE, "libusb cannot start: %s",
                    status != LIBUSB_SUCCESS ? libusb_strerror(status) : g_strerror(errno));
        if (status == LIBUSB_SUCCESS)
            libusb_exit(loop->context);
        g_clear_fd(&loop->set, NULL);
        return NULL;
    }
    const struct libusb_pollfd **fds = libusb_get_pollfds(loop->context);
    for (unsigned i = 0; fds && fds[i]; i++)
        watch(fds[i]->fd, fds[i]->events, loop);
    libusb_free_pollfds(fds);
    loop->on_removed = on_removed;
    loop->user = user;
    libusb_set_pollfd_notifiers(loop->context, watch, unwatch, loop);
    loop->source = g_unix_fd_source_new(loop->set, G_IO_IN);
    g_source_set_callback(loop->source, G_SOURCE_FUNC(serve), loop, NULL);
    g_source_attach(loop->source, context);
    return g_steal_pointer(&loop);
}

void
usb_host_loop_free(UsbHostLoop *loop)
{
    if (!loop)
        return;
    g_source_destroy(loop->source);
    g_source_unref(loop->source);
    libusb_set_pollfd_notifiers(loop->context, NULL, NULL, NULL);
    libusb_exit(loop->context);
    close(loop->set);
    g_free(loop);
}

libusb_context *
usb_host_loop_context(const UsbHostLoop *loop)
{
    return loop->context;
}
