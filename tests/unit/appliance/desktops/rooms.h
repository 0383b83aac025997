/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stand-ins for appliance/storage and appliance/network, for tests of appliance/desktops alone: disks are files DESKTOP.PLACE in
 * a folder, discs are IMAGE.iso there, and there is one network, of the type passt. Each call that changes something is noted.
 */
#pragma once

#include "appliance/network/network.h"
#include "appliance/storage/storage.h"

struct Storage {
    char *folder;
    GString *calls;      /* "make DESKTOP 0 IMAGE SIZE\n", "delete DESKTOP\n", … */
    const char *refusal; /* what the next call that makes or copies something fails with, once; NULL: nothing */
};

Storage *rooms_storage_new(const char *folder);
void rooms_storage_free(Storage *storage);
Networks *rooms_networks(void);
