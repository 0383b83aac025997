/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/action.h"

#include <stdarg.h>

static void
answer(Action *action, const char *job, const GError *error)
{
    DesktopsControlled done = action->done;

    action->done = NULL;
    if (done)
        done(action->data, job, error);
}

void
action_begin_job(Action *action, const char *what)
{
    Desktops *desktops = action->desktops;

    action->job =
        desktops->ops.job_begin(desktops->owner, action->caller, action->desktop->id, what, action->cancellable);
    answer(action, action->job, NULL);
}

void
action_hold(Action *action)
{
    g_assert(!action->holds);
    action->holds = true;
    action->desktop->held++;
}

void
action_end(Action *action, const GError *error)
{
    Desktops *desktops = action->desktops;

    if (action->job)
        desktops->ops.job_end(desktops->owner, action->job, error);
    answer(action, error ? NULL : "", error);
    if (action->holds) {
        action->desktop->held--;
        desktop_turn(action->desktop);
    }
    desktops->calls--;
    if (action->free_own)
        action->free_own(action->own);
    desktops->actions = g_list_remove(desktops->actions, action);
    g_object_unref(action->cancellable);
    g_variant_unref(action->options);
    g_free(action->job);
    g_free(action->name);
    g_free(action->caller);
    g_free(action);
}

void
action_refuse(Action *action, DesktopsError code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autoptr(GError) error = g_error_new_valist(DESKTOPS_ERROR, code, format, arguments);
    va_end(arguments);
    action_end(action, error);
}

void
action_progress(double done, void *data)
{
    Action *action = data;

    if (action->job)
        action->desktops->ops.job_progress(action->desktops->owner, action->job, done);
}

/* ---- commands ---- */

typedef struct {
    Action *action;
    ActionNext next;
} Submitted;

static void
on_submitted(void *data, const GError *error)
{
    g_autofree Submitted *submitted = data;

    if (error || !submitted->next)
        action_end(submitted->action, error);
    else
        submitted->next(submitted->action);
}

void
action_submit_then(Action *action, const char *command, GVariant *fields, ActionNext next)
{
    Submitted *submitted = g_new(Submitted, 1);

    *submitted = (Submitted){action, next};
    action->desktops->ops.submit(action->desktops->owner, action->caller, command, fields, on_submitted, submitted);
}

void
action_submit(Action *action, const char *command, GVariant *fields)
{
    action_submit_then(action, command, fields, NULL);
}

/* ---- options ---- */

bool
action_text(Action *action, const char *key, const char **text)
{
    if (g_variant_lookup(action->options, key, "&s", text))
        return true;
    action_refuse(action, DESKTOPS_ERROR_INVALID, "%s: it has to be given", key);
    return false;
}

bool
action_id(Action *action, const char *key, const char **id)
{
    if (!action_text(action, key, id))
        return false;
    if (g_uuid_string_is_valid(*id))
        return true;
    action_refuse(action, DESKTOPS_ERROR_INVALID, "%s: it has to be a UUID", key);
    return false;
}

/* Callers know only what JSON or a shell told them: any kind of whole number will do. */
bool
action_number(Action *action, const char *key, uint64_t *number)
{
    g_autoptr(GVariant) value = g_variant_lookup_value(action->options, key, NULL);

    if (value && g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32))
        *number = g_variant_get_uint32(value);
    else if (value && g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64))
        *number = g_variant_get_uint64(value);
    else if (value && g_variant_is_of_type(value, G_VARIANT_TYPE_INT32) && g_variant_get_int32(value) >= 0)
        *number = (uint64_t)g_variant_get_int32(value);
    else if (value && g_variant_is_of_type(value, G_VARIANT_TYPE_INT64) && g_variant_get_int64(value) >= 0)
        *number = (uint64_t)g_variant_get_int64(value);
    else {
        action_refuse(action, DESKTOPS_ERROR_INVALID, "%s: it has to be given, as a number", key);
        return false;
    }
    return true;
}
