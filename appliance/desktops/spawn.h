/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a program that is to outlive us: a session of its own, with open files handed over by name (sd_listen_fds(3)).
 *
 * It is started in two steps. After spawn_hold() there is a process, which waits; it can be put under limits and written down.
 * spawn_go() lets it become the program. If we end in between, so does it: there is never a program that nobody has written down.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX 64

typedef struct {
    int fd; /* borrowed */
    const char *name;
} SpawnFd;

typedef struct {
    const char *const *arguments; /* NULL-terminated; the first is the program's path */
    const char *log;              /* a file that standard error goes to: emptied, or made; NULL: nowhere */
    uid_t uid;                    /* whom it becomes, group too; 0: nobody else */
    const char *profile;          /* AppArmor's, which it is under; NULL: none of its own */
    SpawnFd fds[SPAWN_FDS_MAX];
    unsigned n_fds;
} SpawnPlan;

typedef struct {
    pid_t pid;
    int pidfd;
    int gate; /* our end of what it waits at */
} Spawned;

bool spawn_hold(const SpawnPlan *plan, Spawned *spawned, GError **error);
/* An error: it did not become the program, and has ended. The pidfd stays the caller's either way. */
bool spawn_go(Spawned *spawned, GError **error);
/* Gives up one that was not let go; it ends. Closes the pidfd. */
void spawn_drop(Spawned *spawned);

/* When a process began, in the kernel's ticks: with its id it names it for as long as the host runs. 0: there is none. */
uint64_t spawn_began(pid_t pid);
/* Ends a process that began at that time, if it is there still. */
void spawn_end(pid_t pid, uint64_t began);
