/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI fixed hardware, and resets.
 *
 * Registers are read and written as dwords under a mask of the bytes meant, so any width the guest chooses works. The timer
 * is the board's clock in other units: nothing counts, and nothing has to be saved of it but how often its top bit had
 * changed when the guest last knew.
 */
#include "vmm/board/pm.h"

#include "vmm/board/bytewise.h"
#include "vmm/board/memory_map.h"

#include <string.h>

/* ACPI 6.5, 4.8.3.1 and 4.8.3.2 */
#define PM1_TIMER (1u << 0)
#define PM1_GLOBAL (1u << 5)
#define PM1_POWER_BUTTON (1u << 8)
#define PM1_RTC (1u << 10) /* may be enabled, as Linux wants, but never happens: there is no sleep to wake from */
#define PM1_EVENTS (PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON)
#define PM1_ENABLES (PM1_EVENTS | PM1_RTC)

#define CONTROL_SCI_ENABLED (1u << 0)
#define CONTROL_BUS_MASTER_RELOAD (1u << 1)
#define CONTROL_SLEEP_TYPE (7u << 10)
#define CONTROL_SLEEP_TYPE_SHIFT 10
#define CONTROL_SLEEP (1u << 13)
#define SLEEP_TYPE_S5 0 /* as \_S5 in dsdt.c says */

#define TIMER_HZ 3579545u
#define TIMER_TOP_BIT 31

/* SMI_EN (ICH9, 13.8.3.13): what a write to the APM command port does. Without SMM firmware is to think all is set up. */
#define SMI_GLOBAL (1u << 0)
#define SMI_APM (1u << 5)
#define SMI_WITHOUT_SMM SMI_APM

#define RESET_CPU (1u << 2) /* of port 0xcf9: its rising edge resets (ICH9, 13.7.5) */
#define RESET_KEPT 0x0e

struct Pm {
    Clock *clock;
    const IrqController *irq;
    PmRequest request;
    void *user;
    ClockTimer *overflow; /* armed while the guest waits for the timer's top bit to change */

    GMutex lock; /* the rest */
    uint16_t status, enable, control;
    uint8_t gpe_enable[PM_GPE0_SIZE / 2];
    uint64_t top_bit_changes; /* that the guest was told of in the timer's status bit */
    uint8_t reset_control;
    bool sci; /* the line's level */

    PmSmi raise_smi; /* NULL: there is no system management mode */
    void *smi_user;
    uint32_t smi_enable;
    bool smi_locked;              /* its global enable can no longer be cleared */
    uint8_t apm[BOARD_PORTS_APM]; /* command and status: software's own words */
};

static uint64_t
timer_ticks(Pm *pm)
{
    return (unsigned __int128)clock_now(pm->clock) * TIMER_HZ / CLOCK_SECOND;
}

/* The first moment at which timer_ticks() is @ticks. */
static int64_t
ticks_to_time(uint64_t ticks)
{
    return ((unsigned __int128)ticks * CLOCK_SECOND + TIMER_HZ - 1) / TIMER_HZ;
}

/* Under the lock, after anything changed: brings status, interrupt line and host timer up to date. */
static void
update(Pm *pm)
{
    uint64_t changes = timer_ticks(pm) >> TIMER_TOP_BIT;
    if (changes != pm->top_bit_changes)
        pm->status |= PM1_TIMER;
    pm->top_bit_changes = changes;

    bool wanted = (pm->enable & PM1_TIMER) && !(pm->status & PM1_TIMER);
    clock_timer_set(pm->overflow, wanted ? ticks_to_time((changes + 1) << TIMER_TOP_BIT) : CLOCK_NEVER);
    bool sci = (pm->status & pm->enable) != 0;
    if (sci != pm->sci)
        pm->irq->ops->set_line(pm->irq->host, BOARD_GSI_SCI, sci);
    pm->sci = sci;
}

static void
overflow_due(void *user)
{
    Pm *pm = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pm->lock);
    update(pm);
}

static uint32_t
get_dword(const uint8_t *bytes)
{
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t
read_dword(Pm *pm, uint64_t offset)
{
    switch (offset) {
    case PM_REGISTER_STATUS:
        update(pm);
        return pm->status | (uint32_t)pm->enable << 16;
    case PM_REGISTER_CONTROL:
        return pm->control | CONTROL_SCI_ENABLED;
    case PM_REGISTER_TIMER:
        return timer_ticks(pm);
    case PM_REGISTER_GPE0 + PM_GPE0_SIZE / 2:
    case PM_REGISTER_GPE0 + PM_GPE0_SIZE / 2 + 4:
        return get_dword(&pm->gpe_enable[offset - PM_REGISTER_GPE0 - PM_GPE0_SIZE / 2]);
    case PM_REGISTER_SMI_ENABLE:
        return pm->raise_smi ? pm->smi_enable : SMI_WITHOUT_SMM;
    default:
        return 0;
    }
}

static uint64_t
pm_read(void *device, uint64_t offset, unsigned size)
{
    Pm *pm = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pm->lock);
    unsigned shift = (offset & 3) * 8;
    uint64_t value = read_dword(pm, offset & ~3ull);

    if ((offset & 3) + size > 4)
        value |= (uint64_t)read_dword(pm, (offset & ~3ull) + 4) << 32;
    value >>= shift;
    return size < 8 ? value & ((1ull << size * 8) - 1) : value;
}

static void
write_control(Pm *pm, uint32_t value, uint32_t mask)
{
    pm->control = ((pm->control & ~mask) | (value & mask)) & (CONTROL_BUS_MASTER_RELOAD | CONTROL_SLEEP_TYPE);
    bool sleep = value & mask & CONTROL_SLEEP;
    if (sleep && (pm->control & CONTROL_SLEEP_TYPE) >> CONTROL_SLEEP_TYPE_SHIFT == SLEEP_TYPE_S5)
        pm->request(pm->user, MACHINE_REQUEST_SHUTDOWN);
}

static void
write_dword(Pm *pm, uint64_t offset, uint32_t value, uint32_t mask)
{
    switch (offset) {
    case PM_REGISTER_STATUS: /* the low half is cleared by ones, the high half is the enables */
        update(pm);
        pm->status &= ~(value & mask);
        pm->enable = ((pm->enable & ~(mask >> 16)) | (value & mask) >> 16) & PM1_ENABLES;
        update(pm);
        break;
    case PM_REGISTER_CONTROL:
        write_control(pm, value, mask);
        break;
    case PM_REGISTER_GPE0 + PM_GPE0_SIZE / 2:
    case PM_REGISTER_GPE0 + PM_GPE0_SIZE / 2 + 4:
        for (unsigned i = 0; i < 4; i++)
            if (mask >> i * 8 & 0xff)
                pm->gpe_enable[offset - PM_REGISTER_GPE0 - PM_GPE0_SIZE / 2 + i] = value >> i * 8;
        break;
    case PM_REGISTER_SMI_ENABLE:
        if (pm->smi_locked)
            value |= SMI_GLOBAL & pm->smi_enable;
        pm->smi_enable = (pm->smi_enable & ~mask) | (value & mask);
        break;
    default: /* the timer, and general-purpose events, of which none ever happens */
        break;
    }
}

static void
pm_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    Pm *pm = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pm->lock);
    unsigned shift = (offset & 3) * 8;
    uint64_t mask = (size < 4 ? (1ull << size * 8) - 1 : UINT32_MAX) << shift;

    value <<= shift;
    write_dword(pm, offset & ~3ull, value, mask);
    if (mask >> 32)
        write_dword(pm, (offset & ~3ull) + 4, value >> 32, mask >> 32);
}

const BusOps pm_bus_ops = {pm_read, pm_write};

static uint64_t
reset_read(void *device, uint64_t offset, unsigned size)
{
    Pm *pm = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pm->lock);
    return pm->reset_control;
}

static void
reset_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    Pm *pm = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pm->lock);
    bool rises = (value & RESET_CPU) && !(pm->reset_control & RESET_CPU);
    pm->reset_control = value & RESET_KEPT;
    if (rises)
        pm->request(pm->user, MACHINE_REQUEST_RESET);
}

const BusOps pm_reset_bus_ops = {reset_read, reset_write};

/* There is no keyboard controller: its status reads as that of one that is not there. */
static uint64_t
keyboard_read(void *device, uint64_t offset, unsigned size)
{
    return UINT8_MAX;
}

static void
keyboard_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    Pm *pm = device;
    /* Commands 0xf0 to 0xff pulse output lines low; bit 0 clear means the one that resets the processor. */
    if ((value & 0xf1) == 0xf0)
        pm->request(pm->user, MACHINE_REQUEST_RESET);
}

const BusOps pm_keyboard_bus_ops = {keyboard_read, keyboard_write};

static uint8_t
apm_read_byte(void *device, uint64_t offset)
{
    return ((Pm *)device)->apm[offset];
}

static void
apm_write_byte(void *device, uint64_t offset, uint8_t value)
{
    Pm *pm = device;
    pm->apm[offset] = value;
    if (offset == 0 && pm->raise_smi && (pm->smi_enable & SMI_APM))
        pm->raise_smi(pm->smi_user);
}

static uint64_t
apm_read(void *device, uint64_t offset, unsigned size)
{
    Pm *pm = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pm->lock);
    return bytewise_read(pm, offset, size, apm_read_byte);
}

static void
apm_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    Pm *pm = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pm->lock);
    bytewise_write(pm, offset, size, value, apm_write_byte);
}

const BusOps pm_apm_bus_ops = {apm_read, apm_write};

void
pm_set_smi(Pm *pm, PmSmi raise, void *user)
{
    pm->raise_smi = raise;
    pm->smi_user = user;
}

void
pm_set_smi_lock(void *device, bool locked)
{
    Pm *pm = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pm->lock);
    pm->smi_locked = locked;
}

void
pm_power_button(Pm *pm)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pm->lock);
    pm->status |= PM1_POWER_BUTTON;
    update(pm);
}

Pm *
pm_new(Clock *clock, const IrqController *irq, PmRequest request, void *user)
{
    Pm *pm = g_new0(Pm, 1);
    pm->clock = clock;
    pm->irq = irq;
    pm->request = request;
    pm->user = user;
    g_mutex_init(&pm->lock);
    pm->overflow = clock_timer_new(clock, overflow_due, pm);
    pm->top_bit_changes = timer_ticks(pm) >> TIMER_TOP_BIT;
    return pm;
}

static void
pm_free(void *device)
{
    Pm *pm = device;
    if (!pm)
        return;
    clock_timer_free(pm->overflow);
    g_mutex_clear(&pm->lock);
    g_free(pm);
}

static void
pm_reset(void *device)
{
    Pm *pm = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pm->lock);
    pm->status = pm->enable = pm->control = 0;
    pm->reset_control = 0;
    pm->smi_enable = 0;
    memset(pm->apm, 0, sizeof(pm->apm));
    memset(pm->gpe_enable, 0, sizeof(pm->gpe_enable));
    pm->top_bit_changes = timer_ticks(pm) >> TIMER_TOP_BIT;
    update(pm);
}

static void
pm_quiesce(void *device)
{
    Pm *pm = device;
    clock_timer_set(pm->overflow, CLOCK_NEVER);
}

static void
pm_resume(void *device)
{
    Pm *pm = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pm->lock);
    update(pm);
    pm->irq->ops->set_line(pm->irq->host, BOARD_GSI_SCI, pm->sci); /* after a load nobody else knows its level */
}

static bool
pm_after_load(void *object, GError **error)
{
    Pm *pm = object;
    pm->status &= PM1_EVENTS;
    pm->enable &= PM1_ENABLES;
    pm->control &= CONTROL_BUS_MASTER_RELOAD | CONTROL_SLEEP_TYPE;
    pm->reset_control &= RESET_KEPT;
    return true;
}

static const StateField pm_fields[] = {
    STATE_UINT(Pm, status, 1),
    STATE_UINT(Pm, enable, 1),
    STATE_UINT(Pm, control, 1),
    STATE_BYTES(Pm, gpe_enable, 1),
    STATE_UINT(Pm, top_bit_changes, 1),
    STATE_UINT(Pm, reset_control, 1),
    STATE_UINT(Pm, smi_enable, 2),
    STATE_BYTES(Pm, apm, 2),
    STATE_END,
};

static const StateTable pm_state = {
    .name = "pm", .version = 2, .oldest = 1, .fields = pm_fields, .after_load = pm_after_load};

const DeviceOps pm_device_ops = {
    .name = "pm",
    .reset = pm_reset,
    .quiesce = pm_quiesce,
    .resume = pm_resume,
    .state = &pm_state,
    .free = pm_free,
};
