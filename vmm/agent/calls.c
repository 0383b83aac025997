/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on the agent's port. The one under way is first of the list; what the guest says while none is, is thrown away.
 *
 * A silent command (guest-shutdown) is followed by another sync: the agent works through what it is sent in order, so an
 * answer to that without an error before it says that the command was taken.
 */
#include "vmm/agent/calls.h"

#include "vmm/agent/lines.h"

#include <string.h>

#define SYNC_SECONDS 5

typedef enum {
    IDLE,
    SYNC,    /* waits for the sync's answer */
    COMMAND, /* and for the command's */
} Phase;

typedef struct {
    AgentCommand command;
    GuestAgentDone done;
    void *user;
} Call;

struct AgentCalls {
    VirtioConsolePort *port;
    Clock *clock;
    ClockTimer *timer;
    int64_t due;
    void (*opened)(void *user, bool open);
    void *user;

    GQueue waiting; /* of Call; the first may be under way */
    Phase phase;
    uint32_t id; /* of the latest sync */
    AgentLines lines;
    GByteArray *output; /* not yet taken by the guest */
};

static void start_next(AgentCalls *calls);

static void
set_due(AgentCalls *calls, int64_t due)
{
    calls->due = due;
    clock_timer_set(calls->timer, due);
}

static void
flush(AgentCalls *calls)
{
    size_t taken = console_port_write(calls->port, calls->output->data, calls->output->len);
    if (taken)
        g_byte_array_remove_range(calls->output, 0, taken);
}

static void
send(AgentCalls *calls, const char *text)
{
    g_byte_array_append(calls->output, (const guint8 *)text, strlen(text));
    flush(calls);
}

/* @begin: "\xff" has the agent forget half a command that somebody else left, and complain, which is passed over; or "". */
static void
send_sync(AgentCalls *calls, const char *begin)
{
    g_autofree char *text = NULL;

    calls->id = (calls->id + 1) & INT32_MAX;
    text = g_strdup_printf("%s{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%u}}\n", begin, calls->id);
    send(calls, text);
}

static void
send_command(AgentCalls *calls, const Call *call)
{
    g_autofree char *arguments = call->command.arguments ? call->command.arguments(calls->clock) : NULL;
    g_autofree char *text =
        g_strdup_printf("{\"execute\":\"%s\",\"arguments\":%s}\n", call->command.command, arguments ? arguments : "{}");

    calls->phase = COMMAND;
    set_due(calls, clock_now(calls->clock) + call->command.seconds * CLOCK_SECOND);
    send(calls, text);
    if (call->command.silent)
        send_sync(calls, ""); /* a complaint would be taken for the command's answer */
}

/* The first call is over. @result may be floating. */
static void
finish(AgentCalls *calls, GVariant *result, const GError *error)
{
    g_autoptr(GVariant) owned = result ? g_variant_ref_sink(result) : NULL;
    Call *call = g_queue_pop_head(&calls->waiting);

    calls->phase = IDLE;
    set_due(calls, CLOCK_NEVER);
    g_byte_array_set_size(calls->output, 0);
    call->done(call->user, owned, error);
    g_free(call);
    start_next(calls);
}

static void
fail(AgentCalls *calls, AgentError code, const char *why)
{
    g_autoptr(GError) error = g_error_new_literal(AGENT_ERROR, code, why);
    finish(calls, NULL, error);
}

static void
start_next(AgentCalls *calls)
{
    if (calls->phase != IDLE || g_queue_is_empty(&calls->waiting))
        return;
    if (!console_port_guest_is_open(calls->port)) {
        fail(calls, AGENT_ERROR_ABSENT, "no agent runs in the guest (the package qemu-guest-agent)");
        return;
    }
    calls->phase = SYNC;
    set_due(calls, clock_now(calls->clock) + SYNC_SECONDS * CLOCK_SECOND);
    send_sync(calls, "\xff");
}

/* Whether a delimited line is the answer to the latest sync. */
static bool
is_sync(const AgentCalls *calls)
{
    g_autoptr(GVariant) id = NULL;
    gint64 number;

    if (!calls->lines.delimited || calls->lines.too_long)
        return false;
    id = agent_reply_parse(calls->lines.text->str, calls->lines.text->len, AGENT_RESULT_NUMBER, NULL);
    if (!id)
        return false;
    g_variant_ref_sink(id);
    g_variant_get(id, "(x)", &number);
    return number == calls->id;
}

static void
take_answer(AgentCalls *calls, const Call *call)
{
    g_autoptr(GError) error = NULL;
    const GString *text = calls->lines.text;
    GVariant *result;

    if (calls->lines.too_long) {
        fail(calls, AGENT_ERROR_MALFORMED, "the guest's agent answered more than is sound");
        return;
    }
    if (!text->len)
        return;
    result = agent_reply_parse(text->str, text->len, call->command.result, &error);
    if (call->command.silent && result) {
        g_variant_unref(g_variant_ref_sink(result)); /* taken; the sync's answer follows */
        return;
    }
    finish(calls, result, error);
}

static void
take_line(AgentCalls *calls)
{
    const Call *call = g_queue_peek_head(&calls->waiting);

    if (calls->phase == IDLE)
        return;
    if (is_sync(calls)) {
        if (calls->phase == SYNC)
            send_command(calls, call);
        else if (call->command.silent)
            finish(calls, g_variant_new("()"), NULL);
    } else if (calls->phase == COMMAND && !calls->lines.delimited) {
        take_answer(calls, call);
    }
}

static size_t
on_data(void *back_end, const void *bytes, size_t len)
{
    AgentCalls *calls = back_end;
    const uint8_t *at = bytes;
    size_t left = len;

    while (calls->phase != IDLE && left)
        if (agent_lines_next(&calls->lines, &at, &left))
            take_line(calls);
    if (calls->phase == IDLE)
        agent_lines_clear(&calls->lines);
    return len;
}

static void
on_guest_open(void *back_end, bool open)
{
    AgentCalls *calls = back_end;

    agent_lines_clear(&calls->lines);
    calls->opened(calls->user, open);
    if (!open && calls->phase != IDLE)
        fail(calls, AGENT_ERROR_ABSENT, "the guest's agent went away");
}

static void
on_writable(void *back_end)
{
    flush(back_end);
}

static const ConsolePortOps port_ops = {
    .data = on_data,
    .guest_open = on_guest_open,
    .writable = on_writable,
};

static void
on_due(void *user)
{
    AgentCalls *calls = user;

    if (calls->phase != IDLE && clock_now(calls->clock) >= calls->due)
        fail(calls, AGENT_ERROR_SILENT, "the guest's agent does not answer");
}

AgentCalls *
agent_calls_new(VirtioDevice *console, Clock *clock, void (*opened)(void *user, bool open), void *user)
{
    AgentCalls *calls = g_new0(AgentCalls, 1);

    calls->clock = clock;
    calls->timer = clock_timer_new(clock, on_due, calls);
    calls->due = CLOCK_NEVER;
    calls->opened = opened;
    calls->user = user;
    calls->id = g_random_int();
    g_queue_init(&calls->waiting);
    agent_lines_init(&calls->lines);
    calls->output = g_byte_array_new();
    calls->port = virtio_console_add_port(console, AGENT_PORT_NAME, &port_ops, calls);
    console_port_set_open(calls->port, true);
    return calls;
}

void
agent_calls_free(AgentCalls *calls)
{
    g_autoptr(GError) error = g_error_new_literal(AGENT_ERROR, AGENT_ERROR_ABSENT, "the desktop has ended");

    if (!calls)
        return;
    for (Call *call; (call = g_queue_pop_head(&calls->waiting));) {
        call->done(call->user, NULL, error);
        g_free(call);
    }
    clock_timer_free(calls->timer);
    agent_lines_finish(&calls->lines);
    g_byte_array_unref(calls->output);
    g_free(calls);
}

bool
agent_calls_are_open(const AgentCalls *calls)
{
    return console_port_guest_is_open(calls->port);
}

void
agent_calls_add(AgentCalls *calls, const AgentCommand *command, GuestAgentDone done, void *user)
{
    if (calls->waiting.length >= AGENT_WAITING_MAX) {
        g_autoptr(GError) error =
            g_error_new_literal(AGENT_ERROR, AGENT_ERROR_BUSY, "the guest's agent has enough to do: try again later");
        done(user, NULL, error);
        return;
    }
    Call *call = g_new(Call, 1);
    *call = (Call){*command, done, user};
    g_queue_push_tail(&calls->waiting, call);
    start_next(calls);
}
