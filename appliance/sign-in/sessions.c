/* SPDX-License-Identifier: Apache-2.0 */
/* Who is signed in: a table by the digest of the token, and for each user the list of theirs. */
#include "appliance/sign-in/sessions.h"

#include <string.h>

#define ID_BYTES 16
#define MINUTES ((int64_t)60 * G_USEC_PER_SEC)
#define SAVED_TYPE "a(ssssuusxx)"
#define CSRF_PURPOSE "carrel csrf 1"

typedef struct {
    Session session; /* first: what callers see */
    char *digest;
} Entry;

struct Sessions {
    SessionSettings settings;
    SessionEnded ended;
    void *user;
    GHashTable *by_digest; /* digest → Entry, which it owns */
    GHashTable *by_user;   /* user id → GPtrArray of Entry, the oldest first */
};

const SessionSettings sessions_defaults = {
    .per_user = 16,
    .total = 20000,
    .idle = {30 * MINUTES, 12 * 60 * MINUTES, 12 * 60 * MINUTES},
    .absolute = {12 * 60 * MINUTES, 12 * 60 * MINUTES, 12 * 60 * MINUTES},
};

static void
entry_free(void *data)
{
    Entry *entry = data;

    g_free((char *)entry->session.id);
    g_free((char *)entry->session.user_id);
    g_free((char *)entry->session.user_name);
    g_free((char *)entry->session.source);
    g_free(entry->digest);
    g_free(entry);
}

Sessions *
sessions_new(const SessionSettings *settings, SessionEnded ended, void *user)
{
    Sessions *sessions = g_new0(Sessions, 1);

    sessions->settings = *settings;
    sessions->ended = ended;
    sessions->user = user;
    sessions->by_digest = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, entry_free);
    sessions->by_user = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    return sessions;
}

void
sessions_free(Sessions *sessions)
{
    if (!sessions)
        return;
    g_hash_table_unref(sessions->by_user);
    g_hash_table_unref(sessions->by_digest);
    g_free(sessions);
}

static Entry *
find(const Sessions *sessions, const char *token)
{
    g_autofree char *digest = NULL;

    if (!token || strnlen(token, SECRET_TOKEN_LENGTH + 1) != SECRET_TOKEN_LENGTH)
        return NULL;
    digest = secret_digest(token);
    return g_hash_table_lookup(sessions->by_digest, digest);
}

static void
end(Sessions *sessions, Entry *entry, SessionEnd why)
{
    GPtrArray *theirs = g_hash_table_lookup(sessions->by_user, entry->session.user_id);

    g_hash_table_steal(sessions->by_digest, entry->digest);
    g_ptr_array_remove(theirs, entry);
    if (theirs->len == 0)
        g_hash_table_remove(sessions->by_user, entry->session.user_id);
    if (sessions->ended)
        sessions->ended(sessions->user, &entry->session, why);
    entry_free(entry);
}

/* When it ends if it is not used any more, and why. */
static int64_t
end_of(const Sessions *sessions, const Session *session, SessionEnd *why)
{
    int64_t idle = session->used + sessions->settings.idle[session->client];
    int64_t absolute = session->began + sessions->settings.absolute[session->client];

    *why = idle < absolute ? SESSION_END_IDLE : SESSION_END_EXPIRED;
    return MIN(idle, absolute);
}

static bool
end_if_over(Sessions *sessions, Entry *entry, int64_t now)
{
    SessionEnd why;

    if (end_of(sessions, &entry->session, &why) > now)
        return false;
    end(sessions, entry, why);
    return true;
}

static Entry *
least_recently_used_of(GPtrArray *theirs)
{
    Entry *found = g_ptr_array_index(theirs, 0);

    for (unsigned i = 1; i < theirs->len; i++) {
        Entry *entry = g_ptr_array_index(theirs, i);
        if (entry->session.used < found->session.used)
            found = entry;
    }
    return found;
}

static Entry *
least_recently_used(Sessions *sessions)
{
    GHashTableIter iter;
    void *value;
    Entry *found = NULL;

    g_hash_table_iter_init(&iter, sessions->by_digest);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (!found || ((Entry *)value)->session.used < found->session.used)
            found = value;
    return found;
}

static void
make_room(Sessions *sessions, const char *user_id)
{
    GPtrArray *theirs = g_hash_table_lookup(sessions->by_user, user_id);

    if (theirs && theirs->len >= MAX(sessions->settings.per_user, 1))
        end(sessions, least_recently_used_of(theirs), SESSION_END_TOO_MANY);
    if (g_hash_table_size(sessions->by_digest) >= MAX(sessions->settings.total, 1))
        end(sessions, least_recently_used(sessions), SESSION_END_TOO_MANY);
}

/* Takes the strings of @session and @digest. */
static void
add(Sessions *sessions, const Session *session, char *digest)
{
    Entry *entry = g_new0(Entry, 1);
    GPtrArray *theirs;

    make_room(sessions, session->user_id);
    entry->session = *session;
    entry->digest = digest;
    g_hash_table_insert(sessions->by_digest, entry->digest, entry);
    theirs = g_hash_table_lookup(sessions->by_user, session->user_id);
    if (!theirs) {
        theirs = g_ptr_array_new();
        g_hash_table_insert(sessions->by_user, g_strdup(session->user_id), theirs);
    }
    g_ptr_array_add(theirs, entry);
}

SecretText *
sessions_begin(Sessions *sessions, const Session *who, int64_t now)
{
    SecretText *token = secret_token_new(SECRET_TOKEN_BYTES);
    Session session = {
        .id = secret_token_new(ID_BYTES),
        .user_id = g_strdup(who->user_id),
        .user_name = g_strdup(who->user_name),
        .role = who->role,
        .client = who->client,
        .source = g_strdup(who->source ? who->source : ""),
        .began = now,
        .used = now,
    };

    add(sessions, &session, secret_digest(token));
    return token;
}

const Session *
sessions_peek(Sessions *sessions, const char *token, SessionClient client, int64_t now)
{
    Entry *entry = find(sessions, token);

    /* A browser's token is worth nothing in a header, where no CSRF text would be asked for. */
    if (!entry || end_if_over(sessions, entry, now) || entry->session.client != client)
        return NULL;
    return &entry->session;
}

const Session *
sessions_use(Sessions *sessions, const char *token, SessionClient client, int64_t now)
{
    Session *session = (Session *)sessions_peek(sessions, token, client, now);

    if (session)
        session->used = now;
    return session;
}

SecretText *
sessions_csrf(const char *token)
{
    g_autoptr(GHmac) hmac = g_hmac_new(G_CHECKSUM_SHA256, (const guchar *)token, strlen(token));
    uint8_t digest[32];
    gsize len = sizeof(digest);

    g_hmac_update(hmac, (const guchar *)CSRF_PURPOSE, -1);
    g_hmac_get_digest(hmac, digest, &len);
    return secret_base64url(digest, len);
}

bool
sessions_csrf_is_right(const char *token, const char *csrf)
{
    g_autoptr(SecretText) right = sessions_csrf(token);

    return csrf && secret_same(right, csrf);
}

unsigned
sessions_sign_out(Sessions *sessions, const char *token)
{
    Entry *entry = find(sessions, token);

    if (entry)
        end(sessions, entry, SESSION_END_SIGNED_OUT);
    return entry != NULL;
}

/* Those of one user, or of all in no order. */
static GPtrArray *
collect(const Sessions *sessions, const char *user_id)
{
    GPtrArray *all = g_ptr_array_new();
    GHashTableIter iter;
    void *value;

    if (user_id) {
        GPtrArray *theirs = g_hash_table_lookup(sessions->by_user, user_id);
        if (theirs)
            g_ptr_array_extend(all, theirs, NULL, NULL);
        return all;
    }
    g_hash_table_iter_init(&iter, sessions->by_digest);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_ptr_array_add(all, value);
    return all;
}

unsigned
sessions_revoke(Sessions *sessions, const char *id)
{
    g_autoptr(GPtrArray) all = collect(sessions, NULL);

    for (unsigned i = 0; i < all->len; i++) {
        Entry *entry = g_ptr_array_index(all, i);
        if (strcmp(entry->session.id, id) == 0) {
            end(sessions, entry, SESSION_END_REVOKED);
            return 1;
        }
    }
    return 0;
}

unsigned
sessions_revoke_user(Sessions *sessions, const char *user_id, const char *except_id, SessionEnd why)
{
    g_autoptr(GPtrArray) theirs = collect(sessions, user_id);
    unsigned n = 0;

    for (unsigned i = 0; i < theirs->len; i++) {
        Entry *entry = g_ptr_array_index(theirs, i);
        if (g_strcmp0(entry->session.id, except_id) == 0)
            continue;
        end(sessions, entry, why);
        n++;
    }
    return n;
}

int64_t
sessions_sweep(Sessions *sessions, int64_t now)
{
    g_autoptr(GPtrArray) all = collect(sessions, NULL);
    int64_t next = INT64_MAX;
    SessionEnd why;

    for (unsigned i = 0; i < all->len; i++) {
        Entry *entry = g_ptr_array_index(all, i);
        if (!end_if_over(sessions, entry, now))
            next = MIN(next, end_of(sessions, &entry->session, &why));
    }
    return next;
}

static int
compare_began(const void *a, const void *b)
{
    const Session *one = *(const Session *const *)a, *two = *(const Session *const *)b;

    return one->began != two->began ? (one->began < two->began ? -1 : 1) : strcmp(one->id, two->id);
}

GPtrArray *
sessions_list(const Sessions *sessions, const char *user_id)
{
    GPtrArray *all = collect(sessions, user_id);

    g_ptr_array_sort(all, compare_began); /* an Entry begins with its Session */
    return all;
}

GVariant *
sessions_save(const Sessions *sessions)
{
    g_autoptr(GPtrArray) all = sessions_list(sessions, NULL);
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE(SAVED_TYPE));
    for (unsigned i = 0; i < all->len; i++) {
        const Entry *entry = g_ptr_array_index(all, i);
        const Session *session = &entry->session;
        g_variant_builder_add(&builder, "(ssssuusxx)", entry->digest, session->id, session->user_id, session->user_name,
                              (guint32)session->role, (guint32)session->client, session->source, (gint64)session->began,
                              (gint64)session->used);
    }
    return g_variant_ref_sink(g_variant_builder_end(&builder));
}

/* Whether a session could have been saved at a time before @now. */
static bool
is_whole(const Sessions *sessions, const Session *session, const char *digest, int64_t now)
{
    return strlen(digest) == 64 && strspn(digest, "0123456789abcdef") == 64 && *session->id && *session->user_id &&
           (unsigned)session->role < SIGN_IN_ROLES && (unsigned)session->client < SESSION_CLIENTS &&
           session->began >= 0 && session->began <= session->used && session->used <= now &&
           !g_hash_table_contains(sessions->by_digest, digest);
}

unsigned
sessions_load(Sessions *sessions, GVariant *saved, int64_t now)
{
    g_autoptr(GVariant) normal = NULL;
    GVariantIter iter;
    const char *digest;
    Session session;
    guint32 role, client;
    unsigned n = 0;
    SessionEnd why;

    if (!g_variant_is_of_type(saved, G_VARIANT_TYPE(SAVED_TYPE)))
        return 0;
    normal = g_variant_get_normal_form(saved);
    g_variant_iter_init(&iter, normal);
    while (g_variant_iter_next(&iter, "(&s&s&s&suu&sxx)", &digest, &session.id, &session.user_id, &session.user_name,
                               &role, &client, &session.source, &session.began, &session.used)) {
        session.role = role;
        session.client = client;
        if (!is_whole(sessions, &session, digest, now) || end_of(sessions, &session, &why) <= now)
            continue;
        session.id = g_strdup(session.id);
        session.user_id = g_strdup(session.user_id);
        session.user_name = g_strdup(session.user_name);
        session.source = g_strdup(session.source);
        add(sessions, &session, g_strdup(digest));
        n++;
    }
    return MIN(n, g_hash_table_size(sessions->by_digest));
}
