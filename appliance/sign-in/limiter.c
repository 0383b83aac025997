/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often somebody may guess. Three tables of fixed size: accounts (and known pairs' own failures), sources, known pairs.
 * An entry's place is a set of eight, chosen by a keyed hash; which of the eight it is, its tag tells.
 */
#include "appliance/sign-in/limiter.h"

#include <gio/gio.h>
#include <string.h>

#define WAYS 8
#define NAME_BYTES_MAX 256 /* of an account or source, that are looked at */
#define TAG_CHARACTERS 8

typedef struct {
    uint64_t tag; /* 0: free */
    uint32_t failures;
    int64_t until;  /* no attempt before that time */
    int64_t forget; /* nothing of it is true any more after that time */
} Entry;

typedef struct {
    Entry entries[LIMITER_ENTRIES];
} Table;

struct Limiter {
    LimiterSettings settings;
    uint8_t key[LIMITER_KEY_BYTES];
    Table failures_of_accounts, failures_of_sources, known;
};

/* One counter that an attempt falls under. */
typedef struct {
    Table *table;
    uint64_t tag;
    unsigned free;
    int64_t wait_max;
} Counter;

const LimiterSettings limiter_defaults = {
    .account_free = 5,
    .source_free = 40,
    .first_wait = G_USEC_PER_SEC,
    .account_wait_max = 5 * 60 * G_USEC_PER_SEC,
    .source_wait_max = 60 * G_USEC_PER_SEC,
    .forget = (int64_t)3600 * G_USEC_PER_SEC,
    .know = (int64_t)30 * 24 * 3600 * G_USEC_PER_SEC,
};

Limiter *
limiter_new(const LimiterSettings *settings, const uint8_t key[LIMITER_KEY_BYTES])
{
    Limiter *limiter = g_new0(Limiter, 1);

    limiter->settings = *settings;
    memcpy(limiter->key, key, LIMITER_KEY_BYTES);
    return limiter;
}

void
limiter_free(Limiter *limiter)
{
    g_free(limiter);
}

/* What an account is counted as. Bytes that are no text count as they are. */
static char *
fold_account(const char *account)
{
    g_autofree char *text = g_strndup(account ? account : "", NAME_BYTES_MAX);
    g_autofree char *composed = g_utf8_normalize(text, -1, G_NORMALIZE_ALL_COMPOSE);

    return composed ? g_utf8_casefold(composed, -1) : g_steal_pointer(&text);
}

/* What a source is counted as: an IPv4 address (also one inside an IPv6 address), or the first half of an IPv6 address. */
static char *
fold_source(const char *source)
{
    g_autofree char *text = g_strndup(source ? source : "", NAME_BYTES_MAX);
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(text);
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291, 2.5.5.2 */
    const uint8_t *bytes = address ? g_inet_address_to_bytes(address) : NULL;
    bool six = address && g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV6;

    if (!address)
        return g_strdup_printf("other %s", text);
    if (six && memcmp(bytes, mapped, sizeof(mapped)) == 0)
        bytes += sizeof(mapped), six = false;
    if (!six)
        return g_strdup_printf("4 %u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
    return g_strdup_printf("6 %02x%02x:%02x%02x:%02x%02x:%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4],
                           bytes[5], bytes[6], bytes[7]);
}

static uint64_t
hash(const Limiter *limiter, const char *kind, const char *account, const char *source)
{
    g_autoptr(GHmac) hmac = g_hmac_new(G_CHECKSUM_SHA256, limiter->key, LIMITER_KEY_BYTES);
    const char *const parts[] = {kind, account, source};
    uint8_t digest[32];
    gsize len = sizeof(digest);
    uint64_t tag;

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
        g_hmac_update(hmac, (const guchar *)parts[i], (gssize)strlen(parts[i]) + 1);
    g_hmac_get_digest(hmac, digest, &len);
    memcpy(&tag, digest, sizeof(tag));
    return tag ? tag : 1;
}

static Entry *
set_of(Table *table, uint64_t tag)
{
    return &table->entries[tag % (LIMITER_ENTRIES / WAYS) * WAYS];
}

static Entry *
find(Table *table, uint64_t tag, int64_t now)
{
    Entry *set = set_of(table, tag);

    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].tag == tag && set[i].forget > now)
            return &set[i];
    return NULL;
}

/* Whether @a is the one to give way: a forgotten one, then the one with fewer failures, then the older. */
static bool
gives_way(const Entry *a, const Entry *b, int64_t now)
{
    bool a_gone = a->forget <= now, b_gone = b->forget <= now;

    if (a_gone != b_gone)
        return a_gone;
    return a->failures != b->failures ? a->failures < b->failures : a->forget < b->forget;
}

static Entry *
find_or_make(Table *table, uint64_t tag, int64_t now)
{
    Entry *set = set_of(table, tag), *found = find(table, tag, now);

    if (found)
        return found;
    found = set;
    for (unsigned i = 1; i < WAYS; i++)
        if (gives_way(&set[i], found, now))
            found = &set[i];
    *found = (Entry){.tag = tag};
    return found;
}

static uint64_t
pair_tag(const Limiter *limiter, const LimiterAttempt *attempt)
{
    g_autofree char *account = fold_account(attempt->account);
    g_autofree char *source = fold_source(attempt->source);

    return hash(limiter, "pair", account, source);
}

bool
limiter_knows(const Limiter *limiter, const LimiterAttempt *attempt, int64_t now)
{
    return find((Table *)&limiter->known, pair_tag(limiter, attempt), now);
}

/* Which counters an attempt falls under: the known pair's, or the account's and the source's. */
static unsigned
counters_of(Limiter *limiter, const LimiterAttempt *attempt, int64_t now, Counter counters[2])
{
    const LimiterSettings *settings = &limiter->settings;
    g_autofree char *account = fold_account(attempt->account);
    g_autofree char *source = fold_source(attempt->source);
    uint64_t pair = hash(limiter, "pair", account, source);

    if (find(&limiter->known, pair, now)) {
        counters[0] =
            (Counter){&limiter->failures_of_accounts, pair, settings->account_free, settings->account_wait_max};
        return 1;
    }
    counters[0] = (Counter){&limiter->failures_of_accounts, hash(limiter, "account", account, ""),
                            settings->account_free, settings->account_wait_max};
    counters[1] = (Counter){&limiter->failures_of_sources, hash(limiter, "source", "", source), settings->source_free,
                            settings->source_wait_max};
    return 2;
}

static int64_t
wait_after(const Limiter *limiter, const Counter *counter, uint32_t failures)
{
    unsigned doublings;

    if (failures <= counter->free)
        return 0;
    doublings = failures - counter->free - 1;
    if (doublings >= 32 || limiter->settings.first_wait > counter->wait_max >> doublings)
        return counter->wait_max;
    return limiter->settings.first_wait << doublings;
}

static void
count_failure(const Limiter *limiter, const Counter *counter, int64_t now)
{
    Entry *entry = find_or_make(counter->table, counter->tag, now);

    if (entry->failures < UINT32_MAX)
        entry->failures++;
    entry->until = now + wait_after(limiter, counter, entry->failures);
    entry->forget = now + limiter->settings.forget;
}

int64_t
limiter_begin(Limiter *limiter, const LimiterAttempt *attempt, int64_t now)
{
    Counter counters[2];
    unsigned n = attempt->console ? 0 : counters_of(limiter, attempt, now, counters);
    int64_t wait = 0;

    for (unsigned i = 0; i < n; i++) {
        const Entry *entry = find(counters[i].table, counters[i].tag, now);
        if (entry && entry->until > now)
            wait = MAX(wait, entry->until - now);
    }
    for (unsigned i = 0; i < n && !wait; i++)
        count_failure(limiter, &counters[i], now);
    return wait;
}

void
limiter_return(Limiter *limiter, const LimiterAttempt *attempt, int64_t now)
{
    Counter counters[2];
    unsigned n = attempt->console ? 0 : counters_of(limiter, attempt, now, counters);

    for (unsigned i = 0; i < n; i++) {
        Entry *entry = find(counters[i].table, counters[i].tag, now);
        if (!entry)
            continue; /* displaced meanwhile */
        if (entry->failures)
            entry->failures--;
        entry->until = 0; /* it could begin, so no older wait is left */
    }
}

void
limiter_succeed(Limiter *limiter, const LimiterAttempt *attempt, int64_t now)
{
    if (attempt->console)
        return;
    limiter_return(limiter, attempt, now);
    find_or_make(&limiter->known, pair_tag(limiter, attempt), now)->forget = now + limiter->settings.know;
}

char *
limiter_tag(const Limiter *limiter, const char *account)
{
    g_autofree char *folded = fold_account(account);

    return g_strdup_printf("%0*" G_GINT64_MODIFIER "x", TAG_CHARACTERS,
                           hash(limiter, "tag", folded, "") >> (64 - 4 * TAG_CHARACTERS));
}
