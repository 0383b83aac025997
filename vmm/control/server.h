/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: D-Bus, peer to peer (org.carrel.Vmm1.xml), for a supervisor and for `carrel-vmm ctl`.
 *
 * Who may connect is decided by who can reach the socket (mode 0600, or inherited). Several peers may be connected at
 * once; each sees every signal. Owner: the main thread.
 */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ControlServer ControlServer;

/* Told once the desktop is saved (@error NULL) or could not be, main thread. */
typedef void (*ControlSaved)(void *user, const GError *error);

/* The answer to what takes a while: the tuple of out arguments, borrowed, or NULL with an error. Main thread. */
typedef void (*ControlAnswer)(void *user, GVariant *result, const GError *error);

/* What a desktop does when asked. All mandatory, all on the main thread, none blocks for long. */
typedef struct {
    void (*pause)(void *desktop);
    void (*resume)(void *desktop);
    void (*power_button)(void *desktop);
    void (*reset)(void *desktop);
    void (*stop)(void *desktop);
    /* As Screenshot, which it answers, later or at once. @fd is the callee's. */
    void (*screenshot)(void *desktop, unsigned scanout, uint64_t seen, int fd, ControlAnswer answer, void *user);
    bool (*set_ticket)(void *desktop, const char *ticket, unsigned seconds, GError **error);
    bool (*cut_connections)(void *desktop, const char *name, GError **error);
    /* @fd is the callee's. @saved is called later, exactly once. */
    void (*save)(void *desktop, int fd, ControlSaved saved, void *user);
    /* Who asked for the save does not want it any more, or is gone. Harmless where there is none. */
    void (*cancel_save)(void *desktop);
    bool (*resize_disk)(void *desktop, const char *disk, uint64_t *bytes, GError **error);
    bool (*set_balloon)(void *desktop, uint64_t bytes, GError **error);
    /* Adds "(ssssss)" as ListUsb has them. */
    void (*list_usb)(void *desktop, GVariantBuilder *devices);
    /* @fd is the callee's. */
    bool (*insert_medium)(void *desktop, const char *drive, int fd, const char *name, GError **error);
    bool (*eject_medium)(void *desktop, const char *drive, bool force, GError **error);
    /* @fd is the callee's. */
    void (*attach_usb)(void *desktop, const char *device, int fd, const char *name, ControlAnswer answer, void *user);
    bool (*reattach_usb)(void *desktop, const char *device, GError **error);
    bool (*detach_usb)(void *desktop, const char *device, GError **error);
    /* Of the guest's agent. @answer is called later or at once, exactly once. */
    void (*set_guest_time)(void *desktop, ControlAnswer answer, void *user);
    void (*freeze)(void *desktop, unsigned seconds, ControlAnswer answer, void *user);
    void (*thaw)(void *desktop, ControlAnswer answer, void *user);
    void (*shut_down_guest)(void *desktop, bool restart, ControlAnswer answer, void *user);
    void (*guest_addresses)(void *desktop, ControlAnswer answer, void *user);
    /* Adds ("name", value) pairs with g_variant_builder_add(…, "{st}", …). */
    void (*statistics)(void *desktop, GVariantBuilder *counters);
} ControlOps;

/* @fd, owned by the server: a listening socket, or one already connected to the only peer. */
ControlServer *control_server_new(int fd, const char *name, const char *uuid, const ControlOps *ops, void *desktop,
                                  GError **error);
void control_server_free(ControlServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ControlServer, control_server_free)

/* @reasons: NULL-terminated words; @detail may be NULL. Emits StateChanged where something changed. */
void control_server_set_state(ControlServer *server, const char *state, const char *const *reasons, const char *detail);
void control_server_client(ControlServer *server, bool connected, uint64_t client, const char *peer,
                           unsigned n_clients);
void control_server_set_connections(ControlServer *server, const char *const *names);
void control_server_set_agent(ControlServer *server, bool connected, bool frozen);
/* Emits UsbChanged. */
void control_server_usb(ControlServer *server, const char *change, const char *device, const char *name,
                        const char *reason);
/*
 * Sends what is queued to every peer, so that the last signals arrive before the process ends; a peer that does not read
 * holds it up for a moment only. Runs the main loop meanwhile.
 */
void control_server_flush(ControlServer *server);
