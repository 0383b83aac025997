/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What processor the guest sees: from what the host's KVM supports and a policy, to CPUID tables. Pure functions.
 *
 * "host" shows what the host has, less what a virtual machine must not or need not see. The baselines "x86-64-v2", "-v3"
 * and "-v4" show the features of that level of the x86-64 psABI and a fixed processor for each vendor, so that a desktop
 * can move between hosts of one vendor that are not alike. Both show one package of single-threaded cores, one a vCPU.
 *
 * A baseline takes controls against speculative execution from the host where it has them: a guest without them is
 * vulnerable. A desktop that was saved with them needs a host with them (cpuid_check()).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/kvm.h>

typedef struct {
    const char *model; /* "host" or a baseline */
    bool pmu;          /* performance counters, "host" only */
    bool mce;          /* machine check */
    bool hyperv;       /* Hyper-V's interface where KVM offers it (hyperv.h): not cpuid_build()'s, but its caller's */
    uint64_t memory;   /* bytes of RAM: how many address bits a baseline must have */
} CpuidPolicy;

#define CPUID_TABLE_MAX 128

typedef struct {
    uint32_t nent;
    uint32_t padding; /* so that this is a struct kvm_cpuid2 with its entries */
    struct kvm_cpuid_entry2 entries[CPUID_TABLE_MAX];
} CpuidTable;

/* The names of the models, ending with NULL; "host" first. */
extern const char *const cpuid_models[];

/*
 * Builds the table of processor 0 of @n_vcpus from @supported (KVM_GET_SUPPORTED_CPUID). false and an error of KVM_ERROR
 * that names the first feature of the model that the host lacks.
 */
bool cpuid_build(const struct kvm_cpuid2 *supported, const CpuidPolicy *policy, unsigned n_vcpus, CpuidTable *table,
                 GError **error);

/* The table of processor @index, from that of processor 0. */
void cpuid_for_vcpu(const CpuidTable *table, unsigned index, CpuidTable *of_vcpu);

/*
 * Whether a host that supports @supported can run a desktop that was saved with @saved: every feature the guest may be
 * using is there, and the vendor is the same. false and an error that names what is missing.
 */
bool cpuid_check(const CpuidTable *saved, const struct kvm_cpuid2 *supported, GError **error);

/* Bits of a guest physical address. */
unsigned cpuid_physical_bits(const CpuidTable *table);

/* An entry, or NULL. */
const struct kvm_cpuid_entry2 *cpuid_find(const CpuidTable *table, uint32_t function, uint32_t index);
