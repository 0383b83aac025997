/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hyper-V's interface as KVM offers it, for guests that know it (Windows): leaves of CPUID and the registers behind them.
 *
 * The references are to the Hypervisor Top Level Functional Specification (TLFS) 6.0b. What is shown is what KVM supports
 * (KVM_GET_SUPPORTED_HV_CPUID) of the features listed in hyperv.c, each only where all it depends on is there too. Hyper-V's
 * leaves take the place of KVM's, which move to 0x40000100, where guests look for them. Pure functions.
 */
#pragma once

#include "vmm/kvm/cpuid.h"

/* How far KVM's own leaves are moved. */
#define HYPERV_KVM_SHIFT 0x100

/* Whether KVM offers the interface. @supported may be NULL: a KVM without it. */
bool hyperv_offered(const struct kvm_cpuid2 *supported);

/* Adds the leaves to a table of cpuid_build(). @supported offers the interface. */
void hyperv_add(CpuidTable *table, const struct kvm_cpuid2 *supported);

/* Whether a guest with @table sees Hyper-V, and whether its interrupt controller (SynIC), which KVM must be asked for. */
bool hyperv_is_shown(const CpuidTable *table);
bool hyperv_shows_synic(const CpuidTable *table);

/* cpuid_check()'s part: whether a host that supports @supported (may be NULL) offers what @saved shows. */
bool hyperv_check(const CpuidTable *saved, const struct kvm_cpuid2 *supported, GError **error);

/* Whether a model-specific register is of Hyper-V's range, whatever KVM lists of it. */
bool hyperv_is_msr(uint32_t index);
/* Those that hold state of the guest's, in the order in which they are to be loaded. */
extern const uint32_t hyperv_msrs[];
extern const size_t hyperv_n_msrs;
