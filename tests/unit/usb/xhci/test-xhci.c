/* SPDX-License-Identifier: Apache-2.0 */
/* The controller, driven through its registers and rings by a small driver (host.h), with a device of the test's own (fake.h). */
#include "fake.h"

#include <string.h>

static GLogWriterOutput
say_nothing(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
    return G_LOG_WRITER_HANDLED;
}

/* --- registers ------------------------------------------------------------------------------------------------------- */

static void
test_capabilities(void)
{
    Host host;

    host_init(&host, 16);
    g_assert_cmphex(xhci_bus_ops.read(host.xhci, 0, 1), ==, XHCI_CAPLENGTH);
    g_assert_cmphex(xhci_bus_ops.read(host.xhci, 2, 2), ==, 0x0120);
    g_assert_cmphex(host_get(&host, CAP_HCSPARAMS1), ==, 64 | 8 << 8 | 31u << 24);
    g_assert_cmphex(host_get(&host, 0x20), ==, 0x02000402);
    g_assert_cmphex(host_get(&host, 0x28), ==, 1 | 16 << 8);
    g_assert_cmphex(host_get(&host, 0x30), ==, 0x03000002);
    g_assert_cmphex(host_get(&host, 0x38), ==, 17 | 15 << 8);
    g_assert_cmphex(config_get(&host.pci, 4, PCI_CLASS_REVISION, 4) >> 8, ==, 0x0c0330);
    g_assert_cmphex(config_get(&host.pci, 4, 0x60, 1), ==, 0x30);
    g_assert_cmpuint(find_capability(&host.pci, 4, PCI_CAP_ID_MSIX, 0), >, 0x61);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)), ==, USBSTS_HCH);
    host_put(&host, HOST_OP(OP_DCBAAP), 0x1237f);
    xhci_bus_ops.write(host.xhci, HOST_OP(OP_DCBAAP) + 4, 4, 5);
    g_assert_cmphex(xhci_bus_ops.read(host.xhci, HOST_OP(OP_DCBAAP), 8), ==, 0x500012340);
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_HCRST);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)) & USBSTS_CNR, ==, USBSTS_CNR);
    host_pump(&host);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBCMD)), ==, 0);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)), ==, USBSTS_HCH);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_DCBAAP)), ==, 0);
    host_finish(&host);
}

static void
test_ports(void)
{
    Host host;
    XhciTrb event;

    host_init(&host, 4);
    host_start(&host);
    assert_no_event(&host);
    Fake *fake = fake_plug(&host, USB_HIGH);
    g_assert_true(host_event(&host, &event));
    g_assert_cmpuint(xhci_trb_type(&event), ==, TRB_PORT_STATUS_CHANGE_EVENT);
    g_assert_cmpuint(event.parameter >> 24, ==, 1);
    uint32_t status = host_get(&host, HOST_PORT(1));
    g_assert_cmphex(status & (PORTSC_CCS | PORTSC_PED | PORTSC_CSC), ==, PORTSC_CCS | PORTSC_CSC);
    host_put(&host, HOST_PORT(1), PORTSC_PP | PORTSC_CSC);
    host_reset_port(&host, 1);
    g_assert_cmpuint(fake->resets, ==, 1);
    g_assert_cmpuint((host_get(&host, HOST_PORT(1)) & PORTSC_SPEED) >> PORTSC_SPEED_SHIFT, ==, USB_HIGH);

    /* suspend and wake up */
    host_put(&host, HOST_PORT(1), PORTSC_PP | PORTSC_LWS | PLS_U3 << PORTSC_PLS_SHIFT);
    g_assert_cmpuint((host_get(&host, HOST_PORT(1)) & PORTSC_PLS) >> PORTSC_PLS_SHIFT, ==, PLS_U3);
    usb_device_wake(&fake->device);
    g_assert_true(host_event(&host, &event));
    g_assert_cmpuint((host_get(&host, HOST_PORT(1)) & PORTSC_PLS) >> PORTSC_PLS_SHIFT, ==, PLS_RESUME);
    host_put(&host, HOST_PORT(1), PORTSC_PP | PORTSC_PLC);
    host_put(&host, HOST_PORT(1), PORTSC_PP | PORTSC_LWS);
    host_pump(&host);
    g_assert_cmphex(host_get(&host, HOST_PORT(1)) & (PORTSC_PLS | PORTSC_PLC), ==, PORTSC_PLC);
    while (host_event(&host, &event))
        continue;
    host_put(&host, HOST_PORT(1), PORTSC_PP | PORTSC_PLC);

    usb_bus_detach(host.bus, &fake->device, NULL);
    usb_device_free(&fake->device);
    g_assert_true(host_event(&host, &event));
    g_assert_cmphex(host_get(&host, HOST_PORT(1)) & (PORTSC_CCS | PORTSC_PED | PORTSC_CSC), ==, PORTSC_CSC);

    fake = fake_plug(&host, USB_SUPER); /* trains its link by itself, on the other side of the same port */
    g_assert_true(host_event(&host, &event));
    g_assert_cmpuint(event.parameter >> 24, ==, 5);
    g_assert_cmphex(host_get(&host, HOST_PORT(5)) & (PORTSC_CCS | PORTSC_PED), ==, PORTSC_CCS | PORTSC_PED);
    host_put(&host, HOST_PORT(5), PORTSC_PP | PORTSC_CSC);
    fake->reset_late = true;
    host_put(&host, HOST_PORT(5), PORTSC_PP | PORTSC_WPR);
    host_pump(&host);
    g_assert_cmphex(host_get(&host, HOST_PORT(5)) & (PORTSC_PED | PORTSC_PR), ==, PORTSC_PR);
    usb_device_reset_done(&fake->device);
    g_assert_cmphex(host_get(&host, HOST_PORT(5)) & (PORTSC_PED | PORTSC_PR | PORTSC_PRC | PORTSC_WRC), ==,
                    PORTSC_PED | PORTSC_PRC | PORTSC_WRC);
    host_finish(&host);
}

/* The guest resets several ports before any of it was worked on: each device once. */
static void
test_several_resets(void)
{
    Host host;
    Fake *fakes[3];

    host_init(&host, 4);
    host_start(&host);
    for (unsigned i = 0; i < G_N_ELEMENTS(fakes); i++) {
        g_autofree char *id = g_strdup_printf("fake%u", i);
        fakes[i] = fake_plug_as(&host, USB_HIGH, id);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(fakes); i++)
        host_put(&host, HOST_PORT(i + 1), PORTSC_PP | PORTSC_PR);
    host_pump(&host);
    for (unsigned i = 0; i < G_N_ELEMENTS(fakes); i++) {
        g_assert_cmpuint(fakes[i]->resets, ==, 1);
        g_assert_cmphex(host_get(&host, HOST_PORT(i + 1)) & (PORTSC_PED | PORTSC_PR), ==, PORTSC_PED);
    }
    host_finish(&host);
}

/* --- transfers ------------------------------------------------------------------------------------------------------- */

static void
test_control(void)
{
    Host host;
    uint8_t data[64] = {0};
    uint32_t moved;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug(&host, USB_FULL);
    host_reset_port(&host, 1);
    unsigned slot = host_address(&host, 1, 0);
    g_assert_cmpuint(host_control(&host, slot, 0x80, 6, 0x100, 0, data, 64, &moved), ==, CC_SUCCESS);
    g_assert_true(moved == 64 && data[0] == 1 && data[7] == 8);
    fake->moves = 18;
    g_assert_cmpuint(host_control(&host, slot, 0x80, 6, 0x100, 0, data, 64, &moved), ==, CC_SUCCESS);
    g_assert_cmpuint(moved, ==, 18);

    /* firmware's way to say how long the first endpoint's packets are: all else of its context is 0 (4.6.7) */
    uint64_t input = host_alloc(&host, 0x1000);
    uint32_t *words = host_at(&host, input);
    memset(words, 0, 0x1000);
    words[1] = 2;
    words[2 * CONTEXT_WORDS + 1] = 8u << 16;
    const uint32_t evaluate = HOST_TYPE(TRB_EVALUATE_CONTEXT) | slot << 24;
    g_assert_cmpuint(host_command(&host, input, 0, evaluate, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(host.xhci->slots[slot - 1].endpoints[1]->context.packet_size, ==, 8);
    words[2 * CONTEXT_WORDS + 1] = 0;
    g_assert_cmpuint(host_command(&host, input, 0, evaluate, NULL), ==, CC_PARAMETER);
    g_assert_cmpuint(host_control(&host, slot, 0x80, 6, 0x100, 0, data, 18, &moved), ==, CC_SUCCESS);

    /* SET_ADDRESS is no request of the guest's (4.6.5) */
    fake->submits = 0;
    g_assert_cmpuint(host_control(&host, slot, 0, USB_REQ_SET_ADDRESS, 5, 0, NULL, 0, NULL), ==, CC_STALL);
    g_assert_cmpuint(fake->submits, ==, 0);
    g_assert_cmpuint(host_context_state(&host, slot, 1), ==, EP_HALTED);
    g_assert_cmpuint(host_command(&host, 0, 0, RESET_EP(slot, 1u), NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(host_command(&host, host.rings[1].at | host.rings[1].cycle, 0, SET_DEQUEUE(slot, 1u), NULL), ==,
                     CC_SUCCESS);
    g_assert_cmpuint(host_control(&host, slot, 0x80, 6, 0x100, 0, data, 18, &moved), ==, CC_SUCCESS);
    host_finish(&host);
}

static void
test_bulk(void)
{
    Host host;
    unsigned slot;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x10000);

    uint64_t block = host_normal(&host, slot, 3, data, 4096);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);
    g_assert_cmpuint(*(uint8_t *)host_at(&host, data + 7), ==, 8);
    fake->moves = 100;
    block = host_normal(&host, slot, 3, data, 4096);
    assert_transfer_event(&host, block, CC_SHORT_PACKET, 3996);

    /* one at a time: the second is not submitted before the first came back */
    fake->keep = true;
    block = host_normal(&host, slot, 2, data, 512);
    uint64_t second = host_normal(&host, slot, 2, data, 512);
    g_assert_cmpuint(fake->kept->len, ==, 1);
    assert_no_event(&host);
    fake_give_back(fake, 0, 512, USB_OK);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);
    g_assert_cmpuint(fake->kept->len, ==, 1);
    fake_give_back(fake, 0, 512, USB_OK);
    assert_transfer_event(&host, second, CC_SUCCESS, 0);
    host_finish(&host);
}

static void
test_several_in_flight(void)
{
    Host host;
    unsigned slot;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x1000), blocks[4];

    fake->keep = true;
    fake->moves = 0;
    fake->depth = 3;
    for (unsigned i = 0; i < 4; i++)
        blocks[i] = host_normal(&host, slot, 3, data, 512);
    g_assert_cmpuint(fake->kept->len, ==, 3);
    fake_give_back(fake, 1, 512, USB_OK); /* out of order */
    assert_no_event(&host);
    fake_give_back(fake, 0, 512, USB_OK);
    assert_transfer_event(&host, blocks[0], CC_SUCCESS, 0);
    assert_transfer_event(&host, blocks[1], CC_SUCCESS, 0);
    g_assert_cmpuint(fake->kept->len, ==, 2);
    /* one fails: those behind it are asked back, and the ring stands at it */
    fake_give_back(fake, 0, 0, USB_STALL);
    g_assert_cmpuint(fake->cancels, ==, 1);
    assert_transfer_event(&host, blocks[2], CC_STALL, 512);
    assert_no_event(&host);
    g_assert_cmpuint(host_context_state(&host, slot, 3), ==, EP_HALTED);
    g_assert_cmphex(host_context_dequeue(&host, slot, 3), ==, blocks[2] | 1);
    host_finish(&host);
}

static void
test_halt_and_go_on(void)
{
    Host host;
    unsigned slot;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x1000);

    fake->status = USB_STALL;
    fake->moves = 0;
    uint64_t block = host_normal(&host, slot, 3, data, 512);
    assert_transfer_event(&host, block, CC_STALL, 512);
    fake->status = USB_OK;
    fake->moves = 512;
    host_doorbell(&host, slot, 3); /* no doorbell wakes a halted endpoint */
    assert_no_event(&host);
    g_assert_cmpuint(host_command(&host, 0, 0, RESET_EP(slot, 3u), NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(host_command(&host, 0, 0, RESET_EP(slot, 3u), NULL), ==, CC_CONTEXT_STATE);
    host_doorbell(&host, slot, 3);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);

    const struct {
        UsbStatus status;
        unsigned code;
    } errors[] = {{USB_BABBLE, CC_BABBLE}, {USB_FAULT, CC_TRANSACTION_ERROR}, {USB_GONE, CC_TRANSACTION_ERROR}};
    for (size_t i = 0; i < G_N_ELEMENTS(errors); i++) {
        fake->status = errors[i].status;
        block = host_normal(&host, slot, 2, data, 512);
        assert_transfer_event(&host, block, errors[i].code, 0);
        g_assert_cmpuint(host_command(&host, 0, 0, RESET_EP(slot, 2u), NULL), ==, CC_SUCCESS);
        g_assert_cmpuint(host_command(&host, host.rings[2].at | 1, 0, SET_DEQUEUE(slot, 2u), NULL), ==, CC_SUCCESS);
    }
    host_finish(&host);
}

static void
test_stop_endpoint(void)
{
    Host host;
    XhciTrb event;
    unsigned slot;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x1000);

    fake->keep = true;
    uint64_t block = host_normal(&host, slot, 3, data, 1024);
    fake->moves = 300; /* had come when it is stopped */
    uint64_t command = host_ring_add(&host, &host.commands, 0, 0, STOP(slot, 3u));
    host_doorbell(&host, 0, 0);
    assert_transfer_event(&host, block, CC_STOPPED, 724);
    g_assert_true(host_event(&host, &event));
    g_assert_true(event.parameter == command && event_code(&event) == CC_SUCCESS);
    g_assert_cmpuint(host_context_state(&host, slot, 3), ==, EP_STOPPED);
    g_assert_cmpuint(fake->stops, ==, 1);
    g_assert_cmphex(host_context_dequeue(&host, slot, 3), ==, block | 1);

    host_doorbell(&host, slot, 3); /* goes on behind what was moved */
    UsbTransfer *rest = fake->kept->pdata[0];
    g_assert_cmpuint(rest->length, ==, 724);
    g_assert_true(rest->iov[0].iov_base == host_at(&host, data + 300));
    fake_give_back(fake, 0, 724, USB_OK);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);

    /* a device that lets go late keeps the command waiting, and nothing else */
    fake->cancel_late = true;
    host_normal(&host, slot, 3, data, 1024);
    g_assert_cmpuint(host_command(&host, 0, 0, STOP(slot, 3u), NULL), ==, 0);
    fake->keep = false;
    block = host_normal(&host, slot, 2, data, 100);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);
    fake_give_back(fake, 0, 0, USB_CANCELLED);
    g_assert_true(host_event(&host, &event) && event_code(&event) == CC_STOPPED);
    g_assert_true(host_event(&host, &event) && event_code(&event) == CC_SUCCESS);
    g_assert_cmpuint(host_context_state(&host, slot, 3), ==, EP_STOPPED);
    host_finish(&host);
}

/* Stopped while it failed: the guest hears of the failure, and at the next pause of nothing. */
static void
test_stopped_and_failed(void)
{
    Host host;
    XhciTrb event;
    unsigned slot;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x1000);

    fake->keep = fake->cancel_late = true;
    uint64_t block = host_normal(&host, slot, 3, data, 512);
    g_assert_cmpuint(host_command(&host, 0, 0, STOP(slot, 3u), NULL), ==, 0);
    fake_give_back(fake, 0, 0, USB_STALL);
    assert_transfer_event(&host, block, CC_STALL, 512);
    g_assert_true(host_event(&host, &event) && event_code(&event) == CC_CONTEXT_STATE);
    g_assert_cmpuint(host_command(&host, 0, 0, RESET_EP(slot, 3u), NULL), ==, CC_SUCCESS);
    fake->cancel_late = false;
    fake->moves = 0;
    host_doorbell(&host, slot, 3);
    g_assert_cmpuint(fake->kept->len, ==, 1);
    xhci_device_ops.quiesce(host.xhci);
    xhci_device_ops.resume(host.xhci);
    host_pump(&host);
    assert_no_event(&host);
    host_finish(&host);
}

static void
test_unplugged_in_flight(void)
{
    Host host;
    XhciTrb event;
    unsigned slot;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x1000);

    fake->keep = true;
    fake->moves = 0;
    uint64_t block = host_normal(&host, slot, 3, data, 512);
    usb_bus_detach(host.bus, &fake->device, "unplugged");
    usb_device_free(&fake->device);
    host_pump(&host);
    assert_transfer_event(&host, block, CC_TRANSACTION_ERROR, 512);
    g_assert_true(host_event(&host, &event));
    g_assert_cmpuint(xhci_trb_type(&event), ==, TRB_PORT_STATUS_CHANGE_EVENT);
    block = host_normal(&host, slot, 2, data, 512); /* nobody is there */
    assert_transfer_event(&host, block, CC_TRANSACTION_ERROR, 512);
    g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(TRB_DISABLE_SLOT) | slot << 24, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(TRB_DISABLE_SLOT) | slot << 24, NULL), ==,
                     CC_SLOT_NOT_ENABLED);
    host_finish(&host);
}

static void
test_reconfigured_in_flight(void)
{
    Host host;
    unsigned slot;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x1000);

    fake->keep = true;
    host_normal(&host, slot, 3, data, 512);
    host_normal(&host, slot, 2, data, 512);
    g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(TRB_CONFIGURE_ENDPOINT) | slot << 24 | TRB_DC, NULL), ==,
                     CC_SUCCESS);
    g_assert_cmpuint(fake->kept->len, ==, 0);
    g_assert_cmpuint(fake->cancels, ==, 2);
    g_assert_cmpuint(host_context_state(&host, slot, 3), ==, EP_DISABLED);
    host_doorbell(&host, slot, 3); /* of an endpoint that is no more */
    host_doorbell(&host, 9, 1);    /* of a slot that never was */
    host_doorbell(&host, 64, 31);
    assert_no_event(&host);
    g_assert_cmpuint(host_configure(&host, slot, 3, EP_TYPE_BULK_IN, 512, 0), ==, CC_SUCCESS);
    host_normal(&host, slot, 3, data, 512);
    g_assert_cmpuint(fake->kept->len, ==, 1);
    /* a reset of the controller with a transfer that comes back late */
    fake->cancel_late = true;
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_HCRST);
    host_pump(&host);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)) & USBSTS_CNR, ==, USBSTS_CNR);
    fake_give_back(fake, 0, 0, USB_CANCELLED);
    host_pump(&host);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)) & USBSTS_CNR, ==, 0);
    host_start(&host);
    host_reset_port(&host, 1);
    g_assert_cmpuint(host_address(&host, 1, 0), ==, 1);
    host_finish(&host);
}

/* Whether all of the guest's memory is @byte still. */
static bool
is_filled(Host *host, uint8_t byte)
{
    const uint8_t *memory = host_at(host, 0);
    return memory[0] == byte && !memcmp(memory, memory + 1, HOST_MEMORY - 1);
}

/*
 * Firmware halts the controller and leaves; the memory of its rings and contexts is something else by the time the system's
 * driver resets it.
 */
static void
test_reset_by_another(void)
{
    Host host;
    unsigned slot;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x1000);

    fake->keep = true;
    host_normal(&host, slot, 3, data, 512);
    host_put(&host, HOST_OP(OP_USBCMD), 0);
    host_pump(&host);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)) & USBSTS_HCH, ==, USBSTS_HCH);
    g_assert_cmpuint(fake->kept->len, ==, 0);
    memset(host_at(&host, 0), 0xa5, HOST_MEMORY);
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_HCRST);
    host_pump(&host);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBCMD)), ==, 0);
    g_assert_true(is_filled(&host, 0xa5));

    /* the same of a controller that runs, with a transfer that fails while it is waited for; and of the whole machine */
    memset(host_at(&host, 0), 0, HOST_MEMORY);
    host_start(&host);
    host_reset_port(&host, 1);
    slot = host_address(&host, 1, 0);
    g_assert_cmpuint(host_configure(&host, slot, 3, EP_TYPE_BULK_IN, 512, 0), ==, CC_SUCCESS);
    host_normal(&host, slot, 3, data, 512);
    fake->cancel_late = true;
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_HCRST);
    host_pump(&host);
    memset(host_at(&host, 0), 0x5a, HOST_MEMORY);
    fake_give_back(fake, 0, 0, USB_STALL);
    host_pump(&host);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)) & USBSTS_CNR, ==, 0);
    g_assert_true(is_filled(&host, 0x5a));

    memset(host_at(&host, 0), 0, HOST_MEMORY);
    host_start(&host);
    host_reset_port(&host, 1);
    host_address(&host, 1, 0);
    xhci_device_ops.quiesce(host.xhci);
    memset(host_at(&host, 0), 0xa5, HOST_MEMORY);
    xhci_device_ops.reset(host.xhci);
    xhci_device_ops.resume(host.xhci);
    host_pump(&host);
    g_assert_true(is_filled(&host, 0xa5));
    host_finish(&host);
}

static void
test_streams(void)
{
    Host host;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug(&host, USB_SUPER);
    unsigned slot = host_address(&host, 5, 0);
    uint64_t input = host_alloc(&host, 0x1000), array = host_alloc(&host, 0x1000), data = host_alloc(&host, 0x1000);
    HostRing rings[2] = {host_ring_new(&host, 16), host_ring_new(&host, 16)};
    uint32_t *words = host_at(&host, input);
    XhciEndpointContext context = {
        .type = EP_TYPE_BULK_IN, .packet_size = 1024, .max_streams = 1, .linear = true, .dequeue = array};

    *(uint64_t *)host_at(&host, array + 1 * STREAM_CONTEXT_SIZE) = rings[0].base | 1 << 1 | 1;
    *(uint64_t *)host_at(&host, array + 3 * STREAM_CONTEXT_SIZE) = rings[1].base | 1 << 1 | 1;
    words[1] = 1 | 1 << 3;
    xhci_endpoint_context_write(&context, words + 4 * CONTEXT_WORDS);
    g_assert_cmpuint(host_command(&host, input, 0, HOST_TYPE(TRB_CONFIGURE_ENDPOINT) | slot << 24, NULL), ==,
                     CC_SUCCESS);
    g_assert_cmpuint(fake->n_streams, ==, 4);
    uint64_t block = host_ring_add(&host, &rings[1], data, 64, HOST_TYPE(TRB_NORMAL) | TRB_IOC);
    host_doorbell(&host, slot, 3 | 3 << 16);
    g_assert_cmpuint(fake->last_stream, ==, 3);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);
    block = host_ring_add(&host, &rings[0], data, 64, HOST_TYPE(TRB_NORMAL) | TRB_IOC);
    host_doorbell(&host, slot, 3 | 1 << 16);
    g_assert_cmpuint(fake->last_stream, ==, 1);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);
    g_assert_cmpuint(host_command(&host, 0, 0, STOP(slot, 3u), NULL), ==, CC_SUCCESS);
    g_assert_cmphex(*(uint64_t *)host_at(&host, array + 3 * STREAM_CONTEXT_SIZE), ==, rings[1].at | 1 << 1 | 1);
    g_assert_cmpuint(host_command(&host, rings[0].base | 1, 1 << 16, SET_DEQUEUE(slot, 3u), NULL), ==,
                     CC_INVALID_STREAM_TYPE);
    g_assert_cmpuint(host_command(&host, rings[0].base | 3, 4 << 16, SET_DEQUEUE(slot, 3u), NULL), ==,
                     CC_INVALID_STREAM_ID);
    g_assert_cmpuint(host_command(&host, rings[0].at | 3, 1 << 16, SET_DEQUEUE(slot, 3u), NULL), ==, CC_SUCCESS);
    host_finish(&host);
}

/* A driver puts the controller to sleep and wakes it as 4.23.2 has it: nothing was lost, so events go on where they were. */
static void
test_suspend(void)
{
    Host host;
    unsigned slot;

    host_init(&host, 4);
    host_start(&host);
    fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x1000);

    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_INTE);
    host_pump(&host);
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_INTE | USBCMD_CSS);
    host_pump(&host);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)) & (USBSTS_SSS | USBSTS_SRE | USBSTS_HCH), ==, USBSTS_HCH);
    host_put(&host, HOST_OP(OP_CONFIG), XHCI_SLOTS);
    host_put(&host, HOST_OP(OP_DCBAAP), HOST_DCBAA);
    host_put(&host, HOST_IR(0) + IR_ERSTSZ, 1);
    host_put(&host, HOST_IR(0) + IR_ERSTBA, HOST_ERST);
    host_put(&host, HOST_IR(0) + IR_ERSTBA + 4, 0);
    host_put(&host, HOST_IR(0) + IR_ERDP, (uint32_t)host.event);
    host_put(&host, HOST_IR(0) + IR_IMAN, IMAN_IE);
    host_put(&host, HOST_OP(OP_CRCR), (uint32_t)host.commands.at | CRCR_RCS);
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_INTE | USBCMD_CRS);
    host_pump(&host);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)) & (USBSTS_RSS | USBSTS_SRE), ==, 0);
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_RS | USBCMD_INTE);
    host_pump(&host);
    g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(TRB_NO_OP_COMMAND), NULL), ==, CC_SUCCESS);
    uint64_t block = host_normal(&host, slot, 3, data, 512);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);

    /* after a reset there is nothing to go on with: the driver begins anew */
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_HCRST);
    host_pump(&host);
    host_put(&host, HOST_OP(OP_USBCMD), USBCMD_CRS);
    g_assert_cmphex(host_get(&host, HOST_OP(OP_USBSTS)) & USBSTS_SRE, ==, USBSTS_SRE);
    host_put(&host, HOST_OP(OP_USBSTS), USBSTS_SRE);
    host_start(&host);
    g_assert_cmpuint(host_command(&host, 0, 0, HOST_TYPE(TRB_NO_OP_COMMAND), NULL), ==, CC_SUCCESS);
    host_finish(&host);
}

/* A device that does not mind is served by the vCPU that rings, where the USB thread sleeps and nothing else is to be done. */
static void
test_served_by_who_rings(void)
{
    UsbDeviceOps at_once;
    Host host;
    unsigned slot;
    GMutex lock;

    g_mutex_init(&lock);
    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    at_once = *fake->device.ops;
    at_once.at_once = true;
    usb_bus_set_lock(host.bus, &lock);
    uint64_t data = host_alloc(&host, 512);
    unsigned bell = XHCI_DOORBELLS + slot * 4, submits = fake->submits;

    host_ring_add(&host, &host.rings[3], data, 512, HOST_TYPE(TRB_NORMAL) | TRB_IOC);
    host_put(&host, bell, 3);
    g_assert_cmpuint(fake->submits, ==, submits); /* this one minds */
    host_pump(&host);
    g_assert_cmpuint(fake->submits, ==, ++submits);

    fake->device.ops = &at_once;
    host_ring_add(&host, &host.rings[3], data, 512, HOST_TYPE(TRB_NORMAL) | TRB_IOC);
    host_put(&host, bell, 3);
    g_assert_cmpuint(fake->submits, ==, ++submits);

    g_mutex_lock(&lock); /* the thread is at work */
    host_ring_add(&host, &host.rings[3], data, 512, HOST_TYPE(TRB_NORMAL) | TRB_IOC);
    host_put(&host, bell, 3);
    g_assert_cmpuint(fake->submits, ==, submits);
    g_mutex_unlock(&lock);
    host_pump(&host);
    g_assert_cmpuint(fake->submits, ==, ++submits);

    xhci_device_ops.quiesce(host.xhci);
    host_ring_add(&host, &host.rings[3], data, 512, HOST_TYPE(TRB_NORMAL) | TRB_IOC);
    host_put(&host, bell, 3);
    g_assert_cmpuint(fake->submits, ==, submits);
    xhci_device_ops.resume(host.xhci);
    host_pump(&host);
    g_assert_cmpuint(fake->submits, ==, ++submits);
    usb_bus_set_lock(host.bus, NULL);
    g_mutex_clear(&lock);
    host_finish(&host);
}

/* --- pausing, saving ------------------------------------------------------------------------------------------------- */

static void
test_pause(void)
{
    Host host;
    unsigned slot;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x1000);

    fake->keep = true;
    fake->moves = 0;
    uint64_t block = host_normal(&host, slot, 3, data, 512);
    xhci_device_ops.quiesce(host.xhci);
    g_assert_cmpuint(fake->kept->len, ==, 0);
    /* plugged in meanwhile: the guest is told once it runs again */
    fake_plug_as(&host, USB_HIGH, "fake1");
    assert_no_event(&host);
    xhci_device_ops.resume(host.xhci);
    host_pump(&host);
    XhciTrb event;
    g_assert_true(host_event(&host, &event));
    g_assert_cmpuint(xhci_trb_type(&event), ==, TRB_PORT_STATUS_CHANGE_EVENT);
    g_assert_cmpuint(fake->kept->len, ==, 1);
    fake_give_back(fake, 0, 512, USB_OK);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);
    host_finish(&host);
}

static void
test_save(void)
{
    Host host, other;
    unsigned slot;
    g_autoptr(GByteArray) saved = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    size_t n;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    uint64_t data = host_alloc(&host, 0x1000);
    fake->state = 42;
    fake->keep = true;
    fake->moves = 100;
    uint64_t block = host_normal(&host, slot, 3, data, 512);
    xhci_device_ops.quiesce(host.xhci);
    state_save(&xhci_state, host.xhci, saved);

    host_init(&other, 4);
    memcpy(guest_memory_regions(other.memory, &n)->host, guest_memory_regions(host.memory, &n)->host, HOST_MEMORY);
    Fake *again = fake_plug(&other, USB_HIGH);
    again->keep = true;
    xhci_device_ops.quiesce(other.xhci);
    g_assert_true(state_load(&xhci_state, other.xhci, 1, saved->data, saved->len, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(again->state, ==, 42);
    xhci_device_ops.resume(other.xhci);
    host_pump(&other);
    g_assert_cmpuint(again->kept->len, ==, 1);
    g_assert_cmpuint(((UsbTransfer *)again->kept->pdata[0])->length, ==, 412);
    fake_give_back(again, 0, 412, USB_OK);
    other.event = host.event;
    other.event_cycle = host.event_cycle;
    assert_transfer_event(&other, block, CC_SUCCESS, 0);
    assert_no_event(&other);
    host_finish(&other);

    /* into a machine without the device: it was pulled out */
    host_init(&other, 4);
    memcpy(guest_memory_regions(other.memory, &n)->host, guest_memory_regions(host.memory, &n)->host, HOST_MEMORY);
    xhci_device_ops.quiesce(other.xhci);
    g_assert_true(state_load(&xhci_state, other.xhci, 1, saved->data, saved->len, &error));
    xhci_device_ops.resume(other.xhci);
    host_pump(&other);
    other.event = host.event;
    other.event_cycle = host.event_cycle;
    XhciTrb event;
    bool told = false;
    while (host_event(&other, &event))
        told |= xhci_trb_type(&event) == TRB_PORT_STATUS_CHANGE_EVENT && event.parameter >> 24 == 1;
    g_assert_true(told);
    g_assert_cmphex(host_get(&other, HOST_PORT(1)) & (PORTSC_CCS | PORTSC_CSC), ==, PORTSC_CSC);
    host_finish(&other);

    /* what no guest could have made is refused: two slots of one device, two endpoints of one address */
    XhciSlot *second = &host.xhci->slots[slot];
    XhciEndpoint *out = host.xhci->slots[slot - 1].endpoints[2];
    for (unsigned i = 0; i < 2; i++) {
        g_autoptr(GByteArray) odd = g_byte_array_new();
        g_autoptr(GError) why = NULL;
        *second = (XhciSlot){.xhci = host.xhci, .id = slot + 1, .enabled = !i, .device = i ? NULL : &fake->device};
        out->context.type = i ? EP_TYPE_BULK_IN : EP_TYPE_BULK_OUT;
        state_save(&xhci_state, host.xhci, odd);
        host_init(&other, 4);
        fake_plug(&other, USB_HIGH);
        xhci_device_ops.quiesce(other.xhci);
        g_assert_false(state_load(&xhci_state, other.xhci, 1, odd->data, odd->len, &why));
        g_assert_error(why, STATE_ERROR, STATE_ERROR_MALFORMED);
        host_finish(&other);
    }

    /* cut short anywhere, it is refused and nothing worse */
    for (guint len = 0; len < saved->len; len += 61) {
        host_init(&other, 4);
        xhci_device_ops.quiesce(other.xhci);
        g_autoptr(GError) why = NULL;
        g_assert_false(state_load(&xhci_state, other.xhci, 1, saved->data, len, &why));
        g_assert_nonnull(why);
        host_finish(&other);
    }
    host_finish(&host);
}

/* A device from outside, of which nothing is saved, that is @late: given to the restored machine once it runs. */
static void
restore_without_state(Host *host, const GByteArray *saved, const UsbDeviceOps *ops, bool late)
{
    Host other;
    Fake *again = NULL;
    g_autoptr(GError) error = NULL;
    XhciTrb event;
    size_t n;

    host_init(&other, 4);
    memcpy(guest_memory_regions(other.memory, &n)->host, guest_memory_regions(host->memory, &n)->host, HOST_MEMORY);
    if (!late) {
        again = fake_plug(&other, USB_HIGH);
        again->device.ops = ops;
    }
    xhci_device_ops.quiesce(other.xhci);
    g_assert_true(state_load(&xhci_state, other.xhci, 1, saved->data, saved->len, &error));
    xhci_device_ops.resume(other.xhci);
    host_pump(&other);
    other.event = host->event;
    other.event_cycle = host->event_cycle;
    other.commands = host->commands;
    memcpy(other.rings, host->rings, sizeof(other.rings));
    if (late) {
        g_assert_cmphex(host_get(&other, HOST_PORT(1)) & (PORTSC_CCS | PORTSC_CSC | PORTSC_PED), ==, PORTSC_CSC);
        host_put(&other, HOST_PORT(1), PORTSC_PP | PORTSC_CSC);
        again = fake_plug(&other, USB_HIGH);
        again->device.ops = ops;
        host_pump(&other);
    }
    /* it is there anew, and what the guest still asks of the old one fails */
    g_assert_cmphex(host_get(&other, HOST_PORT(1)) & (PORTSC_CCS | PORTSC_CSC | PORTSC_PED), ==,
                    PORTSC_CCS | PORTSC_CSC);
    while (host_event(&other, &event))
        continue;
    host_normal(&other, 1, 3, host_alloc(&other, 512), 512);
    g_assert_cmpuint(again->submits, ==, 0);
    host_reset_port(&other, 1);
    unsigned slot = host_address(&other, 1, 0);
    g_assert_cmpuint(host_configure(&other, slot, 3, EP_TYPE_BULK_IN, 512, 0), ==, CC_SUCCESS);
    uint64_t block = host_normal(&other, slot, 3, host_alloc(&other, 512), 512);
    assert_transfer_event(&other, block, CC_SUCCESS, 0);
    host_finish(&other);
}

static void
test_save_without_state(void)
{
    Host host;
    unsigned slot;
    UsbDeviceOps ops;
    g_autoptr(GByteArray) saved = g_byte_array_new();

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug_configured(&host, &slot);
    ops = *fake->device.ops;
    ops.state = NULL;
    fake->device.ops = &ops;
    fake->keep = true;
    host_normal(&host, slot, 3, host_alloc(&host, 0x1000), 512);
    xhci_device_ops.quiesce(host.xhci);
    state_save(&xhci_state, host.xhci, saved);
    restore_without_state(&host, saved, &ops, true);
    restore_without_state(&host, saved, &ops, false);
    host_finish(&host);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(say_nothing, NULL, NULL);
    g_test_add_func("/xhci/capabilities", test_capabilities);
    g_test_add_func("/xhci/ports", test_ports);
    g_test_add_func("/xhci/several-resets", test_several_resets);
    g_test_add_func("/xhci/control", test_control);
    g_test_add_func("/xhci/bulk", test_bulk);
    g_test_add_func("/xhci/several-in-flight", test_several_in_flight);
    g_test_add_func("/xhci/halt-and-go-on", test_halt_and_go_on);
    g_test_add_func("/xhci/stop-endpoint", test_stop_endpoint);
    g_test_add_func("/xhci/stopped-and-failed", test_stopped_and_failed);
    g_test_add_func("/xhci/unplugged-in-flight", test_unplugged_in_flight);
    g_test_add_func("/xhci/reconfigured-in-flight", test_reconfigured_in_flight);
    g_test_add_func("/xhci/reset-by-another", test_reset_by_another);
    g_test_add_func("/xhci/streams", test_streams);
    g_test_add_func("/xhci/suspend", test_suspend);
    g_test_add_func("/xhci/served-by-who-rings", test_served_by_who_rings);
    g_test_add_func("/xhci/pause", test_pause);
    g_test_add_func("/xhci/save", test_save);
    g_test_add_func("/xhci/save-without-state", test_save_without_state);
    return g_test_run();
}
