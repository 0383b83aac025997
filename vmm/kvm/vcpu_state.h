/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a virtual processor is, read from KVM and written back: for saving, for loading, and for a reset, which loads
 * what KVM made the processor with.
 *
 * The processor is outside the guest, with no exit half done, whenever these are called. Owner: the main thread.
 */
#pragma once

#include "vmm/state/state.h"

#include <linux/kvm.h>

typedef struct {
    uint32_t index;
    uint64_t value;
} VcpuMsr;

typedef struct {
    struct kvm_mp_state mp;
    struct kvm_regs regs;
    struct kvm_sregs2 sregs;
    struct kvm_debugregs debug;
    struct kvm_vcpu_events events;
    struct kvm_lapic_state lapic;
    uint64_t xcr0;     /* 0: the processor has no XSAVE */
    GByteArray *xsave; /* the XSAVE area in its standard form (Intel SDM 1, 13.4) */
    GPtrArray *msrs;   /* of VcpuMsr; not the TSC */
    uint32_t tsc_khz;  /* 0: KVM cannot tell */
    uint64_t tsc;
    uint64_t tsc_realtime_ns; /* the host's CLOCK_REALTIME when @tsc was read; 0: @tsc is not to be loaded */
} VcpuState;

/* What all processors of a VM have in common here. */
typedef struct {
    size_t xsave_size;     /* bytes */
    uint32_t *msr_indices; /* those KVM can read; owned */
    size_t n_msrs;
} VcpuStateShape;

/* @vcpu_fd: a processor whose CPUID is set; @hyperv: which shows Hyper-V. */
bool vcpu_state_shape_init(VcpuStateShape *shape, int kvm_fd, int vm_fd, int vcpu_fd, bool hyperv, GError **error);
void vcpu_state_shape_finish(VcpuStateShape *shape);

void vcpu_state_init(VcpuState *state);
void vcpu_state_finish(VcpuState *state);

void vcpu_state_get(VcpuState *state, const VcpuStateShape *shape, int vcpu_fd);
/* false and an error that names what this host's KVM does not take. The TSC goes on by the real time since it was read. */
bool vcpu_state_set(const VcpuState *state, const VcpuStateShape *shape, int vcpu_fd, GError **error);

/* The fields of a VcpuState, for a table of one that holds it. */
extern const StateTable vcpu_state_table;
