/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrivals: whatever the client does, one good first message is to be read from the descriptor; afterwards it is the
 * client's own socket again, with all that came behind the message, or the end of a stand-in.
 */
#include "display/spice/arrival.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

static const uint8_t mini[] = {101, 0, 14, 0, 0, 0, 1, 0, 0, 16, 0, 0, 0, 0, 0, 1, 0, 0, 16, 0};
static const uint8_t full[] = {7, 0, 0, 0, 0, 0,  0, 0, 101, 0, 14, 0, 0, 0, 0,  0,
                               0, 0, 1, 0, 0, 16, 0, 0, 0,   0, 0,  1, 0, 0, 16, 0};

/* A connection as spice-server and its client have it. */
typedef struct {
    int server, client;
    Arrival *arrival;
} Link;

static Link
link_new(bool websocket)
{
    int pair[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), ==, 0);
    return (Link){pair[0], pair[1], arrival_new(fcntl(pair[0], F_DUPFD_CLOEXEC, 3), pair[0], websocket)};
}

static void
link_free(Link *link)
{
    arrival_free(link->arrival);
    close(link->server);
    if (link->client >= 0)
        close(link->client);
}

static void
say(int fd, const void *bytes, size_t n)
{
    g_assert_cmpint(send(fd, bytes, n, MSG_NOSIGNAL), ==, n);
}

static void
expect(int fd, const void *bytes, size_t n)
{
    uint8_t got[256];
    g_assert_cmpint(recv(fd, got, sizeof got, 0), ==, n);
    g_assert_cmpmem(got, n, bytes, n);
}

static void
check_good(const uint8_t *message, size_t n)
{
    Link link = link_new(false);

    say(link.client, message, n);
    say(link.client, "behind", 6);
    arrival_begin(link.arrival);
    g_assert_false(arrival_was_heard(link.arrival));
    expect(link.server, message, n);
    g_assert_cmpint(recv(link.server, &(char){0}, 1, 0), ==, -1); /* what is behind waits */
    g_assert_true(arrival_was_heard(link.arrival));
    say(link.server, "early", 5);
    arrival_end(link.arrival);
    expect(link.client, "early", 5);
    expect(link.server, "behind", 6);
    say(link.server, "later", 5);
    expect(link.client, "later", 5);
    link_free(&link);
}

static void
test_good(void)
{
    check_good(mini, sizeof mini);
    check_good(full, sizeof full);
}

/* As a browser sends it: masked, in one frame. */
static void
test_good_frame(void)
{
    Link link = link_new(true);
    uint8_t frame[6 + sizeof mini] = {0x82, 0x80 | sizeof mini, 1, 2, 3, 4};

    for (size_t i = 0; i < sizeof mini; i++)
        frame[6 + i] = mini[i] ^ frame[2 + i % 4];
    say(link.client, frame, sizeof frame);
    arrival_begin(link.arrival);
    expect(link.server, frame, sizeof frame);
    arrival_end(link.arrival);
    say(link.client, "more", 4);
    expect(link.server, "more", 4);
    link_free(&link);
}

/* Reads what spice-server would as its first message, with either header. */
static void
check_harmless(int fd, size_t skip)
{
    uint8_t got[64];
    ssize_t n = recv(fd, got, sizeof got, 0);

    g_assert_cmpint(n, ==, skip + sizeof full);
    g_assert_cmpmem(got + skip, 6, mini, 6);
    g_assert_cmpmem(got + skip + 8, 10, full + 8, 10);
    uint32_t mini_dictionary, full_dictionary;
    memcpy(&mini_dictionary, got + skip + 16, 4);
    memcpy(&full_dictionary, got + skip + 28, 4);
    g_assert_cmpuint(mini_dictionary, >, 0);
    g_assert_cmpuint(mini_dictionary, <=, 1 << 25);
    g_assert_cmpuint(full_dictionary, >, 0);
    g_assert_cmpuint(full_dictionary, <=, 1 << 25);
}

static void
check_bad(const void *bytes, size_t n, bool websocket, bool vanish)
{
    Link link = link_new(websocket);

    if (n)
        say(link.client, bytes, n);
    if (vanish)
        close(g_steal_fd(&link.client));
    arrival_begin(link.arrival);
    check_harmless(link.server, websocket ? 6 : 0);
    g_assert_cmpint(recv(link.server, &(char){0}, 1, 0), ==, -1); /* not its end, yet */
    arrival_end(link.arrival);
    arrival_free(g_steal_pointer(&link.arrival));
    g_assert_cmpint(recv(link.server, &(char){0}, 1, 0), ==, 0);
    if (!vanish) { /* it is hung up on; with a reset, where something was left unread */
        ssize_t got = recv(link.client, &(char){0}, 1, 0);
        g_assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
    }
    link_free(&link);
}

static void
test_bad(void)
{
    uint8_t wrong_type[sizeof mini], huge[sizeof mini], frame[26] = {0x82, 0x80 | 20};

    memcpy(wrong_type, mini, sizeof mini);
    wrong_type[0] = 102;
    memcpy(huge, mini, sizeof mini);
    huge[19] = 0x7f; /* a dictionary that spice-server would abort at */
    check_bad(NULL, 0, false, true);
    check_bad(mini, 7, false, true);
    check_bad(full, 31, false, true);
    check_bad(wrong_type, sizeof mini, false, false);
    check_bad(huge, sizeof mini, false, false);
    check_bad("GET /", 5, true, true);
    check_bad(frame, sizeof frame, true, false); /* no message in the frame */
    check_bad(mini, sizeof mini, true, false);   /* no frame */
}

/* A client that stalls is given up within its three seconds. */
static void
test_stalling(void)
{
    check_bad(mini, 10, false, false);
}

/* The descriptor was closed, and became somebody else's: it is left alone. */
static void
test_closed_meanwhile(void)
{
    Link link = link_new(false);
    struct stat before, after;

    say(link.client, mini, sizeof mini);
    arrival_begin(link.arrival);
    close(link.server);
    int other = open("/dev/null", O_RDWR | O_CLOEXEC);
    g_assert_cmpint(other, ==, link.server);
    g_assert_cmpint(fstat(other, &before), ==, 0);
    arrival_end(link.arrival);
    g_assert_cmpint(fstat(other, &after), ==, 0);
    g_assert_cmpuint(before.st_ino, ==, after.st_ino);
    link_free(&link);
}

static void
test_abandoned(void)
{
    Link link = link_new(false);

    say(link.client, mini, sizeof mini);
    arrival_begin(link.arrival);
    arrival_abandon(link.arrival);
    arrival_end(link.arrival);
    expect(link.server, mini, sizeof mini); /* still the stand-in */
    link_free(&link);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/arrival/good", test_good);
    g_test_add_func("/arrival/good-frame", test_good_frame);
    g_test_add_func("/arrival/bad", test_bad);
    g_test_add_func("/arrival/stalling", test_stalling);
    g_test_add_func("/arrival/closed-meanwhile", test_closed_meanwhile);
    g_test_add_func("/arrival/abandoned", test_abandoned);
    return g_test_run();
}
