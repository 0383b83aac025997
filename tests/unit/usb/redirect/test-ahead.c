/* SPDX-License-Identifier: Apache-2.0 */
/* A disk's data and status are asked for with its command: what the driver gets is what it would have got without. */
#include "client.h"

#include <string.h>

#define assert_heard(client, text)                      \
    do {                                                \
        g_autofree char *heard_ = client_heard(client); \
        g_assert_cmpstr(heard_, ==, text);              \
    } while (0)
#define assert_moved(move, wanted_status, wanted_actual)              \
    do {                                                              \
        g_assert_true((move)->done);                                  \
        g_assert_cmpint((move)->transfer.status, ==, wanted_status);  \
        g_assert_cmpuint((move)->transfer.actual, ==, wanted_actual); \
    } while (0)

enum { DATA = 1024, STATUS = 13 };

/* The ids of a first command's three requests. */
enum { COMMAND_ID = 1, DATA_ID, STATUS_ID };

static void
answer(Client *client, uint64_t id, uint8_t status, uint8_t value, uint32_t len)
{
    struct usb_redir_bulk_packet_header header = {.endpoint = 0x81, .status = status, .length = (uint16_t)len};
    g_autofree uint8_t *data = g_malloc(len + 1);

    memset(data, value, len);
    usbredirparser_send_bulk_packet(client->parser, id, &header, len ? data : NULL, (int)len);
    client_pump(client);
}

/* A device, and a command on its way that brings DATA. */
static UsbDevice *
begin(Client *client)
{
    UsbDevice *device = client_connect(client);
    g_autoptr(Move) command = move_new_command(device, DATA);
    struct usb_redir_bulk_packet_header header = {.endpoint = 0x02, .length = 31};

    assert_heard(client, "bulk 02 31 bulk 81 1024 bulk 81 13");
    usbredirparser_send_bulk_packet(client->parser, COMMAND_ID, &header, NULL, 0);
    client_pump(client);
    assert_moved(command, USB_OK, 31);
    return device;
}

static void
test_answers_first(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = begin(client);

    answer(client, DATA_ID, usb_redir_success, 5, DATA);
    answer(client, STATUS_ID, usb_redir_success, 6, STATUS);
    g_autoptr(Move) data = move_new(device, USB_BULK, 0x81, DATA);
    assert_moved(data, USB_OK, (uint32_t)DATA);
    g_assert_cmpuint(data->bytes[DATA - 1], ==, 5);
    g_autoptr(Move) status = move_new(device, USB_BULK, 0x81, STATUS);
    assert_moved(status, USB_OK, (uint32_t)STATUS);
    g_assert_cmpuint(status->bytes[0], ==, 6);
    assert_heard(client, "");

    /* it is over: more is asked for when the driver asks */
    g_autoptr(Move) more = move_new(device, USB_BULK, 0x81, 64);
    assert_heard(client, "bulk 81 64");
    answer(client, client->last_id, usb_redir_success, 7, 64);
    assert_moved(more, USB_OK, 64);
}

static void
test_driver_first(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = begin(client);
    g_autoptr(Move) data = move_new(device, USB_BULK, 0x81, DATA);
    g_autoptr(Move) status = move_new(device, USB_BULK, 0x81, STATUS);

    assert_heard(client, "");
    answer(client, STATUS_ID, usb_redir_success, 6, STATUS); /* in any order */
    g_assert_false(data->done);
    g_assert_false(status->done);
    answer(client, DATA_ID, usb_redir_success, 5, 100); /* less than was asked for */
    assert_moved(data, USB_OK, 100);
    assert_moved(status, USB_OK, (uint32_t)STATUS);
}

/* A driver that takes the data in pieces. What a device sends short ends with an empty packet where a piece ended just there. */
static void
test_in_pieces(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = begin(client);

    answer(client, DATA_ID, usb_redir_success, 5, 512);
    answer(client, STATUS_ID, usb_redir_success, 6, STATUS);
    g_autoptr(Move) whole = move_new(device, USB_BULK, 0x81, 512);
    assert_moved(whole, USB_OK, 512);
    g_autoptr(Move) rest = move_new(device, USB_BULK, 0x81, 512);
    assert_moved(rest, USB_OK, 0);
    g_autoptr(Move) status = move_new(device, USB_BULK, 0x81, STATUS);
    assert_moved(status, USB_OK, (uint32_t)STATUS);
}

/* A device that has no such data stalls; its driver clears the endpoint, and asks for the status itself. */
static void
test_stall(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = begin(client);
    struct usb_redir_control_packet_header cleared = {0};

    answer(client, DATA_ID, usb_redir_stall, 0, 0);
    g_autoptr(Move) data = move_new(device, USB_BULK, 0x81, DATA);
    assert_moved(data, USB_STALL, 0);
    g_autoptr(Move) clear = move_new_control(device, 0x02, USB_REQ_CLEAR_FEATURE, 0, 0x81, 0);
    assert_heard(client, "cancel 3 control 02 01 0000 0081 0");
    usbredirparser_send_control_packet(client->parser, client->last_id, &cleared, NULL, 0);
    client_pump(client);
    answer(client, STATUS_ID, usb_redir_cancelled, 0, 0);
    g_autoptr(Move) status = move_new(device, USB_BULK, 0x81, STATUS);
    assert_heard(client, "bulk 81 13");
    answer(client, client->last_id, usb_redir_success, 6, STATUS);
    assert_moved(status, USB_OK, (uint32_t)STATUS);
}

/* The same of a client whose device has the status ready all the same: it is not lost. */
static void
test_stall_with_status(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = begin(client);

    answer(client, DATA_ID, usb_redir_stall, 0, 0);
    answer(client, STATUS_ID, usb_redir_success, 6, STATUS);
    g_autoptr(Move) data = move_new(device, USB_BULK, 0x81, DATA);
    assert_moved(data, USB_STALL, 0);
    g_autoptr(Move) clear = move_new_control(device, 0x02, USB_REQ_CLEAR_FEATURE, 0, 0x81, 0);
    assert_heard(client, "control 02 01 0000 0081 0");
    g_autoptr(Move) status = move_new(device, USB_BULK, 0x81, STATUS);
    assert_moved(status, USB_OK, (uint32_t)STATUS);
    redirect_peer_free(g_steal_pointer(&client->peer), "its client went away");
}

/* A status that failed was not asked for by the driver: one who waits for it asks now. */
static void
test_status_fails(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = begin(client);
    g_autoptr(Move) data = move_new(device, USB_BULK, 0x81, DATA);
    g_autoptr(Move) status = move_new(device, USB_BULK, 0x81, STATUS);

    answer(client, DATA_ID, usb_redir_success, 5, DATA);
    answer(client, STATUS_ID, usb_redir_ioerror, 0, 0);
    assert_heard(client, "bulk 81 13");
    answer(client, client->last_id, usb_redir_ioerror, 0, 0);
    assert_moved(status, USB_FAULT, 0);
    assert_moved(data, USB_OK, (uint32_t)DATA);
}

static void
test_babble(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = begin(client);

    answer(client, DATA_ID, usb_redir_success, 5, DATA + 1);
    g_autoptr(Move) data = move_new(device, USB_BULK, 0x81, DATA);
    assert_moved(data, USB_BABBLE, (uint32_t)DATA);
}

/* A driver that is stopped in between loses nothing. */
static void
test_cancelled(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = begin(client);
    g_autoptr(Move) stopped = move_new(device, USB_BULK, 0x81, DATA);

    device->ops->cancel(device, &stopped->transfer);
    assert_moved(stopped, USB_CANCELLED, 0);
    answer(client, DATA_ID, usb_redir_success, 5, DATA);
    g_autoptr(Move) data = move_new(device, USB_BULK, 0x81, DATA);
    assert_moved(data, USB_OK, (uint32_t)DATA);
    assert_heard(client, "");
}

/* Reset, or another command: all that was asked for is over, and its late answers are nobody's. */
static void
test_taken_back(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = begin(client);

    g_autoptr(Move) next = move_new_command(device, 512);
    assert_heard(client, "cancel 2 cancel 3 bulk 02 31 bulk 81 512 bulk 81 13");
    answer(client, DATA_ID, usb_redir_success, 5, DATA);
    answer(client, STATUS_ID, usb_redir_cancelled, 0, 0);
    g_autoptr(Move) data = move_new(device, USB_BULK, 0x81, 512);
    g_assert_false(data->done);
    answer(client, 5, usb_redir_success, 9, 512);
    assert_moved(data, USB_OK, 512);
    g_assert_cmpuint(data->bytes[0], ==, 9);

    g_autoptr(Move) storage_reset = move_new_control(device, 0x21, 0xff, 0, 0, 0);
    assert_heard(client, "cancel 6 control 21 ff 0000 0000 0");
    g_autoptr(Move) another = move_new_command(device, 512);
    assert_heard(client, "bulk 02 31 bulk 81 512 bulk 81 13");
    device->resetting = true;
    device->ops->reset(device);
    assert_heard(client, "cancel 9 cancel 10 reset");
    redirect_peer_free(g_steal_pointer(&client->peer), "its client went away");
}

/* Nobody else's OUT transfers mean anything: a write, a command without data, what only looks like one. */
static void
test_others(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    uint8_t write[31] = {'U', 'S', 'B', 'C', [8] = 0, [9] = 2};

    g_autoptr(Move) out = move_new_out(device, 0x02, write, sizeof write);
    g_autoptr(Move) nothing = move_new_command(device, 0);
    g_autoptr(Move) huge = move_new_command(device, UINT32_MAX);
    g_autoptr(Move) other = move_new(device, USB_BULK, 0x02, 31);
    assert_heard(client, "bulk 02 31 bulk 02 31 bulk 02 31 bulk 02 31");
    redirect_peer_free(g_steal_pointer(&client->peer), "its client went away");

    g_autoptr(Client) printer = client_new(4, USB_POLICY_ALL);
    client_offer(printer, usb_redir_speed_high, 7);
    g_autoptr(Move) print = move_new_command(usb_bus_find(printer->bus, "client0"), 512);
    assert_heard(printer, "bulk 02 31");
    redirect_peer_free(g_steal_pointer(&printer->peer), "its client went away");
}

/* spice-gtk's emulated CD is not asked for a status before its data are there. */
static void
test_careful(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);

    client_offer_as(client, usb_redir_speed_high, 8, 0x2b23, 0xcdcd);
    UsbDevice *device = usb_bus_find(client->bus, "client0");
    g_autoptr(Move) command = move_new_command(device, DATA);
    assert_heard(client, "bulk 02 31 bulk 81 1024");
    answer(client, DATA_ID, usb_redir_success, 5, DATA);
    assert_heard(client, "bulk 81 13");
    answer(client, client->last_id, usb_redir_success, 6, STATUS);
    g_autoptr(Move) data = move_new(device, USB_BULK, 0x81, DATA);
    g_autoptr(Move) status = move_new(device, USB_BULK, 0x81, STATUS);
    assert_moved(data, USB_OK, (uint32_t)DATA);
    assert_moved(status, USB_OK, (uint32_t)STATUS);
    redirect_peer_free(g_steal_pointer(&client->peer), "its client went away");
}

static void
test_gone(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = begin(client);
    g_autoptr(Move) data = move_new(device, USB_BULK, 0x81, DATA);
    g_autoptr(Move) status = move_new(device, USB_BULK, 0x81, STATUS);

    answer(client, STATUS_ID, usb_redir_success, 6, STATUS);
    usbredirparser_send_device_disconnect(client->parser);
    client_pump(client);
    assert_moved(data, USB_GONE, 0);
    assert_moved(status, USB_GONE, 0);
    assert_heard(client, "ack");
}

/* A client that keeps the commands' answers to itself is given up in the end. */
static void
test_never_answers(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    g_autoptr(GPtrArray) moves = g_ptr_array_new_with_free_func((GDestroyNotify)move_free);

    for (unsigned i = 0; i < REDIRECT_UNANSWERED_MAX && device; i++) {
        g_ptr_array_add(moves, move_new_command(device, 512));
        client_pump(client);
        device = usb_bus_find(client->bus, "client0");
    }
    g_assert_null(device);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/usb/redirect/ahead/answers-first", test_answers_first);
    g_test_add_func("/usb/redirect/ahead/driver-first", test_driver_first);
    g_test_add_func("/usb/redirect/ahead/in-pieces", test_in_pieces);
    g_test_add_func("/usb/redirect/ahead/stall", test_stall);
    g_test_add_func("/usb/redirect/ahead/stall-with-status", test_stall_with_status);
    g_test_add_func("/usb/redirect/ahead/status-fails", test_status_fails);
    g_test_add_func("/usb/redirect/ahead/babble", test_babble);
    g_test_add_func("/usb/redirect/ahead/cancelled", test_cancelled);
    g_test_add_func("/usb/redirect/ahead/taken-back", test_taken_back);
    g_test_add_func("/usb/redirect/ahead/others", test_others);
    g_test_add_func("/usb/redirect/ahead/careful", test_careful);
    g_test_add_func("/usb/redirect/ahead/gone", test_gone);
    g_test_add_func("/usb/redirect/ahead/never-answers", test_never_answers);
    return g_test_run();
}
