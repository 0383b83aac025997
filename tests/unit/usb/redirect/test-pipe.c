/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from thread to thread: none lost, none waited for, the other woken when it must be and no more often. */
#include "usb/redirect/pipe.h"

#include <stdint.h>

static void
test_wakes(void)
{
    g_autoptr(Pipe) pipe = pipe_new(8);
    char bytes[8];
    bool wake;

    g_assert_cmpuint(pipe_write(pipe, "abc", 3, &wake), ==, 3);
    g_assert_true(wake); /* a reader that never looked waits */
    g_assert_cmpuint(pipe_write(pipe, "defghi", 6, &wake), ==, 5);
    g_assert_false(wake);
    g_assert_cmpuint(pipe_read(pipe, bytes, 3, &wake), ==, 3);
    g_assert_false(wake); /* not yet half free */
    g_assert_cmpuint(pipe_read(pipe, bytes, 1, &wake), ==, 1);
    g_assert_true(wake);
    g_assert_cmpuint(pipe_write(pipe, "ijkl", 4, &wake), ==, 4); /* past the ring's end */
    g_assert_false(wake);
    g_assert_cmpuint(pipe_read(pipe, bytes, 8, &wake), ==, 8);
    g_assert_cmpmem(bytes, 8, "efghijkl", 8);
    g_assert_false(wake);
    g_assert_cmpuint(pipe_read(pipe, bytes, 8, &wake), ==, 0);
    g_assert_cmpuint(pipe_write(pipe, "m", 1, &wake), ==, 1);
    g_assert_true(wake);
    pipe_clear(pipe);
    g_assert_cmpuint(pipe_read(pipe, bytes, 8, &wake), ==, 0);
}

typedef struct {
    Pipe *pipe;
    GMutex lock;
    GCond changed;
    bool reader_woken, writer_woken;
} Ends;

#define TOTAL (4u << 20)

static void
wake_up(Ends *ends, bool *end, bool wake)
{
    if (!wake)
        return;
    g_mutex_lock(&ends->lock);
    *end = true;
    g_cond_broadcast(&ends->changed);
    g_mutex_unlock(&ends->lock);
}

static void
sleep_until(Ends *ends, bool *end)
{
    g_mutex_lock(&ends->lock);
    while (!*end)
        g_cond_wait(&ends->changed, &ends->lock);
    *end = false;
    g_mutex_unlock(&ends->lock);
}

static gpointer
write_all(gpointer user)
{
    Ends *ends = user;
    uint8_t bytes[777];
    bool wake;

    for (uint32_t sent = 0; sent < TOTAL;) {
        size_t n = MIN(sizeof bytes, TOTAL - sent);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)((sent + i) * 31 >> 3);
        size_t took = pipe_write(ends->pipe, bytes, n, &wake);
        sent += (uint32_t)took;
        wake_up(ends, &ends->reader_woken, wake);
        if (took < n)
            sleep_until(ends, &ends->writer_woken);
    }
    return NULL;
}

/* Each end sleeps whenever the pipe lets it: a wake-up that is missing would stop it all. */
static void
test_two_threads(void)
{
    Ends ends = {.pipe = pipe_new(4096)};
    uint8_t bytes[1000];
    bool wake;

    g_mutex_init(&ends.lock);
    g_cond_init(&ends.changed);
    GThread *writer = g_thread_new("writer", write_all, &ends);
    for (uint32_t got = 0; got < TOTAL;) {
        size_t n = pipe_read(ends.pipe, bytes, sizeof bytes, &wake);
        wake_up(&ends, &ends.writer_woken, wake);
        for (size_t i = 0; i < n; i++)
            g_assert_cmpuint(bytes[i], ==, (uint8_t)((got + i) * 31 >> 3));
        got += (uint32_t)n;
        if (n < sizeof bytes && got < TOTAL)
            sleep_until(&ends, &ends.reader_woken);
    }
    g_thread_join(writer);
    g_mutex_clear(&ends.lock);
    g_cond_clear(&ends.changed);
    pipe_free(ends.pipe);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/usb/pipe/wakes", test_wakes);
    g_test_add_func("/usb/pipe/two-threads", test_two_threads);
    return g_test_run();
}
