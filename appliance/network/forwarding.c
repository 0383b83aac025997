/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/network/forwarding.h"

#include "appliance/network/names.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static char *
switch_of(const char *interface)
{
    return g_strdup_printf("/proc/sys/net/ipv4/conf/%s/forwarding", interface);
}

static bool
is_on(const char *interface)
{
    g_autofree char *path = switch_of(interface), *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) && *text == '1';
}

static bool
turn(const char *interface, bool on, GError **error)
{
    g_autofree char *path = switch_of(interface);
    g_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, on ? "1" : "0", 1) == 1)
        return true;
    g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, "forwarding on %s cannot be switched %s: %s", interface,
                on ? "on" : "off", g_strerror(errno));
    return false;
}

/* Names that could not be an interface's are no names of ours: they become paths. */
static char **
read_file(const char *file)
{
    g_autofree char *text = NULL;
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();

    if (g_file_get_contents(file, &text, NULL, NULL)) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++)
            if (network_interface_valid(*line))
                g_strv_builder_add(names, *line);
    }
    return g_strv_builder_end(names);
}

static bool
write_file(const char *file, char **names, GError **error)
{
    g_autofree char *text = g_strjoinv("\n", names);
    g_autoptr(GError) inner = NULL;

    if (!*names && unlink(file) < 0 && errno == ENOENT)
        return true;
    if (!*names || g_file_set_contents_full(file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &inner))
        return true;
    g_set_error_literal(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, inner->message);
    return false;
}

char **
network_forwarding_set(const char *file, const char *const *interfaces, GError **error)
{
    g_auto(GStrv) before = read_file(file), ours = NULL;
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (char **name = before; *name; name++)
        if (!g_strv_contains(interfaces, *name))
            turn(*name, false, NULL); /* or it is gone */
    for (const char *const *name = interfaces; *name; name++)
        if (network_interface_valid(*name) && (g_strv_contains((const char *const *)before, *name) || !is_on(*name)))
            g_strv_builder_add(builder, *name);
    ours = g_strv_builder_end(builder);
    /* Written first: what is switched on is never forgotten. */
    if (!write_file(file, ours, error))
        return NULL;
    for (char **name = ours; *name; name++)
        if (!turn(*name, true, error))
            return NULL;
    return g_steal_pointer(&ours);
}
