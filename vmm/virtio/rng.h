/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-rng (virtio 1.2, 5.4): entropy for the guest. Owner: the main thread. */
#pragma once

#include "vmm/virtio/device.h"

VirtioDevice *virtio_rng_new(const char *id, GuestMemory *memory);
