/* SPDX-License-Identifier: Apache-2.0 */
/* INIT, SIPI to a trampoline page below 640 KiB, and a mailbox for each processor (Intel SDM 3A, 9.4). */
#include "smp.h"
#include "acpi.h"
#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "interrupt.h"
#include "layout.h"
#include "text.h"

#define COMMAND_INIT 0x4500
#define COMMAND_STARTUP 0x4600
#define COMMAND_FIXED 0x4000

typedef struct Processor {
    uint32_t apic_id;
    volatile bool running;
    void (*volatile run)(void *);
    void *context;
} Processor;

extern char boot_ap_begin[], boot_ap_end[];
void smp_ap_main(void);

uint64_t smp_boot_stack; /* read by boot.S */

static Processor processors[SMP_CPUS_MAX];
static unsigned n_processors;
static char stacks[SMP_CPUS_MAX][CPU_STACK_SIZE] __attribute__((aligned(16)));
static uint8_t wake_vector;

/* The processor that smp_start() is bringing up: they come one at a time. */
static volatile unsigned starting;

void
smp_ap_main(void)
{
    Processor *self = &processors[starting];

    interrupt_init_cpu(starting);
    local_apic_init();
    self->running = true;
    for (;;) {
        if (!self->run) {
            cpu_wait_interrupt();
            continue;
        }
        self->run(self->context);
        self->run = NULL;
    }
}

static bool
start_one(unsigned index)
{
    starting = index;
    smp_boot_stack = (uint64_t)stacks[index] + CPU_STACK_SIZE;
    local_apic_send(processors[index].apic_id, COMMAND_INIT);
    clock_delay(MILLISECONDS(1));
    local_apic_send(processors[index].apic_id, COMMAND_STARTUP | SMP_TRAMPOLINE >> 12);

    uint64_t deadline = clock_ns() + SECONDS(2);
    while (!processors[index].running && clock_ns() < deadline)
        cpu_pause();
    return processors[index].running;
}

unsigned
smp_start(void)
{
    if (n_processors)
        return n_processors;

    wake_vector = interrupt_allocate(NULL, NULL);
    memcpy((void *)SMP_TRAMPOLINE, boot_ap_begin, boot_ap_end - boot_ap_begin);
    processors[0] = (Processor){.apic_id = local_apic_id(), .running = true};
    n_processors = 1;
    for (unsigned i = 0; i < acpi.n_cpus && n_processors < SMP_CPUS_MAX; i++) {
        if (acpi.cpu_apic_ids[i] == processors[0].apic_id)
            continue;
        processors[n_processors].apic_id = acpi.cpu_apic_ids[i];
        if (!start_one(n_processors))
            break;
        n_processors++;
    }
    return n_processors;
}

uint32_t
smp_apic_id(unsigned cpu)
{
    return processors[cpu].apic_id;
}

void
smp_run(unsigned cpu, void (*run)(void *context), void *context)
{
    processors[cpu].context = context;
    processors[cpu].run = run;
    local_apic_send(processors[cpu].apic_id, COMMAND_FIXED | wake_vector);
}

bool
smp_wait(unsigned cpu, uint64_t timeout_ns)
{
    uint64_t deadline = clock_ns() + timeout_ns;

    while (processors[cpu].run) {
        if (clock_ns() > deadline)
            return false;
        cpu_pause();
    }
    return true;
}
