/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A serial port: the 16550A of a PC (National Semiconductor PC16550D), talking to a Stream.
 *
 * Bytes take no time on the wire: what the guest writes is in the stream's buffer before the next instruction, and where
 * that is full the transmitter stays busy until the host has read, so nothing is lost to a guest that looks. Input comes as
 * fast as the guest takes it from the receive FIFO. Register access: any thread, under the device's own lock. The rest:
 * main thread.
 */
#pragma once

#include "vmm/board/bus.h"
#include "vmm/board/device.h"
#include "vmm/board/irq.h"
#include "vmm/board/stream.h"

#define UART_PORTS 8

typedef struct Uart Uart;

/* Takes over @stream; NULL: nothing is connected, and what is written goes nowhere. */
Uart *uart_new(const IrqController *irq, unsigned gsi, Stream *stream);

extern const BusOps uart_bus_ops; /* UART_PORTS ports */
extern const DeviceOps uart_device_ops;
