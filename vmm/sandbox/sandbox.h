/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox: what a guest that has taken over the VMM still cannot do.
 *
 * Two processes. The keeper, as privileged as whoever started us, opens what the desktop needs, forks, and then only waits:
 * it forwards signals, removes the sockets it made when the desktop ends, however that happens, and reports how it ended.
 * The desktop process gives everything up before the first guest instruction: own PID, network, IPC, UTS and mount
 * namespaces (as far as the host allows), an empty root, an unprivileged user, no new privileges, AppArmor's profile where
 * there is one (apparmor.h), and a system call filter for each kind of thread (filters.c). Descriptors opened before are all it has.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef enum {
    SANDBOX_ROLE_SET_UP, /* main thread, while it makes the desktop */
    SANDBOX_ROLE_MAIN,   /* then; and the threads that libraries start from it (spice-server, GDBus) */
    SANDBOX_ROLE_VCPU,
    SANDBOX_ROLE_IO,      /* disks and network cards */
    SANDBOX_ROLE_DISPLAY, /* virtio-gpu commands */
    SANDBOX_ROLE_USB,     /* the USB controller and its devices */
    SANDBOX_N_ROLES,
} SandboxRole;

/*
 * Holds back the signals that end or steer the process, from before its first socket is made until its handlers are there:
 * then none is lost, and none ends it with something left behind. Inherited by sandbox_fork()'s child.
 */
void sandbox_hold_signals(void);
void sandbox_release_signals(void);
/* Whoever started us ignored the signal (nohup(1)): it stays ignored, here and in the desktop process. */
bool sandbox_signal_is_ignored(int number);

/*
 * Forks. The child returns true and is the desktop process, with one thread; it ends when the keeper does. The keeper never
 * returns: it exits with the child's status after removing @paths (NULL-terminated, sockets made for the desktop), and after
 * a violent end puts the terminal back.
 * false, in the first process, where forking failed.
 */
bool sandbox_fork(const char *const *paths, GError **error);
/*
 * Before sandbox_fork(): the keeper ends no sooner than this child of ours, which ends by itself after the desktop. One of them.
 */
void sandbox_keep_after(pid_t child);
/* In the desktop process, on its main loop: leaves no moment at which the keeper's end is not seen. */
void sandbox_watch_keeper(void);

/*
 * Gives up files, network and privileges. Once, in the desktop process, while it has one thread. @uid is taken when started
 * as root. A namespace that the host does not allow, or AppArmor's profile where it is not loaded, is left out and named in *left_out
 * (may be NULL; NULL when all are had);
 * what must not fail (privileges) is an error.
 */
bool sandbox_enter(uid_t uid, char **left_out, GError **error);

/*
 * Limits the calling thread, and those it starts later, to its role's system calls. Filters add up: a thread started under
 * one role may take a narrower one. Does nothing unless sandbox_enter() was called. Aborts if the kernel refuses.
 */
void sandbox_filter_thread(SandboxRole role);
