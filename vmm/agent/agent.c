/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of the guest's agent, and what the VMM asks by itself: to thaw what was frozen too long, and to put the
 * guest's clock right.
 */
#include "vmm/agent/agent.h"

#include "vmm/agent/calls.h"

#define COMMAND_SECONDS 10
#define FREEZE_SECONDS 60 /* a guest flushes its file systems, Windows asks its services */
#define SHUTDOWN_SECONDS 30
#define RETRY_FIRST (5 * CLOCK_SECOND)
#define RETRY_LAST (60 * CLOCK_SECOND)
#define HELD_MIN CLOCK_SECOND           /* a shorter pause is no reason to look at the guest's clock */
#define TIME_OFF_MAX (CLOCK_SECOND / 2) /* the answer itself is on its way for a while */

typedef struct {
    GuestAgentDone done;
    void *user;
    GuestAgent *agent;
    unsigned seconds;
    GError *error; /* of the first of two calls */
} Caller;

struct GuestAgent {
    AgentCalls *calls;
    Clock *clock;
    GuestAgentChanged changed;
    void *user;

    bool frozen;      /* file systems are, or may be */
    int64_t thaw_due; /* when they are thawed without being asked; CLOCK_NEVER: a call about it is under way */
    int64_t retry;    /* the wait after a thaw that failed */
    ClockTimer *thaw_timer;
    uint32_t seconds_left; /* of the freeze, in saved state */

    bool held; /* the machine rests */
    int64_t held_since;
    bool check_time; /* once there is somebody to ask */
};

static void
tell(GuestAgent *agent)
{
    agent->changed(agent->user, agent_calls_are_open(agent->calls), agent->frozen);
}

static Caller *
caller_new(GuestAgent *agent, GuestAgentDone done, void *user)
{
    Caller *caller = g_new(Caller, 1);
    *caller = (Caller){.done = done, .user = user, .agent = agent};
    return caller;
}

static void
answer(Caller *caller, GVariant *result, const GError *error)
{
    if (caller->done)
        caller->done(caller->user, result, error);
    g_clear_error(&caller->error);
    g_free(caller);
}

static void
refuse(GuestAgentDone done, void *user, const char *why)
{
    g_autoptr(GError) error = g_error_new_literal(AGENT_ERROR, AGENT_ERROR_REFUSED, why);
    done(user, NULL, error);
}

/* ---- the guest's time ---- */

static char *
time_arguments(Clock *clock)
{
    return g_strdup_printf("{\"time\":%" G_GINT64_FORMAT "}", clock_wall(clock));
}

static const AgentCommand get_time = {
    .command = "guest-get-time", .result = AGENT_RESULT_NUMBER, .seconds = COMMAND_SECONDS};

static bool
is_right(const GuestAgent *agent, GVariant *result)
{
    gint64 guest, host = clock_wall(agent->clock);

    g_variant_get(result, "(x)", &guest);
    return guest >= host - TIME_OFF_MAX && guest <= host + TIME_OFF_MAX;
}

static void
refused_time_is_known(void *user, GVariant *result, const GError *error)
{
    Caller *caller = user;
    g_autoptr(GVariant) nothing = g_variant_ref_sink(g_variant_new("()"));

    if (result && is_right(caller->agent, result))
        answer(caller, nothing, NULL);
    else
        answer(caller, NULL, error ? error : caller->error);
}

/* The agent sets the time, and then the clock of the board by hwclock(8), which not every guest has: it refuses for that. */
static void
set_time_done(void *user, GVariant *result, const GError *error)
{
    Caller *caller = user;

    if (!g_error_matches(error, AGENT_ERROR, AGENT_ERROR_REFUSED)) {
        answer(caller, result, error);
        return;
    }
    caller->error = g_error_copy(error);
    agent_calls_add(caller->agent->calls, &get_time, refused_time_is_known, caller);
}

void
guest_agent_set_time(GuestAgent *agent, GuestAgentDone done, void *user)
{
    static const AgentCommand command = {
        .command = "guest-set-time", .arguments = time_arguments, .seconds = COMMAND_SECONDS};

    agent_calls_add(agent->calls, &command, set_time_done, caller_new(agent, done, user));
}

static void
time_was_set(void *user, GVariant *result, const GError *error)
{
    /* nobody asked: a guest that cannot set its clock says so to whoever sets it */
}

static void
time_is_known(void *user, GVariant *result, const GError *error)
{
    GuestAgent *agent = user;

    if (result && !is_right(agent, result))
        guest_agent_set_time(agent, time_was_set, NULL);
}

static void
look_at_time(GuestAgent *agent)
{
    if (!agent->check_time || agent->held || agent->frozen || !agent_calls_are_open(agent->calls))
        return;
    agent->check_time = false;
    agent_calls_add(agent->calls, &get_time, time_is_known, agent);
}

/* ---- frozen file systems ---- */

static void
set_thaw_due(GuestAgent *agent, int64_t due)
{
    agent->thaw_due = due;
    clock_timer_set(agent->thaw_timer, agent->held ? CLOCK_NEVER : due);
}

static void
set_frozen(GuestAgent *agent, bool frozen)
{
    if (!frozen) {
        set_thaw_due(agent, CLOCK_NEVER);
        agent->retry = RETRY_FIRST;
    }
    if (agent->frozen == frozen)
        return;
    agent->frozen = frozen;
    tell(agent);
    look_at_time(agent);
}

static void
thaw_done(void *user, GVariant *result, const GError *error)
{
    Caller *caller = user;
    GuestAgent *agent = caller->agent;

    if (result) {
        set_frozen(agent, false);
    } else if (agent->frozen) {
        set_thaw_due(agent, clock_now(agent->clock) + agent->retry);
        agent->retry = MIN(2 * agent->retry, RETRY_LAST);
    }
    answer(caller, result, error);
}

static void
thaw(GuestAgent *agent, GuestAgentDone done, void *user)
{
    static const AgentCommand command = {
        .command = "guest-fsfreeze-thaw", .result = AGENT_RESULT_COUNT, .seconds = FREEZE_SECONDS};

    set_thaw_due(agent, CLOCK_NEVER);
    agent_calls_add(agent->calls, &command, thaw_done, caller_new(agent, done, user));
}

void
guest_agent_thaw(GuestAgent *agent, GuestAgentDone done, void *user)
{
    if (agent->frozen)
        thaw(agent, done, user);
    else
        refuse(done, user, "no file system of the guest is frozen: none was, or the time of the freeze is over");
}

static void
on_thaw_due(void *user)
{
    GuestAgent *agent = user;

    if (agent->frozen && !agent->held && clock_now(agent->clock) >= agent->thaw_due)
        thaw(agent, NULL, NULL);
}

/* Where the agent refused nothing is frozen; where it did not answer, anything may be. */
static void
freeze_done(void *user, GVariant *result, const GError *error)
{
    Caller *caller = user;
    GuestAgent *agent = caller->agent;

    if (result)
        set_thaw_due(agent, clock_now(agent->clock) + caller->seconds * CLOCK_SECOND);
    else if (error->code == AGENT_ERROR_REFUSED || error->code == AGENT_ERROR_BUSY)
        set_frozen(agent, false);
    else
        set_thaw_due(agent, clock_now(agent->clock));
    answer(caller, result, error);
}

void
guest_agent_freeze(GuestAgent *agent, unsigned seconds, GuestAgentDone done, void *user)
{
    static const AgentCommand command = {
        .command = "guest-fsfreeze-freeze", .result = AGENT_RESULT_COUNT, .seconds = FREEZE_SECONDS};

    if (!seconds || seconds > AGENT_FREEZE_MAX) {
        refuse(done, user, "a freeze lasts from 1 to 600 seconds");
        return;
    }
    if (agent->frozen) {
        refuse(done, user, "the guest's file systems are frozen already");
        return;
    }
    if (!agent_calls_are_open(agent->calls)) {
        refuse(done, user, "no agent runs in the guest (the package qemu-guest-agent)");
        return;
    }
    Caller *caller = caller_new(agent, done, user);
    caller->seconds = seconds;
    set_frozen(agent, true);
    set_thaw_due(agent, CLOCK_NEVER);
    agent_calls_add(agent->calls, &command, freeze_done, caller);
}

/* ---- the rest ---- */

static char *
power_down_arguments(Clock *clock)
{
    return g_strdup("{\"mode\":\"powerdown\"}");
}

static char *
reboot_arguments(Clock *clock)
{
    return g_strdup("{\"mode\":\"reboot\"}");
}

void
guest_agent_shut_down(GuestAgent *agent, bool restart, GuestAgentDone done, void *user)
{
    const AgentCommand command = {
        .command = "guest-shutdown",
        .arguments = restart ? reboot_arguments : power_down_arguments,
        .seconds = SHUTDOWN_SECONDS,
        .silent = true,
    };

    agent_calls_add(agent->calls, &command, done, user);
}

void
guest_agent_addresses(GuestAgent *agent, GuestAgentDone done, void *user)
{
    static const AgentCommand command = {
        .command = "guest-network-get-interfaces", .result = AGENT_RESULT_INTERFACES, .seconds = COMMAND_SECONDS};

    agent_calls_add(agent->calls, &command, done, user);
}

bool
guest_agent_is_connected(const GuestAgent *agent)
{
    return agent_calls_are_open(agent->calls);
}

static void
on_opened(void *user, bool open)
{
    GuestAgent *agent = user;

    tell(agent);
    if (open && agent->thaw_due != CLOCK_NEVER && agent->retry > RETRY_FIRST) /* it failed before: do not wait longer */
        set_thaw_due(agent, MIN(agent->thaw_due, clock_now(agent->clock) + RETRY_FIRST));
    if (open)
        look_at_time(agent);
}

GuestAgent *
guest_agent_new(VirtioDevice *console, Clock *clock, GuestAgentChanged changed, void *user)
{
    GuestAgent *agent = g_new0(GuestAgent, 1);

    agent->clock = clock;
    agent->changed = changed;
    agent->user = user;
    agent->thaw_due = CLOCK_NEVER;
    agent->retry = RETRY_FIRST;
    agent->held = true; /* until the machine starts */
    agent->held_since = clock_now(clock);
    agent->thaw_timer = clock_timer_new(clock, on_thaw_due, agent);
    agent->calls = agent_calls_new(console, clock, on_opened, agent);
    return agent;
}

void
guest_agent_free(GuestAgent *agent)
{
    if (!agent)
        return;
    agent_calls_free(agent->calls);
    clock_timer_free(agent->thaw_timer);
    g_free(agent);
}

/* ---- the machine's table ---- */

static void
guest_agent_reset(void *device)
{
    set_frozen(device, false); /* by a kernel that is gone */
}

static void
guest_agent_quiesce(void *device)
{
    GuestAgent *agent = device;

    agent->held = true;
    agent->held_since = clock_now(agent->clock);
    clock_timer_set(agent->thaw_timer, CLOCK_NEVER);
}

static void
guest_agent_resume(void *device)
{
    GuestAgent *agent = device;

    agent->held = false;
    agent->check_time |= clock_now(agent->clock) - agent->held_since >= HELD_MIN;
    clock_timer_set(agent->thaw_timer, agent->thaw_due);
    look_at_time(agent);
}

static void
guest_agent_before_save(void *object)
{
    GuestAgent *agent = object;
    int64_t left = agent->thaw_due == CLOCK_NEVER ? 0 : agent->thaw_due - clock_now(agent->clock);

    agent->seconds_left = CLAMP(left, 0, AGENT_FREEZE_MAX * CLOCK_SECOND) / CLOCK_SECOND;
}

static bool
guest_agent_after_load(void *object, GError **error)
{
    GuestAgent *agent = object;

    if (agent->seconds_left > AGENT_FREEZE_MAX) {
        g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "state of guest-agent: no freeze lasts so long");
        return false;
    }
    agent->thaw_due = agent->frozen ? clock_now(agent->clock) + agent->seconds_left * CLOCK_SECOND : CLOCK_NEVER;
    agent->check_time = true;
    return true;
}

static const StateField guest_agent_fields[] = {
    STATE_BOOL(GuestAgent, frozen, 1),
    STATE_UINT(GuestAgent, seconds_left, 1),
    STATE_END,
};
static const StateTable guest_agent_state = {
    .name = "guest-agent",
    .version = 1,
    .oldest = 1,
    .fields = guest_agent_fields,
    .before_save = guest_agent_before_save,
    .after_load = guest_agent_after_load,
};

const DeviceOps guest_agent_device_ops = {
    .name = "guest-agent",
    .reset = guest_agent_reset,
    .quiesce = guest_agent_quiesce,
    .resume = guest_agent_resume,
    .state = &guest_agent_state,
};
