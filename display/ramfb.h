/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ramfb: the firmware's screen, a picture in guest memory whose place the guest writes into the fw_cfg file "etc/ramfb"
 * (its layout is QEMU's, below).
 *
 * It is what the first scanout shows while virtio-gpu's driver has shown nothing (screen_set_fallback()). The guest does not
 * say what it draws, so the picture is looked at: every 40 ms while it changes, every 200 ms once it has been still for two
 * seconds, and not at all while virtio-gpu has the screen, nobody views it, or the machine rests.
 *
 * The file is hostile: a place outside RAM, a size or a format that is none shows nothing.
 */
#pragma once

#include "display/scanout.h"
#include "vmm/board/device.h"
#include "vmm/firmware/fw_cfg.h"

#define RAMFB_FILE "etc/ramfb"
#define RAMFB_FILE_SIZE 28 /* bytes: address 8, format, flags, width, height, stride 4 each; big endian */

typedef struct Ramfb Ramfb;

/*
 * Adds the file. @context runs on one thread, which looks at the picture and is stopped before the ramfb is freed. The other
 * three outlive it.
 */
Ramfb *ramfb_new(FwCfg *fw_cfg, GuestMemory *memory, Screen *screen, GMainContext *context);

/* For the machine's table, which owns it; after fw_cfg's, whose file says the rest when a saved desktop is loaded. */
extern const DeviceOps ramfb_device_ops;
