/* SPDX-License-Identifier: Apache-2.0 */
/* Processors on the host's KVM, with guests of a few instructions: exits, interrupts, pauses, resets, errors, saving. */
#include "fixture.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- exits ---- */

GUEST(ports, ".code32\n"
             "mov $0x500, %dx\n"
             "mov %ebx, %eax\n"
             "out %eax, %dx\n" /* what the boot state gave */
             "in %dx, %eax\n"
             "out %eax, %dx\n"
             "xor %eax, %eax\n"
             "in %dx, %al\n"
             "out %ax, %dx\n"
             "cld\n" /* string instructions */
             "mov $3, %ecx\n"
             "mov $0x100000, %edi\n"
             "rep insl\n"
             "mov $3, %ecx\n"
             "mov $0x100000, %esi\n"
             "rep outsw\n"
             "mov $0x600, %dx\n" /* nobody there */
             "in %dx, %ax\n"
             "mov $0x500, %dx\n"
             "out %ax, %dx\n"
             "1: hlt\n"
             "jmp 1b\n");

static void
test_ports(void)
{
    static const uint32_t expected[] = {0xb0071e5, 0x11223344, 0x44, 0x3344, 0x1122, 0x3344, 0xffff};
    uint64_t exits[VCPU_EXITS];
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(ports));
    if (!pc)
        return;
    pc_boot(pc);
    pc_hear(pc, G_N_ELEMENTS(expected));
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++)
        g_assert_cmphex(g_array_index(pc->said, uint32_t, i), ==, expected[i]);
    vcpus_exits(pc->vcpus, 0, exits);
    g_assert_cmpuint(exits[VCPU_EXIT_PORT_READ], >=, 4);
    g_assert_cmpuint(exits[VCPU_EXIT_PORT_WRITE], >=, 5);
}

GUEST(memory, ".code64\n"
              "mov $0x500, %dx\n"
              "mov %esi, %eax\n"
              "out %eax, %dx\n" /* what the boot state gave */
              "mov $0x20000000, %ebx\n"
              "mov (%rbx), %eax\n" /* question 1 */
              "out %eax, %dx\n"
              "movzbl (%rbx), %eax\n"
              "out %eax, %dx\n"
              "movl $0xcafe, (%rbx)\n" /* the device says it */
              "movw $0xbeef, 4(%rbx)\n"
              "mov 0x1000(%rbx), %eax\n" /* nobody there */
              "out %eax, %dx\n"
              "1: hlt\n"
              "jmp 1b\n");

static uint32_t
ask_memory(Pc *pc, uint32_t n)
{
    return 0x12340000 + n;
}

static void
test_memory(void)
{
    static const uint32_t expected[] = {0x5e1f, 0x12340001, 2, 0xcafe, 0xbeef, 0xffffffff};
    uint64_t exits[VCPU_EXITS];
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_LONG, GUEST_BYTES(memory));
    if (!pc)
        return;
    pc->ask = ask_memory;
    pc_boot(pc);
    pc_hear(pc, G_N_ELEMENTS(expected));
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++)
        g_assert_cmphex(g_array_index(pc->said, uint32_t, i), ==, expected[i]);
    vcpus_exits(pc->vcpus, 0, exits);
    g_assert_cmpuint(exits[VCPU_EXIT_MEMORY_READ], ==, 3);
    g_assert_cmpuint(exits[VCPU_EXIT_MEMORY_WRITE], ==, 2);
}

/* ---- what a processor tells of itself ---- */

GUEST(cpuid, ".code32\n"
             "mov $1, %eax\n"
             "cpuid\n"
             "mov %ecx, %edi\n"
             "mov %edx, %ebp\n"
             "mov $0x500, %dx\n"
             "mov %ebx, %eax\n"
             "out %eax, %dx\n"
             "mov %edi, %eax\n"
             "out %eax, %dx\n"
             "mov %ebp, %eax\n"
             "out %eax, %dx\n"
             "mov $7, %eax\n"
             "xor %ecx, %ecx\n"
             "cpuid\n"
             "mov $0x500, %dx\n"
             "mov %ebx, %eax\n"
             "out %eax, %dx\n"
             "1: hlt\n"
             "jmp 1b\n");

/* KVM takes the table of each model as it was built, and all registers of such a processor can be written back. */
static void
test_model(gconstpointer model)
{
    CpuidTable table;
    g_autoptr(Pc) pc = pc_new_model(model, 3, BOOT_MODE_PROTECTED, GUEST_BYTES(cpuid));
    if (!pc)
        return;
    g_autofree struct kvm_cpuid2 *supported = kvm_host_cpuid(pc->kvm_fd, NULL);
    g_assert_true(cpuid_build(supported, &(CpuidPolicy){.model = model}, 3, &table, NULL));
    const struct kvm_cpuid_entry2 *leaf1 = cpuid_find(&table, 1, 0), *leaf7 = cpuid_find(&table, 7, 0);
    g_assert_cmpuint(vcpus_physical_bits(pc->vcpus), ==, cpuid_physical_bits(&table));
    pc_boot(pc);
    pc_hear(pc, 4);
    machine_pause(pc->machine, MACHINE_PAUSE_USER, NULL);
    machine_reset(pc->machine);
    g_assert_cmpuint(machine_pause_reasons(pc->machine), ==, MACHINE_PAUSE_USER);
    machine_resume(pc->machine, MACHINE_PAUSE_USER);
    g_assert_cmphex(pc_hear(pc, 5), ==, leaf1->ebx);
    /* all of it is there; a paravirtual KVM may show more, that its guests can use whether it wants or not */
    g_assert_cmphex(pc_hear(pc, 6) & leaf1->ecx, ==, leaf1->ecx);
    g_assert_cmphex(pc_hear(pc, 7) & leaf1->edx, ==, leaf1->edx);
    g_assert_cmphex(pc_hear(pc, 8) & leaf7->ebx, ==, leaf7->ebx);
}

/* ---- several processors, real mode ---- */

GUEST(real, ".code16\n" /* at 0x8000, segment 0x800 */
            "mov $0x500, %dx\n"
            "mov $0x1616, %ax\n"
            "out %ax, %dx\n"
            "1: hlt\n"
            "jmp 1b\n");
GUEST(start_other, ".code32\n"
                   "mov $0xfee00000, %ebx\n"
                   "movl $0x1ff, 0xf0(%ebx)\n"       /* LAPIC on */
                   "movl $0x01000000, 0x310(%ebx)\n" /* to APIC id 1 */
                   "movl $0x00004500, 0x300(%ebx)\n" /* INIT */
                   "movl $0x00004608, 0x300(%ebx)\n" /* SIPI, page 8 */
                   "1: hlt\n"
                   "jmp 1b\n");

static void
load_real(Pc *pc)
{
    g_assert_true(guest_memory_write(pc->memory, GUEST_REAL, guest_real, guest_real_end - guest_real));
}

static void
test_two_processors(void)
{
    g_autoptr(Pc) pc = pc_new(2, BOOT_MODE_PROTECTED, GUEST_BYTES(start_other));
    if (!pc)
        return;
    pc->after_load = load_real;
    pc_boot(pc);
    g_assert_cmphex(pc_hear(pc, 1), ==, 0x1616);
    machine_reset(pc->machine); /* the other waits again, and is started again */
    g_assert_cmphex(pc_hear(pc, 2), ==, 0x1616);
    g_assert_cmpuint(pc->n_loads, ==, 2);
    g_assert_cmpuint(vcpus_count(pc->vcpus), ==, 2);
}

static void
test_many_processors(void)
{
    g_autoptr(Pc) pc = pc_new(VCPUS_MAX, BOOT_MODE_PROTECTED, GUEST_BYTES(start_other));
    if (!pc)
        return;
    pc->after_load = load_real;
    pc_boot(pc);
    pc_hear(pc, 1);
    machine_pause(pc->machine, MACHINE_PAUSE_USER, NULL); /* most wait for INIT inside KVM */
    machine_resume(pc->machine, MACHINE_PAUSE_USER);
}

/* ---- interrupts ---- */

GUEST(interrupts, ".code32\n"
                  "lidt idt_pointer - guest_interrupts + 0x10000\n"
                  "mov $0xfee00000, %ebx\n"
                  "movl $0x1ff, 0xf0(%ebx)\n" /* LAPIC on */
                  "mov $0xfec00000, %edi\n"   /* IOAPIC pin 20: vector 0x42, level */
                  "movl $0x38, (%edi)\n"
                  "movl $0x8042, 0x10(%edi)\n"
                  "movl $0x39, (%edi)\n"
                  "movl $0, 0x10(%edi)\n"
                  "mov $0x500, %dx\n"
                  "mov $1, %eax\n"
                  "out %eax, %dx\n"
                  "awake: mov $0x80000, %esp\n" /* handlers do not return: some emulated KVMs cannot IRET here */
                  "sti\n"
                  "1: hlt\n"
                  "jmp 1b\n"
                  "handler_40: mov $0x40, %eax\n"
                  "out %eax, %dx\n"
                  "movl $0, 0xb0(%ebx)\n" /* EOI */
                  "jmp awake\n"
                  "handler_41: mov $0x41, %eax\n"
                  "out %eax, %dx\n"
                  "movl $0, 0xb0(%ebx)\n"
                  "jmp awake\n"
                  "handler_42: mov 0x20000000, %ecx\n" /* is it the device? it lets go of its line */
                  "test %ecx, %ecx\n"
                  "jz 2f\n"
                  "mov $0x42, %eax\n"
                  "out %eax, %dx\n"
                  "2: movl $0, 0xb0(%ebx)\n"
                  "jmp awake\n"
                  "idt_pointer: .word 0x3ff\n"
                  ".long 0x1800\n"
                  ".set guest_offset_40, handler_40 - guest_interrupts\n"
                  ".set guest_offset_41, handler_41 - guest_interrupts\n"
                  ".set guest_offset_42, handler_42 - guest_interrupts\n"
                  "guest_offsets: .long guest_offset_40, guest_offset_41, guest_offset_42\n");
extern const uint32_t guest_offsets[3];

static void
load_gates(Pc *pc)
{
    for (unsigned i = 0; i < 3; i++) {
        uint32_t offset;
        memcpy(&offset, &guest_offsets[i], 4);
        uint32_t handler = GUEST_CODE + offset;
        uint64_t gate = (handler & 0xffff) | 0x10 << 16 | 0x8e00ull << 32 | (uint64_t)(handler >> 16) << 48;
        g_assert_true(guest_memory_write(pc->memory, GUEST_IDT + 8 * (0x40 + i), &gate, 8));
    }
}

static int line; /* atomic: is high */

static void
raise_line(Pc *pc)
{
    IrqController irq = vm_irq_controller(pc->vm);
    g_atomic_int_set(&line, 1);
    irq.ops->set_line(irq.host, 20, true);
}

/* 1 where it was high. A level interrupt may come once more than there is reason for, on a PC and on some KVMs. */
static uint32_t
lower_line(Pc *pc, uint32_t n)
{
    IrqController irq = vm_irq_controller(pc->vm);
    irq.ops->set_line(irq.host, 20, false);
    return g_atomic_int_exchange(&line, 0);
}

static void
ring(int eventfd)
{
    uint64_t one = 1;
    g_assert_cmpint(write(eventfd, &one, sizeof(one)), ==, sizeof(one));
}

static void
test_interrupts(void)
{
    const MsiMessage v40 = {0xfee00000, 0x40}, v41 = {0xfee00000, 0x41}, foreign = {0x100000, 0x40};
    const MsiMessage extended = {0x1fee00000, 0x40};
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(interrupts));
    if (!pc)
        return;
    IrqController irq = vm_irq_controller(pc->vm);
    g_autofd int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);
    guint n = 1;

    pc->after_load = load_gates;
    pc->ask = lower_line;
    pc_boot(pc);
    g_assert_cmphex(pc_hear(pc, n), ==, 1);

    irq.ops->send(irq.host, &v40);
    g_assert_cmphex(pc_hear(pc, ++n), ==, 0x40);
    irq.ops->send(irq.host, &foreign); /* not an interrupt: nothing comes, and nothing breaks */

    for (int i = 0; i < 3; i++) { /* a line, each time held until the handler has it lowered */
        raise_line(pc);
        g_assert_cmphex(pc_hear(pc, ++n), ==, 0x42);
    }

    int route = irq.ops->route_add(irq.host, fd, &v41);
    g_assert_cmpint(route, >=, 0);
    ring(fd);
    g_assert_cmphex(pc_hear(pc, ++n), ==, 0x41);
    g_assert_cmpint(irq.ops->route_change(irq.host, route, fd, &v40), ==, 0);
    ring(fd);
    g_assert_cmphex(pc_hear(pc, ++n), ==, 0x40);
    g_assert_cmpint(irq.ops->route_change(irq.host, route, fd, &extended), ==, -EINVAL);
    ring(fd); /* as it was */
    g_assert_cmphex(pc_hear(pc, ++n), ==, 0x40);

    int second = irq.ops->route_add(irq.host, other, &v41);
    g_assert_cmpint(second, >=, 0);
    g_assert_cmpint(second, !=, route);
    g_assert_cmpint(irq.ops->route_add(irq.host, other, &foreign), ==, -EINVAL);
    irq.ops->route_remove(irq.host, route, fd);
    ring(fd); /* leads nowhere now */
    ring(other);
    g_assert_cmphex(pc_hear(pc, ++n), ==, 0x41);

    /* held changes work after the release */
    g_autoptr(GError) error = NULL;
    vm_hold_routes(pc->vm);
    g_assert_cmpint(irq.ops->route_change(irq.host, second, other, &v40), ==, 0);
    g_assert_true(vm_release_routes(pc->vm, &error));
    g_assert_no_error(error);
    ring(other);
    g_assert_cmphex(pc_hear(pc, ++n), ==, 0x40);
    irq.ops->route_remove(irq.host, second, other);
    g_assert_cmpuint(pc_n_said(pc), ==, n);
}

/* ---- doorbells ---- */

GUEST(doorbells, ".code32\n"
                 "mov $0x510, %dx\n"
                 "out %ax, %dx\n"
                 "movw $7, 0x20001000\n"
                 "movl $7, 0x20001000\n"
                 "mov $0x500, %dx\n"
                 "out %ax, %dx\n"
                 "1: hlt\n"
                 "jmp 1b\n");

static uint64_t
rings(int eventfd)
{
    uint64_t n = 0;
    return read(eventfd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void
test_doorbells(void)
{
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(doorbells));
    if (!pc)
        return;
    g_autofd int port = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), any = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    uint64_t exits[VCPU_EXITS];

    g_assert_cmpint(bus_doorbell_add(pc->ports, 0x510, 2, port), ==, 0);
    g_assert_cmpint(bus_doorbell_add(pc->addresses, 0x20001000, 0, any), ==, 0);
    pc_boot(pc);
    pc_hear(pc, 1);
    g_assert_cmpuint(rings(port), ==, 1);
    g_assert_cmpuint(rings(any), ==, 2);
    vcpus_exits(pc->vcpus, 0, exits);
    g_assert_cmpuint(exits[VCPU_EXIT_MEMORY_WRITE], ==, 0); /* KVM rang it */

    g_assert_cmpint(bus_doorbell_remove(pc->ports, 0x510, 2, port), ==, 0);
    g_assert_cmpint(bus_doorbell_remove(pc->ports, 0x510, 2, port), ==, -ENOENT);
    machine_reset(pc->machine);
    pc_hear(pc, 2);
    g_assert_cmpuint(rings(port), ==, 0);
    g_assert_cmpuint(rings(any), ==, 2);
    g_assert_cmpint(bus_doorbell_remove(pc->addresses, 0x20001000, 0, any), ==, 0);
}

/* ---- pauses ---- */

GUEST(count, ".code32\n"
             "1: incl 0x100000\n"
             "jmp 1b\n");

static uint32_t
counted(Pc *pc)
{
    return __atomic_load_n((uint32_t *)guest_memory_at(pc->memory, GUEST_DATA, 4), __ATOMIC_SEQ_CST);
}

static void
wait_counted(Pc *pc, uint32_t more_than)
{
    while (counted(pc) <= more_than)
        g_thread_yield();
}

static void
test_pause(void)
{
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(count));
    if (!pc)
        return;
    pc_boot(pc);
    for (int i = 0; i < 50; i++) {
        wait_counted(pc, counted(pc));
        machine_pause(pc->machine, MACHINE_PAUSE_USER, NULL);
        uint32_t at_rest = counted(pc);
        if (i % 10 == 0)
            g_usleep(2000); /* time for a processor that still runs to be found out */
        g_assert_cmpuint(counted(pc), ==, at_rest);
        machine_resume(pc->machine, MACHINE_PAUSE_USER);
    }
    wait_counted(pc, counted(pc));
}

GUEST(ask_for_ever, ".code32\n"
                    "mov $0x500, %dx\n"
                    "1: mov 0x20000000, %eax\n"
                    "mov %eax, 0x100000\n"
                    "jmp 1b\n");

static int inside; /* atomic: the device is answering */

static uint32_t
answer_slowly(Pc *pc, uint32_t n)
{
    g_atomic_int_set(&inside, 1);
    g_usleep(500);
    g_atomic_int_set(&inside, 0);
    return n;
}

/* What the guest's memory holds is the answer before the one that was just given: that one is still in a register. */
static void
test_pause_waits_for_devices(void)
{
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(ask_for_ever));
    if (!pc)
        return;
    pc->ask = answer_slowly;
    pc_boot(pc);
    for (int i = 0; i < 20; i++) {
        while (!g_atomic_int_get(&inside))
            g_thread_yield();
        machine_pause(pc->machine, MACHINE_PAUSE_USER, NULL);
        g_assert_false(g_atomic_int_get(&inside));
        uint32_t asked = pc->n_asked;
        g_assert_cmpuint(counted(pc), >=, asked - 1);
        machine_resume(pc->machine, MACHINE_PAUSE_USER);
        while (__atomic_load_n(&pc->n_asked, __ATOMIC_SEQ_CST) == asked)
            g_thread_yield();
    }
}

/* ---- resets and errors ---- */

GUEST(triple_fault, ".code32\n"
                    "mov 0x100000, %eax\n"
                    "mov $0x500, %dx\n"
                    "out %eax, %dx\n"
                    "test %eax, %eax\n"
                    "jnz 1f\n"
                    "lidt nothing - guest_triple_fault + 0x10000\n" /* no gates: a fault cannot be delivered */
                    "mov $0xfff8, %ax\n"
                    "mov %ax, %ss\n"
                    "1: hlt\n"
                    "jmp 1b\n"
                    "nothing: .word 0\n"
                    ".long 0\n");

static void
load_number(Pc *pc)
{
    uint32_t number = pc->n_loads - 1;
    g_assert_true(guest_memory_write(pc->memory, GUEST_DATA, &number, 4));
}

static void
test_triple_fault_resets(void)
{
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(triple_fault));
    if (!pc)
        return;
    pc->after_load = load_number;
    pc_boot(pc);
    g_assert_cmpuint(pc_hear(pc, 1), ==, 0);
    g_assert_cmpuint(pc_hear(pc, 2), ==, 1);
    g_assert_cmpuint(pc->n_loads, ==, 2);
    g_assert_cmpint(machine_state(pc->machine), ==, MACHINE_RUNNING);
}

GUEST(jump_into_nothing, ".code32\n"
                         "mov $0x30000000, %eax\n"
                         "jmp *%eax\n");
GUEST(say_seven, ".code32\n"
                 "mov $0x500, %dx\n"
                 "mov $7, %eax\n"
                 "out %eax, %dx\n"
                 "1: hlt\n"
                 "jmp 1b\n");

static void
test_error_pauses(void)
{
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(jump_into_nothing));
    if (!pc)
        return;
    pc_boot(pc);
    while (machine_state(pc->machine) == MACHINE_RUNNING)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(machine_pause_reasons(pc->machine), ==, MACHINE_PAUSE_ERROR);
    g_test_message("%s", machine_pause_detail(pc->machine));
    g_assert_nonnull(strstr(machine_pause_detail(pc->machine), "vcpu0"));
    g_assert_nonnull(strstr(machine_pause_detail(pc->machine), "rip 0x30000000"));

    machine_resume(pc->machine, MACHINE_PAUSE_ERROR); /* it fails again */
    while (machine_state(pc->machine) == MACHINE_RUNNING)
        g_main_context_iteration(NULL, TRUE);

    pc->code = guest_say_seven; /* a reset with something better makes it well */
    pc->code_len = guest_say_seven_end - guest_say_seven;
    machine_reset(pc->machine);
    g_assert_cmpuint(pc_hear(pc, 1), ==, 7);
    g_assert_cmpint(machine_state(pc->machine), ==, MACHINE_RUNNING);
}

static bool
load_nothing(void *loader, BootState *state, GError **error)
{
    g_set_error_literal(error, KVM_ERROR, KVM_ERROR_HOST, "the kernel is gone");
    return false;
}

static void
test_loader_that_fails(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(say_seven));
    if (!pc)
        return;
    pc_boot(pc);
    pc_hear(pc, 1);
    vcpus_set_loader(pc->vcpus, &(BootLoader){.load = load_nothing});
    g_assert_false(vcpus_boot(pc->vcpus, &error));
    machine_reset(pc->machine);
    while (machine_state(pc->machine) == MACHINE_RUNNING)
        g_main_context_iteration(NULL, TRUE);
    g_assert_nonnull(strstr(machine_pause_detail(pc->machine), "the kernel is gone"));
}

/* ---- saving and loading ---- */

typedef struct {
    GHashTable *sections; /* id → GByteArray */
    GByteArray *memory;
} Saved;

static bool
save_section(void *user, const char *id, const DeviceOps *ops, void *device, GError **error)
{
    Saved *saved = user;
    GByteArray *bytes = g_byte_array_new();
    state_save(ops->state, device, bytes);
    g_assert_true(g_hash_table_insert(saved->sections, g_strdup(id), bytes));
    return true;
}

static bool
load_section(void *user, const char *id, const DeviceOps *ops, void *device, GError **error)
{
    Saved *saved = user;
    GByteArray *bytes = g_hash_table_lookup(saved->sections, id);
    g_assert_nonnull(bytes);
    return state_load(ops->state, device, ops->state->version, bytes->data, bytes->len, error);
}

static void
save(Pc *pc, Saved *saved)
{
    saved->sections = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_byte_array_unref);
    saved->memory = g_byte_array_new();
    g_assert_true(machine_foreach(pc->machine, save_section, saved, NULL));
    g_byte_array_append(saved->memory, guest_memory_at(pc->memory, 0, GUEST_MEMORY), GUEST_MEMORY);
}

static void
load(Pc *pc, Saved *saved)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(guest_memory_write(pc->memory, 0, saved->memory->data, saved->memory->len));
    machine_foreach(pc->machine, load_section, saved, &error);
    g_assert_no_error(error);
}

static void
saved_clear(Saved *saved)
{
    g_hash_table_unref(saved->sections);
    g_byte_array_unref(saved->memory);
}

/* Adds up the answers to 20000 questions, and says the sum and half of a register. No question may be asked twice. */
GUEST(sum, ".code64\n"
           "xor %ecx, %ecx\n"
           "movabs $0x123456789abcdef0, %r15\n"
           "mov $20000, %edi\n"
           "1: mov 0x20000000, %eax\n"
           "add %eax, %ecx\n"
           "dec %edi\n"
           "jnz 1b\n"
           "mov $0x500, %dx\n"
           "mov %ecx, %eax\n"
           "out %eax, %dx\n"
           "shr $32, %r15\n"
           "mov %r15d, %eax\n"
           "out %eax, %dx\n"
           "1: hlt\n"
           "jmp 1b\n");

static void
test_save_and_load_again_and_again(void)
{
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_LONG, GUEST_BYTES(sum));
    if (!pc)
        return;
    pc_boot(pc);
    for (unsigned generation = 1; generation <= 5; generation++) {
        Saved saved;
        while (__atomic_load_n(&pc->n_asked, __ATOMIC_SEQ_CST) < 3000 * generation)
            g_thread_yield();
        machine_pause(pc->machine, MACHINE_PAUSE_SAVE, NULL);
        save(pc, &saved);
        Pc *next = pc_new(1, BOOT_MODE_LONG, GUEST_BYTES(sum));
        next->n_asked = pc->n_asked;
        g_array_append_vals(next->said, pc->said->data, pc->said->len); /* it may have come to its end already */
        load(next, &saved);
        saved_clear(&saved);
        pc_free(pc);
        pc = next;
        machine_start(pc->machine, false);
    }
    g_assert_cmpuint(pc_hear(pc, 1), ==, 20000u * 20001 / 2);
    g_assert_cmphex(pc_hear(pc, 2), ==, 0x12345678);
    g_assert_cmpuint(pc->n_asked, ==, 20000);
    g_assert_cmpuint(pc->n_loads, ==, 0);
    machine_reset(pc->machine); /* a loaded one can be reset, from its own loader */
    pc->n_asked = 0;
    pc_hear(pc, 3);
    g_assert_cmpuint(pc->n_loads, ==, 1);
}

/* Interrupt set-up survives: LAPIC, IOAPIC, a guest asleep in HLT with interrupts on. */
static void
test_load_asleep(void)
{
    g_autoptr(Pc) pc = pc_new(2, BOOT_MODE_PROTECTED, GUEST_BYTES(interrupts));
    if (!pc)
        return;
    Saved saved;
    pc->after_load = load_gates;
    pc_boot(pc);
    pc_hear(pc, 1);
    machine_pause(pc->machine, MACHINE_PAUSE_SAVE, NULL);
    save(pc, &saved);

    g_autoptr(Pc) next = pc_new(2, BOOT_MODE_PROTECTED, GUEST_BYTES(interrupts));
    IrqController irq = vm_irq_controller(next->vm);
    next->ask = lower_line;
    load(next, &saved);
    saved_clear(&saved);
    machine_start(next->machine, false);
    irq.ops->send(irq.host, &(MsiMessage){0xfee00000, 0x40});
    g_assert_cmphex(pc_hear(next, 1), ==, 0x40);
    raise_line(next);
    g_assert_cmphex(pc_hear(next, 2), ==, 0x42);
}

static void
test_load_refuses_what_the_host_cannot(void)
{
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(say_seven));
    if (!pc)
        return;
    Saved saved;
    g_autoptr(GError) error = NULL;
    pc_boot(pc);
    machine_pause(pc->machine, MACHINE_PAUSE_SAVE, NULL);
    save(pc, &saved);
    GByteArray *bytes = g_hash_table_lookup(saved.sections, "cpuid");
    memset(bytes->data + 6 + 12, 0xff, 16); /* the first entry's registers: the vendor */
    g_autoptr(Pc) next = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(say_seven));
    g_assert_false(machine_foreach(next->machine, load_section, &saved, &error));
    g_assert_error(error, KVM_ERROR, KVM_ERROR_LACKING);
    saved_clear(&saved);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vcpus/ports", test_ports);
    g_test_add_func("/vcpus/memory", test_memory);
    for (size_t i = 0; cpuid_models[i]; i++) {
        g_autofree char *path = g_strdup_printf("/vcpus/model/%s", cpuid_models[i]);
        g_test_add_data_func(path, cpuid_models[i], test_model);
    }
    g_test_add_func("/vcpus/two-processors", test_two_processors);
    g_test_add_func("/vcpus/many-processors", test_many_processors);
    g_test_add_func("/vcpus/interrupts", test_interrupts);
    g_test_add_func("/vcpus/doorbells", test_doorbells);
    g_test_add_func("/vcpus/pause", test_pause);
    g_test_add_func("/vcpus/pause-waits", test_pause_waits_for_devices);
    g_test_add_func("/vcpus/triple-fault", test_triple_fault_resets);
    g_test_add_func("/vcpus/error", test_error_pauses);
    g_test_add_func("/vcpus/loader-fails", test_loader_that_fails);
    g_test_add_func("/vcpus/save-and-load", test_save_and_load_again_and_again);
    g_test_add_func("/vcpus/load-asleep", test_load_asleep);
    g_test_add_func("/vcpus/load-refused", test_load_refuses_what_the_host_cannot);
    return g_test_run();
}
