/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a transport (virtio/pci.c, or the test driver) does with a virtio device and its queues.
 *
 * The transport decodes the driver's register accesses and calls these; the rules of virtio 1.2, 2 and 3 (what may be
 * written when, what a reset undoes, when the class starts and stops) live behind them, once for every transport.
 *
 * Threads: any, with the device's lock held, unless a comment says otherwise.
 */
#pragma once

#include "vmm/virtio/device.h"

/* --- the device ----------------------------------------------------------------------------------------------- */

/* Before the first access: who is told of used buffers and configuration changes. Takes no lock. */
void virtio_device_attach(VirtioDevice *device, const VirtioTransportOps *ops, void *transport);

/* The status register, NEEDS_RESET included. */
uint8_t virtio_device_status(const VirtioDevice *device);
/*
 * The driver writes the status register. 0 resets the device: when this returns the class has stopped and forgotten
 * everything. FEATURES_OK sticks only where the accepted features are allowed. Bits once set stay set until reset.
 */
void virtio_device_set_status(VirtioDevice *device, uint8_t status);
/* The driver accepts @features; without effect after FEATURES_OK. */
void virtio_device_accept(VirtioDevice *device, uint64_t features);

/* Bytes beyond the class's configuration read as zero, and writes there go nowhere. Any @offset and @len. */
void virtio_device_config_read(VirtioDevice *device, uint32_t offset, void *to, uint32_t len);
void virtio_device_config_write(VirtioDevice *device, uint32_t offset, const void *from, uint32_t len);

/* The machine's reset: the same as the driver's. */
void virtio_device_reset(VirtioDevice *device);
/* The machine brings the device to rest, and lets it go on (virtio 1.2 has no word for it; the driver sees nothing). */
void virtio_device_quiesce(VirtioDevice *device);
void virtio_device_resume(VirtioDevice *device);

/* The common part and the class's (object: the device). Loading needs a device that was reset; then resume it. */
extern const StateTable virtio_device_state;

/* --- its queues ----------------------------------------------------------------------------------------------- */

/* What the driver says of a queue before it enables it. */
typedef struct {
    uint64_t descriptors; /* guest physical addresses of the three areas (virtio 1.2, 2.6) */
    uint64_t driver;
    uint64_t device;
    uint16_t size; /* slots; the device's maximum until the driver writes another */
} VirtQueueSetup;

/* @size: the most slots the driver may ask for. */
VirtQueue *virtqueue_new(VirtioDevice *device, unsigned index, uint16_t size);
void virtqueue_free(VirtQueue *queue);

const VirtQueueSetup *virtqueue_setup(const VirtQueue *queue);
/* Without effect once the queue is enabled. */
void virtqueue_set_setup(VirtQueue *queue, const VirtQueueSetup *setup);
/*
 * The driver enables the queue. Checks sizes, alignment and that the rings lie in RAM, and resolves them; what does not
 * fit breaks the device. Without effect once enabled, or after DRIVER_OK.
 */
void virtqueue_enable(VirtQueue *queue);
/* The eventfd that interrupts the guest for this queue; -1: none. Owned by the transport. Before DRIVER_OK. */
void virtqueue_set_call_fd(VirtQueue *queue, int fd);
