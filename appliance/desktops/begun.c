/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/begun.h"

#include <errno.h>
#include <glib/gstdio.h>

static char *
folder_of(Desktops *desktops, const char *id)
{
    return g_build_filename(desktops->settings.state, id, NULL);
}

static char *
note_of(Desktops *desktops, const char *id)
{
    return g_build_filename(desktops->settings.state, id, "begun", NULL);
}

bool
begun_note(Desktops *desktops, const char *id, GError **error)
{
    g_autofree char *folder = folder_of(desktops, id), *note = note_of(desktops, id);

    if (g_mkdir(folder, 0700) < 0 && errno != EEXIST) {
        int code = errno;
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", folder, g_strerror(code));
        return false;
    }
    return g_file_set_contents_full(note, "", 0, G_FILE_SET_CONTENTS_NONE, 0600, error);
}

void
begun_strike(Desktops *desktops, const char *id)
{
    g_autofree char *folder = folder_of(desktops, id), *note = note_of(desktops, id);

    g_unlink(note);
    g_rmdir(folder); /* unless there is something in it already */
}

void
desktops_clear_begun(Desktops *desktops, DesktopsKnown is_known)
{
    g_autoptr(GDir) dir = g_dir_open(desktops->settings.state, 0, NULL);
    const char *id;

    while (dir && (id = g_dir_read_name(dir))) {
        g_autofree char *note = note_of(desktops, id);
        if (!g_uuid_string_is_valid(id) || !g_file_test(note, G_FILE_TEST_EXISTS))
            continue;
        if (is_known(desktops->owner, id)) {
            begun_strike(desktops, id);
            continue;
        }
        g_message("desktop %s was begun and not finished: what there is of it is removed", id);
        desktops_removed(desktops, id);
    }
}
