/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something that somebody asked to be done with a desktop, from the asking to the answer; for this folder. What takes a while has a
 * job, whose beginning is the answer. Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/private.h"

typedef struct Action Action;

struct Action {
    Desktops *desktops;
    Desktop *desktop;
    char *caller, *name; /* caller may be NULL */
    GVariant *options;
    DesktopsControlled done; /* NULL once it was called */
    void *data;
    char *job; /* NULL: it has none */
    GCancellable *cancellable;
    bool holds; /* the desktop is not to be disturbed meanwhile */
    /* Whatever the kind of action keeps; freed with it. */
    void *own;
    GDestroyNotify free_own;
};

/* It becomes a job: answered now, with its id. @what: a sentence. */
void action_begin_job(Action *action, const char *what);
/* The desktop takes no turns until the action ends. */
void action_hold(Action *action);
/* The end: NULL, or the error that answer or job ends with. Frees it. */
void action_end(Action *action, const GError *error);
/* The same with an error of its own. */
void action_refuse(Action *action, DesktopsError code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* As others' calls say it progresses: a StorageProgress. */
void action_progress(double done, void *action);
/* A command of the caller's; the action ends with it. */
void action_submit(Action *action, const char *command, GVariant *fields);
/* The same, and then something else. */
typedef void (*ActionNext)(Action *action);
void action_submit_then(Action *action, const char *command, GVariant *fields, ActionNext next);

/* Options; where one is missing or of another type the action is refused, and freed. */
bool action_text(Action *action, const char *key, const char **text);
bool action_number(Action *action, const char *key, uint64_t *number);
bool action_id(Action *action, const char *key, const char **id);

/* The actions, each of which takes it. Those of media.c and copies.c; the rest is in control.c. */
void action_resize(Action *action);
void action_insert(Action *action);
void action_eject(Action *action);
void action_snapshot(Action *action);
void action_revert(Action *action);
void action_forget(Action *action);
void action_clone(Action *action);
void action_make_template(Action *action);
