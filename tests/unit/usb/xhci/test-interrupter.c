/* SPDX-License-Identifier: Apache-2.0 */
/* Events: a full ring, moderation, those that the driver wants quietly. */
#include "fake.h"

#include <string.h>

static GLogWriterOutput
say_nothing(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
    return G_LOG_WRITER_HANDLED;
}

static void
test_full_event_ring(void)
{
    Host host;
    uint64_t *erst;
    const unsigned n = 60;

    host_init(&host, 4);
    host_start(&host);
    erst = host_at(&host, HOST_ERST);
    erst[0] = HOST_EVENTS;
    erst[1] = 16; /* the smallest */
    memset(host_at(&host, HOST_EVENTS), 0, 0x1000);
    host_put(&host, HOST_IR(0) + IR_ERDP, HOST_EVENTS);
    host_put(&host, HOST_IR(0) + IR_ERSTBA, HOST_ERST);
    for (unsigned i = 0; i < n; i++)
        host_ring_add(&host, &host.commands, 0, 0, HOST_TYPE(TRB_NO_OP_COMMAND));
    host_doorbell(&host, 0, 0);

    /* the guest reads one after the other: none is lost, and those that say "full" are few */
    uint64_t at = HOST_EVENTS;
    bool cycle = true;
    unsigned done = 0, full = 0;
    uint64_t expected = HOST_COMMANDS;
    while (done < n) {
        const uint32_t *words = host_at(&host, at);
        g_assert_cmpuint(words[3] & 1, ==, cycle);
        if (TRB_TYPE(words[3]) == TRB_HOST_CONTROLLER_EVENT) {
            g_assert_cmpuint(words[2] >> 24, ==, CC_EVENT_RING_FULL);
            full++;
        } else {
            g_assert_cmphex(words[0], ==, expected);
            expected += TRB_SIZE;
            done++;
        }
        at += TRB_SIZE;
        if (at == HOST_EVENTS + 16 * TRB_SIZE) {
            at = HOST_EVENTS;
            cycle = !cycle;
        }
        host_put(&host, HOST_IR(0) + IR_ERDP, at | ERDP_EHB);
        host_pump(&host);
    }
    g_assert_cmpuint(full, >=, 1);
    g_assert_cmpuint(full, <=, n);
    host_finish(&host);
}

static void
test_moderation(void)
{
    Host host;
    XhciStats stats;

    host_init(&host, 4);
    host_start(&host);
    /* MSI-X on: its message counts as the interrupt */
    unsigned msix = find_capability(&host.pci, 4, PCI_CAP_ID_MSIX, 0);
    config_put(&host.pci, 4, msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    host_put(&host, HOST_IR(0) + IR_IMOD, 4000); /* 1 ms */
    clock_advance(host.clock, 2000000);
    for (unsigned i = 0; i < 10; i++)
        g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(TRB_NO_OP_COMMAND), NULL), ==, CC_SUCCESS);
    xhci_stats(host.xhci, &stats);
    g_assert_cmpuint(stats.interrupts, ==, 1);
    clock_advance(host.clock, 2000000); /* all events were read meanwhile: nothing to tell */
    xhci_stats(host.xhci, &stats);
    g_assert_cmpuint(stats.interrupts, ==, 1);
    host_ring_add(&host, &host.commands, 0, 0, HOST_TYPE(TRB_NO_OP_COMMAND));
    host_doorbell(&host, 0, 0);
    xhci_stats(host.xhci, &stats);
    g_assert_cmpuint(stats.interrupts, ==, 2);
    host_ring_add(&host, &host.commands, 0, 0, HOST_TYPE(TRB_NO_OP_COMMAND));
    host_doorbell(&host, 0, 0);
    clock_advance(host.clock, 5000000); /* the handler is at work still */
    xhci_stats(host.xhci, &stats);
    g_assert_cmpuint(stats.interrupts, ==, 2);
    host_put(&host, HOST_IR(0) + IR_ERDP, host.event | ERDP_EHB); /* it gave up too early: told again */
    xhci_stats(host.xhci, &stats);
    g_assert_cmpuint(stats.interrupts, ==, 3);
    host_finish(&host);
}

/* Events that the driver wants without an interrupt come with the next that has one, or that tells of a failure. */
static void
test_quiet_events(void)
{
    Host host;
    XhciTrb event;
    XhciStats before, after;
    unsigned slot;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x1000);
    unsigned msix = find_capability(&host.pci, 4, PCI_CAP_ID_MSIX, 0);
    config_put(&host.pci, 4, msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    host_put(&host, HOST_IR(0) + IR_IMOD, 0);
    while (host_event(&host, &event))
        continue;
    xhci_stats(host.xhci, &before);
    for (unsigned i = 0; i < 3; i++)
        host_ring_add(&host, &host.rings[3], data, 64, HOST_TYPE(TRB_NORMAL) | TRB_IOC | TRB_BEI);
    host_doorbell(&host, slot, 3);
    xhci_stats(host.xhci, &after);
    g_assert_cmpuint(after.transfers - before.transfers, ==, 3);
    g_assert_cmpuint(after.interrupts, ==, before.interrupts);
    host_normal(&host, slot, 3, data, 64);
    xhci_stats(host.xhci, &after);
    g_assert_cmpuint(after.interrupts, ==, before.interrupts + 1);
    for (unsigned i = 0; i < 4; i++)
        g_assert_true(host_event(&host, &event) && event_code(&event) == CC_SUCCESS);
    assert_no_event(&host);
    fake->status = USB_STALL;
    xhci_stats(host.xhci, &before);
    host_ring_add(&host, &host.rings[3], data, 64, HOST_TYPE(TRB_NORMAL) | TRB_IOC | TRB_BEI);
    host_doorbell(&host, slot, 3);
    xhci_stats(host.xhci, &after);
    g_assert_cmpuint(after.interrupts, ==, before.interrupts + 1);
    host_finish(&host);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(say_nothing, NULL, NULL);
    g_test_add_func("/xhci/full-event-ring", test_full_event_ring);
    g_test_add_func("/xhci/moderation", test_moderation);
    g_test_add_func("/xhci/quiet-events", test_quiet_events);
    return g_test_run();
}
