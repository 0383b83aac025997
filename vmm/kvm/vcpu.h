/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One virtual processor: its descriptor and shared page, and its time inside the guest. Its thread and when it runs are
 * vcpus.c's.
 */
#pragma once

#include "vmm/board/bus.h"
#include "vmm/board/machine.h"
#include "vmm/kvm/vcpus.h"

#include <linux/kvm.h>

typedef struct {
    unsigned index;
    int fd;
    struct kvm_run *run; /* shared with KVM, @run_size bytes; the thread's while it runs */
    size_t run_size;
    Bus *ports;
    Bus *addresses;
    Bus *smm; /* NULL: none */
    Machine *machine;
    uint64_t exits[VCPU_EXITS]; /* atomic, relaxed */
    int64_t fault_logged;       /* when, in µs of the monotonic clock; 0: never */
} Vcpu;

typedef enum {
    VCPU_STOP_KICKED, /* called out; no exit is half done */
    VCPU_STOP_RESET,  /* shut down: goes on only after a reset */
    VCPU_STOP_ERROR,  /* KVM cannot go on */
} VcpuStop;

bool vcpu_init(Vcpu *vcpu, unsigned index, int kvm_fd, int vm_fd, GError **error);
void vcpu_finish(Vcpu *vcpu);

/* Runs the guest until there is a reason to stop, and has told the machine of it. The processor's thread. */
VcpuStop vcpu_run(Vcpu *vcpu);

/*
 * Makes vcpu_run() return soon, now and each time it is called, until vcpu_allow(). The thread must get a signal after
 * vcpu_forbid(), since it may be inside the guest. Any thread.
 */
void vcpu_forbid(Vcpu *vcpu);
void vcpu_allow(Vcpu *vcpu);
