/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/pools.h"

#include "appliance/desktops/from_template.h"
#include "appliance/desktops/pool_plan.h"
#include "appliance/desktops/private.h"

#include <string.h>

/* What changes together is looked at once. */
#define SOON_MS 50
/* Whoever lost a connection, or only closed the window, finds the desktop as it was for so long. */
#define LEFT_MINUTES 10
#define LOOK_AGAIN_SECONDS 15
/* Where a command of a plan was refused, so would be the next. */
#define PATIENCE_SECONDS 60

typedef struct {
    Pools *pools;
    char *id;
    unsigned pending; /* commands under way */
    bool refused;
    guint source;     /* of the next look */
    bool is_patience; /* that source waits on purpose */
} Pool;

struct Pools {
    Desktops *desktops;
    GHashTable *pools; /* id → Pool */
    guint again_source;
};

static void look_soon(Pool *pool, guint ms);

static void
pool_free(void *data)
{
    Pool *pool = data;

    if (pool->source)
        g_source_remove(pool->source);
    g_free(pool->id);
    g_free(pool);
}

/* ---- commands ---- */

static void
on_submitted(void *data, const GError *error)
{
    Pool *pool = data;

    pool->pools->desktops->calls--;
    pool->pending--;
    if (error && !pool->refused) {
        pool->refused = true;
        g_message("a pool cannot be brought to what it is to be, and waits a minute: %s", error->message);
    }
    if (!pool->pending)
        look_soon(pool, pool->refused ? PATIENCE_SECONDS * 1000 : SOON_MS);
}

static void
submit(Pool *pool, const char *command, GVariant *fields)
{
    Desktops *desktops = pool->pools->desktops;

    pool->pending++;
    desktops->calls++;
    desktops->ops.submit(desktops->owner, NULL, command, fields, on_submitted, pool);
}

static GVariant *
only_desktop(const char *id)
{
    GVariantDict fields;

    g_variant_dict_init(&fields, NULL);
    g_variant_dict_insert(&fields, "desktop", "s", id);
    return g_variant_dict_end(&fields);
}

/* ---- making ---- */

static GVariant *
fields_from(GVariant *template, const char *template_id, const char *pool, const char *name)
{
    g_autofree char *id = g_uuid_string_random();
    GVariantDict fields;

    g_variant_dict_init(&fields, NULL);
    g_variant_dict_insert(&fields, "desktop", "s", id);
    g_variant_dict_insert(&fields, "name", "s", name);
    g_variant_dict_insert(&fields, "template", "s", template_id);
    g_variant_dict_insert(&fields, "pool", "s", pool);
    from_template_add(template, &fields);
    return g_variant_dict_end(&fields);
}

/* One that nobody has, in the pool or outside; it is among @names then, which owns it. */
static char *
new_name(Desktops *desktops, const char *pool, GHashTable *names)
{
    for (;;) {
        char *name = pool_plan_name(pool, names);
        g_autofree char *by_name = g_strdup_printf("name:%s", name);
        g_autoptr(GVariant) other = desktops->ops.get(desktops->owner, "desktop", by_name);
        g_hash_table_add(names, name);
        if (!other)
            return name;
    }
}

static void
make(Pool *pool, GVariant *row, GHashTable *names)
{
    Desktops *desktops = pool->pools->desktops;
    const char *name = "", *template_id = "";

    g_variant_lookup(row, "name", "&s", &name);
    g_variant_lookup(row, "template", "&s", &template_id);
    g_autoptr(GVariant) template = desktops->ops.get(desktops->owner, "template", template_id);
    if (!template)
        return;
    char *own_name = new_name(desktops, name, names);
    submit(pool, "desktop.create", fields_from(template, template_id, pool->id, own_name));
}

/* ---- facts ---- */

static bool
is_used(Desktops *desktops, const Desktop *desktop)
{
    return desktop->clients || tunnels_in_use(desktops->tunnels, desktop->id);
}

/* Whoever has it signed out, or is away for long, or has switched it off. */
static bool
is_over(Desktops *desktops, Desktop *desktop)
{
    int64_t now = g_get_monotonic_time();
    int64_t minutes = desktops_setting(desktops, "pools.left-minutes", LEFT_MINUTES);

    if (is_used(desktops, desktop)) {
        desktop->unused_since = 0;
        return false;
    }
    if (!desktop->unused_since)
        desktop->unused_since = now;
    bool was_used =
        desktop->was_used && desktop->state == LIFE_STOPPED && desktop->spec && desktop->spec->wanted == WANTED_STOPPED;
    return desktop->user_left || was_used || now - desktop->unused_since >= minutes * 60 * G_USEC_PER_SEC;
}

/* Rows of a list have no parts. */
static bool
is_current(Desktops *desktops, const char *id, GVariant *template)
{
    g_autoptr(GVariant) whole = desktops->ops.get(desktops->owner, "desktop", id);

    return whole && from_template_is_current(template, whole);
}

static void
describe(Pool *pool, GVariant *row, GVariant *template, bool disposable, PoolDesktop *to)
{
    Desktops *desktops = pool->pools->desktops;
    const char *wanted = "", *made_from = "", *template_id = "";

    g_variant_lookup(row, "id", "&s", &to->id);
    g_variant_lookup(row, "user", "&s", &to->user);
    g_variant_lookup(row, "wanted", "&s", &wanted);
    g_variant_lookup(row, "template", "&s", &made_from);
    g_variant_lookup(template, "id", "&s", &template_id);
    to->current = to->user || (!strcmp(made_from, template_id) && is_current(desktops, to->id, template));
    to->wanted_running = !strcmp(wanted, "running");
    to->over = disposable && to->user && is_over(desktops, desktops_need(desktops, to->id));
}

/* The store gives out those that run first, then by name; a list of it comes by name. */
static int
by_running(gconstpointer a, gconstpointer b)
{
    const PoolDesktop *left = a, *right = b;

    return (int)right->wanted_running - (int)left->wanted_running;
}

static GHashTable *
names_of(GPtrArray *rows)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (unsigned i = 0; i < rows->len; i++) {
        char *name = NULL;
        if (g_variant_lookup(rows->pdata[i], "name", "s", &name))
            g_hash_table_add(names, name);
    }
    return names;
}

/* ---- carrying out ---- */

static void
do_step(Pool *pool, const PoolStep *step, GVariant *row, GHashTable *names)
{
    switch (step->kind) {
    case POOL_START:
        submit(pool, "desktop.want", desktop_want_fields(step->desktop, WANTED_RUNNING));
        break;
    case POOL_STOP:
        submit(pool, "desktop.want", desktop_want_fields(step->desktop, WANTED_STOPPED));
        break;
    case POOL_TAKE_BACK:
        /* Commands are applied in the order in which they are handed in: nobody takes it between the two. */
        submit(pool, "desktop.release", only_desktop(step->desktop));
        submit(pool, "desktop.delete", only_desktop(step->desktop));
        break;
    case POOL_DELETE:
        submit(pool, "desktop.delete", only_desktop(step->desktop));
        break;
    case POOL_MAKE:
        make(pool, row, names);
        break;
    }
}

static void
bring_about(Pool *pool, GVariant *row)
{
    Desktops *desktops = pool->pools->desktops;
    g_autoptr(GPtrArray) rows = desktops->ops.list(desktops->owner, "desktop", "pool", pool->id);
    const char *type = "", *template_id = "";
    gint64 size = 0, spares = 0;

    g_variant_lookup(row, "type", "&s", &type);
    g_variant_lookup(row, "template", "&s", &template_id);
    g_autoptr(GVariant) template = desktops->ops.get(desktops->owner, "template", template_id);
    if (!rows || !template)
        return;
    g_variant_lookup(row, "size", "x", &size);
    g_variant_lookup(row, "spares", "x", &spares);
    bool disposable = !strcmp(type, "disposable");
    g_autofree PoolDesktop *list = g_new0(PoolDesktop, rows->len + 1);
    for (unsigned i = 0; i < rows->len; i++)
        describe(pool, rows->pdata[i], template, disposable, &list[i]);
    g_sort_array(list, rows->len, sizeof *list, (GCompareDataFunc)(void (*)(void))by_running, NULL);
    const PoolFacts facts = {.disposable = disposable,
                             .size = (unsigned)size,
                             .spares = (unsigned)spares,
                             .desktops = list,
                             .n_desktops = rows->len};
    g_autoptr(GArray) steps = pool_plan(&facts);
    g_autoptr(GHashTable) names = names_of(rows);
    pool->refused = false;
    pool->pending++; /* so that none of the answers, which may come at once, looks again */
    for (unsigned i = 0; i < steps->len; i++)
        do_step(pool, &g_array_index(steps, PoolStep, i), row, names);
    if (!--pool->pending && steps->len)
        look_soon(pool, pool->refused ? PATIENCE_SECONDS * 1000 : SOON_MS);
}

/* ---- looks ---- */

static gboolean
on_look(gpointer user)
{
    Pool *pool = user;
    Pools *pools = pool->pools;
    Desktops *desktops = pools->desktops;
    g_autoptr(GVariant) row = desktops->ops.get(desktops->owner, "pool", pool->id);

    pool->source = 0;
    pool->is_patience = false;
    if (row)
        bring_about(pool, row);
    else if (!pool->pending)
        g_hash_table_remove(pools->pools, pool->id);
    return G_SOURCE_REMOVE;
}

static void
look_soon(Pool *pool, guint ms)
{
    if (pool->source || pool->pending || pool->pools->desktops->closing)
        return;
    pool->is_patience = ms > SOON_MS;
    pool->source = g_timeout_add(ms, on_look, pool);
}

static Pool *
need(Pools *pools, const char *id)
{
    Pool *pool = g_hash_table_lookup(pools->pools, id);

    if (!pool) {
        pool = g_new0(Pool, 1);
        pool->pools = pools;
        pool->id = g_strdup(id);
        g_hash_table_insert(pools->pools, pool->id, pool);
    }
    return pool;
}

static void
look_at_all(Pools *pools)
{
    Desktops *desktops = pools->desktops;
    g_autoptr(GPtrArray) rows = desktops->ops.list(desktops->owner, "pool", NULL, NULL);

    for (unsigned i = 0; rows && i < rows->len; i++) {
        const char *id;
        if (g_variant_lookup(rows->pdata[i], "id", "&s", &id))
            look_soon(need(pools, id), SOON_MS);
    }
}

/* Time passes for those who left. */
static gboolean
on_again(gpointer user)
{
    Pools *pools = user;
    GHashTableIter iter;
    Pool *pool;

    g_hash_table_iter_init(&iter, pools->pools);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&pool))
        look_soon(pool, SOON_MS);
    return G_SOURCE_CONTINUE;
}

/* A change of the pool itself may be what it waits for. */
static void
look_now(Pool *pool)
{
    if (pool->is_patience) {
        g_source_remove(pool->source);
        pool->source = 0;
    }
    look_soon(pool, SOON_MS);
}

void
pools_look_at_pool_of(Pools *pools, const Desktop *desktop)
{
    if (desktop->spec && desktop->spec->pool)
        look_soon(need(pools, desktop->spec->pool), SOON_MS);
}

void
pools_look(Pools *pools, const char *kind, const char *id)
{
    Desktop *desktop;

    if (!kind || !strcmp(kind, "template") || !strcmp(kind, "setting"))
        look_at_all(pools);
    else if (!strcmp(kind, "pool"))
        look_now(need(pools, id));
    else if (!strcmp(kind, "desktop") && (desktop = desktops_find(pools->desktops, id)))
        pools_look_at_pool_of(pools, desktop);
}

/* ---- who left ---- */

void
desktops_left(Desktops *desktops, const char *id)
{
    Desktop *desktop = desktops_find(desktops, id);

    if (desktop)
        pools_look_at_pool_of(desktops->pools, desktop);
}

void
desktops_user_left(Desktops *desktops, const char *user)
{
    g_autoptr(GPtrArray) rows = desktops->ops.list(desktops->owner, "desktop", "user", user);

    for (unsigned i = 0; rows && i < rows->len; i++) {
        const char *id = NULL, *pool = NULL;
        if (!g_variant_lookup(rows->pdata[i], "id", "&s", &id) ||
            !g_variant_lookup(rows->pdata[i], "pool", "&s", &pool))
            continue;
        desktops_need(desktops, id)->user_left = true;
        look_soon(need(desktops->pools, pool), SOON_MS);
    }
}

/* ---- life ---- */

Pools *
pools_new(Desktops *desktops)
{
    Pools *pools = g_new0(Pools, 1);

    pools->desktops = desktops;
    pools->pools = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, pool_free);
    pools->again_source = g_timeout_add_seconds(LOOK_AGAIN_SECONDS, on_again, pools);
    return pools;
}

void
pools_free(Pools *pools)
{
    if (!pools)
        return;
    g_source_remove(pools->again_source);
    g_hash_table_unref(pools->pools);
    g_free(pools);
}
