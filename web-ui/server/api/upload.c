/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's bytes on their way to carreld's pipe. What the pipe does not take stops the reading, so nothing piles up:
 *
 *   head ─▶ Upload ─▶ pipe ─▶ chunks go in as they come ─▶ the end closes the pipe, and answers with the job
 */
#include "web-ui/server/api/handlers.h"

#include "web-ui/server/api/api.h"
#include "web-ui/server/port/visitor.h"

#include <errno.h>
#include <glib-unix.h>
#include <unistd.h>

/* Seconds in which something must have come. */
#define PROGRESS_SECONDS 60

typedef struct {
    ApiCall *call;
    char *job;
    int sink;
    GByteArray *rest; /* of a chunk, that the pipe did not take */
    guint waiting;    /* for the pipe */
    bool all_here;
    bool failed;
} Upload;

static void
upload_free(Upload *upload)
{
    g_signal_handlers_disconnect_by_data(upload->call->message, upload);
    g_clear_handle_id(&upload->waiting, g_source_remove);
    if (upload->sink >= 0)
        close(upload->sink);
    g_byte_array_unref(upload->rest);
    g_free(upload->job);
    g_free(upload);
}

static void
keep_alive(Upload *upload)
{
    Visitor *visitor = visitor_of_address(soup_server_message_get_remote_address(upload->call->message));

    if (visitor)
        visitor_serve(visitor, PROGRESS_SECONDS);
}

static void
answer(Upload *upload)
{
    ApiCall *call = upload->call;
    g_autofree char *job = g_steal_pointer(&upload->job);
    bool failed = upload->failed;

    upload_free(upload);
    if (failed)
        api_refuse(call, 500, "failed", NULL, "the host takes no more of the image: its job says why");
    else
        api_answer_value(call, SOUP_STATUS_ACCEPTED, g_variant_new_parsed("{'job': %s}", job));
}

/* How much the pipe took. When its reader has gone the rest goes nowhere, and the answer says so. */
static gsize
give(Upload *upload, const guint8 *bytes, gsize len)
{
    gsize given = 0;

    while (given < len && !upload->failed) {
        ssize_t n = write(upload->sink, bytes + given, len - given);
        if (n < 0 && errno == EAGAIN)
            return given;
        if (n < 0 && errno != EINTR)
            upload->failed = true;
        given += n > 0 ? n : 0;
    }
    return upload->failed ? len : given;
}

static gboolean
on_pipe_ready(int fd, GIOCondition condition, void *data)
{
    Upload *upload = data;
    gsize given = give(upload, upload->rest->data, upload->rest->len);

    g_byte_array_remove_range(upload->rest, 0, given);
    keep_alive(upload);
    if (upload->rest->len)
        return G_SOURCE_CONTINUE;
    upload->waiting = 0;
    if (upload->all_here || upload->failed)
        answer(upload);
    else
        soup_server_message_unpause(upload->call->message);
    return G_SOURCE_REMOVE;
}

static void
on_chunk(SoupServerMessage *message, GBytes *chunk, Upload *upload)
{
    gsize len;
    const guint8 *bytes = g_bytes_get_data(chunk, &len);
    gsize given = upload->rest->len ? 0 : give(upload, bytes, len);

    keep_alive(upload);
    if (upload->failed)
        answer(upload);
    if (given == len)
        return;
    g_byte_array_append(upload->rest, bytes + given, len - given);
    soup_server_message_pause(message);
    if (!upload->waiting)
        upload->waiting = g_unix_fd_add(upload->sink, G_IO_OUT | G_IO_ERR | G_IO_HUP, on_pipe_ready, upload);
}

static void
on_body(SoupServerMessage *message, Upload *upload)
{
    upload->all_here = true;
    soup_server_message_pause(message); /* answering goes on with it */
    if (!upload->waiting)
        answer(upload);
}

/* The client has gone: the pipe closes too early, and the job fails. */
static void
on_gone(SoupServerMessage *message, Upload *upload)
{
    ApiCall *call = upload->call;

    upload_free(upload);
    api_call_free(call);
}

static void
on_sink(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    Upload *upload = g_new0(Upload, 1);
    gint32 index;

    g_variant_get(reply, "(hs)", &index, &upload->job);
    upload->call = call;
    upload->rest = g_byte_array_new();
    upload->sink = fds ? g_unix_fd_list_get(fds, index, NULL) : -1;
    if (upload->sink < 0) {
        upload_free(upload);
        api_refuse(call, 500, "failed", NULL, "the host takes no image");
        return;
    }
    g_unix_set_fd_nonblocking(upload->sink, TRUE, NULL);
    g_signal_connect(call->message, "got-chunk", G_CALLBACK(on_chunk), upload);
    g_signal_connect(call->message, "got-body", G_CALLBACK(on_body), upload);
    g_signal_connect(call->message, "finished", G_CALLBACK(on_gone), upload);
    g_signal_connect(call->message, "disconnected", G_CALLBACK(on_gone), upload);
    keep_alive(upload);
    soup_server_message_unpause(call->message);
}

void
handle_upload(ApiCall *call)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(call->message);
    guint64 bytes = soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH
                        ? soup_message_headers_get_content_length(headers)
                        : 0;

    api_call_host(call, "Upload", g_variant_new("(sst)", call->session, call->parameters[0], bytes), on_sink);
}
