/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small virtual PC for tests of vmm/kvm: memory, buses, processors, and one device that a guest talks to.
 *
 * A guest "says" 32-bit words at port SAY_PORT; the test waits for them on the main loop. It reads words of the test's
 * making at address ASK_ADDRESS. Guests are assembled into the test's own image and copied to GUEST_CODE. Each file that
 * includes this skips its tests where there is no KVM.
 */
#pragma once

#include "vmm/kvm/host.h"
#include "vmm/kvm/vcpus.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>

#define MIB (1ull << 20)
#define GUEST_MEMORY (16 * MIB)
#define GUEST_GDT 0x1000
#define GUEST_IDT 0x1800
#define GUEST_TABLES 0x2000 /* page tables: 3 pages */
#define GUEST_REAL 0x8000   /* where an application processor begins */
#define GUEST_CODE 0x10000
#define GUEST_STACK 0x80000
#define GUEST_DATA 0x100000
#define SAY_PORT 0x500
#define ASK_ADDRESS 0x20000000

typedef struct Pc Pc;
struct Pc {
    int kvm_fd;
    GuestMemory *memory;
    Vm *vm;
    Bus *ports, *addresses;
    Machine *machine;
    Vcpus *vcpus;
    BootState boot;
    const uint8_t *code; /* of the guest, loaded at each boot */
    size_t code_len;
    unsigned n_loads;
    void (*after_load)(Pc *pc);

    GMutex lock;
    GArray *said;                        /* of uint32_t; under the lock */
    uint32_t (*ask)(Pc *pc, uint32_t n); /* answers the n-th question, on the vCPU's thread */
    uint32_t n_asked;                    /* atomic */
};

static uint64_t
pc_say_read(void *device, uint64_t offset, unsigned size)
{
    return 0x11223344 >> (8 * offset);
}

static void
pc_say_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    Pc *pc = device;
    uint32_t word = value;
    g_mutex_lock(&pc->lock);
    g_array_append_val(pc->said, word);
    g_mutex_unlock(&pc->lock);
    g_main_context_wakeup(NULL);
}

static const BusOps pc_say_ops = {.read = pc_say_read, .write = pc_say_write};

static uint64_t
pc_ask_read(void *device, uint64_t offset, unsigned size)
{
    Pc *pc = device;
    uint32_t n = __atomic_add_fetch(&pc->n_asked, 1, __ATOMIC_SEQ_CST);
    return pc->ask ? pc->ask(pc, n) : n;
}

static const BusOps pc_ask_ops = {.read = pc_ask_read, .write = pc_say_write};

/* Flat 32-bit and 64-bit code at 0x10 and 0x20, data at 0x18; an IDT of 128 gates for 32-bit code, all absent. */
static void
pc_write_tables(Pc *pc)
{
    static const uint64_t gdt[] = {0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff};
    g_assert_true(guest_memory_write(pc->memory, GUEST_GDT, gdt, sizeof(gdt)));
    uint64_t pml4 = (GUEST_TABLES + 0x1000) | 3, pdpt = (GUEST_TABLES + 0x2000) | 3;
    g_assert_true(guest_memory_write(pc->memory, GUEST_TABLES, &pml4, 8));
    g_assert_true(guest_memory_write(pc->memory, GUEST_TABLES + 0x1000, &pdpt, 8));
    for (uint64_t i = 0; i < 512; i++) {
        uint64_t page = i * 2 * MIB | 0x83;
        g_assert_true(guest_memory_write(pc->memory, GUEST_TABLES + 0x2000 + 8 * i, &page, 8));
    }
}

static bool
pc_load(void *loader, BootState *state, GError **error)
{
    Pc *pc = loader;
    pc->n_loads++;
    pc_write_tables(pc);
    g_assert_true(guest_memory_write(pc->memory, GUEST_CODE, pc->code, pc->code_len));
    if (pc->after_load)
        pc->after_load(pc);
    *state = pc->boot;
    return true;
}

static void pc_free(Pc *pc);

/* NULL, with the test skipped, where there is no KVM, or the host lacks what the processor @model needs. */
static Pc *
pc_new_model(const char *model, unsigned n_vcpus, BootMode mode, const uint8_t *code, const uint8_t *code_end)
{
    g_autoptr(GError) error = NULL;
    g_autofd int kvm_fd = kvm_host_open(-1, &error);
    if (kvm_fd < 0) {
        g_test_skip(error->message);
        return NULL;
    }
    Pc *pc = g_new0(Pc, 1);
    g_mutex_init(&pc->lock);
    pc->kvm_fd = g_steal_fd(&kvm_fd);
    pc->said = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    pc->code = code;
    pc->code_len = code_end - code;
    pc->boot = (BootState){.mode = mode,
                           .rip = GUEST_CODE,
                           .rsp = GUEST_STACK,
                           .rbx = 0xb0071e5,
                           .rsi = 0x5e1f,
                           .cr3 = GUEST_TABLES,
                           .gdt_base = GUEST_GDT,
                           .gdt_limit = 0x27};
    pc->memory = guest_memory_new(&(GuestMemoryOptions){.size = GUEST_MEMORY}, &error);
    g_assert_no_error(error);
    pc->vm = vm_new(pc->kvm_fd, pc->memory, &error);
    g_assert_no_error(error);
    pc->ports = bus_new(true, &vm_bus_ops, pc->vm);
    pc->addresses = bus_new(false, &vm_bus_ops, pc->vm);
    g_assert_true(bus_map(pc->ports, SAY_PORT, 4, &pc_say_ops, pc));
    g_assert_true(bus_map(pc->addresses, ASK_ADDRESS, 8, &pc_ask_ops, pc));
    pc->machine = machine_new();
    pc->vcpus = vcpus_new(pc->vm,
                          &(VcpusOptions){.count = n_vcpus,
                                          .cpuid = {.model = model},
                                          .ports = pc->ports,
                                          .addresses = pc->addresses,
                                          .machine = pc->machine},
                          &error);
    if (g_error_matches(error, KVM_ERROR, KVM_ERROR_LACKING)) {
        g_test_skip(error->message);
        pc_free(pc);
        return NULL;
    }
    g_assert_no_error(error);
    vcpus_add_to_machine(pc->vcpus);
    vcpus_set_loader(pc->vcpus, &(BootLoader){.load = pc_load, .loader = pc});
    return pc;
}

static Pc *
pc_new(unsigned n_vcpus, BootMode mode, const uint8_t *code, const uint8_t *code_end)
{
    return pc_new_model("host", n_vcpus, mode, code, code_end);
}

G_GNUC_UNUSED static void
pc_boot(Pc *pc)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(vcpus_boot(pc->vcpus, &error));
    g_assert_no_error(error);
    machine_start(pc->machine, false);
}

static void
pc_free(Pc *pc)
{
    if (!pc)
        return;
    machine_free(pc->machine);
    vcpus_free(pc->vcpus);
    bus_free(pc->ports);
    bus_free(pc->addresses);
    vm_free(pc->vm);
    guest_memory_free(pc->memory);
    g_close(pc->kvm_fd, NULL);
    g_array_unref(pc->said);
    g_mutex_clear(&pc->lock);
    g_free(pc);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pc, pc_free)

static guint
pc_n_said(Pc *pc)
{
    g_mutex_lock(&pc->lock);
    guint n = pc->said->len;
    g_mutex_unlock(&pc->lock);
    return n;
}

/* Turns the loop until the guest has said @n words in all, and gives the last of them. */
G_GNUC_UNUSED static uint32_t
pc_hear(Pc *pc, guint n)
{
    while (pc_n_said(pc) < n)
        g_main_context_iteration(NULL, TRUE);
    g_mutex_lock(&pc->lock);
    uint32_t word = g_array_index(pc->said, uint32_t, n - 1);
    g_mutex_unlock(&pc->lock);
    return word;
}

/* Code between the labels guest_NAME and guest_NAME_end, assembled with @text. */
#define GUEST(name, text)                                      \
    extern const uint8_t guest_##name[], guest_##name##_end[]; \
    __asm__(".pushsection .rodata\n"                           \
            "guest_" #name ":\n" text "\n"                     \
            "guest_" #name "_end:\n"                           \
            ".code64\n.popsection\n")
/* A pair of arguments for pc_new(). */
#define GUEST_BYTES(name) guest_##name, guest_##name##_end
