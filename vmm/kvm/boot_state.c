/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of a direct boot. Segment registers hold what the processor would have cached from descriptors, so the
 * guest runs before it loads a table of its own.
 */
#include "vmm/kvm/boot_state.h"

#include <asm/processor-flags.h>

/* Intel SDM 3A, 3.4.5.1 and 3.5 */
#define TYPE_CODE 0xb /* execute, read, accessed */
#define TYPE_DATA 0x3 /* read, write, accessed */
#define TYPE_TSS 0xb  /* 32-bit or 64-bit TSS, busy */

#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18
#define SELECTOR_TSS 0x20

#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)

static void
set_segments(struct kvm_sregs *sregs, bool long_mode)
{
    struct kvm_segment code = {.base = 0,
                               .limit = 0xffffffff,
                               .selector = SELECTOR_CODE,
                               .type = TYPE_CODE,
                               .present = 1,
                               .s = 1,
                               .g = 1,
                               .db = !long_mode,
                               .l = long_mode};
    struct kvm_segment data = {.base = 0,
                               .limit = 0xffffffff,
                               .selector = SELECTOR_DATA,
                               .type = TYPE_DATA,
                               .present = 1,
                               .s = 1,
                               .g = 1,
                               .db = 1};
    struct kvm_segment tss = {.base = 0, .limit = 0x67, .selector = SELECTOR_TSS, .type = TYPE_TSS, .present = 1};

    sregs->cs = code;
    sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
    sregs->tr = tss;
    sregs->ldt = (struct kvm_segment){.unusable = 1};
}

void
boot_state_apply(const BootState *state, struct kvm_regs *regs, struct kvm_sregs *sregs)
{
    if (state->mode == BOOT_MODE_RESET_VECTOR)
        return;
    *regs = (struct kvm_regs){
        .rip = state->rip, .rsp = state->rsp, .rbx = state->rbx, .rsi = state->rsi, .rflags = X86_EFLAGS_FIXED};
    bool long_mode = state->mode == BOOT_MODE_LONG;
    set_segments(sregs, long_mode);
    sregs->gdt = (struct kvm_dtable){.base = state->gdt_base, .limit = state->gdt_limit};
    sregs->idt = (struct kvm_dtable){0};
    sregs->cr0 = X86_CR0_PE | X86_CR0_ET;
    sregs->cr4 = 0;
    sregs->efer = 0;
    if (long_mode) {
        sregs->cr0 |= X86_CR0_PG;
        sregs->cr3 = state->cr3;
        sregs->cr4 = X86_CR4_PAE;
        sregs->efer = EFER_LME | EFER_LMA;
    }
}
