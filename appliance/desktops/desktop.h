/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One desktop on this host, for this folder. What it is to be is its spec, read from the store at each look; what it is, its state.
 * Whenever either changes it takes a turn, in which life_next() says what is to be done.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/desktops.h"
#include "appliance/desktops/life.h"
#include "appliance/desktops/record.h"
#include "appliance/desktops/vmm.h"

typedef struct Desktop Desktop;
typedef struct BringUp BringUp;
typedef struct Figures Figures;
typedef struct Picture Picture;

struct Desktop {
    Desktops *desktops;
    char *id;
    char *run;    /* the folder of its sockets, record and log */
    char *keep;   /* the folder of what lasts; made when it is first needed */
    Spec *spec;   /* NULL: the store has it not, or elsewhere */
    bool looked;  /* the store has been asked; before that nothing is begun with it, least of all its end */
    bool removed; /* from the store: all that is left of it goes, once it is not busy */

    LifeState state;
    int64_t since;   /* µs since 1970 */
    char *detail;    /* a sentence; NULL: nothing to say */
    double progress; /* of preparing; below 0: none */
    bool at_once, retry;
    unsigned held, failures;
    guint turn_source, retry_source, patience_source;

    BringUp *bring_up;         /* in PREPARING and STARTING, until there is a vmm */
    Vmm *vmm;                  /* from STARTING to its end */
    Record *record;            /* with it */
    GCancellable *cancellable; /* of calls to its control; replaced when it ends */
    bool restoring;            /* it comes from a file, and has not run yet */
    bool end_asked;            /* its end is what we want: a guest that shuts down, or .stop_asked, or a save */
    bool stop_asked;           /* it is to end at once */
    bool powered_off;          /* by its guest, while no daemon was there; the store has not been told yet */
    char *fault;               /* why it was ended, where it does not answer */
    unsigned clients;
    int64_t unused_since; /* monotonic µs: nobody is connected, or may connect by a ticket; 0: not known yet */
    bool was_used;        /* somebody had a ticket since it was looked at first */
    bool user_left;       /* whoever has it, of its pool, has signed out since the last ticket */
    Figures *figures;     /* NULL: nobody has looked */
    Picture *picture;     /* NULL: nobody has looked yet */

    char *password; /* of its SPICE server; NULL: none is known here */
    enum {
        PASSWORD_NEW, /* the VMM has not been told yet */
        PASSWORD_TOLD,
        PASSWORD_SET,
        PASSWORD_REFUSED,
    } password_is;
};

/* State, sentence and progress at once; @detail may be NULL. */
void desktop_set_state(Desktop *desktop, LifeState state, const char *detail);
void desktop_set_progress(Desktop *desktop, double progress);
/* Takes a turn soon. */
void desktop_turn(Desktop *desktop);
/* It is stopped and was not to be. */
void desktop_fail(Desktop *desktop, const char *why);
/* The end of desktop->bring_up, which is freed: there is a process (desktop->vmm), or an error. */
void desktop_brought_up(Desktop *desktop, const GError *error);
/* Something is under way with it, or it runs. */
bool desktop_is_busy(const Desktop *desktop);
/* Ends it at once: soon if it answers, else by force. */
void desktop_end(Desktop *desktop);
/* "desktop.want"'s fields, floating. */
GVariant *desktop_want_fields(const char *id, Wanted wanted);
/* Adds state, since, detail and progress. */
void desktop_describe(const Desktop *desktop, GVariantDict *what);
/* Has the store say that this is what is wanted, since that is how it is now. */
void desktop_want(Desktop *desktop, Wanted wanted);
/* Writes it to a file, from which it goes on later (suspend.c). */
void desktop_suspend(Desktop *desktop);
/* Deletes its disks and all else that is kept of it, and then frees it (remove.c). It is not busy. */
void desktop_remove(Desktop *desktop);

Desktop *desktop_new(Desktops *desktops, const char *id);
void desktop_free(Desktop *desktop);
/* Reads the store again. */
void desktop_look(Desktop *desktop);
/* If it has failed: does not wait any longer. */
void desktop_try_again(Desktop *desktop);
/* The spec as it is in the store now; NULL: there is none, or it is another host's. */
Spec *desktop_read_spec(Desktop *desktop);
/* There is a process, which desktop->record describes. Takes the pidfd. */
void desktop_start_vmm(Desktop *desktop, int pidfd);
/* A daemon before us started it (@record, or NULL: nobody knows), and it runs no more. */
void desktop_left_behind(Desktop *desktop, const Record *record);
/* What a VMM that is gone left in the run folder. */
void desktop_clear_run(Desktop *desktop);

/* In the folder that lasts: where it lies suspended, and while it is being brought back. Free it. */
char *desktop_end_path(const Desktop *desktop); /* where its VMM writes why it ended */
char *desktop_saved_path(const Desktop *desktop);
char *desktop_restoring_path(const Desktop *desktop);
char *desktop_picture_path(const Desktop *desktop);
