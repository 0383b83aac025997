/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual processors: one thread each, run and paused together, and what they do when they leave the guest.
 *
 * Processor n has APIC id n. The first begins where the boot loader says; the others wait for INIT and SIPI. An access to a
 * port or an address goes to its bus on the processor's own thread. A triple fault asks the machine for a reset; what KVM
 * cannot go on with pauses it (MACHINE_PAUSE_ERROR) with a detail that shows where.
 *
 * Owner: the main thread, except where a comment says otherwise.
 */
#pragma once

#include "vmm/board/bus.h"
#include "vmm/board/machine.h"
#include "vmm/kvm/boot_state.h"
#include "vmm/kvm/cpuid.h"
#include "vmm/kvm/vm.h"

#define VCPUS_MAX 64

typedef struct Vcpus Vcpus;

typedef struct {
    unsigned count; /* 1 to VCPUS_MAX */
    CpuidPolicy cpuid;
    Bus *ports;       /* borrowed, as all of these */
    Bus *addresses;   /* guest physical addresses that are no RAM */
    Bus *smm;         /* those that only a processor in system management mode reaches; NULL: there is no such mode */
    Machine *machine; /* told of resets and errors */
    /* Called first on each processor's thread, before the guest runs there (to confine it). May be NULL. */
    void (*thread_begin)(void *user);
    void *user;
} VcpusOptions;

/* Why a processor left the guest, for statistics. */
typedef enum {
    VCPU_EXIT_PORT_READ,
    VCPU_EXIT_PORT_WRITE,
    VCPU_EXIT_MEMORY_READ, /* of a device's address */
    VCPU_EXIT_MEMORY_WRITE,
    VCPU_EXIT_KICK,  /* called out to be paused */
    VCPU_EXIT_OTHER, /* resets, errors */
    VCPU_EXITS,
} VcpuExit;
/* "port-read", … for people and metrics. */
extern const char *const vcpu_exit_names[VCPU_EXITS];

/* Creates the processors in @vm, at power-on. Their threads start with the first run. Takes SIGUSR1 for its own use. */
Vcpus *vcpus_new(Vm *vm, const VcpusOptions *options, GError **error);
/* Ends the threads. They must be paused: after machine_free(), before vm_free() and bus_free(). */
void vcpus_free(Vcpus *vcpus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vcpus, vcpus_free)

/*
 * Adds what KVM holds of the virtual PC to the machine's table, in the order it has to be loaded: "kvmclock", "cpuid",
 * "vcpu0", …, "pit", "irqchip"; and makes the processors the machine's. The entries are not freed with the machine.
 */
void vcpus_add_to_machine(Vcpus *vcpus);

/* Who loads what the first processor begins with, now and on each reset. Without one it is BOOT_MODE_RESET_VECTOR. */
void vcpus_set_loader(Vcpus *vcpus, const BootLoader *loader);
/* Has the loader load and sets the first processor to it. Before machine_start(); not where a saved desktop is loaded. */
bool vcpus_boot(Vcpus *vcpus, GError **error);

/*
 * Has the processor whose thread this is enter system management mode before its next instruction. Nothing on any other
 * thread.
 */
void vcpus_raise_smi(Vcpus *vcpus);
/* The same, and has the others enter it soon. */
void vcpus_broadcast_smi(Vcpus *vcpus);

unsigned vcpus_count(const Vcpus *vcpus);
/* Bits of a guest physical address, as the guest's CPUID tells: for board_pci64_window(). */
unsigned vcpus_physical_bits(const Vcpus *vcpus);
/* Whether the guest sees Hyper-V's interface: asked for, and offered by this KVM. */
bool vcpus_show_hyperv(const Vcpus *vcpus);
/* Copies processor @index's exits so far. Any thread. */
void vcpus_exits(const Vcpus *vcpus, unsigned index, uint64_t counts[VCPU_EXITS]);
