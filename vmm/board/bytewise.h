/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wide accesses to byte-wide devices: an ISA bus splits them into one access a byte, lowest address first. For BusOps of
 * devices that think in bytes.
 */
#pragma once

#include <stdint.h>

static inline uint64_t
bytewise_read(void *device, uint64_t offset, unsigned size, uint8_t (*read)(void *device, uint64_t offset))
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)read(device, offset + i) << 8 * i;
    return value;
}

static inline void
bytewise_write(void *device, uint64_t offset, unsigned size, uint64_t value,
               void (*write)(void *device, uint64_t offset, uint8_t value))
{
    for (unsigned i = 0; i < size; i++)
        write(device, offset + i, value >> 8 * i);
}
