/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-console (virtio 1.2, 5.3) with named ports: the guest agents' wires.
 *
 * Each port is a byte stream with an open or closed end on both sides. A back end (SPICE's agent channel, a socket) is
 * told of the guest's data and state through ConsolePortOps. Flow control both ways: a back end takes as much as it can
 * and says when it can take more; data to the guest waits in the back end until the guest posts buffers.
 *
 * Owner of everything here: the main thread. A back end may call any function of a port from within its ops.
 */
#pragma once

#include "vmm/virtio/device.h"

#define VIRTIO_CONSOLE_PORTS_MAX 31

typedef struct VirtioConsolePort VirtioConsolePort;

typedef struct {
    /*
     * The guest wrote @len bytes. Returns how many were taken; the rest is offered again after console_port_resume().
     * Called only while the host's end is open: what the guest writes to a closed one is thrown away.
     */
    size_t (*data)(void *back_end, const void *bytes, size_t len);
    /* The guest opened or closed its end. May be NULL. */
    void (*guest_open)(void *back_end, bool open);
    /* The guest has room again after console_port_write() took less than offered. May be NULL. */
    void (*writable)(void *back_end);
} ConsolePortOps;

/* @n_ports: how many named ports may be added; 0 to VIRTIO_CONSOLE_PORTS_MAX. Each costs four file descriptors. */
VirtioDevice *virtio_console_new(const char *id, GuestMemory *memory, unsigned n_ports);
/*
 * Adds port 1, 2, … named @name (shown in the guest as /dev/virtio-ports/NAME), at most 63 bytes. Its host end is closed
 * until console_port_set_open(). Before the guest starts, and in the same order whenever its state is to be loaded.
 */
VirtioConsolePort *virtio_console_add_port(VirtioDevice *console, const char *name, const ConsolePortOps *ops,
                                           void *back_end);
/* Sends to the guest; returns the bytes taken: fewer where its buffers are full, or so small that the rest has to wait for
 * another turn of the loop; 0 while its end is closed. The back end hears of it when there is room again. */
size_t console_port_write(VirtioConsolePort *port, const void *bytes, size_t len);
/* The host's end was opened or closed (a client's agent channel came or went). */
void console_port_set_open(VirtioConsolePort *port, bool open);
/* The back end can take data again. */
void console_port_resume(VirtioConsolePort *port);
bool console_port_guest_is_open(const VirtioConsolePort *port);
/* Port 0 is the console proper (hvc0); its back end is set here, before the guest starts. Its host end is open at once. */
VirtioConsolePort *virtio_console_port0(VirtioDevice *console, const ConsolePortOps *ops, void *back_end);
