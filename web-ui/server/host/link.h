/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to carreld: a D-Bus connection to its socket, which is made when it is first needed, and anew after carreld
 * was started again. Calls and answers have the types of appliance/api/.
 *
 * Owner: the main loop; nothing here waits.
 */
#pragma once

#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <stdbool.h>

typedef struct HostLink HostLink;

HostLink *host_link_new(const char *socket);
void host_link_free(HostLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostLink, host_link_free)

/* Milliseconds that a call may take, unless it says otherwise. */
#define HOST_CALL_MS (60 * 1000)

/*
 * Called once: the reply's tuple and the descriptors that came with it (or NULL), or else the error, without D-Bus'
 * decorations: of HOST_ERROR, or UNAVAILABLE where carreld cannot be reached. Both are the link's.
 */
typedef void (*HostReply)(GVariant *reply, GUnixFDList *fds, const GError *error, void *data);

/* @arguments: a tuple, taken if floating. */
void host_link_call(HostLink *link, const char *method, GVariant *arguments, int timeout_ms, HostReply reply,
                    void *data);

/* What carreld answers instead, in the order of appliance/api/. */
typedef enum {
    HOST_ERROR_SIGN_IN,
    HOST_ERROR_NOT_SIGNED_IN,
    HOST_ERROR_FORBIDDEN,
    HOST_ERROR_NOT_FOUND,
    HOST_ERROR_INVALID,
    HOST_ERROR_IN_USE,
    HOST_ERROR_CHANGED,
    HOST_ERROR_FULL,
    HOST_ERROR_BUSY,
    HOST_ERROR_UNAVAILABLE,
    HOST_ERROR_FAILED,
} HostError;
#define HOST_ERROR host_error_quark()
GQuark host_error_quark(void);

/*
 * Events of a subscription that a call to Subscribe answered with. @topic NULL: carreld is gone, and the subscription
 * with it. Forgetting one unsubscribes.
 */
typedef void (*HostEvent)(const char *topic, GVariant *data, void *user);
void host_link_listen(HostLink *link, guint32 subscription, HostEvent event, void *user);
void host_link_forget(HostLink *link, guint32 subscription);
