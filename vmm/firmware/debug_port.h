/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port that firmware prints to for those who work on it: SeaBIOS always, OVMF where it was built for debugging. It is
 * Bochs', and reads 0xe9 where somebody listens. Register access: any thread; the rest: main thread.
 */
#pragma once

#include "vmm/board/bus.h"
#include "vmm/board/device.h"
#include "vmm/board/stream.h"

typedef struct DebugPort DebugPort;

/* @stream is taken over. What it has no room for is lost. */
DebugPort *debug_port_new(Stream *stream);

extern const BusOps debug_port_bus_ops; /* one port at BOARD_PORT_DEBUG */
extern const DeviceOps debug_port_device_ops;
