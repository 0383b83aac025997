/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/journal.h"

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *
find(const GLogField *fields, gsize n, const char *key)
{
    for (gsize i = 0; i < n; i++)
        if (!strcmp(fields[i].key, key))
            return fields[i].value;
    return "";
}

/* Text of others ends up in messages: a line stays one line, and moves no cursor. */
static void
write_plain(GLogLevelFlags level, const char *message)
{
    g_autofree char *line = g_strdup(message);
    const char *word = level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR) ? "error: "
                       : level & G_LOG_LEVEL_WARNING                      ? "warning: "
                                                                          : "";

    for (char *at = line; *at; at++)
        if (g_ascii_iscntrl(*at))
            *at = ' ';
    fprintf(stderr, "carreld: %s%s\n", word, line);
    fflush(stderr);
}

static GLogWriterOutput
write_log(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
    bool ours = !strcmp(find(fields, n, "GLIB_DOMAIN"), G_LOG_DOMAIN);

    if (!(level & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR)) &&
        !(ours && level & G_LOG_LEVEL_INFO) && g_log_writer_default_would_drop(level, find(fields, n, "GLIB_DOMAIN")))
        return G_LOG_WRITER_HANDLED;
    if (g_log_writer_is_journald(fileno(stderr)))
        return g_log_writer_journald(level, fields, n, user);
    write_plain(level, find(fields, n, "MESSAGE"));
    return G_LOG_WRITER_HANDLED;
}

void
journal_init(void)
{
    g_log_set_writer_func(write_log, NULL, NULL);
}
