/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register space (xHCI 1.2, 5): vCPUs read and write it under the lock.
 *
 * Registers are words of 32 bits; of a narrower access only reading works, and one of 64 bits is two, the low one first (5.1).
 */
#include "usb/xhci/private.h"

/* --- capabilities (5.3, 7) ---------------------------------------------------------------------------------------- */

/* The two Supported Protocol capabilities (7.2): revision, where their ports begin, how many. */
static uint32_t
protocol_word(const Xhci *xhci, unsigned word)
{
    bool usb3 = word >= 4;

    switch (word % 4) {
    case 0:
        return 2u | (usb3 ? 0 : 4u << 8) | (usb3 ? 0x03000000u : 0x02000000u);
    case 1:
        return 0x20425355; /* "USB " */
    case 2:
        return usb3 ? (xhci->n_usb2 + 1) | xhci->n_usb3 << 8 : 1 | xhci->n_usb2 << 8;
    default:
        return 0; /* slot type */
    }
}

static uint32_t
capability_read(const Xhci *xhci, unsigned offset)
{
    switch (offset) {
    case CAP_LENGTH_VERSION:
        return XHCI_CAPLENGTH | HCIVERSION << 16;
    case CAP_HCSPARAMS1:
        return XHCI_SLOTS | XHCI_INTERRUPTERS << 8 | (xhci->n_usb2 + xhci->n_usb3) << 24;
    case CAP_HCSPARAMS2:
        return 3u << 4; /* 2^3 segments of an event ring: XHCI_SEGMENTS */
    case CAP_HCCPARAMS1:
        return HCCPARAMS1_AC64 | HCCPARAMS1_NSS | HCCPARAMS1_MAX_PSA((unsigned)XHCI_MAX_PSA) |
               HCCPARAMS1_XECP((unsigned)XHCI_EXTENDED);
    case CAP_DBOFF:
        return XHCI_DOORBELLS;
    case CAP_RTSOFF:
        return XHCI_RUNTIME;
    default:
        return offset >= XHCI_EXTENDED ? protocol_word(xhci, (offset - XHCI_EXTENDED) / 4) : 0;
    }
}
G_STATIC_ASSERT(XHCI_EXTENDED + 8 * 4 <= XHCI_CAPLENGTH);
G_STATIC_ASSERT(USB_STREAMS_MAX == 2 << XHCI_MAX_PSA);

/* --- operational registers (5.4) ----------------------------------------------------------------------------------- */

static uint32_t
operational_read(const Xhci *xhci, unsigned offset)
{
    switch (offset) {
    case OP_USBCMD:
        return xhci->usbcmd;
    case OP_USBSTS:
        return xhci->usbsts;
    case OP_PAGESIZE:
        return 1; /* 4 KiB */
    case OP_DNCTRL:
        return xhci->dnctrl;
    case OP_CRCR:
        return xhci->crcr & CRCR_CRR; /* the rest reads as 0, 5.4.5 */
    case OP_DCBAAP:
        return (uint32_t)xhci->dcbaap;
    case OP_DCBAAP + 4:
        return xhci->dcbaap >> 32;
    case OP_CONFIG:
        return xhci->config;
    default:
        break;
    }
    if (offset < XHCI_PORTS || offset >= XHCI_PORTS + (xhci->n_usb2 + xhci->n_usb3) * XHCI_PORT_SIZE)
        return 0;
    return xhci_port_read(xhci, (offset - XHCI_PORTS) / XHCI_PORT_SIZE, (offset - XHCI_PORTS) % XHCI_PORT_SIZE);
}

static int64_t
microframe(Xhci *xhci)
{
    return clock_now(xhci->clock) / 125000;
}

static void
arm_wrap_timer(Xhci *xhci)
{
    bool wanted = (xhci->usbcmd & (USBCMD_EWE | USBCMD_RS)) == (USBCMD_EWE | USBCMD_RS);
    int64_t wrap = ((microframe(xhci) >> 14) + 1) << 14;

    clock_timer_set(xhci->wrap_timer, wanted ? wrap * 125000 : CLOCK_NEVER);
}

/*
 * Save State and Restore State, at once (4.23.2): a driver does so around a sleep of the machine. Nothing here is ever without
 * power, so there is nothing to save, and restoring is to forget that the driver wrote the registers anew; but after a reset
 * there is nothing to go on with (Save/Restore Error).
 */
static void
keep_state(Xhci *xhci, uint32_t value)
{
    if (!(xhci->usbsts & USBSTS_HCH) || value & USBCMD_RS)
        return;
    if (value & USBCMD_CSS)
        xhci->kept = true;
    if (value & USBCMD_CRS && xhci->kept)
        xhci_interrupters_go_on(xhci);
    else if (value & USBCMD_CRS)
        xhci->usbsts |= USBSTS_SRE;
}

static void
write_command(Xhci *xhci, uint32_t value)
{
    uint32_t changed = (xhci->usbcmd ^ value) & (USBCMD_RS | USBCMD_INTE | USBCMD_EWE);

    if (xhci->usbcmd & USBCMD_HCRST)
        return; /* not ready */
    xhci->usbcmd = value & (USBCMD_RS | USBCMD_INTE | USBCMD_HSEE | USBCMD_EWE);
    if (value & USBCMD_HCRST) {
        xhci->usbcmd = USBCMD_HCRST;
        xhci->usbsts |= USBSTS_CNR;
        xhci->wanted |= XHCI_WORK_RESET;
    } else if (changed & USBCMD_RS) {
        if (xhci->usbcmd & USBCMD_RS && !(xhci->usbsts & USBSTS_HCE))
            xhci->usbsts &= ~USBSTS_HCH;
        xhci->wanted |= XHCI_WORK_RUN;
    }
    if (value & (USBCMD_CSS | USBCMD_CRS))
        keep_state(xhci, value);
    if (changed & USBCMD_INTE)
        xhci_interrupts_update(xhci);
    if (changed & (USBCMD_EWE | USBCMD_RS))
        arm_wrap_timer(xhci);
    xhci_wake(xhci);
}

/* 5.4.5: the pointer can be set only while the ring stands still; stopping only while it runs. */
static void
write_command_ring(Xhci *xhci, bool high, uint32_t value)
{
    if (xhci->crcr & CRCR_CRR) {
        if (!high && value & (CRCR_CS | CRCR_CA)) {
            xhci->crcr |= value & (CRCR_CS | CRCR_CA);
            xhci->wanted |= XHCI_WORK_COMMANDS;
            xhci_wake(xhci);
        }
        return;
    }
    xhci->crcr_written = true;
    if (high)
        xhci->crcr = (uint32_t)xhci->crcr | (uint64_t)value << 32;
    else
        xhci->crcr = (xhci->crcr & ~(uint64_t)UINT32_MAX) | (value & ~0x3fu) | (value & CRCR_RCS);
}

static void
operational_write(Xhci *xhci, unsigned offset, uint32_t value)
{
    switch (offset) {
    case OP_USBCMD:
        write_command(xhci, value);
        return;
    case OP_USBSTS:
        xhci->usbsts &= ~(value & USBSTS_CHANGES);
        return;
    case OP_DNCTRL:
        xhci->dnctrl = value & 0xffff;
        return;
    case OP_CRCR:
    case OP_CRCR + 4:
        write_command_ring(xhci, offset != OP_CRCR, value);
        return;
    case OP_DCBAAP:
        xhci->dcbaap = (xhci->dcbaap & ~(uint64_t)UINT32_MAX) | (value & ~0x3fu);
        return;
    case OP_DCBAAP + 4:
        xhci->dcbaap = (uint32_t)xhci->dcbaap | (uint64_t)value << 32;
        return;
    case OP_CONFIG:
        xhci->config = value & 0xff;
        return;
    default:
        break;
    }
    if (offset < XHCI_PORTS || offset >= XHCI_PORTS + (xhci->n_usb2 + xhci->n_usb3) * XHCI_PORT_SIZE)
        return;
    xhci_port_write(xhci, (offset - XHCI_PORTS) / XHCI_PORT_SIZE, (offset - XHCI_PORTS) % XHCI_PORT_SIZE, value);
}

/* --- runtime registers and doorbells (5.5, 5.6) ------------------------------------------------------------------- */

static uint32_t
runtime_read(Xhci *xhci, unsigned offset)
{
    unsigned index = (offset - XHCI_INTERRUPTER) / XHCI_INTERRUPTER;

    if (offset == RT_MFINDEX)
        return xhci->usbcmd & USBCMD_RS ? microframe(xhci) & 0x3fff : 0;
    if (offset < XHCI_INTERRUPTER || index >= XHCI_INTERRUPTERS)
        return 0;
    return xhci_interrupter_read(&xhci->interrupters[index], offset % XHCI_INTERRUPTER);
}

static void
runtime_write(Xhci *xhci, unsigned offset, uint32_t value)
{
    unsigned index = (offset - XHCI_INTERRUPTER) / XHCI_INTERRUPTER;

    if (offset >= XHCI_INTERRUPTER && index < XHCI_INTERRUPTERS)
        xhci_interrupter_write(&xhci->interrupters[index], offset % XHCI_INTERRUPTER, value);
}

/* Under the lock. A stream's doorbell is its endpoint's: all its streams are looked at. false: there is nothing to do. */
static bool
note_doorbell(Xhci *xhci, unsigned slot, unsigned target)
{
    if (!(xhci->usbcmd & USBCMD_RS) || slot > XHCI_SLOTS || target >= XHCI_ENDPOINTS || !slot != !target)
        return false;
    if (slot == 0) {
        xhci->crcr |= CRCR_CRR;
        xhci->wanted |= XHCI_WORK_COMMANDS;
    } else {
        xhci->rung[slot] |= 1u << target;
    }
    return true;
}

static void
ring_doorbell(Xhci *xhci, unsigned slot, uint32_t value)
{
    unsigned target = value & 0xff;

    g_mutex_lock(&xhci->lock);
    bool noted = note_doorbell(xhci, slot, target);
    g_mutex_unlock(&xhci->lock);
    if (noted && !(slot && xhci_ring_at_once(xhci, slot, target)))
        xhci_wake(xhci);
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static uint32_t
word_read(Xhci *xhci, unsigned offset)
{
    if (offset < XHCI_CAPLENGTH)
        return capability_read(xhci, offset);
    if (offset < XHCI_RUNTIME)
        return operational_read(xhci, offset - XHCI_CAPLENGTH);
    if (offset < XHCI_DOORBELLS)
        return runtime_read(xhci, offset - XHCI_RUNTIME);
    return 0;
}

static void
word_write(Xhci *xhci, unsigned offset, uint32_t value)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);

    if (offset >= XHCI_RUNTIME)
        runtime_write(xhci, offset - XHCI_RUNTIME, value);
    else if (offset >= XHCI_CAPLENGTH)
        operational_write(xhci, offset - XHCI_CAPLENGTH, value);
}

static uint64_t
bar_read(void *owner, uint64_t offset, unsigned size)
{
    Xhci *xhci = owner;
    unsigned at = offset & ~3u;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);

    uint64_t value = word_read(xhci, at);
    if ((offset & 3) + size > 4 && at + 4 < XHCI_BAR_SIZE)
        value |= (uint64_t)word_read(xhci, at + 4) << 32;
    value >>= (offset & 3) * 8;
    return size == 8 ? value : value & ((1ull << size * 8) - 1);
}

static void
bar_write(void *owner, uint64_t offset, unsigned size, uint64_t value)
{
    Xhci *xhci = owner;

    if (offset & 3 || size < 4)
        return;
    for (unsigned at = 0; at < size && offset + at < XHCI_BAR_SIZE; at += 4, value >>= 32)
        if (offset + at >= XHCI_DOORBELLS)
            ring_doorbell(xhci, (offset + at - XHCI_DOORBELLS) / 4, (uint32_t)value);
        else
            word_write(xhci, offset + at, (uint32_t)value);
}

const BusOps xhci_bus_ops = {.read = bar_read, .write = bar_write};

void
xhci_registers_reset(Xhci *xhci)
{
    xhci->usbcmd = 0;
    xhci->usbsts = USBSTS_HCH;
    xhci->dnctrl = xhci->config = 0;
    xhci->crcr = xhci->dcbaap = 0;
    xhci->crcr_written = true;
    xhci->kept = false;
    xhci->wanted = 0;
    for (unsigned i = 0; i <= XHCI_SLOTS; i++)
        xhci->rung[i] = 0;
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
        xhci_interrupter_reset(&xhci->interrupters[i]);
    for (unsigned i = 0; i < xhci->n_usb2 + xhci->n_usb3; i++)
        xhci_port_reset_registers(xhci, i);
    clock_timer_set(xhci->wrap_timer, CLOCK_NEVER);
    xhci_interrupts_update(xhci);
}
