/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mass storage on USB: a disk or a CD-ROM drive behind the bulk-only transport (MSC BOT 1.0), high speed.
 *
 * Data goes between the image and guest memory without a copy. What the host's storage does wrong the guest sees as a
 * medium error.
 *
 * Owner: the USB thread; making one: any thread.
 */
#pragma once

#include "usb/storage/medium.h"

/* @medium, the device's from here on: NULL only for a CD-ROM drive, which is empty then. @serial NULL: @id. */
UsbDevice *usb_storage_new(const char *id, bool cd, Medium *medium, const char *serial);

bool usb_storage_is_drive(const UsbDevice *device); /* a disk or a CD-ROM drive */
bool usb_storage_is_cd(const UsbDevice *device);    /* false for a device of another kind too */
/* What is in the drive; NULL: nothing. */
const char *usb_storage_medium(const UsbDevice *device);

/* Work on its image is under way: it must not be freed now. */
bool usb_storage_is_busy(const UsbDevice *device);

/* Puts @medium, the drive's from here on also on failure, into an empty CD-ROM drive. */
bool usb_storage_insert(UsbDevice *device, Medium *medium, GError **error);
/*
 * Takes the medium out. A guest that has locked it is asked to let go, and it is an error; @force takes it anyway, as
 * somebody with a paper clip would.
 */
bool usb_storage_eject(UsbDevice *device, bool force, GError **error);
