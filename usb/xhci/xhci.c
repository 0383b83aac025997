/* SPDX-License-Identifier: Apache-2.0 */
/* The controller as a whole: its PCI function, its work on the USB thread, and how it comes to rest. */
#include "usb/xhci/private.h"
#include "vmm/pci/msix.h"

#include <string.h>

/* Red Hat's, given to generic devices of virtual machines (pci.ids); drivers bind by the class. */
#define VENDOR_ID 0x1b36
#define DEVICE_ID 0x000d
#define SUBSYSTEM_ID 0x1100
#define SUBSYSTEM_VENDOR_ID 0x1af4
#define CLASS_XHCI 0x0c0330

#define REGISTERS_BAR 0
#define MSIX_BAR 1
/* Registers in configuration space that capabilities must leave free (5.2.3, 5.2.4). */
#define CONFIG_SBRN 0x60
#define CONFIG_FLADJ 0x61
#define FIRST_CAPABILITY 0x70

#define LOG_INTERVAL_US (10 * G_USEC_PER_SEC)

/* --- what may be, and what is wrong -------------------------------------------------------------------------------- */

void
xhci_wake(Xhci *xhci)
{
    g_source_set_ready_time(xhci->source, 0);
}

void
xhci_want(Xhci *xhci, XhciWork work)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);
    xhci->wanted |= work;
    xhci_wake(xhci);
}

static void
log_seldom(Xhci *xhci, const char *what, const char *why)
{
    int64_t now = g_get_monotonic_time();

    if (xhci->logged && now - xhci->logged < LOG_INTERVAL_US)
        return;
    xhci->logged = now;
    g_message("usb: %s: %s", what, why);
}

void
xhci_break_locked(Xhci *xhci, const char *why)
{
    if (xhci->usbsts & USBSTS_HCE)
        return;
    log_seldom(xhci, "the controller needs a reset by the guest", why);
    xhci->usbsts |= USBSTS_HCE | USBSTS_HCH;
    xhci->usbcmd &= ~USBCMD_RS;
    xhci->wanted |= XHCI_WORK_RUN;
    xhci_wake(xhci);
}

void
xhci_break(Xhci *xhci, const char *why)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);
    xhci_break_locked(xhci, why);
}

void
xhci_complain(Xhci *xhci, const char *why)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);
    log_seldom(xhci, "the guest's driver is at fault", why);
}

bool
xhci_may_run(Xhci *xhci)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);
    return xhci->usbcmd & USBCMD_RS && !(xhci->usbsts & (USBSTS_HCE | USBSTS_CNR)) && !xhci->resting && !xhci->n_full;
}

/* --- waiting for transfers ------------------------------------------------------------------------------------------ */

bool
xhci_drain_all(Xhci *xhci)
{
    bool quiet = true;

    for (unsigned i = 0; i < XHCI_SLOTS; i++)
        if (xhci->slots[i].enabled)
            quiet &= xhci_slot_drain(&xhci->slots[i], UINT32_MAX);
    return quiet;
}

/*
 * The memory of rings and contexts is whoever's reset this is, who is not always the one that gave it: firmware halts the
 * controller, the system behind it makes something else of firmware's memory, and resets the controller when its driver loads.
 * So from here on nothing is written there.
 */
static void
begin_reset(Xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_SLOTS; i++)
        xhci->slots[i].output = 0;
}

static void
reset_now(Xhci *xhci)
{
    xhci->reset_waits = xhci->halt_waits = xhci->command_begun = false;
    for (unsigned i = 0; i < XHCI_SLOTS; i++)
        xhci_slot_free(&xhci->slots[i]);
    g_ptr_array_set_size(xhci->resets, 0);
    g_mutex_lock(&xhci->lock);
    xhci_registers_reset(xhci);
    g_mutex_unlock(&xhci->lock);
}

static void
halt_now(Xhci *xhci)
{
    xhci->halt_waits = false;
    g_mutex_lock(&xhci->lock);
    if (!(xhci->usbcmd & USBCMD_RS)) {
        xhci->usbsts |= USBSTS_HCH;
        xhci->crcr &= ~(uint64_t)CRCR_CRR;
    }
    g_mutex_unlock(&xhci->lock);
}

static void
look_for_rest(Xhci *xhci)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);

    if (!xhci->resting || xhci->n_in_flight || usb_bus_held(xhci->bus))
        return;
    xhci->is_at_rest = true;
    g_cond_signal(&xhci->at_rest);
}

bool
xhci_is_waited_for(Xhci *xhci)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);
    return xhci->command_begun || xhci->reset_waits || xhci->halt_waits || xhci->resets->len || xhci->resting;
}

void
xhci_fell_quiet(Xhci *xhci)
{
    if (xhci->reset_waits && xhci_drain_all(xhci))
        reset_now(xhci);
    if (xhci->command_begun)
        xhci_commands_run(xhci);
    if (xhci->halt_waits && xhci_drain_all(xhci))
        halt_now(xhci);
    if (xhci->resets->len)
        xhci_ports_work(xhci);
    look_for_rest(xhci);
}

/* --- the USB thread's turn ------------------------------------------------------------------------------------------- */

typedef struct {
    GSource source;
    Xhci *xhci;
} WorkSource;

static void
begin_run_change(Xhci *xhci)
{
    g_mutex_lock(&xhci->lock);
    bool runs = xhci->usbcmd & USBCMD_RS;
    g_mutex_unlock(&xhci->lock);
    if (runs) {
        xhci_ports_tell(xhci);
        return;
    }
    xhci->halt_waits = true;
    if (xhci_drain_all(xhci))
        halt_now(xhci);
}

static void
ring_endpoints(XhciSlot *slot, uint32_t rung, bool all)
{
    for (unsigned i = 1; i < XHCI_ENDPOINTS && slot->enabled; i++) {
        XhciEndpoint *endpoint = slot->endpoints[i];
        if (endpoint && rung >> i & 1)
            xhci_endpoint_ring(endpoint);
        else if (endpoint && all)
            xhci_endpoint_feed(endpoint);
    }
}

static void
work(Xhci *xhci)
{
    uint32_t rung[XHCI_SLOTS + 1];

    g_mutex_lock(&xhci->lock);
    if (xhci->resting) { /* what is asked for is there, and saved, until it ends */
        g_mutex_unlock(&xhci->lock);
        return;
    }
    uint32_t wanted = xhci->wanted;
    xhci->wanted = 0;
    memcpy(rung, xhci->rung, sizeof(rung));
    memset(xhci->rung, 0, sizeof(xhci->rung));
    g_mutex_unlock(&xhci->lock);

    if (wanted & XHCI_WORK_RESET) {
        begin_reset(xhci);
        xhci->reset_waits = true;
        if (xhci_drain_all(xhci))
            reset_now(xhci);
        return;
    }
    bool all = wanted & (XHCI_WORK_RUN | XHCI_WORK_EVENTS | XHCI_WORK_ALL);
    if (wanted & XHCI_WORK_RUN)
        begin_run_change(xhci);
    if (wanted & XHCI_WORK_PORTS)
        xhci_ports_work(xhci);
    if (wanted & XHCI_WORK_COMMANDS || all)
        xhci_commands_run(xhci);
    for (unsigned i = 0; i < XHCI_SLOTS; i++)
        if (rung[i + 1] || all)
            ring_endpoints(&xhci->slots[i], rung[i + 1], all);
}

/* Takes one doorbell off the list of what is to be looked at, where nothing else is that comes before it. */
static bool
take_ring(Xhci *xhci, unsigned slot_id, unsigned target)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);

    if (xhci->wanted || xhci->resting)
        return false;
    xhci->rung[slot_id] &= ~(1u << target);
    return true;
}

bool
xhci_ring_at_once(Xhci *xhci, unsigned slot_id, unsigned target)
{
    if (!usb_bus_try_enter(xhci->bus))
        return false;
    const XhciSlot *slot = &xhci->slots[slot_id - 1];
    XhciEndpoint *endpoint = slot->enabled ? slot->endpoints[target] : NULL;
    bool may = endpoint && slot->device && slot->device->ops->at_once && take_ring(xhci, slot_id, target);
    if (may)
        xhci_endpoint_ring(endpoint);
    usb_bus_leave(xhci->bus);
    return may;
}

static gboolean
dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    g_source_set_ready_time(source, -1);
    work(((WorkSource *)source)->xhci);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.dispatch = dispatch};

static void
on_wrap(void *user)
{
    Xhci *xhci = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);

    if ((xhci->usbcmd & (USBCMD_RS | USBCMD_EWE)) != (USBCMD_RS | USBCMD_EWE) || xhci->resting)
        return;
    int64_t wrap = ((clock_now(xhci->clock) / 125000 >> 14) + 1) << 14;
    clock_timer_set(xhci->wrap_timer, wrap * 125000);
    xhci_event_locked(xhci, 0, 0, (uint32_t)CC_SUCCESS << 24, TRB_MFINDEX_WRAP_EVENT << TRB_TYPE_SHIFT);
}

/* --- the bus --------------------------------------------------------------------------------------------------------- */

static void
unplugging(void *user, UsbDevice *device)
{
    xhci_slots_forget(user, device);
    xhci_port_unplugged(user, device);
}

static void
released(void *user)
{
    look_for_rest(user);
}

static const UsbControllerOps controller_ops = {
    .plugged = xhci_port_plugged,
    .unplugging = unplugging,
    .reset = xhci_port_reset,
    .reset_done = xhci_port_reset_done,
    .wake = xhci_port_wake,
    .released = released,
};

/* --- life ------------------------------------------------------------------------------------------------------------ */

static void
init_pci(Xhci *xhci)
{
    static const PciIdentity identity = {
        .vendor = VENDOR_ID,
        .device = DEVICE_ID,
        .subsystem_vendor = SUBSYSTEM_VENDOR_ID,
        .subsystem = SUBSYSTEM_ID,
        .revision = 1,
        .class = CLASS_XHCI,
        .intx = true,
    };
    PciConfig *config = &xhci->pci.config;

    pci_device_init(&xhci->pci, &identity, NULL);
    config->next_capability = FIRST_CAPABILITY;
    pci_config_set(config, CONFIG_SBRN, 1, 0x30); /* USB 3.0 */
    pci_config_set(config, CONFIG_FLADJ, 1, 0x20);
    pci_device_add_bar(&xhci->pci, REGISTERS_BAR, PCI_BAR_32, XHCI_BAR_SIZE, &xhci_bus_ops, xhci);
    pci_msix_add(&xhci->pci, XHCI_INTERRUPTERS, MSIX_BAR);
    pci_device_add_express(&xhci->pci);
    pci_device_add_power_management(&xhci->pci);
    pci_config_set_power_on(config);
}

static void
join_bus(void *data)
{
    Xhci *xhci = data;

    usb_bus_set_controller(xhci->bus, &controller_ops, xhci);
    g_mutex_lock(&xhci->lock);
    xhci_registers_reset(xhci);
    g_mutex_unlock(&xhci->lock);
}

Xhci *
xhci_new(PciBus *pci, int slot, const XhciOptions *options, GError **error)
{
    Xhci *xhci = g_new0(Xhci, 1);

    xhci->bus = options->bus;
    xhci->memory = options->memory;
    xhci->clock = options->clock;
    xhci->n_usb2 = usb_bus_n_ports(options->bus);
    xhci->n_usb3 = MIN(xhci->n_usb2, XHCI_USB3_PORTS_MAX);
    g_mutex_init(&xhci->lock);
    g_cond_init(&xhci->at_rest);
    xhci->resets = g_ptr_array_new();
    xhci->saved_endpoints = g_ptr_array_new();
    xhci->saved_devices = g_ptr_array_new();
    xhci->wrap_timer = clock_timer_new(xhci->clock, on_wrap, xhci);
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
        xhci_interrupter_init(&xhci->interrupters[i], xhci, i);
    for (unsigned i = 0; i < XHCI_SLOTS; i++) {
        xhci->slots[i].xhci = xhci;
        xhci->slots[i].id = i + 1;
    }
    xhci->source = g_source_new(&source_funcs, sizeof(WorkSource));
    ((WorkSource *)xhci->source)->xhci = xhci;
    g_source_set_static_name(xhci->source, "xhci");
    g_source_attach(xhci->source, usb_bus_context(xhci->bus));
    init_pci(xhci);
    usb_bus_call(xhci->bus, join_bus, xhci);
    if (pci_bus_add(pci, &xhci->pci, slot) >= 0)
        return xhci;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
                "no PCI slot for the USB controller: a desktop has %d, and they are all taken", PCI_SLOTS_FREE);
    xhci_free(xhci);
    return NULL;
}

static void
leave_bus(void *data)
{
    Xhci *xhci = data;

    g_source_destroy(xhci->source);
    xhci_drain_all(xhci);
    g_assert(!xhci->n_in_flight); /* the machine came to rest before */
    for (unsigned i = 0; i < XHCI_SLOTS; i++)
        for (unsigned j = 1; j < XHCI_ENDPOINTS; j++)
            g_clear_pointer(&xhci->slots[i].endpoints[j], xhci_endpoint_free);
    usb_bus_set_controller(xhci->bus, NULL, NULL);
}

void
xhci_free(Xhci *xhci)
{
    if (!xhci)
        return;
    pci_device_finish(&xhci->pci);
    usb_bus_call(xhci->bus, leave_bus, xhci);
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
        xhci_interrupter_finish(&xhci->interrupters[i]);
    clock_timer_free(xhci->wrap_timer);
    g_source_unref(xhci->source);
    g_clear_pointer(&xhci->saved, g_byte_array_unref);
    g_ptr_array_unref(xhci->resets);
    g_ptr_array_unref(xhci->saved_endpoints);
    g_ptr_array_unref(xhci->saved_devices);
    g_mutex_clear(&xhci->lock);
    g_cond_clear(&xhci->at_rest);
    g_free(xhci);
}

unsigned
xhci_slot_number(const Xhci *xhci)
{
    return xhci->pci.slot;
}

void
xhci_stats(Xhci *xhci, XhciStats *stats)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);
    *stats = xhci->stats;
}

/* --- for the machine ------------------------------------------------------------------------------------------------- */

static void
reset_device(void *user, UsbDevice *device)
{
    device->resetting = true;
    device->ops->reset(device);
}

static void
machine_reset(void *data)
{
    Xhci *xhci = data;

    xhci_drain_all(xhci);
    g_assert(!xhci->n_in_flight); /* at rest */
    begin_reset(xhci);
    reset_now(xhci);
    usb_bus_foreach(xhci->bus, reset_device, xhci);
}

static void
op_reset(void *object)
{
    Xhci *xhci = object;

    usb_bus_call(xhci->bus, machine_reset, xhci);
    pci_device_reset(&xhci->pci);
}

static void
begin_rest(void *data)
{
    Xhci *xhci = data;

    g_mutex_lock(&xhci->lock);
    xhci->resting = true;
    xhci->is_at_rest = false;
    g_mutex_unlock(&xhci->lock);
    xhci_drain_all(xhci);
    xhci_fell_quiet(xhci);
}

static void
op_quiesce(void *object)
{
    Xhci *xhci = object;

    usb_bus_call(xhci->bus, begin_rest, xhci);
    g_mutex_lock(&xhci->lock);
    while (!xhci->is_at_rest)
        g_cond_wait(&xhci->at_rest, &xhci->lock);
    g_mutex_unlock(&xhci->lock);
}

static void
end_rest(void *data)
{
    Xhci *xhci = data;

    g_mutex_lock(&xhci->lock);
    xhci->resting = false;
    xhci->wanted |= XHCI_WORK_ALL | XHCI_WORK_PORTS;
    xhci_interrupts_update(xhci);
    g_mutex_unlock(&xhci->lock);
    xhci_wake(xhci);
}

static void
op_resume(void *object)
{
    Xhci *xhci = object;
    usb_bus_call(xhci->bus, end_rest, xhci);
}

static void
op_free(void *object)
{
    xhci_free(object);
}

const DeviceOps xhci_device_ops = {
    .name = "xhci",
    .reset = op_reset,
    .quiesce = op_quiesce,
    .resume = op_resume,
    .state = &xhci_state,
    .free = op_free,
};
