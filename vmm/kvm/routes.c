/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's interrupt routing table, built anew from the routes in use whenever one of them changed.
 */
#include "vmm/kvm/routes.h"

#include "vmm/board/memory_map.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#define ISA_LINES 16
#define PIC_LINES 8
#define CASCADE 2
/* Entries the board's lines take: 15 to the PICs (the cascade is none), 23 to the IOAPIC (pin 0 is not wired). */
#define BOARD_ENTRIES (ISA_LINES - 1 + BOARD_GSI_COUNT - 1)

G_STATIC_ASSERT(ROUTES_FIRST_GSI == BOARD_GSI_COUNT);

/* PCI Local Bus 3.0, 6.8.1.3 and Intel SDM 3A, 11.11.1: what a message to the interrupt controllers looks like. KVM would
 * refuse the whole table for one message with bits it does not know in the upper half. */
static bool
is_interrupt_message(const MsiMessage *message)
{
    return message->address >> 20 == 0xfee;
}

static bool
messages_equal(const MsiMessage *a, const MsiMessage *b)
{
    return a->address == b->address && a->data == b->data;
}

static void
add_pin(struct kvm_irq_routing *table, unsigned gsi, unsigned chip, unsigned pin)
{
    table->entries[table->nr++] = (struct kvm_irq_routing_entry){
        .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = {.irqchip = chip, .pin = pin}};
}

static void
add_board_lines(struct kvm_irq_routing *table)
{
    for (unsigned gsi = 0; gsi < ISA_LINES; gsi++)
        if (gsi != CASCADE)
            add_pin(table, gsi, gsi < PIC_LINES ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, gsi % PIC_LINES);
    for (unsigned gsi = 0; gsi < BOARD_GSI_COUNT; gsi++)
        if (gsi != CASCADE)
            add_pin(table, gsi, KVM_IRQCHIP_IOAPIC, gsi == 0 ? BOARD_GSI_PIT : gsi);
}

static void
add_message(struct kvm_irq_routing *table, unsigned gsi, const MsiMessage *message)
{
    table->entries[table->nr++] =
        (struct kvm_irq_routing_entry){.gsi = gsi,
                                       .type = KVM_IRQ_ROUTING_MSI,
                                       .u.msi = {.address_lo = (uint32_t)message->address,
                                                 .address_hi = (uint32_t)(message->address >> 32),
                                                 .data = message->data}};
}

/* Under the lock. Routes that are free stay in the table with their last message: one may come back with it. */
static int
commit(Routes *routes)
{
    if (routes->held) {
        routes->changed = true;
        return 0;
    }
    size_t n_entries = BOARD_ENTRIES + routes->routes->len;
    g_autofree struct kvm_irq_routing *table = g_malloc0(sizeof(*table) + n_entries * sizeof(table->entries[0]));
    add_board_lines(table);
    for (guint i = 0; i < routes->routes->len; i++)
        add_message(table, ROUTES_FIRST_GSI + i, &g_array_index(routes->routes, Route, i).message);
    g_assert(table->nr == n_entries);
    return ioctl(routes->vm_fd, KVM_SET_GSI_ROUTING, table) < 0 ? -errno : 0;
}

int
routes_init(Routes *routes, int vm_fd, unsigned max)
{
    *routes = (Routes){.vm_fd = vm_fd, .routes_max = max - MIN(max, BOARD_ENTRIES + ROUTES_FIRST_GSI)};
    g_mutex_init(&routes->lock);
    routes->routes = g_array_new(FALSE, TRUE, sizeof(Route));
    return commit(routes);
}

void
routes_finish(Routes *routes)
{
    if (!routes->routes)
        return;
    g_array_unref(routes->routes);
    g_mutex_clear(&routes->lock);
}

void
routes_hold(Routes *routes)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&routes->lock);
    routes->held = true;
}

int
routes_release(Routes *routes)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&routes->lock);
    routes->held = false;
    if (!routes->changed)
        return 0;
    routes->changed = false;
    return commit(routes);
}

/* Under the lock. A free route for @message, best one that KVM already has; -ENOSPC where there is no room. */
static int
find_free(Routes *routes, const MsiMessage *message)
{
    int any = -1;
    for (guint i = 0; i < routes->routes->len; i++) {
        const Route *route = &g_array_index(routes->routes, Route, i);
        if (route->used)
            continue;
        if (messages_equal(&route->message, message))
            return i;
        if (any < 0)
            any = i;
    }
    if (any >= 0)
        return any;
    if (routes->routes->len == routes->routes_max)
        return -ENOSPC;
    g_array_set_size(routes->routes, routes->routes->len + 1);
    return routes->routes->len - 1;
}

/* Under the lock. */
static int
set_message(Routes *routes, Route *route, const MsiMessage *message)
{
    if (messages_equal(&route->message, message))
        return 0;
    MsiMessage before = route->message;
    route->message = *message;
    int result = commit(routes);
    if (result < 0)
        route->message = before;
    return result;
}

static int
connect_eventfd(Routes *routes, int eventfd, int route, bool on)
{
    struct kvm_irqfd irqfd = {
        .fd = eventfd, .gsi = ROUTES_FIRST_GSI + route, .flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN};
    return ioctl(routes->vm_fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

static int
routes_add(void *host, int eventfd, const MsiMessage *message)
{
    Routes *routes = host;

    if (!is_interrupt_message(message))
        return -EINVAL;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&routes->lock);
    int at = find_free(routes, message);
    if (at < 0)
        return at;
    Route *route = &g_array_index(routes->routes, Route, at);
    int result = set_message(routes, route, message);
    if (result == 0)
        result = connect_eventfd(routes, eventfd, at, true);
    if (result < 0)
        return result;
    route->used = true;
    return at;
}

static int
routes_change(void *host, int at, int eventfd, const MsiMessage *message)
{
    Routes *routes = host;

    if (!is_interrupt_message(message))
        return -EINVAL;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&routes->lock);
    g_assert(at >= 0 && (guint)at < routes->routes->len);
    Route *route = &g_array_index(routes->routes, Route, at);
    g_assert(route->used);
    return set_message(routes, route, message);
}

static void
routes_remove(void *host, int at, int eventfd)
{
    Routes *routes = host;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&routes->lock);
    g_assert(at >= 0 && (guint)at < routes->routes->len);
    Route *route = &g_array_index(routes->routes, Route, at);
    g_assert(route->used);
    (void)connect_eventfd(routes, eventfd, at, false); /* can only say that it was not there */
    route->used = false;
}

static void
routes_set_line(void *host, unsigned gsi, bool high)
{
    Routes *routes = host;
    struct kvm_irq_level level = {.irq = gsi, .level = high};
    g_assert(gsi < BOARD_GSI_COUNT);
    int result = ioctl(routes->vm_fd, KVM_IRQ_LINE, &level);
    g_assert(result == 0); /* the chips are there and the line is one of theirs */
}

static void
routes_send(void *host, const MsiMessage *message)
{
    Routes *routes = host;
    if (!is_interrupt_message(message))
        return;
    struct kvm_msi msi = {.address_lo = (uint32_t)message->address, .data = message->data};
    (void)ioctl(routes->vm_fd, KVM_SIGNAL_MSI, &msi); /* to a processor that is not there: lost, as on a PC */
}

const IrqOps routes_irq_ops = {
    .set_line = routes_set_line,
    .send = routes_send,
    .route_add = routes_add,
    .route_change = routes_change,
    .route_remove = routes_remove,
};
