/* SPDX-License-Identifier: Apache-2.0 */
/* The in-kernel chips: what a guest set up is saved, loaded, and gone after a reset. */
#include "vmm/kvm/chips.h"
#include "vmm/kvm/vm_private.h"

#include "fixture.h"

GUEST(set_up, ".code32\n"
              "mov $0x11, %al\n" /* the master PIC: vectors from 0x20, all masked but 1 */
              "out %al, $0x20\n"
              "mov $0x20, %al\n"
              "out %al, $0x21\n"
              "mov $4, %al\n"
              "out %al, $0x21\n"
              "mov $1, %al\n"
              "out %al, $0x21\n"
              "mov $0xfd, %al\n"
              "out %al, $0x21\n"
              "mov $0x34, %al\n" /* PIT channel 0: rate generator, 0x1234 */
              "out %al, $0x43\n"
              "mov $0x34, %al\n"
              "out %al, $0x40\n"
              "mov $0x12, %al\n"
              "out %al, $0x40\n"
              "movl $0x2e, 0xfec00000\n" /* IOAPIC pin 15 */
              "movl $0x18055, 0xfec00010\n"
              "mov $0x500, %dx\n"
              "out %eax, %dx\n"
              "1: hlt\n"
              "jmp 1b\n");

static void
check_set_up(const ChipRegisters *now)
{
    g_assert_cmphex(now->pics[0].irq_base, ==, 0x20);
    g_assert_cmphex(now->pics[0].imr, ==, 0xfd);
    g_assert_cmphex(now->pit.channels[0].mode, ==, 2);
    g_assert_cmphex(now->pit.channels[0].count, ==, 0x1234);
    g_assert_cmpint(now->pit.channels[0].count_load_time, >=, 0); /* so long ago */
    g_assert_cmphex(now->ioapic.redirtbl[15].bits & 0x1ffff, ==, 0x18055);
}

static GByteArray *
save(const DeviceOps *ops, Chips *chips)
{
    GByteArray *bytes = g_byte_array_new();
    state_save(ops->state, chips, bytes);
    return bytes;
}

static void
load(const DeviceOps *ops, Chips *chips, GByteArray *bytes)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(state_load(ops->state, chips, ops->state->version, bytes->data, bytes->len, &error));
    g_assert_no_error(error);
}

static void
read_again(Chips *chips)
{
    chips->now = (ChipRegisters){0};
    g_byte_array_unref(save(&chips_irqchip_ops, chips));
    g_byte_array_unref(save(&chips_pit_ops, chips));
}

static void
test_save_reset_load(void)
{
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(set_up));
    if (!pc)
        return;
    Chips *chips = &pc->vm->chips;
    ChipRegisters power_on = chips->power_on;
    pc_boot(pc);
    pc_hear(pc, 1);
    machine_pause(pc->machine, MACHINE_PAUSE_USER, NULL);
    g_autoptr(GByteArray) irqchip = save(&chips_irqchip_ops, chips), pit = save(&chips_pit_ops, chips);
    check_set_up(&chips->now);

    chips_pit_ops.reset(chips); /* in the machine's order: no tick of the timer comes after this */
    chips_irqchip_ops.reset(chips);
    read_again(chips);
    g_assert_cmpmem(chips->now.pics, sizeof(power_on.pics), power_on.pics, sizeof(power_on.pics));
    g_assert_cmpmem(&chips->now.ioapic, sizeof(power_on.ioapic), &power_on.ioapic, sizeof(power_on.ioapic));
    g_assert_cmphex(chips->now.pit.channels[0].mode, ==, power_on.pit.channels[0].mode);

    load(&chips_pit_ops, chips, pit);
    load(&chips_irqchip_ops, chips, irqchip);
    read_again(chips);
    check_set_up(&chips->now);
    chips_pit_ops.resume(chips); /* a periodic timer begins anew, as it was */
    read_again(chips);
    check_set_up(&chips->now);
}

/* A file may claim that the timer was set before the universe began, or will be. */
static void
test_forged_times(void)
{
    static const int64_t ages[] = {INT64_MIN, INT64_MIN + 1, -1, INT64_MAX};
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, GUEST_BYTES(set_up));
    if (!pc)
        return;
    Chips *chips = &pc->vm->chips;

    for (size_t i = 0; i < G_N_ELEMENTS(ages); i++) {
        g_autoptr(GByteArray) pit = save(&chips_pit_ops, chips);
        int64_t little = GINT64_TO_LE(ages[i]);
        /* the last field of the last channel, before the flags */
        memcpy(pit->data + pit->len - sizeof(chips->now.pit.flags) - sizeof(little), &little, sizeof(little));
        load(&chips_pit_ops, chips, pit);
        g_assert_cmpint(chips->now.pit.channels[2].count_load_time, ==, ages[i]);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/chips/save-reset-load", test_save_reset_load);
    g_test_add_func("/chips/forged-times", test_forged_times);
    return g_test_run();
}
