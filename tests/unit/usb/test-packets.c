/* SPDX-License-Identifier: Apache-2.0 */
/* The buffer of packets that came unasked: order, room, a buffer's worth first, and again after it ran dry. */
#include "usb/packets.h"

#include <string.h>

static unsigned n_done, n_freed;

static void
on_done(UsbTransfer *transfer)
{
    n_done++;
}

static void
free_data(void *owner, const UsbPacket *packet)
{
    n_freed++;
    g_free(packet->data);
}

static void
push(UsbPackets *packets, UsbStatus status, const char *text, unsigned most)
{
    const UsbPacket packet = {status, (uint32_t)strlen(text), (uint8_t *)g_strdup(text)};

    usb_packets_push(packets, &packet, most);
}

/* One transfer of @len bytes; returns what came, or NULL where it is not answered. */
static const char *
ask(UsbPackets *packets, bool isochronous, uint32_t len, UsbStatus status)
{
    static char bytes[16];
    struct iovec iov = {bytes, len};
    UsbTransfer transfer = {.endpoint = 0x81, .iov = &iov, .n_iov = 1, .length = len, .done = on_done};
    unsigned before = n_done;

    memset(bytes, 0, sizeof(bytes));
    if (isochronous)
        usb_packets_answer_isochronous(packets, &transfer);
    else if (!usb_packets_answer(packets, &transfer))
        return NULL;
    g_assert_cmpuint(n_done, ==, before + 1);
    g_assert_cmpint(transfer.status, ==, status);
    g_assert_cmpuint(transfer.actual, ==, strlen(bytes));
    return bytes;
}

static void
test_order(void)
{
    UsbPackets packets = {.free_data = free_data};

    g_assert_null(ask(&packets, false, 8, USB_OK));
    push(&packets, USB_OK, "first", 2);
    push(&packets, USB_STALL, "", 2);
    g_assert_cmpstr(ask(&packets, false, 8, USB_OK), ==, "first");
    g_assert_cmpstr(ask(&packets, false, 8, USB_STALL), ==, "");
    push(&packets, USB_OK, "one", 2);
    push(&packets, USB_OK, "two", 2);
    push(&packets, USB_OK, "three", 2); /* the oldest makes room */
    g_assert_cmpstr(ask(&packets, false, 8, USB_OK), ==, "two");
    g_assert_cmpstr(ask(&packets, false, 3, USB_BABBLE), ==, "thr");
    g_assert_null(ask(&packets, false, 8, USB_OK));
    packets.failed = USB_FAULT;
    push(&packets, USB_OK, "x", 2);
    usb_packets_clear(&packets);
    g_assert_cmpint(usb_packets_take_failure(&packets), ==, USB_OK);
    g_assert_null(ask(&packets, false, 8, USB_OK));
    g_assert_cmpuint(n_freed, ==, 6);
}

static void
test_isochronous(void)
{
    UsbPackets packets = {.free_data = free_data, .target = 2, .filling = true};

    g_assert_cmpstr(ask(&packets, true, 8, USB_OK), ==, "");
    push(&packets, USB_OK, "a", 9);
    g_assert_cmpstr(ask(&packets, true, 8, USB_OK), ==, ""); /* not a buffer's worth */
    push(&packets, USB_OK, "b", 9);
    g_assert_cmpstr(ask(&packets, true, 8, USB_OK), ==, "a");
    g_assert_cmpstr(ask(&packets, true, 8, USB_OK), ==, "b");
    g_assert_cmpstr(ask(&packets, true, 8, USB_OK), ==, ""); /* ran dry */
    push(&packets, USB_OK, "c", 9);
    g_assert_cmpstr(ask(&packets, true, 8, USB_OK), ==, "");
    packets.failed = USB_FAULT;
    g_assert_cmpstr(ask(&packets, true, 8, USB_FAULT), ==, ""); /* once */
    push(&packets, USB_OK, "d", 9);
    g_assert_cmpstr(ask(&packets, true, 8, USB_OK), ==, "c");
    usb_packets_clear(&packets);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/packets/order", test_order);
    g_test_add_func("/packets/isochronous", test_isochronous);
    return g_test_run();
}
