/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/events.h"

#include "appliance/daemon/error.h"
#include "appliance/daemon/own_things.h"
#include "appliance/daemon/sight.h"
#include "appliance/daemon/stream.h"

#include <string.h>

/* Of those whose rights may have changed, so many are looked at before others have the main loop. */
#define LOOKS_A_TURN 50

typedef struct {
    guint32 id;
    const Peer *peer;
    Stream *stream; /* the peer's */
    Caller *caller;
    OwnThings *own; /* NULL: sees all of a kind or nothing */
    bool look;      /* their rights may have changed */
} Subscription;

struct Events {
    StoreReader *reader;
    GHashTable *streams;       /* Peer → Stream */
    GHashTable *subscriptions; /* id → Subscription */
    guint32 last;
    int64_t sequence; /* of the last news */
    guint looking;    /* a source; 0: nobody is to be looked at */
};

static void
subscription_free(void *data)
{
    Subscription *subscription = data;

    caller_free(subscription->caller);
    own_things_free(subscription->own);
    g_free(subscription);
}

Events *
events_new(StoreReader *reader)
{
    Events *events = g_new0(Events, 1);

    events->reader = reader;
    events->streams = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)stream_free);
    events->subscriptions = g_hash_table_new_full(NULL, NULL, NULL, subscription_free);
    return events;
}

void
events_free(Events *events)
{
    if (!events)
        return;
    g_clear_handle_id(&events->looking, g_source_remove);
    g_hash_table_unref(events->subscriptions);
    g_hash_table_unref(events->streams);
    g_free(events);
}

unsigned
events_count(const Events *events)
{
    return g_hash_table_size(events->subscriptions);
}

static void
send(Subscription *subscription, const char *topic, GVariant *data)
{
    stream_send(subscription->stream, subscription->id, topic, data);
}

static void
send_things(Subscription *subscription, int64_t sequence, GVariant *changes)
{
    send(subscription, "things", g_variant_new_parsed("{'sequence': <%x>, 'changes': <%@a(sss)>}", sequence, changes));
}

static void
send_anew(Subscription *subscription, int64_t sequence)
{
    send(subscription, "things", g_variant_new_parsed("{'sequence': <%x>, 'anew': <true>}", sequence));
}

/* --- who listens --- */

static void
goes_on(Stream *stream, void *data)
{
    Events *events = data;
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, events->subscriptions);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Subscription *subscription = value;
        if (subscription->stream == stream)
            send_anew(subscription, events->sequence);
    }
}

static Stream *
stream_to(Events *events, const Peer *peer)
{
    Stream *stream = g_hash_table_lookup(events->streams, peer);

    if (!stream) {
        stream = stream_new(peer->connection, goes_on, events);
        g_hash_table_insert(events->streams, (void *)peer, stream);
    }
    return stream;
}

static bool
is_of_session(const Subscription *subscription, const char *session)
{
    return subscription->caller->session && !strcmp(subscription->caller->session, session);
}

static unsigned
count_of_session(Events *events, const char *session)
{
    GHashTableIter iter;
    void *value;
    unsigned n = 0;

    g_hash_table_iter_init(&iter, events->subscriptions);
    while (session && g_hash_table_iter_next(&iter, NULL, &value))
        n += is_of_session(value, session);
    return n;
}

static bool
sees_own_alone(const Caller *caller)
{
    return caller->role == STORE_ROLE_USER;
}

static GVariant *
changes_for(StoreRole role, GPtrArray *changes)
{
    static const char *const words[] = {
        [STORE_CHANGE_MADE] = "made", [STORE_CHANGE_CHANGED] = "changed", [STORE_CHANGE_REMOVED] = "removed"};
    g_auto(GVariantBuilder) told = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(sss)"));

    for (guint i = 0; i < changes->len; i++) {
        const StoreChange *change = changes->pdata[i];
        const StoreKind *kind = store_catalog_find_kind(change->kind);
        if (kind && sight_of(kind, role) == SIGHT_ALL)
            g_variant_builder_add(&told, "(sss)", change->kind, change->thing, words[change->type]);
    }
    return g_variant_ref_sink(g_variant_builder_end(&told));
}

guint32
events_subscribe(Events *events, const Peer *peer, Caller *caller, GError **error)
{
    Subscription *subscription = g_new0(Subscription, 1);

    *subscription = (Subscription){.peer = peer, .caller = caller};
    if (count_of_session(events, caller->session) >= EVENTS_PER_SESSION ||
        !store_reader_sequence(events->reader, &events->sequence, error)) {
        if (!*error)
            carrel_fail(error, CARREL_ERROR_BUSY, "This session listens in too many places already.");
        subscription_free(subscription);
        return 0;
    }
    do
        subscription->id = ++events->last;
    while (!subscription->id || g_hash_table_contains(events->subscriptions, GUINT_TO_POINTER(subscription->id)));
    subscription->stream = stream_to(events, peer);
    if (sees_own_alone(caller))
        subscription->own = own_things_new(events->reader, caller);
    g_hash_table_insert(events->subscriptions, GUINT_TO_POINTER(subscription->id), subscription);
    return subscription->id;
}

/* What was missed before. What of that was once theirs, nobody knows: who sees their own alone reads all anew. */
void
events_catch_up(Events *events, guint32 id, int64_t since)
{
    Subscription *subscription = g_hash_table_lookup(events->subscriptions, GUINT_TO_POINTER(id));
    g_autoptr(GPtrArray) changes = NULL;

    if (!since || since == events->sequence)
        return;
    if (!sees_own_alone(subscription->caller))
        changes = store_reader_changes(events->reader, since, NULL);
    if (!changes) {
        send_anew(subscription, events->sequence);
        return;
    }
    g_autoptr(GVariant) told = changes_for(subscription->caller->role, changes);
    send_things(subscription, events->sequence, told);
}

void
events_unsubscribe(Events *events, const Peer *peer, guint32 id)
{
    const Subscription *subscription = g_hash_table_lookup(events->subscriptions, GUINT_TO_POINTER(id));

    if (subscription && subscription->peer == peer)
        g_hash_table_remove(events->subscriptions, GUINT_TO_POINTER(id));
}

static gboolean
is_of_peer(void *key, void *value, void *peer)
{
    return ((Subscription *)value)->peer == peer;
}

void
events_peer_gone(Events *events, const Peer *peer)
{
    g_hash_table_foreach_remove(events->subscriptions, is_of_peer, (void *)peer);
    g_hash_table_remove(events->streams, peer);
}

void
events_session_ended(Events *events, const char *session, const char *why)
{
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, events->subscriptions);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (!is_of_session(value, session))
            continue;
        send(value, "session", g_variant_new_parsed("{'ended': <%s>}", why));
        g_hash_table_iter_remove(&iter);
    }
}

/* --- the store's news --- */

static void
look(Events *events, Subscription *subscription)
{
    g_auto(GVariantBuilder) told = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(sss)"));

    subscription->look = false;
    own_things_look(subscription->own, events->reader, subscription->caller, &told);
    g_autoptr(GVariant) changes = g_variant_ref_sink(g_variant_builder_end(&told));
    if (g_variant_n_children(changes))
        send_things(subscription, events->sequence, changes);
}

static gboolean
look_at_some(void *data)
{
    Events *events = data;
    GHashTableIter iter;
    void *value;
    unsigned left = LOOKS_A_TURN;

    g_hash_table_iter_init(&iter, events->subscriptions);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Subscription *subscription = value;
        if (!subscription->look)
            continue;
        if (!left--)
            return G_SOURCE_CONTINUE;
        look(events, subscription);
    }
    events->looking = 0;
    return G_SOURCE_REMOVE;
}

static void
look_later(Events *events, Subscription *subscription)
{
    subscription->look = true;
    if (!events->looking)
        events->looking = g_idle_add(look_at_some, events);
}

/* Of the desktops among the changes, whose they are: id → user's id. */
static GHashTable *
find_takers(Events *events, GPtrArray *changes)
{
    GHashTable *takers = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    const StoreKind *kind = store_catalog_find_kind("desktop");

    for (guint i = 0; i < changes->len; i++) {
        const StoreChange *change = changes->pdata[i];
        g_autoptr(GVariant) desktop = NULL;
        char *user;
        if (!strcmp(change->kind, "desktop") && change->type != STORE_CHANGE_REMOVED &&
            store_reader_get(events->reader, kind, change->thing, &desktop, NULL) && desktop &&
            g_variant_lookup(desktop, "user", "s", &user))
            g_hash_table_insert(takers, change->thing, user);
    }
    return takers;
}

static void
tell_own(Events *events, Subscription *subscription, GPtrArray *changes, GHashTable *takers)
{
    g_auto(GVariantBuilder) told = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(sss)"));

    if (own_things_follow(subscription->own, events->reader, subscription->caller, changes, takers, &told))
        look_later(events, subscription);
    g_autoptr(GVariant) theirs = g_variant_ref_sink(g_variant_builder_end(&told));
    if (g_variant_n_children(theirs))
        send_things(subscription, events->sequence, theirs);
}

static void
tell_anew(Events *events, Subscription *subscription)
{
    if (subscription->own)
        look_later(events, subscription);
    send_anew(subscription, events->sequence);
}

static void
tell_all_anew(Events *events)
{
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, events->subscriptions);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        tell_anew(events, value);
}

void
events_store_changed(Events *events, int64_t sequence, GPtrArray *changes)
{
    GHashTableIter iter;
    void *value;

    events->sequence = sequence;
    if (!changes)
        tell_all_anew(events);
    if (!changes || !changes->len || !g_hash_table_size(events->subscriptions))
        return;
    g_autoptr(GHashTable) takers = find_takers(events, changes);
    g_autoptr(GVariant) operators = changes_for(STORE_ROLE_OPERATOR, changes);
    g_autoptr(GVariant) admins = changes_for(STORE_ROLE_ADMIN, changes);
    g_hash_table_iter_init(&iter, events->subscriptions);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Subscription *subscription = value;
        GVariant *all = subscription->caller->role == STORE_ROLE_OPERATOR ? operators : admins;
        if (subscription->own)
            tell_own(events, subscription, changes, takers);
        else if (g_variant_n_children(all))
            send_things(subscription, sequence, all);
    }
}

/* --- other news --- */

void
events_desktop(Events *events, const char *desktop, GVariant *data)
{
    g_autoptr(GVariant) held = g_variant_ref_sink(data);
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, events->subscriptions);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Subscription *subscription = value;
        if (!subscription->own || own_things_has(subscription->own, desktop))
            send(subscription, "desktop", held);
    }
}

void
events_job(Events *events, const char *actor, GVariant *data)
{
    g_autoptr(GVariant) held = g_variant_ref_sink(data);
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, events->subscriptions);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Subscription *subscription = value;
        if (subscription->caller->role >= STORE_ROLE_OPERATOR || !strcmp(subscription->caller->actor, actor))
            send(subscription, "job", held);
    }
}

bool
events_to_user(Events *events, const char *user, const char *topic, GVariant *data)
{
    g_autoptr(GVariant) held = g_variant_ref_sink(data);
    bool anywhere = false;
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, events->subscriptions);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Subscription *subscription = value;
        if (!caller_is_user(subscription->caller, user))
            continue;
        send(subscription, topic, held);
        anywhere = true;
    }
    return anywhere;
}
