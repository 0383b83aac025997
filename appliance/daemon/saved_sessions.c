/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/saved_sessions.h"

#include <gio/gio.h>

static char *
file_of(const DaemonConfig *config)
{
    return g_build_filename(config->state, "sessions", NULL);
}

void
saved_sessions_load(const DaemonConfig *config, People *people)
{
    g_autofree char *path = file_of(config);
    g_autoptr(GError) error = NULL;
    char *bytes;
    gsize len;

    if (!g_file_get_contents(path, &bytes, &len, &error)) {
        if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            g_warning("the sessions before are not known: %s", error->message);
        return;
    }
    g_autoptr(GBytes) held = g_bytes_new_take(bytes, len);
    g_autoptr(GVariant) saved =
        g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(PEOPLE_SAVED_TYPE), held, FALSE));
    if (g_variant_is_normal_form(saved))
        g_info("%u sessions go on", people_load(people, saved));
    else
        g_warning("%s is not what a daemon wrote: everybody signs in anew", path);
}

void
saved_sessions_save(const DaemonConfig *config, People *people)
{
    g_autofree char *path = file_of(config);
    g_autoptr(GVariant) saved = g_variant_ref_sink(people_save(people));
    g_autoptr(GError) error = NULL;

    /* Not synced: after a power cut people sign in anew, and main loops do not wait for disks. */
    if (!g_file_set_contents_full(path, g_variant_get_data(saved), (gssize)g_variant_get_size(saved),
                                  G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
        g_warning("sessions will not outlast the daemon: %s", error->message);
}
