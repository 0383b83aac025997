/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of desktops: which are looked at when, and what they share: memory, user ids, settings.
 */
#include "appliance/desktops/action.h"
#include "appliance/desktops/admission.h"
#include "appliance/desktops/bring_up.h"
#include "appliance/desktops/figures.h"
#include "appliance/desktops/private.h"
#include "appliance/desktops/spawn.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* ---- what they share ---- */

Desktop *
desktops_find(Desktops *desktops, const char *id)
{
    return g_hash_table_lookup(desktops->desktops, id);
}

Desktop *
desktops_need(Desktops *desktops, const char *id)
{
    Desktop *desktop = desktops_find(desktops, id);

    if (!desktop) {
        desktop = desktop_new(desktops, id);
        g_hash_table_insert(desktops->desktops, desktop->id, desktop);
    }
    return desktop;
}

uint64_t
desktops_promised(Desktops *desktops, const Desktop *but)
{
    GHashTableIter iter;
    Desktop *desktop;
    uint64_t promised = 0;

    g_hash_table_iter_init(&iter, desktops->desktops);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&desktop)) {
        if (desktop == but)
            continue;
        if (desktop->record)
            promised += desktop->record->memory;
        else if (desktop->bring_up)
            promised += bring_up_memory(desktop->bring_up);
    }
    return promised;
}

static bool
uid_is_taken(Desktops *desktops, uid_t uid)
{
    GHashTableIter iter;
    Desktop *desktop;

    g_hash_table_iter_init(&iter, desktops->desktops);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&desktop))
        if ((desktop->record && desktop->record->uid == uid) ||
            (desktop->bring_up && bring_up_uid(desktop->bring_up) == uid))
            return true;
    return false;
}

bool
desktops_take_uid(Desktops *desktops, uid_t *uid, GError **error)
{
    *uid = 0;
    if (geteuid() != 0 || !desktops->settings.uids)
        return true;
    for (unsigned i = 0; i < desktops->settings.uids; i++) {
        if (!uid_is_taken(desktops, desktops->settings.uid_first + i)) {
            *uid = desktops->settings.uid_first + i;
            return true;
        }
    }
    g_set_error(error, DESKTOPS_ERROR, DESKTOPS_ERROR_FULL, "%u desktops run on this host, and more must not",
                desktops->settings.uids);
    return false;
}

int64_t
desktops_setting(Desktops *desktops, const char *key, int64_t otherwise)
{
    g_autoptr(GVariant) setting = desktops->ops.get(desktops->owner, "setting", key);
    gint64 value;

    return setting && g_variant_lookup(setting, "value", "x", &value) ? value : otherwise;
}

unsigned
desktops_overcommit(Desktops *desktops)
{
    return (unsigned)desktops_setting(desktops, "memory.overcommit-percent", 100);
}

/* ---- the store ---- */

static void
look_at(Desktops *desktops, const char *id)
{
    desktop_look(desktops_need(desktops, id));
}

/* Those that are to be something, whether they were looked at before or not. */
static void
look_at_wanted(Desktops *desktops, const char *wanted)
{
    g_autoptr(GPtrArray) rows = desktops->ops.list(desktops->owner, "desktop", "wanted", wanted);

    for (unsigned i = 0; rows && i < rows->len; i++) {
        const char *id = NULL;
        if (g_variant_lookup(rows->pdata[i], "id", "&s", &id))
            desktops_need(desktops, id);
    }
}

static void
look_at_all(Desktops *desktops)
{
    look_at_wanted(desktops, "running");
    look_at_wanted(desktops, "suspended");
    g_autoptr(GPtrArray) all = g_hash_table_get_values_as_ptr_array(desktops->desktops);
    for (unsigned i = 0; i < all->len; i++)
        desktop_look(all->pdata[i]);
}

/* What could not be may be possible now: there may be memory to promise. */
static void
try_failed_again(Desktops *desktops)
{
    g_autoptr(GPtrArray) all = g_hash_table_get_values_as_ptr_array(desktops->desktops);

    for (unsigned i = 0; i < all->len; i++)
        desktop_try_again(all->pdata[i]);
}

void
desktops_look(Desktops *desktops, const char *kind, const char *id)
{
    if (!kind)
        look_at_all(desktops);
    else if (!strcmp(kind, "desktop"))
        look_at(desktops, id);
    else if (!strcmp(kind, "setting"))
        try_failed_again(desktops);
    pools_look(desktops->pools, kind, id);
}

void
desktops_removed(Desktops *desktops, const char *id)
{
    Desktop *desktop = desktops_need(desktops, id);

    pools_look_at_pool_of(desktops->pools, desktop);
    g_clear_pointer(&desktop->spec, spec_free);
    desktop->looked = desktop->removed = true;
    desktop_turn(desktop);
}

/* ---- what runs already ---- */

static void
adopt(Desktops *desktops, const char *id, GPtrArray *cards)
{
    Desktop *desktop = desktops_need(desktops, id);
    g_autofree char *path = g_build_filename(desktop->run, "record", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(Record) record = record_read(path, &error);
    int pidfd = record ? pidfd_open(record->pid, 0) : -1;

    /* Looked at after the pidfd is there: what it names cannot become another process then. */
    if (pidfd < 0 || spawn_began(record->pid) != record->began) {
        g_clear_fd(&pidfd, NULL);
        desktop_left_behind(desktop, record);
        tunnels_take_up(desktops->tunnels, desktop);
        return;
    }
    for (unsigned i = 0; i < record->cards->len; i++) {
        const RecordCard *card = record->cards->pdata[i];
        NetworkCard *here = g_new0(NetworkCard, 1);
        *here = (NetworkCard){
            .desktop = desktop->id, .place = i, .network = card->network, .mac = card->mac, .name = record->name};
        g_ptr_array_add(cards, here);
    }
    desktop->record = g_steal_pointer(&record);
    desktop_start_vmm(desktop, pidfd);
    tunnels_take_up(desktops->tunnels, desktop);
}

static bool
adopt_cards(Desktops *desktops, GPtrArray *cards, GError **error)
{
    g_autofree NetworkCard *list = g_new0(NetworkCard, cards->len + 1);

    for (unsigned i = 0; i < cards->len; i++)
        list[i] = *(const NetworkCard *)cards->pdata[i];
    return networks_adopt(desktops->settings.networks, list, cards->len, error);
}

static bool
adopt_all(Desktops *desktops, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(desktops->settings.run, 0, error);
    g_autoptr(GPtrArray) cards = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    if (!dir)
        return false;
    while ((name = g_dir_read_name(dir)))
        if (g_uuid_string_is_valid(name))
            adopt(desktops, name, cards);
    return adopt_cards(desktops, cards, error);
}

/* ---- how it is ---- */

GVariant *
desktops_live(Desktops *desktops, const char *id)
{
    Desktop *desktop = desktops_find(desktops, id);
    GVariantDict what;

    if (!desktop || (!desktop->spec && !desktop_is_busy(desktop)))
        return NULL;
    g_variant_dict_init(&what, NULL);
    desktop_describe(desktop, &what);
    tunnels_describe(desktops->tunnels, desktop, &what);
    figures_describe(desktop->figures, &what);
    return g_variant_ref_sink(g_variant_dict_end(&what));
}

bool
desktops_quality(Desktops *desktops, const char *id, DesktopQuality *quality)
{
    Desktop *desktop = desktops_find(desktops, id);

    return desktop && figures_quality(desktop->figures, 0, quality);
}

void
desktops_visits(Desktops *desktops, DesktopsVisitor each, void *user)
{
    visits_each(desktops->visits, each, user);
}

void
desktops_memory(Desktops *desktops, uint64_t *promised, uint64_t *all)
{
    *promised = desktops_promised(desktops, NULL);
    *all = desktops->settings.memory / 100 * desktops_overcommit(desktops);
}

unsigned
desktops_count(Desktops *desktops, const char *state)
{
    GHashTableIter iter;
    Desktop *desktop;
    unsigned n = 0;

    g_hash_table_iter_init(&iter, desktops->desktops);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&desktop))
        n += state ? !strcmp(life_word(desktop->state), state) : desktop->state != LIFE_STOPPED;
    return n;
}

/* ---- life ---- */

static void
copy_settings(DesktopsSettings *to, const DesktopsSettings *from)
{
    *to = *from;
    to->host = g_strdup(from->host);
    to->state = g_strdup(from->state);
    to->run = g_strdup(from->run);
    to->vmm = g_strdup(from->vmm);
    to->swtpm = g_strdup(from->swtpm);
    to->cgroup = g_strdup(from->cgroup);
    if (!to->memory)
        to->memory = admission_for_desktops(admission_host_memory());
}

static void
clear_settings(DesktopsSettings *settings)
{
    g_free((char *)settings->host);
    g_free((char *)settings->state);
    g_free((char *)settings->run);
    g_free((char *)settings->vmm);
    g_free((char *)settings->swtpm);
    g_free((char *)settings->cgroup);
}

static bool
make_folders(const DesktopsSettings *settings, GError **error)
{
    const char *const folders[] = {settings->state, settings->run};

    for (unsigned i = 0; i < G_N_ELEMENTS(folders); i++) {
        if (g_mkdir_with_parents(folders[i], 0711) < 0) {
            int code = errno;
            g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", folders[i], g_strerror(code));
            return false;
        }
    }
    return true;
}

Desktops *
desktops_new(const DesktopsSettings *settings, const DesktopsOps *ops, void *owner, GError **error)
{
    g_autoptr(Desktops) desktops = g_new0(Desktops, 1);

    g_assert(ops->get && ops->list && ops->submit && ops->changed && ops->job_begin && ops->job_progress &&
             ops->job_end && ops->client);
    copy_settings(&desktops->settings, settings);
    desktops->ops = *ops;
    desktops->owner = owner;
    desktops->desktops = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)desktop_free);
    desktops->visits = visits_new();
    desktops->tunnels = tunnels_new(desktops);
    desktops->pools = pools_new(desktops);
    if (!make_folders(settings, error) || !adopt_all(desktops, error))
        return NULL;
    return g_steal_pointer(&desktops);
}

/* What is under way comes to its end, most of it by being given up; what runs, runs on. */
static void
wait_for_calls(Desktops *desktops)
{
    GHashTableIter iter;
    Desktop *desktop;

    g_hash_table_iter_init(&iter, desktops->desktops);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&desktop))
        if (desktop->bring_up)
            bring_up_cancel(desktop->bring_up);
    for (GList *link = desktops->actions; link; link = link->next)
        g_cancellable_cancel(((Action *)link->data)->cancellable);
    while (desktops->calls)
        g_main_context_iteration(NULL, TRUE);
}

void
desktops_free(Desktops *desktops)
{
    if (!desktops)
        return;
    desktops->closing = true;
    if (desktops->figures_source)
        g_source_remove(desktops->figures_source);
    figures_give_up(desktops);
    tunnels_free(desktops->tunnels);
    visits_free(desktops->visits);
    wait_for_calls(desktops);
    pools_free(desktops->pools);
    g_hash_table_unref(desktops->desktops);
    clear_settings(&desktops->settings);
    g_free(desktops);
}
