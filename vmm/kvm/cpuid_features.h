/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID's feature bits: where each one is, what people call it, and which model shows it.
 *
 * Leaves and bits are from the Intel SDM 2A ("CPUID") and AMD's APM 3, appendix E; KVM's own from Linux's
 * Documentation/virt/kvm/x86/cpuid.rst. Names are those of /proc/cpuinfo, or plainer ones.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX } CpuidRegister;

/* Registers that hold one feature a bit. */
typedef enum {
    WORD_1_ECX,
    WORD_1_EDX,
    WORD_7_EBX,
    WORD_7_ECX,
    WORD_7_EDX,
    WORD_7_1_EAX,
    WORD_7_1_EDX,
    WORD_7_2_EDX,
    WORD_D_EAX, /* XCR0 bits */
    WORD_D_1_EAX,
    WORD_80000001_ECX,
    WORD_80000001_EDX,
    WORD_80000007_EDX,
    WORD_80000008_EBX,
    WORD_80000021_EAX,
    WORD_80000021_ECX,
    WORD_KVM_EAX,
    N_WORDS,
} CpuidWord;

typedef struct {
    uint32_t function;
    uint32_t index;
    CpuidRegister where;
    const char *name; /* for bits without one */
} CpuidWordPlace;

extern const CpuidWordPlace cpuid_words[N_WORDS];

typedef enum {
    FEATURE_V2,          /* in every baseline */
    FEATURE_V3,          /* in x86-64-v3 and v4 */
    FEATURE_V4,          /* in x86-64-v4 */
    FEATURE_SPECULATION, /* in baselines where the host has it */
    FEATURE_HOST,        /* only with "host"; here for its name */
    FEATURE_HIDDEN,      /* never: the guest has no such thing, or it is set by the topology */
    FEATURE_PMU,
    FEATURE_MCE,
} CpuidFeatureKind;

typedef struct {
    CpuidWord word;
    uint8_t bit;
    CpuidFeatureKind kind;
    const char *name;
} CpuidFeature;

extern const CpuidFeature cpuid_features[];
extern const size_t cpuid_n_features;
