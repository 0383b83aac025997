/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes that are thin volumes of an LVM pool, made and steered by the lvm(8) program and marked with the tag "carrel". Clones
 * are thin snapshots, which need no room until they differ; sizes are multiples of the group's extents.
 */
#pragma once

#include "appliance/storage/volumes.h"

/*
 * The group and its pool are there. @lock: a descriptor that the commands hold with us. The pool is told to fail writes at
 * once when it is full, which pauses desktops, instead of holding them up.
 */
Volumes *lvm_new(const StorageConfig *config, int lock, GError **error);

/* What lvm's --config needs on a host where no udev makes device nodes; "" where it runs. */
const char *lvm_without_udev(void);
