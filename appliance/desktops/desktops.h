/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The desktops of one host: what the store wants of each is held against what runs here, and made so.
 *
 *     the store's rows ──▶ wanted ─┐
 *                                  ├─▶ next step ──▶ disks, cards, TPM, carrel-vmm
 *     process, control ──▶ is ─────┘                       │
 *            ▲                                             │
 *            └─────────────────────────────────────────────┘
 *
 * A desktop is "stopped", "preparing" (its disks are made), "starting", "running", "paused", "suspending", "suspended",
 * "stopping" or "failed". What fails is tried again, after waits that grow to five minutes, as long as it is wanted; a
 * sentence says why.
 *
 * The VMMs are no part of the daemon: they outlive it, and a new one finds them in the run folder and goes on with them.
 * So freeing this ends no desktop.
 *
 * Nothing here knows D-Bus as carreld offers it, sessions or roles: who may do what has been decided before these calls. The
 * store is read and written through the owner.
 *
 * Owner: one thread, with a main context that runs. Callbacks come on it, and each "done" exactly once, perhaps within the call, at the
 * latest within desktops_free().
 */
#pragma once

#include "appliance/network/network.h"
#include "appliance/storage/storage.h"

#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Desktops Desktops;

/* What an error of this domain means to whoever asked; its message is a sentence for people. */
#define DESKTOPS_ERROR (desktops_error_quark())
GQuark desktops_error_quark(void);
typedef enum {
    DESKTOPS_ERROR_NOT_FOUND,   /* no such desktop, snapshot, ticket */
    DESKTOPS_ERROR_INVALID,     /* an option; the message begins with its name */
    DESKTOPS_ERROR_IN_USE,      /* something else is being done with it, or somebody uses it */
    DESKTOPS_ERROR_FULL,        /* no memory, no disk, too many tickets; the message has the numbers */
    DESKTOPS_ERROR_BUSY,        /* try again later */
    DESKTOPS_ERROR_UNAVAILABLE, /* this host, or this desktop as it is, cannot */
    DESKTOPS_ERROR_FAILED,
} DesktopsError;

typedef struct {
    const char *host;  /* this host's id in the store */
    const char *state; /* a folder of its own that lasts: firmware variables, TPMs, suspended desktops, pictures */
    const char *run;   /* one for this boot: sockets, what runs */
    const char *vmm;   /* the program carrel-vmm */
    const char *swtpm; /* the program swtpm */
    uid_t uid_first;   /* the users that VMMs become where we are root: each one of its own, */
    unsigned uids;     /* of so many */
    bool scopes; /* each VMM in a systemd scope: where the host runs systemd, and restarting us must not end them */
    const char *cgroup; /* without scopes: a cgroup v2 folder for a group each, for the limits; NULL: no limits */
    uint64_t memory;    /* bytes there are for all desktops; 0: the host's, less a reserve (admission.h) */
    Storage *storage;   /* both borrowed, and there as long as this; desktops_new() adopts the cards of what runs, */
    Networks *networks; /* so the rows of networks are set before */
} DesktopsSettings;

/*
 * Who is behind a call, in the owner's own words: copied, and given back with the commands and jobs that come of it. NULL: nobody but
 * the daemon.
 */
typedef const char *DesktopsCaller;

typedef void (*DesktopsSubmitted)(void *data, const GError *error);

typedef enum {
    DESKTOPS_CLIENT_LEFT,
    DESKTOPS_CLIENT_CAME,
    DESKTOPS_CLIENT_IS_HERE, /* came while a daemon before us was there, which told its owner */
} DesktopsClient;

/* The owner's side. All mandatory. */
typedef struct {
    /* A thing of the store with its parts, by id or "name:NAME", a{sv} as ha/store/reader.h says; NULL: there is none. The caller's. */
    GVariant *(*get)(void *owner, const char *kind, const char *id);
    /* Those of a kind whose column is @value (NULL: none), without parts; @filter NULL: all. GVariant *, the caller's. */
    GPtrArray *(*list)(void *owner, const char *kind, const char *filter, const char *value);
    /*
     * Hand a command to the store: @fields is a{sv}, floating. @done is called once, within the call or later, after the change is
     * to be seen with .get.
     */
    void (*submit)(void *owner, DesktopsCaller caller, const char *command, GVariant *fields, DesktopsSubmitted done,
                   void *data);
    /* What desktops_live() says of it has changed, and to what: a{sv}, floating, with the keys that changed. */
    void (*changed)(void *owner, const char *desktop, GVariant *what);
    /*
     * Something that takes a while begins; @what is a sentence. Cancelling @cancellable ends it soon, with an error. The job's id, the
     * caller's.
     */
    char *(*job_begin)(void *owner, DesktopsCaller caller, const char *desktop, const char *what,
                       GCancellable *cancellable);
    void (*job_progress)(void *owner, const char *job, double progress); /* 0 to 1 */
    void (*job_end)(void *owner, const char *job, const GError *error);  /* NULL: done */
    /* What a client did: who opened the ticket, and from where (both as they were given). */
    void (*client)(void *owner, const char *desktop, DesktopsClient what, DesktopsCaller caller, const char *address);
} DesktopsOps;

/*
 * Takes up what runs already. desktops_clear_begun() and desktops_look() for all are to follow once the owner can answer. Settings
 * are copied.
 */
Desktops *desktops_new(const DesktopsSettings *settings, const DesktopsOps *ops, void *owner, GError **error);
void desktops_free(Desktops *desktops);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Desktops, desktops_free)

/* True also where the store cannot say. */
typedef bool (*DesktopsKnown)(void *owner, const char *desktop);
/* What an earlier daemon had begun to make when it ended, and the store does not know, is removed. */
void desktops_clear_begun(Desktops *desktops, DesktopsKnown is_known);
/*
 * The store says something new: of a thing of that kind ("desktop", "pool", "template", "policy", "setting", …), or with NULL of
 * everything. Cheap; the work is done later.
 */
void desktops_look(Desktops *desktops, const char *kind, const char *id);

/* The store has a desktop no more: it is ended, and its disks, snapshots and firmware variables are deleted. */
void desktops_removed(Desktops *desktops, const char *desktop);

/* How a desktop is now, a{sv} as GetLive of org.carrel.Host1 says, the caller's; NULL: there is nothing to tell. */
GVariant *desktops_live(Desktops *desktops, const char *desktop);
/* Somebody looks at the figures (cpu, memory, …), so they are taken every two seconds; calls of the one are undone by the other. */
void desktops_follow(Desktops *desktops);
void desktops_unfollow(Desktops *desktops);
/* Takes them once, unless somebody follows; @done when they are there, or a second later without those that do not answer. */
void desktops_refresh(Desktops *desktops, void (*done)(void *data), void *data);

/* How long something took, since the desktop's VMM started. */
#define DESKTOP_BOUNDS_MAX 16
typedef struct {
    uint64_t count, total_us;
    unsigned n;
    struct {
        uint64_t us, count;       /* those that took so long at most */
    } within[DESKTOP_BOUNDS_MAX]; /* ascending */
} DesktopTiming;
/* How good sessions are; "spice.…" of GetStatistics (org.carrel.Vmm1) says what each is. */
typedef struct {
    DesktopTiming frame_age, input;
    uint64_t sent, received; /* bytes to and from SPICE clients */
    uint64_t usb_errors;
} DesktopQuality;
/* As of when figures were taken last; false: never, or it does not run. */
bool desktops_quality(Desktops *desktops, const char *desktop, DesktopQuality *quality);

/*
 * Somebody at a desktop, from the first connection that a ticket opened to the end of the last: who opened the ticket, and what
 * their desktop has counted since they came. Where several are there, each has all of it: a picture is one for all of them.
 */
typedef struct {
    unsigned number; /* no other visit's, as long as this daemon runs */
    const char *desktop, *user, *session, *address;
    const DesktopQuality *since;
} DesktopsVisit;
typedef void (*DesktopsVisitor)(void *user, const DesktopsVisit *visit);
/* All of them now. Those who came to a daemon before this one are counted from when this one found them there. */
void desktops_visits(Desktops *desktops, DesktopsVisitor each, void *user);
/* Bytes promised to desktops that run, and those there are to promise. */
void desktops_memory(Desktops *desktops, uint64_t *promised, uint64_t *all);
/* This host's VMMs, for metrics: how many are in that state ("running"; NULL: any but stopped). */
unsigned desktops_count(Desktops *desktops, const char *state);

/* @job: its id, or "" where all was done at once, or on an error NULL. */
typedef void (*DesktopsControlled)(void *data, const char *job, const GError *error);

/*
 * An action of Control of org.carrel.Host1, with its options a{sv} (floating is taken): start, shut-down, stop, suspend, reset, snapshot,
 * revert, forget, resize, insert, eject, clone, make-template.
 */
void desktops_control(Desktops *desktops, DesktopsCaller caller, const char *desktop, const char *action,
                      GVariant *options, DesktopsControlled done, void *data);
/* @snapshots: aa{sv} as ListSnapshots has them, good during the call; NULL with an error. */
typedef void (*DesktopsListed)(void *data, GVariant *snapshots, const GError *error);

void desktops_snapshots(Desktops *desktops, const char *desktop, DesktopsListed done, void *data);

/* @fd: a PNG, at its beginning, or nothing where @number is what was seen; the callee's. -1 with an error. */
typedef void (*DesktopsPicture)(void *data, int fd, uint64_t number, const GError *error);

/* Milliseconds that a picture may be old, for lists and for whoever looks on. */
#define DESKTOPS_PICTURE_OF_LIST 1000
#define DESKTOPS_PICTURE_LIVE 50

/*
 * The first monitor as it is, at most @age ms old, or as it was when it was seen last. @seen: the number of the picture that the
 * caller has; 0: none. Pictures that differ have other numbers, but for 0: of one that was kept from before nothing is known.
 */
void desktops_screenshot(Desktops *desktops, const char *desktop, unsigned age, uint64_t seen, DesktopsPicture done,
                         void *data);

/*
 * A ticket for a desktop, which is started where it does not run. @session: an id, not its token; with @user, it is what tickets are counted
 * by and given up by. It opens connections for two minutes, and afterwards as long as one that it opened lasts.
 */
typedef struct {
    char *ticket;    /* 32 hexadecimal digits */
    char *password;  /* for the SPICE server */
    int64_t expires; /* µs since 1970 */
} DesktopsTicket;

typedef void (*DesktopsConnected)(void *data, const DesktopsTicket *ticket, const GError *error);

void desktops_connect(Desktops *desktops, DesktopsCaller caller, const char *session, const char *user,
                      const char *desktop, DesktopsConnected done, void *data);

/* @fd: a connected stream socket, the callee's; -1 with an error. */
typedef void (*DesktopsTunnel)(void *data, int fd, const GError *error);

/*
 * Tickets and connections outlast the daemon: what it wrote down of them in the run folder another takes up, and the VMM knows by
 * name which are open and ends those that it is told to, whoever carries them. So a right that ends cuts them in any case.
 */

/*
 * A connection by a ticket; waits while its desktop starts. Whoever gets the socket calls shutdown(2) on it, both ways, before it closes
 * it: a copy stays here, so that the connection can be cut, and that is how its end is known. @carrier names the peer that gets it, for
 * desktops_carrier_gone().
 */
void desktops_open_tunnel(Desktops *desktops, const char *ticket, const char *address, const char *carrier,
                          DesktopsTunnel done, void *data);
/* Whoever carried these connections is no more: so are they. */
void desktops_carrier_gone(Desktops *desktops, const char *carrier);

/*
 * The session is over: its tickets are void, those by which something is open when that is closed. Connections last until the
 * user's right to the desktop ends: a browser's idle session must not cut the desktop somebody works at. One that was @taken_away, since
 * somebody may be in it who should not, takes its connections along.
 */
void desktops_session_over(Desktops *desktops, const char *session, bool taken_away);
/* The user signed out of the last session on purpose: what is disposable and not connected is given back at once. */
void desktops_user_left(Desktops *desktops, const char *user);
/*
 * Whoever may no longer use a desktop is cut off: asks @may_use for each user with a ticket or a connection. To be called when
 * assignments, memberships, users or pools have changed.
 */
void desktops_check_rights(Desktops *desktops, bool (*may_use)(void *owner, const char *user, const char *desktop));
