/* SPDX-License-Identifier: Apache-2.0 */
/* Isochronous endpoints, served by a clock that the test moves. */
#include "fake.h"

#include <string.h>

static GLogWriterOutput
say_nothing(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
    return G_LOG_WRITER_HANDLED;
}

static void
test_isochronous(void)
{
    Host host;
    XhciTrb event;

    host_init(&host, 4);
    host_start(&host);
    Fake *fake = fake_plug(&host, USB_HIGH);
    host_reset_port(&host, 1);
    unsigned slot = host_address(&host, 1, 0);
    uint64_t data = host_alloc(&host, 0x1000), blocks[4];
    g_assert_cmpuint(host_configure(&host, slot, 3, EP_TYPE_ISOCH_IN, 1024, 3), ==, CC_SUCCESS); /* 1 ms */
    for (unsigned i = 0; i < 4; i++)
        blocks[i] = host_ring_add(&host, &host.rings[3], data, 192, HOST_TYPE(TRB_ISOCH) | TRB_IOC | TRB_SIA);
    host_doorbell(&host, slot, 3);
    g_assert_cmpuint(fake->submits, ==, 0); /* not before its time */
    clock_advance(host.clock, 1000000);
    assert_transfer_event(&host, blocks[0], CC_SUCCESS, 0);
    assert_no_event(&host);
    fake->status = USB_FAULT; /* an error is told, and the next interval comes all the same */
    clock_advance(host.clock, 1000000);
    assert_transfer_event(&host, blocks[1], CC_TRANSACTION_ERROR, 0);
    fake->status = USB_OK;
    fake->moves = 100;
    clock_advance(host.clock, 5000000);
    assert_transfer_event(&host, blocks[2], CC_SHORT_PACKET, 92);
    assert_transfer_event(&host, blocks[3], CC_SHORT_PACKET, 92);
    g_assert_true(host_event(&host, &event) && event_code(&event) == CC_RING_OVERRUN);
    g_assert_cmpuint(fake->submits, ==, 4);
    clock_advance(host.clock, CLOCK_SECOND); /* nothing ticks any more */
    assert_no_event(&host);

    /* at a frame of its own */
    uint32_t frame = ((clock_now(host.clock) / 1000000) + 20) & 0x7ff;
    uint64_t block = host_ring_add(&host, &host.rings[3], data, 64, HOST_TYPE(TRB_ISOCH) | TRB_IOC | frame << 20);
    host_doorbell(&host, slot, 3);
    clock_advance(host.clock, 18 * 1000000);
    assert_no_event(&host);
    clock_advance(host.clock, 3 * 1000000);
    assert_transfer_event(&host, block, CC_SUCCESS, 0);

    /* a ring without end whose frames are all in the past, told to nobody: the thread has its time for others */
    HostRing loop = host_ring_new(&host, 2);
    frame = (clock_now(host.clock) / 1000000 - 100) & 0x7ff;
    host_ring_add(&host, &loop, data, 64 | 1 << 22, HOST_TYPE(TRB_ISOCH) | frame << 20);
    *(uint32_t *)host_at(&host, loop.base + TRB_SIZE + 12) = HOST_TYPE(TRB_LINK) | TRB_CYCLE;
    g_assert_cmpuint(host_command(&host, 0, 0, STOP(slot, 3u), NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(host_command(&host, loop.base | 1, 0, SET_DEQUEUE(slot, 3u), NULL), ==, CC_SUCCESS);
    host_doorbell(&host, slot, 3);
    clock_advance(host.clock, 10 * 1000000);
    assert_no_event(&host);
    host_finish(&host);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(say_nothing, NULL, NULL);
    g_test_add_func("/xhci/isochronous", test_isochronous);
    return g_test_run();
}
