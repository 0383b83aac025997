/* SPDX-License-Identifier: Apache-2.0 */
/* Hyper-V's leaves from what made-up KVMs support: a whole one, lesser ones, and where a saved desktop may go. */
#include "vmm/kvm/hyperv.h"

#include "vmm/kvm/host.h"

#include <string.h>

#define ALL UINT32_MAX

typedef struct {
    uint32_t nent;
    uint32_t padding;
    struct kvm_cpuid_entry2 entries[8];
} Kvm;

static const struct kvm_cpuid2 *
as_cpuid(const Kvm *kvm)
{
    return (const struct kvm_cpuid2 *)kvm;
}

static void
kvm_init(Kvm *kvm, uint32_t privileges, uint32_t features, uint32_t recommendations)
{
    *kvm = (Kvm){
        .nent = 5,
        .entries = {{.function = 0x40000000, .eax = 0x40000082},
                    {.function = 0x40000001, .eax = 0x31237648},
                    {.function = 0x40000003, .eax = privileges, .ebx = ALL, .edx = features},
                    {.function = 0x40000004, .eax = recommendations, .ebx = 77},
                    {.function = 0x4000000a, .eax = ALL}},
    };
}

/* What cpuid_build() ends with. */
static void
table_init(CpuidTable *table)
{
    *table = (CpuidTable){
        .nent = 3,
        .entries = {{.function = 0, .eax = 0xd},
                    {.function = 0x40000000, .eax = 0x40000001, .ebx = 0x4b4d564b, .ecx = 0x564b4d56, .edx = 0x4d},
                    {.function = 0x40000001, .eax = 0x01007efb}},
    };
}

static CpuidTable
build(const Kvm *kvm)
{
    CpuidTable table;
    table_init(&table);
    hyperv_add(&table, as_cpuid(kvm));
    return table;
}

static uint32_t
privileges_of(const CpuidTable *table)
{
    return cpuid_find(table, 0x40000003, 0)->eax;
}

static void
test_offered(void)
{
    Kvm kvm;

    g_assert_false(hyperv_offered(NULL));
    kvm_init(&kvm, ALL, ALL, ALL);
    g_assert_true(hyperv_offered(as_cpuid(&kvm)));
    kvm.entries[1].eax = 0;
    g_assert_false(hyperv_offered(as_cpuid(&kvm)));
    kvm_init(&kvm, ALL & ~(1u << 5), ALL, ALL);
    g_assert_false(hyperv_offered(as_cpuid(&kvm))); /* no hypercall page */
}

static void
test_all_of_it(void)
{
    Kvm kvm;

    kvm_init(&kvm, ALL, ALL, ALL);
    CpuidTable table = build(&kvm);
    const struct kvm_cpuid_entry2 *leaf = cpuid_find(&table, 0x40000000, 0);
    char vendor[13] = {0};
    memcpy(vendor, &leaf->ebx, 4);
    memcpy(vendor + 4, &leaf->ecx, 4);
    memcpy(vendor + 8, &leaf->edx, 4);
    g_assert_cmpstr(vendor, ==, "Microsoft Hv");
    g_assert_cmphex(leaf->eax, ==, 0x40000005);
    g_assert_cmphex(cpuid_find(&table, 0x40000001, 0)->eax, ==, 0x31237648);
    g_assert_cmphex(privileges_of(&table), ==, 0xaff);
    g_assert_cmphex(cpuid_find(&table, 0x40000003, 0)->ebx, ==, 0); /* nobody answers messages and events */
    g_assert_cmphex(cpuid_find(&table, 0x40000003, 0)->edx, ==, 1u << 4 | 1u << 8 | 1u << 19);
    g_assert_cmphex(cpuid_find(&table, 0x40000004, 0)->eax, ==, 0xe2c);
    g_assert_cmphex(cpuid_find(&table, 0x40000004, 0)->ebx, ==, ALL);
    g_assert_null(cpuid_find(&table, 0x4000000a, 0)); /* nested */
    g_assert_true(hyperv_is_shown(&table) && hyperv_shows_synic(&table));

    /* KVM's own leaves, where Linux looks next */
    g_assert_cmphex(cpuid_find(&table, 0x40000100, 0)->eax, ==, 0x40000101);
    g_assert_cmphex(cpuid_find(&table, 0x40000100, 0)->ebx, ==, 0x4b4d564b);
    g_assert_cmphex(cpuid_find(&table, 0x40000101, 0)->eax, ==, 0x01007efb);
    g_assert_cmphex(cpuid_find(&table, 0, 0)->eax, ==, 0xd);
}

/* A feature without what it needs, or of which only a part is there, is not shown. */
static void
test_what_depends(void)
{
    Kvm kvm;

    kvm_init(&kvm, ALL & ~(1u << 6), ALL, ALL); /* no processor index */
    CpuidTable table = build(&kvm);
    g_assert_cmphex(privileges_of(&table), ==, 0xa00 | 0xb3);
    g_assert_cmphex(cpuid_find(&table, 0x40000004, 0)->eax, ==, 0x228);
    g_assert_false(hyperv_shows_synic(&table));

    kvm_init(&kvm, ALL & ~(1u << 9), ALL, ALL); /* no reference TSC page: no reference time, no timers on it */
    table = build(&kvm);
    g_assert_cmphex(privileges_of(&table), ==, 0x800 | 0xf5);
    g_assert_false(cpuid_find(&table, 0x40000003, 0)->edx & 1u << 19);

    kvm_init(&kvm, ALL, ALL & ~(1u << 8), ALL & ~(1u << 3));
    table = build(&kvm);
    g_assert_false(privileges_of(&table) & (1u << 11 | 1u << 4)); /* frequencies, virtual APIC */

    kvm_init(&kvm, 1u << 5, 0, 0); /* as little as can be */
    table = build(&kvm);
    g_assert_cmphex(privileges_of(&table), ==, 1u << 5);
    kvm.nent = 3;
    g_assert_cmphex(cpuid_find(&table, 0x40000004, 0)->eax, ==, 0);
}

static void
expect_refused(const CpuidTable *saved, const Kvm *kvm, const char *because)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(hyperv_check(saved, kvm ? as_cpuid(kvm) : NULL, &error));
    g_assert_error(error, KVM_ERROR, KVM_ERROR_LACKING);
    g_assert_nonnull(strstr(error->message, because));
}

static void
test_check_saved(void)
{
    g_autoptr(GError) error = NULL;
    Kvm whole, lesser;
    CpuidTable without;

    table_init(&without);
    g_assert_true(hyperv_check(&without, NULL, &error));
    kvm_init(&whole, ALL, ALL, ALL);
    CpuidTable saved = build(&whole);
    g_assert_true(hyperv_check(&saved, as_cpuid(&whole), &error));
    expect_refused(&saved, NULL, "lacks Hyper-V's interface");
    kvm_init(&lesser, ALL & ~(1u << 3), ALL, ALL);
    expect_refused(&saved, &lesser, "synthetic timers");
    kvm_init(&lesser, ALL, ALL, ALL & ~(1u << 10));
    expect_refused(&saved, &lesser, "IPI hypercalls");
    lesser = whole;
    lesser.entries[2].eax = 0xaff;
    ((struct kvm_cpuid_entry2 *)cpuid_find(&saved, 0x40000003, 0))->eax |= 1u << 30;
    expect_refused(&saved, &lesser, "newer kind");

    CpuidTable less = build(&lesser);
    g_assert_true(hyperv_check(&less, as_cpuid(&whole), &error));
}

/* cpuid_check() finds KVM's word where it has moved to. */
static void
test_kvms_own_word(void)
{
    const struct {
        uint32_t nent, padding;
        struct kvm_cpuid_entry2 entries[2];
    } host = {2, 0, {{.function = 0}, {.function = 0x40000001, .eax = 0x01007efb}}},
      poorer = {2, 0, {{.function = 0}, {.function = 0x40000001, .eax = 0x01007efa}}};
    g_autoptr(GError) error = NULL;
    Kvm whole;

    kvm_init(&whole, ALL, ALL, ALL);
    CpuidTable saved = build(&whole);
    g_assert_true(cpuid_check(&saved, (const struct kvm_cpuid2 *)&host, &error));
    g_assert_false(cpuid_check(&saved, (const struct kvm_cpuid2 *)&poorer, &error));
    g_assert_nonnull(strstr(error->message, "kvm_clocksource"));
}

static void
test_registers(void)
{
    bool has_identity = false;

    for (size_t i = 0; i < hyperv_n_msrs; i++) {
        g_assert_true(hyperv_is_msr(hyperv_msrs[i]));
        has_identity |= hyperv_msrs[i] == 0x40000000;
        if (hyperv_msrs[i] == 0x40000001)
            g_assert_true(has_identity); /* else KVM ignores the hypercall page */
        for (size_t k = 0; k < i; k++)
            g_assert_cmphex(hyperv_msrs[i], !=, hyperv_msrs[k]);
    }
    g_assert_true(hyperv_is_msr(0x40000002));
    g_assert_false(hyperv_is_msr(0x4b564d00)); /* KVM's own */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hyperv/offered", test_offered);
    g_test_add_func("/hyperv/all", test_all_of_it);
    g_test_add_func("/hyperv/dependencies", test_what_depends);
    g_test_add_func("/hyperv/check-saved", test_check_saved);
    g_test_add_func("/hyperv/kvm-word", test_kvms_own_word);
    g_test_add_func("/hyperv/registers", test_registers);
    return g_test_run();
}
