/* SPDX-License-Identifier: Apache-2.0 */
/* What no driver does: rings, commands and registers that make no sense. */
#include "fake.h"

#include <string.h>

static unsigned n_logged;

static GLogWriterOutput
count_message(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
    n_logged++;
    return G_LOG_WRITER_HANDLED;
}

static void
test_broken_rings(void)
{
    Host host;
    unsigned slot;
    uint64_t data;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    data = host_alloc(&host, 0x1000);
    n_logged = 0;
    uint64_t block = host_ring_add(&host, &host.rings[3], HOST_MEMORY - 1, 512, HOST_TYPE(TRB_NORMAL) | TRB_IOC);
    host_doorbell(&host, slot, 3);
    g_assert_cmpuint(n_logged, ==, 1);
    assert_transfer_event(&host, block, CC_TRB_ERROR, 0);
    g_assert_cmpuint(host_context_state(&host, slot, 3), ==, EP_ERROR);
    /* it mends by Set TR Dequeue Pointer (4.6.10), and other endpoints never noticed */
    block = host_normal(&host, slot, 2, data, 64);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);
    g_assert_cmpuint(host_command(&host, host.rings[3].at | 1, 0, SET_DEQUEUE(slot, 3u), NULL), ==, CC_SUCCESS);
    block = host_normal(&host, slot, 3, data, 64);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);

    /* what was on its way when the ring went bad is asked back before the ring is another */
    uint64_t first = host_ring_add(&host, &host.rings[3], data, 64, HOST_TYPE(TRB_NORMAL) | TRB_IOC);
    host_ring_add(&host, &host.rings[3], HOST_MEMORY, 64, HOST_TYPE(TRB_NORMAL) | TRB_IOC);
    fake->keep = true;
    fake->moves = 0;
    fake->depth = 3;
    host_doorbell(&host, slot, 3);
    g_assert_cmpuint(fake->kept->len, ==, 1);
    assert_transfer_event(&host, first + TRB_SIZE, CC_TRB_ERROR, 0);
    g_assert_cmpuint(host_command(&host, host.rings[3].at | 1, 0, SET_DEQUEUE(slot, 3u), NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(fake->kept->len, ==, 0);
    g_assert_cmphex(host_context_dequeue(&host, slot, 3), ==, host.rings[3].at | 1);
    fake->keep = false;
    fake->moves = UINT32_MAX;
    block = host_normal(&host, slot, 3, data, 64);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);

    /* a ring of valid links only, and one without end of valid blocks: a turn's work, then others have theirs */
    HostRing loop = host_ring_new(&host, 16);
    for (unsigned i = 0; i < 15; i++)
        host_ring_add(&host, &loop, data, 8, HOST_TYPE(TRB_NORMAL));
    host_ring_add(&host, &loop, 0, 0, HOST_TYPE(TRB_NO_OP));
    *(uint32_t *)host_at(&host, loop.base + 15 * TRB_SIZE + 12) = HOST_TYPE(TRB_LINK) | TRB_CYCLE;
    g_assert_cmpuint(host_command(&host, 0, 0, STOP(slot, 3u), NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(host_command(&host, loop.base | 1, 0, SET_DEQUEUE(slot, 3u), NULL), ==, CC_SUCCESS);
    host_put(&host, XHCI_DOORBELLS + 4 * slot, 3);
    for (unsigned i = 0; i < 10; i++)
        g_main_context_iteration(NULL, FALSE);
    host_ring_add(&host, &host.commands, 0, 0, STOP(slot, 3u));
    host_doorbell(&host, 0, 0); /* returns: the endpoint stops */
    g_assert_cmpuint(host_context_state(&host, slot, 3), ==, EP_STOPPED);
    host_finish(&host);
}

static void
test_broken_commands(void)
{
    Host host;
    unsigned slot, other;

    host_init(&host, 4);
    host_start(&host);
    fake_plug_configured(&host, &slot);
    uint64_t input = host_alloc(&host, 0x1000);
    uint32_t *words = host_at(&host, input);
    const uint32_t configure = HOST_TYPE(TRB_CONFIGURE_ENDPOINT) | slot << 24;

    g_assert_cmpuint(host_command(&host, HOST_MEMORY, 0, configure, NULL), ==, CC_PARAMETER);
    g_assert_cmpuint(host_command(&host, HOST_MEMORY - 64, 0, configure, NULL), ==, CC_PARAMETER);
    words[1] = 3; /* the first endpoint is no business of this command */
    g_assert_cmpuint(host_command(&host, input, 0, configure, NULL), ==, CC_PARAMETER);
    words[0] = 2, words[1] = 1;
    g_assert_cmpuint(host_command(&host, input, 0, configure, NULL), ==, CC_PARAMETER);
    words[0] = 0, words[1] = 1 | 1 << 7; /* an endpoint of no type */
    g_assert_cmpuint(host_command(&host, input, 0, configure, NULL), ==, CC_PARAMETER);
    g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(TRB_ADDRESS_DEVICE) | slot << 24, NULL), ==, CC_CONTEXT_STATE);
    g_assert_cmpuint(host_command(&host, 0, 0, STOP(slot, 9u), NULL), ==, CC_ENDPOINT_NOT_ENABLED);
    g_assert_cmpuint(host_command(&host, 0, 0, STOP(slot, 0u), NULL), ==, CC_TRB_ERROR);
    g_assert_cmpuint(host_command(&host, 0, 0, STOP(77u, 1u), NULL), ==, CC_SLOT_NOT_ENABLED);
    g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(63), NULL), ==, CC_TRB_ERROR);
    g_assert_cmpuint(host_command(&host, 0x1000, 0, SET_DEQUEUE(slot, 3u), NULL), ==, CC_CONTEXT_STATE);

    /* a device of its own for each slot; a context outside memory; a port nobody is in */
    g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(TRB_ENABLE_SLOT), &other), ==, CC_SUCCESS);
    XhciSlotContext context = {.root_port = 1};
    XhciEndpointContext endpoint = {.type = EP_TYPE_CONTROL, .packet_size = 64, .dequeue = 0x5001};
    const uint32_t address = HOST_TYPE(TRB_ADDRESS_DEVICE) | other << 24;
    words[0] = 0, words[1] = 3;
    xhci_slot_context_write(&context, words + CONTEXT_WORDS);
    xhci_endpoint_context_write(&endpoint, words + 2 * CONTEXT_WORDS);
    ((uint64_t *)host_at(&host, HOST_DCBAA))[other] = HOST_MEMORY - 64;
    g_assert_cmpuint(host_command(&host, input, 0, address, NULL), ==, CC_PARAMETER);
    ((uint64_t *)host_at(&host, HOST_DCBAA))[other] = host_alloc(&host, 0x1000);
    g_assert_cmpuint(host_command(&host, input, 0, address, NULL), ==, CC_TRB_ERROR);
    const unsigned nobody[] = {0, 2, 8, 9, 255};
    for (size_t i = 0; i < G_N_ELEMENTS(nobody); i++) {
        context.root_port = nobody[i];
        xhci_slot_context_write(&context, words + CONTEXT_WORDS);
        g_assert_cmpuint(host_command(&host, input, 0, address, NULL), ==, CC_TRANSACTION_ERROR);
    }
    context.root_port = 1;
    context.route = 0xfffff; /* behind a device that is no hub */
    xhci_slot_context_write(&context, words + CONTEXT_WORDS);
    g_assert_cmpuint(host_command(&host, input, 0, address, NULL), ==, CC_TRANSACTION_ERROR);

    /* slots run out, and come back */
    for (unsigned i = 2; i < XHCI_SLOTS; i++)
        g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(TRB_ENABLE_SLOT), NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(TRB_ENABLE_SLOT), NULL), ==, CC_NO_SLOTS);
    host_finish(&host);
}

static void
test_broken_controller(void)
{
    Host host;

    host_init(&host, 4);
    host_start(&host);
    n_logged = 0;
    host_put(&host, HOST_OP(OP_USBCMD), 0);
    host_pump(&host);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)) & USBSTS_HCH, ==, USBSTS_HCH);
    host_put(&host, HOST_OP(OP_CRCR), HOST_MEMORY | 1);
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_RS);
    host_doorbell(&host, 0, 0);
    g_assert_cmpuint(n_logged, ==, 1);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)) & USBSTS_HCE, ==, USBSTS_HCE);
    host_doorbell(&host, 0, 0);
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_RS); /* only a reset mends it */
    host_doorbell(&host, 0, 0);
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_HCRST);
    host_pump(&host);
    host_start(&host);
    g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(TRB_NO_OP_COMMAND), NULL), ==, CC_SUCCESS);

    /* event rings that are not there: said no more, it was said a moment ago */
    host_put(&host, HOST_IR(0) + IR_ERSTBA, HOST_MEMORY);
    host_ring_add(&host, &host.commands, 0, 0, HOST_TYPE(TRB_NO_OP_COMMAND));
    host_doorbell(&host, 0, 0);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)) & USBSTS_HCE, ==, USBSTS_HCE);
    g_assert_cmpuint(n_logged, ==, 1);
    host_finish(&host);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(count_message, NULL, NULL);
    g_test_add_func("/xhci/broken-rings", test_broken_rings);
    g_test_add_func("/xhci/broken-commands", test_broken_commands);
    g_test_add_func("/xhci/broken-controller", test_broken_controller);
    return g_test_run();
}
