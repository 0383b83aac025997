/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building CPUID tables. A model decides the feature words; what follows from them (the XSAVE area's layout) and from the
 * number of vCPUs (topology) is computed, and the rest of each table is the host's or a baseline's fixed processor.
 */
#include "vmm/kvm/cpuid.h"

#include "vmm/kvm/cpuid_features.h"
#include "vmm/kvm/host.h"
#include "vmm/kvm/hyperv.h"

#include <string.h>

#define KVM_SIGNATURE 0x40000000
#define KVM_FEATURES 0x40000001

#define XCR0_X87 (1u << 0)
#define XCR0_SSE (1u << 1)
#define XCR0_AVX (1u << 2)
#define XCR0_AVX512 (7u << 5)
#define XCR0_PKRU (1u << 9)
#define XCR0_AMX (3u << 17)
#define AMX_7_EDX (1u << 22 | 1u << 24 | 1u << 25) /* amx_bf16, amx_tile, amx_int8 */
#define AMX_7_1_EAX (1u << 21)                     /* amx_fp16 */
#define AMX_7_1_EDX (1u << 8)                      /* amx_complex */
#define XSS_CET (3u << 11)
#define XSAVE_LEGACY_SIZE 576 /* the legacy area and the header */

/*
 * Physical addresses of a baseline. Ordinary desktop processors have 39 bits, and so do baselines; but much RAM and the
 * windows above it need 40.
 */
#define BASELINE_PHYSICAL_BITS 39
#define BASELINE_PHYSICAL_BITS_LARGE 40
#define BASELINE_LARGE (UINT64_C(256) << 30)
#define BASELINE_LINEAR_BITS 48

const char *const cpuid_models[] = {"host", "x86-64-v2", "x86-64-v3", "x86-64-v4", NULL};

typedef enum { VENDOR_INTEL, VENDOR_AMD, VENDOR_OTHER } Vendor;

typedef struct {
    const struct kvm_cpuid2 *supported;
    const CpuidPolicy *policy;
    unsigned level; /* of a baseline; 0: host */
    Vendor vendor;
    unsigned n_vcpus;
    uint32_t words[N_WORDS]; /* what the guest is to see */
    CpuidTable *table;
} Build;

static const struct kvm_cpuid_entry2 *
find(const struct kvm_cpuid_entry2 *entries, uint32_t n, uint32_t function, uint32_t index)
{
    for (uint32_t i = 0; i < n; i++)
        if (entries[i].function == function &&
            (entries[i].index == index || !(entries[i].flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
            return &entries[i];
    return NULL;
}

static const struct kvm_cpuid_entry2 *
find_supported(const struct kvm_cpuid2 *supported, uint32_t function, uint32_t index)
{
    return find(supported->entries, supported->nent, function, index);
}

const struct kvm_cpuid_entry2 *
cpuid_find(const CpuidTable *table, uint32_t function, uint32_t index)
{
    return find(table->entries, table->nent, function, index);
}

static struct kvm_cpuid_entry2 *
edit(CpuidTable *table, uint32_t function, uint32_t index)
{
    return (struct kvm_cpuid_entry2 *)cpuid_find(table, function, index);
}

static struct kvm_cpuid_entry2 *
add(CpuidTable *table, uint32_t function, uint32_t index, bool is_indexed)
{
    g_assert(table->nent < CPUID_TABLE_MAX);
    struct kvm_cpuid_entry2 *entry = &table->entries[table->nent++];
    *entry = (struct kvm_cpuid_entry2){
        .function = function, .index = index, .flags = is_indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0};
    return entry;
}

static uint32_t
get_register(const struct kvm_cpuid_entry2 *entry, CpuidRegister where)
{
    const uint32_t values[] = {entry->eax, entry->ebx, entry->ecx, entry->edx};
    return values[where];
}

static void
set_register(struct kvm_cpuid_entry2 *entry, CpuidRegister where, uint32_t value)
{
    uint32_t *places[] = {&entry->eax, &entry->ebx, &entry->ecx, &entry->edx};
    *places[where] = value;
}

static uint32_t
supported_word(const struct kvm_cpuid2 *supported, CpuidWord word)
{
    const CpuidWordPlace *place = &cpuid_words[word];
    const struct kvm_cpuid_entry2 *entry = find_supported(supported, place->function, place->index);
    return entry ? get_register(entry, place->where) : 0;
}

static Vendor
vendor_of(const struct kvm_cpuid_entry2 *leaf0)
{
    static const struct {
        const char *name;
        Vendor vendor;
    } vendors[] = {{"GenuineIntel", VENDOR_INTEL}, {"AuthenticAMD", VENDOR_AMD}, {"HygonGenuine", VENDOR_AMD}};
    char name[12];

    memcpy(name, &leaf0->ebx, 4);
    memcpy(name + 4, &leaf0->edx, 4);
    memcpy(name + 8, &leaf0->ecx, 4);
    for (size_t i = 0; i < G_N_ELEMENTS(vendors); i++)
        if (memcmp(name, vendors[i].name, sizeof(name)) == 0)
            return vendors[i].vendor;
    return VENDOR_OTHER;
}

static const char *
feature_name(CpuidWord word, unsigned bit, char unnamed[64])
{
    for (size_t i = 0; i < cpuid_n_features; i++)
        if (cpuid_features[i].word == word && cpuid_features[i].bit == bit)
            return cpuid_features[i].name;
    g_snprintf(unnamed, 64, "%s bit %u", cpuid_words[word].name, bit);
    return unnamed;
}

static unsigned
baseline_physical_bits(const CpuidPolicy *policy)
{
    return policy->memory > BASELINE_LARGE ? BASELINE_PHYSICAL_BITS_LARGE : BASELINE_PHYSICAL_BITS;
}

/* ---- feature words ---- */

static void
choose_host_words(Build *build)
{
    for (int word = 0; word < N_WORDS; word++)
        build->words[word] = supported_word(build->supported, word);
    for (size_t i = 0; i < cpuid_n_features; i++) {
        const CpuidFeature *feature = &cpuid_features[i];
        if (feature->kind == FEATURE_HIDDEN || (feature->kind == FEATURE_PMU && !build->policy->pmu) ||
            (feature->kind == FEATURE_MCE && !build->policy->mce))
            build->words[feature->word] &= ~(1u << feature->bit);
    }
    build->words[WORD_80000007_EDX] &= 1u << 8; /* of power management only the invariant TSC is the guest's */
}

static bool
baseline_has(const Build *build, const CpuidFeature *feature, bool is_supported)
{
    switch (feature->kind) {
    case FEATURE_V2:
        return true;
    case FEATURE_V3:
        return build->level >= 3;
    case FEATURE_V4:
        return build->level >= 4;
    case FEATURE_SPECULATION:
        return is_supported;
    case FEATURE_MCE:
        return build->policy->mce;
    default:
        return false;
    }
}

static bool
choose_baseline_words(Build *build, GError **error)
{
    for (size_t i = 0; i < cpuid_n_features; i++) {
        const CpuidFeature *feature = &cpuid_features[i];
        bool is_supported = supported_word(build->supported, feature->word) >> feature->bit & 1;
        if (!baseline_has(build, feature, is_supported))
            continue;
        if (!is_supported) {
            g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING,
                        "this host's processor lacks %s, which cpu=%s needs: choose a lower one, or cpu=host",
                        feature->name, build->policy->model);
            return false;
        }
        build->words[feature->word] |= 1u << feature->bit;
    }
    return true;
}

static bool
shows(const Build *build, CpuidWord word, unsigned bit)
{
    return build->words[word] >> bit & 1;
}

static bool
has_xsave(const Build *build)
{
    return shows(build, WORD_1_ECX, 26);
}

/* XCR0 and the XSAVE flags follow from the features that use them. */
static void
settle_xsave(Build *build)
{
    uint32_t xcr0 = 0;
    if (has_xsave(build)) {
        xcr0 = XCR0_X87 | XCR0_SSE;
        xcr0 |= shows(build, WORD_1_ECX, 28) ? XCR0_AVX : 0;
        xcr0 |= shows(build, WORD_7_EBX, 16) ? XCR0_AVX512 : 0;
        xcr0 |= shows(build, WORD_7_ECX, 3) ? XCR0_PKRU : 0;
        xcr0 |= shows(build, WORD_7_EDX, 24) ? XCR0_AMX : 0;
    }
    build->words[WORD_D_EAX] = xcr0 & supported_word(build->supported, WORD_D_EAX);
    if (!has_xsave(build))
        build->words[WORD_D_1_EAX] = 0;
    /* KVM tells of the tiles, but not of their state, to a process that did not ask the kernel for room for it. */
    if ((build->words[WORD_D_EAX] & XCR0_AMX) != XCR0_AMX) {
        build->words[WORD_7_EDX] &= ~AMX_7_EDX;
        build->words[WORD_7_1_EAX] &= ~AMX_7_1_EAX;
        build->words[WORD_7_1_EDX] &= ~AMX_7_1_EDX;
    }
}

/* ---- tables ---- */

/* Leaves that are not the guest's, or that are made anew below. */
static bool
is_left_out(const Build *build, uint32_t function)
{
    switch (function) {
    case 0x4: /* caches, by the topology */
    case 0x5: /* MONITOR */
    case 0x6: /* power */
    case 0x9:
    case 0xb: /* topology */
    case 0xd: /* XSAVE */
    case 0xf: /* resource directors */
    case 0x10:
    case 0x12: /* SGX */
    case 0x14: /* processor trace */
    case 0x1a: /* hybrid */
    case 0x1b:
    case 0x1f:       /* topology */
    case 0x8000000a: /* SVM */
    case 0x8000001b: /* IBS */
    case 0x8000001c: /* LWP */
    case 0x8000001d: /* caches, by the topology */
    case 0x8000001e: /* topology */
    case 0x8000001f: /* SEV */
    case 0x80000020: /* resource directors */
    case 0x80000023:
    case 0x80000026: /* topology */
    case KVM_SIGNATURE:
    case KVM_FEATURES:
        return true;
    case 0xa: /* performance counters */
    case 0x1c:
    case 0x23:
    case 0x80000022:
        return !build->policy->pmu;
    default:
        return false;
    }
}

static bool
is_empty(const struct kvm_cpuid_entry2 *entry)
{
    return !(entry->eax | entry->ebx | entry->ecx | entry->edx);
}

static void
add_host_leaves(Build *build)
{
    for (uint32_t i = 0; i < build->supported->nent; i++) {
        const struct kvm_cpuid_entry2 *from = &build->supported->entries[i];
        if (is_left_out(build, from->function) || is_empty(from))
            continue; /* a leaf that is not there reads as zero */
        struct kvm_cpuid_entry2 *entry =
            add(build->table, from->function, from->index, from->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
        entry->eax = from->eax;
        entry->ebx = from->ebx;
        entry->ecx = from->ecx;
        entry->edx = from->edx;
    }
}

/* The processor a baseline claims to be: an early one of its level, which guests know well. */
static uint32_t
baseline_signature(const Build *build)
{
    static const uint32_t signatures[2][3] = {
        [VENDOR_INTEL] = {0x000106a3, 0x000306c4, 0x00050654}, /* Nehalem, Haswell, Skylake server */
        [VENDOR_AMD] = {0x00600f12, 0x00800f12, 0x00a10f11},   /* Bulldozer, Zen, Zen 4 */
    };
    return signatures[build->vendor][build->level - 2];
}

static void
add_brand_string(Build *build)
{
    char brand[48] = {0};
    g_snprintf(brand, sizeof(brand), "Carrel %s", build->policy->model);
    for (unsigned i = 0; i < 3; i++) {
        struct kvm_cpuid_entry2 *entry = add(build->table, 0x80000002 + i, 0, false);
        memcpy(&entry->eax, brand + 16 * i, 4);
        memcpy(&entry->ebx, brand + 16 * i + 4, 4);
        memcpy(&entry->ecx, brand + 16 * i + 8, 4);
        memcpy(&entry->edx, brand + 16 * i + 12, 4);
    }
}

static void
add_baseline_leaves(Build *build, const struct kvm_cpuid_entry2 *host_leaf0)
{
    CpuidTable *table = build->table;
    struct kvm_cpuid_entry2 *entry = add(table, 0, 0, false);
    *entry = *host_leaf0; /* the vendor */
    entry->eax = 0xd;
    add(table, 0x1, 0, false)->eax = baseline_signature(build);
    if (build->vendor == VENDOR_INTEL)
        add(table, 0x2, 0, false)->eax = 0x00feff01; /* caches: see leaf 4; TLBs: not told */
    add(table, 0x7, 0, true);
    entry = add(table, 0x80000000, 0, false);
    *entry = *host_leaf0;
    entry->function = 0x80000000;
    entry->eax = build->vendor == VENDOR_AMD ? 0x8000001e : 0x80000008;
    if (build->vendor == VENDOR_INTEL)
        entry->ebx = entry->ecx = entry->edx = 0;
    add(table, 0x80000001, 0, false)->eax = build->vendor == VENDOR_AMD ? baseline_signature(build) : 0;
    add_brand_string(build);
    if (build->vendor == VENDOR_AMD) {
        /* TLBs and caches in AMD's older fashion, as in baseline_caches */
        entry = add(table, 0x80000005, 0, false);
        entry->eax = entry->ebx = 0xff40ff40;
        entry->ecx = entry->edx = 0x20080140;
        entry = add(table, 0x80000006, 0, false);
        entry->eax = 0x48006400;
        entry->ebx = 0x68006400;
        entry->ecx = 0x02006140;
        entry->edx = 0x00809140;
    }
    add(table, 0x80000008, 0, false)->eax = BASELINE_LINEAR_BITS << 8 | baseline_physical_bits(build->policy);
}

/* Puts the chosen words where they belong, making leaves that are not there yet. */
static void
place_words(Build *build)
{
    for (int word = 0; word < N_WORDS; word++) {
        const CpuidWordPlace *place = &cpuid_words[word];
        struct kvm_cpuid_entry2 *entry = edit(build->table, place->function, place->index);
        if (place->function == 0xd || place->function == KVM_FEATURES)
            continue; /* added as a whole */
        if (!entry && !build->words[word])
            continue;
        if (!entry)
            entry = add(build->table, place->function, place->index, place->function == 0x7);
        set_register(entry, place->where, build->words[word]);
    }
    edit(build->table, 0x1, 0)->ecx |= 1u << 31;     /* there is a hypervisor */
    if (build->level && build->vendor == VENDOR_AMD) /* AMD repeats the old features here */
        edit(build->table, 0x80000001, 0)->edx |= build->words[WORD_1_EDX] & 0x0183f3ff;
}

static void
add_power(Build *build)
{
    add(build->table, 0x6, 0, false)->eax = 1u << 2; /* ARAT: the LAPIC timer never stops */
}

static void
add_hypervisor(Build *build)
{
    struct kvm_cpuid_entry2 *entry = add(build->table, KVM_SIGNATURE, 0, false);
    entry->eax = KVM_FEATURES;
    memcpy(&entry->ebx, "KVMK", 4);
    memcpy(&entry->ecx, "VMKV", 4);
    memcpy(&entry->edx, "M\0\0\0", 4);
    add(build->table, KVM_FEATURES, 0, false)->eax = build->words[WORD_KVM_EAX];
}

/* Leaf 0xD: of the host's areas those whose feature is shown; the size is where the last of them ends. */
static void
add_xsave(Build *build)
{
    uint32_t xcr0 = build->words[WORD_D_EAX];
    if (!xcr0)
        return;
    const struct kvm_cpuid_entry2 *host_flags = find_supported(build->supported, 0xd, 1);
    bool has_cet = shows(build, WORD_7_ECX, 7) || shows(build, WORD_7_EDX, 20);
    uint32_t xss = shows(build, WORD_D_1_EAX, 3) && has_cet && host_flags ? host_flags->ecx & XSS_CET : 0;
    uint32_t size = XSAVE_LEGACY_SIZE;

    struct kvm_cpuid_entry2 *main_leaf = add(build->table, 0xd, 0, true);
    if (build->words[WORD_D_1_EAX]) {
        struct kvm_cpuid_entry2 *flags = add(build->table, 0xd, 1, true);
        flags->eax = build->words[WORD_D_1_EAX];
        flags->ecx = xss;
    }
    for (unsigned bit = 2; bit < 32; bit++) {
        const struct kvm_cpuid_entry2 *area = find_supported(build->supported, 0xd, bit);
        if (!((xcr0 | xss) >> bit & 1) || !area)
            continue;
        *add(build->table, 0xd, bit, true) = *area;
        if (xcr0 >> bit & 1)
            size = MAX(size, area->ebx + area->eax);
    }
    main_leaf->eax = xcr0;
    main_leaf->ebx = size; /* KVM keeps it in step with XCR0 */
    main_leaf->ecx = size;
}

/* ---- topology: one package of n cores with one thread each ---- */

static unsigned
id_bits(unsigned n)
{
    return n > 1 ? 32 - __builtin_clz(n - 1) : 0;
}

/* A baseline's caches, in the form that Intel's leaf 4 and AMD's leaf 0x8000001d share. */
static const struct {
    uint32_t eax, ebx, ecx, edx;
} baseline_caches[] = {
    {0x121, 0x01c0003f, 63, 0},    /* 32 KiB of data, 8 ways of 64 bytes */
    {0x122, 0x01c0003f, 63, 0},    /* 32 KiB of code */
    {0x143, 0x01c0003f, 1023, 2},  /* 512 KiB, inclusive */
    {0x163, 0x03c0003f, 16383, 1}, /* 16 MiB, 16 ways, shared by all */
};

/* The fields of a cache's eax that say who shares it: nobody, except the last level, which all cores do. */
static uint32_t
share_cache(const Build *build, uint32_t eax, bool is_intel_leaf)
{
    uint32_t ids = (1u << id_bits(build->n_vcpus)) - 1;
    unsigned level = eax >> 5 & 7;
    eax &= 0x3fff;
    if (level >= 3)
        eax |= ids << 14;
    if (is_intel_leaf)
        eax |= ids << 26; /* cores in the package */
    return eax;
}

static void
add_caches(Build *build, uint32_t function)
{
    for (unsigned i = 0;; i++) {
        const struct kvm_cpuid_entry2 *host = find_supported(build->supported, function, i);
        bool is_there = build->level ? i < G_N_ELEMENTS(baseline_caches) : host && host->eax & 0x1f;
        if (!is_there)
            break;
        struct kvm_cpuid_entry2 *cache = add(build->table, function, i, true);
        if (build->level) {
            cache->eax = baseline_caches[i].eax;
            cache->ebx = baseline_caches[i].ebx;
            cache->ecx = baseline_caches[i].ecx;
            cache->edx = baseline_caches[i].edx;
        } else {
            *cache = *host;
        }
        cache->eax = share_cache(build, cache->eax, function == 0x4);
    }
}

/* Leaf 0xB: threads of a core, then cores of the package (Intel SDM 3A, 9.9.1). */
static void
add_levels(Build *build)
{
    struct kvm_cpuid_entry2 *threads = add(build->table, 0xb, 0, true);
    threads->ebx = 1;
    threads->ecx = 1 << 8;
    struct kvm_cpuid_entry2 *cores = add(build->table, 0xb, 1, true);
    cores->eax = id_bits(build->n_vcpus);
    cores->ebx = build->n_vcpus;
    cores->ecx = 2 << 8 | 1;
    add(build->table, 0xb, 2, true)->ecx = 2; /* no more */
}

static void
add_amd_topology(Build *build)
{
    struct kvm_cpuid_entry2 *features = edit(build->table, 0x80000001, 0);
    struct kvm_cpuid_entry2 *sizes = edit(build->table, 0x80000008, 0);

    if (features && build->n_vcpus > 1)
        features->ecx |= 1u << 1; /* CmpLegacy */
    if (sizes)
        sizes->ecx = id_bits(build->n_vcpus) << 12 | (build->n_vcpus - 1);
    struct kvm_cpuid_entry2 *limit = edit(build->table, 0x80000000, 0);
    if (!features || !limit || limit->eax < 0x8000001e)
        return;
    features->ecx |= 1u << 22; /* TOPOEXT: the next two leaves */
    add_caches(build, 0x8000001d);
    add(build->table, 0x8000001e, 0, false);
}

static void
add_topology(Build *build)
{
    struct kvm_cpuid_entry2 *features = edit(build->table, 0x1, 0);
    features->ebx = 8u << 8 | build->n_vcpus << 16; /* cache lines of 64 bytes to flush */
    if (build->n_vcpus > 1)
        features->edx |= 1u << 28; /* HTT: more than one in the package */
    add_levels(build);
    if (build->vendor == VENDOR_AMD)
        add_amd_topology(build);
    else
        add_caches(build, 0x4);
}

/* ---- the whole ---- */

static bool
check_baseline_host(const Build *build, GError **error)
{
    const struct kvm_cpuid_entry2 *sizes = find_supported(build->supported, 0x80000008, 0);
    unsigned bits = sizes ? sizes->eax & 0xff : 36, needed = baseline_physical_bits(build->policy);
    if (build->vendor == VENDOR_OTHER) {
        g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING,
                    "cpu=%s is for processors of Intel and AMD: set cpu=host on this one", build->policy->model);
        return false;
    }
    if (bits < needed) {
        g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING,
                    "this host's processor has %u physical address bits, cpu=%s needs %u here: set cpu=host", bits,
                    build->policy->model, needed);
        return false;
    }
    return true;
}

/* 0: host; 2 to 4; -1: none of ours. */
static int
level_of(const char *model)
{
    static const int levels[] = {0, 2, 3, 4};
    for (size_t i = 0; cpuid_models[i]; i++)
        if (g_str_equal(model, cpuid_models[i]))
            return levels[i];
    return -1;
}

bool
cpuid_build(const struct kvm_cpuid2 *supported, const CpuidPolicy *policy, unsigned n_vcpus, CpuidTable *table,
            GError **error)
{
    const struct kvm_cpuid_entry2 *leaf0 = find_supported(supported, 0, 0);
    int level = level_of(policy->model);

    if (level < 0 || !leaf0 || !find_supported(supported, 1, 0)) {
        g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING,
                    level < 0 ? "there is no processor model \"%s\"" : "KVM tells too little for cpu=%s",
                    policy->model);
        return false;
    }
    *table = (CpuidTable){0};
    Build build = {.supported = supported,
                   .policy = policy,
                   .level = level,
                   .vendor = vendor_of(leaf0),
                   .n_vcpus = n_vcpus,
                   .table = table};
    if (level) {
        if (!check_baseline_host(&build, error) || !choose_baseline_words(&build, error))
            return false;
        settle_xsave(&build);
        add_baseline_leaves(&build, leaf0);
    } else {
        choose_host_words(&build);
        settle_xsave(&build);
        add_host_leaves(&build);
    }
    place_words(&build);
    add_power(&build);
    add_topology(&build);
    add_xsave(&build);
    add_hypervisor(&build);
    return true;
}

void
cpuid_for_vcpu(const CpuidTable *table, unsigned index, CpuidTable *of_vcpu)
{
    *of_vcpu = *table;
    for (uint32_t i = 0; i < of_vcpu->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &of_vcpu->entries[i];
        if (entry->function == 0x1)
            entry->ebx = (entry->ebx & 0x00ffffff) | index << 24;
        else if (entry->function == 0xb)
            entry->edx = index;
        else if (entry->function == 0x8000001e) {
            entry->eax = index;
            entry->ebx = index; /* the core; one thread in it */
        }
    }
}

/* Bits that a table may show whether the host tells of them or not: KVM and we ourselves see to them. */
static uint32_t
always_there(CpuidWord word)
{
    switch (word) {
    case WORD_1_ECX:
        return 1u << 27 | 1u << 31;
    case WORD_1_EDX:
        return 1u << 28;
    case WORD_80000001_ECX:
        return 1u << 1 | 1u << 22;
    default:
        return 0;
    }
}

/* KVM's own word has moved where Hyper-V's leaves are in its place. */
static const struct kvm_cpuid_entry2 *
find_shown(const CpuidTable *saved, const CpuidWordPlace *place)
{
    bool has_moved = place->function == KVM_FEATURES && hyperv_is_shown(saved);
    return cpuid_find(saved, place->function + (has_moved ? HYPERV_KVM_SHIFT : 0), place->index);
}

static bool
check_words(const CpuidTable *saved, const struct kvm_cpuid2 *supported, GError **error)
{
    for (int word = 0; word < N_WORDS; word++) {
        const CpuidWordPlace *place = &cpuid_words[word];
        const struct kvm_cpuid_entry2 *entry = find_shown(saved, place);
        uint32_t shown = entry ? get_register(entry, place->where) : 0;
        uint32_t missing = shown & ~(supported_word(supported, word) | always_there(word));
        if (!missing)
            continue;
        char unnamed[64];
        g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING, "this host's processor lacks %s, which the saved desktop uses",
                    feature_name(word, __builtin_ctz(missing), unnamed));
        return false;
    }
    return true;
}

bool
cpuid_check(const CpuidTable *saved, const struct kvm_cpuid2 *supported, GError **error)
{
    const struct kvm_cpuid_entry2 *saved_leaf0 = cpuid_find(saved, 0, 0), *leaf0 = find_supported(supported, 0, 0);
    const struct kvm_cpuid_entry2 *sizes = find_supported(supported, 0x80000008, 0);
    unsigned host_bits = sizes ? sizes->eax & 0xff : 36;

    if (!saved_leaf0 || !leaf0 || vendor_of(saved_leaf0) != vendor_of(leaf0)) {
        g_set_error_literal(error, KVM_ERROR, KVM_ERROR_LACKING,
                            "the desktop was saved on a host with a processor of another vendor");
        return false;
    }
    if (cpuid_physical_bits(saved) > host_bits) {
        g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING,
                    "the saved desktop uses %u physical address bits, this host's processor has %u",
                    cpuid_physical_bits(saved), host_bits);
        return false;
    }
    return check_words(saved, supported, error);
}

unsigned
cpuid_physical_bits(const CpuidTable *table)
{
    const struct kvm_cpuid_entry2 *sizes = cpuid_find(table, 0x80000008, 0);
    return sizes ? sizes->eax & 0xff : 36; /* what a processor without the leaf has */
}
