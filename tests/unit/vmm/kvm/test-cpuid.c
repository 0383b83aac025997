/* SPDX-License-Identifier: Apache-2.0 */
/* CPUID policy, against hosts made up here: an Intel server, an AMD server, and what is missing on lesser ones. */
#include "vmm/kvm/cpuid.h"

#include "vmm/kvm/cpuid_features.h"
#include "vmm/kvm/host.h"

#include <string.h>

typedef struct kvm_cpuid_entry2 Entry;

typedef struct {
    uint32_t nent;
    uint32_t padding;
    Entry entries[CPUID_TABLE_MAX];
} Host;

static Entry *
host_add(Host *host, uint32_t function, uint32_t index, bool is_indexed, uint32_t eax, uint32_t ebx, uint32_t ecx,
         uint32_t edx)
{
    Entry *entry = &host->entries[host->nent++];
    *entry = (Entry){.function = function,
                     .index = index,
                     .flags = is_indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
                     .eax = eax,
                     .ebx = ebx,
                     .ecx = ecx,
                     .edx = edx};
    return entry;
}

static Entry *
host_find(Host *host, uint32_t function, uint32_t index)
{
    return (Entry *)cpuid_find((CpuidTable *)host, function, index);
}

static void
name_vendor(Host *host, uint32_t function, const char *name)
{
    Entry *entry = host_find(host, function, 0);
    memcpy(&entry->ebx, name, 4);
    memcpy(&entry->edx, name + 4, 4);
    memcpy(&entry->ecx, name + 8, 4);
}

/* A server that has every bit there is, whatever that would mean: what a policy hides must have been there to hide. */
static void
host_init(Host *host, const char *vendor)
{
    bool is_amd = g_str_equal(vendor, "AuthenticAMD");
    *host = (Host){0};
    host_add(host, 0x0, 0, false, 0x1f, 0, 0, 0);
    name_vendor(host, 0, vendor);
    host_add(host, 0x1, 0, false, 0x000906ea, 0x07400800, ~0u, ~0u);
    host_add(host, 0x2, 0, false, 0x00feff01, 0, 0, 0);
    if (!is_amd) {
        host_add(host, 0x4, 0, true, 0xfc004121, 0x01c0003f, 0x3f, 0); /* data, shared by two threads */
        host_add(host, 0x4, 1, true, 0xfc004122, 0x01c0003f, 0x3f, 0);
        host_add(host, 0x4, 2, true, 0xfc004143, 0x0480003f, 0x7ff, 0);
        host_add(host, 0x4, 3, true, 0xfc1fc163, 0x0380003f, 0xefff, 4);
        host_add(host, 0x4, 4, true, 0, 0, 0, 0);
    }
    host_add(host, 0x5, 0, false, 0x40, 0x40, 3, 0x20);
    host_add(host, 0x6, 0, false, 0x77, 2, 9, 0);
    host_add(host, 0x7, 0, true, 2, ~0u, ~0u, ~0u);
    host_add(host, 0x7, 1, true, 0x30, 0, 0, 0);
    host_add(host, 0x7, 2, true, 0, 0, 0, 0x3f);
    host_add(host, 0xa, 0, false, 0x08300805, 0, 0, 0x8604);
    host_add(host, 0xb, 0, true, 1, 2, 0x100, 5);
    host_add(host, 0xb, 1, true, 6, 64, 0x201, 5);
    host_add(host, 0xd, 0, true, 0x600e7 | 0x200, 2696, 11008, 0);
    host_add(host, 0xd, 1, true, 0x1f, 2696, 0x1800, 0);
    host_add(host, 0xd, 2, true, 256, 576, 0, 0);
    host_add(host, 0xd, 5, true, 64, 832, 0, 0);
    host_add(host, 0xd, 6, true, 512, 896, 0, 0);
    host_add(host, 0xd, 7, true, 1024, 1408, 0, 0);
    host_add(host, 0xd, 9, true, 8, 2432, 0, 0);
    host_add(host, 0xd, 11, true, 16, 0, 1, 0);
    host_add(host, 0xd, 12, true, 24, 0, 1, 0);
    host_add(host, 0xd, 17, true, 64, 2816, 2, 0);
    host_add(host, 0xd, 18, true, 8192, 2880, 6, 0);
    host_add(host, 0x10, 0, true, 0, 2, 0, 0);
    host_add(host, 0x12, 0, true, 3, 0, 0, 0);
    host_add(host, 0x14, 0, true, 1, 0xf, 7, 0);
    host_add(host, 0x15, 0, false, 2, 0xc8, 0, 0);
    host_add(host, 0x1f, 0, true, 1, 2, 0x100, 5);
    host_add(host, 0x80000000, 0, false, 0x80000026, 0, 0, 0);
    if (is_amd)
        name_vendor(host, 0x80000000, vendor);
    host_add(host, 0x80000001, 0, false, is_amd ? 0x000906ea : 0, 0, ~0u, ~0u);
    host_add(host, 0x80000002, 0, false, 0x65746e49, 0x2952286c, 0x6f655820, 0x2952286e);
    host_add(host, 0x80000007, 0, false, 0, 0, 0, 0x7ff);
    host_add(host, 0x80000008, 0, false, 0x3030, is_amd ? ~0u : 0, is_amd ? 0x7007 : 0, 0);
    if (is_amd) {
        host_add(host, 0x8000000a, 0, false, 1, 0x8000, 0, ~0u);
        host_add(host, 0x8000001d, 0, true, 0x4121, 0x01c0003f, 0x3f, 0);
        host_add(host, 0x8000001d, 1, true, 0x4122, 0x01c0003f, 0x3f, 0);
        host_add(host, 0x8000001d, 2, true, 0x4143, 0x01c0003f, 0x3ff, 2);
        host_add(host, 0x8000001d, 3, true, 0x3c163, 0x03c0003f, 0x7fff, 1);
        host_add(host, 0x8000001d, 4, true, 0, 0, 0, 0);
        host_add(host, 0x8000001e, 0, false, 5, 0x102, 0, 0);
        host_add(host, 0x8000001f, 0, false, ~0u, 0, 0, 0);
        host_add(host, 0x80000022, 0, false, 1, 0x106, 0, 0);
        host_add(host, 0x80000026, 0, true, 1, 2, 0x100, 5);
    }
    host_add(host, 0x40000000, 0, false, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
    host_add(host, 0x40000001, 0, false, 0x01007efb, 0, 0, 0);
}

static CpuidTable
build(Host *host, CpuidPolicy policy, unsigned n_vcpus)
{
    CpuidTable table;
    g_autoptr(GError) error = NULL;
    bool done = cpuid_build((struct kvm_cpuid2 *)host, &policy, n_vcpus, &table, &error);
    g_assert_no_error(error);
    g_assert_true(done);
    for (uint32_t i = 0; i < table.nent; i++) /* each leaf once */
        for (uint32_t k = i + 1; k < table.nent; k++)
            g_assert_true(table.entries[i].function != table.entries[k].function ||
                          table.entries[i].index != table.entries[k].index);
    return table;
}

static uint32_t
word(const CpuidTable *table, CpuidWord which)
{
    const CpuidWordPlace *place = &cpuid_words[which];
    const Entry *entry = cpuid_find(table, place->function, place->index);
    return !entry ? 0 : ((const uint32_t[]){entry->eax, entry->ebx, entry->ecx, entry->edx})[place->where];
}

static bool
has(const CpuidTable *table, const char *name)
{
    for (size_t i = 0; i < cpuid_n_features; i++)
        if (g_str_equal(cpuid_features[i].name, name))
            return word(table, cpuid_features[i].word) >> cpuid_features[i].bit & 1;
    g_error("no feature %s", name);
}

static const char *const vendors[] = {"GenuineIntel", "AuthenticAMD"};

static void
test_no_feature_twice(void)
{
    for (size_t i = 0; i < cpuid_n_features; i++)
        for (size_t k = i + 1; k < cpuid_n_features; k++)
            g_assert_true(cpuid_features[i].word != cpuid_features[k].word ||
                          cpuid_features[i].bit != cpuid_features[k].bit);
}

static void
test_host_hides_what_is_not_the_guests(void)
{
    static const char *const hidden[] = {"vmx",     "svm",      "smx",      "monitor", "mce", "mca",
                                         "pdcm",    "sgx",      "intel_pt", "mpx",     "ibs", "perfctr_core",
                                         "osxsave", "arch_lbr", "rdt_a",    "skinit"};
    static const uint32_t gone[] = {0x5, 0xa, 0x10, 0x12, 0x14, 0x1f, 0x8000000a, 0x8000001f, 0x80000022, 0x80000026};

    for (size_t v = 0; v < G_N_ELEMENTS(vendors); v++) {
        Host host;
        host_init(&host, vendors[v]);
        CpuidTable table = build(&host, (CpuidPolicy){.model = "host"}, 4);
        for (size_t i = 0; i < G_N_ELEMENTS(hidden); i++)
            g_assert_false(has(&table, hidden[i]));
        for (size_t i = 0; i < G_N_ELEMENTS(gone); i++)
            g_assert_null(cpuid_find(&table, gone[i], 0));
        g_assert_true(has(&table, "avx512vbmi") && has(&table, "umip") && has(&table, "spec_ctrl"));
        g_assert_true(has(&table, "hypervisor") && has(&table, "x2apic") && has(&table, "tsc_deadline_timer"));
        g_assert_cmphex(cpuid_find(&table, 0x80000007, 0)->edx, ==, 0x100); /* invariant TSC and no more */
        g_assert_cmphex(cpuid_find(&table, 0x6, 0)->eax, ==, 4);
        g_assert_cmphex(cpuid_find(&table, 0x1, 0)->eax, ==, 0x000906ea);
        g_assert_cmphex(cpuid_find(&table, 0x80000002, 0)->eax, ==, 0x65746e49); /* the host's own name */
        g_assert_cmphex(cpuid_find(&table, 0x40000001, 0)->eax, ==, 0x01007efb);
        g_assert_cmpuint(cpuid_physical_bits(&table), ==, 48);
    }
}

static void
test_asked_for(void)
{
    Host host;
    host_init(&host, "GenuineIntel");
    CpuidTable table = build(&host, (CpuidPolicy){.model = "host", .pmu = true, .mce = true}, 1);
    g_assert_true(has(&table, "mce") && has(&table, "mca") && has(&table, "pdcm"));
    g_assert_cmphex(cpuid_find(&table, 0xa, 0)->eax, ==, 0x08300805);
    table = build(&host, (CpuidPolicy){.model = "x86-64-v3", .mce = true}, 1);
    g_assert_true(has(&table, "mce"));
}

static void
test_no_invariant_tsc_where_the_host_has_none(void)
{
    Host host;
    host_init(&host, "GenuineIntel");
    host_find(&host, 0x80000007, 0)->edx = 0;
    CpuidTable table = build(&host, (CpuidPolicy){.model = "host"}, 1);
    g_assert_false(has(&table, "invariant TSC"));
}

static void
test_topology(void)
{
    static const struct {
        unsigned n, bits;
    } cases[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {64, 6}};
    static const char *const models[] = {"host", "x86-64-v2"};

    for (size_t v = 0; v < G_N_ELEMENTS(vendors); v++)
        for (size_t m = 0; m < G_N_ELEMENTS(models); m++)
            for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                Host host;
                unsigned n = cases[i].n, bits = cases[i].bits, ids = (1u << bits) - 1, last = n - 1;
                host_init(&host, vendors[v]);
                CpuidTable table = build(&host, (CpuidPolicy){.model = models[m]}, n), other;
                cpuid_for_vcpu(&table, last, &other);

                g_assert_cmphex(cpuid_find(&table, 1, 0)->ebx, ==, n << 16 | 0x800);
                g_assert_cmphex(cpuid_find(&other, 1, 0)->ebx, ==, last << 24 | n << 16 | 0x800);
                g_assert_true(has(&table, "ht") == (n > 1));
                const Entry *threads = cpuid_find(&other, 0xb, 0), *cores = cpuid_find(&other, 0xb, 1);
                g_assert_true(threads->eax == 0 && threads->ebx == 1 && threads->ecx == 0x100 && threads->edx == last);
                g_assert_true(cores->eax == bits && cores->ebx == n && cores->ecx == 0x201 && cores->edx == last);
                g_assert_cmpuint(cpuid_find(&other, 0xb, 2)->edx, ==, last);

                uint32_t leaf = v ? 0x8000001d : 0x4;
                g_assert_cmphex(cpuid_find(&table, leaf, 0)->eax >> 14 & 0xfff, ==, 0); /* a core's own */
                g_assert_cmphex(cpuid_find(&table, leaf, 3)->eax >> 14 & 0xfff, ==, ids);
                g_assert_cmphex(cpuid_find(&table, leaf, 3)->eax & 0x3fff, ==, 0x163);
                if (v) {
                    g_assert_cmphex(cpuid_find(&table, 0x80000008, 0)->ecx, ==, bits << 12 | last);
                    g_assert_true(has(&table, "cmp_legacy") == (n > 1) && has(&table, "topoext"));
                    g_assert_cmphex(cpuid_find(&other, 0x8000001e, 0)->eax, ==, last);
                    g_assert_cmphex(cpuid_find(&other, 0x8000001e, 0)->ebx, ==, last);
                } else {
                    g_assert_cmphex(cpuid_find(&table, 0x4, 0)->eax >> 26, ==, ids);
                }
            }
}

/* Leaf 0xD holds what the shown features need: sizes are those of the area's last part. */
static void
test_xsave(void)
{
    Host host;
    host_init(&host, "GenuineIntel");
    CpuidTable table = build(&host, (CpuidPolicy){.model = "x86-64-v3"}, 1);
    g_assert_cmphex(cpuid_find(&table, 0xd, 0)->eax, ==, 0x7);
    g_assert_cmpuint(cpuid_find(&table, 0xd, 0)->ecx, ==, 576 + 256);
    g_assert_cmphex(cpuid_find(&table, 0xd, 1)->eax, ==, 1);
    g_assert_cmphex(cpuid_find(&table, 0xd, 1)->ecx, ==, 0);
    g_assert_nonnull(cpuid_find(&table, 0xd, 2));
    g_assert_null(cpuid_find(&table, 0xd, 5));

    table = build(&host, (CpuidPolicy){.model = "x86-64-v4"}, 1);
    g_assert_cmphex(cpuid_find(&table, 0xd, 0)->eax, ==, 0xe7);
    g_assert_cmpuint(cpuid_find(&table, 0xd, 0)->ecx, ==, 1408 + 1024);

    table = build(&host, (CpuidPolicy){.model = "host"}, 1);
    g_assert_cmphex(cpuid_find(&table, 0xd, 0)->eax, ==, 0x602e7);
    g_assert_cmpuint(cpuid_find(&table, 0xd, 0)->ecx, ==, 2880 + 8192);
    g_assert_true(has(&table, "amx_tile") && has(&table, "amx_int8"));
    host_find(&host, 0xd, 0)->eax = 0x2e7; /* nobody asked the kernel for the tiles' state */
    table = build(&host, (CpuidPolicy){.model = "host"}, 1);
    g_assert_false(has(&table, "amx_tile") || has(&table, "amx_int8") || has(&table, "amx_bf16"));
    host_init(&host, "GenuineIntel");
    g_assert_cmphex(cpuid_find(&table, 0xd, 1)->ecx, ==, 0x1800);
    g_assert_nonnull(cpuid_find(&table, 0xd, 11));

    host_find(&host, 0x7, 0)->ebx &= ~(1u << 16); /* no AVX-512 here */
    table = build(&host, (CpuidPolicy){.model = "host"}, 1);
    g_assert_cmphex(cpuid_find(&table, 0xd, 0)->eax, ==, 0x60207);
    g_assert_null(cpuid_find(&table, 0xd, 6));

    host_find(&host, 0x1, 0)->ecx &= ~(1u << 26); /* no XSAVE at all, though the leaf is there */
    table = build(&host, (CpuidPolicy){.model = "host"}, 1);
    g_assert_null(cpuid_find(&table, 0xd, 0));
    table = build(&host, (CpuidPolicy){.model = "x86-64-v2"}, 1);
    g_assert_null(cpuid_find(&table, 0xd, 0));
}

static void
test_baselines(void)
{
    for (size_t v = 0; v < G_N_ELEMENTS(vendors); v++) {
        Host host;
        host_init(&host, vendors[v]);
        CpuidTable v2 = build(&host, (CpuidPolicy){.model = "x86-64-v2"}, 2);
        CpuidTable v3 = build(&host, (CpuidPolicy){.model = "x86-64-v3"}, 2);
        CpuidTable v4 = build(&host, (CpuidPolicy){.model = "x86-64-v4"}, 2);
        g_assert_true(has(&v2, "sse4_2") && has(&v2, "popcnt") && has(&v2, "cx16") && has(&v2, "lahf_lm"));
        g_assert_false(has(&v2, "avx") || has(&v2, "avx2") || has(&v2, "xsave") || has(&v2, "aes"));
        g_assert_true(has(&v3, "avx2") && has(&v3, "bmi2") && has(&v3, "fma") && has(&v3, "movbe") && has(&v3, "abm"));
        g_assert_false(has(&v3, "avx512f") || has(&v3, "umip") || has(&v3, "invariant TSC") || has(&v3, "pcid"));
        g_assert_true(has(&v4, "avx512f") && has(&v4, "avx512vl") && has(&v4, "avx2"));
        g_assert_true(has(&v2, "spec_ctrl") && has(&v4, "spec_ctrl"));
        g_assert_cmpuint(cpuid_physical_bits(&v3), ==, 39);
        CpuidTable large = build(&host, (CpuidPolicy){.model = "x86-64-v3", .memory = 512ull << 30}, 2);
        g_assert_cmpuint(cpuid_physical_bits(&large), ==, 40);
        g_assert_cmpuint(memcmp(&cpuid_find(&v3, 0x80000002, 0)->eax, "Carr", 4), ==, 0);
        g_assert_cmphex(cpuid_find(&v3, 0, 0)->ebx, ==, host_find(&host, 0, 0)->ebx); /* the vendor stays */

        /* another host of the vendor, with another name and more features, gives the same table */
        Host other = host;
        host_find(&other, 0x1, 0)->eax = 0x00a20f10;
        host_find(&other, 0x80000002, 0)->eax = 0x12345678;
        host_find(&other, 0x80000008, 0)->eax = 0x3034;
        host_find(&other, 0x7, 1)->eax = 0xff;
        CpuidTable moved = build(&other, (CpuidPolicy){.model = "x86-64-v3"}, 2);
        g_assert_cmpmem(&moved, sizeof(moved), &v3, sizeof(v3));
    }
}

static void
expect_refused(Host *host, const char *model, const char *because)
{
    CpuidTable table;
    g_autoptr(GError) error = NULL;
    g_assert_false(cpuid_build((struct kvm_cpuid2 *)host, &(CpuidPolicy){.model = model}, 1, &table, &error));
    g_assert_error(error, KVM_ERROR, KVM_ERROR_LACKING);
    g_assert_nonnull(strstr(error->message, because));
}

static void
test_refusals_name_the_reason(void)
{
    Host host;
    host_init(&host, "GenuineIntel");
    expect_refused(&host, "pentium", "\"pentium\"");

    host_find(&host, 0x7, 0)->ebx &= ~(1u << 31);
    expect_refused(&host, "x86-64-v4", "lacks avx512vl, which cpu=x86-64-v4 needs");
    build(&host, (CpuidPolicy){.model = "x86-64-v3"}, 1);
    host_find(&host, 0xd, 0)->eax = 0x3;
    expect_refused(&host, "x86-64-v3", "lacks AVX state");
    host_find(&host, 0x1, 0)->ecx &= ~(1u << 20);
    expect_refused(&host, "x86-64-v2", "lacks sse4_2");
    build(&host, (CpuidPolicy){.model = "host"}, 1);

    host_init(&host, "GenuineIntel");
    host_find(&host, 0x80000008, 0)->eax = 0x3027; /* as most desktop processors */
    build(&host, (CpuidPolicy){.model = "x86-64-v2"}, 1);
    host_find(&host, 0x80000008, 0)->eax = 0x3024;
    expect_refused(&host, "x86-64-v2", "36 physical address bits");
    host_init(&host, "CentaurHauls");
    expect_refused(&host, "x86-64-v2", "Intel and AMD");
    build(&host, (CpuidPolicy){.model = "host"}, 1);
}

static bool
check(const CpuidTable *saved, Host *host, const char *because)
{
    g_autoptr(GError) error = NULL;
    if (cpuid_check(saved, (struct kvm_cpuid2 *)host, &error))
        return true;
    g_assert_error(error, KVM_ERROR, KVM_ERROR_LACKING);
    g_assert_nonnull(because);
    g_assert_nonnull(strstr(error->message, because));
    return false;
}

static void
test_check_saved(void)
{
    for (size_t v = 0; v < G_N_ELEMENTS(vendors); v++)
        for (size_t m = 0; cpuid_models[m]; m++) {
            Host host, other;
            host_init(&host, vendors[v]);
            CpuidTable saved = build(&host, (CpuidPolicy){.model = cpuid_models[m], .mce = true}, 8);
            g_assert_true(check(&saved, &host, NULL));
            host_find(&host, 0x1, 0)->ecx &= ~(1u << 5); /* no VMX: the guest never saw it */
            g_assert_true(check(&saved, &host, NULL));
            host_find(&host, 0x1, 0)->ecx &= ~(1u << 23);
            g_assert_false(check(&saved, &host, "lacks popcnt, which the saved desktop uses"));
            host_init(&other, vendors[!v]);
            g_assert_false(check(&saved, &other, "another vendor"));
            host_init(&host, vendors[v]);
            host_find(&host, 0x7, 0)->edx &= ~(1u << 26);
            g_assert_false(check(&saved, &host, "lacks spec_ctrl"));
        }
    Host host;
    host_init(&host, "GenuineIntel");
    CpuidTable saved = build(&host, (CpuidPolicy){.model = "host"}, 1);
    host_find(&host, 0x7, 1)->eax = 0x10;
    g_assert_false(check(&saved, &host, "lacks CPUID 7.1 EAX bit 5")); /* one without a name here */
    host_init(&host, "GenuineIntel");
    host_find(&host, 0x7, 2)->edx = 0x2f;
    g_assert_false(check(&saved, &host, "lacks bhi_ctrl"));
    host_init(&host, "GenuineIntel");
    host_find(&host, 0x80000008, 0)->eax = 0x302e;
    g_assert_false(check(&saved, &host, "48 physical address bits, this host's processor has 46"));
    CpuidTable empty = {0};
    g_assert_false(check(&empty, &host, "vendor"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cpuid/features", test_no_feature_twice);
    g_test_add_func("/cpuid/host-hides", test_host_hides_what_is_not_the_guests);
    g_test_add_func("/cpuid/asked-for", test_asked_for);
    g_test_add_func("/cpuid/invariant-tsc", test_no_invariant_tsc_where_the_host_has_none);
    g_test_add_func("/cpuid/topology", test_topology);
    g_test_add_func("/cpuid/xsave", test_xsave);
    g_test_add_func("/cpuid/baselines", test_baselines);
    g_test_add_func("/cpuid/refusals", test_refusals_name_the_reason);
    g_test_add_func("/cpuid/check-saved", test_check_saved);
    return g_test_run();
}
