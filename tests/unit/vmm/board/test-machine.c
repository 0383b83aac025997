/* SPDX-License-Identifier: Apache-2.0 */
/* The machine: order of calls, reasons that add up, requests from other threads. */
#include "vmm/board/machine.h"

#include <string.h>

/* Everything that happens is written down as one word each. */
static GString *story;

static void told(const char *format, ...) G_GNUC_PRINTF(1, 2);

static void
told(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (story->len)
        g_string_append_c(story, ' ');
    g_string_append_vprintf(story, format, args);
    va_end(args);
}

#define expect_story(text)                       \
    do {                                         \
        g_assert_cmpstr(story->str, ==, (text)); \
        g_string_truncate(story, 0);             \
    } while (0)

static void
device_reset(void *device)
{
    told("%s.reset", (char *)device);
}

static void
device_quiesce(void *device)
{
    told("%s.quiesce", (char *)device);
}

static void
device_resume(void *device)
{
    told("%s.resume", (char *)device);
}

static void
device_free(void *device)
{
    told("%s.free", (char *)device);
    g_free(device);
}

static const StateField no_fields[] = {STATE_END};
static const StateTable device_state = {.name = "device", .version = 1, .oldest = 1, .fields = no_fields};
static const DeviceOps device_ops = {.name = "device",
                                     .reset = device_reset,
                                     .quiesce = device_quiesce,
                                     .resume = device_resume,
                                     .state = &device_state,
                                     .free = device_free};
static const DeviceOps bare_ops = {.name = "bare"};

static void
cpus_run(void *cpus)
{
    told("run");
}

static void
cpus_pause(void *cpus)
{
    told("pause");
}

static void
cpus_reset(void *cpus)
{
    told("cpus.reset");
}

static const MachineCpuOps cpu_ops = {.run = cpus_run, .pause = cpus_pause, .reset = cpus_reset};

static void
listener(void *user, MachineState state, unsigned reasons, const char *detail)
{
    static const char names[] = "srpx"; /* starting, running, paused, stopped */
    told("[%c%u%s%s]", names[state], reasons, detail ? ":" : "", detail ? detail : "");
    *(MachineState *)user = state;
}

static MachineState last_state;

static Machine *
new_machine(void)
{
    Machine *machine = machine_new();
    g_string_truncate(story, 0);
    machine_set_cpus(machine, &cpu_ops, NULL);
    machine_add(machine, "a", &device_ops, g_strdup("a"));
    machine_add(machine, "bare", &bare_ops, NULL);
    machine_add(machine, "b", &device_ops, g_strdup("b"));
    machine_listen(machine, listener, &last_state);
    return machine;
}

static Machine *
running_machine(void)
{
    Machine *machine = new_machine();
    machine_start(machine, false);
    expect_story("a.resume b.resume run [r0]");
    return machine;
}

static void
turn_loop(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void
test_order(void)
{
    Machine *machine = running_machine();

    machine_pause(machine, MACHINE_PAUSE_USER, NULL);
    expect_story("pause b.quiesce a.quiesce [p1]");
    machine_resume(machine, MACHINE_PAUSE_USER);
    expect_story("a.resume b.resume run [r0]");
    machine_reset(machine);
    expect_story("pause b.quiesce a.quiesce a.reset b.reset cpus.reset a.resume b.resume run [r0]");
    machine_stop(machine);
    expect_story("pause b.quiesce a.quiesce [x0]");
    machine_resume(machine, MACHINE_PAUSE_USER);
    machine_pause(machine, MACHINE_PAUSE_USER, NULL);
    machine_reset(machine);
    machine_stop(machine);
    expect_story("");
    machine_free(machine);
    expect_story("b.free a.free");
}

static void
test_free_while_running(void)
{
    machine_free(running_machine());
    expect_story("pause b.quiesce a.quiesce b.free a.free");
    machine_free(new_machine());
    expect_story("b.free a.free");
    machine_free(NULL);
}

static void
test_reasons_add_up(void)
{
    g_autoptr(Machine) machine = running_machine();

    machine_pause(machine, MACHINE_PAUSE_USER, NULL);
    expect_story("pause b.quiesce a.quiesce [p1]");
    machine_pause(machine, MACHINE_PAUSE_STORAGE, "disk full");
    expect_story("[p3:disk full]");
    machine_resume(machine, MACHINE_PAUSE_USER);
    expect_story("[p2:disk full]");
    g_assert_cmpint(machine_state(machine), ==, MACHINE_PAUSED);
    machine_resume(machine, MACHINE_PAUSE_USER); /* was not paused for that */
    expect_story("");
    machine_resume(machine, MACHINE_PAUSE_STORAGE);
    expect_story("a.resume b.resume run [r0]");
    g_assert_null(machine_pause_detail(machine));

    machine_pause(machine, MACHINE_PAUSE_STORAGE, "disk full");
    machine_pause(machine, MACHINE_PAUSE_USER, "asked to");
    g_string_truncate(story, 0);
    machine_resume(machine, MACHINE_PAUSE_USER | MACHINE_PAUSE_STORAGE); /* both at once */
    expect_story("a.resume b.resume run [r0]");
}

static void
test_start_paused(void)
{
    g_autoptr(Machine) machine = new_machine();

    machine_start(machine, true);
    expect_story("[p1]");
    machine_resume(machine, MACHINE_PAUSE_USER);
    expect_story("a.resume b.resume run [r0]");

    g_autoptr(Machine) other = new_machine();
    machine_pause(other, MACHINE_PAUSE_STORAGE, "no disk");
    expect_story("[s2:no disk]");
    machine_start(other, false);
    expect_story("[p2:no disk]");
}

static void
test_requests(void)
{
    g_autoptr(Machine) machine = running_machine();

    machine_request(machine, MACHINE_REQUEST_PAUSE_STORAGE, "disk0 is full");
    expect_story(""); /* not here, but on the loop */
    turn_loop();
    expect_story("pause b.quiesce a.quiesce [p2:disk0 is full]");
    machine_request(machine, MACHINE_REQUEST_RESUME_STORAGE, NULL);
    turn_loop();
    expect_story("a.resume b.resume run [r0]");

    machine_request(machine, MACHINE_REQUEST_PAUSE_STORAGE, "full"); /* full and free again before anyone looked */
    machine_request(machine, MACHINE_REQUEST_RESUME_STORAGE, NULL);
    turn_loop();
    expect_story("");

    for (int i = 0; i < 1000; i++)
        machine_request(machine, MACHINE_REQUEST_RESET, NULL);
    turn_loop();
    expect_story("pause b.quiesce a.quiesce a.reset b.reset cpus.reset a.resume b.resume run [r0]");

    machine_request(machine, MACHINE_REQUEST_PAUSE_ERROR, "vcpu0: bad");
    machine_request(machine, MACHINE_REQUEST_SHUTDOWN, NULL);
    turn_loop();
    expect_story("pause b.quiesce a.quiesce [x0:the guest powered off]");
}

static void
test_stop_request(void)
{
    g_autoptr(Machine) machine = running_machine();
    machine_request(machine, MACHINE_REQUEST_STOP, "SIGTERM");
    turn_loop();
    expect_story("pause b.quiesce a.quiesce [x0:SIGTERM]");
}

static void
test_reset_takes_the_guests_pauses_away(void)
{
    g_autoptr(Machine) machine = running_machine();

    machine_pause(machine, MACHINE_PAUSE_ERROR, "vcpu0: bad");
    machine_pause(machine, MACHINE_PAUSE_STORAGE, "full");
    expect_story("pause b.quiesce a.quiesce [p8:vcpu0: bad] [p10:vcpu0: bad]");
    machine_request(machine, MACHINE_REQUEST_PAUSE_STORAGE, "of the guest before"); /* dies with it */
    machine_reset(machine);
    turn_loop();
    expect_story("a.reset b.reset cpus.reset a.resume b.resume run [r0]");

    machine_pause(machine, MACHINE_PAUSE_USER, NULL); /* but not what a person asked for */
    g_string_truncate(story, 0);
    machine_reset(machine);
    expect_story("a.reset b.reset cpus.reset [p1]");
}

static void
test_reset_and_save(void)
{
    g_autoptr(Machine) machine = running_machine();

    machine_pause(machine, MACHINE_PAUSE_SAVE, NULL);
    expect_story("pause b.quiesce a.quiesce [p4]");
    machine_reset(machine);
    machine_request(machine, MACHINE_REQUEST_RESET, NULL);
    turn_loop();
    expect_story(""); /* what is being saved does not change */
    machine_resume(machine, MACHINE_PAUSE_SAVE);
    expect_story("a.reset b.reset cpus.reset a.resume b.resume run [r0]");

    machine_request(machine, MACHINE_REQUEST_RESET,
                    NULL); /* a reset under way is done before, so that it is not lost */
    machine_pause(machine, MACHINE_PAUSE_SAVE, NULL);
    expect_story("pause b.quiesce a.quiesce a.reset b.reset cpus.reset [p4]");
    machine_resume(machine, MACHINE_PAUSE_SAVE);
    turn_loop();
    expect_story("a.resume b.resume run [r0]");
}

static void *
requesting_thread(void *data)
{
    machine_request(data, MACHINE_REQUEST_SHUTDOWN, "S5");
    return NULL;
}

static void
test_request_from_a_thread_wakes_the_loop(void)
{
    g_autoptr(Machine) machine = running_machine();
    GThread *thread = g_thread_new("asks", requesting_thread, machine);
    while (last_state != MACHINE_STOPPED)
        g_main_context_iteration(NULL, TRUE);
    g_thread_join(thread);
    expect_story("pause b.quiesce a.quiesce [x0:S5]");
}

static bool
each(void *user, const char *id, const DeviceOps *ops, void *device, GError **error)
{
    told("%s", id);
    if (!user || !g_str_equal(user, id))
        return true;
    g_set_error(error, STATE_ERROR, STATE_ERROR_IO, "at %s", id);
    return false;
}

static void
test_foreach(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Machine) machine = new_machine();
    char stop_at[] = "a";

    g_assert_true(machine_foreach(machine, each, NULL, &error));
    expect_story("a b"); /* not the bare one: it has no state */
    g_assert_false(machine_foreach(machine, each, stop_at, &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_IO);
    expect_story("a");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    story = g_string_new(NULL);
    g_test_add_func("/machine/order", test_order);
    g_test_add_func("/machine/free", test_free_while_running);
    g_test_add_func("/machine/reasons", test_reasons_add_up);
    g_test_add_func("/machine/start-paused", test_start_paused);
    g_test_add_func("/machine/requests", test_requests);
    g_test_add_func("/machine/stop-request", test_stop_request);
    g_test_add_func("/machine/reset-and-pauses", test_reset_takes_the_guests_pauses_away);
    g_test_add_func("/machine/reset-and-save", test_reset_and_save);
    g_test_add_func("/machine/request-thread", test_request_from_a_thread_wakes_the_loop);
    g_test_add_func("/machine/foreach", test_foreach);
    int status = g_test_run();
    g_string_free(story, TRUE);
    return status;
}
