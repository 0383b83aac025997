/* SPDX-License-Identifier: Apache-2.0 */
/* Desktops: those that are the caller's, how they are, what is to be done with them, what they show. */
#include "appliance/daemon/calls/calls.h"
#include "appliance/daemon/calls/desktop_of.h"
#include "appliance/daemon/rights.h"
#include "appliance/daemon/sight.h"

#include <gio/gunixfdlist.h>
#include <string.h>

/* --- one's own --- */

/* What lists show of how one is; its figures are GetLive's. */
static void
add_state(Daemon *daemon, GVariantDict *thing, const char *id)
{
    static const char *const keys[] = {"state", "detail", "progress", "since", "clients"};
    g_autoptr(GVariant) live = desktops_live(daemon->rooms.desktops, id);

    if (!live)
        g_variant_dict_insert(thing, "state", "s", "stopped");
    for (gsize i = 0; live && i < G_N_ELEMENTS(keys); i++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(live, keys[i], NULL);
        if (value)
            g_variant_dict_insert_value(thing, keys[i], value);
    }
}

static void
add_thing(Call *call, GVariantBuilder *list, const char *kind, GVariant *thing)
{
    g_autoptr(GVariant) shown = sight_show(store_catalog_find_kind(kind), call->caller->role, thing);
    g_auto(GVariantDict) line = G_VARIANT_DICT_INIT(shown);
    const char *id = "";

    g_variant_lookup(thing, "id", "&s", &id);
    g_variant_dict_insert(&line, "kind", "s", kind);
    if (!strcmp(kind, "desktop"))
        add_state(call->daemon, &line, id);
    g_variant_builder_add_value(list, g_variant_dict_end(&line));
}

/* Whether they have taken a desktop from the pool already. */
static bool
has_one_of(GPtrArray *desktops, const char *user, GVariant *pool)
{
    const char *id = "", *of = "", *taker = "";

    g_variant_lookup(pool, "id", "&s", &id);
    for (guint i = 0; i < desktops->len; i++)
        if (g_variant_lookup(desktops->pdata[i], "pool", "&s", &of) &&
            g_variant_lookup(desktops->pdata[i], "user", "&s", &taker) && !strcmp(of, id) && !strcmp(taker, user))
            return true;
    return false;
}

void
call_list_mine(Call *call)
{
    StoreReader *reader = call->daemon->reader;
    const char *user = call->caller->user ? call->caller->user : "";
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) desktops = store_reader_desktops_of(reader, user, &error);
    g_autoptr(GPtrArray) pools = desktops ? store_reader_pools_of(reader, user, &error) : NULL;
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    if (!pools) {
        call_fail(call, error);
        return;
    }
    for (guint i = 0; i < desktops->len; i++)
        add_thing(call, &list, "desktop", desktops->pdata[i]);
    for (guint i = 0; i < pools->len; i++)
        if (!has_one_of(desktops, user, pools->pdata[i]))
            add_thing(call, &list, "pool", pools->pdata[i]);
    call_return(call, g_variant_new("(@aa{sv})", g_variant_builder_end(&list)));
}

/* --- how they are --- */

void
call_get_live(Call *call)
{
    const StoreKind *kind = store_catalog_find_kind("desktop");
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sa{sv}}"));
    bool all = sight_of(kind, call->caller->role) == SIGHT_ALL;
    g_autoptr(GVariantIter) ids = NULL;
    const char *id;

    rooms_follow_figures(call->daemon);
    g_variant_get_child(call->arguments, 1, "as", &ids);
    while (g_variant_iter_next(ids, "&s", &id)) {
        g_autoptr(GVariant) live = desktops_live(call->daemon->rooms.desktops, id);
        if (live && (all || sight_check(call->daemon->reader, call->caller, kind, id, NULL)))
            g_variant_builder_add(&list, "{s@a{sv}}", id, live);
    }
    call_return(call, g_variant_new("(@a{sa{sv}})", g_variant_builder_end(&list)));
}

/* --- what is to be done --- */

/* What its user may have done with a desktop; the rest is for those who run desktops. */
static bool
is_for_users(const char *action)
{
    static const char *const actions[] = {"start", "shut-down", "stop", "suspend", "reset", NULL};

    return g_strv_contains(actions, action);
}

/* Whoever has a copy of a disk has read it. An administrator could give themselves the desktop as well; both are written down. */
static bool
may_copy(Call *call, const char *desktop)
{
    return call->caller->role >= STORE_ROLE_ADMIN || rights_may_use(call->daemon, call->caller->actor, desktop);
}

static bool
is_copy(const char *action)
{
    return !strcmp(action, "clone") || !strcmp(action, "make-template");
}

/* All else has a line in the audit trail by the command that comes of it. */
static bool
leaves_no_command(const char *action)
{
    static const char *const actions[] = {"reset", "snapshot", "revert", "forget", NULL};

    return g_strv_contains(actions, action);
}

static void
note_action(const Call *call)
{
    const char *desktop, *action, *name = NULL;
    g_autoptr(GVariant) options = NULL;

    g_variant_get(call->arguments, "(&s&s&s@a{sv})", NULL, &desktop, &action, &options);
    if (!leaves_no_command(action))
        return;
    if (!g_variant_lookup(options, "name", "&s", &name))
        g_variant_lookup(options, "snapshot", "&s", &name);
    g_autofree char *detail = name ? g_strdup_printf("%s %s", action, name) : g_strdup(action);
    commands_note(call->daemon->commands, &(CommandsNote){
                                              .event = "controlled",
                                              .name = call->caller->name,
                                              .user = call->caller->user,
                                              .desktop = desktop,
                                              .address = call->caller->source,
                                              .detail = detail,
                                          });
}

static void
controlled(void *data, const char *job, const GError *error)
{
    if (error) {
        call_fail(data, error);
        return;
    }
    note_action(data);
    call_return(data, g_variant_new("(s)", job));
}

void
call_control(Call *call)
{
    const char *desktop = desktop_of(call);
    g_autoptr(GVariant) options = NULL;
    const char *action;

    if (!desktop)
        return;
    g_variant_get_child(call->arguments, 2, "&s", &action);
    g_variant_get_child(call->arguments, 3, "@a{sv}", &options);
    if (!is_for_users(action) && call->caller->role < STORE_ROLE_OPERATOR)
        call_fail_with(call, CARREL_ERROR_FORBIDDEN, "This is not for you to do: ask an administrator.");
    else if (is_copy(action) && !may_copy(call, desktop))
        call_fail_with(call, CARREL_ERROR_FORBIDDEN, "It is somebody's: only an administrator makes copies of it.");
    else
        desktops_control(call->daemon->rooms.desktops, call->caller->actor, desktop, action, options, controlled, call);
}

static void
listed(void *data, GVariant *snapshots, const GError *error)
{
    if (error)
        call_fail(data, error);
    else
        call_return(data, g_variant_new("(@aa{sv})", snapshots));
}

void
call_list_snapshots(Call *call)
{
    const char *desktop = desktop_of(call);

    if (desktop)
        desktops_snapshots(call->daemon->rooms.desktops, desktop, listed, call);
}

/* --- what they show --- */

static void
pictured(void *data, int fd, uint64_t number, const GError *error)
{
    if (error)
        call_fail(data, error);
    else
        call_return_fd(data, g_variant_new("(ht)", 0, number), fd);
}

void
call_screenshot(Call *call)
{
    Daemon *daemon = call->daemon;
    const char *desktop = desktop_of(call);
    guint64 seen;

    if (!desktop)
        return;
    g_variant_get_child(call->arguments, 2, "t", &seen);
    if (rights_may_use(daemon, call->caller->actor, desktop))
        desktops_screenshot(daemon->rooms.desktops, desktop, DESKTOPS_PICTURE_OF_LIST, seen, pictured, call);
    else if (watching_may_look(daemon->watching, call->caller, desktop))
        desktops_screenshot(daemon->rooms.desktops, desktop, DESKTOPS_PICTURE_LIVE, seen, pictured, call);
    else
        call_fail_with(call, CARREL_ERROR_FORBIDDEN, "It is somebody's: ask them whether you may look on.");
}
