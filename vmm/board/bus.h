/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bus: which device answers which range of guest I/O ports (one bus) or guest physical addresses (another).
 *
 * vCPU threads look ranges up on every exit, so the look-up takes no lock: the ranges are a sorted array of fixed
 * capacity, read under a sequence count. Changes (a guest moving a BAR) are rare and serialised by a mutex. A device that
 * is on a bus lives as long as the bus.
 *
 * bus_read(), bus_write() and bus_answers(): any thread. The rest: any thread, serialised inside.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define BUS_MAX_RANGES 512

typedef struct Bus Bus;

/*
 * How a device answers. Called on the vCPU thread that made the access, with no lock held: the device takes its own.
 * @offset is from the range's start; @size is 1, 2, 4 or 8 and the access lies wholly inside the range. Values are
 * zero-extended little endian. Both are mandatory.
 */
typedef struct {
    uint64_t (*read)(void *device, uint64_t offset, unsigned size);
    void (*write)(void *device, uint64_t offset, unsigned size, uint64_t value);
} BusOps;

/*
 * How a bus asks for a doorbell: a write of @size bytes (0: any size) at @address that signals @eventfd without leaving
 * the kernel. NULL ops (unit tests) make the bus signal the eventfd itself. Returns 0 or a negative errno.
 */
typedef struct {
    int (*doorbell_add)(void *host, bool is_port, uint64_t address, unsigned size, int eventfd);
    int (*doorbell_remove)(void *host, bool is_port, uint64_t address, unsigned size, int eventfd);
} BusHostOps;

Bus *bus_new(bool is_port, const BusHostOps *host_ops, void *host);
void bus_free(Bus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bus, bus_free)

/* Puts a device on [base, base + size). false where it overlaps another, wraps, is empty, or the bus is full. */
bool bus_map(Bus *bus, uint64_t base, uint64_t size, const BusOps *ops, void *device);
/* Takes away the range that starts at @base. A look-up already under way may still reach the device. */
void bus_unmap(Bus *bus, uint64_t base);

int bus_doorbell_add(Bus *bus, uint64_t address, unsigned size, int eventfd);
int bus_doorbell_remove(Bus *bus, uint64_t address, unsigned size, int eventfd);

/* Whether somebody answers at @address. */
bool bus_answers(Bus *bus, uint64_t address);

/*
 * @size is 1 to 8. An access nobody answers reads as all ones and writes nowhere, as on a PC. One that crosses the end of a
 * range, or has an odd size (KVM cuts guest accesses at page ends), is done byte by byte. Addresses wrap at 2^64.
 */
uint64_t bus_read(Bus *bus, uint64_t address, unsigned size);
void bus_write(Bus *bus, uint64_t address, unsigned size, uint64_t value);
