/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A named port of the guest's console, joined to a Unix socket that serves one peer at a time.
 *
 * Owner: the main thread.
 */
#pragma once

#include "vmm/virtio/console.h"

typedef struct SocketPort SocketPort;

/* @listener becomes the port's. Before the guest starts. */
SocketPort *socket_port_new(VirtioDevice *console, const char *name, int listener);
/* Before the console is freed. */
void socket_port_free(SocketPort *port);
