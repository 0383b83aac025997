/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The desktop's SPICE server: display, cursor, inputs, main channel and the agent's port, on libspice-server.
 *
 * Owner: the main thread (spice-server's core interface runs on the main loop; its display worker is a thread of its own).
 */
#pragma once

#include "display/scanout.h"
#include "vmm/virtio/console.h"
#include "vmm/virtio/input.h"

typedef struct SpiceDisplay SpiceDisplay;

typedef struct {
    int listen_fd;         /* a listening Unix or loopback TCP socket, owned by the server; -1: see below */
    const char *unix_path; /* or a socket path to make (mode 0600; an existing one is an error) */
    const char *address;   /* or a TCP address, loopback only, with … */
    uint16_t port;
    const char *ticket;   /* the first password; NULL: nobody may connect until one is set, unless … */
    bool no_ticket;       /* anyone who reaches the socket may connect */
    bool several_clients; /* one client does not displace another */
    const char *name;     /* of the desktop, shown by clients */
    const uint8_t *uuid;  /* 16 bytes, or NULL */
} SpiceDisplayOptions;

/* Told on the main thread. */
typedef struct {
    void (*client_connected)(void *user, const char *peer, uint64_t client);
    void (*client_disconnected)(void *user, const char *peer, uint64_t client);
} SpiceDisplayEvents;

typedef struct {
    VirtioDevice *keyboard, *tablet, *mouse; /* NULL: none */
} SpiceDisplayInputs;

SpiceDisplay *spice_display_new(const SpiceDisplayOptions *options, Screen *screen, const SpiceDisplayInputs *inputs,
                                const SpiceDisplayEvents *events, void *user, GError **error);
void spice_display_free(SpiceDisplay *display);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SpiceDisplay, spice_display_free)

/* Joins the agent's port ("com.redhat.spice.0") to the clients' main channel. Before the guest starts. */
void spice_display_attach_agent(SpiceDisplay *display, VirtioDevice *console);
/* Sets the password for the next connections, valid @seconds (0: for good); NULL: nobody may connect. */
bool spice_display_set_ticket(SpiceDisplay *display, const char *ticket, unsigned seconds, GError **error);
/* The guest runs or is paused: stops or resumes the display worker and the inputs. */
void spice_display_set_running(SpiceDisplay *display, bool running);
unsigned spice_display_n_clients(const SpiceDisplay *display);
