/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's table of devices and its state machine.
 *
 * Everything happens on the main thread except machine_request(), which sets a flag and wakes a source of the main loop.
 * Each kind of request is kept once, however often a guest repeats it, so a flood of them costs no memory.
 */
#include "vmm/board/machine.h"

#define N_REASONS 4 /* bits of MachinePause */
#define N_REQUESTS (MACHINE_REQUEST_PAUSE_ERROR + 1)

typedef struct {
    char *id;
    const DeviceOps *ops;
    void *device;
} Entry;

typedef struct {
    MachineListener tell;
    void *user;
} Listener;

/* What was asked for and not yet done. */
typedef struct {
    bool wanted[N_REQUESTS];
    char *details[N_REQUESTS];
} Requests;

struct Machine {
    MachineState state;
    unsigned reasons;
    char *details[N_REASONS]; /* of each reason */
    bool reset_after_save;
    GArray *entries;
    GArray *listeners;
    const MachineCpuOps *cpu_ops;
    void *cpus;

    GMutex lock; /* of requests */
    Requests requests;
    GSource *source; /* ready when there are some */
};

typedef struct {
    GSource source;
    Machine *machine;
} RequestSource;

static void do_requests(Machine *machine);

static gboolean
request_source_dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    Machine *machine = ((RequestSource *)source)->machine;
    g_source_set_ready_time(source, -1);
    do_requests(machine);
    return G_SOURCE_CONTINUE;
}

Machine *
machine_new(void)
{
    static GSourceFuncs funcs = {.dispatch = request_source_dispatch};
    g_autoptr(GMainContext) context = g_main_context_ref_thread_default();
    Machine *machine = g_new0(Machine, 1);

    machine->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    machine->listeners = g_array_new(FALSE, FALSE, sizeof(Listener));
    g_mutex_init(&machine->lock);
    machine->source = g_source_new(&funcs, sizeof(RequestSource));
    g_source_set_static_name(machine->source, "machine requests");
    ((RequestSource *)machine->source)->machine = machine;
    g_source_attach(machine->source, context);
    return machine;
}

static void
requests_clear(Requests *requests)
{
    for (int i = 0; i < N_REQUESTS; i++) {
        requests->wanted[i] = false;
        g_clear_pointer(&requests->details[i], g_free);
    }
}

void
machine_free(Machine *machine)
{
    if (!machine)
        return;
    g_array_set_size(machine->listeners, 0);
    machine_stop(machine);
    for (guint i = machine->entries->len; i-- > 0;) {
        Entry *entry = &g_array_index(machine->entries, Entry, i);
        if (entry->ops->free)
            entry->ops->free(entry->device);
        g_free(entry->id);
    }
    g_source_destroy(machine->source);
    g_source_unref(machine->source);
    requests_clear(&machine->requests);
    for (int i = 0; i < N_REASONS; i++)
        g_free(machine->details[i]);
    g_array_unref(machine->entries);
    g_array_unref(machine->listeners);
    g_mutex_clear(&machine->lock);
    g_free(machine);
}

void
machine_set_cpus(Machine *machine, const MachineCpuOps *ops, void *cpus)
{
    g_assert(machine->state == MACHINE_STARTING && ops->run && ops->pause && ops->reset);
    machine->cpu_ops = ops;
    machine->cpus = cpus;
}

void
machine_add(Machine *machine, const char *id, const DeviceOps *ops, void *device)
{
    g_assert(machine->state == MACHINE_STARTING && ops->name);
    for (guint i = 0; i < machine->entries->len; i++)
        g_assert(!g_str_equal(g_array_index(machine->entries, Entry, i).id, id));
    Entry entry = {.id = g_strdup(id), .ops = ops, .device = device};
    g_array_append_val(machine->entries, entry);
}

void
machine_listen(Machine *machine, MachineListener listener, void *user)
{
    Listener entry = {.tell = listener, .user = user};
    g_array_append_val(machine->listeners, entry);
}

/* @detail NULL: that of the pause, where there is one. */
static void
tell_listeners(Machine *machine, const char *detail)
{
    for (guint i = 0; i < machine->listeners->len; i++) {
        Listener *listener = &g_array_index(machine->listeners, Listener, i);
        listener->tell(listener->user, machine->state, machine->reasons,
                       detail ? detail : machine_pause_detail(machine));
    }
}

static void
halt(Machine *machine)
{
    machine->cpu_ops->pause(machine->cpus);
    for (guint i = machine->entries->len; i-- > 0;) {
        Entry *entry = &g_array_index(machine->entries, Entry, i);
        if (entry->ops->quiesce)
            entry->ops->quiesce(entry->device);
    }
    machine->state = MACHINE_PAUSED;
}

static void
go(Machine *machine)
{
    g_assert(machine->cpu_ops);
    for (guint i = 0; i < machine->entries->len; i++) {
        Entry *entry = &g_array_index(machine->entries, Entry, i);
        if (entry->ops->resume)
            entry->ops->resume(entry->device);
    }
    machine->state = MACHINE_RUNNING;
    machine->cpu_ops->run(machine->cpus);
}

static void
add_reason(Machine *machine, MachinePause reason, const char *detail)
{
    machine->reasons |= reason;
    char **slot = &machine->details[__builtin_ctz(reason)];
    if (detail) {
        g_free(*slot);
        *slot = g_strdup(detail);
    }
}

static void
drop_reasons(Machine *machine, unsigned reasons)
{
    machine->reasons &= ~reasons;
    for (unsigned i = 0; i < N_REASONS; i++)
        if (reasons >> i & 1)
            g_clear_pointer(&machine->details[i], g_free);
}

void
machine_start(Machine *machine, bool paused)
{
    g_assert(machine->state == MACHINE_STARTING && machine->cpu_ops);
    if (paused)
        add_reason(machine, MACHINE_PAUSE_USER, NULL);
    if (machine->reasons)
        machine->state = MACHINE_PAUSED;
    else
        go(machine);
    tell_listeners(machine, NULL);
}

/* Devices and vCPUs back to power-on, while paused. What was asked for before belongs to the guest that is gone. */
static void
reset_halted(Machine *machine)
{
    static const MachineRequest of_the_past[] = {MACHINE_REQUEST_RESET, MACHINE_REQUEST_PAUSE_STORAGE,
                                                 MACHINE_REQUEST_RESUME_STORAGE, MACHINE_REQUEST_PAUSE_ERROR};

    g_mutex_lock(&machine->lock);
    for (size_t i = 0; i < G_N_ELEMENTS(of_the_past); i++)
        machine->requests.wanted[of_the_past[i]] = false;
    g_mutex_unlock(&machine->lock);
    drop_reasons(machine, MACHINE_PAUSE_ERROR | MACHINE_PAUSE_STORAGE);
    for (guint i = 0; i < machine->entries->len; i++) {
        Entry *entry = &g_array_index(machine->entries, Entry, i);
        if (entry->ops->reset)
            entry->ops->reset(entry->device);
    }
    machine->cpu_ops->reset(machine->cpus);
}

static bool
reset_is_wanted(Machine *machine)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&machine->lock);
    return machine->requests.wanted[MACHINE_REQUEST_RESET];
}

void
machine_pause(Machine *machine, MachinePause reason, const char *detail)
{
    if (machine->state == MACHINE_STOPPED)
        return;
    add_reason(machine, reason, detail);
    if (machine->state == MACHINE_RUNNING)
        halt(machine);
    /* A guest that is on its way through a reset has no state worth saving. */
    if (reason == MACHINE_PAUSE_SAVE && machine->state == MACHINE_PAUSED && reset_is_wanted(machine))
        reset_halted(machine);
    tell_listeners(machine, NULL);
}

void
machine_resume(Machine *machine, unsigned reasons)
{
    if (machine->state == MACHINE_STOPPED || !(machine->reasons & reasons))
        return;
    drop_reasons(machine, reasons);
    if (machine->reset_after_save && !(machine->reasons & MACHINE_PAUSE_SAVE)) {
        machine->reset_after_save = false;
        reset_halted(machine);
    }
    if (machine->state == MACHINE_PAUSED && !machine->reasons)
        go(machine);
    tell_listeners(machine, NULL);
}

void
machine_reset(Machine *machine)
{
    if (machine->state == MACHINE_STARTING || machine->state == MACHINE_STOPPED)
        return;
    if (machine->reasons & MACHINE_PAUSE_SAVE) {
        machine->reset_after_save = true; /* what is being saved must not change */
        return;
    }
    if (machine->state == MACHINE_RUNNING)
        halt(machine);
    reset_halted(machine);
    if (!machine->reasons)
        go(machine);
    tell_listeners(machine, NULL);
}

static void
stop(Machine *machine, const char *detail)
{
    if (machine->state == MACHINE_STOPPED)
        return;
    if (machine->state == MACHINE_RUNNING)
        halt(machine);
    machine->state = MACHINE_STOPPED;
    tell_listeners(machine, detail);
}

void
machine_stop(Machine *machine)
{
    stop(machine, NULL);
}

MachineState
machine_state(const Machine *machine)
{
    return machine->state;
}

unsigned
machine_pause_reasons(const Machine *machine)
{
    return machine->reasons;
}

const char *
machine_pause_detail(const Machine *machine)
{
    for (int i = N_REASONS; i-- > 0;)
        if (machine->details[i])
            return machine->details[i];
    return NULL;
}

void
machine_request(Machine *machine, MachineRequest request, const char *detail)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&machine->lock);
    Requests *requests = &machine->requests;

    /* Of full and free again, the later counts. */
    if (request == MACHINE_REQUEST_RESUME_STORAGE)
        requests->wanted[MACHINE_REQUEST_PAUSE_STORAGE] = false;
    else if (request == MACHINE_REQUEST_PAUSE_STORAGE)
        requests->wanted[MACHINE_REQUEST_RESUME_STORAGE] = false;
    requests->wanted[request] = true;
    g_free(requests->details[request]);
    requests->details[request] = g_strdup(detail);
    g_source_set_ready_time(machine->source, 0);
}

static void
do_request(Machine *machine, MachineRequest request, const char *detail)
{
    switch (request) {
    case MACHINE_REQUEST_STOP:
        stop(machine, detail);
        break;
    case MACHINE_REQUEST_SHUTDOWN:
        stop(machine, detail ? detail : "the guest powered off");
        break;
    case MACHINE_REQUEST_RESET:
        machine_reset(machine);
        break;
    case MACHINE_REQUEST_PAUSE_STORAGE:
        machine_pause(machine, MACHINE_PAUSE_STORAGE, detail);
        break;
    case MACHINE_REQUEST_RESUME_STORAGE:
        machine_resume(machine, MACHINE_PAUSE_STORAGE);
        break;
    case MACHINE_REQUEST_PAUSE_ERROR:
        machine_pause(machine, MACHINE_PAUSE_ERROR, detail);
        break;
    }
}

/* Takes one request off the list. The detail is the caller's. */
static bool
take_request(Machine *machine, MachineRequest request, char **detail)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&machine->lock);
    if (!machine->requests.wanted[request])
        return false;
    machine->requests.wanted[request] = false;
    *detail = g_steal_pointer(&machine->requests.details[request]);
    return true;
}

static void
do_requests(Machine *machine)
{
    /* The end comes before anything that would be lost with it; a reset, which undoes the pauses before it, comes last. */
    static const MachineRequest order[] = {MACHINE_REQUEST_STOP,           MACHINE_REQUEST_SHUTDOWN,
                                           MACHINE_REQUEST_PAUSE_ERROR,    MACHINE_REQUEST_PAUSE_STORAGE,
                                           MACHINE_REQUEST_RESUME_STORAGE, MACHINE_REQUEST_RESET};

    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        g_autofree char *detail = NULL;
        if (take_request(machine, order[i], &detail))
            do_request(machine, order[i], detail);
    }
}

bool
machine_foreach(Machine *machine, MachineEach each, void *user, GError **error)
{
    for (guint i = 0; i < machine->entries->len; i++) {
        Entry *entry = &g_array_index(machine->entries, Entry, i);
        if (entry->ops->state && !each(user, entry->id, entry->ops, entry->device, error))
            return false;
    }
    return true;
}
