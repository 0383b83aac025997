/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AppArmor for the programs that the daemon starts: a profile that counts from a process's next execve(2) on. The profiles are in
 * the file carrel beside this. carrel-vmm takes on its own by itself (vmm/sandbox/apparmor.h).
 *
 * What libapparmor's aa_change_onexec() writes, without its allocations: these are for the moments between fork and exec, where a
 * process that had threads makes system calls and nothing else, and for one whose /proc is about to go.
 */
#pragma once

/* A desktop's swtpm; qemu-img on what people upload. */
#define APPARMOR_TPM "carrel-tpm"
#define APPARMOR_IMPORT "carrel-import"

/* In the thread that will call execve(2). -1: this kernel has no AppArmor. */
int apparmor_open_on_exec(void);
/*
 * Takes @fd over, which may be -1. Where there is no AppArmor, or the profile is not loaded, the program runs without it: `carrel
 * doctor` tells who runs the host.
 */
void apparmor_on_exec(int fd, const char *profile);
