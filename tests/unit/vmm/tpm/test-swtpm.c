/* SPDX-License-Identifier: Apache-2.0 */
/* swtpm's protocol: with a real one, and with others that lie, hang up, or say nothing sound. */
#include "real_swtpm.h"
#include "vmm/tpm/swtpm.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define SIZE 3968

static const uint8_t startup[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0};
static const uint8_t get_random[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8};

typedef struct {
    GByteArray *response; /* the latest */
    unsigned responses;
    char *lost;
} Peer;

static void
on_response(void *user, const uint8_t *bytes, size_t len)
{
    Peer *peer = user;
    peer->responses++;
    if (!peer->response)
        peer->response = g_byte_array_new();
    g_byte_array_set_size(peer->response, 0);
    g_byte_array_append(peer->response, bytes, len);
}

static void
on_lost(void *user, const char *why)
{
    Peer *peer = user;
    g_assert_null(peer->lost);
    peer->lost = g_strdup(why);
}

static const SwtpmOps ops = {.response = on_response, .lost = on_lost};

static void
peer_finish(Peer *peer)
{
    g_clear_pointer(&peer->response, g_byte_array_unref);
    g_free(peer->lost);
}

static void
expect_success(Peer *peer, unsigned n)
{
    g_assert_cmpuint(peer->responses, ==, n);
    g_assert_cmpuint(peer->response->len, >=, SWTPM_HEADER);
    g_assert_cmpmem(peer->response->data + 6, 4, "\0\0\0\0", 4);
}

static void
test_real(void)
{
    g_autoptr(GError) error = NULL;
    RealSwtpm real;
    Peer peer = {0};

    if (!real_swtpm_is_there())
        return;
    real_swtpm_start(&real);
    Swtpm *swtpm = swtpm_new(g_steal_fd(&real.control), &ops, &peer, &error);
    g_assert_no_error(error);
    g_assert_true(swtpm_start(swtpm, SIZE, &error));
    g_assert_no_error(error);
    g_assert_true(swtpm_send(swtpm, startup, sizeof(startup)));
    swtpm_finish(swtpm);
    expect_success(&peer, 1);
    g_assert_true(swtpm_send(swtpm, get_random, sizeof(get_random)));
    while (peer.responses < 2)
        g_main_context_iteration(NULL, TRUE); /* as it comes when nobody waits for it */
    expect_success(&peer, 2);
    g_assert_cmpuint(peer.response->len, ==, SWTPM_HEADER + 2 + 8);
    g_assert_true(swtpm_start(swtpm, SIZE, &error)); /* a reset */
    g_assert_no_error(error);
    swtpm_free(swtpm);
    real_swtpm_finish(&real);
    g_assert_null(peer.lost);
    peer_finish(&peer);
}

/* The state of one goes on in another, its next random numbers included: they are of one and the same generator. */
static void
test_state(void)
{
    g_autoptr(GError) error = NULL;
    SwtpmBlob blobs[SWTPM_BLOBS] = {0};
    RealSwtpm one, two;
    Peer of_one = {0}, of_two = {0};

    if (!real_swtpm_is_there())
        return;
    real_swtpm_start(&one);
    Swtpm *first = swtpm_new(g_steal_fd(&one.control), &ops, &of_one, &error);
    g_assert_true(swtpm_start(first, SIZE, &error));
    g_assert_true(swtpm_send(first, startup, sizeof(startup)));
    swtpm_finish(first);
    g_assert_true(swtpm_get_state(first, blobs, &error));
    g_assert_no_error(error);
    g_assert_nonnull(blobs[SWTPM_PERMANENT].bytes);
    g_assert_nonnull(blobs[SWTPM_VOLATILE].bytes);

    real_swtpm_start(&two);
    Swtpm *second = swtpm_new(g_steal_fd(&two.control), &ops, &of_two, &error);
    g_assert_true(swtpm_resume(second, SIZE, blobs, &error));
    g_assert_no_error(error);
    g_assert_true(swtpm_send(second, get_random, sizeof(get_random))); /* started already */
    swtpm_finish(second);
    expect_success(&of_two, 1);

    blobs[SWTPM_PERMANENT].bytes->data[20] ^= 0xff;
    g_assert_false(swtpm_resume(second, SIZE, blobs, &error));
    g_assert_error(error, SWTPM_ERROR, SWTPM_ERROR_REFUSED);
    swtpm_blobs_clear(blobs);
    swtpm_free(first);
    swtpm_free(second);
    real_swtpm_finish(&one);
    real_swtpm_finish(&two);
    peer_finish(&of_one);
    peer_finish(&of_two);
}

/* ---- peers that are no swtpm ---- */

typedef struct {
    int control;
    int data;           /* as it was passed; -1: not yet */
    const char *says;   /* how it answers, a letter for each control message */
    size_t blob_length; /* that it announces */
} Fake;

static void
put(int fd, const void *bytes, size_t len)
{
    if (write(fd, bytes, len) != (ssize_t)len)
        g_assert_cmpint(errno, ==, EPIPE);
}

/* Reads a message and keeps a descriptor that comes with it. false: the other end was closed. */
static bool
take_message(Fake *fake)
{
    char bytes[65536], room[CMSG_SPACE(sizeof(int))];
    struct iovec part = {bytes, sizeof(bytes)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};

    if (recvmsg(fake->control, &header, MSG_CMSG_CLOEXEC) <= 0)
        return false;
    if (header.msg_controllen && CMSG_FIRSTHDR(&header))
        memcpy(&fake->data, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(int));
    return true;
}

static gpointer
fake_thread(gpointer user)
{
    Fake *fake = user;
    static const uint8_t all[8] = {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, sizes[16] = {[6] = 0x0f, [7] = 0x80};
    const uint8_t blob[16] = {
        [8] = fake->blob_length >> 24, fake->blob_length >> 16, fake->blob_length >> 8, fake->blob_length,
        fake->blob_length >> 24,       fake->blob_length >> 16, fake->blob_length >> 8, fake->blob_length};

    for (const char *say = fake->says; *say && take_message(fake); say++) {
        if (*say == 'c')
            put(fake->control, all, 8); /* capabilities */
        else if (*say == 'n')
            put(fake->control, sizes, 8); /* too few of them */
        else if (*say == '0')
            put(fake->control, sizes, 4); /* success */
        else if (*say == '1')
            put(fake->control, "\0\0\0\1", 4);
        else if (*say == 's')
            put(fake->control, sizes, 16); /* the buffer's size */
        else if (*say == 'h')
            put(fake->control, sizes, 2); /* half an answer */
        else if (*say == 'b')
            put(fake->control, blob, 16);
    }
    shutdown(fake->control, SHUT_RDWR);
    return NULL;
}

static GThread *
fake_start(Fake *fake, int *ours)
{
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    *ours = pair[0];
    fake->control = pair[1];
    fake->data = -1;
    return g_thread_new("fake swtpm", fake_thread, fake);
}

static void
fake_finish(Fake *fake, GThread *thread)
{
    g_thread_join(thread);
    close(fake->control);
    if (fake->data >= 0)
        close(fake->data);
}

static void
expect_no_swtpm(const char *says, SwtpmError code)
{
    g_autoptr(GError) error = NULL;
    Fake fake = {.says = says};
    Peer peer = {0};
    int ours;
    GThread *thread = fake_start(&fake, &ours);

    g_assert_null(swtpm_new(ours, &ops, &peer, &error));
    g_assert_error(error, SWTPM_ERROR, (int)code);
    g_assert_null(peer.lost);
    fake_finish(&fake, thread);
}

static void
test_no_swtpm(void)
{
    expect_no_swtpm("", SWTPM_ERROR_LOST);
    expect_no_swtpm("h", SWTPM_ERROR_LOST);
    expect_no_swtpm("n", SWTPM_ERROR_FOREIGN);
    expect_no_swtpm("c", SWTPM_ERROR_LOST);
    expect_no_swtpm("c1", SWTPM_ERROR_REFUSED);
}

static void
expect_start(const char *says, int code)
{
    g_autoptr(GError) error = NULL;
    Fake fake = {.says = says};
    Peer peer = {0};
    int ours;
    GThread *thread = fake_start(&fake, &ours);
    Swtpm *swtpm = swtpm_new(ours, &ops, &peer, &error);

    g_assert_no_error(error);
    g_assert_true(swtpm_start(swtpm, SIZE, &error) == (code < 0));
    if (code >= 0)
        g_assert_error(error, SWTPM_ERROR, code);
    g_assert_true(!!peer.lost == (code == SWTPM_ERROR_LOST));
    swtpm_free(swtpm);
    fake_finish(&fake, thread);
    peer_finish(&peer);
}

static void
test_start(void)
{
    expect_start("c00s0", -1);
    expect_start("c01", SWTPM_ERROR_REFUSED);
    expect_start("c00s1", SWTPM_ERROR_REFUSED);
    expect_start("c00", SWTPM_ERROR_LOST);
    expect_start("c00h", SWTPM_ERROR_LOST);
}

static void
expect_blob(size_t length, SwtpmError code)
{
    g_autoptr(GError) error = NULL;
    SwtpmBlob blobs[SWTPM_BLOBS] = {0};
    Fake fake = {.says = "c0b", .blob_length = length};
    Peer peer = {0};
    int ours;
    GThread *thread = fake_start(&fake, &ours);
    Swtpm *swtpm = swtpm_new(ours, &ops, &peer, &error);

    g_assert_false(swtpm_get_state(swtpm, blobs, &error));
    g_assert_error(error, SWTPM_ERROR, (int)code);
    g_assert_nonnull(peer.lost);
    g_assert_null(blobs[0].bytes);
    swtpm_free(swtpm);
    fake_finish(&fake, thread);
    peer_finish(&peer);
}

static void
test_bad_state(void)
{
    expect_blob(UINT32_MAX, SWTPM_ERROR_FOREIGN);
    expect_blob(SWTPM_BLOB_MAX + 1, SWTPM_ERROR_FOREIGN);
    expect_blob(SWTPM_BLOB_MAX, SWTPM_ERROR_LOST); /* and then hangs up */
}

/* A command is sent; what comes back is no response. */
static void
expect_bad_response(const void *bytes, size_t len, bool ask)
{
    g_autoptr(GError) error = NULL;
    Fake fake = {.says = "c0"};
    Peer peer = {0};
    int ours;
    GThread *thread = fake_start(&fake, &ours);
    Swtpm *swtpm = swtpm_new(ours, &ops, &peer, &error);

    g_thread_join(thread);
    if (ask)
        g_assert_true(swtpm_send(swtpm, startup, sizeof(startup)));
    if (len)
        put(fake.data, bytes, len);
    else
        shutdown(fake.data, SHUT_RDWR);
    while (!peer.lost)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(peer.responses, ==, 0);
    g_assert_false(swtpm_send(swtpm, startup, sizeof(startup)));
    swtpm_finish(swtpm); /* nothing to wait for */
    swtpm_free(swtpm);
    close(fake.control);
    close(fake.data);
    peer_finish(&peer);
}

static void
test_bad_responses(void)
{
    static const uint8_t sound[12] = {0x80, 1, 0, 0, 0, 10}, small[12] = {0x80, 1, 0, 0, 0, 9},
                         large[12] = {0x80, 1, 0xff, 0xff, 0xff, 0xff}, long_one[12] = {0x80, 1, 0, 0, 0x10, 1};

    expect_bad_response(sound, 11, true); /* a byte too many */
    expect_bad_response(sound, 10, false);
    expect_bad_response(small, 12, true);
    expect_bad_response(large, 12, true);
    expect_bad_response(long_one, 12, true);
    expect_bad_response(NULL, 0, true);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    g_test_add_func("/swtpm/real", test_real);
    g_test_add_func("/swtpm/state", test_state);
    g_test_add_func("/swtpm/no-swtpm", test_no_swtpm);
    g_test_add_func("/swtpm/start", test_start);
    g_test_add_func("/swtpm/bad-state", test_bad_state);
    g_test_add_func("/swtpm/bad-responses", test_bad_responses);
    return g_test_run();
}
