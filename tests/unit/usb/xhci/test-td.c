/* SPDX-License-Identifier: Apache-2.0 */
/* Rings read block by block; transfer descriptors put together, and told of in events. Contexts there and back. */
#include "host.h"

#include <string.h>

static GuestMemory *memory;

static void
put(uint64_t at, uint64_t parameter, uint32_t status, uint32_t control)
{
    guest_memory_write(memory, at, &parameter, 8);
    guest_memory_write(memory, at + 8, &status, 4);
    guest_memory_write(memory, at + 12, &control, 4);
}

#define NORMAL HOST_TYPE(TRB_NORMAL)
#define LINK HOST_TYPE(TRB_LINK)
#define RING 0x1000
#define C TRB_CYCLE

/* --- rings ------------------------------------------------------------------------------------------------------ */

static void
test_ring(void)
{
    XhciRing ring = xhci_ring_at(RING | 1);
    XhciTrb trb;

    put(RING, 0x1234, 5, NORMAL | C);
    put(RING + 16, 0x8000, 0, LINK | TRB_TOGGLE | C);
    put(0x8000, 7, 0, NORMAL);
    put(0x8010, 8, 0, NORMAL | C);
    g_assert_cmpint(xhci_ring_next(memory, &ring, &trb), ==, XHCI_RING_TRB);
    g_assert_true(trb.parameter == 0x1234 && trb.status == 5 && trb.address == RING);
    g_assert_cmpint(xhci_ring_next(memory, &ring, &trb), ==, XHCI_RING_TRB);
    g_assert_true(trb.address == 0x8000 && !ring.cycle);
    g_assert_cmpint(xhci_ring_next(memory, &ring, &trb), ==, XHCI_RING_EMPTY);
    g_assert_cmpuint(xhci_ring_pointer(&ring), ==, 0x8010);
}

static void
test_links_without_end(void)
{
    XhciRing itself = xhci_ring_at(RING | 1), pair = xhci_ring_at(RING + 0x20);
    XhciTrb trb;

    put(RING, RING, 0, LINK | C); /* no toggle: valid for ever */
    g_assert_cmpint(xhci_ring_next(memory, &itself, &trb), ==, XHCI_RING_BROKEN);
    put(RING + 0x20, RING + 0x30, 0, LINK);
    put(RING + 0x30, RING + 0x20, 0, LINK);
    g_assert_cmpint(xhci_ring_next(memory, &pair, &trb), ==, XHCI_RING_BROKEN);
    put(RING, RING, 0, LINK | TRB_TOGGLE | C);
    itself = xhci_ring_at(RING | 1);
    g_assert_cmpint(xhci_ring_next(memory, &itself, &trb), ==, XHCI_RING_EMPTY);
}

static void
test_out_of_memory(void)
{
    XhciRing ring = xhci_ring_at(HOST_MEMORY), end = xhci_ring_at(~0xfull);
    XhciTrb trb;

    g_assert_cmpint(xhci_ring_next(memory, &ring, &trb), ==, XHCI_RING_BROKEN);
    g_assert_cmpint(xhci_ring_next(memory, &end, &trb), ==, XHCI_RING_BROKEN);
    put(RING, 1ull << 60, 0, LINK | C);
    ring = xhci_ring_at(RING | 1);
    g_assert_cmpint(xhci_ring_next(memory, &ring, &trb), ==, XHCI_RING_BROKEN);
}

/* --- descriptors ------------------------------------------------------------------------------------------------- */

static XhciTdResult
read_at(uint64_t at, UsbTransferType type, bool in, uint32_t skip, XhciTd **td)
{
    XhciRing ring = xhci_ring_at(at | 1);
    uint64_t where;

    return xhci_td_read(memory, &ring, type, in, skip, td, &where);
}

static GString *told;

static void
note(void *user, const XhciTdEvent *event)
{
    g_string_append_printf(told, "%s%x:%u:%u ", event->event_data ? "d" : "", (unsigned)event->parameter, event->length,
                           event->code);
}

#define assert_told(text)                     \
    do {                                      \
        g_assert_cmpstr(told->str, ==, text); \
        g_string_truncate(told, 0);           \
    } while (0)

static void
test_bulk(void)
{
    XhciTd *td;

    put(RING, 0x20000, 0x1000, NORMAL | TRB_CHAIN | C);
    put(RING + 16, 0x21000, 0x1000, NORMAL | TRB_CHAIN | TRB_ISP | C);
    put(RING + 32, 0x30000, 0x800, NORMAL | TRB_IOC);
    g_assert_cmpint(read_at(RING, USB_BULK, true, 0, &td), ==, XHCI_TD_EMPTY);
    put(RING + 32, 0x30000, 0x800, NORMAL | TRB_IOC | C);
    g_assert_cmpint(read_at(RING, USB_BULK, true, 0, &td), ==, XHCI_TD_READY);
    g_assert_cmpuint(td->length, ==, 0x2800);
    g_assert_cmpuint(td->transfer.n_iov, ==, 2); /* neighbours are one */
    g_assert_cmpuint(td->transfer.iov[0].iov_len, ==, 0x2000);

    xhci_td_report(td, 0x2800, CC_SUCCESS, note, NULL);
    assert_told("1020:0:1 ");
    xhci_td_report(td, 0x1800, CC_SUCCESS, note, NULL); /* short in the second: told there, and at the end (4.10.1.1) */
    assert_told("1010:2048:13 1020:2048:13 ");
    xhci_td_report(td, 0x800, CC_SUCCESS, note, NULL); /* short in the first, which does not ask */
    assert_told("1020:2048:13 ");
    xhci_td_report(td, 0x1000, CC_STALL, note, NULL);
    assert_told("1010:4096:6 ");
    xhci_td_report(td, 0x2800, CC_BABBLE, note, NULL);
    assert_told("1020:0:3 ");
    xhci_td_report_stopped(td, 0x1001, note, NULL);
    assert_told("1010:4095:26 ");
    xhci_td_free(td);

    g_assert_cmpint(read_at(RING, USB_BULK, true, 0x2100, &td), ==, XHCI_TD_READY);
    g_assert_cmpuint(td->transfer.length, ==, 0x700);
    g_assert_true(td->transfer.n_iov == 1 && td->transfer.iov[0].iov_base == guest_memory_at(memory, 0x30100, 1));
    xhci_td_free(td);
    g_assert_cmpint(read_at(RING, USB_BULK, true, 0x9999, &td), ==, XHCI_TD_READY);
    g_assert_cmpuint(td->transfer.length, ==, 0);
    xhci_td_free(td);
}

static void
test_event_data(void)
{
    XhciTd *td;

    put(RING, 0x20000, 0x100, NORMAL | TRB_CHAIN | C);
    put(RING + 16, 0xabc, 0, HOST_TYPE(TRB_EVENT_DATA_BLOCK) | TRB_CHAIN | TRB_IOC | C);
    put(RING + 32, 0x21000, 0x100, NORMAL | TRB_CHAIN | C);
    put(RING + 48, 0xdef, 0, HOST_TYPE(TRB_EVENT_DATA_BLOCK) | TRB_IOC | C);
    g_assert_cmpint(read_at(RING, USB_BULK, false, 0, &td), ==, XHCI_TD_READY);
    xhci_td_report(td, 0x180, CC_SUCCESS, note, NULL);
    assert_told("dabc:256:1 ddef:128:13 "); /* counts since the last */
    xhci_td_free(td);
}

#define SETUP(type, request, value, index, length)                                                     \
    ((uint64_t)(type) | (uint64_t)(request) << 8 | (uint64_t)(value) << 16 | (uint64_t)(index) << 32 | \
     (uint64_t)(length) << 48)

static void
test_control(void)
{
    XhciTd *td;

    put(RING, SETUP(0x80, 6, 0x100, 0, 18), 8, HOST_TYPE(TRB_SETUP_STAGE) | TRB_IMMEDIATE | C);
    put(RING + 16, 0x20000, 64, HOST_TYPE(TRB_DATA_STAGE) | TRB_DIR_IN | TRB_ISP | C);
    put(RING + 32, 0, 0, HOST_TYPE(TRB_STATUS_STAGE) | TRB_IOC);
    g_assert_cmpint(read_at(RING, USB_CONTROL, false, 0, &td), ==, XHCI_TD_EMPTY);
    put(RING + 32, 0, 0, HOST_TYPE(TRB_STATUS_STAGE) | TRB_IOC | C);
    g_assert_cmpint(read_at(RING, USB_CONTROL, false, 0, &td), ==, XHCI_TD_READY);
    g_assert_true(td->transfer.setup.request == 6 && td->transfer.setup.value == 0x100);
    g_assert_true(usb_transfer_is_in(&td->transfer));
    g_assert_cmpuint(td->transfer.length, ==, 18); /* no more than was asked for */
    xhci_td_report(td, 18, CC_SUCCESS, note, NULL);
    assert_told("1010:46:13 1020:0:1 ");
    xhci_td_report(td, 0, CC_STALL, note, NULL);
    assert_told("1010:64:6 ");
    xhci_td_free(td);

    /* without data, with event data in the status stage */
    put(RING + 16, 0, 0, HOST_TYPE(TRB_STATUS_STAGE) | TRB_CHAIN | TRB_DIR_IN | C);
    put(RING + 32, 0x77, 0, HOST_TYPE(TRB_EVENT_DATA_BLOCK) | TRB_IOC | C);
    g_assert_cmpint(read_at(RING, USB_CONTROL, false, 0, &td), ==, XHCI_TD_READY);
    xhci_td_report(td, 0, CC_SUCCESS, note, NULL);
    assert_told("d77:0:1 ");
    xhci_td_report(td, 0, CC_STALL, note, NULL);
    assert_told("1010:0:6 ");
    xhci_td_free(td);
}

static void
test_broken_control(void)
{
    const uint32_t setup = HOST_TYPE(TRB_SETUP_STAGE) | TRB_IMMEDIATE | C;
    const uint64_t get = SETUP(0x80, 6, 0, 0, 8);
    const struct {
        uint64_t parameter;
        uint32_t status, control;
    } firsts[] = {
        {get, 8, setup & ~TRB_IMMEDIATE},        {get, 7, setup}, {get, 8, setup | TRB_CHAIN}, {0, 0, NORMAL | C},
        {0, 0, HOST_TYPE(TRB_STATUS_STAGE) | C},
    };
    const uint32_t seconds[] = {
        HOST_TYPE(TRB_DATA_STAGE) | C, /* the other direction */
        NORMAL | C,
        HOST_TYPE(TRB_SETUP_STAGE) | TRB_IMMEDIATE | C,
        HOST_TYPE(TRB_ISOCH) | C,
        HOST_TYPE(33) | C,
    };
    XhciTd *td;

    for (size_t i = 0; i < G_N_ELEMENTS(firsts); i++) {
        put(RING, firsts[i].parameter, firsts[i].status, firsts[i].control);
        g_assert_cmpint(read_at(RING, USB_CONTROL, false, 0, &td), ==, XHCI_TD_BROKEN);
    }
    put(RING, get, 8, setup);
    for (size_t i = 0; i < G_N_ELEMENTS(seconds); i++) {
        put(RING + 16, 0x20000, 8, seconds[i]);
        g_assert_cmpint(read_at(RING, USB_CONTROL, false, 0, &td), ==, XHCI_TD_BROKEN);
    }
    put(RING + 16, 0x20000, 8, HOST_TYPE(TRB_DATA_STAGE) | TRB_DIR_IN | C);
    put(RING + 32, 0x20000, 8, NORMAL | C); /* data again where the status belongs */
    g_assert_cmpint(read_at(RING, USB_CONTROL, false, 0, &td), ==, XHCI_TD_BROKEN);
}

static void
test_broken_data(void)
{
    XhciTd *td;

    put(RING, HOST_MEMORY - 8, 9, NORMAL | C); /* one byte beyond */
    g_assert_cmpint(read_at(RING, USB_BULK, true, 0, &td), ==, XHCI_TD_BROKEN);
    put(RING, UINT64_MAX - 3, 8, NORMAL | C); /* it wraps */
    g_assert_cmpint(read_at(RING, USB_BULK, false, 0, &td), ==, XHCI_TD_BROKEN);
    put(RING, 0, 9, NORMAL | TRB_IMMEDIATE | C);
    g_assert_cmpint(read_at(RING, USB_BULK, false, 0, &td), ==, XHCI_TD_BROKEN);
    put(RING, 0, 4, NORMAL | TRB_IMMEDIATE | C); /* the block is the guest's, not the device's to write */
    g_assert_cmpint(read_at(RING, USB_BULK, true, 0, &td), ==, XHCI_TD_BROKEN);
    put(RING, 0, 4, HOST_TYPE(TRB_ISOCH) | C);
    g_assert_cmpint(read_at(RING, USB_BULK, true, 0, &td), ==, XHCI_TD_BROKEN);
    put(RING, 0, 4, NORMAL | C);
    g_assert_cmpint(read_at(RING, USB_ISOCHRONOUS, true, 0, &td), ==, XHCI_TD_BROKEN);
}

static void
test_immediate_data(void)
{
    XhciTd *td;
    char text[4];

    put(RING, 0x64636261, 4, NORMAL | TRB_IMMEDIATE | C);
    g_assert_cmpint(read_at(RING, USB_INTERRUPT, false, 0, &td), ==, XHCI_TD_READY);
    g_assert_cmpuint(usb_transfer_read(&td->transfer, text, 4), ==, 4);
    g_assert_cmpmem(text, 4, "abcd", 4);
    xhci_td_free(td);
}

/* Blocks that are chained for ever, in a ring that is valid for ever; and more bytes than anybody would move. */
static void
test_too_long(void)
{
    XhciTd *td;

    for (unsigned i = 0; i < 15; i++)
        put(RING + i * 16, 0x20000, 1, NORMAL | TRB_CHAIN | C);
    put(RING + 15 * 16, RING, 0, LINK | C);
    g_assert_cmpint(read_at(RING, USB_BULK, true, 0, &td), ==, XHCI_TD_BROKEN);

    uint64_t at = 0x40000;
    for (unsigned i = 0; i < 300; i++)
        put(at + i * 16, 0x100000, 0x10000, NORMAL | TRB_CHAIN | C);
    put(at + 300 * 16, 0x100000, 0x10000, NORMAL | C);
    g_assert_cmpint(read_at(at, USB_BULK, true, 0, &td), ==, XHCI_TD_BROKEN);
}

static void
test_no_op(void)
{
    XhciTd *td;

    put(RING, 0, 0, HOST_TYPE(TRB_NO_OP) | TRB_IOC | C);
    g_assert_cmpint(read_at(RING, USB_BULK, true, 0, &td), ==, XHCI_TD_READY);
    g_assert_true(xhci_td_is_no_op(td));
    xhci_td_report(td, 0, CC_SUCCESS, note, NULL);
    assert_told("1000:0:1 ");
    xhci_td_free(td);
    g_assert_cmpint(read_at(RING, USB_CONTROL, true, 0, &td), ==, XHCI_TD_READY);
    g_assert_true(xhci_td_is_no_op(td));
    xhci_td_free(td);
}

/* --- contexts ---------------------------------------------------------------------------------------------------- */

static void
test_contexts(void)
{
    uint32_t words[CONTEXT_WORDS], again[CONTEXT_WORDS];
    const XhciSlotContext slot = {.route = 0xabcde,
                                  .speed = 3,
                                  .mtt = true,
                                  .hub = true,
                                  .entries = 31,
                                  .exit_latency = 0x1234,
                                  .root_port = 17,
                                  .n_ports = 4,
                                  .tt_slot = 9,
                                  .tt_port = 2,
                                  .tt_think = 3,
                                  .interrupter = 0x3ff,
                                  .address = 77,
                                  .state = 3};
    const XhciEndpointContext endpoint = {.state = 4,
                                          .mult = 2,
                                          .max_streams = 3,
                                          .linear = true,
                                          .interval = 15,
                                          .errors = 3,
                                          .type = 7,
                                          .initiate_disable = true,
                                          .max_burst = 15,
                                          .packet_size = 1024,
                                          .dequeue = 0x123456789abcdef1,
                                          .average = 0xffff,
                                          .payload = 0xabcdef};
    XhciSlotContext slot_again;
    XhciEndpointContext endpoint_again;

    xhci_slot_context_write(&slot, words);
    g_assert_cmphex(words[0], ==, 0xabcde | 3u << 20 | 1u << 25 | 1u << 26 | 31u << 27);
    xhci_slot_context_read(&slot_again, words);
    xhci_slot_context_write(&slot_again, again);
    g_assert_cmpmem(words, sizeof(words), again, sizeof(again));

    xhci_endpoint_context_write(&endpoint, words);
    g_assert_cmphex(words[1], ==, 3u << 1 | 7u << 3 | 1u << 7 | 15u << 8 | 1024u << 16);
    xhci_endpoint_context_read(&endpoint_again, words);
    xhci_endpoint_context_write(&endpoint_again, again);
    g_assert_cmpmem(words, sizeof(words), again, sizeof(again));
}

static void
test_valid_endpoints(void)
{
    XhciEndpointContext bulk = {.type = EP_TYPE_BULK_IN, .packet_size = 512, .dequeue = 0x1001};
    XhciEndpointContext wrong;

    g_assert_true(xhci_endpoint_context_valid(&bulk, 3, USB_HIGH));
    g_assert_false(xhci_endpoint_context_valid(&bulk, 2, USB_HIGH)); /* an OUT place */
    g_assert_false(xhci_endpoint_context_valid(&bulk, 1, USB_HIGH));
    wrong = bulk, wrong.packet_size = 0;
    g_assert_false(xhci_endpoint_context_valid(&wrong, 3, USB_HIGH));
    wrong = bulk, wrong.type = EP_TYPE_NONE;
    g_assert_false(xhci_endpoint_context_valid(&wrong, 3, USB_HIGH));
    wrong = bulk, wrong.interval = 16;
    g_assert_false(xhci_endpoint_context_valid(&wrong, 3, USB_HIGH));
    wrong = bulk, wrong.dequeue = 1;
    g_assert_false(xhci_endpoint_context_valid(&wrong, 3, USB_HIGH));
    wrong = bulk, wrong.max_streams = 3, wrong.linear = true;
    g_assert_true(xhci_endpoint_context_valid(&wrong, 3, USB_SUPER));
    g_assert_false(xhci_endpoint_context_valid(&wrong, 3, USB_HIGH));
    wrong.max_streams = 4;
    g_assert_false(xhci_endpoint_context_valid(&wrong, 3, USB_SUPER));
    wrong.max_streams = 31;
    g_assert_false(xhci_endpoint_context_valid(&wrong, 3, USB_SUPER));
}

int
main(int argc, char **argv)
{
    const GuestMemoryOptions options = {.size = HOST_MEMORY};
    g_autoptr(GError) error = NULL;

    g_test_init(&argc, &argv, NULL);
    memory = guest_memory_new(&options, &error);
    g_assert_no_error(error);
    told = g_string_new(NULL);
    g_test_add_func("/ring/blocks-and-links", test_ring);
    g_test_add_func("/ring/links-without-end", test_links_without_end);
    g_test_add_func("/ring/out-of-memory", test_out_of_memory);
    g_test_add_func("/td/bulk", test_bulk);
    g_test_add_func("/td/event-data", test_event_data);
    g_test_add_func("/td/control", test_control);
    g_test_add_func("/td/broken-control", test_broken_control);
    g_test_add_func("/td/broken-data", test_broken_data);
    g_test_add_func("/td/immediate-data", test_immediate_data);
    g_test_add_func("/td/too-long", test_too_long);
    g_test_add_func("/td/no-op", test_no_op);
    g_test_add_func("/context/there-and-back", test_contexts);
    g_test_add_func("/context/valid-endpoints", test_valid_endpoints);
    int status = g_test_run();
    guest_memory_free(memory);
    g_string_free(told, TRUE);
    return status;
}
