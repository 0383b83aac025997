/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/rooms.h"

#include "appliance/daemon/daemon.h"
#include "appliance/daemon/images.h"
#include "appliance/daemon/rights.h"

#include <string.h>
#include <unistd.h>

#define FOLLOW_SECONDS 10

static void
unref_variant(void *variant)
{
    g_variant_unref(variant);
}

/* --- the store, as desktops see it --- */

static GVariant *
get(void *owner, const char *kind, const char *id)
{
    Daemon *daemon = owner;
    g_autoptr(GError) error = NULL;
    const StoreKind *of = store_catalog_find_kind(kind);
    GVariant *thing = NULL;

    if (!(g_str_has_prefix(id, "name:") ? store_reader_find(daemon->reader, of, id + strlen("name:"), &thing, &error)
                                        : store_reader_get(daemon->reader, of, id, &thing, &error)))
        g_warning("the store cannot be read: %s", error->message);
    return thing;
}

static GPtrArray *
list(void *owner, const char *kind, const char *filter, const char *value)
{
    Daemon *daemon = owner;
    GPtrArray *all = g_ptr_array_new_with_free_func(unref_variant);
    g_autofree char *after = NULL;
    g_autoptr(GError) error = NULL;

    do {
        const StoreQuery query = {store_catalog_find_kind(kind), filter, value, after, STORE_PAGE_MAX};
        g_auto(StorePage) page = {0};
        if (!store_reader_list(daemon->reader, &query, &page, &error)) {
            g_warning("the store cannot be read: %s", error->message);
            break;
        }
        for (guint i = 0; i < page.rows->len; i++)
            g_ptr_array_add(all, g_variant_ref(page.rows->pdata[i]));
        g_free(after);
        after = g_steal_pointer(&page.next);
    } while (after);
    return all;
}

typedef struct {
    DesktopsSubmitted done;
    void *data;
} Submitting;

static void
submitted(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Submitting *submitting = data;
    g_auto(StoreAnswer) answer = {0};
    g_autoptr(GError) error = NULL;

    store_submit_finish(result, &answer, &error);
    submitting->done(submitting->data, error);
}

static void
submit(void *owner, DesktopsCaller caller, const char *command, GVariant *fields, DesktopsSubmitted done, void *data)
{
    Daemon *daemon = owner;
    Submitting *submitting = g_new(Submitting, 1);

    *submitting = (Submitting){done, data};
    commands_submit(daemon->commands, NULL, command, caller ? caller : STORE_ACTOR_DAEMON, 0, fields, submitted,
                    submitting);
}

/* --- what desktops tell --- */

static void
changed(void *owner, const char *desktop, GVariant *what)
{
    Daemon *daemon = owner;
    g_autoptr(GVariant) held = g_variant_ref_sink(what);
    g_auto(GVariantDict) data = G_VARIANT_DICT_INIT(held);

    g_variant_dict_insert(&data, "desktop", "s", desktop);
    events_desktop(daemon->events, desktop, g_variant_dict_end(&data));
}

static char *
job_begin(void *owner, DesktopsCaller caller, const char *desktop, const char *what, GCancellable *cancellable)
{
    Daemon *daemon = owner;

    return g_strdup(
        jobs_begin(daemon->jobs, caller ? caller : STORE_ACTOR_DAEMON, "desktop", desktop, what, cancellable));
}

static void
job_progress(void *owner, const char *job, double progress)
{
    jobs_progress(((Daemon *)owner)->jobs, job, progress);
}

static void
job_end(void *owner, const char *job, const GError *error)
{
    jobs_end(((Daemon *)owner)->jobs, job, error);
}

static void
client(void *owner, const char *desktop, DesktopsClient what, DesktopsCaller caller, const char *address)
{
    Daemon *daemon = owner;
    bool here = what != DESKTOPS_CLIENT_LEFT;
    bool is_user = caller && strcmp(caller, STORE_ACTOR_CONSOLE) && strcmp(caller, STORE_ACTOR_DAEMON);

    watching_client(daemon->watching, desktop, here, is_user ? caller : NULL);
    if (what == DESKTOPS_CLIENT_IS_HERE)
        return; /* that they came was told then */
    g_log_structured(G_LOG_DOMAIN, G_LOG_LEVEL_INFO, "CARREL_DESKTOP", desktop, "CARREL_USER", is_user ? caller : "",
                     "CARREL_ADDRESS", address ? address : "", "MESSAGE", "a client from %s %s the desktop %s",
                     address ? address : "here", here ? "came to" : "left", desktop);
    commands_note(daemon->commands, &(CommandsNote){
                                        .event = here ? "connected" : "disconnected",
                                        .user = is_user ? caller : NULL,
                                        .desktop = desktop,
                                        .address = address,
                                    });
}

/* --- opening --- */

static void
report(void *user, const char *message)
{
    g_message("network: %s", message);
}

static bool
open_storage(Daemon *daemon, GError **error)
{
    const DaemonConfig *config = daemon->config;
    g_auto(GStrv) mended = NULL;
    const StorageConfig settings = {
        .kind = config->storage_backend,
        .folder = config->storage_folder,
        .volume_group = config->volume_group,
        .thin_pool = config->thin_pool,
        .lvm_config = config->lvm_config,
        .helper = config->import_helper,
        .qemu_img = config->qemu_img,
        .reserve_blocks = config->reserve_blocks,
        .keep_free = (uint64_t)config->keep_free << 20,
    };

    daemon->rooms.storage = storage_open(&settings, &mended, error);
    for (char **sentence = mended; sentence && *sentence; sentence++)
        g_message("storage: %s", *sentence);
    return daemon->rooms.storage;
}

static bool
set_rows(Daemon *daemon, GError **error)
{
    g_autoptr(GPtrArray) things = list(daemon, "network", NULL, NULL);
    g_autofree NetworkRow *rows = g_new0(NetworkRow, things->len);

    for (guint i = 0; i < things->len; i++) {
        GVariant *thing = things->pdata[i];
        const char *type = "";
        gboolean isolated = TRUE;
        gint64 vlan = 0;
        g_variant_lookup(thing, "id", "&s", &rows[i].id);
        g_variant_lookup(thing, "type", "&s", &type);
        g_variant_lookup(thing, "bridge", "&s", &rows[i].bridge);
        g_variant_lookup(thing, "vlan", "x", &vlan);
        g_variant_lookup(thing, "isolated", "b", &isolated);
        network_type_from_name(type, &rows[i].type);
        rows[i].vlan = (unsigned)vlan;
        rows[i].isolated = isolated;
    }
    return networks_set_rows(daemon->rooms.networks, rows, things->len, error);
}

static bool
open_networks(Daemon *daemon, GError **error)
{
    const DaemonConfig *config = daemon->config;
    g_autofree char *state = g_build_filename(config->state, "network", NULL);
    g_autofree char *runtime = g_build_filename(config->runtime, "network", NULL);
    const NetworkOptions options = {
        .manage = config->network_manage,
        .runtime = runtime,
        .state = state,
        .nat_range = config->nat_range,
        .dns_user = config->dns_user,
        .host_ports = config->host_ports,
        .report = report,
    };

    daemon->rooms.networks = networks_new(&options, error);
    return daemon->rooms.networks && set_rows(daemon, error);
}

static bool
has_scopes(const DaemonConfig *config)
{
    return config->scopes == DAEMON_SCOPES_AUTO ? g_file_test("/run/systemd/system", G_FILE_TEST_IS_DIR) && !geteuid()
                                                : config->scopes == DAEMON_SCOPES_TRUE;
}

static bool
open_desktops(Daemon *daemon, GError **error)
{
    static const DesktopsOps ops = {
        .get = get,
        .list = list,
        .submit = submit,
        .changed = changed,
        .job_begin = job_begin,
        .job_progress = job_progress,
        .job_end = job_end,
        .client = client,
    };
    const DaemonConfig *config = daemon->config;
    g_autofree char *state = g_build_filename(config->state, "desktops", NULL);
    g_autofree char *run = g_build_filename(config->runtime, "desktops", NULL);
    const DesktopsSettings settings = {
        .host = config->name,
        .state = state,
        .run = run,
        .vmm = config->vmm,
        .swtpm = config->swtpm,
        .uid_first = (uid_t)config->uid_first,
        .uids = (unsigned)config->uids,
        .scopes = has_scopes(config),
        .cgroup = config->cgroup,
        .memory = (uint64_t)config->memory << 20,
        .storage = daemon->rooms.storage,
        .networks = daemon->rooms.networks,
    };

    daemon->rooms.desktops = desktops_new(&settings, &ops, daemon, error);
    return daemon->rooms.desktops;
}

static bool
is_known(void *owner, const char *desktop)
{
    Daemon *daemon = owner;
    g_autoptr(GVariant) there = NULL;

    return !store_reader_get(daemon->reader, store_catalog_find_kind("desktop"), desktop, &there, NULL) || there;
}

bool
rooms_open(Daemon *daemon, GError **error)
{
    daemon->rooms.ending = g_cancellable_new();
    if (!open_storage(daemon, error) || !open_networks(daemon, error) || !open_desktops(daemon, error))
        return false;
    images_take_up(daemon);
    desktops_clear_begun(daemon->rooms.desktops, is_known);
    desktops_look(daemon->rooms.desktops, NULL, NULL);
    /* Of those who are connected since before us, whose right ended while nobody was there? */
    desktops_check_rights(daemon->rooms.desktops, rights_may_use);
    return true;
}

void
rooms_close(Daemon *daemon)
{
    Rooms *rooms = &daemon->rooms;

    g_clear_handle_id(&rooms->following, g_source_remove);
    if (rooms->ending)
        g_cancellable_cancel(rooms->ending);
    g_clear_pointer(&rooms->desktops, desktops_free);
    while (rooms->under_way)
        g_main_context_iteration(NULL, TRUE);
    g_clear_pointer(&rooms->networks, networks_free);
    g_clear_pointer(&rooms->storage, storage_free);
    g_clear_object(&rooms->ending);
}

/* --- news --- */

static bool
is_kind(const StoreChange *change, const char *kind)
{
    return !strcmp(change->kind, kind);
}

/* A removed desktop is gone for good; of anything else desktops are told that it is new. */
static void
tell_desktops(Daemon *daemon, const StoreChange *change)
{
    if (is_kind(change, "desktop") && change->type == STORE_CHANGE_REMOVED)
        desktops_removed(daemon->rooms.desktops, change->thing);
    else
        desktops_look(daemon->rooms.desktops, change->kind, change->thing);
}

static bool
is_about_rights(const StoreChange *change)
{
    return is_kind(change, "assignment") || is_kind(change, "group") || is_kind(change, "user") ||
           is_kind(change, "pool") || is_kind(change, "desktop");
}

static void
tell_one(Daemon *daemon, const StoreChange *change, bool *networks, bool *rights)
{
    *networks = *networks || is_kind(change, "network");
    *rights = *rights || is_about_rights(change);
    if (is_kind(change, "image") && change->type == STORE_CHANGE_REMOVED)
        images_removed(daemon, change->thing);
}

void
rooms_store_changed(Daemon *daemon, GPtrArray *changes)
{
    bool networks = !changes, rights = !changes;
    g_autoptr(GError) error = NULL;

    if (!daemon->rooms.desktops)
        return;
    for (guint i = 0; changes && i < changes->len; i++)
        tell_one(daemon, changes->pdata[i], &networks, &rights);
    if (networks && !set_rows(daemon, &error))
        g_warning("networks are not as the store has them: %s", error->message);
    if (!changes)
        desktops_look(daemon->rooms.desktops, NULL, NULL);
    for (guint i = 0; changes && i < changes->len; i++)
        tell_desktops(daemon, changes->pdata[i]);
    if (rights)
        desktops_check_rights(daemon->rooms.desktops, rights_may_use);
}

static gboolean
unfollow(gpointer data)
{
    Daemon *daemon = data;

    daemon->rooms.following = 0;
    desktops_unfollow(daemon->rooms.desktops);
    return G_SOURCE_REMOVE;
}

void
rooms_follow_figures(Daemon *daemon)
{
    if (daemon->rooms.following)
        g_source_remove(daemon->rooms.following);
    else
        desktops_follow(daemon->rooms.desktops);
    daemon->rooms.following = g_timeout_add_seconds(FOLLOW_SECONDS, unfollow, daemon);
}
