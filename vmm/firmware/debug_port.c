/* SPDX-License-Identifier: Apache-2.0 */
/* The debug port: see debug_port.h. It has no state. */
#include "vmm/firmware/debug_port.h"

#define SOMEBODY_LISTENS 0xe9

struct DebugPort {
    Stream *stream;
};

static uint64_t
debug_port_read(void *device, uint64_t offset, unsigned size)
{
    return SOMEBODY_LISTENS;
}

static void
debug_port_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    DebugPort *port = device;
    uint8_t byte = value;

    stream_write(port->stream, &byte, 1);
}

const BusOps debug_port_bus_ops = {debug_port_read, debug_port_write};

DebugPort *
debug_port_new(Stream *stream)
{
    DebugPort *port = g_new0(DebugPort, 1);
    port->stream = stream;
    return port;
}

static void
debug_port_free(void *device)
{
    DebugPort *port = device;
    if (!port)
        return;
    stream_free(port->stream);
    g_free(port);
}

const DeviceOps debug_port_device_ops = {.name = "debug-port", .free = debug_port_free};
