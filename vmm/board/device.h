/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine asks of every device, whatever bus it sits on.
 *
 * vmm/desktop/assembly.c puts devices in one table in start order. The machine walks the table forward to reset, resume and load, and
 * backward to quiesce, save and free. All calls come on the main thread while no vCPU runs, so no device is being accessed.
 */
#pragma once

#include "vmm/state/state.h"

typedef struct {
    const char *name; /* of the kind: "rtc", "virtio-blk" */
    /* Back to power-on. May be NULL. */
    void (*reset)(void *device);
    /*
     * Bring work in flight to rest: complete it, or park it so that the saved state holds it. When it returns, nothing
     * touches guest memory or the device's fields until resume. May be NULL where the device has no work of its own.
     */
    void (*quiesce)(void *device);
    /* The opposite, after a pause or a load. May be NULL where quiesce is. */
    void (*resume)(void *device);
    /* Its saved state; NULL where it has none. */
    const StateTable *state;
    void (*free)(void *device);
} DeviceOps;
