/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a desktop that the store has no more. Disks are others' to find as orphans, where deleting them fails. */
#include "appliance/desktops/private.h"

#include <errno.h>
#include <glib/gstdio.h>

/* Two levels: the folder, and that of its TPM. Links are removed, not followed. */
static void
remove_folder(const char *path, unsigned depth)
{
    g_autoptr(GDir) dir = depth ? g_dir_open(path, 0, NULL) : NULL;
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *entry = g_build_filename(path, name, NULL);
        if (g_unlink(entry) < 0)
            remove_folder(entry, depth - 1);
    }
    g_rmdir(path);
}

static void
on_deleted(GObject *source, GAsyncResult *result, gpointer user)
{
    Desktop *desktop = user;
    Desktops *desktops = desktop->desktops;
    g_autoptr(GError) error = NULL;

    desktops->calls--;
    if (!storage_finish(desktops->settings.storage, result, &error))
        g_message("desktop %s is removed, but for its disks: %s", desktop->id, error->message);
    desktop_clear_run(desktop);
    remove_folder(desktop->run, 1);
    remove_folder(desktop->keep, 2);
    g_hash_table_remove(desktops->desktops, desktop->id);
}

void
desktop_remove(Desktop *desktop)
{
    Desktops *desktops = desktop->desktops;

    desktop->held++; /* for good */
    desktops->calls++;
    storage_delete_desktop_async(desktops->settings.storage, desktop->id, NULL, on_deleted, desktop);
}
