/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of the host from the descriptor's arrival to giving it back: their own threads, a libusb that a test plays. */
#include "fake_libusb.h"

#include "usb/host/message.h"
#include "usb/host/private.h"
#include "vmm/board/loop_thread.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_US (10 * G_USEC_PER_SEC)

typedef struct {
    LoopThread *usb;
    UsbBus *bus;
    UsbPolicy *policy;
    GPtrArray *wishes;
    UsbHost *host;
    int watcher; /* the test's end */
    GMutex lock;
    GString *heard; /* of the bus's listener */
    char *answer;   /* "ok", or an error's words */
    GPtrArray *out; /* of Sent: with the device */
} Fixture;

/* A transfer of the guest's. */
typedef struct {
    UsbTransfer transfer;
    struct iovec iov[2];
    uint8_t data[2][256];
    Fixture *fixture;
    int back; /* atomic */
} Sent;

static void
note_change(void *user, UsbChange change, const UsbDevice *device, const char *reason)
{
    static const char *const words[] = {"attached", "detached", "refused"};
    Fixture *fixture = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fixture->lock);

    g_string_append_printf(fixture->heard, "%s %s “%s”: %s\n", words[change], device->id, device->name, reason);
}

/* --- a controller that asks everything back ----------------------------------------------------------------------- */

static void
plugged(void *controller, UsbDevice *device)
{
}

static void
unplugging(void *controller, UsbDevice *device)
{
    Fixture *fixture = controller;

    for (guint i = fixture->out->len; i > 0; i--) {
        Sent *sent = fixture->out->pdata[i - 1];
        if (!g_atomic_int_get(&sent->back))
            device->ops->cancel(device, &sent->transfer);
    }
}

static void
reset_device(void *controller, UsbDevice *device)
{
}

static unsigned n_resets;

static void
reset_done(void *controller, UsbDevice *device)
{
    g_atomic_int_inc((int *)&n_resets);
}

static void
released(void *controller)
{
}

static const UsbControllerOps controller_ops = {plugged, unplugging, reset_device, reset_done, reset_device, released};

static void
prepare_bus(void *data)
{
    Fixture *fixture = data;

    usb_bus_set_controller(fixture->bus, &controller_ops, fixture);
    usb_bus_listen(fixture->bus, note_change, fixture);
}

static void
set_up(Fixture *fixture, gconstpointer rules)
{
    g_autoptr(GError) error = NULL;
    const char *wrong;
    int ends[2];

    fake_init();
    n_resets = 0;
    fixture->usb = loop_thread_new("usb", NULL, NULL);
    fixture->bus = usb_bus_new(loop_thread_context(fixture->usb), 4);
    fixture->heard = g_string_new(NULL);
    fixture->out = g_ptr_array_new();
    usb_bus_call(fixture->bus, prepare_bus, fixture);
    fixture->policy = usb_policy_new(rules ? rules : USB_POLICY_ALL, &error);
    fixture->wishes = g_ptr_array_new_with_free_func((GDestroyNotify)usb_wish_free);
    g_ptr_array_add(fixture->wishes, usb_wish_new("dongle", "1234:5678", NULL, NULL, &wrong, &error));
    g_assert_no_errno(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
    fixture->watcher = ends[1];
    const UsbHostOptions options = {
        .bus = fixture->bus, .policy = fixture->policy, .wishes = fixture->wishes, .watcher = ends[0]};
    fixture->host = usb_host_new(&options, &error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer rules)
{
    usb_host_free(fixture->host);
    loop_thread_free(fixture->usb);
    usb_bus_free(fixture->bus);
    usb_policy_free(fixture->policy);
    g_ptr_array_unref(fixture->wishes);
    g_ptr_array_unref(fixture->out);
    g_string_free(fixture->heard, TRUE);
    g_free(fixture->answer);
    close(fixture->watcher);
    fake_finish();
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

#define UNTIL(condition)                                                 \
    do {                                                                 \
        gint64 end_ = g_get_monotonic_time() + PATIENCE_US;              \
        bool met_;                                                       \
        while (!(met_ = (condition)) && g_get_monotonic_time() < end_) { \
            g_main_context_iteration(NULL, FALSE);                       \
            g_usleep(200);                                               \
        }                                                                \
        g_assert_true(met_ &&#condition);                                \
    } while (0)

static bool
has_heard(Fixture *fixture, const char *words)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fixture->lock);
    return strstr(fixture->heard->str, words);
}

/* What libusb was asked for since, with these words at the end; waits for them. */
static void
assert_calls(const char *wanted)
{
    g_autoptr(GString) all = g_string_new(NULL);
    gint64 end = g_get_monotonic_time() + PATIENCE_US;

    while (strcmp(all->str, wanted) != 0 && g_get_monotonic_time() < end) {
        g_autofree char *more = fake_calls();
        g_string_append(all, more);
        g_usleep(200);
    }
    g_assert_cmpstr(all->str, ==, wanted);
}

static void
on_answer(void *user, const GError *error)
{
    Fixture *fixture = user;

    g_assert_null(fixture->answer);
    fixture->answer = g_strdup(error ? error->message : "ok");
}

static int
node(void)
{
    return memfd_create("node", MFD_CLOEXEC);
}

/* Returns the answer. */
static const char *
attach(Fixture *fixture, const char *id)
{
    g_clear_pointer(&fixture->answer, g_free);
    usb_host_attach(fixture->host, id, "A device", node(), on_answer, fixture);
    UNTIL(fixture->answer);
    return fixture->answer;
}

static void
attach_well(Fixture *fixture)
{
    g_assert_cmpstr(attach(fixture, "x"), ==, "ok");
    assert_calls("auto claim 0 claim 1 ");
}

/* --- transfers ---------------------------------------------------------------------------------------------------- */

static void
on_done(UsbTransfer *transfer)
{
    g_atomic_int_set(&((Sent *)transfer)->back, 1);
}

static Sent *
sent_new(Fixture *fixture, UsbTransferType type, uint8_t endpoint, uint32_t first, uint32_t second)
{
    Sent *sent = g_new0(Sent, 1);

    sent->fixture = fixture;
    sent->iov[0] = (struct iovec){sent->data[0], first};
    sent->iov[1] = (struct iovec){sent->data[1], second};
    sent->transfer = (UsbTransfer){.type = type,
                                   .endpoint = endpoint,
                                   .iov = sent->iov,
                                   .n_iov = !!first + !!second,
                                   .length = first + second,
                                   .period_us = 1000,
                                   .done = on_done};
    g_ptr_array_add(fixture->out, sent);
    return sent;
}

static void
submit_on_thread(void *data)
{
    Sent *sent = data;
    UsbDevice *device = sent->transfer.device = usb_bus_at(sent->fixture->bus, 1);

    device->ops->submit(device, &sent->transfer);
}

static void
cancel_on_thread(void *data)
{
    Sent *sent = data;
    sent->transfer.device->ops->cancel(sent->transfer.device, &sent->transfer);
}

static Sent *
submit(Sent *sent)
{
    usb_bus_call(sent->fixture->bus, submit_on_thread, sent);
    return sent;
}

static Sent *
control(Fixture *fixture, uint8_t type, uint8_t request, uint16_t value, uint16_t index, uint32_t len)
{
    Sent *sent = sent_new(fixture, USB_CONTROL, 0, len, 0);

    sent->transfer.setup = (UsbSetup){type, request, value, index, (uint16_t)len};
    return submit(sent);
}

static void
assert_back(Sent *sent, UsbStatus status, uint32_t actual)
{
    UNTIL(g_atomic_int_get(&sent->back));
    g_assert_cmpint(sent->transfer.status, ==, status);
    g_assert_cmpuint(sent->transfer.actual, ==, actual);
    g_ptr_array_remove(sent->fixture->out, sent);
    g_free(sent);
}

/* --- coming and going --------------------------------------------------------------------------------------------- */

static void
test_attach(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    g_assert_true(has_heard(fixture, "attached x “A device”: the host gives it to the desktop\n"));
    g_assert_true(usb_host_knows(fixture->host, "x"));
    g_assert_cmpstr(attach(fixture, "x"), ==, "the desktop has a device “x” already: detach it first");
    usb_host_detach(fixture->host, "x");
    assert_calls("reset auto release 1 release 0 close ");
    UNTIL(!usb_host_knows(fixture->host, "x"));
    g_assert_true(has_heard(fixture, "detached x “A device”: it was given back to the host\n"));
    attach_well(fixture); /* and again */
}

/* tear_down() finds it attached, and gives it back. */
static void
test_end(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    Sent *sent = submit(sent_new(fixture, USB_BULK, 0x81, 64, 0));
    usb_host_free(g_steal_pointer(&fixture->host));
    assert_back(sent, USB_CANCELLED, 0);
    assert_calls("reset auto release 1 release 0 close ");
}

static void
test_refused(Fixture *fixture, gconstpointer data)
{
    fake_answers.claim = LIBUSB_ERROR_BUSY;
    g_assert_nonnull(strstr(attach(fixture, "x"), "another program of the host, or another desktop, uses it"));
    assert_calls("auto claim 0 auto close ");
    g_assert_true(has_heard(fixture, "refused x “A device”: another program"));
    fake_answers.claim = 0;

    fake_answers.class = LIBUSB_CLASS_HUB;
    g_assert_nonnull(strstr(attach(fixture, "x"), "a hub stays"));
    fake_answers.class = 0;

    fake_answers.wrap = LIBUSB_ERROR_IO;
    g_assert_nonnull(strstr(attach(fixture, "x"), "not the open node"));
    g_assert_false(usb_host_knows(fixture->host, "x"));
}

static void
test_policy(Fixture *fixture, gconstpointer rules)
{
    g_assert_nonnull(strstr(attach(fixture, "x"), "policy does not allow it"));
    assert_calls("auto close "); /* never claimed */
}

static void
test_no_port(Fixture *fixture, gconstpointer data)
{
    static const char *const ids[] = {"a", "b", "c", "d"};

    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
        g_assert_cmpstr(attach(fixture, ids[i]), ==, "ok");
    g_free(fake_calls());
    g_assert_nonnull(strstr(attach(fixture, "e"), "no USB port is free"));
    assert_calls("auto claim 0 claim 1 reset auto release 1 release 0 close ");
}

static void
test_unplugged(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    Sent *sent = submit(sent_new(fixture, USB_BULK, 0x81, 64, 0));
    fake_unplug();
    assert_back(sent, USB_GONE, 0);
    assert_calls("plain release 1 release 0 close "); /* nothing to reset, no driver to call */
    UNTIL(!usb_host_knows(fixture->host, "x"));
    g_assert_true(has_heard(fixture, "detached x “A device”: it was unplugged from the host\n"));
}

static void
test_watcher(Fixture *fixture, gconstpointer data)
{
    g_autofd int file = node();
    g_autoptr(GError) error = NULL;
    UsbHostMessage message;
    int fd;

    usb_host_send(fixture->watcher, USB_HOST_GIVE, "nobody", "", file); /* no such wish */
    usb_host_send(fixture->watcher, USB_HOST_GIVE, "dongle", "A key", file);
    UNTIL(has_heard(fixture, "attached dongle “A key”"));
    g_assert_false(usb_host_ask(fixture->host, "dongle", &error));
    g_clear_error(&error);
    fake_unplug();
    UNTIL(usb_host_receive(fixture->watcher, &message, &fd) == USB_HOST_MESSAGE);
    g_assert_cmpint(message.verb, ==, USB_HOST_DONE);
    g_assert_cmpstr(message.wish, ==, "dongle");
    usb_host_detach(fixture->host, "dongle");
    g_assert_cmpint(usb_host_receive(fixture->watcher, &message, &fd), ==, USB_HOST_MESSAGE);
    g_assert_cmpint(message.verb, ==, USB_HOST_DROP);
    g_assert_true(usb_host_ask(fixture->host, "dongle", &error));
    g_assert_cmpint(usb_host_receive(fixture->watcher, &message, &fd), ==, USB_HOST_MESSAGE);
    g_assert_cmpint(message.verb, ==, USB_HOST_ASK);
    g_assert_false(usb_host_ask(fixture->host, "nobody", &error));

    usb_host_send(fixture->watcher, USB_HOST_FAILED, "dongle", "cannot open it", -1);
    UNTIL(has_heard(fixture, "refused dongle “”: cannot open it\n"));
}

/* --- transfers ---------------------------------------------------------------------------------------------------- */

static void
test_control(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    Sent *in = control(fixture, 0x80, 6, 0x0100, 0, 18);
    struct libusb_transfer *urb = fake_transfer(0);
    g_assert_cmpint(urb->length, ==, 8 + 18);
    g_assert_cmpmem(urb->buffer, 8, "\x80\x06\x00\x01\x00\x00\x12\x00", 8);
    memcpy(urb->buffer + 8, "\x12\x01", 2);
    fake_complete(urb, LIBUSB_TRANSFER_COMPLETED, 2);
    UNTIL(g_atomic_int_get(&in->back));
    g_assert_cmpmem(in->data[0], 2, "\x12\x01", 2);
    assert_back(in, USB_OK, 2);

    Sent *out = sent_new(fixture, USB_CONTROL, 0, 3, 0);
    memcpy(out->data[0], "abc", 3);
    out->transfer.setup = (UsbSetup){0x21, 9, 0x0200, 1, 3};
    submit(out);
    urb = fake_transfer(0);
    g_assert_cmpmem(urb->buffer + 8, 3, "abc", 3);
    fake_complete(urb, LIBUSB_TRANSFER_STALL, 0);
    assert_back(out, USB_STALL, 0);
}

static void
test_settings(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    assert_back(control(fixture, 0x00, 9, 1, 0, 0), USB_OK, 0); /* the one it has: nothing to do */
    assert_back(control(fixture, 0x01, 11, 1, 1, 0), USB_OK, 0);
    assert_calls("setting 1 1 ");
    assert_back(control(fixture, 0x00, 9, 1, 0, 0), USB_OK, 0);
    assert_calls("setting 1 0 ");
    assert_back(control(fixture, 0x00, 9, 2, 0, 0), USB_OK, 0);
    assert_calls("plain release 1 release 0 configuration 2 auto claim 0 claim 1 ");
    assert_back(control(fixture, 0x00, 9, 7, 0, 0), USB_STALL, 0);
    assert_calls("plain release 1 release 0 configuration 7 auto claim 0 claim 1 ");
    assert_back(control(fixture, 0x01, 11, 3, 1, 0), USB_STALL, 0);
    assert_back(control(fixture, 0x02, 1, 0, 0x81, 0), USB_OK, 0);
    assert_calls("setting 1 3 clear 81 ");
    g_assert_cmpuint(fake_n_transfers(), ==, 0);
}

static void
test_bulk(Fixture *fixture, gconstpointer data)
{
    static const struct {
        enum libusb_transfer_status status;
        UsbStatus is;
    } cases[] = {{LIBUSB_TRANSFER_COMPLETED, USB_OK},
                 {LIBUSB_TRANSFER_ERROR, USB_FAULT},
                 {LIBUSB_TRANSFER_STALL, USB_STALL},
                 {LIBUSB_TRANSFER_OVERFLOW, USB_BABBLE},
                 {LIBUSB_TRANSFER_TIMED_OUT, USB_FAULT}};

    attach_well(fixture);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Sent *sent = submit(sent_new(fixture, USB_BULK, 0x81, 200, 0));
        struct libusb_transfer *urb = fake_transfer(0);
        g_assert_true(urb->buffer == sent->data[0]); /* no copy */
        g_assert_cmpint(urb->endpoint, ==, 0x81);
        g_assert_cmpint(urb->length, ==, 200);
        g_assert_cmpint(urb->timeout, ==, 0);
        fake_complete(urb, cases[i].status, 77);
        assert_back(sent, cases[i].is, 77);
    }
    Sent *empty = submit(sent_new(fixture, USB_BULK, 0x02, 0, 0));
    fake_complete(fake_transfer(0), LIBUSB_TRANSFER_COMPLETED, 0);
    assert_back(empty, USB_OK, 0);
}

static void
test_pieces(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    Sent *out = sent_new(fixture, USB_BULK, 0x02, 3, 2);
    memcpy(out->data[0], "abc", 3);
    memcpy(out->data[1], "de", 2);
    submit(out);
    g_assert_cmpmem(fake_transfer(0)->buffer, 5, "abcde", 5);
    fake_complete(fake_transfer(0), LIBUSB_TRANSFER_COMPLETED, 5);
    assert_back(out, USB_OK, 5);

    Sent *in = submit(sent_new(fixture, USB_INTERRUPT, 0x83, 3, 2));
    g_assert_cmpint(fake_transfer(0)->type, ==, LIBUSB_TRANSFER_TYPE_INTERRUPT);
    memcpy(fake_transfer(0)->buffer, "vwxyz", 5);
    fake_complete(fake_transfer(0), LIBUSB_TRANSFER_COMPLETED, 4);
    UNTIL(g_atomic_int_get(&in->back));
    g_assert_cmpmem(in->data[0], 3, "vwx", 3);
    g_assert_cmpmem(in->data[1], 2, "y\0", 2);
    assert_back(in, USB_OK, 4);
}

static void
test_several(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    const UsbDevice *device = usb_bus_at(fixture->bus, 1);
    g_assert_cmpuint(device->ops->depth((UsbDevice *)device, 0x81), >=, 8);
    g_assert_cmpuint(device->ops->depth((UsbDevice *)device, 0x83), ==, 1);
    Sent *first = submit(sent_new(fixture, USB_BULK, 0x81, 64, 0));
    Sent *second = submit(sent_new(fixture, USB_BULK, 0x81, 64, 0));
    Sent *third = submit(sent_new(fixture, USB_BULK, 0x81, 64, 0));
    g_assert_cmpuint(fake_n_transfers(), ==, 3);
    fake_complete(fake_transfer(1), LIBUSB_TRANSFER_COMPLETED, 64);
    assert_back(second, USB_OK, 64);
    usb_bus_call(fixture->bus, cancel_on_thread, third);
    assert_back(third, USB_CANCELLED, 0);
    fake_set_obedient(false); /* it is on its way already */
    usb_bus_call(fixture->bus, cancel_on_thread, first);
    g_assert_false(g_atomic_int_get(&first->back));
    fake_complete(fake_transfer(0), LIBUSB_TRANSFER_COMPLETED, 64);
    assert_back(first, USB_OK, 64);
}

static void
test_no_memory(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    fake_answers.submit = LIBUSB_ERROR_NO_MEM;
    assert_back(submit(sent_new(fixture, USB_BULK, 0x81, 64, 0)), USB_FAULT, 0); /* nobody to wait for */
    fake_answers.submit = 0;
    Sent *first = submit(sent_new(fixture, USB_BULK, 0x81, 64, 0));
    fake_answers.submit = LIBUSB_ERROR_NO_MEM;
    Sent *second = submit(sent_new(fixture, USB_BULK, 0x81, 64, 0));
    Sent *third = submit(sent_new(fixture, USB_BULK, 0x81, 64, 0));
    fake_answers.submit = 0;
    g_assert_cmpuint(fake_n_transfers(), ==, 1);
    usb_bus_call(fixture->bus, cancel_on_thread, third);
    assert_back(third, USB_CANCELLED, 0);
    fake_complete(fake_transfer(0), LIBUSB_TRANSFER_COMPLETED, 64);
    assert_back(first, USB_OK, 64);
    UNTIL(fake_n_transfers() == 1);
    fake_complete(fake_transfer(0), LIBUSB_TRANSFER_COMPLETED, 1);
    assert_back(second, USB_OK, 1);
}

static void
reset_on_thread(void *data)
{
    UsbDevice *device = usb_bus_at(((Fixture *)data)->bus, 1);

    device->resetting = true;
    device->ops->reset(device);
}

static void
test_reset(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    usb_bus_call(fixture->bus, reset_on_thread, fixture);
    assert_calls("reset "); /* the host's drivers have used it */
    UNTIL(g_atomic_int_get((int *)&n_resets) == 1);
    usb_bus_call(fixture->bus, reset_on_thread, fixture);
    g_assert_cmpuint(n_resets, ==, 2); /* at once: nothing was sent to it since */
    assert_back(control(fixture, 0x01, 11, 1, 1, 0), USB_OK, 0);
    usb_bus_call(fixture->bus, reset_on_thread, fixture);
    assert_calls("setting 1 1 reset ");
    UNTIL(g_atomic_int_get((int *)&n_resets) == 3);
    assert_back(control(fixture, 0x00, 9, 1, 0, 0), USB_OK, 0);
    assert_calls(""); /* its settings are the first again */
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static void
test_iso_in(Fixture *fixture, gconstpointer data)
{
    unsigned got = 0, empty = 0;

    attach_well(fixture);
    assert_back(submit(sent_new(fixture, USB_ISOCHRONOUS, 0x84, 200, 0)), USB_FAULT, 0); /* not in this setting */
    assert_back(control(fixture, 0x01, 11, 1, 1, 0), USB_OK, 0);
    assert_back(submit(sent_new(fixture, USB_ISOCHRONOUS, 0x84, 200, 0)), USB_OK, 0); /* nothing yet */
    unsigned n = fake_n_transfers();
    g_assert_cmpuint(n, >=, 2);
    unsigned per_urb = (unsigned)fake_transfer(0)->num_iso_packets;
    g_assert_cmpuint(per_urb, ==, 10); /* of a millisecond each */
    for (unsigned i = 0; i < 2; i++) {
        struct libusb_transfer *urb = fake_transfer(0);
        for (unsigned j = 0; j < per_urb; j++)
            urb->buffer[j * 200] = (uint8_t)(1 + i * per_urb + j);
        fake_complete(urb, LIBUSB_TRANSFER_COMPLETED, 3);
        UNTIL(fake_n_transfers() == n); /* and submitted again */
    }
    for (unsigned i = 0; i < 2 * per_urb + 3; i++) {
        Sent *sent = submit(sent_new(fixture, USB_ISOCHRONOUS, 0x84, 200, 0));
        g_assert_true(sent->back); /* at once */
        if (sent->transfer.actual) {
            g_assert_cmpuint(sent->data[0][0], ==, ++got);
            assert_back(sent, USB_OK, 3);
        } else {
            empty++;
            assert_back(sent, USB_OK, 0);
        }
    }
    g_assert_cmpuint(got, ==, 2 * per_urb);
    g_assert_cmpuint(empty, ==, 3);
    assert_back(control(fixture, 0x01, 11, 0, 1, 0), USB_OK, 0);
    UNTIL(fake_n_transfers() == 0);
}

static void
test_iso_out(Fixture *fixture, gconstpointer data)
{
    uint8_t next = 0;

    attach_well(fixture);
    assert_back(control(fixture, 0x01, 11, 1, 1, 0), USB_OK, 0);
    for (unsigned i = 0; i < 100; i++) {
        Sent *sent = sent_new(fixture, USB_ISOCHRONOUS, 0x05, 100 + i % 2, 0);
        sent->data[0][0] = (uint8_t)i;
        submit(sent);
        g_assert_cmpuint(fake_n_transfers(), ==,
                         i < 19   ? 0
                         : i < 29 ? 2
                         : i < 39 ? 3
                                  : 4); /* two ahead; then no more than four */
        assert_back(sent, USB_OK, 100 + i % 2);
    }
    for (unsigned i = 0; i < 4; i++) {
        struct libusb_transfer *urb = fake_transfer(0);
        const uint8_t *at = urb->buffer;
        g_assert_cmpint(urb->num_iso_packets, ==, 10);
        g_assert_cmpint(urb->length, ==, 5 * 201);
        for (int j = 0; j < 10; j++, next++) {
            g_assert_cmpuint(urb->iso_packet_desc[j].length, ==, 100 + next % 2u);
            g_assert_cmpuint(*at, ==, next);
            at += urb->iso_packet_desc[j].length;
        }
        fake_complete(urb, LIBUSB_TRANSFER_COMPLETED, 0);
        UNTIL(fake_n_transfers() == 3 - i);
    }
    g_assert_cmpuint(next, ==, 40); /* the other sixty were dropped */
}

static void
test_unplugged_while_streaming(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    assert_back(control(fixture, 0x01, 11, 1, 1, 0), USB_OK, 0);
    assert_back(submit(sent_new(fixture, USB_ISOCHRONOUS, 0x84, 200, 0)), USB_OK, 0);
    fake_set_obedient(false);
    fake_unplug();
    UNTIL(!usb_host_knows(fixture->host, "x"));
    g_assert_true(has_heard(fixture, "it was unplugged from the host\n"));
}

/* --- a step ahead of a disk --------------------------------------------------------------------------------------- */

/* A command that brings @len bytes. */
static Sent *
command(Fixture *fixture, uint32_t len)
{
    Sent *sent = sent_new(fixture, USB_BULK, 0x02, 31, 0);
    uint32_t bytes = GUINT32_TO_LE(len);

    memcpy(sent->data[0], "USBCtag.", 8);
    memcpy(sent->data[0] + 8, &bytes, 4);
    sent->data[0][12] = 0x80;
    return submit(sent);
}

static void
assert_bytes(Sent *sent, const char *wanted)
{
    UNTIL(g_atomic_int_get(&sent->back));
    g_assert_cmpmem(sent->data[0], strlen(wanted), wanted, strlen(wanted));
    assert_back(sent, USB_OK, (uint32_t)strlen(wanted));
}

/* Data and status are asked for with the command, and the guest finds both. */
static void
test_ahead(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    Sent *sent = command(fixture, 8);
    g_assert_cmpuint(fake_n_transfers(), ==, 3);
    struct libusb_transfer *out = fake_transfer(0), *in = fake_transfer(1), *status = fake_transfer(2);
    g_assert_true(in->endpoint == 0x81 && in->length == 8 && status->endpoint == 0x81 && status->length == 13);
    fake_complete(out, LIBUSB_TRANSFER_COMPLETED, 31);
    assert_back(sent, USB_OK, 31);
    Sent *first = submit(sent_new(fixture, USB_BULK, 0x81, 3, 0)); /* the guest may take it in pieces */
    Sent *second = submit(sent_new(fixture, USB_BULK, 0x81, 5, 0));
    g_assert_cmpuint(fake_n_transfers(), ==, 2);
    memcpy(in->buffer, "abcdefgh", 8);
    fake_complete(in, LIBUSB_TRANSFER_COMPLETED, 8);
    assert_bytes(first, "abc");
    assert_bytes(second, "defgh");
    memcpy(status->buffer, "USBS.........", 13);
    fake_complete(status, LIBUSB_TRANSFER_COMPLETED, 13);
    UNTIL(fake_n_transfers() == 0);
    assert_bytes(submit(sent_new(fixture, USB_BULK, 0x81, 13, 0)), "USBS.........");
    sent = command(fixture, 0); /* no data: nothing to ask for */
    g_assert_cmpuint(fake_n_transfers(), ==, 1);
    fake_complete(fake_transfer(0), LIBUSB_TRANSFER_COMPLETED, 31);
    assert_back(sent, USB_OK, 31);
}

/* Data come in the memory that is the kernel's too, unless that is in use or too small. */
static void
test_ahead_buffers(Fixture *fixture, gconstpointer data)
{
    unsigned char *shared = NULL;

    attach_well(fixture);
    for (unsigned i = 0; i < 3; i++) {
        Sent *sent = command(fixture, i == 1 ? HOST_SHARED_BYTES + 1 : 8);
        struct libusb_transfer *out = fake_transfer(0), *in = fake_transfer(1), *status = fake_transfer(2);
        if (i == 0)
            shared = in->buffer;
        g_assert_true((in->buffer == shared) == (i != 1));
        g_assert_true(status->buffer != shared);
        fake_complete(out, LIBUSB_TRANSFER_COMPLETED, 31);
        fake_complete(in, LIBUSB_TRANSFER_COMPLETED, 0);
        fake_complete(status, LIBUSB_TRANSFER_COMPLETED, 13);
        UNTIL(fake_n_transfers() == 0);
        assert_back(sent, USB_OK, 31);
        assert_back(submit(sent_new(fixture, USB_BULK, 0x81, 8, 0)), USB_OK, 0);
        assert_back(submit(sent_new(fixture, USB_BULK, 0x81, 13, 0)), USB_OK, 13);
    }
    fake_set_obedient(false);
    Sent *first = command(fixture, 8);
    Sent *second = command(fixture, 8); /* the first is given up, and is not back */
    g_assert_cmpuint(fake_n_transfers(), ==, 6);
    g_assert_true(fake_transfer(1)->buffer == shared && fake_transfer(4)->buffer != shared);
    while (fake_n_transfers())
        fake_complete(fake_transfer(0), LIBUSB_TRANSFER_CANCELLED, 0);
    assert_back(first, USB_CANCELLED, 0);
    assert_back(second, USB_CANCELLED, 0);
    fake_set_obedient(true);
}

/* A command that the device refuses: the guest clears the endpoint, and asks for the status itself. */
static void
test_ahead_stall(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    Sent *sent = command(fixture, 8);
    fake_complete(fake_transfer(0), LIBUSB_TRANSFER_COMPLETED, 31);
    assert_back(sent, USB_OK, 31);
    Sent *in = submit(sent_new(fixture, USB_BULK, 0x81, 8, 0));
    fake_complete(fake_transfer(0), LIBUSB_TRANSFER_STALL, 2);
    assert_back(in, USB_STALL, 2);
    assert_back(control(fixture, 0x02, 1, 0, 0x81, 0), USB_OK, 0);
    UNTIL(fake_n_transfers() == 0); /* the status was taken back, and is asked for anew */
    in = submit(sent_new(fixture, USB_BULK, 0x81, 13, 0));
    g_assert_true(fake_transfer(0)->buffer == in->data[0]);
    fake_complete(fake_transfer(0), LIBUSB_TRANSFER_COMPLETED, 13);
    assert_back(in, USB_OK, 13);
}

/* What nobody wants any more is cancelled, and goes with the device. */
static void
test_ahead_dropped(Fixture *fixture, gconstpointer data)
{
    attach_well(fixture);
    Sent *sent = command(fixture, 8);
    Sent *in = submit(sent_new(fixture, USB_BULK, 0x81, 8, 0));
    usb_bus_call(fixture->bus, cancel_on_thread, in);
    assert_back(in, USB_CANCELLED, 0);
    g_assert_cmpuint(fake_n_transfers(), ==, 3); /* its data are the next transfer's */
    Sent *again = command(fixture, 16);          /* the driver gave up the first */
    UNTIL(fake_n_transfers() == 4);
    in = submit(sent_new(fixture, USB_BULK, 0x81, 16, 0));
    fake_unplug();
    assert_back(sent, USB_GONE, 0);
    assert_back(again, USB_GONE, 0);
    assert_back(in, USB_GONE, 0);
    UNTIL(!usb_host_knows(fixture->host, "x"));
}

typedef struct {
    Fixture *fixture;
    unsigned n;
    bool granted;
} Streams;

static void
set_streams(void *data)
{
    Streams *streams = data;
    UsbDevice *device = usb_bus_at(streams->fixture->bus, 1);

    streams->granted = device->ops->set_streams(device, 0x81, streams->n);
}

static void
test_bulk_streams(Fixture *fixture, gconstpointer data)
{
    Streams streams = {.fixture = fixture, .n = 8};

    attach_well(fixture);
    usb_bus_call(fixture->bus, set_streams, &streams);
    g_assert_true(streams.granted);
    Sent *sent = sent_new(fixture, USB_BULK, 0x81, 64, 0);
    sent->transfer.stream = 3;
    submit(sent);
    g_assert_cmpint(fake_transfer(0)->type, ==, LIBUSB_TRANSFER_TYPE_BULK_STREAM);
    fake_complete(fake_transfer(0), LIBUSB_TRANSFER_COMPLETED, 64);
    assert_back(sent, USB_OK, 64);
    streams.n = 16;
    usb_bus_call(fixture->bus, set_streams, &streams);
    g_assert_false(streams.granted); /* it has seven */
    streams.n = 0;
    usb_bus_call(fixture->bus, set_streams, &streams);
    assert_calls("streams 7 81 stream 3 streams 15 81 no-streams 81 ");
}

#define TEST(name) g_test_add("/host/" #name, Fixture, NULL, set_up, test_##name, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST(attach);
    TEST(end);
    TEST(refused);
    g_test_add("/host/policy", Fixture, "8,-1,-1,-1,0|-1,-1,-1,-1,1", set_up, test_policy, tear_down);
    TEST(no_port);
    TEST(unplugged);
    TEST(watcher);
    TEST(control);
    TEST(settings);
    TEST(bulk);
    TEST(pieces);
    TEST(several);
    TEST(no_memory);
    TEST(reset);
    TEST(iso_in);
    TEST(iso_out);
    TEST(unplugged_while_streaming);
    TEST(bulk_streams);
    TEST(ahead);
    TEST(ahead_buffers);
    TEST(ahead_stall);
    TEST(ahead_dropped);
    return g_test_run();
}
