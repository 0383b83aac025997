/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hyper-V's CPUID leaves: one table of features, each a few bits of a few words.
 *
 * Left out on purpose: nested virtualization, debugging, crash registers, hypercalls that a VMBus would answer, and
 * re-enlightenment, which only a hypervisor that moves between unlike clocks needs.
 */
#include "vmm/kvm/hyperv.h"

#include "vmm/kvm/host.h"

#include <string.h>

#define LEAF_SIGNATURE 0x40000000 /* TLFS 2.4.1 and on */
#define LEAF_INTERFACE 0x40000001
#define LEAF_VERSION 0x40000002
#define LEAF_FEATURES 0x40000003
#define LEAF_RECOMMENDATIONS 0x40000004
#define LEAF_LIMITS 0x40000005

#define INTERFACE_HV1 0x31237648 /* "Hv#1" */
#define BUILD_NUMBER 14393       /* that of Windows Server 2016, whose interface this is */
#define VERSION (10u << 16)
#define NEVER_NOTIFY UINT32_MAX /* of spinning too long */
#define PROCESSORS_MAX 64

#define HYPERCALLS (1u << 5) /* of WORD_PRIVILEGES: the hypercall page and the guest's identity, which all else needs */

typedef enum {
    WORD_PRIVILEGES, /* which registers and hypercalls the guest may use */
    WORD_FEATURES,
    WORD_RECOMMENDATIONS, /* what it had better use */
    N_HYPERV_WORDS,
} HypervWord;

typedef enum {
    RELAXED,
    VP_INDEX,
    RUNTIME,
    TIME,
    SYNIC,
    STIMER,
    STIMER_DIRECT,
    FREQUENCIES,
    RESET,
    VAPIC,
    PROCESSOR_MASKS,
    TLB_FLUSH,
    IPI,
    XMM_INPUT,
    NO_AUTO_EOI,
    N_FEATURES,
} HypervFeature;

#define NEEDS(feature) (1u << (feature))

/* TLFS 2.4.4 and 2.4.5. A feature is shown where KVM supports all its bits and what it needs is shown. */
static const struct {
    const char *name;
    uint32_t bits[N_HYPERV_WORDS];
    uint32_t needs; /* features before it in this list */
} features[N_FEATURES] = {
    [RELAXED] = {"relaxed timing", {[WORD_RECOMMENDATIONS] = 1u << 5}},
    [VP_INDEX] = {"processor index", {[WORD_PRIVILEGES] = 1u << 6}},
    [RUNTIME] = {"processor run time", {[WORD_PRIVILEGES] = 1u << 0}},
    [TIME] = {"reference time and TSC page", {[WORD_PRIVILEGES] = 1u << 1 | 1u << 9}},
    [SYNIC] = {"synthetic interrupt controller", {[WORD_PRIVILEGES] = 1u << 2}, NEEDS(VP_INDEX)},
    [STIMER] = {"synthetic timers", {[WORD_PRIVILEGES] = 1u << 3}, NEEDS(SYNIC) | NEEDS(TIME)},
    [STIMER_DIRECT] = {"direct synthetic timers", {[WORD_FEATURES] = 1u << 19}, NEEDS(STIMER)},
    [FREQUENCIES] = {"frequency registers", {[WORD_PRIVILEGES] = 1u << 11, [WORD_FEATURES] = 1u << 8}},
    [RESET] = {"reset register", {[WORD_PRIVILEGES] = 1u << 7}},
    [VAPIC] = {"virtual APIC registers", {[WORD_PRIVILEGES] = 1u << 4, [WORD_RECOMMENDATIONS] = 1u << 3}},
    [PROCESSOR_MASKS] = {"extended processor masks", {[WORD_RECOMMENDATIONS] = 1u << 11}, NEEDS(VP_INDEX)},
    [TLB_FLUSH] = {"remote TLB flush", {[WORD_RECOMMENDATIONS] = 1u << 2}, NEEDS(VP_INDEX)},
    [IPI] = {"IPI hypercalls", {[WORD_RECOMMENDATIONS] = 1u << 10}, NEEDS(VP_INDEX)},
    [XMM_INPUT] = {"hypercall input in XMM registers", {[WORD_FEATURES] = 1u << 4}},
    /* without it the processor's own virtual APIC (AVIC, APICv) would have to be turned off */
    [NO_AUTO_EOI] = {"no automatic end of interrupt", {[WORD_RECOMMENDATIONS] = 1u << 9}},
};

static const struct kvm_cpuid_entry2 *
find(const struct kvm_cpuid2 *supported, uint32_t function)
{
    for (uint32_t i = 0; supported && i < supported->nent; i++)
        if (supported->entries[i].function == function)
            return &supported->entries[i];
    return NULL;
}

/* The words, from an entry of LEAF_FEATURES and one of LEAF_RECOMMENDATIONS; either may be NULL. */
static void
read_words(const struct kvm_cpuid_entry2 *feature_leaf, const struct kvm_cpuid_entry2 *recommendations,
           uint32_t words[N_HYPERV_WORDS])
{
    words[WORD_PRIVILEGES] = feature_leaf ? feature_leaf->eax : 0;
    words[WORD_FEATURES] = feature_leaf ? feature_leaf->edx : 0;
    words[WORD_RECOMMENDATIONS] = recommendations ? recommendations->eax : 0;
}

static void
read_supported(const struct kvm_cpuid2 *supported, uint32_t words[N_HYPERV_WORDS])
{
    read_words(find(supported, LEAF_FEATURES), find(supported, LEAF_RECOMMENDATIONS), words);
}

bool
hyperv_offered(const struct kvm_cpuid2 *supported)
{
    uint32_t words[N_HYPERV_WORDS];
    const struct kvm_cpuid_entry2 *interface = find(supported, LEAF_INTERFACE);

    read_supported(supported, words);
    return interface && interface->eax == INTERFACE_HV1 && words[WORD_PRIVILEGES] & HYPERCALLS;
}

static bool
has_bits(const uint32_t words[N_HYPERV_WORDS], const uint32_t bits[N_HYPERV_WORDS])
{
    for (int word = 0; word < N_HYPERV_WORDS; word++)
        if (bits[word] & ~words[word])
            return false;
    return true;
}

static void
choose_words(const struct kvm_cpuid2 *supported, uint32_t words[N_HYPERV_WORDS])
{
    uint32_t offered[N_HYPERV_WORDS], shown = 0;

    read_supported(supported, offered);
    memset(words, 0, N_HYPERV_WORDS * sizeof(words[0]));
    words[WORD_PRIVILEGES] = HYPERCALLS;
    for (int i = 0; i < N_FEATURES; i++) {
        if (features[i].needs & ~shown || !has_bits(offered, features[i].bits))
            continue;
        shown |= 1u << i;
        for (int word = 0; word < N_HYPERV_WORDS; word++)
            words[word] |= features[i].bits[word];
    }
}

static struct kvm_cpuid_entry2 *
add(CpuidTable *table, uint32_t function)
{
    g_assert(table->nent < CPUID_TABLE_MAX);
    struct kvm_cpuid_entry2 *entry = &table->entries[table->nent++];
    *entry = (struct kvm_cpuid_entry2){.function = function};
    return entry;
}

static void
move_kvm_leaves(CpuidTable *table)
{
    for (uint32_t i = 0; i < table->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &table->entries[i];
        if (entry->function == LEAF_SIGNATURE)
            entry->eax += HYPERV_KVM_SHIFT; /* the last of its leaves */
        if (entry->function - LEAF_SIGNATURE < HYPERV_KVM_SHIFT)
            entry->function += HYPERV_KVM_SHIFT;
    }
}

void
hyperv_add(CpuidTable *table, const struct kvm_cpuid2 *supported)
{
    uint32_t words[N_HYPERV_WORDS];

    g_assert(hyperv_offered(supported));
    choose_words(supported, words);
    move_kvm_leaves(table);

    struct kvm_cpuid_entry2 *entry = add(table, LEAF_SIGNATURE);
    entry->eax = LEAF_LIMITS;
    memcpy(&entry->ebx, "Micr", 4);
    memcpy(&entry->ecx, "osof", 4);
    memcpy(&entry->edx, "t Hv", 4);
    add(table, LEAF_INTERFACE)->eax = INTERFACE_HV1;
    entry = add(table, LEAF_VERSION);
    entry->eax = BUILD_NUMBER;
    entry->ebx = VERSION;
    entry = add(table, LEAF_FEATURES);
    entry->eax = words[WORD_PRIVILEGES];
    entry->edx = words[WORD_FEATURES];
    entry = add(table, LEAF_RECOMMENDATIONS);
    entry->eax = words[WORD_RECOMMENDATIONS];
    entry->ebx = NEVER_NOTIFY;
    entry = add(table, LEAF_LIMITS);
    entry->eax = PROCESSORS_MAX;
    entry->ebx = PROCESSORS_MAX;
}

bool
hyperv_is_shown(const CpuidTable *table)
{
    const struct kvm_cpuid_entry2 *interface = cpuid_find(table, LEAF_INTERFACE, 0);
    return interface && interface->eax == INTERFACE_HV1;
}

bool
hyperv_shows_synic(const CpuidTable *table)
{
    const struct kvm_cpuid_entry2 *leaf = cpuid_find(table, LEAF_FEATURES, 0);
    return hyperv_is_shown(table) && leaf && leaf->eax & features[SYNIC].bits[WORD_PRIVILEGES];
}

bool
hyperv_check(const CpuidTable *saved, const struct kvm_cpuid2 *supported, GError **error)
{
    uint32_t shown[N_HYPERV_WORDS], offered[N_HYPERV_WORDS];
    const char *missing = NULL;

    if (!hyperv_is_shown(saved))
        return true;
    read_words(cpuid_find(saved, LEAF_FEATURES, 0), cpuid_find(saved, LEAF_RECOMMENDATIONS, 0), shown);
    read_supported(supported, offered);
    if (!hyperv_offered(supported))
        missing = "interface";
    for (int i = 0; i < N_FEATURES && !missing; i++)
        if (has_bits(shown, features[i].bits) && !has_bits(offered, features[i].bits))
            missing = features[i].name;
    for (int word = 0; word < N_HYPERV_WORDS && !missing; word++)
        if (shown[word] & ~offered[word])
            missing = "features of a newer kind";
    if (!missing)
        return true;
    g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING, "this host's KVM lacks Hyper-V's %s, which the saved desktop uses",
                missing);
    return false;
}

#define MSR_FIRST 0x40000000 /* TLFS, appendix B */
#define MSR_LAST 0x400001ff
#define MSR_SINT0 0x40000090
#define MSR_STIMER0_CONFIG 0x400000b0

/*
 * Not among them: what follows from elsewhere (the processor's index, reference time, frequencies) and what a write only
 * acts on (reset, end of interrupt and of message).
 */
const uint32_t hyperv_msrs[] = {
    0x40000000, /* the guest's identity, without which there is no hypercall page */
    0x40000001, /* hypercall page */
    0x40000010, /* run time */
    0x40000021, /* reference TSC page */
    0x40000073, /* the processor's assist page */
    0x40000080, /* SynIC: control, */
    0x40000082, /* event flags page, */
    0x40000083, /* message page, */
    MSR_SINT0,
    MSR_SINT0 + 1,
    MSR_SINT0 + 2,
    MSR_SINT0 + 3,
    MSR_SINT0 + 4,
    MSR_SINT0 + 5,
    MSR_SINT0 + 6,
    MSR_SINT0 + 7,
    MSR_SINT0 + 8,
    MSR_SINT0 + 9,
    MSR_SINT0 + 10,
    MSR_SINT0 + 11,
    MSR_SINT0 + 12,
    MSR_SINT0 + 13,
    MSR_SINT0 + 14,
    MSR_SINT0 + 15, /* interrupt sources */
    MSR_STIMER0_CONFIG,
    MSR_STIMER0_CONFIG + 1,
    MSR_STIMER0_CONFIG + 2,
    MSR_STIMER0_CONFIG + 3,
    MSR_STIMER0_CONFIG + 4,
    MSR_STIMER0_CONFIG + 5,
    MSR_STIMER0_CONFIG + 6,
    MSR_STIMER0_CONFIG + 7, /* four timers: configuration, count */
};
const size_t hyperv_n_msrs = G_N_ELEMENTS(hyperv_msrs);

bool
hyperv_is_msr(uint32_t index)
{
    return index >= MSR_FIRST && index <= MSR_LAST;
}
