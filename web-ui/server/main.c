/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carrel-web: port 443. Wires the parts together, and is the one place that logs how it begins and ends.
 */
#include "web-ui/server/api/openapi.h"
#include "web-ui/server/config.h"
#include "web-ui/server/http/server.h"
#include "web-ui/server/port/port.h"
#include "web-ui/server/tls/self_signed.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

/* A few threads carry all tunnels. */
#define TUNNEL_THREADS_MAX 4
/* How often it is looked whether a certificate runs out. */
#define RENEW_SECONDS (12 * 60 * 60)

typedef struct {
    GMainLoop *loop;
    WebConfig *config;
    HostLink *link;
    Api *api;
    Tunnels *tunnels;
    Page *page;
    WebServer *server;
    Guests *guests;
    Port *port;
} Web;

static int64_t
now(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

/* --- its certificate --- */

static bool
is_there(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static bool
ensure_certificate(const WebConfig *config, GError **error)
{
    bool missing = !is_there(config->certificate) && !is_there(config->key);

    if (!missing && !tls_self_signed_is_due(config->certificate, now()))
        return true;
    g_auto(GStrv) names = tls_self_signed_names((const char *const *)config->names);
    g_message("making a certificate of its own for %s: %s", names[0], config->certificate);
    return tls_self_signed_make(config->certificate, config->key, (const char *const *)names, now(), error);
}

static bool
load_certificate(Web *web, GError **error)
{
    g_autoptr(TlsIdentity) identity = NULL;

    if (!ensure_certificate(web->config, error))
        return false;
    identity = tls_identity_load(web->config->certificate, web->config->key, web->config->authority, error);
    if (!identity)
        return false;
    guests_set_identity(web->guests, identity);
    return true;
}

/* Whoever is connected stays; those who come see the new one. A bad one changes nothing. */
static gboolean
on_reload(void *data)
{
    Web *web = data;
    g_autoptr(GError) error = NULL;

    if (load_certificate(web, &error))
        g_message("the certificate was read again");
    else
        g_warning("the certificate stays as it was: %s", error->message);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_renew(void *data)
{
    Web *web = data;

    if (tls_self_signed_is_due(web->config->certificate, now()))
        on_reload(web);
    return G_SOURCE_CONTINUE;
}

static TlsIdentity *
get_identity(void *data)
{
    Web *web = data;

    return guests_get_identity(web->guests);
}

/* --- start and end --- */

static gboolean
on_stop(void *data)
{
    Web *web = data;

    g_main_loop_quit(web->loop);
    return G_SOURCE_CONTINUE;
}

/* A tunnel takes two descriptors, and there may be many. */
static void
raise_limit(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool
open_port(Web *web, GError **error)
{
    int given = sd_listen_fds(1);

    web->port = given > 0 ? port_new_for_sockets(SD_LISTEN_FDS_START, given, web->guests, error)
                          : port_new((const char *const *)web->config->listen, web->guests, error);
    return web->port;
}

static bool
web_start(Web *web, GError **error)
{
    GuestLimits limits = {web->config->connections, web->config->waiting_per_address};

    web->link = host_link_new(web->config->carreld);
    web->api = api_new(web->link, &(ApiOps){get_identity, web});
    web->tunnels = tunnels_new(web->link, CLAMP(g_get_num_processors(), 1, TUNNEL_THREADS_MAX));
    web->page = page_new();
    web->server = web_server_new(&(WebParts){web->api, web->tunnels, web->page, web->link});
    web->guests = guests_new(&limits, &web_server_guest_ops, web->server);
    web_server_set_guests(web->server, web->guests);
    return load_certificate(web, error) && open_port(web, error);
}

/* The tunnels' threads first: nothing of theirs may come any more. */
static void
web_finish(Web *web)
{
    port_free(web->port);
    web_server_free(web->server);
    host_link_free(web->link);
    tunnels_free(web->tunnels);
    guests_free(web->guests);
    page_free(web->page);
    api_free(web->api);
    web_config_free(web->config);
    g_main_loop_unref(web->loop);
}

static bool
run(Web *web, GError **error)
{
    if (!web_start(web, error))
        return false;
    g_autofree char *where = port_describe(web->port);
    g_unix_signal_add(SIGTERM, on_stop, web);
    g_unix_signal_add(SIGINT, on_stop, web);
    g_unix_signal_add(SIGHUP, on_reload, web);
    g_timeout_add_seconds(RENEW_SECONDS, on_renew, web);
    g_message("listening on %s", where);
    sd_notify(0, "READY=1");
    g_main_loop_run(web->loop);
    sd_notify(0, "STOPPING=1");
    return true;
}

static int
print_description(void)
{
    gsize len;
    const char *text = g_bytes_get_data(openapi_get(), &len);

    return fwrite(text, 1, len, stdout) == len && putchar('\n') != EOF ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    g_autofree char *path = NULL;
    gboolean describe = FALSE, version = FALSE;
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &path, "Read this instead of " WEB_CONFIG_PATH, "FILE"},
        {"openapi", 0, 0, G_OPTION_ARG_NONE, &describe, "Print the API's description and end", NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version and end", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) options = g_option_context_new("- the web server of a Carrel host");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(options, entries, NULL);
    if (!g_option_context_parse(options, &argc, &argv, &error)) {
        g_printerr("carrel-web: %s\n", error->message);
        return EXIT_FAILURE;
    }
    if (version) {
        g_print("carrel-web %s\n", CARREL_VERSION);
        return EXIT_SUCCESS;
    }
    if (describe)
        return print_description();
    Web web = {.loop = g_main_loop_new(NULL, FALSE), .config = web_config_load(path ?: WEB_CONFIG_PATH, &error)};
    raise_limit();
    signal(SIGPIPE, SIG_IGN); /* whose reader has gone is an error like others */
    bool ok = web.config && run(&web, &error);
    if (!ok)
        g_printerr("carrel-web: %s\n", error->message);
    if (ok)
        web_finish(&web);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
