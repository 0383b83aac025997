/* SPDX-License-Identifier: Apache-2.0 */
/* The host itself: what it has, what is in use, what is wrong with it; and all of that for Prometheus. */
#include "appliance/daemon/calls/calls.h"
#include "appliance/daemon/first_start.h"
#include "appliance/daemon/metrics.h"

/* Below which somebody should know. */
#define STORAGE_LOW 0.1

static void
add_warnings(Daemon *daemon, const HostFigures *figures, const StorageRoom *room, GVariantBuilder *warnings)
{
    if (!figures->kvm)
        g_variant_builder_add(warnings, "s", "There is no /dev/kvm: no desktop can start here.");
    if ((double)room->free < (double)room->bytes * STORAGE_LOW)
        g_variant_builder_add(warnings, "s",
                              "The storage is nearly full: delete images, snapshots or desktops that nobody needs.");
    if (!storage_shares_blocks(daemon->rooms.storage))
        g_variant_builder_add(
            warnings, "s",
            "Each desktop takes as much room as the disk it begins as: on XFS, btrfs or LVM they would share it.");
    if (first_start_password_is_there(daemon->config))
        g_variant_builder_add(warnings, "s",
                              "The first administrator still has the password of the first start, which lies in a "
                              "file: sign in as “admin” and "
                              "change it.");
}

static GVariant *
describe_networks(Daemon *daemon)
{
    g_autoptr(GPtrArray) states = networks_states(daemon->rooms.networks);
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    for (guint i = 0; i < states->len; i++) {
        const NetworkState *state = states->pdata[i];
        g_auto(GVariantDict) line = G_VARIANT_DICT_INIT(NULL);
        g_variant_dict_insert(&line, "id", "s", state->id);
        if (state->interface)
            g_variant_dict_insert(&line, "interface", "s", state->interface);
        if (state->subnet)
            g_variant_dict_insert(&line, "subnet", "s", state->subnet);
        if (state->problem)
            g_variant_dict_insert(&line, "problem", "s", state->problem);
        g_variant_dict_insert(&line, "cards", "u", state->n_cards);
        g_variant_builder_add_value(&list, g_variant_dict_end(&line));
    }
    return g_variant_builder_end(&list);
}

static GVariant *
describe_host(Daemon *daemon, const StorageRoom *room)
{
    const HostFigures *figures = &daemon->figures;
    g_auto(GVariantDict) host = G_VARIANT_DICT_INIT(NULL);
    g_auto(GVariantBuilder) warnings = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("as"));
    uint64_t promised, all;

    desktops_memory(daemon->rooms.desktops, &promised, &all);
    add_warnings(daemon, figures, room, &warnings);
    g_variant_dict_insert(&host, "name", "s", daemon->config->name);
    g_variant_dict_insert(&host, "version", "s", CARREL_VERSION);
    g_variant_dict_insert(&host, "cpus", "u", figures->cpus);
    g_variant_dict_insert(&host, "cpu_model", "s", figures->cpu_model ? figures->cpu_model : "");
    g_variant_dict_insert(&host, "cpu", "d", figures->cpu);
    g_variant_dict_insert(&host, "memory", "t", (guint64)figures->memory);
    g_variant_dict_insert(&host, "memory_free", "t", (guint64)figures->memory_free);
    g_variant_dict_insert(&host, "memory_promised", "t", (guint64)promised);
    g_variant_dict_insert(&host, "memory_promisable", "t", (guint64)all);
    g_variant_dict_insert(&host, "storage", "s", daemon->config->storage_backend == STORAGE_LVM ? "lvm" : "files");
    g_variant_dict_insert(&host, "storage_bytes", "t", (guint64)room->bytes);
    g_variant_dict_insert(&host, "storage_free", "t", (guint64)room->free);
    g_variant_dict_insert(&host, "kvm", "b", figures->kvm);
    g_variant_dict_insert_value(&host, "warnings", g_variant_builder_end(&warnings));
    g_variant_dict_insert_value(&host, "networks", describe_networks(daemon));
    g_variant_dict_insert(&host, "began", "x", (gint64)daemon->began);
    return g_variant_new("(@a{sv})", g_variant_dict_end(&host));
}

/* Then the storage is asked, which takes a moment where it is LVM. */
static void
look(Call *call, GAsyncReadyCallback then)
{
    Daemon *daemon = call->daemon;

    host_figures_look(&daemon->figures);
    daemon->rooms.under_way++;
    storage_room_async(daemon->rooms.storage, daemon->rooms.ending, then, call);
}

static bool
looked(Call *call, GAsyncResult *result, StorageRoom *room)
{
    g_autoptr(GError) error = NULL;

    call->daemon->rooms.under_way--;
    if (storage_room_finish(call->daemon->rooms.storage, result, room, &error))
        return true;
    call_fail(call, error);
    return false;
}

static void
host_looked(GObject *source, GAsyncResult *result, gpointer data)
{
    Call *call = data;
    StorageRoom room;

    if (looked(call, result, &room))
        call_return(call, describe_host(call->daemon, &room));
}

void
call_get_host(Call *call)
{
    look(call, host_looked);
}

static void
metrics_looked(GObject *source, GAsyncResult *result, gpointer data)
{
    Call *call = data;
    StorageRoom room;

    if (!looked(call, result, &room))
        return;
    g_autofree char *text = metrics_text(call->daemon, &room);
    call_return(call, g_variant_new("(s)", text));
}

static void
metrics_refreshed(void *data)
{
    Call *call = data;

    if (call->daemon->rooms.desktops)
        look(call, metrics_looked);
    else
        call_fail_with(call, CARREL_ERROR_UNAVAILABLE, "The daemon is ending.");
}

void
call_get_metrics(Call *call)
{
    desktops_refresh(call->daemon->rooms.desktops, metrics_refreshed, call);
}
