/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/pool_plan.h"

static void
add(GArray *steps, PoolStepKind kind, const char *desktop)
{
    PoolStep step = {kind, desktop};

    g_array_append_val(steps, step);
}

static bool
is_free(const PoolDesktop *desktop)
{
    return !desktop->user;
}

/* How many free ones there are to be, with @taken in use. */
static unsigned
free_wanted(const PoolFacts *facts, unsigned taken)
{
    unsigned room = facts->size > taken ? facts->size - taken : 0;

    return MIN(MAX(facts->spares, 1), room);
}

GArray *
pool_plan(const PoolFacts *facts)
{
    GArray *steps = g_array_new(FALSE, FALSE, sizeof(PoolStep));
    unsigned taken = 0, kept = 0;

    for (unsigned i = 0; i < facts->n_desktops; i++) {
        const PoolDesktop *desktop = &facts->desktops[i];
        if (is_free(desktop))
            continue;
        if (facts->disposable && desktop->over)
            add(steps, POOL_TAKE_BACK, desktop->id);
        else
            taken++;
    }
    unsigned wanted = free_wanted(facts, taken);
    for (unsigned i = 0; i < facts->n_desktops; i++) {
        const PoolDesktop *desktop = &facts->desktops[i];
        if (!is_free(desktop))
            continue;
        if (!desktop->current || kept >= wanted) {
            add(steps, POOL_DELETE, desktop->id);
            continue;
        }
        bool run = kept++ < facts->spares;
        if (run != desktop->wanted_running)
            add(steps, run ? POOL_START : POOL_STOP, desktop->id);
    }
    for (; kept < wanted; kept++)
        add(steps, POOL_MAKE, NULL);
    return steps;
}

char *
pool_plan_name(const char *pool, GHashTable *taken)
{
    for (unsigned i = 1;; i++) {
        g_autofree char *name = g_strdup_printf("%s %u", pool, i);
        if (!g_hash_table_contains(taken, name))
            return g_steal_pointer(&name);
    }
}
