/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/sink.h"
#include "appliance/storage/copy.h"
#include "appliance/storage/error.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <unistd.h>

#define BUFFER_SIZE (UINT64_C(1) << 20)

typedef struct {
    int from, to;
    const SinkLimits *limits;
    Work *work;
    gnutls_hash_hd_t sum; /* not GLib's, which is slower than networks are */
    uint8_t *buffer;
    uint64_t size;      /* so far */
    uint64_t asked_for; /* room up to here */
} Sink;

/* Waits for bytes, or for nobody wanting them any more. Returns how many there are; -1 with an error. */
static ssize_t
receive(Sink *sink, GError **error)
{
    GPollFD cancelled = {.fd = -1};
    bool can_cancel = g_cancellable_make_pollfd(sink->work->cancellable, &cancelled);
    struct pollfd fds[] = {{.fd = sink->from, .events = POLLIN},
                           {.fd = can_cancel ? cancelled.fd : -1, .events = POLLIN}};
    ssize_t got = -1;

    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    if (can_cancel)
        g_cancellable_release_fd(sink->work->cancellable);
    if (!work_goes_on(sink->work, error))
        return -1;
    do
        got = read(sink->from, sink->buffer, BUFFER_SIZE);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        storage_fail_errno(error, "receive the upload");
    return got;
}

static bool
may_take(Sink *sink, uint64_t more, GError **error)
{
    const SinkLimits *limits = sink->limits;
    uint64_t most = limits->expected ? limits->expected : limits->most;

    if (more > most - sink->size)
        return storage_fail(error, STORAGE_ERROR_INVALID,
                            "the upload is longer than the %" G_GUINT64_FORMAT " bytes that %s", most,
                            limits->expected ? "were announced" : "it may have");
    if (sink->size + more <= sink->asked_for)
        return true;
    sink->asked_for = sink->size + MAX(more, SINK_ASK);
    return limits->has_room(limits->user, more, error);
}

/* Whole buffers of zeros become holes. */
static bool
keep(Sink *sink, size_t length, GError **error)
{
    const uint8_t *bytes = sink->buffer;

    if (gnutls_hash(sink->sum, bytes, length) < 0)
        return storage_fail(error, STORAGE_ERROR_FAILED, "cannot sum the upload up");
    if (copy_is_zero(bytes, length)) {
        sink->size += length;
        return true;
    }
    while (length) {
        ssize_t written = pwrite(sink->to, bytes, length, (off_t)sink->size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return storage_fail_errno(error, "keep the upload");
        bytes += written;
        length -= (size_t)written;
        sink->size += (uint64_t)written;
    }
    return true;
}

static bool
fill(Sink *sink, GError **error)
{
    for (;;) {
        ssize_t got = receive(sink, error);
        if (got <= 0)
            return got == 0;
        if (!may_take(sink, (uint64_t)got, error) || !keep(sink, (size_t)got, error))
            return false;
        work_tell(sink->work, sink->size, MAX(sink->limits->expected, sink->size + 1));
    }
}

static bool
is_whole(const Sink *sink, GError **error)
{
    uint64_t expected = sink->limits->expected;

    if (expected && sink->size != expected)
        return storage_fail(error, STORAGE_ERROR_INVALID,
                            "the upload broke off: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes came",
                            sink->size, expected);
    return ftruncate(sink->to, (off_t)sink->size) == 0 || storage_fail_errno(error, "keep the upload");
}

static char *
in_hexadecimal(gnutls_hash_hd_t sum)
{
    uint8_t digest[32];
    GString *text = g_string_sized_new(2 * sizeof(digest));

    gnutls_hash_output(sum, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        g_string_append_printf(text, "%02x", digest[i]);
    return g_string_free_and_steal(text);
}

bool
sink_fill(int from, int to, const SinkLimits *limits, Work *work, uint64_t *size, char **sha256, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(BUFFER_SIZE);
    Sink sink = {from, to, limits, work, NULL, buffer};

    if (gnutls_hash_init(&sink.sum, GNUTLS_DIG_SHA256) < 0)
        return storage_fail(error, STORAGE_ERROR_FAILED, "cannot sum the upload up");
    bool done = fill(&sink, error) && is_whole(&sink, error);
    if (done) {
        *size = sink.size;
        *sha256 = in_hexadecimal(sink.sum);
    }
    gnutls_hash_deinit(sink.sum, NULL);
    return done;
}
