/* SPDX-License-Identifier: Apache-2.0 */
/* Who still owes the second factor: a queue, the oldest first, which is short enough to be searched. */
#include "appliance/sign-in/challenges.h"

#include <string.h>

typedef struct {
    Challenge challenge;
    char *digest;
    int64_t ends;
    unsigned codes; /* that may still be tried */
} Entry;

struct Challenges {
    GHashTable *by_digest; /* digest → GList of the queue */
    GQueue queue;          /* of Entry */
};

static void
entry_free(Entry *entry)
{
    g_free((char *)entry->challenge.user_id);
    g_free((char *)entry->challenge.account);
    g_free((char *)entry->challenge.source);
    g_free(entry->digest);
    g_free(entry);
}

Challenges *
challenges_new(void)
{
    Challenges *challenges = g_new0(Challenges, 1);

    challenges->by_digest = g_hash_table_new(g_str_hash, g_str_equal);
    return challenges;
}

static void
drop(Challenges *challenges, GList *link)
{
    Entry *entry = link->data;

    g_hash_table_remove(challenges->by_digest, entry->digest);
    g_queue_delete_link(&challenges->queue, link);
    entry_free(entry);
}

void
challenges_free(Challenges *challenges)
{
    if (!challenges)
        return;
    while (challenges->queue.head)
        drop(challenges, challenges->queue.head);
    g_hash_table_unref(challenges->by_digest);
    g_free(challenges);
}

/* Those that are over stand in front. */
static void
drop_over(Challenges *challenges, int64_t now)
{
    while (challenges->queue.head && ((Entry *)challenges->queue.head->data)->ends <= now)
        drop(challenges, challenges->queue.head);
}

static void
make_room(Challenges *challenges, const char *user_id)
{
    GList *oldest = NULL;
    unsigned theirs = 0;

    for (GList *link = challenges->queue.tail; link; link = link->prev)
        if (strcmp(((Entry *)link->data)->challenge.user_id, user_id) == 0) {
            oldest = link;
            theirs++;
        }
    if (theirs >= CHALLENGES_USER_MAX)
        drop(challenges, oldest);
    else if (challenges->queue.length >= CHALLENGES_MAX)
        drop(challenges, challenges->queue.head);
}

SecretText *
challenges_begin(Challenges *challenges, const Challenge *what, int64_t now)
{
    Entry *entry = g_new0(Entry, 1);
    SecretText *token;

    drop_over(challenges, now);
    make_room(challenges, what->user_id);
    token = secret_token_new(SECRET_TOKEN_BYTES);
    entry->challenge =
        (Challenge){g_strdup(what->user_id), g_strdup(what->account), g_strdup(what->source), what->client};
    entry->digest = secret_digest(token);
    entry->ends = now + CHALLENGES_LIFETIME;
    entry->codes = CHALLENGES_CODES;
    g_queue_push_tail(&challenges->queue, entry);
    g_hash_table_insert(challenges->by_digest, entry->digest, challenges->queue.tail);
    return token;
}

static GList *
find(Challenges *challenges, const char *token)
{
    g_autofree char *digest = NULL;

    if (!token || strnlen(token, SECRET_TOKEN_LENGTH + 1) != SECRET_TOKEN_LENGTH)
        return NULL;
    digest = secret_digest(token);
    return g_hash_table_lookup(challenges->by_digest, digest);
}

/* The caller's own, with a code left; one without is dropped. */
static Entry *
find_theirs(Challenges *challenges, const char *token, const char *source, SessionClient client, int64_t now)
{
    GList *link;
    Entry *entry;

    drop_over(challenges, now);
    link = find(challenges, token);
    entry = link ? link->data : NULL;
    if (!entry || entry->challenge.client != client || g_strcmp0(entry->challenge.source, source) != 0)
        return NULL;
    if (entry->codes == 0) {
        drop(challenges, link);
        return NULL;
    }
    return entry;
}

const Challenge *
challenges_find(Challenges *challenges, const char *token, const char *source, SessionClient client, int64_t now)
{
    Entry *entry = find_theirs(challenges, token, source, client, now);

    return entry ? &entry->challenge : NULL;
}

const Challenge *
challenges_try(Challenges *challenges, const char *token, const char *source, SessionClient client, int64_t now)
{
    Entry *entry = find_theirs(challenges, token, source, client, now);

    if (!entry)
        return NULL;
    entry->codes--;
    return &entry->challenge;
}

void
challenges_end(Challenges *challenges, const char *token)
{
    GList *link = find(challenges, token);

    if (link)
        drop(challenges, link);
}

void
challenges_end_user(Challenges *challenges, const char *user_id)
{
    for (GList *link = challenges->queue.head, *next; link; link = next) {
        next = link->next;
        if (strcmp(((Entry *)link->data)->challenge.user_id, user_id) == 0)
            drop(challenges, link);
    }
}

unsigned
challenges_count(const Challenges *challenges)
{
    return challenges->queue.length;
}
