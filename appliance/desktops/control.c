/* SPDX-License-Identifier: Apache-2.0 */
/* The table of what can be asked of a desktop, and what is done by wanting it. */
#include "appliance/desktops/action.h"

#include <string.h>

/* What fails waits no longer, when somebody asks. */
static void
want(Action *action, Wanted wanted)
{
    Desktop *desktop = action->desktop;

    desktop->retry = true;
    if (desktop->spec->wanted == wanted) {
        desktop_turn(desktop);
        action_end(action, NULL);
        return;
    }
    action_submit(action, "desktop.want", desktop_want_fields(desktop->id, wanted));
}

static void
action_start(Action *action)
{
    want(action, WANTED_RUNNING);
}

static void
action_shut_down(Action *action)
{
    action->desktop->at_once = false;
    want(action, WANTED_STOPPED);
}

static void
action_stop(Action *action)
{
    action->desktop->at_once = true;
    want(action, WANTED_STOPPED);
}

static void
action_suspend(Action *action)
{
    if (action->desktop->state == LIFE_RUNNING || action->desktop->state == LIFE_PAUSED ||
        action->desktop->state == LIFE_SUSPENDED)
        want(action, WANTED_SUSPENDED);
    else
        action_refuse(action, DESKTOPS_ERROR_UNAVAILABLE, "only a desktop that runs can be suspended");
}

static void
on_reset(GObject *source, GAsyncResult *result, gpointer user)
{
    Action *action = user;
    g_autoptr(GError) error = NULL;

    if (carrel_vmm1_call_reset_finish(CARREL_VMM1(source), result, &error))
        action_end(action, NULL);
    else
        action_refuse(action, DESKTOPS_ERROR_FAILED, "the desktop cannot be reset: %s", error->message);
}

static void
action_reset(Action *action)
{
    CarrelVmm1 *control = vmm_control(action->desktop->vmm);

    if (control)
        carrel_vmm1_call_reset(control, action->cancellable, on_reset, action);
    else
        action_refuse(action, DESKTOPS_ERROR_UNAVAILABLE, "only a desktop that runs can be reset");
}

static const struct {
    const char *name;
    void (*run)(Action *action);
} actions[] = {
    {"start", action_start},
    {"shut-down", action_shut_down},
    {"stop", action_stop},
    {"suspend", action_suspend},
    {"reset", action_reset},
    {"snapshot", action_snapshot},
    {"revert", action_revert},
    {"forget", action_forget},
    {"resize", action_resize},
    {"insert", action_insert},
    {"eject", action_eject},
    {"clone", action_clone},
    {"make-template", action_make_template},
};

static void
run(Action *action)
{
    if (!action->desktop->spec) {
        action_refuse(action, DESKTOPS_ERROR_NOT_FOUND, "there is no such desktop");
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (!strcmp(action->name, actions[i].name)) {
            actions[i].run(action);
            return;
        }
    }
    action_refuse(action, DESKTOPS_ERROR_INVALID, "action: “%s” is none that a desktop knows", action->name);
}

void
desktops_control(Desktops *desktops, DesktopsCaller caller, const char *desktop, const char *name, GVariant *options,
                 DesktopsControlled done, void *data)
{
    Action *action = g_new0(Action, 1);

    action->desktops = desktops;
    action->desktop = desktops_need(desktops, desktop);
    action->caller = g_strdup(caller);
    action->name = g_strdup(name);
    action->options = g_variant_ref_sink(options);
    action->done = done;
    action->data = data;
    action->cancellable = g_cancellable_new();
    desktops->calls++;
    desktops->actions = g_list_prepend(desktops->actions, action);
    desktop_look(action->desktop);
    run(action);
}
