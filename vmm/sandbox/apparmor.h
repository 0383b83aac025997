/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AppArmor's profile carrel-vmm (appliance/apparmor/carrel), which the desktop process takes on by itself as the last step of
 * its confinement. Descriptors that were opened before a profile came are read and written without a rule, so this one names no
 * file, wherever a host keeps its disks; one that counted from exec on would have to allow all that the keeper opens and mounts.
 *
 * What is asked about by path all the same is fstat(2), which it allows, and ftruncate(2), which it does not: only saving to a disk
 * that is full truncates, and whoever asked for that removes the file.
 */
#pragma once

#include <stdbool.h>

#define APPARMOR_PROFILE "carrel-vmm"

/* While there is a /proc. -1: this kernel has no AppArmor. */
int apparmor_open(void);
/* The thread, and those it starts later. Takes @fd over. false: there is AppArmor, and the profile is not loaded or not to be had. */
bool apparmor_enter(int fd);
