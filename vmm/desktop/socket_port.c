/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes between a console port and a stream. Neither side is read while the other has no room: from the guest what the
 * stream does not take stays in the guest's queue; from the peer at most one buffer waits here for the guest.
 */
#include "vmm/desktop/socket_port.h"
#include "vmm/board/stream.h"

#include <string.h>

#define WAITING_MAX 4096

struct SocketPort {
    VirtioConsolePort *port;
    Stream *stream;
    uint8_t waiting[WAITING_MAX]; /* from the peer, not yet taken by the guest */
    size_t n_waiting;
};

static void
feed_guest(SocketPort *port)
{
    size_t taken = console_port_write(port->port, port->waiting, port->n_waiting);

    if (!taken)
        return;
    port->n_waiting -= taken;
    memmove(port->waiting, port->waiting + taken, port->n_waiting);
    stream_resume_input(port->stream);
}

static size_t
on_guest_data(void *back_end, const void *bytes, size_t len)
{
    return stream_write(((SocketPort *)back_end)->stream, bytes, len);
}

static void
on_guest_open(void *back_end, bool open)
{
    SocketPort *port = back_end;

    if (open)
        feed_guest(port);
}

static void
on_guest_writable(void *back_end)
{
    feed_guest(back_end);
}

static const ConsolePortOps port_ops = {
    .data = on_guest_data,
    .guest_open = on_guest_open,
    .writable = on_guest_writable,
};

static size_t
on_room(void *user)
{
    return WAITING_MAX - ((SocketPort *)user)->n_waiting;
}

static void
on_input(void *user, const uint8_t *bytes, size_t len)
{
    SocketPort *port = user;

    memcpy(port->waiting + port->n_waiting, bytes, len); /* len is at most what on_room() said */
    port->n_waiting += len;
    feed_guest(port);
}

static void
on_drained(void *user)
{
    console_port_resume(((SocketPort *)user)->port);
}

static void
on_connected(void *user, bool connected)
{
    SocketPort *port = user;

    port->n_waiting = 0; /* the words of a peer that is gone are not for whoever comes next */
    console_port_set_open(port->port, connected);
}

static const StreamOps stream_ops = {
    .room = on_room,
    .input = on_input,
    .drained = on_drained,
    .connected = on_connected,
};

SocketPort *
socket_port_new(VirtioDevice *console, const char *name, int listener)
{
    SocketPort *port = g_new0(SocketPort, 1);

    port->stream = stream_new_listener(listener, NULL);
    port->port = virtio_console_add_port(console, name, &port_ops, port);
    stream_set_user(port->stream, &stream_ops, port);
    return port;
}

void
socket_port_free(SocketPort *port)
{
    if (!port)
        return;
    stream_free(port->stream);
    g_free(port);
}
