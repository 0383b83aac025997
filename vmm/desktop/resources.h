/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a desktop needs from outside, as open descriptors: collected while carrel-vmm still has the rights it was
 * started with. After this nothing is opened by name any more.
 *
 * Sockets are made first, before sandbox_fork(), since the keeper removes them; the rest after it. Owner: the main thread.
 */
#pragma once

#include "vmm/board/stream.h"
#include "vmm/config/config.h"
#include "vmm/config/fds.h"
#include "vmm/net/net.h"

typedef struct {
    GPtrArray *socket_paths; /* char *, made by us, NULL-terminated */
    int control;             /* -1: none */
    int end;                 /* a file for why it ended; -1: none */
    int spice;
    int serial;      /* a listening socket where the serial port goes to one */
    bool foreground; /* the terminal's keys are for us */
    int *ports;      /* one for each [port]; -1: no socket */

    int kvm;
    int kernel, initrd;      /* initrd -1: none; both -1 with firmware, … */
    int firmware, variables; /* … which has these; variables -1: none */
    int vga_rom;             /* -1: none */
    int *cdroms;             /* one for each [cdrom]; -1: empty */
    int *disks;              /* one for each [disk] */
    int usb_watcher;         /* usb/host/watch.h; -1: none */
    int tpm;                 /* connected to swtpm's control socket; -1: none */
    int saved;               /* --restore FILE, or -1 */
    NetBackend **nets;       /* one for each [net]; NULL: the cable is pulled */
    guint n_nets;
    Stream *firmware_log;  /* NULL: not wanted */
    Stream *serial_stream; /* the terminal or a file; NULL: none, or a socket */
} Resources;

/* Makes the sockets. NULL with an error, after removing those made. @config and @fds outlive the result. */
Resources *resources_new(const DesktopConfig *config, InheritedFds *fds, GError **error);
/* Opens the rest. */
bool resources_open(Resources *resources, const DesktopConfig *config, InheritedFds *fds, GError **error);
/* Closes what nobody took. */
void resources_free(Resources *resources);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Resources, resources_free)

/* Removes the sockets: for an error before the keeper is there, and for running without it. */
void resources_remove_sockets(const Resources *resources);
