/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and descriptors across a socket pair, and packets that are none. */
#include "usb/host/message.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    int ends[2];
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    g_assert_no_errno(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fixture->ends));
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    close(fixture->ends[0]);
    g_clear_fd(&fixture->ends[1], NULL);
}

static bool
is_same_file(int a, int b)
{
    struct stat one, other;

    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

static void
test_round(Fixture *fixture, gconstpointer data)
{
    g_autofd int file = memfd_create("node", 0);
    g_autofree char *long_text = g_strnfill(2 * USB_HOST_TEXT_MAX, 'x');
    UsbHostMessage message;
    int fd;

    g_assert_cmpint(usb_host_receive(fixture->ends[1], &message, &fd), ==, USB_HOST_NOTHING);
    g_assert_true(usb_host_send(fixture->ends[0], USB_HOST_GIVE, "dongle", "A key", file));
    g_assert_true(usb_host_send(fixture->ends[0], USB_HOST_FAILED, "other", long_text, -1));
    g_assert_cmpint(usb_host_receive(fixture->ends[1], &message, &fd), ==, USB_HOST_MESSAGE);
    g_assert_cmpuint(message.verb, ==, USB_HOST_GIVE);
    g_assert_cmpstr(message.wish, ==, "dongle");
    g_assert_cmpstr(message.text, ==, "A key");
    g_assert_true(is_same_file(fd, file));
    close(fd);
    g_assert_cmpint(usb_host_receive(fixture->ends[1], &message, &fd), ==, USB_HOST_MESSAGE);
    g_assert_cmpint(fd, ==, -1);
    g_assert_cmpuint(strlen(message.text), ==, USB_HOST_TEXT_MAX - 1);
    g_clear_fd(&fixture->ends[1], NULL);
    g_assert_false(usb_host_send(fixture->ends[0], USB_HOST_DONE, "dongle", NULL, -1));
    g_assert_cmpint(usb_host_receive(fixture->ends[0], &message, &fd), ==, USB_HOST_END);
}

static void
test_broken(Fixture *fixture, gconstpointer data)
{
    UsbHostMessage whole = {.verb = USB_HOST_ASK}, message;
    uint8_t larger[sizeof(whole) + 1] = {0};
    int fd;

    g_assert_cmpint(send(fixture->ends[0], &whole, sizeof(whole) - 1, 0), >, 0);
    g_assert_cmpint(send(fixture->ends[0], larger, sizeof(larger), 0), >, 0);
    memset(whole.wish, 'w', sizeof(whole.wish));
    g_assert_cmpint(send(fixture->ends[0], &whole, sizeof(whole), 0), >, 0);
    whole.wish[1] = '\0';
    memset(whole.text, 't', sizeof(whole.text));
    g_assert_cmpint(send(fixture->ends[0], &whole, sizeof(whole), 0), >, 0);
    g_assert_cmpint(usb_host_receive(fixture->ends[1], &message, &fd), ==, USB_HOST_NOTHING);
    whole.text[0] = '\0';
    g_assert_cmpint(send(fixture->ends[0], &whole, sizeof(whole), 0), >, 0);
    g_assert_cmpint(usb_host_receive(fixture->ends[1], &message, &fd), ==, USB_HOST_MESSAGE);
    g_assert_cmpstr(message.wish, ==, "w");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/message/round", Fixture, NULL, set_up, test_round, tear_down);
    g_test_add("/message/broken", Fixture, NULL, set_up, test_broken, tear_down);
    return g_test_run();
}
