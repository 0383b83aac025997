/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens, told to those who subscribed and may know: by the table of sight.h, with which reading goes too.
 *
 * Who sees their own alone is told of a desktop that becomes theirs that it was made, and of one that they lose that it was
 * removed. A peer that does not read what it is sent misses events from some thousands on, and is told so when it reads again.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/daemon/caller.h"
#include "appliance/daemon/service.h"
#include "ha/store/reader.h"

typedef struct Events Events;

/* The reader is borrowed. */
Events *events_new(StoreReader *reader);
void events_free(Events *events);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Events, events_free)

/* How many one session may have. */
#define EVENTS_PER_SESSION 32

/* From now on. 0: with an error. The caller is taken. */
guint32 events_subscribe(Events *events, const Peer *peer, Caller *caller, GError **error);
/* What the store knows to have changed after the command @since; 0: nothing. Once the peer knows the subscription's number. */
void events_catch_up(Events *events, guint32 subscription, int64_t since);
void events_unsubscribe(Events *events, const Peer *peer, guint32 subscription);
void events_peer_gone(Events *events, const Peer *peer);
/* Its subscriptions are told why, and end. */
void events_session_ended(Events *events, const char *session, const char *why);

/* The store's news (StoreListener). */
void events_store_changed(Events *events, int64_t sequence, GPtrArray *changes);

/* To everybody who sees the desktop; @data is a{sv} with "desktop", floating. */
void events_desktop(Events *events, const char *desktop, GVariant *data);
/* To whoever began it, and to operators. @actor: as commands have it. */
void events_job(Events *events, const char *actor, GVariant *data);
/* To one user, wherever they are signed in; whether they are anywhere. */
bool events_to_user(Events *events, const char *user, const char *topic, GVariant *data);

/* How many there are. */
unsigned events_count(const Events *events);
