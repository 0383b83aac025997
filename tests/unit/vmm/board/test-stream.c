/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: every byte arrives in order, a full buffer pushes back, peers come and go, and an idle one polls nothing. */
#include "vmm/board/stream.h"

#include "vmm/board/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    size_t room;
    GByteArray *got;
    unsigned drained, came, went;
} User;

static size_t
user_room(void *user)
{
    return ((User *)user)->room;
}

static void
user_input(void *user, const uint8_t *bytes, size_t len)
{
    User *self = user;
    g_assert_cmpuint(len, <=, self->room);
    self->room -= len;
    g_byte_array_append(self->got, bytes, len);
}

static void
user_drained(void *user)
{
    ((User *)user)->drained++;
}

static void
user_connected(void *user, bool connected)
{
    User *self = user;
    self->came += connected;
    self->went += !connected;
}

static const StreamOps user_ops = {user_room, user_input, user_drained, user_connected};

static void
settle(void)
{
    g_usleep(2000); /* what is gathered for a millisecond is due */
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

/* The loop has nothing to wait for but what @n_fds descriptors report. */
static void
assert_idle(unsigned n_fds)
{
    int priority, timeout;
    GPollFD fds[8];

    settle();
    g_assert_true(g_main_context_acquire(NULL));
    g_main_context_prepare(NULL, &priority);
    int n = g_main_context_query(NULL, priority, &timeout, fds, G_N_ELEMENTS(fds));
    g_main_context_release(NULL);
    g_assert_cmpint(n, ==, n_fds + 1); /* the loop's own wake-up */
    g_assert_cmpint(timeout, ==, -1);
}

static void
test_file(void)
{
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "test-stream-XXXXXX", NULL);
    close(g_mkstemp(path));
    g_autofree char *where = g_strconcat("file:", path, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(Stream) stream = stream_open(where, stream_in_foreground(), NULL, &error);
    g_assert_no_error(error);
    for (const char *at = "hello"; *at; at++)
        g_assert_cmpuint(stream_write(stream, at, 1), ==, 1);
    assert_idle(0);
    stream_write(stream, " world", 6);
    g_clear_pointer(&stream, stream_free); /* writes out what is left */

    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "hello world");
    unlink(path);
}

static void
test_backpressure(void)
{
    int pair[2];
    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
    User user = {.got = g_byte_array_new()};
    Stream *stream = stream_new_fds(pair[0], pair[0], NULL);
    stream_set_user(stream, &user_ops, &user);

    /* More than the buffer and the socket hold: numbered words, until one is not taken whole. */
    uint32_t sent = 0, seen = 0;
    size_t part = 4;
    for (; part == 4; sent++) {
        part = stream_write(stream, &sent, 4);
        if (sent % 1000 == 0)
            while (g_main_context_iteration(NULL, FALSE))
                ;
        g_assert_cmpuint(sent, <, 1000000);
    }
    g_assert_cmpuint(part, ==, 0);
    g_assert_true(stream_full(stream));
    sent--;

    while (seen < sent) {
        uint32_t word = 0;
        while (read(pair[1], &word, 4) == 4) {
            g_assert_cmpuint(word, ==, seen);
            seen++;
        }
        settle();
    }
    g_assert_cmpuint(user.drained, ==, 1);
    g_assert_false(stream_full(stream));
    stream_free(stream);
    close(pair[1]);
    g_byte_array_unref(user.got);
}

/* Writes again whatever was taken, as a vCPU may at the same time. */
typedef struct {
    User user;
    Stream *stream;
    unsigned refills;
} Flood;

static void
flood_drained(void *user)
{
    static const uint8_t bytes[STREAM_BUFFER_SIZE];
    Flood *flood = user;

    if (flood->refills < 1000) {
        flood->refills++;
        stream_write(flood->stream, bytes, sizeof(bytes));
    }
}

static void
test_flood_leaves_the_loop(void)
{
    static const StreamOps ops = {user_room, user_input, flood_drained, NULL};
    Flood flood = {.stream = stream_new_fds(-1, open("/dev/null", O_WRONLY | O_CLOEXEC), NULL)};

    stream_set_user(flood.stream, &ops, &flood);
    flood_drained(&flood);
    g_main_context_iteration(NULL, FALSE);
    g_assert_cmpuint(flood.refills, <, 10);
    for (unsigned i = 0; i < 10; i++) /* and the rest goes out without being asked */
        g_main_context_iteration(NULL, FALSE);
    g_assert_cmpuint(flood.refills, >=, 10);
    stream_free(flood.stream);
}

static void
test_input_waits_for_room(void)
{
    int pair[2];
    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    User user = {.room = 3, .got = g_byte_array_new()};
    Stream *stream = stream_new_fds(pair[0], pair[0], NULL);
    stream_set_user(stream, &user_ops, &user);

    g_assert_cmpint(write(pair[1], "abcdef", 6), ==, 6);
    assert_idle(0); /* bytes wait, nobody asks for them: not polled */
    g_assert_cmpmem(user.got->data, user.got->len, "abc", 3);
    close(pair[1]);
    assert_idle(0); /* nor for its hang-up */
    user.room = 10;
    stream_resume_input(stream);
    settle();
    g_assert_cmpmem(user.got->data, user.got->len, "abcdef", 6);
    assert_idle(0);
    g_assert_cmpuint(stream_write(stream, "x", 1), ==, 1); /* swallowed */
    stream_free(stream);
    g_byte_array_unref(user.got);
}

/* Of two pipes, input that ended leaves output working. */
static void
test_end_of_input(void)
{
    int in[2], out[2];
    char byte;
    g_assert_no_errno(pipe2(in, O_CLOEXEC));
    g_assert_no_errno(pipe2(out, O_CLOEXEC));
    User user = {.room = 1, .got = g_byte_array_new()};
    Stream *stream = stream_new_fds(in[0], out[1], NULL);
    stream_set_user(stream, &user_ops, &user);
    close(in[1]);
    assert_idle(0);
    stream_write(stream, "y", 1);
    settle();
    g_assert_cmpint(read(out[0], &byte, 1), ==, 1);
    g_assert_cmpint(byte, ==, 'y');
    close(out[0]);
    stream_write(stream, "z", 1); /* a broken pipe: swallowed, no signal */
    assert_idle(0);
    stream_free(stream);
    g_byte_array_unref(user.got);
}

static int
connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_no_errno(connect(fd, (struct sockaddr *)&address, sizeof(address)));
    return fd;
}

static void
test_socket(void)
{
    g_autofree char *folder = g_dir_make_tmp("test-stream-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "port", NULL);
    User user = {.room = 100, .got = g_byte_array_new()};
    Stream *stream = stream_new_listener(listener_new(path, NULL), NULL);
    char bytes[8];

    stream_set_user(stream, &user_ops, &user);
    stream_write(stream, "lost", 4);
    assert_idle(1);
    int one = connect_to(path);
    settle();
    g_assert_cmpuint(user.came, ==, 1);
    stream_write(stream, "first", 5);
    settle();
    g_assert_cmpint(read(one, bytes, sizeof(bytes)), ==, 5);
    g_assert_cmpmem(bytes, 5, "first", 5);

    int two = connect_to(path); /* waits until the first has gone */
    g_assert_cmpint(write(two, "2", 1), ==, 1);
    settle();
    g_assert_cmpuint(user.came, ==, 1);
    g_assert_cmpint(write(one, "1", 1), ==, 1);
    close(one);
    settle();
    g_assert_cmpuint(user.went, ==, 1);
    g_assert_cmpuint(user.came, ==, 2);
    g_assert_cmpmem(user.got->data, user.got->len, "12", 2);

    stream_free(stream);
    close(two);
    g_assert_no_errno(unlink(path));
    g_assert_no_errno(rmdir(folder));
    g_byte_array_unref(user.got);
}

static void
test_refusals(void)
{
    static const struct {
        const char *where, *says;
    } wrong[] = {
        {"tcp:1234", "neither stdio"},
        {"file:/nowhere/at/all", "No such file"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(stream_open(wrong[i].where, false, NULL, &error));
        g_assert_nonnull(error);
        g_assert_nonnull(strstr(error->message, wrong[i].where));
        g_assert_nonnull(strstr(error->message, wrong[i].says));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN); /* as the VMM does */
    g_test_add_func("/stream/file", test_file);
    g_test_add_func("/stream/backpressure", test_backpressure);
    g_test_add_func("/stream/flood", test_flood_leaves_the_loop);
    g_test_add_func("/stream/input-waits-for-room", test_input_waits_for_room);
    g_test_add_func("/stream/end-of-input", test_end_of_input);
    g_test_add_func("/stream/socket", test_socket);
    g_test_add_func("/stream/refusals", test_refusals);
    return g_test_run();
}
