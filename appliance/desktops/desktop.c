/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a desktop comes from three sides: the store (desktop_look()), its VMM (VmmOps), and timers. Each changes a member
 * or two and asks for a turn; only turns begin anything.
 */
#include "appliance/desktops/desktop.h"

#include "appliance/desktops/bring_up.h"
#include "appliance/desktops/bounds.h"
#include "appliance/desktops/figures.h"
#include "appliance/desktops/picture.h"
#include "appliance/desktops/private.h"
#include "appliance/desktops/spawn.h"
#include "appliance/desktops/tunnels.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define SHUT_DOWN_SECONDS 90
#define STOP_SECONDS 20
/* A run this long was no failure to start. */
#define GOOD_RUN_US (60 * G_USEC_PER_SEC)
#define PROGRESS_STEP 0.01
/* What carrel-vmm says then (machine.h). */
#define POWERED_OFF "the guest powered off"

/* ---- what others see ---- */

void
desktop_describe(const Desktop *desktop, GVariantDict *what)
{
    g_variant_dict_insert(what, "state", "s", life_word(desktop->state));
    g_variant_dict_insert(what, "since", "x", desktop->since);
    if (desktop->detail)
        g_variant_dict_insert(what, "detail", "s", desktop->detail);
    if (desktop->progress >= 0)
        g_variant_dict_insert(what, "progress", "d", desktop->progress);
}

static void
tell(Desktop *desktop)
{
    Desktops *desktops = desktop->desktops;
    GVariantDict what;

    g_variant_dict_init(&what, NULL);
    desktop_describe(desktop, &what);
    desktops->ops.changed(desktops->owner, desktop->id, g_variant_dict_end(&what));
}

void
desktop_set_state(Desktop *desktop, LifeState state, const char *detail)
{
    if (detail && !*detail)
        detail = NULL;
    if (state == desktop->state && !g_strcmp0(detail, desktop->detail))
        return;
    if (state != desktop->state)
        desktop->since = g_get_real_time();
    desktop->state = state;
    desktop->progress = -1;
    if (detail != desktop->detail) {
        g_free(desktop->detail);
        desktop->detail = g_strdup(detail);
    }
    tell(desktop);
    tunnels_serve(desktop->desktops->tunnels, desktop);
    pools_look_at_pool_of(desktop->desktops->pools, desktop);
}

void
desktop_set_progress(Desktop *desktop, double progress)
{
    if (progress < desktop->progress + PROGRESS_STEP && progress < 1)
        return;
    desktop->progress = progress;
    tell(desktop);
}

/* ---- files ---- */

char *
desktop_saved_path(const Desktop *desktop)
{
    return g_build_filename(desktop->keep, "suspended", NULL);
}

char *
desktop_restoring_path(const Desktop *desktop)
{
    return g_build_filename(desktop->keep, "restoring", NULL);
}

char *
desktop_picture_path(const Desktop *desktop)
{
    return g_build_filename(desktop->keep, "picture.png", NULL);
}

char *
desktop_end_path(const Desktop *desktop)
{
    return g_build_filename(desktop->run, "end", NULL);
}

static bool
is_saved(const Desktop *desktop)
{
    g_autofree char *path = desktop_saved_path(desktop);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

void
desktop_clear_run(Desktop *desktop)
{
    static const char *const names[] = {"record", "control", "spice", "end"};

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(desktop->run, names[i], NULL);
        g_unlink(path);
    }
    bounds_clear(&desktop->desktops->settings, desktop->id);
}

/* ---- failure ---- */

static void
stop_source(guint *source)
{
    if (*source)
        g_source_remove(*source);
    *source = 0;
}

static gboolean
on_retry(gpointer user)
{
    Desktop *desktop = user;

    desktop->retry_source = 0;
    desktop->retry = true;
    desktop_turn(desktop);
    return G_SOURCE_REMOVE;
}

void
desktop_fail(Desktop *desktop, const char *why)
{
    desktop->failures++;
    desktop->retry = false;
    stop_source(&desktop->retry_source);
    desktop->retry_source = g_timeout_add((guint)(life_wait(desktop->failures) / 1000), on_retry, desktop);
    desktop_set_state(desktop, LIFE_FAILED, why);
    desktop_turn(desktop);
}

/* As it is without a process and without a complaint. */
static void
rest(Desktop *desktop, const char *detail)
{
    desktop_set_state(desktop, is_saved(desktop) ? LIFE_SUSPENDED : LIFE_STOPPED, detail);
    desktop_turn(desktop);
}

/* ---- the VMM ---- */

/* A pause that was asked for is a daemon's before us, who was taking a snapshot: nobody else is going to end it. */
static void
end_old_pause(Desktop *desktop)
{
    CarrelVmm1 *control = vmm_control(desktop->vmm);
    const char *const *reasons = carrel_vmm1_get_pause_reasons(control);

    if (reasons && g_strv_contains(reasons, "user"))
        carrel_vmm1_call_resume(control, desktop->cancellable, NULL, NULL);
}

static void
on_connected(void *user)
{
    Desktop *desktop = user;

    end_old_pause(desktop);
    desktop_turn(desktop);
}

/* It went on from the file; never again. */
static void
forget_saved(Desktop *desktop)
{
    g_autofree char *path = desktop_restoring_path(desktop);

    desktop->restoring = false;
    g_unlink(path);
}

static void
on_state(void *user, VmmState state, const char *detail)
{
    Desktop *desktop = user;

    if (state != VMM_RUNNING && state != VMM_PAUSED)
        return;
    if (desktop->restoring)
        forget_saved(desktop);
    if (desktop->state == LIFE_STOPPING || desktop->state == LIFE_SUSPENDING)
        return;
    desktop_set_state(desktop, state == VMM_RUNNING ? LIFE_RUNNING : LIFE_PAUSED, detail);
    desktop_turn(desktop);
}

static void
on_clients(void *user, unsigned n)
{
    Desktop *desktop = user;

    desktop->clients = n;
    pools_look_at_pool_of(desktop->desktops->pools, desktop);
}

static void
on_connections(void *user, const char *const *names)
{
    Desktop *desktop = user;

    tunnels_compare(desktop->desktops->tunnels, desktop, names);
}

static void
on_lost(void *user, const char *why)
{
    Desktop *desktop = user;

    /* Nothing can be known of it or done with it any more, and its disks can be nobody else's: so it ends. */
    if (!desktop->end_asked)
        desktop->fault = g_strdup_printf("the virtual PC was ended because of a fault: %s", why);
    desktop_end(desktop);
}

/* The file of a desktop that never ran from it is good still. */
static void
give_file_back(Desktop *desktop)
{
    g_autofree char *from = desktop_restoring_path(desktop), *to = desktop_saved_path(desktop);

    desktop->restoring = false;
    if (g_rename(from, to) < 0)
        g_warning("%s: %s", from, g_strerror(errno));
}

static char *
why_it_ended(const Desktop *desktop, int status)
{
    g_autofree char *log = g_build_filename(desktop->run, "log", NULL);
    g_autofree char *words = vmm_last_words(log);

    if (WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) > 128)) {
        int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128;
        return g_strdup_printf("the virtual PC was ended by signal %d (%s)%s%s", number, g_strsignal(number),
                               words ? ": " : "", words ? words : "");
    }
    if (words)
        return g_steal_pointer(&words);
    return g_strdup("the virtual PC ended without a word");
}

/* The sentence that it left when it ended in order; NULL: it had no time for one. */
static char *
what_it_left(const Desktop *desktop)
{
    g_autofree char *path = desktop_end_path(desktop);

    return vmm_last_words(path);
}

typedef struct {
    Desktops *desktops;
    char *id;
    bool clear; /* what is left of the run goes when the store knows */
} Wanting;

static void
on_wanted(void *data, const GError *error)
{
    g_autofree Wanting *wanting = data;
    g_autofree char *id = wanting->id;
    Desktop *desktop = desktops_find(wanting->desktops, id);

    wanting->desktops->calls--;
    if (error)
        g_message("a desktop went another way than it was wanted to, which cannot be written down: %s", error->message);
    else if (wanting->clear && desktop && !desktop->vmm && !desktop->bring_up)
        desktop_clear_run(desktop);
}

GVariant *
desktop_want_fields(const char *id, Wanted wanted)
{
    static const char *const words[] = {
        [WANTED_STOPPED] = "stopped", [WANTED_RUNNING] = "running", [WANTED_SUSPENDED] = "suspended"};
    GVariantDict fields;

    g_variant_dict_init(&fields, NULL);
    g_variant_dict_insert(&fields, "desktop", "s", id);
    g_variant_dict_insert(&fields, "wanted", "s", words[wanted]);
    return g_variant_dict_end(&fields);
}

static void
submit_want(Desktop *desktop, Wanted wanted, bool clear)
{
    Desktops *desktops = desktop->desktops;
    Wanting *wanting = g_new(Wanting, 1);

    *wanting = (Wanting){desktops, g_strdup(desktop->id), clear};
    desktop->spec->wanted = wanted; /* until the store says so */
    desktops->calls++;
    desktops->ops.submit(desktops->owner, NULL, "desktop.want", desktop_want_fields(desktop->id, wanted), on_wanted,
                         wanting);
}

void
desktop_want(Desktop *desktop, Wanted wanted)
{
    if (desktop->spec && desktop->spec->wanted != wanted)
        submit_want(desktop, wanted, false);
}

/*
 * What its guest did is what its user wanted. Until the store knows that, what is left of the run stays: a daemon that came after
 * us would else take it for a desktop that is to run and does not.
 */
static void
note_power_off(Desktop *desktop)
{
    if (desktop->spec && desktop->spec->wanted == WANTED_RUNNING)
        submit_want(desktop, WANTED_STOPPED, true);
    else
        desktop_clear_run(desktop);
}

static bool
ran_well(const Desktop *desktop)
{
    return g_get_real_time() - desktop->record->since > GOOD_RUN_US;
}

static void
on_ended(void *user, int status)
{
    Desktop *desktop = user;
    g_autofree char *left = what_it_left(desktop);
    bool in_order = status == 0 || left; /* the status of a process that an earlier daemon started is not to be had */
    bool by_guest = !g_strcmp0(left, POWERED_OFF);
    bool asked = desktop->end_asked && !desktop->fault;
    g_autofree char *why = why_it_ended(desktop, status), *fault = g_steal_pointer(&desktop->fault);

    if (desktop->restoring)
        give_file_back(desktop);
    if (in_order || ran_well(desktop))
        desktop->failures = 0;
    networks_unplug(desktop->desktops->settings.networks, desktop->id);
    g_cancellable_cancel(desktop->cancellable);
    g_clear_object(&desktop->cancellable);
    g_clear_pointer(&desktop->vmm, vmm_free);
    if (desktop->record->tpm_pid)
        spawn_end(desktop->record->tpm_pid, desktop->record->tpm_began); /* it may not have heard */
    g_clear_pointer(&desktop->record, record_free);
    g_clear_pointer(&desktop->figures, figures_free);
    picture_keep(desktop);
    tunnels_end(desktop->desktops->tunnels, desktop);
    stop_source(&desktop->patience_source);
    desktop->clients = 0;
    desktop->end_asked = desktop->stop_asked = false;
    if (by_guest)
        note_power_off(desktop);
    else
        desktop_clear_run(desktop);
    if (asked || by_guest)
        rest(desktop, NULL);
    else
        desktop_fail(desktop, fault ? fault : in_order ? "the virtual PC was ended from outside" : why);
}

static const VmmOps vmm_ops = {
    .connected = on_connected,
    .state = on_state,
    .clients = on_clients,
    .connections = on_connections,
    .lost = on_lost,
    .ended = on_ended,
};

void
desktop_start_vmm(Desktop *desktop, int pidfd)
{
    desktop->cancellable = g_cancellable_new();
    g_autofree char *restoring = desktop_restoring_path(desktop);
    desktop->restoring = g_file_test(restoring, G_FILE_TEST_EXISTS);
    desktop->vmm = vmm_new(pidfd, desktop->run, &vmm_ops, desktop);
    desktop_set_state(desktop, LIFE_STARTING, NULL);
}

/* As far as can be told from what it left. */
void
desktop_left_behind(Desktop *desktop, const Record *record)
{
    g_autofree char *log = g_build_filename(desktop->run, "log", NULL);
    g_autofree char *words = vmm_last_words(log), *left = what_it_left(desktop);

    if (record && record->tpm_pid)
        spawn_end(record->tpm_pid, record->tpm_began);
    desktop->powered_off = record && !g_strcmp0(left, POWERED_OFF);
    if (desktop->powered_off)
        return;
    desktop_clear_run(desktop);
    if (!record)
        return;
    g_autofree char *why = g_strdup_printf("the virtual PC ended while the host's daemon was away%s%s",
                                           words ? ": " : "", words ? words : "");
    desktop_fail(desktop, why);
}

void
desktop_brought_up(Desktop *desktop, const GError *error)
{
    desktop->bring_up = NULL;
    if (!error)
        desktop_turn(desktop);
    else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        rest(desktop, NULL);
    else
        desktop_fail(desktop, error->message);
}

/* ---- ends ---- */

static gboolean
on_no_end(gpointer user)
{
    Desktop *desktop = user;

    desktop->patience_source = 0;
    g_message("desktop %s does not end; it is killed", desktop->id);
    vmm_signal(desktop->vmm, SIGKILL);
    return G_SOURCE_REMOVE;
}

void
desktop_end(Desktop *desktop)
{
    CarrelVmm1 *control = vmm_control(desktop->vmm);

    desktop->end_asked = desktop->stop_asked = true;
    stop_source(&desktop->patience_source);
    desktop->patience_source = g_timeout_add_seconds(STOP_SECONDS, on_no_end, desktop);
    if (control)
        carrel_vmm1_call_stop(control, desktop->cancellable, NULL, NULL);
    else
        vmm_signal(desktop->vmm, SIGTERM);
    desktop_set_state(desktop, LIFE_STOPPING, desktop->detail);
}

static gboolean
on_guest_stays(gpointer user)
{
    Desktop *desktop = user;

    desktop->patience_source = 0;
    desktop_set_state(desktop, LIFE_STOPPING, "it did not shut down when it was asked to, and is switched off");
    desktop_end(desktop);
    return G_SOURCE_REMOVE;
}

static void
press_power_button(Desktop *desktop)
{
    carrel_vmm1_call_power_button(vmm_control(desktop->vmm), desktop->cancellable, NULL, NULL);
}

static void
on_guest_asked(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;

    if (carrel_vmm1_call_shut_down_guest_finish(CARREL_VMM1(source), result, &error) ||
        g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    Desktop *desktop = user; /* there, or the call had been cancelled */
    if (vmm_control(desktop->vmm))
        press_power_button(desktop);
}

static void
shut_down(Desktop *desktop)
{
    CarrelVmm1 *control = vmm_control(desktop->vmm);
    guint seconds = (guint)desktops_setting(desktop->desktops, "desktops.shut-down-seconds", SHUT_DOWN_SECONDS);

    if (!control) {
        desktop_end(desktop);
        return;
    }
    desktop->end_asked = true;
    picture_take(desktop);
    if (carrel_vmm1_get_guest_agent(control))
        carrel_vmm1_call_shut_down_guest(control, FALSE, desktop->cancellable, on_guest_asked, desktop);
    else
        press_power_button(desktop);
    desktop_set_state(desktop, LIFE_STOPPING, NULL);
    stop_source(&desktop->patience_source);
    desktop->patience_source = g_timeout_add_seconds(seconds, on_guest_stays, desktop);
}

static void
discard(Desktop *desktop)
{
    g_autofree char *path = desktop_saved_path(desktop);

    g_unlink(path);
    rest(desktop, NULL);
}

/* ---- turns ---- */

bool
desktop_is_busy(const Desktop *desktop)
{
    return desktop->vmm || desktop->bring_up || desktop->held;
}

static void
do_step(Desktop *desktop, LifeStep step)
{
    switch (step) {
    case LIFE_NOTHING:
        break;
    case LIFE_BRING_UP:
        desktop->at_once = false; /* not before: the store may still be told that it is to stop */
        bring_up_begin(desktop);
        break;
    case LIFE_GIVE_UP:
        bring_up_cancel(desktop->bring_up);
        break;
    case LIFE_SHUT_DOWN:
        shut_down(desktop);
        break;
    case LIFE_END:
        if (!desktop->stop_asked)
            desktop_end(desktop);
        break;
    case LIFE_SUSPEND:
        desktop_suspend(desktop);
        break;
    case LIFE_DISCARD:
        discard(desktop);
        break;
    case LIFE_CLEAR:
        desktop->failures = 0;
        stop_source(&desktop->retry_source);
        rest(desktop, NULL);
        break;
    }
}

static gboolean
on_turn(gpointer user)
{
    Desktop *desktop = user;
    LifeFacts facts = {.state = desktop->state,
                       .wanted = desktop->spec ? desktop->spec->wanted : WANTED_STOPPED,
                       .at_once = desktop->at_once || !desktop->spec,
                       .held = desktop->held,
                       .retry = desktop->retry};

    desktop->turn_source = 0;
    if (desktop->removed && !desktop_is_busy(desktop)) {
        desktop_remove(desktop);
        return G_SOURCE_REMOVE;
    }
    if (desktop->looked)
        do_step(desktop, life_next(&facts));
    return G_SOURCE_REMOVE;
}

void
desktop_turn(Desktop *desktop)
{
    if (!desktop->turn_source && !desktop->desktops->closing)
        desktop->turn_source = g_idle_add_full(G_PRIORITY_DEFAULT, on_turn, desktop, NULL);
}

/* ---- the store ---- */

static GVariant *
get_policy(Desktop *desktop, GVariant *row)
{
    Desktops *desktops = desktop->desktops;
    const char *policy = NULL, *pool = NULL;
    g_autoptr(GVariant) of_pool = NULL;

    if (!g_variant_lookup(row, "policy", "&s", &policy) && g_variant_lookup(row, "pool", "&s", &pool)) {
        of_pool = desktops->ops.get(desktops->owner, "pool", pool);
        if (of_pool)
            g_variant_lookup(of_pool, "policy", "&s", &policy);
    }
    return policy ? desktops->ops.get(desktops->owner, "policy", policy) : NULL;
}

Spec *
desktop_read_spec(Desktop *desktop)
{
    Desktops *desktops = desktop->desktops;
    g_autoptr(GVariant) row = desktops->ops.get(desktops->owner, "desktop", desktop->id);

    if (!row)
        return NULL;
    g_autoptr(GVariant) policy = get_policy(desktop, row);
    g_autoptr(Spec) spec = spec_new(row, policy);
    return !spec->host || !strcmp(spec->host, desktops->settings.host) ? g_steal_pointer(&spec) : NULL;
}

void
desktop_look(Desktop *desktop)
{
    Wanted before = desktop->spec ? desktop->spec->wanted : WANTED_STOPPED;

    spec_free(desktop->spec);
    desktop->spec = desktop_read_spec(desktop);
    desktop->looked = true;
    /* Who asks anew need not wait. */
    if (desktop->spec && desktop->spec->wanted != before)
        desktop->retry = true;
    if (desktop->powered_off) {
        desktop->powered_off = false;
        note_power_off(desktop);
    }
    desktop_turn(desktop);
}

void
desktop_try_again(Desktop *desktop)
{
    if (desktop->state != LIFE_FAILED)
        return;
    desktop->retry = true;
    desktop_turn(desktop);
}

/* ---- life ---- */

Desktop *
desktop_new(Desktops *desktops, const char *id)
{
    Desktop *desktop = g_new0(Desktop, 1);

    desktop->desktops = desktops;
    desktop->id = g_strdup(id);
    desktop->run = g_build_filename(desktops->settings.run, id, NULL);
    desktop->keep = g_build_filename(desktops->settings.state, id, NULL);
    desktop->state = is_saved(desktop) ? LIFE_SUSPENDED : LIFE_STOPPED;
    desktop->since = g_get_real_time();
    desktop->progress = -1;
    return desktop;
}

void
desktop_free(Desktop *desktop)
{
    if (!desktop)
        return;
    bring_up_drop(desktop->bring_up);
    stop_source(&desktop->turn_source);
    stop_source(&desktop->retry_source);
    stop_source(&desktop->patience_source);
    if (desktop->cancellable)
        g_cancellable_cancel(desktop->cancellable);
    g_clear_object(&desktop->cancellable);
    vmm_free(desktop->vmm);
    record_free(desktop->record);
    figures_free(desktop->figures);
    picture_free(desktop->picture);
    g_free(desktop->password);
    spec_free(desktop->spec);
    g_free(desktop->fault);
    g_free(desktop->detail);
    g_free(desktop->run);
    g_free(desktop->keep);
    g_free(desktop->id);
    g_free(desktop);
}
