/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is told when the host cannot supply a page of guest memory any more: the saved file it is read from was cut short or
 * its disk fails, or there are no huge pages left. Whoever touches such a page gets SIGBUS, and nothing can be put in its
 * place; so the process ends, with one line that says why. A processor that meets one is told by KVM instead, and pauses the
 * machine.
 *
 * Main thread, once memory is what it will be. One desktop a process.
 */
#pragma once

#include "vmm/kvm/memory.h"

/* Takes SIGBUS. @file: what RAM is read from lazily, for the line; NULL: its pages are the host's own. */
void memory_fault_watch(const GuestMemory *memory, const char *file);

/* What is to be said of guest memory that is not there: static, "" before memory_fault_watch(). Any thread. */
const char *memory_fault_reason(void);
