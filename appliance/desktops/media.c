/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discs in drives, and disks that grow: done to the desktop that runs, and written into the store, so that it is so at its next start
 * too.
 */
#include "appliance/desktops/action.h"
#include "appliance/desktops/conf.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>

typedef struct {
    unsigned place;
    char *image;   /* insert */
    uint64_t size; /* resize */
} Medium;

static void
medium_free(void *data)
{
    Medium *medium = data;

    g_free(medium->image);
    g_free(medium);
}

/* The disk or drive that is meant; false: there is none such, and the action is refused. */
static bool
find_place(Action *action, const char *key, bool cdrom)
{
    const GPtrArray *disks = action->desktop->spec->disks;
    uint64_t place;

    if (!action_number(action, key, &place))
        return false;
    if (place >= disks->len || ((const SpecDisk *)disks->pdata[place])->cdrom != cdrom) {
        action_refuse(action, DESKTOPS_ERROR_INVALID, "%s: the desktop has no %s at that place", key,
                      cdrom ? "CD drive" : "disk");
        return false;
    }
    Medium *medium = g_new0(Medium, 1);
    medium->place = (unsigned)place;
    action->own = medium;
    action->free_own = medium_free;
    return true;
}

/* ---- the store ---- */

static GVariant *
changed_disk(GVariant *disk, const char *image, uint64_t size)
{
    g_auto(GVariantDict) changed = G_VARIANT_DICT_INIT(disk);

    g_variant_dict_remove(&changed, "place");
    if (image && *image)
        g_variant_dict_insert(&changed, "image", "s", image);
    else if (image)
        g_variant_dict_remove(&changed, "image");
    if (size)
        g_variant_dict_insert(&changed, "size", "x", (gint64)size);
    return g_variant_dict_end(&changed);
}

/* The desktop's disks with one that differs. @image: NULL, as it is; "", none. */
static void
submit_disks(Action *action, const char *image, uint64_t size)
{
    const Medium *medium = action->own;
    Desktops *desktops = action->desktops;
    g_autoptr(GVariant) row = desktops->ops.get(desktops->owner, "desktop", action->desktop->id);
    g_autoptr(GVariant) disks = row ? g_variant_lookup_value(row, "disks", G_VARIANT_TYPE("aa{sv}")) : NULL;
    GVariantBuilder list;
    GVariantDict fields;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (gsize i = 0; disks && i < g_variant_n_children(disks); i++) {
        g_autoptr(GVariant) disk = g_variant_get_child_value(disks, i);
        g_variant_builder_add_value(
            &list, changed_disk(disk, i == medium->place ? image : NULL, i == medium->place ? size : 0));
    }
    g_variant_dict_init(&fields, NULL);
    g_variant_dict_insert(&fields, "desktop", "s", action->desktop->id);
    g_variant_dict_insert_value(&fields, "disks", g_variant_builder_end(&list));
    action_submit(action, "desktop.change", g_variant_dict_end(&fields));
}

static void
refuse_as_vmm(Action *action, GError *error)
{
    g_dbus_error_strip_remote_error(error);
    g_autofree char *why = vmm_sentence(error->message);

    action_refuse(action, DESKTOPS_ERROR_UNAVAILABLE, "%s", why);
}

/* ---- discs ---- */

static void
on_inserted(GObject *source, GAsyncResult *result, gpointer user)
{
    Action *action = user;
    g_autoptr(GError) error = NULL;

    if (carrel_vmm1_call_insert_medium_finish(CARREL_VMM1(source), NULL, result, &error))
        submit_disks(action, ((Medium *)action->own)->image, 0);
    else
        refuse_as_vmm(action, error);
}

static char *
image_name(Action *action, const char *image)
{
    Desktops *desktops = action->desktops;
    g_autoptr(GVariant) row = desktops->ops.get(desktops->owner, "image", image);
    char *name = NULL;

    if (row)
        g_variant_lookup(row, "name", "s", &name);
    return name ? name : g_strdup(image);
}

void
action_insert(Action *action)
{
    CarrelVmm1 *control = vmm_control(action->desktop->vmm);
    g_autoptr(GError) error = NULL;
    const char *image;

    if (!find_place(action, "drive", true) || !action_id(action, "image", &image))
        return;
    Medium *medium = action->own;
    medium->image = g_strdup(image);
    g_autofd int fd = storage_open_iso(action->desktops->settings.storage, image, &error);
    if (fd < 0) {
        action_refuse(action, DESKTOPS_ERROR_INVALID, "image: %s", error->message);
        return;
    }
    if (!control) {
        submit_disks(action, image, 0);
        return;
    }
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    g_autofree char *name = image_name(action, image);
    g_autofree char *drive = conf_disk_name(action->desktop->spec, medium->place);
    g_unix_fd_list_append(fds, fd, NULL);
    carrel_vmm1_call_insert_medium(control, drive, g_variant_new_handle(0), name, fds, action->cancellable, on_inserted,
                                   action);
}

static void
on_ejected(GObject *source, GAsyncResult *result, gpointer user)
{
    Action *action = user;
    g_autoptr(GError) error = NULL;

    if (carrel_vmm1_call_eject_medium_finish(CARREL_VMM1(source), result, &error))
        submit_disks(action, "", 0);
    else
        refuse_as_vmm(action, error);
}

void
action_eject(Action *action)
{
    CarrelVmm1 *control = vmm_control(action->desktop->vmm);
    gboolean force = FALSE;

    if (!find_place(action, "drive", true))
        return;
    g_variant_lookup(action->options, "force", "b", &force);
    g_autofree char *drive = conf_disk_name(action->desktop->spec, ((Medium *)action->own)->place);
    if (control)
        carrel_vmm1_call_eject_medium(control, drive, force, action->cancellable, on_ejected, action);
    else
        submit_disks(action, "", 0);
}

/* ---- size ---- */

static void
on_told(GObject *source, GAsyncResult *result, gpointer user)
{
    Action *action = user;
    g_autoptr(GError) error = NULL;

    if (carrel_vmm1_call_resize_disk_finish(CARREL_VMM1(source), NULL, result, &error))
        submit_disks(action, NULL, ((Medium *)action->own)->size);
    else
        refuse_as_vmm(action, error);
}

static void
on_grown(GObject *source, GAsyncResult *result, gpointer user)
{
    Action *action = user;
    const Medium *medium = action->own;
    CarrelVmm1 *control = vmm_control(action->desktop->vmm);
    g_autofree char *disk = conf_disk_name(action->desktop->spec, medium->place);
    g_autoptr(GError) error = NULL;

    if (!storage_finish(action->desktops->settings.storage, result, &error))
        action_end(action, error);
    else if (control)
        carrel_vmm1_call_resize_disk(control, disk, action->cancellable, on_told, action);
    else
        submit_disks(action, NULL, medium->size);
}

void
action_resize(Action *action)
{
    uint64_t bytes;

    if (!find_place(action, "disk", false) || !action_number(action, "bytes", &bytes))
        return;
    Medium *medium = action->own;
    medium->size = bytes;
    storage_grow_disk_async(action->desktops->settings.storage, action->desktop->id, medium->place, bytes,
                            action->cancellable, on_grown, action);
}
