/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine: devices in start order, and the one state machine of running and being paused.
 *
 * Reasons to be paused add up: a desktop that a person paused and whose disk is full runs again only when both are gone.
 *
 *     STARTING → RUNNING ⇄ PAUSED → … → STOPPED       (reset: RUNNING → RUNNING, devices and vCPUs back to power-on)
 *
 * Pausing stops the vCPUs, then quiesces devices in reverse order; resuming is the opposite. A reset takes away the pauses
 * that belonged to the guest as it was (STORAGE, ERROR); one that comes while state is being saved waits for its end.
 *
 * Owner: the main thread, which is the one that called machine_new(): its default context carries requests. machine_request()
 * alone may be called from any thread (a vCPU that saw S5, a block thread that met ENOSPC). While vCPUs are being paused the
 * main thread waits for them, so a device's register access must never wait for the main thread.
 */
#pragma once

#include "vmm/board/device.h"

typedef struct Machine Machine;

typedef enum { MACHINE_STARTING, MACHINE_RUNNING, MACHINE_PAUSED, MACHINE_STOPPED } MachineState;

/* Bits: why it is paused. */
typedef enum {
    MACHINE_PAUSE_USER = 1 << 0,    /* somebody asked */
    MACHINE_PAUSE_STORAGE = 1 << 1, /* a disk has no room or fails; see machine_pause_detail() */
    MACHINE_PAUSE_SAVE = 1 << 2,    /* its state is being saved */
    MACHINE_PAUSE_ERROR = 1 << 3,   /* a vCPU cannot go on (KVM internal error) */
} MachinePause;

typedef enum {
    MACHINE_REQUEST_SHUTDOWN, /* the guest powered off (S5): stop */
    MACHINE_REQUEST_RESET,    /* the guest asked for a reset, or triple faulted */
    MACHINE_REQUEST_STOP,     /* end now: flush disks and leave */
    MACHINE_REQUEST_PAUSE_STORAGE,
    MACHINE_REQUEST_RESUME_STORAGE,
    MACHINE_REQUEST_PAUSE_ERROR,
} MachineRequest;

/* What the vCPUs do for the machine; vmm/kvm/ implements it. Main thread; all mandatory. */
typedef struct {
    void (*run)(void *cpus);   /* let every vCPU run */
    void (*pause)(void *cpus); /* returns when none is inside the guest or a device */
    void (*reset)(void *cpus); /* while paused: back to the boot state */
} MachineCpuOps;

/*
 * Told after each change, and after a reset, on the main thread. @detail: a sentence for people ("disk0: no space left on
 * /srv/a.raw", "the guest powered off"), or NULL.
 */
typedef void (*MachineListener)(void *user, MachineState state, unsigned pause_reasons, const char *detail);

Machine *machine_new(void);
/* Stops, then frees devices in reverse order. */
void machine_free(Machine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Machine, machine_free)

/* Before machine_start(). @cpus outlives the machine, or is a device of its table. */
void machine_set_cpus(Machine *machine, const MachineCpuOps *ops, void *cpus);
/* Adds a device at the end of the table; the machine owns it from here (ops->free). @id is unique. */
void machine_add(Machine *machine, const char *id, const DeviceOps *ops, void *device);
void machine_listen(Machine *machine, MachineListener listener, void *user);

void machine_start(Machine *machine, bool paused); /* first resume of everything; paused: for --paused and restore */
void machine_pause(Machine *machine, MachinePause reason, const char *detail);
void machine_resume(Machine *machine, unsigned reasons); /* one or more bits of MachinePause */
void machine_reset(Machine *machine);
void machine_stop(Machine *machine);
MachineState machine_state(const Machine *machine);
unsigned machine_pause_reasons(const Machine *machine);
/* Of the gravest reason that has one; NULL where none has. The machine's, until the next call that changes its state. */
const char *machine_pause_detail(const Machine *machine);

/*
 * Any thread: carried out on the main loop soon. @detail is copied and may be NULL. The same request made again before that
 * counts once.
 */
void machine_request(Machine *machine, MachineRequest request, const char *detail);

/* The table, for saving and loading: calls @each for every device that has a state table, in start order. */
typedef bool (*MachineEach)(void *user, const char *id, const DeviceOps *ops, void *device, GError **error);
bool machine_foreach(Machine *machine, MachineEach each, void *user, GError **error);
