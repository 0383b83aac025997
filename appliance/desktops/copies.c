/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What copies a desktop's disks: snapshots, clones, templates. Each is a job that holds the desktop, and that stands its disks still
 * while it runs. What a copy is of becomes known to the store last, and what did not get that far is deleted again.
 */
#include "appliance/desktops/action.h"
#include "appliance/desktops/begun.h"
#include "appliance/desktops/conf.h"
#include "appliance/desktops/still.h"

#include <string.h>

typedef struct {
    Still *still; /* NULL: the disks do not stand still */
    bool frozen;
    GError *error; /* what went wrong while they did */
    /* What is done while they stand still; ends in copied(). */
    void (*copy)(Action *action);
    /* What is done when they go on, all being well; ends the action. */
    ActionNext after;

    char *id, *name;   /* of what is made */
    GPtrArray *images; /* ids of those a template begins with, by place; NULL in place of a drive */
    GArray *sizes;     /* uint64_t, likewise */
    unsigned place;
} Copy;

static void
copy_free(void *data)
{
    Copy *copy = data;

    g_clear_error(&copy->error);
    g_free(copy->id);
    g_free(copy->name);
    g_clear_pointer(&copy->images, g_ptr_array_unref);
    g_clear_pointer(&copy->sizes, g_array_unref);
    g_free(copy);
}

static Storage *
storage_of(Action *action)
{
    return action->desktops->settings.storage;
}

/* ---- standing still ---- */

static void
on_over(void *user, bool whole)
{
    Action *action = user;
    Copy *copy = action->own;

    copy->still = NULL;
    if (!whole && !copy->error)
        g_set_error(&copy->error, DESKTOPS_ERROR, DESKTOPS_ERROR_FAILED,
                    "the guest wrote to its disks while they were copied");
    copy->after(action);
}

/* Takes the error. */
static void
copied(Action *action, GError *error)
{
    Copy *copy = action->own;

    copy->error = error;
    still_end(copy->still, on_over, action);
}

static void
on_still(void *user, Still *still, bool frozen, const GError *error)
{
    Action *action = user;
    Copy *copy = action->own;

    if (error) {
        action_refuse(action, DESKTOPS_ERROR_FAILED, "the desktop cannot be stopped for a moment: %s", error->message);
        return;
    }
    copy->still = still;
    copy->frozen = frozen;
    copy->copy(action);
}

/* What is in progress with it would be disturbed, and would disturb. */
static bool
is_at_rest(const Desktop *desktop)
{
    return !desktop->held &&
           (desktop->state == LIFE_STOPPED || desktop->state == LIFE_SUSPENDED || desktop->state == LIFE_FAILED ||
            desktop->state == LIFE_RUNNING || desktop->state == LIFE_PAUSED);
}

static Copy *
copy_new(Action *action, void (*copy_disks)(Action *), ActionNext after)
{
    Copy *copy = g_new0(Copy, 1);

    copy->copy = copy_disks;
    copy->after = after;
    action->own = copy;
    action->free_own = copy_free;
    return copy;
}

static void G_GNUC_PRINTF(2, 3) begin(Action *action, const char *format, ...)
{
    va_list arguments;

    if (!is_at_rest(action->desktop)) {
        action_refuse(action, DESKTOPS_ERROR_BUSY, "the desktop is %s: try again when that is over",
                      action->desktop->held ? "being copied" : life_word(action->desktop->state));
        return;
    }
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    action_hold(action);
    action_begin_job(action, what);
    still_begin(action->desktop, on_still, action);
}

/* The end of one where nothing but the disks was to be done. */
static void
end_copy(Action *action)
{
    g_autoptr(GError) error = g_steal_pointer(&((Copy *)action->own)->error);

    action_end(action, error);
}

/* Of every call that gives nothing but success. */
static void
on_storage(GObject *source, GAsyncResult *result, gpointer user)
{
    Action *action = user;
    GError *error = NULL;

    storage_finish(storage_of(action), result, &error);
    copied(action, error);
}

/* ---- snapshots ---- */

static void
take_snapshot(Action *action)
{
    const Copy *copy = action->own;
    StorageSnapshot snapshot = {
        .id = copy->id, .name = copy->name, .created = g_get_real_time() / G_USEC_PER_SEC, .frozen = copy->frozen};

    storage_take_snapshot_async(storage_of(action), action->desktop->id, &snapshot, action->cancellable,
                                action_progress, action, on_storage, action);
}

static void
on_not_whole(GObject *source, GAsyncResult *result, gpointer user)
{
    storage_finish(storage_of(user), result, NULL);
    end_copy(user);
}

/* One that is not to be relied on is not kept. */
static void
after_snapshot(Action *action)
{
    const Copy *copy = action->own;

    if (copy->error && copy->error->domain == DESKTOPS_ERROR)
        storage_forget_async(storage_of(action), action->desktop->id, copy->id, NULL, on_not_whole, action);
    else
        end_copy(action);
}

void
action_snapshot(Action *action)
{
    const char *name;

    if (!action_text(action, "name", &name))
        return;
    if (action->desktop->state == LIFE_SUSPENDED) {
        action_refuse(
            action, DESKTOPS_ERROR_UNAVAILABLE,
            "the desktop is suspended: its memory belongs to its disks as they are; start it or stop it first");
        return;
    }
    Copy *copy = copy_new(action, take_snapshot, after_snapshot);
    copy->id = g_uuid_string_random();
    copy->name = g_strdup(name);
    begin(action, "Snapshot “%s” of %s", name, action->desktop->spec->name);
}

/* A job about a desktop that stands still by itself. */
static bool
begin_stopped(Action *action, const char *what)
{
    Desktop *desktop = action->desktop;

    if (desktop_is_busy(desktop) || desktop->state == LIFE_SUSPENDED) {
        action_refuse(action, DESKTOPS_ERROR_IN_USE, "the desktop has to be stopped first: it is %s",
                      desktop->held ? "being copied" : life_word(desktop->state));
        return false;
    }
    g_autofree char *sentence = g_strdup_printf("%s %s", what, desktop->spec->name);
    action_hold(action);
    action_begin_job(action, sentence);
    return true;
}

static void
on_done(GObject *source, GAsyncResult *result, gpointer user)
{
    Action *action = user;
    g_autoptr(GError) error = NULL;

    storage_finish(storage_of(action), result, &error);
    action_end(action, error);
}

void
action_revert(Action *action)
{
    const char *snapshot;

    if (!action_id(action, "snapshot", &snapshot) || !begin_stopped(action, "Going back to a snapshot of"))
        return;
    storage_revert_async(storage_of(action), action->desktop->id, snapshot, action->cancellable, action_progress,
                         action, on_done, action);
}

void
action_forget(Action *action)
{
    const char *snapshot;

    if (!action_id(action, "snapshot", &snapshot))
        return;
    storage_forget_async(storage_of(action), action->desktop->id, snapshot, action->cancellable, on_done, action);
}

typedef struct {
    Desktops *desktops;
    DesktopsListed done;
    void *data;
} List;

static GVariant *
describe_snapshots(GPtrArray *snapshots)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (unsigned i = 0; i < snapshots->len; i++) {
        const StorageSnapshot *snapshot = snapshots->pdata[i];
        g_variant_builder_open(&list, G_VARIANT_TYPE("a{sv}"));
        g_variant_builder_add(&list, "{sv}", "id", g_variant_new_string(snapshot->id));
        g_variant_builder_add(&list, "{sv}", "name", g_variant_new_string(snapshot->name));
        g_variant_builder_add(&list, "{sv}", "created", g_variant_new_int64(snapshot->created * G_USEC_PER_SEC));
        g_variant_builder_add(&list, "{sv}", "bytes", g_variant_new_uint64(snapshot->bytes));
        g_variant_builder_add(&list, "{sv}", "frozen", g_variant_new_boolean(snapshot->frozen));
        g_variant_builder_close(&list);
    }
    return g_variant_ref_sink(g_variant_builder_end(&list));
}

static void
on_listed(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autofree List *list = user;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) snapshots = storage_list_snapshots_finish(list->desktops->settings.storage, result, &error);
    g_autoptr(GVariant) described = snapshots ? describe_snapshots(snapshots) : NULL;

    list->desktops->calls--;
    list->done(list->data, described, error);
}

void
desktops_snapshots(Desktops *desktops, const char *desktop, DesktopsListed done, void *data)
{
    List *list = g_new(List, 1);

    *list = (List){desktops, done, data};
    desktops->calls++;
    storage_list_snapshots_async(desktops->settings.storage, desktop, NULL, on_listed, list);
}

/* ---- what the store is told of a copy ---- */

/* The fields that a desktop and a template have in common, but for disks and cards. */
static void
add_machine(GVariantDict *fields, GVariant *row)
{
    static const char *const same[] = {SPEC_MACHINE_FIELDS, "description"};

    for (unsigned i = 0; i < G_N_ELEMENTS(same); i++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(row, same[i], NULL);
        if (value)
            g_variant_dict_insert_value(fields, same[i], value);
    }
}

/* The cards, without their addresses: those of a copy are its own. */
static GVariant *
cards_of(const Spec *spec)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (unsigned i = 0; i < spec->cards->len; i++) {
        const SpecCard *card = spec->cards->pdata[i];
        g_variant_builder_open(&list, G_VARIANT_TYPE("a{sv}"));
        g_variant_builder_add(&list, "{sv}", "network", g_variant_new_string(card->network));
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

/* Takes the image and size of disks from elsewhere, where @images is given. */
static GVariant *
disks_of(const Spec *spec, const Copy *copy)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (unsigned i = 0; i < spec->disks->len; i++) {
        const SpecDisk *disk = spec->disks->pdata[i];
        bool anew = copy->images && !disk->cdrom;
        const char *image = anew ? copy->images->pdata[i] : disk->image;
        uint64_t size = anew ? g_array_index(copy->sizes, uint64_t, i) : disk->size;
        g_variant_builder_open(&list, G_VARIANT_TYPE("a{sv}"));
        g_variant_builder_add(&list, "{sv}", "type", g_variant_new_string(disk->cdrom ? "cdrom" : "disk"));
        if (image)
            g_variant_builder_add(&list, "{sv}", "image", g_variant_new_string(image));
        if (size)
            g_variant_builder_add(&list, "{sv}", "size", g_variant_new_int64((gint64)size));
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

static GVariant *
fields_of_copy(Action *action, const char *kind, GVariant *row)
{
    const Copy *copy = action->own;
    const Spec *spec = action->desktop->spec;
    GVariantDict fields;

    g_variant_dict_init(&fields, NULL);
    g_variant_dict_insert(&fields, kind, "s", copy->id);
    g_variant_dict_insert(&fields, "name", "s", copy->name);
    add_machine(&fields, row);
    g_variant_dict_insert_value(&fields, "disks", disks_of(spec, copy));
    g_variant_dict_insert_value(&fields, "nics", cards_of(spec));
    return g_variant_dict_end(&fields);
}

/* Where the store refuses a copy, its disks go again. */
typedef struct {
    Action *action;
    const char *kind;
} Making;

static void
strike_clone(Action *action)
{
    begun_strike(action->desktops, ((Copy *)action->own)->id);
}

static void
on_undone(GObject *source, GAsyncResult *result, gpointer user)
{
    if (storage_finish(storage_of(user), result, NULL))
        strike_clone(user);
    end_copy(user);
}

static void
undo_clone(Action *action)
{
    storage_delete_desktop_async(storage_of(action), ((Copy *)action->own)->id, NULL, on_undone, action);
}

static void
on_made(void *data, const GError *error)
{
    g_autofree Making *making = data;
    Action *action = making->action;
    bool cloned = !strcmp(making->kind, "desktop");

    if (!error) {
        if (cloned)
            strike_clone(action);
        action_end(action, NULL);
        return;
    }
    ((Copy *)action->own)->error = g_error_copy(error);
    if (cloned)
        undo_clone(action);
    else
        end_copy(action);
}

static void
submit_copy(Action *action, const char *kind)
{
    Desktops *desktops = action->desktops;
    g_autoptr(GVariant) row = desktops->ops.get(desktops->owner, "desktop", action->desktop->id);
    g_autofree char *command = g_strdup_printf("%s.create", kind);
    Making *making = g_new(Making, 1);

    *making = (Making){action, kind};
    if (!row || !action->desktop->spec) {
        g_autoptr(GError) error =
            g_error_new_literal(DESKTOPS_ERROR, DESKTOPS_ERROR_NOT_FOUND, "the desktop was deleted meanwhile");
        on_made(making, error);
        return;
    }
    desktops->ops.submit(desktops->owner, action->caller, command, fields_of_copy(action, kind, row), on_made, making);
}

/* "id" may be given, so that whoever asks knows it beforehand. */
static bool
take_name(Action *action, Copy *copy, const char *name)
{
    const char *id = NULL;

    if (g_variant_lookup(action->options, "id", "&s", &id) && !g_uuid_string_is_valid(id)) {
        action_refuse(action, DESKTOPS_ERROR_INVALID, "id: it has to be a UUID");
        return false;
    }
    copy->id = id ? g_strdup(id) : g_uuid_string_random();
    copy->name = g_strdup(name);
    return true;
}

/* ---- clones ---- */

static void
clone_disks(Action *action)
{
    GError *error = NULL;

    if (!begun_note(action->desktops, ((Copy *)action->own)->id, &error)) {
        copied(action, error);
        return;
    }
    storage_clone_desktop_async(storage_of(action), action->desktop->id, ((Copy *)action->own)->id, action->cancellable,
                                action_progress, action, on_storage, action);
}

static void
after_clone(Action *action)
{
    const Copy *copy = action->own;

    if (!copy->error)
        submit_copy(action, "desktop");
    else if (copy->error->domain == DESKTOPS_ERROR)
        undo_clone(action);
    else { /* the storage made none, or there is somebody's already */
        strike_clone(action);
        end_copy(action);
    }
}

void
action_clone(Action *action)
{
    const char *name;

    if (!action_text(action, "name", &name))
        return;
    Copy *copy = copy_new(action, clone_disks, after_clone);
    if (take_name(action, copy, name))
        begin(action, "%s, a copy of %s", name, action->desktop->spec->name);
}

/* ---- templates ---- */

static void image_next(Action *action);

static void
on_settled(void *data, const GError *error)
{
    Action *action = data;
    Copy *copy = action->own;

    if (error) {
        copied(action, g_error_copy(error));
        return;
    }
    copy->place++;
    image_next(action);
}

static void
settle(Action *action, bool ready, DesktopsSubmitted then)
{
    const Copy *copy = action->own;
    GVariantDict fields;

    g_variant_dict_init(&fields, NULL);
    g_variant_dict_insert(&fields, "image", "s", copy->images->pdata[copy->place]);
    g_variant_dict_insert(&fields, "state", "s", ready ? "ready" : "failed");
    if (ready)
        g_variant_dict_insert(&fields, "size", "x", (gint64)g_array_index(copy->sizes, uint64_t, copy->place));
    action->desktops->ops.submit(action->desktops->owner, NULL, "image.settle", g_variant_dict_end(&fields), then,
                                 action);
}

/* copy->error is why. */
static void
on_marked_failed(void *data, const GError *error)
{
    Action *action = data;

    copied(action, g_steal_pointer(&((Copy *)action->own)->error));
}

static void
on_image(GObject *source, GAsyncResult *result, gpointer user)
{
    Action *action = user;
    Copy *copy = action->own;
    g_autoptr(StorageImage) image = storage_image_finish(storage_of(action), result, &copy->error);

    if (!image) {
        settle(action, false, on_marked_failed);
        return;
    }
    g_array_index(copy->sizes, uint64_t, copy->place) = image->size;
    settle(action, true, on_settled);
}

static void
on_image_known(void *data, const GError *error)
{
    Action *action = data;
    Copy *copy = action->own;

    if (error) {
        copied(action, g_error_copy(error));
        return;
    }
    storage_make_image_async(storage_of(action), copy->images->pdata[copy->place], action->desktop->id, copy->place,
                             action->cancellable, action_progress, action, on_image, action);
}

static void
image_next(Action *action)
{
    Copy *copy = action->own;
    const GPtrArray *disks = action->desktop->spec->disks;
    GVariantDict fields;

    while (copy->place < disks->len && ((const SpecDisk *)disks->pdata[copy->place])->cdrom)
        copy->place++;
    if (copy->place >= disks->len) {
        copied(action, NULL);
        return;
    }
    g_autofree char *name = g_strdup_printf("%s, disk %u", copy->name, copy->place);
    copy->images->pdata[copy->place] = g_uuid_string_random();
    g_variant_dict_init(&fields, NULL);
    g_variant_dict_insert(&fields, "image", "s", copy->images->pdata[copy->place]);
    g_variant_dict_insert(&fields, "name", "s", name);
    g_variant_dict_insert(&fields, "type", "s", "disk");
    action->desktops->ops.submit(action->desktops->owner, action->caller, "image.create", g_variant_dict_end(&fields),
                                 on_image_known, action);
}

static void
after_images(Action *action)
{
    if (((Copy *)action->own)->error)
        end_copy(action);
    else
        submit_copy(action, "template");
}

void
action_make_template(Action *action)
{
    const char *name;

    if (!action_text(action, "name", &name))
        return;
    Copy *copy = copy_new(action, image_next, after_images);
    if (!take_name(action, copy, name))
        return;
    copy->images = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_set_size(copy->images, (int)action->desktop->spec->disks->len);
    copy->sizes = g_array_new(FALSE, TRUE, sizeof(uint64_t));
    g_array_set_size(copy->sizes, action->desktop->spec->disks->len);
    begin(action, "Template %s, from %s", name, action->desktop->spec->name);
}
