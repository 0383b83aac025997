/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swtpm's control channel and data socket. Control messages are big-endian words: a command and its arguments; the answer is
 * a result, 0 for success, and more where there is more.
 */
#include "vmm/tpm/swtpm.h"

#include "vmm/board/bytes.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

G_DEFINE_QUARK(carrel - swtpm - error - quark, swtpm_error)

#define CONTROL_TIMEOUT_MS 20000
#define COMMAND_TIMEOUT_MS (5 * 60 * 1000) /* the longest there is makes an RSA key */

/* Control commands (CMD_*). */
#define GET_CAPABILITY 0x01
#define INIT 0x02
#define SHUTDOWN 0x03
#define GET_STATE_BLOB 0x0c
#define SET_STATE_BLOB 0x0d
#define STOP 0x0e
#define SET_DATA_FD 0x10
#define SET_BUFFER_SIZE 0x11

/* Capabilities (PTM_CAP_*): init, shutdown, state blobs both ways, stop, data descriptor, buffer size. */
#define CAPABILITIES (1u << 0 | 1u << 1 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 12 | 1u << 13)

#define NON_FATAL 0x800u        /* a result: there is no such state now */
#define INIT_DELETE_VOLATILE 1u /* the volatile state just loaded is not for another start */

struct Swtpm {
    int control;
    int data;
    GSource *watch; /* of the data socket */
    const SwtpmOps *ops;
    void *user;
    gint lost;    /* atomic, as the next */
    gint pending; /* a command is under way */
    uint8_t response[SWTPM_MESSAGE_MAX];
    size_t n_response;
};

static void
lose(Swtpm *swtpm, const char *why)
{
    if (!g_atomic_int_compare_and_exchange(&swtpm->lost, false, true))
        return;
    if (swtpm->watch)
        g_source_destroy(swtpm->watch);
    g_atomic_int_set(&swtpm->pending, false);
    swtpm->ops->lost(swtpm->user, why);
}

static uint32_t
get_word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

static void
put_word(GByteArray *to, uint32_t value)
{
    const uint8_t bytes[] = {value >> 24, value >> 16, value >> 8, value};
    g_byte_array_append(to, bytes, sizeof(bytes));
}

/* ---- the control channel ---- */

static bool
fail(GError **error, SwtpmError code, const char *what)
{
    g_set_error(error, SWTPM_ERROR, (int)code, "swtpm %s", what);
    return false;
}

/* In µs of the monotonic clock. One for all of a message: who sends it byte by byte has no longer. */
static gint64
deadline_after(int timeout_ms)
{
    return g_get_monotonic_time() + timeout_ms * G_TIME_SPAN_MILLISECOND;
}

static bool
wait_for(int fd, short events, gint64 deadline)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    int n;

    do {
        gint64 left = MAX(deadline - g_get_monotonic_time(), 0);
        n = poll(&poll_fd, 1, (int)((left + 999) / 1000));
    } while (n < 0 && errno == EINTR);
    return n == 1;
}

/* Sends it all; @fd is passed along with the first byte unless -1. */
static bool
send_control(Swtpm *swtpm, const GByteArray *message, int fd)
{
    gint64 deadline = deadline_after(CONTROL_TIMEOUT_MS);
    char room[CMSG_SPACE(sizeof(int))] = {0};
    size_t done = 0;

    while (done < message->len) {
        struct iovec part = {message->data + done, message->len - done};
        struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
        if (fd >= 0 && !done) {
            header.msg_control = room;
            header.msg_controllen = sizeof(room);
            struct cmsghdr *passed = CMSG_FIRSTHDR(&header);
            passed->cmsg_level = SOL_SOCKET;
            passed->cmsg_type = SCM_RIGHTS;
            passed->cmsg_len = CMSG_LEN(sizeof(int));
            memcpy(CMSG_DATA(passed), &fd, sizeof(int));
        }
        ssize_t sent = sendmsg(swtpm->control, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN && wait_for(swtpm->control, POLLOUT, deadline))
            continue;
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        done += sent;
    }
    return true;
}

static bool
receive_control(Swtpm *swtpm, uint8_t *to, size_t len)
{
    gint64 deadline = deadline_after(CONTROL_TIMEOUT_MS);

    for (size_t done = 0; done < len;) {
        if (!wait_for(swtpm->control, POLLIN, deadline))
            return false;
        ssize_t got = read(swtpm->control, to + done, len - done);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return false;
        done += got;
    }
    return true;
}

/* Sends a message and takes @len bytes of its answer. What does not come whole leaves nothing to talk to. */
static bool
exchange(Swtpm *swtpm, const GByteArray *message, int fd, uint8_t *answer, size_t len, GError **error)
{
    if (!g_atomic_int_get(&swtpm->lost) && send_control(swtpm, message, fd) && receive_control(swtpm, answer, len))
        return true;
    lose(swtpm, "it does not answer on its control socket");
    return fail(error, SWTPM_ERROR_LOST, "does not answer on its control socket");
}

/* A command with @n arguments, whose answer is only a result. */
static bool
control(Swtpm *swtpm, const char *what, int fd, uint32_t command, const uint32_t *arguments, size_t n, GError **error)
{
    g_autoptr(GByteArray) message = g_byte_array_new();
    uint8_t result[4];

    put_word(message, command);
    for (size_t i = 0; i < n; i++)
        put_word(message, arguments[i]);
    if (!exchange(swtpm, message, fd, result, sizeof(result), error))
        return false;
    if (!get_word(result))
        return true;
    g_set_error(error, SWTPM_ERROR, SWTPM_ERROR_REFUSED, "swtpm cannot %s (0x%x)", what, get_word(result));
    return false;
}

static bool
check_capabilities(Swtpm *swtpm, GError **error)
{
    g_autoptr(GByteArray) message = g_byte_array_new();
    uint8_t capabilities[8];

    put_word(message, GET_CAPABILITY);
    if (!exchange(swtpm, message, -1, capabilities, sizeof(capabilities), error))
        return false;
    if ((get_word(capabilities + 4) & CAPABILITIES) == CAPABILITIES)
        return true;
    return fail(error, SWTPM_ERROR_FOREIGN, "lacks what is needed, or is something else: version 0.6 or later will do");
}

/* ---- commands and responses ---- */

static void
take_response(Swtpm *swtpm)
{
    size_t size = swtpm->n_response;

    swtpm->n_response = 0;
    if (!g_atomic_int_compare_and_exchange(&swtpm->pending, true, false))
        lose(swtpm, "it answers what it was not asked");
    else
        swtpm->ops->response(swtpm->user, swtpm->response, size);
}

static void
read_data(Swtpm *swtpm)
{
    ssize_t got = read(swtpm->data, swtpm->response + swtpm->n_response, sizeof(swtpm->response) - swtpm->n_response);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        lose(swtpm, "it has ended");
        return;
    }
    swtpm->n_response += got;
    if (swtpm->n_response < SWTPM_HEADER)
        return;
    uint32_t size = get_word(swtpm->response + 2);
    if (size < SWTPM_HEADER || size > sizeof(swtpm->response) || swtpm->n_response > size)
        lose(swtpm, "it sends what is no response of a TPM");
    else if (swtpm->n_response == size)
        take_response(swtpm);
}

static gboolean
on_data(int fd, GIOCondition condition, gpointer user)
{
    Swtpm *swtpm = user;

    read_data(swtpm);
    return g_atomic_int_get(&swtpm->lost) ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

bool
swtpm_send(Swtpm *swtpm, const uint8_t *command, size_t len)
{
    g_assert(len >= SWTPM_HEADER && len <= SWTPM_MESSAGE_MAX);
    if (g_atomic_int_get(&swtpm->lost))
        return false;
    g_atomic_int_set(&swtpm->pending, true);
    /* the socket is empty, and takes far more than this */
    if (write(swtpm->data, command, len) == (ssize_t)len)
        return true;
    g_atomic_int_set(&swtpm->pending, false);
    return false;
}

void
swtpm_finish(Swtpm *swtpm)
{
    gint64 deadline = deadline_after(COMMAND_TIMEOUT_MS);

    while (!g_atomic_int_get(&swtpm->lost) && g_atomic_int_get(&swtpm->pending)) {
        if (wait_for(swtpm->data, POLLIN, deadline))
            read_data(swtpm);
        else
            lose(swtpm, "it does not answer a command");
    }
}

/* ---- life and state ---- */

static bool
join_data(Swtpm *swtpm, GError **error)
{
    g_autofd int theirs = -1;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        g_set_error(error, SWTPM_ERROR, SWTPM_ERROR_LOST, "socketpair: %s", g_strerror(errno));
        return false;
    }
    swtpm->data = pair[0];
    theirs = pair[1];
    if (!control(swtpm, "take a data socket", theirs, SET_DATA_FD, NULL, 0, error))
        return false;
    g_unix_set_fd_nonblocking(swtpm->data, TRUE, NULL);
    swtpm->watch = g_unix_fd_source_new(swtpm->data, G_IO_IN | G_IO_HUP | G_IO_ERR);
    g_source_set_static_name(swtpm->watch, "swtpm");
    g_source_set_callback(swtpm->watch, G_SOURCE_FUNC(on_data), swtpm, NULL);
    g_source_attach(swtpm->watch, NULL);
    return true;
}

static void
ignore_loss(void *user, const char *why)
{
}

Swtpm *
swtpm_new(int fd, const SwtpmOps *ops, void *user, GError **error)
{
    static const SwtpmOps quiet = {.lost = ignore_loss};
    Swtpm *swtpm = g_new0(Swtpm, 1);

    g_assert(ops->response && ops->lost);
    swtpm->control = fd;
    swtpm->data = -1;
    swtpm->ops = &quiet; /* what goes wrong now is an error of this function */
    if (!check_capabilities(swtpm, error) || !join_data(swtpm, error)) {
        swtpm_free(swtpm);
        return NULL;
    }
    swtpm->ops = ops;
    swtpm->user = user;
    return swtpm;
}

void
swtpm_free(Swtpm *swtpm)
{
    g_autoptr(GByteArray) message = g_byte_array_new();

    if (!swtpm)
        return;
    if (swtpm->watch) {
        g_source_destroy(swtpm->watch);
        g_source_unref(swtpm->watch);
        put_word(message, SHUTDOWN);
        if (!g_atomic_int_get(&swtpm->lost))
            (void)send_control(swtpm, message, -1);
    }
    close(swtpm->control);
    if (swtpm->data >= 0)
        close(swtpm->data);
    g_free(swtpm);
}

static bool
stop(Swtpm *swtpm, GError **error)
{
    return control(swtpm, "stop its TPM", -1, STOP, NULL, 0, error);
}

static bool
power_on(Swtpm *swtpm, uint32_t buffer_size, uint32_t flags, GError **error)
{
    g_autoptr(GByteArray) message = g_byte_array_new();
    uint8_t answer[16]; /* result, size in use, least, most */

    put_word(message, SET_BUFFER_SIZE);
    put_word(message, buffer_size);
    if (!exchange(swtpm, message, -1, answer, sizeof(answer), error))
        return false;
    if (get_word(answer) || get_word(answer + 4) > buffer_size)
        return fail(error, SWTPM_ERROR_REFUSED, "cannot keep its messages as short as the device needs");
    return control(swtpm, "start its TPM: is its state broken, or in use by another?", -1, INIT, &flags, 1, error);
}

bool
swtpm_start(Swtpm *swtpm, uint32_t buffer_size, GError **error)
{
    return stop(swtpm, error) && power_on(swtpm, buffer_size, 0, error);
}

static const uint32_t blob_types[SWTPM_BLOBS] = {
    [SWTPM_PERMANENT] = 1,
    [SWTPM_VOLATILE] = 2,
    [SWTPM_SAVED] = 3,
};

static bool
get_blob(Swtpm *swtpm, SwtpmBlobKind kind, SwtpmBlob *blob, GError **error)
{
    g_autoptr(GByteArray) message = g_byte_array_new();
    uint8_t head[16]; /* result, flags, total length, length here */

    put_word(message, GET_STATE_BLOB);
    put_word(message, 0);
    put_word(message, blob_types[kind]);
    put_word(message, 0); /* offset */
    if (!exchange(swtpm, message, -1, head, sizeof(head), error))
        return false;
    uint32_t total = get_word(head + 8), len = get_word(head + 12);
    if (get_word(head) & ~NON_FATAL)
        return fail(error, SWTPM_ERROR_REFUSED, "does not give its state");
    if (len != total || len > SWTPM_BLOB_MAX) {
        lose(swtpm, "it sends what is no state of a TPM");
        return fail(error, SWTPM_ERROR_FOREIGN, "sends what is no state of a TPM");
    }
    blob->flags = get_word(head + 4);
    if (!len)
        return true;
    blob->bytes = g_byte_array_sized_new(len);
    g_byte_array_set_size(blob->bytes, len);
    if (receive_control(swtpm, blob->bytes->data, len))
        return true;
    lose(swtpm, "it does not send its state");
    return fail(error, SWTPM_ERROR_LOST, "does not send its state");
}

bool
swtpm_get_state(Swtpm *swtpm, SwtpmBlob blobs[SWTPM_BLOBS], GError **error)
{
    bool done = true;

    swtpm_blobs_clear(blobs);
    for (int kind = 0; kind < SWTPM_BLOBS && done; kind++)
        done = get_blob(swtpm, kind, &blobs[kind], error);
    if (!done)
        swtpm_blobs_clear(blobs);
    return done;
}

static bool
set_blob(Swtpm *swtpm, SwtpmBlobKind kind, const SwtpmBlob *blob, GError **error)
{
    g_autoptr(GByteArray) message = g_byte_array_new();
    uint8_t result[4];

    if (!blob->bytes || !blob->bytes->len)
        return true;
    put_word(message, SET_STATE_BLOB);
    put_word(message, blob->flags);
    put_word(message, blob_types[kind]);
    put_word(message, blob->bytes->len);
    g_byte_array_append(message, blob->bytes->data, blob->bytes->len);
    if (!exchange(swtpm, message, -1, result, sizeof(result), error))
        return false;
    return !get_word(result) || fail(error, SWTPM_ERROR_REFUSED, "does not take the saved state of the TPM");
}

bool
swtpm_resume(Swtpm *swtpm, uint32_t buffer_size, const SwtpmBlob blobs[SWTPM_BLOBS], GError **error)
{
    if (!stop(swtpm, error))
        return false;
    for (int kind = 0; kind < SWTPM_BLOBS; kind++)
        if (!set_blob(swtpm, kind, &blobs[kind], error))
            return false;
    return power_on(swtpm, buffer_size, INIT_DELETE_VOLATILE, error);
}

void
swtpm_blobs_clear(SwtpmBlob blobs[SWTPM_BLOBS])
{
    for (int kind = 0; kind < SWTPM_BLOBS; kind++) {
        g_clear_pointer(&blobs[kind].bytes, g_byte_array_unref);
        blobs[kind].flags = 0;
    }
}
