/* SPDX-License-Identifier: Apache-2.0 */
/* The modern PCI transport: capabilities, feature negotiation, status (virtio 1.2, 3.1 and 4.1). */
#include "virtio.h"
#include "clock.h"
#include "cpu.h"

static uint64_t
bar_address(const PciDevice *pci, unsigned index)
{
    uint32_t low = pci_read(pci, PCI_BAR0 + 4 * index, 4);
    uint64_t high = (low & 6) == 4 ? pci_read(pci, PCI_BAR0 + 4 * index + 4, 4) : 0;

    return high << 32 | (low & ~0xfu);
}

static void
find_blocks(VirtioDevice *device)
{
    unsigned at = 0;

    while ((at = pci_capability(&device->pci, PCI_CAPABILITY_VENDOR, at))) {
        unsigned kind = pci_read(&device->pci, at + 3, 1);
        unsigned bar = pci_read(&device->pci, at + 4, 1);
        if (kind < VIRTIO_BLOCK_COMMON || kind > VIRTIO_BLOCK_DEVICE)
            continue;
        uint64_t address = bar_address(&device->pci, bar) + pci_read(&device->pci, at + 8, 4);
        if (kind == VIRTIO_BLOCK_COMMON) {
            device->common = address;
        } else if (kind == VIRTIO_BLOCK_NOTIFY) {
            device->notify = address;
            device->notify_multiplier = pci_read(&device->pci, at + 16, 4);
        } else if (kind == VIRTIO_BLOCK_ISR) {
            device->isr = address;
        } else {
            device->config = address;
            device->config_length = pci_read(&device->pci, at + 12, 4);
        }
    }
}

bool
virtio_find(uint16_t type, unsigned n, VirtioDevice *device)
{
    *device = (VirtioDevice){0};
    if (!pci_find(VIRTIO_PCI_VENDOR, VIRTIO_PCI_MODERN + type, n, &device->pci))
        return false;
    pci_enable(&device->pci);
    find_blocks(device);
    return device->common && device->notify && device->isr;
}

uint8_t
virtio_status(VirtioDevice *device)
{
    return mmio_read8(device->common + VIRTIO_COMMON_STATUS);
}

void
virtio_set_status(VirtioDevice *device, uint8_t status)
{
    mmio_write8(device->common + VIRTIO_COMMON_STATUS, status);
}

bool
virtio_reset(VirtioDevice *device)
{
    uint64_t deadline = clock_ns() + SECONDS(1);

    virtio_set_status(device, 0);
    while (virtio_status(device)) {
        if (clock_ns() > deadline)
            return false;
    }
    return true;
}

uint64_t
virtio_offered(VirtioDevice *device)
{
    uint64_t features;

    mmio_write32(device->common + VIRTIO_COMMON_DEVICE_FEATURE_SELECT, 0);
    features = mmio_read32(device->common + VIRTIO_COMMON_DEVICE_FEATURE);
    mmio_write32(device->common + VIRTIO_COMMON_DEVICE_FEATURE_SELECT, 1);
    return features | (uint64_t)mmio_read32(device->common + VIRTIO_COMMON_DEVICE_FEATURE) << 32;
}

bool
virtio_accept(VirtioDevice *device, uint64_t features)
{
    device->features = features;
    mmio_write32(device->common + VIRTIO_COMMON_DRIVER_FEATURE_SELECT, 0);
    mmio_write32(device->common + VIRTIO_COMMON_DRIVER_FEATURE, features);
    mmio_write32(device->common + VIRTIO_COMMON_DRIVER_FEATURE_SELECT, 1);
    mmio_write32(device->common + VIRTIO_COMMON_DRIVER_FEATURE, features >> 32);
    virtio_set_status(device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK);
    return virtio_status(device) & VIRTIO_STATUS_FEATURES_OK;
}

bool
virtio_negotiate(VirtioDevice *device, uint64_t wanted)
{
    if (!virtio_reset(device))
        return false;
    virtio_set_status(device, VIRTIO_STATUS_ACKNOWLEDGE);
    virtio_set_status(device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    return virtio_accept(device, virtio_offered(device) & (wanted | VIRTIO_F_VERSION_1));
}

void
virtio_driver_ok(VirtioDevice *device)
{
    virtio_set_status(device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK |
                                  VIRTIO_STATUS_DRIVER_OK);
}

bool
virtio_needs_reset(VirtioDevice *device)
{
    return virtio_status(device) & VIRTIO_STATUS_NEEDS_RESET;
}

unsigned
virtio_queues(VirtioDevice *device)
{
    return mmio_read16(device->common + VIRTIO_COMMON_QUEUES);
}

uint16_t
virtio_queue_size(VirtioDevice *device, uint16_t queue)
{
    mmio_write16(device->common + VIRTIO_COMMON_QUEUE_SELECT, queue);
    return mmio_read16(device->common + VIRTIO_COMMON_QUEUE_SIZE);
}

uint64_t
virtio_notify_address(VirtioDevice *device, uint16_t queue)
{
    mmio_write16(device->common + VIRTIO_COMMON_QUEUE_SELECT, queue);
    uint16_t offset = mmio_read16(device->common + VIRTIO_COMMON_QUEUE_NOTIFY);
    return device->notify + (uint64_t)offset * device->notify_multiplier;
}

uint8_t
virtio_config8(VirtioDevice *device, unsigned offset)
{
    return mmio_read8(device->config + offset);
}

uint16_t
virtio_config16(VirtioDevice *device, unsigned offset)
{
    return mmio_read16(device->config + offset);
}

uint32_t
virtio_config32(VirtioDevice *device, unsigned offset)
{
    return mmio_read32(device->config + offset);
}

uint64_t
virtio_config64(VirtioDevice *device, unsigned offset)
{
    uint8_t generation;
    uint64_t value;

    do {
        generation = mmio_read8(device->common + VIRTIO_COMMON_GENERATION);
        value = virtio_config32(device, offset) | (uint64_t)virtio_config32(device, offset + 4) << 32;
    } while (generation != mmio_read8(device->common + VIRTIO_COMMON_GENERATION));
    return value;
}
