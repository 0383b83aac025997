/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the boot processor begins: at the reset vector (firmware), or in the state a kernel's direct boot protocol asks for.
 *
 * A loader owns a BootLoader. Its .load puts kernel, tables and command line into guest memory and says where to begin; it
 * is called before the first start and again on each reset, since a guest that ran has overwritten them. The other
 * processors wait for INIT and SIPI in every mode.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/kvm.h>

typedef enum {
    /* As the processor wakes up: real mode at 0xfffffff0. Nothing else below counts. */
    BOOT_MODE_RESET_VECTOR,
    /*
     * 32-bit protected mode, paging off, flat 4 GiB segments, interrupts off: the PVH entry (Xen's
     * docs/misc/pvh.pandoc), with rbx = the start info. No GDT has to exist in memory.
     */
    BOOT_MODE_PROTECTED,
    /*
     * 64-bit long mode with the page tables at @cr3, interrupts off: a bzImage's 64-bit entry (Linux's
     * Documentation/arch/x86/boot.rst, "64-bit boot protocol"), with rsi = boot_params. CS is selector 0x10, the data
     * segments 0x18; the GDT that @gdt_base names has to hold them.
     */
    BOOT_MODE_LONG,
} BootMode;

typedef struct {
    BootMode mode;
    uint64_t rip;
    uint64_t rsp; /* 0: none */
    uint64_t rbx;
    uint64_t rsi;
    uint64_t cr3;       /* BOOT_MODE_LONG */
    uint64_t gdt_base;  /* guest address; 0 with a limit of 0 where there is none */
    uint16_t gdt_limit; /* bytes - 1 */
} BootState;

typedef struct {
    /* Main thread, while no vCPU runs. false and an error where the files cannot be read again, or do not fit. */
    bool (*load)(void *loader, BootState *state, GError **error);
    void *loader;
} BootLoader;

/* Turns a processor's power-on registers into @state's. Pure. */
void boot_state_apply(const BootState *state, struct kvm_regs *regs, struct kvm_sregs *sregs);
