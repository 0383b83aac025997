/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/images.h"

#include "appliance/daemon/error.h"
#include "ha/store/record.h"

#include <string.h>

static const StoreKind *
image_kind(void)
{
    return store_catalog_find_kind("image");
}

/* What the store has of it; NULL: nothing. */
static GVariant *
read_image(Daemon *daemon, const char *image)
{
    GVariant *thing = NULL;

    store_reader_get(daemon->reader, image_kind(), image, &thing, NULL);
    return thing;
}

static void
settle(Daemon *daemon, const char *image, const StorageImage *came)
{
    g_auto(GVariantDict) fields = G_VARIANT_DICT_INIT(NULL);

    g_variant_dict_insert(&fields, "image", "s", image);
    g_variant_dict_insert(&fields, "state", "s", came ? "ready" : "failed");
    if (came)
        g_variant_dict_insert(&fields, "size", "x", (gint64)came->size);
    if (came && *came->sha256)
        g_variant_dict_insert(&fields, "sha256", "s", came->sha256);
    commands_submit_own(daemon->commands, "image.settle", g_variant_dict_end(&fields));
}

/* --- removing --- */

typedef struct {
    Daemon *daemon;
    char *image;
} Removing;

static void
removed(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Removing *removing = data;
    g_autofree char *image = removing->image;
    g_autoptr(GError) error = NULL;

    removing->daemon->rooms.under_way--;
    if (!storage_finish(removing->daemon->rooms.storage, result, &error) &&
        !g_error_matches(error, STORAGE_ERROR, STORAGE_ERROR_NOT_FOUND))
        g_warning("what the image %s was is there still: %s", image, error->message);
}

void
images_removed(Daemon *daemon, const char *image)
{
    Removing *removing = g_new(Removing, 1);

    *removing = (Removing){daemon, g_strdup(image)};
    daemon->rooms.under_way++;
    storage_delete_image_async(daemon->rooms.storage, image, NULL, removed, removing);
}

/* --- coming --- */

typedef struct {
    Daemon *daemon;
    char *image, *job;
} Upload;

static void
progress(double done, gpointer user)
{
    const Upload *upload = user;

    jobs_progress(upload->daemon->jobs, upload->job, done);
}

static void
uploaded(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Upload *upload = data;
    g_autofree char *image = upload->image, *job = upload->job;
    Daemon *daemon = upload->daemon;
    g_autoptr(GError) error = NULL;
    g_autoptr(StorageImage) came = storage_image_finish(daemon->rooms.storage, result, &error);
    g_autoptr(GVariant) there = read_image(daemon, image);

    daemon->rooms.under_way--;
    jobs_end(daemon->jobs, job, error);
    if (there)
        settle(daemon, image, came);
    else if (came)
        images_removed(daemon, image); /* deleted while it came */
}

/* Of what type it is, if it may come now. */
static bool
may_come(GVariant *image, StorageImageType *type, GError **error)
{
    const char *state = "", *is = "";

    g_variant_lookup(image, "state", "&s", &state);
    g_variant_lookup(image, "type", "&s", &is);
    *type = strcmp(is, "iso") ? STORAGE_IMAGE_DISK : STORAGE_IMAGE_ISO;
    return strcmp(state, "ready") || carrel_fail(error, CARREL_ERROR_IN_USE, "image: its bytes have come already");
}

int
images_upload(Daemon *daemon, const char *actor, const char *image, uint64_t bytes, const char **job, GError **error)
{
    g_autoptr(GVariant) thing = read_image(daemon, image);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    Upload *upload;
    StorageImageType type;
    const char *name = "";

    if (!thing) {
        carrel_fail_not_found(error, "image");
        return -1;
    }
    if (!may_come(thing, &type, error))
        return -1;
    upload = g_new(Upload, 1);
    *upload = (Upload){daemon, g_strdup(image), NULL};
    int fd = storage_upload_async(daemon->rooms.storage, image, type, bytes, cancellable, progress, upload, uploaded,
                                  upload, error);
    if (fd < 0) {
        g_free(upload->image);
        g_free(upload);
        return -1;
    }
    daemon->rooms.under_way++;
    g_variant_lookup(thing, "name", "&s", &name);
    g_autofree char *what = g_strdup_printf("The image “%s” comes", name);
    *job = jobs_begin(daemon->jobs, actor, "image", image, what, cancellable);
    upload->job = g_strdup(*job);
    return fd;
}

/* --- what is there --- */

static void
settle_what_came(Daemon *daemon, const StorageThing *thing)
{
    g_autoptr(GVariant) image = read_image(daemon, thing->id);
    const char *state = "";

    if (image)
        g_variant_lookup(image, "state", "&s", &state);
    if (!image || !strcmp(state, "ready"))
        return;
    g_message("the image %s had come before the daemon ended: it is ready", thing->id);
    settle(daemon, thing->id, &(StorageImage){.size = thing->size});
}

static bool
is_image(const StorageThing *thing)
{
    return thing->kind == STORAGE_THING_IMAGE || thing->kind == STORAGE_THING_ISO;
}

/* What commands removed lately: ids. */
static GHashTable *
find_removed(Daemon *daemon)
{
    GHashTable *ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    int64_t sequence = 0;

    store_reader_sequence(daemon->reader, &sequence, NULL);
    g_autoptr(GPtrArray) changes = store_reader_changes(daemon->reader, MAX(0, sequence - STORE_CHANGES_KEPT), NULL);
    for (guint i = 0; changes && i < changes->len; i++) {
        const StoreChange *change = changes->pdata[i];
        if (change->type == STORE_CHANGE_REMOVED)
            g_hash_table_add(ids, g_strdup(change->thing));
    }
    return ids;
}

/* A crash came between the command and the storage. */
static void
remove_once_more(Daemon *daemon, const StorageThing *thing)
{
    g_message("%s was deleted before the daemon ended: once more", thing->name);
    if (is_image(thing))
        images_removed(daemon, thing->id);
    else
        desktops_removed(daemon->rooms.desktops, thing->id);
}

static void
take_up(Daemon *daemon, GPtrArray *things)
{
    g_autoptr(GHashTable) ids = find_removed(daemon);

    for (guint i = 0; i < things->len; i++) {
        const StorageThing *thing = things->pdata[i];
        if (g_hash_table_remove(ids, thing->id))
            remove_once_more(daemon, thing);
        else if (is_image(thing))
            settle_what_came(daemon, thing);
    }
}

static void
taken_up(GObject *source, GAsyncResult *result, gpointer data)
{
    Daemon *daemon = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) things = storage_list_finish(daemon->rooms.storage, result, &error);

    daemon->rooms.under_way--;
    if (things)
        take_up(daemon, things);
    else if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_warning("what images there are is not known: %s", error->message);
}

void
images_take_up(Daemon *daemon)
{
    daemon->rooms.under_way++;
    storage_list_async(daemon->rooms.storage, daemon->rooms.ending, taken_up, daemon);
}

/* --- what is nobody's --- */

typedef struct {
    Daemon *daemon;
    ImagesOrphans found;
    void *data;
} Looking;

static bool
is_known(const StorageThing *thing, gpointer user)
{
    Daemon *daemon = user;
    const StoreKind *kind = is_image(thing) ? image_kind() : store_catalog_find_kind("desktop");
    g_autoptr(GVariant) there = NULL;

    /* What cannot be looked up is nobody's loss yet. */
    return !store_reader_get(daemon->reader, kind, thing->id, &there, NULL) || there;
}

static GVariant *
describe(GPtrArray *orphans)
{
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    for (guint i = 0; i < orphans->len; i++) {
        const StorageThing *thing = orphans->pdata[i];
        g_variant_builder_add_parsed(&list, "{'name': <%s>, 'bytes': <%t>, 'changed': <%x>}", thing->name,
                                     (guint64)thing->bytes, (gint64)thing->changed * G_USEC_PER_SEC);
    }
    return g_variant_builder_end(&list);
}

static void
looked(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Looking *looking = data;
    Daemon *daemon = looking->daemon;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) things = storage_list_finish(daemon->rooms.storage, result, &error);
    g_autoptr(GPtrArray) orphans = things ? storage_orphans(things, is_known, daemon) : NULL;

    daemon->rooms.under_way--;
    looking->found(looking->data, orphans ? describe(orphans) : NULL, error);
}

void
images_find_orphans(Daemon *daemon, ImagesOrphans found, void *data)
{
    Looking *looking = g_new(Looking, 1);

    *looking = (Looking){daemon, found, data};
    daemon->rooms.under_way++;
    storage_list_async(daemon->rooms.storage, daemon->rooms.ending, looked, looking);
}
