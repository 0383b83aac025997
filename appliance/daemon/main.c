/* SPDX-License-Identifier: Apache-2.0 */
/* carreld: the command line (carreld(8)), and the main loop until a signal ends it. */
#include "appliance/daemon/daemon.h"
#include "appliance/daemon/journal.h"
#include "appliance/daemon/notify.h"

#include <glib-unix.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_PATH "/etc/carrel/carreld.conf"

/* The store's thread and a few workers: an arena for each would keep megabytes that nobody uses. */
#define MALLOC_ARENAS 2

static gboolean
end(gpointer loop)
{
    notify_tell("STOPPING=1");
    g_main_loop_quit(loop);
    return G_SOURCE_CONTINUE;
}

static gboolean
reload(gpointer daemon)
{
    daemon_reload(daemon);
    return G_SOURCE_CONTINUE;
}

static int
serve(const char *path)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GError) error = NULL;
    g_autoptr(Daemon) daemon = daemon_new(path, &error);

    if (!daemon) {
        g_printerr("carreld: %s\n", error->message);
        return EXIT_FAILURE;
    }
    g_unix_signal_add(SIGTERM, end, loop);
    g_unix_signal_add(SIGINT, end, loop);
    g_unix_signal_add(SIGHUP, reload, daemon);
    notify_feed_watchdog();
    g_message("carreld %s serves %s", CARREL_VERSION, daemon->config->socket);
    notify_tell("READY=1");
    g_main_loop_run(loop);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    g_autofree char *path = NULL;
    gboolean version = FALSE, check = FALSE;
    const GOptionEntry options[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &path, "Read FILE (" CONFIG_PATH ")", "FILE"},
        {"check", 0, 0, G_OPTION_ARG_NONE, &check, "Say what is wrong with the configuration, and end", NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Say which version this is, and end", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- the daemon of a host of Carrel");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("carreld: %s\n", error->message);
        return 2;
    }
    if (version) {
        g_print("carreld %s\n", CARREL_VERSION);
        return EXIT_SUCCESS;
    }
    if (!path && g_file_test(CONFIG_PATH, G_FILE_TEST_EXISTS))
        path = g_strdup(CONFIG_PATH);
    if (check) {
        g_autoptr(DaemonConfig) config = daemon_config_read(path, &error);
        if (!config)
            g_printerr("carreld: %s\n", error->message);
        return config ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    umask(022);
    journal_init();
    return serve(path);
}
