/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket of tokens, kept as the time at which it will be full: each call moves that on by what one token takes to come. */
#include "appliance/daemon/allowance.h"

struct Allowance {
    GHashTable *whole; /* user → int64_t: when */
};

Allowance *
allowance_new(void)
{
    Allowance *allowance = g_new(Allowance, 1);

    allowance->whole = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return allowance;
}

void
allowance_free(Allowance *allowance)
{
    if (!allowance)
        return;
    g_hash_table_unref(allowance->whole);
    g_free(allowance);
}

int64_t
allowance_take(Allowance *allowance, const char *user, const AllowanceRate *rate, int64_t now)
{
    const int64_t one = G_USEC_PER_SEC / rate->a_second;
    int64_t *whole = g_hash_table_lookup(allowance->whole, user);
    int64_t next = MAX(whole ? *whole : now, now) + one;
    int64_t too_far = next - now - (int64_t)rate->at_once * one;

    if (too_far > 0)
        return too_far;
    if (!whole)
        g_hash_table_insert(allowance->whole, g_strdup(user), whole = g_new(int64_t, 1));
    *whole = next;
    return 0;
}

static gboolean
is_whole(gpointer user, gpointer whole, gpointer now)
{
    return *(int64_t *)whole <= *(int64_t *)now;
}

unsigned
allowance_sweep(Allowance *allowance, int64_t now)
{
    g_hash_table_foreach_remove(allowance->whole, is_whole, &now);
    return g_hash_table_size(allowance->whole);
}
