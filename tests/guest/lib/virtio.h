/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for the modern virtio PCI transport (virtio 1.2, 4.1): registers, features, status. The queues are in
 * virtqueue.h. Once virtio_find() has run, everything works in any mode.
 */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"

#define VIRTIO_PCI_VENDOR 0x1af4
#define VIRTIO_PCI_MODERN 0x1040 /* plus the device type */

#define VIRTIO_NET 1
#define VIRTIO_BLOCK 2
#define VIRTIO_CONSOLE 3
#define VIRTIO_ENTROPY 4
#define VIRTIO_BALLOON 5
#define VIRTIO_GPU 16
#define VIRTIO_INPUT 18

#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER 2
#define VIRTIO_STATUS_DRIVER_OK 4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_NEEDS_RESET 64
#define VIRTIO_STATUS_FAILED 128

#define VIRTIO_F_INDIRECT (1ull << 28)
#define VIRTIO_F_EVENT_INDEX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)
#define VIRTIO_F_PACKED (1ull << 34)
#define VIRTIO_F_RING_RESET (1ull << 40)

#define VIRTIO_NO_VECTOR 0xffff

/* Offsets in the common configuration, virtio 1.2, 4.1.4.3. */
#define VIRTIO_COMMON_DEVICE_FEATURE_SELECT 0
#define VIRTIO_COMMON_DEVICE_FEATURE 4
#define VIRTIO_COMMON_DRIVER_FEATURE_SELECT 8
#define VIRTIO_COMMON_DRIVER_FEATURE 12
#define VIRTIO_COMMON_CONFIG_VECTOR 16
#define VIRTIO_COMMON_QUEUES 18
#define VIRTIO_COMMON_STATUS 20
#define VIRTIO_COMMON_GENERATION 21
#define VIRTIO_COMMON_QUEUE_SELECT 22
#define VIRTIO_COMMON_QUEUE_SIZE 24
#define VIRTIO_COMMON_QUEUE_VECTOR 26
#define VIRTIO_COMMON_QUEUE_ENABLE 28
#define VIRTIO_COMMON_QUEUE_NOTIFY 30
#define VIRTIO_COMMON_QUEUE_DESCRIPTORS 32
#define VIRTIO_COMMON_QUEUE_DRIVER 40
#define VIRTIO_COMMON_QUEUE_DEVICE 48
#define VIRTIO_COMMON_QUEUE_RESET 58

/* The kinds of register block a virtio capability names. */
#define VIRTIO_BLOCK_COMMON 1
#define VIRTIO_BLOCK_NOTIFY 2
#define VIRTIO_BLOCK_ISR 3
#define VIRTIO_BLOCK_DEVICE 4
#define VIRTIO_BLOCK_PCI 5

typedef struct VirtioDevice {
    PciDevice pci;
    uint64_t common, notify, isr, config; /* addresses */
    uint32_t notify_multiplier;
    uint32_t config_length;
    uint64_t features; /* as negotiated */
} VirtioDevice;

/* The n-th device of the type on the bus, enabled and its blocks found; not reset. Kernel mode. */
bool virtio_find(uint16_t type, unsigned n, VirtioDevice *device);

/* Writes 0 to the status and waits for it to read 0; false after a second. */
bool virtio_reset(VirtioDevice *device);

/*
 * Reset, ACKNOWLEDGE, DRIVER, then what of `wanted` is offered, FEATURES_OK. VERSION_1 is always wanted.
 * false when the device does not keep FEATURES_OK.
 */
bool virtio_negotiate(VirtioDevice *device, uint64_t wanted);

/* Writes features as they are, offered or not, and FEATURES_OK; returns whether the device kept it. */
bool virtio_accept(VirtioDevice *device, uint64_t features);

void virtio_driver_ok(VirtioDevice *device);

uint64_t virtio_offered(VirtioDevice *device);
uint8_t virtio_status(VirtioDevice *device);
void virtio_set_status(VirtioDevice *device, uint8_t status);
bool virtio_needs_reset(VirtioDevice *device);
unsigned virtio_queues(VirtioDevice *device);
uint16_t virtio_queue_size(VirtioDevice *device, uint16_t queue);

/* A field of the device's own configuration. */
uint8_t virtio_config8(VirtioDevice *device, unsigned offset);
uint16_t virtio_config16(VirtioDevice *device, unsigned offset);
uint32_t virtio_config32(VirtioDevice *device, unsigned offset);
uint64_t virtio_config64(VirtioDevice *device, unsigned offset);

/* The address where a queue is notified. */
uint64_t virtio_notify_address(VirtioDevice *device, uint16_t queue);

#endif
