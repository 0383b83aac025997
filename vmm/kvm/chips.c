/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The in-kernel chips: KVM's own power-on state is read once at creation, and a reset loads it again as if it had been
 * saved then.
 */
#include "vmm/kvm/chips.h"

#include "vmm/kvm/host.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>

/* The 8254's periodic modes. */
#define PIT_MODE_RATE 2
#define PIT_MODE_SQUARE 3

static int
get_chip(int vm_fd, unsigned id, struct kvm_irqchip *chip)
{
    *chip = (struct kvm_irqchip){.chip_id = id};
    return ioctl(vm_fd, KVM_GET_IRQCHIP, chip);
}

static void
get_irqchip(int vm_fd, ChipRegisters *to)
{
    struct kvm_irqchip chip;
    int failed = get_chip(vm_fd, KVM_IRQCHIP_PIC_MASTER, &chip);
    to->pics[0] = chip.chip.pic;
    failed |= get_chip(vm_fd, KVM_IRQCHIP_PIC_SLAVE, &chip);
    to->pics[1] = chip.chip.pic;
    failed |= get_chip(vm_fd, KVM_IRQCHIP_IOAPIC, &chip);
    to->ioapic = chip.chip.ioapic;
    g_assert(!failed);
}

static bool
set_irqchip(int vm_fd, const ChipRegisters *from)
{
    struct kvm_irqchip chips[] = {
        {.chip_id = KVM_IRQCHIP_PIC_MASTER, .chip.pic = from->pics[0]},
        {.chip_id = KVM_IRQCHIP_PIC_SLAVE, .chip.pic = from->pics[1]},
        {.chip_id = KVM_IRQCHIP_IOAPIC, .chip.ioapic = from->ioapic},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(chips); i++)
        if (ioctl(vm_fd, KVM_SET_IRQCHIP, &chips[i]) < 0)
            return false;
    return true;
}

static int64_t
monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* KVM counts a channel from a time of this host's boot; saved is how long ago that was, which a file may say as it likes. */
static void
turn_load_times(struct kvm_pit_state2 *pit)
{
    uint64_t now = monotonic_ns();
    for (size_t i = 0; i < G_N_ELEMENTS(pit->channels); i++)
        pit->channels[i].count_load_time = now - (uint64_t)pit->channels[i].count_load_time;
}

static void
get_pit(int vm_fd, struct kvm_pit_state2 *pit)
{
    int result = ioctl(vm_fd, KVM_GET_PIT2, pit);
    g_assert(result == 0);
    turn_load_times(pit);
}

static bool
set_pit(int vm_fd, const struct kvm_pit_state2 *from)
{
    struct kvm_pit_state2 pit = *from;
    turn_load_times(&pit);
    return ioctl(vm_fd, KVM_SET_PIT2, &pit) == 0;
}

bool
chips_init(Chips *chips, int vm_fd, GError **error)
{
    /* The speaker's port belongs to the PIT's chip: without it guests that beep wait for its counter for ever. */
    struct kvm_pit_config config = {.flags = KVM_PIT_SPEAKER_DUMMY};

    *chips = (Chips){.vm_fd = vm_fd};
    if (ioctl(vm_fd, KVM_CREATE_IRQCHIP, 0) < 0) {
        kvm_set_error(error, errno, "cannot create the interrupt controllers: KVM_CREATE_IRQCHIP");
        return false;
    }
    if (ioctl(vm_fd, KVM_CREATE_PIT2, &config) < 0) {
        kvm_set_error(error, errno, "cannot create the timer: KVM_CREATE_PIT2");
        return false;
    }
    get_irqchip(vm_fd, &chips->power_on);
    get_pit(vm_fd, &chips->power_on.pit);
    return true;
}

static void
irqchip_reset(void *device)
{
    Chips *chips = device;
    bool done = set_irqchip(chips->vm_fd, &chips->power_on);
    g_assert(done); /* KVM's own values */
}

static void
irqchip_before_save(void *object)
{
    Chips *chips = object;
    get_irqchip(chips->vm_fd, &chips->now);
}

static bool
irqchip_after_load(void *object, GError **error)
{
    Chips *chips = object;
    if (set_irqchip(chips->vm_fd, &chips->now))
        return true;
    kvm_set_error(error, errno, "cannot load the interrupt controllers: KVM_SET_IRQCHIP");
    return false;
}

static void
pit_reset(void *device)
{
    Chips *chips = device;
    bool done = set_pit(chips->vm_fd, &chips->power_on.pit);
    g_assert(done);
}

/*
 * A periodic timer goes on ticking in the kernel while the guest is paused, and KVM would make up for every tick the guest
 * missed. Loading it again begins a new period with none missed.
 */
static void
pit_resume(void *device)
{
    Chips *chips = device;
    struct kvm_pit_state2 pit;
    get_pit(chips->vm_fd, &pit);
    uint8_t mode = pit.channels[0].mode;
    if (mode == PIT_MODE_RATE || mode == PIT_MODE_SQUARE)
        set_pit(chips->vm_fd, &pit);
}

static void
pit_before_save(void *object)
{
    Chips *chips = object;
    get_pit(chips->vm_fd, &chips->now.pit);
}

static bool
pit_after_load(void *object, GError **error)
{
    Chips *chips = object;
    if (set_pit(chips->vm_fd, &chips->now.pit))
        return true;
    kvm_set_error(error, errno, "cannot load the timer: KVM_SET_PIT2");
    return false;
}

static const StateField pic_fields[] = {
    STATE_UINT(struct kvm_pic_state, last_irr, 1),
    STATE_UINT(struct kvm_pic_state, irr, 1),
    STATE_UINT(struct kvm_pic_state, imr, 1),
    STATE_UINT(struct kvm_pic_state, isr, 1),
    STATE_UINT(struct kvm_pic_state, priority_add, 1),
    STATE_UINT(struct kvm_pic_state, irq_base, 1),
    STATE_UINT(struct kvm_pic_state, read_reg_select, 1),
    STATE_UINT(struct kvm_pic_state, poll, 1),
    STATE_UINT(struct kvm_pic_state, special_mask, 1),
    STATE_UINT(struct kvm_pic_state, init_state, 1),
    STATE_UINT(struct kvm_pic_state, auto_eoi, 1),
    STATE_UINT(struct kvm_pic_state, rotate_on_auto_eoi, 1),
    STATE_UINT(struct kvm_pic_state, special_fully_nested_mode, 1),
    STATE_UINT(struct kvm_pic_state, init4, 1),
    STATE_UINT(struct kvm_pic_state, elcr, 1),
    STATE_UINT(struct kvm_pic_state, elcr_mask, 1),
    STATE_END,
};
static const StateTable pic_table = {.name = "pic", .version = 1, .oldest = 1, .fields = pic_fields};

static const StateField irqchip_fields[] = {
    STATE_ARRAY(Chips, now.pics, 1, &pic_table),
    STATE_UINT(Chips, now.ioapic.base_address, 1),
    STATE_UINT(Chips, now.ioapic.ioregsel, 1),
    STATE_UINT(Chips, now.ioapic.id, 1),
    STATE_UINT(Chips, now.ioapic.irr, 1),
    STATE_BYTES(Chips, now.ioapic.redirtbl, 1), /* 24 registers of 8 bytes, as the chip defines them */
    STATE_END,
};
static const StateTable irqchip_state = {
    .name = "irqchip",
    .version = 1,
    .oldest = 1,
    .fields = irqchip_fields,
    .before_save = irqchip_before_save,
    .after_load = irqchip_after_load,
};

static const StateField pit_channel_fields[] = {
    STATE_UINT(struct kvm_pit_channel_state, count, 1),
    STATE_UINT(struct kvm_pit_channel_state, latched_count, 1),
    STATE_UINT(struct kvm_pit_channel_state, count_latched, 1),
    STATE_UINT(struct kvm_pit_channel_state, status_latched, 1),
    STATE_UINT(struct kvm_pit_channel_state, status, 1),
    STATE_UINT(struct kvm_pit_channel_state, read_state, 1),
    STATE_UINT(struct kvm_pit_channel_state, write_state, 1),
    STATE_UINT(struct kvm_pit_channel_state, write_latch, 1),
    STATE_UINT(struct kvm_pit_channel_state, rw_mode, 1),
    STATE_UINT(struct kvm_pit_channel_state, mode, 1),
    STATE_UINT(struct kvm_pit_channel_state, bcd, 1),
    STATE_UINT(struct kvm_pit_channel_state, gate, 1),
    STATE_UINT(struct kvm_pit_channel_state, count_load_time, 1),
    STATE_END,
};
static const StateTable pit_channel_table = {
    .name = "pit-channel", .version = 1, .oldest = 1, .fields = pit_channel_fields};

static const StateField pit_fields[] = {
    STATE_ARRAY(Chips, now.pit.channels, 1, &pit_channel_table),
    STATE_UINT(Chips, now.pit.flags, 1),
    STATE_END,
};
static const StateTable pit_state = {
    .name = "pit",
    .version = 1,
    .oldest = 1,
    .fields = pit_fields,
    .before_save = pit_before_save,
    .after_load = pit_after_load,
};

const DeviceOps chips_irqchip_ops = {.name = "irqchip", .reset = irqchip_reset, .state = &irqchip_state};
const DeviceOps chips_pit_ops = {.name = "pit", .reset = pit_reset, .resume = pit_resume, .state = &pit_state};
