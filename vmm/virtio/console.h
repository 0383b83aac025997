/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-console (virtio 1.2, 5.3) with named ports: the guest agents' wires.
 *
 * Each port is a byte stream with an open or closed end on both sides. A back end (SPICE's agent channel, a socket) is
 * told of the guest's data and state through ConsolePortOps. Flow control both ways: a back end takes as much as it can
 * and says when it can take more; data to the guest waits in the back end until the guest posts buffers.
 *
 * Owner of everything here: the main thread.
 */
#pragma once

#include "vmm/virtio/device.h"

#define VIRTIO_CONSOLE_PORTS_MAX 31

typedef struct VirtioConsolePort VirtioConsolePort;

typedef struct {
    /* The guest wrote @len bytes. Returns how many were taken; the rest is offered again after console_port_resume(). */
    size_t (*data)(void *back_end, const void *bytes, size_t len);
    /* The guest opened or closed its end. May be NULL. */
    void (*guest_open)(void *back_end, bool open);
    /* The guest has room again after console_port_write() took less than offered. May be NULL. */
    void (*writable)(void *back_end);
} ConsolePortOps;

VirtioDevice *virtio_console_new(const char *id, GuestMemory *memory);
/* Adds port 1, 2, … named @name (shown in the guest as /dev/virtio-ports/NAME). Before the guest starts. */
VirtioConsolePort *virtio_console_add_port(VirtioDevice *console, const char *name, const ConsolePortOps *ops,
                                           void *back_end);
/* Sends to the guest; returns the bytes taken, 0 while the guest's end is closed or it posted no buffers. */
size_t console_port_write(VirtioConsolePort *port, const void *bytes, size_t len);
/* The host's end was opened or closed (a client's agent channel came or went). */
void console_port_set_open(VirtioConsolePort *port, bool open);
/* The back end can take data again. */
void console_port_resume(VirtioConsolePort *port);
bool console_port_guest_is_open(const VirtioConsolePort *port);
/* Port 0 is the console proper (hvc0); its back end is set here. */
VirtioConsolePort *virtio_console_port0(VirtioDevice *console, const ConsolePortOps *ops, void *back_end);
