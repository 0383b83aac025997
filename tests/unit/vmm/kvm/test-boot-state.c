/* SPDX-License-Identifier: Apache-2.0 */
/* Direct boot registers. That processors accept them is tested in test-vm.c, on a real one. */
#include "vmm/kvm/boot_state.h"

static void
test_reset_vector_changes_nothing(void)
{
    struct kvm_regs regs = {.rip = 0xfff0, .rdx = 0x600};
    struct kvm_sregs sregs = {.cr0 = 0x60000010, .cs.selector = 0xf000};
    boot_state_apply(&(BootState){.mode = BOOT_MODE_RESET_VECTOR, .rip = 1}, &regs, &sregs);
    g_assert_cmphex(regs.rip, ==, 0xfff0);
    g_assert_cmphex(regs.rdx, ==, 0x600);
    g_assert_cmphex(sregs.cr0, ==, 0x60000010);
    g_assert_cmphex(sregs.cs.selector, ==, 0xf000);
}

static void
test_protected(void)
{
    struct kvm_regs regs = {.rip = 0xfff0, .rdx = 0x600, .rflags = 0x202};
    struct kvm_sregs sregs = {.cr0 = 0x60000010, .apic_base = 0xfee00900, .efer = 0x500, .cr4 = 0x20};
    boot_state_apply(&(BootState){.mode = BOOT_MODE_PROTECTED, .rip = 0x100000, .rbx = 0x8000, .rsp = 0x20000}, &regs,
                     &sregs);
    g_assert_cmphex(regs.rip, ==, 0x100000);
    g_assert_cmphex(regs.rbx, ==, 0x8000);
    g_assert_cmphex(regs.rsp, ==, 0x20000);
    g_assert_cmphex(regs.rflags, ==, 2);            /* no interrupts */
    g_assert_cmphex(sregs.cr0 & 0x80000001, ==, 1); /* protected, not paged */
    g_assert_cmphex(sregs.cr4, ==, 0);
    g_assert_cmphex(sregs.efer, ==, 0);
    g_assert_cmphex(sregs.apic_base, ==, 0xfee00900);
    g_assert_true(sregs.cs.db && !sregs.cs.l && sregs.cs.g && sregs.cs.limit == 0xffffffff && sregs.cs.base == 0);
    g_assert_true(sregs.ss.present && sregs.ds.present && sregs.es.present && sregs.tr.present);
    g_assert_cmphex(sregs.tr.limit, ==, 0x67);
}

static void
test_long(void)
{
    struct kvm_regs regs = {0};
    struct kvm_sregs sregs = {0};
    boot_state_apply(
        &(BootState){
            .mode = BOOT_MODE_LONG, .rip = 0x100200, .rsi = 0x8000, .cr3 = 0x2000, .gdt_base = 0x1000, .gdt_limit = 31},
        &regs, &sregs);
    g_assert_cmphex(regs.rsi, ==, 0x8000);
    g_assert_cmphex(sregs.cr0 & 0x80000001, ==, 0x80000001);
    g_assert_cmphex(sregs.cr3, ==, 0x2000);
    g_assert_cmphex(sregs.cr4, ==, 0x20);
    g_assert_cmphex(sregs.efer, ==, 0x500);
    g_assert_true(sregs.cs.l && !sregs.cs.db);
    g_assert_cmphex(sregs.cs.selector, ==, 0x10);
    g_assert_cmphex(sregs.ds.selector, ==, 0x18);
    g_assert_cmphex(sregs.gdt.base, ==, 0x1000);
    g_assert_cmphex(sregs.gdt.limit, ==, 31);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/boot-state/reset-vector", test_reset_vector_changes_nothing);
    g_test_add_func("/boot-state/protected", test_protected);
    g_test_add_func("/boot-state/long", test_long);
    return g_test_run();
}
