/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's agent over a real console port: calls in line, syncs, time-outs, freezes that end by themselves, the time. */
#include "driver.h"
#include "vmm/agent/agent.h"

#include <linux/virtio_console.h>
#include <string.h>

#define MULTIPORT (1ull << VIRTIO_CONSOLE_F_MULTIPORT)
#define CONTROL_IN 2
#define CONTROL_OUT 3
#define PORT 1
#define PORT_IN 4
#define PORT_OUT 5
#define BUFFERS 32
#define BUFFER_SIZE 256
#define WALL (INT64_C(1795251600) * CLOCK_SECOND)

typedef struct {
    VirtioDriver *driver;
    Clock *clock;
    GuestAgent *agent;
    bool connected, frozen; /* as last told */
    GString *heard;         /* by the guest, less what expect_*() took */
    uint64_t buffers[1024];
    unsigned answers;
    GVariant *result;
    GError *error;
} Fixture;

static void
on_changed(void *user, bool connected, bool frozen)
{
    Fixture *fixture = user;
    fixture->connected = connected;
    fixture->frozen = frozen;
}

static void
on_done(void *user, GVariant *result, const GError *error)
{
    Fixture *fixture = user;

    g_assert_true(!result == !!error);
    fixture->answers++;
    g_clear_pointer(&fixture->result, g_variant_unref);
    g_clear_error(&fixture->error);
    fixture->result = result ? g_variant_ref(result) : NULL;
    fixture->error = error ? g_error_copy(error) : NULL;
}

static void
post(Fixture *fixture, unsigned queue, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t address = virtio_driver_alloc(fixture->driver, BUFFER_SIZE);
        uint16_t id = virtio_driver_add(fixture->driver, queue, (VirtioBuffer[]){{address, BUFFER_SIZE, true}}, 1);
        if (queue == PORT_IN)
            fixture->buffers[id] = address;
    }
    virtio_driver_kick(fixture->driver, queue);
}

static void
control(Fixture *fixture, uint16_t event, uint16_t value)
{
    const struct virtio_console_control message = {PORT, event, value};
    virtio_driver_call(fixture->driver, CONTROL_OUT, &message, sizeof(message), NULL, 0);
    virtio_driver_run(fixture->driver);
}

static void
open_port(Fixture *fixture)
{
    control(fixture, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

static void
close_port(Fixture *fixture)
{
    control(fixture, VIRTIO_CONSOLE_PORT_OPEN, 0);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    *fixture = (Fixture){.driver = virtio_driver_new(0), .clock = clock_new_manual(WALL), .heard = g_string_new(NULL)};
    VirtioDevice *console = virtio_console_new("console0", fixture->driver->memory, 1);
    fixture->agent = guest_agent_new(console, fixture->clock, on_changed, fixture);
    virtio_driver_start(fixture->driver, console, MULTIPORT);
    post(fixture, CONTROL_IN, 8);
    control(fixture, VIRTIO_CONSOLE_DEVICE_READY, 1);
    control(fixture, VIRTIO_CONSOLE_PORT_READY, 1);
    post(fixture, PORT_IN, BUFFERS);
    guest_agent_device_ops.resume(fixture->agent);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    guest_agent_free(fixture->agent);
    virtio_driver_free(fixture->driver);
    clock_free(fixture->clock);
    g_string_free(fixture->heard, TRUE);
    g_clear_pointer(&fixture->result, g_variant_unref);
    g_clear_error(&fixture->error);
}

static void
hear(Fixture *fixture)
{
    VirtioUsed used;

    virtio_driver_run(fixture->driver);
    while (virtio_driver_used(fixture->driver, PORT_IN, &used)) {
        const char *text = virtio_driver_at(fixture->driver, fixture->buffers[used.id], used.len);
        g_string_append_len(fixture->heard, text, used.len);
        post(fixture, PORT_IN, 1);
    }
}

static void
say(Fixture *fixture, const char *text)
{
    virtio_driver_call(fixture->driver, PORT_OUT, text, strlen(text), NULL, 0);
    virtio_driver_run(fixture->driver);
}

static char *
next_line(Fixture *fixture)
{
    hear(fixture);
    char *end = strchr(fixture->heard->str, '\n');
    if (!end)
        return NULL;
    char *line = g_strndup(fixture->heard->str, end - fixture->heard->str);
    g_string_erase(fixture->heard, 0, end + 1 - fixture->heard->str);
    return line;
}

static void
expect_nothing(Fixture *fixture)
{
    hear(fixture);
    g_assert_cmpstr(fixture->heard->str, ==, "");
}

static unsigned
expect_sync_text(Fixture *fixture, const char *begins)
{
    g_autofree char *line = next_line(fixture);

    g_assert_nonnull(line);
    g_assert_true(g_str_has_prefix(line, begins));
    return g_ascii_strtoull(line + strlen(begins), NULL, 10);
}

/* Takes a sync; returns its number. */
static unsigned
expect_sync(Fixture *fixture)
{
    return expect_sync_text(fixture, "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":");
}

static void
answer_sync(Fixture *fixture)
{
    g_autofree char *text = g_strdup_printf("\xff{\"return\": %u}\n", expect_sync(fixture));
    say(fixture, text);
}

static void
expect_command(Fixture *fixture, const char *wanted)
{
    g_autofree char *line = next_line(fixture);
    g_assert_cmpstr(line, ==, wanted);
}

/* A whole call, as a sound agent answers it. */
static void
serve(Fixture *fixture, const char *command, const char *answer)
{
    answer_sync(fixture);
    expect_command(fixture, command);
    say(fixture, answer);
}

static void
pass(Fixture *fixture, unsigned seconds)
{
    clock_advance(fixture->clock, seconds * CLOCK_SECOND);
    virtio_driver_run(fixture->driver);
}

static void
assert_result(Fixture *fixture, unsigned answers, const char *wanted)
{
    g_assert_cmpuint(fixture->answers, ==, answers);
    g_assert_no_error(fixture->error);
    g_autofree char *text = g_variant_print(fixture->result, FALSE);
    g_assert_cmpstr(text, ==, wanted);
}

static void
assert_error(Fixture *fixture, unsigned answers, AgentError code)
{
    g_assert_cmpuint(fixture->answers, ==, answers);
    g_assert_error(fixture->error, AGENT_ERROR, (int)code);
}

#define ADDRESSES "{\"execute\":\"guest-network-get-interfaces\",\"arguments\":{}}"
#define FREEZE "{\"execute\":\"guest-fsfreeze-freeze\",\"arguments\":{}}"
#define THAW "{\"execute\":\"guest-fsfreeze-thaw\",\"arguments\":{}}"
#define GET_TIME "{\"execute\":\"guest-get-time\",\"arguments\":{}}"
#define POWER_DOWN "{\"execute\":\"guest-shutdown\",\"arguments\":{\"mode\":\"powerdown\"}}"

static void
test_nobody_there(Fixture *fixture, gconstpointer data)
{
    g_assert_false(guest_agent_is_connected(fixture->agent));
    guest_agent_addresses(fixture->agent, on_done, fixture);
    assert_error(fixture, 1, AGENT_ERROR_ABSENT);
    guest_agent_freeze(fixture->agent, 30, on_done, fixture);
    assert_error(fixture, 2, AGENT_ERROR_REFUSED);
    guest_agent_thaw(fixture->agent, on_done, fixture);
    assert_error(fixture, 3, AGENT_ERROR_REFUSED);
    expect_nothing(fixture);
    open_port(fixture);
    g_assert_true(fixture->connected && guest_agent_is_connected(fixture->agent));
    close_port(fixture);
    g_assert_false(fixture->connected);
}

static void
test_call(Fixture *fixture, gconstpointer data)
{
    open_port(fixture);
    say(fixture, "{\"return\": 17}\nwhat nobody asked for\n");
    guest_agent_addresses(fixture->agent, on_done, fixture);
    guest_agent_addresses(fixture->agent, on_done, fixture); /* waits in line */
    serve(fixture, ADDRESSES, "{\"return\": [{\"name\": \"a\"}]}\n");
    assert_result(fixture, 1, "([('a', '', [])],)");
    serve(fixture, ADDRESSES, "{\"return\": [{\"name\": \"b\"}]}\r\n");
    assert_result(fixture, 2, "([('b', '', [])],)");
    expect_nothing(fixture);
}

/* What an earlier user of the port left, and what is no answer to this sync, is passed over. */
static void
test_resync(Fixture *fixture, gconstpointer data)
{
    open_port(fixture);
    guest_agent_addresses(fixture->agent, on_done, fixture);
    unsigned id = expect_sync(fixture);
    g_autofree char *stale =
        g_strdup_printf("{\"return\": %u}\n\xff{\"return\": %u}\n\xff{\"return\": \"%u\"}\n\xff{}\n", id, id - 1, id);
    say(fixture, stale);
    expect_nothing(fixture);
    g_autofree char *sound = g_strdup_printf("{\"half\": \xff{\"return\": %u}\n", id);
    say(fixture, sound);
    expect_command(fixture, ADDRESSES);
    say(fixture, "\n");
    say(fixture, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no such command\"}}\n");
    assert_error(fixture, 1, AGENT_ERROR_REFUSED);
}

static void
test_bad_answers(Fixture *fixture, gconstpointer data)
{
    g_autofree char *flood = g_strnfill(3 * 65536, ' ');

    open_port(fixture);
    guest_agent_addresses(fixture->agent, on_done, fixture);
    serve(fixture, ADDRESSES, "[]\n");
    assert_error(fixture, 1, AGENT_ERROR_MALFORMED);
    guest_agent_addresses(fixture->agent, on_done, fixture);
    serve(fixture, ADDRESSES, flood);
    say(fixture, "\n");
    assert_error(fixture, 2, AGENT_ERROR_MALFORMED);
}

static void
test_silence(Fixture *fixture, gconstpointer data)
{
    open_port(fixture);
    guest_agent_addresses(fixture->agent, on_done, fixture);
    guest_agent_addresses(fixture->agent, on_done, fixture);
    expect_sync(fixture);
    pass(fixture, 6);
    assert_error(fixture, 1, AGENT_ERROR_SILENT);
    answer_sync(fixture);
    expect_command(fixture, ADDRESSES);
    pass(fixture, 11);
    assert_error(fixture, 2, AGENT_ERROR_SILENT);

    guest_agent_addresses(fixture->agent, on_done, fixture);
    close_port(fixture);
    assert_error(fixture, 3, AGENT_ERROR_ABSENT);
}

static void
test_too_many(Fixture *fixture, gconstpointer data)
{
    open_port(fixture);
    for (unsigned i = 0; i < AGENT_WAITING_MAX; i++)
        guest_agent_addresses(fixture->agent, on_done, fixture);
    g_assert_cmpuint(fixture->answers, ==, 0);
    guest_agent_addresses(fixture->agent, on_done, fixture);
    assert_error(fixture, 1, AGENT_ERROR_BUSY);
    close_port(fixture);
    assert_error(fixture, 1 + AGENT_WAITING_MAX, AGENT_ERROR_ABSENT);
}

static void
test_shut_down(Fixture *fixture, gconstpointer data)
{
    open_port(fixture);
    guest_agent_shut_down(fixture->agent, false, on_done, fixture);
    answer_sync(fixture);
    expect_command(fixture, POWER_DOWN);
    g_assert_cmpuint(fixture->answers, ==, 0);
    /* no word of an error before the answer to this; 0xff, of which real agents complain, is not in it */
    unsigned id = expect_sync_text(fixture, "{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":");
    g_autofree char *synced = g_strdup_printf("\xff{\"return\": %u}\n", id);
    say(fixture, synced);
    assert_result(fixture, 1, "()");

    guest_agent_shut_down(fixture->agent, true, on_done, fixture);
    answer_sync(fixture);
    expect_command(fixture, "{\"execute\":\"guest-shutdown\",\"arguments\":{\"mode\":\"reboot\"}}");
    say(fixture, "{\"error\": {\"desc\": \"no\"}}\n");
    assert_error(fixture, 2, AGENT_ERROR_REFUSED);
}

static void
test_freeze_and_thaw(Fixture *fixture, gconstpointer data)
{
    open_port(fixture);
    guest_agent_freeze(fixture->agent, 30, on_done, fixture);
    guest_agent_freeze(fixture->agent, 30, on_done, fixture);
    assert_error(fixture, 1, AGENT_ERROR_REFUSED); /* already */
    serve(fixture, FREEZE, "{\"return\": 2}\n");
    assert_result(fixture, 2, "(2,)");
    g_assert_true(fixture->frozen);
    guest_agent_thaw(fixture->agent, on_done, fixture);
    serve(fixture, THAW, "{\"return\": 2}\n");
    assert_result(fixture, 3, "(2,)");
    g_assert_false(fixture->frozen);
    pass(fixture, 1000);
    expect_nothing(fixture);

    guest_agent_freeze(fixture->agent, 30, on_done, fixture);
    serve(fixture, FREEZE, "{\"error\": {\"desc\": \"no\"}}\n");
    assert_error(fixture, 4, AGENT_ERROR_REFUSED);
    g_assert_false(fixture->frozen);
    guest_agent_freeze(fixture->agent, 0, on_done, fixture);
    assert_error(fixture, 5, AGENT_ERROR_REFUSED);
    guest_agent_freeze(fixture->agent, AGENT_FREEZE_MAX + 1, on_done, fixture);
    assert_error(fixture, 6, AGENT_ERROR_REFUSED);
}

static void
freeze(Fixture *fixture, unsigned seconds)
{
    open_port(fixture);
    guest_agent_freeze(fixture->agent, seconds, on_done, fixture);
    serve(fixture, FREEZE, "{\"return\": 1}\n");
    assert_result(fixture, 1, "(1,)");
}

/* Thawed when the time is over, and tried again where that fails. */
static void
test_freeze_ends(Fixture *fixture, gconstpointer data)
{
    freeze(fixture, 30);
    pass(fixture, 29);
    expect_nothing(fixture);
    pass(fixture, 2);
    serve(fixture, THAW, "{\"error\": {\"desc\": \"later\"}}\n");
    g_assert_true(fixture->frozen);
    pass(fixture, 5);
    expect_sync(fixture);
    pass(fixture, 6); /* no answer */
    pass(fixture, 10);
    serve(fixture, THAW, "{\"return\": 1}\n");
    g_assert_false(fixture->frozen);
    guest_agent_thaw(fixture->agent, on_done, fixture);
    assert_error(fixture, 2, AGENT_ERROR_REFUSED); /* too late for whoever froze it */
}

/* A freeze without an answer may have happened. */
static void
test_freeze_unanswered(Fixture *fixture, gconstpointer data)
{
    open_port(fixture);
    guest_agent_freeze(fixture->agent, 30, on_done, fixture);
    answer_sync(fixture);
    expect_command(fixture, FREEZE);
    pass(fixture, 61);
    assert_error(fixture, 1, AGENT_ERROR_SILENT);
    pass(fixture, 1);
    serve(fixture, THAW, "{\"return\": 1}\n");
    g_assert_false(fixture->frozen);
}

/* The agent goes away with everything frozen, and comes back. */
static void
test_freeze_outlives_agent(Fixture *fixture, gconstpointer data)
{
    freeze(fixture, 30);
    close_port(fixture);
    pass(fixture, 31);
    expect_nothing(fixture);
    g_assert_true(fixture->frozen);
    open_port(fixture);
    pass(fixture, 5);
    serve(fixture, THAW, "{\"return\": 1}\n");
    g_assert_false(fixture->frozen);
}

static void
test_reset(Fixture *fixture, gconstpointer data)
{
    freeze(fixture, 30);
    close_port(fixture);
    guest_agent_device_ops.reset(fixture->agent);
    g_assert_false(fixture->frozen);
    open_port(fixture);
    pass(fixture, 100);
    expect_nothing(fixture);
}

static void
hold(Fixture *fixture, unsigned seconds)
{
    guest_agent_device_ops.quiesce(fixture->agent);
    pass(fixture, seconds);
    guest_agent_device_ops.resume(fixture->agent);
    virtio_driver_run(fixture->driver);
}

static void
serve_time(Fixture *fixture, int64_t off_ns)
{
    g_autofree char *text =
        g_strdup_printf("{\"return\": %" G_GINT64_FORMAT "}\n", clock_wall(fixture->clock) + off_ns);
    serve(fixture, GET_TIME, text);
}

/* A guest that was held is asked for its time, and set right where that is off. */
static void
test_time(Fixture *fixture, gconstpointer data)
{
    open_port(fixture);
    hold(fixture, 0);
    expect_nothing(fixture);
    hold(fixture, 100);
    serve_time(fixture, CLOCK_SECOND / 3);
    expect_nothing(fixture);
    hold(fixture, 100);
    serve_time(fixture, -100 * CLOCK_SECOND);
    g_autofree char *command = g_strdup_printf(
        "{\"execute\":\"guest-set-time\",\"arguments\":{\"time\":%" G_GINT64_FORMAT "}}", clock_wall(fixture->clock));
    serve(fixture, command, "{\"return\": {}}\n");
    expect_nothing(fixture);

    guest_agent_set_time(fixture->agent, on_done, fixture); /* when asked, whatever it is */
    serve(fixture, command, "{\"return\": {}}\n");
    assert_result(fixture, 1, "()");

    /* An agent that could not set the board's clock refuses, though the guest's time is right. */
    guest_agent_set_time(fixture->agent, on_done, fixture);
    serve(fixture, command, "{\"error\": {\"desc\": \"hwclock: not found\"}}\n");
    serve_time(fixture, 0);
    assert_result(fixture, 2, "()");
    guest_agent_set_time(fixture->agent, on_done, fixture);
    serve(fixture, command, "{\"error\": {\"desc\": \"not allowed\"}}\n");
    serve_time(fixture, 100 * CLOCK_SECOND);
    assert_error(fixture, 3, AGENT_ERROR_REFUSED);
    g_assert_nonnull(strstr(fixture->error->message, "not allowed"));
}

static void
test_held_while_frozen(Fixture *fixture, gconstpointer data)
{
    freeze(fixture, 30);
    hold(fixture, 100);
    pass(fixture, 1);
    serve(fixture, THAW, "{\"return\": 1}\n"); /* first of all */
    serve_time(fixture, 0);
    expect_nothing(fixture);
}

static void
test_saved_while_frozen(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    Fixture other;

    freeze(fixture, 30);
    pass(fixture, 10);
    guest_agent_device_ops.quiesce(fixture->agent);
    state_save(guest_agent_device_ops.state, fixture->agent, bytes);

    set_up(&other, NULL);
    g_assert_true(state_load(guest_agent_device_ops.state, other.agent, 1, bytes->data, bytes->len, &error));
    g_assert_no_error(error);
    guest_agent_device_ops.resume(other.agent);
    open_port(&other);
    pass(&other, 19);
    expect_nothing(&other);
    pass(&other, 2);
    serve(&other, THAW, "{\"return\": 1}\n");
    serve_time(&other, 0);
    g_assert_false(other.frozen);

    bytes->data[bytes->len - 1] = 0x7f;
    g_assert_false(state_load(guest_agent_device_ops.state, other.agent, 1, bytes->data, bytes->len, &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_MALFORMED);
    tear_down(&other, NULL);
}

/* Calls that wait are answered when the desktop ends. */
static void
test_end(Fixture *fixture, gconstpointer data)
{
    open_port(fixture);
    guest_agent_freeze(fixture->agent, 30, on_done, fixture);
    guest_agent_addresses(fixture->agent, on_done, fixture);
    g_clear_pointer(&fixture->agent, guest_agent_free);
    assert_error(fixture, 2, AGENT_ERROR_ABSENT);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name, function) g_test_add("/agent/" name, Fixture, NULL, set_up, function, tear_down)
    TEST("nobody-there", test_nobody_there);
    TEST("call", test_call);
    TEST("resync", test_resync);
    TEST("bad-answers", test_bad_answers);
    TEST("silence", test_silence);
    TEST("too-many", test_too_many);
    TEST("shut-down", test_shut_down);
    TEST("freeze-and-thaw", test_freeze_and_thaw);
    TEST("freeze-ends", test_freeze_ends);
    TEST("freeze-unanswered", test_freeze_unanswered);
    TEST("freeze-outlives-agent", test_freeze_outlives_agent);
    TEST("reset", test_reset);
    TEST("time", test_time);
    TEST("held-while-frozen", test_held_while_frozen);
    TEST("saved-while-frozen", test_saved_while_frozen);
    TEST("end", test_end);
    return g_test_run();
}
