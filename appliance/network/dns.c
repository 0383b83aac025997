/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/network/dns.h"

#include "appliance/network/network.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#define WAIT_FIRST 1 /* seconds until it is started again; each time twice as long */
#define WAIT_MOST 60
#define SETTLED 2 /* seconds after which it has surely begun to listen to signals */

struct NetworkDns {
    NetworkDnsOptions options;
    char *folder, *bridge, *account;
    GSubprocess *process;     /* NULL: it does not run */
    GCancellable *forgetting; /* cancelled when nobody wants to know of its end any more */
    guint again;              /* the source of its next start, or 0 */
    guint settling;           /* likewise, of settled() */
    unsigned wait;
    char *problem;
};

char *
network_dns_config(const NetworkDnsOptions *options)
{
    g_autofree char *net = network_address_text(options->subnet.address);
    g_autofree char *mask = network_address_text(UINT32_MAX << (32 - options->subnet.length));

    return g_strdup_printf("keep-in-foreground\n"
                           "log-facility=-\n"
                           "pid-file=\n"
                           "quiet-dhcp\n"
                           "interface=%s\n"
                           "except-interface=lo\n"
                           "bind-dynamic\n" /* and what comes by another interface is not answered */
                           "no-hosts\n"     /* the host's names are not the desktops' to know */
                           "no-ping\n"
                           "dhcp-authoritative\n"
                           "dhcp-range=%s,static,%s,12h\n"
                           "dhcp-hostsfile=%s/hosts\n"
                           "dhcp-leasefile=%s/leases\n",
                           options->bridge, net, mask, options->folder, options->folder);
}

char *
network_dns_hosts(const NetworkDnsCard *cards, unsigned n_cards)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < n_cards; i++) {
        g_autofree char *address = network_address_text(cards[i].address);
        g_string_append_printf(text, "%s,%s%s%s\n", cards[i].mac, address, cards[i].name ? "," : "",
                               cards[i].name ? cards[i].name : "");
    }
    return g_string_free_and_steal(g_steal_pointer(&text));
}

static void start(NetworkDns *dns);

static void
set_problem(NetworkDns *dns, char *problem)
{
    g_free(dns->problem);
    dns->problem = problem;
    if (problem && dns->options.report)
        dns->options.report(dns->options.report_data, problem);
}

static gboolean
start_again(gpointer data)
{
    NetworkDns *dns = data;

    dns->again = 0;
    start(dns);
    return G_SOURCE_REMOVE;
}

static void
plan_start(NetworkDns *dns, const char *why)
{
    set_problem(dns, g_strdup_printf("DHCP and DNS on %s: %s; tried again in %u s", dns->bridge, why, dns->wait));
    dns->again = g_timeout_add_seconds(dns->wait, start_again, dns);
    dns->wait = MIN(dns->wait * 2, WAIT_MOST);
}

static void
on_end(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;

    g_subprocess_wait_finish(G_SUBPROCESS(source), result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* and @data is gone */
    NetworkDns *dns = data;
    g_clear_object(&dns->process);
    g_clear_handle_id(&dns->settling, g_source_remove);
    plan_start(dns, "dnsmasq ended, its last words are in the log");
}

/* What it read while it started may be old by now, and it was deaf then. */
static gboolean
settled(gpointer data)
{
    NetworkDns *dns = data;

    dns->settling = 0;
    dns->wait = WAIT_FIRST;
    g_subprocess_send_signal(dns->process, SIGHUP);
    return G_SOURCE_REMOVE;
}

/* In the child: SIGHUP would end it until it is dnsmasq. */
static void
before_exec(gpointer data)
{
    signal(SIGHUP, SIG_IGN);
}

/* A user of its own, with what DHCP needs; ends with us. */
static void
start(NetworkDns *dns)
{
    static const char needs[] = "-all,+net_admin,+net_raw,+net_bind_service";
    g_autofree char *config = g_strdup_printf("--conf-file=%s/dnsmasq.conf", dns->folder);
    g_autofree char *user = g_strdup_printf("--reuid=%s", dns->account);
    g_autofree char *inherited = g_strdup_printf("--inh-caps=%s", needs),
                    *kept = g_strdup_printf("--ambient-caps=%s", needs);
    g_autofree char *most = g_strdup_printf("--bounding-set=%s", needs);
    const char *arguments[] = {
        "setpriv",          user, "--regid=nogroup", "--clear-groups", inherited, kept, most, "--no-new-privs",
        "--pdeathsig=TERM", "--", "dnsmasq",         config,           NULL};
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
    g_autoptr(GError) error = NULL;

    g_subprocess_launcher_set_child_setup(launcher, before_exec, NULL, NULL);
    dns->process = g_subprocess_launcher_spawnv(launcher, arguments, &error);
    if (!dns->process) {
        plan_start(dns, error->message);
        return;
    }
    dns->settling = g_timeout_add_seconds(SETTLED, settled, dns);
    g_subprocess_wait_async(dns->process, dns->forgetting, on_end, dns);
}

static bool
write_file(const char *path, const char *text, GError **error)
{
    g_autoptr(GError) inner = NULL;

    if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &inner))
        return true;
    g_set_error_literal(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, inner->message);
    return false;
}

/* The only file that is dnsmasq's to write. */
static bool
make_leases(NetworkDns *dns, GError **error)
{
    g_autofree char *path = g_build_filename(dns->folder, "leases", NULL);
    g_autofd int fd = g_open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    struct passwd *account = getpwnam(dns->account);

    if (!account) {
        g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_UNAVAILABLE,
                    "there is no user %s for dnsmasq to run as: install dnsmasq-base", dns->account);
        return false;
    }
    if (fd >= 0 && fchown(fd, account->pw_uid, -1) == 0)
        return true;
    g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, "%s: %s", path, g_strerror(errno));
    return false;
}

static bool
prepare(NetworkDns *dns, GError **error)
{
    g_autofree char *path = g_build_filename(dns->folder, "dnsmasq.conf", NULL);
    g_autofree char *config = network_dns_config(&dns->options);

    if (g_mkdir_with_parents(dns->folder, 0755) < 0) {
        g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, "%s: %s", dns->folder, g_strerror(errno));
        return false;
    }
    return write_file(path, config, error) && make_leases(dns, error);
}

NetworkDns *
network_dns_new(const NetworkDnsOptions *options, GError **error)
{
    NetworkDns *dns = g_new0(NetworkDns, 1);

    dns->options = *options;
    dns->options.folder = dns->folder = g_strdup(options->folder);
    dns->options.bridge = dns->bridge = g_strdup(options->bridge);
    dns->options.user = dns->account = g_strdup(options->user);
    dns->forgetting = g_cancellable_new();
    dns->wait = WAIT_FIRST;
    if (!prepare(dns, error)) {
        network_dns_free(dns);
        return NULL;
    }
    return dns;
}

void
network_dns_free(NetworkDns *dns)
{
    if (!dns)
        return;
    g_cancellable_cancel(dns->forgetting);
    if (dns->process) {
        g_subprocess_send_signal(dns->process, SIGTERM);
        g_object_unref(dns->process);
    }
    g_clear_handle_id(&dns->again, g_source_remove);
    g_clear_handle_id(&dns->settling, g_source_remove);
    g_object_unref(dns->forgetting);
    g_free(dns->problem);
    g_free(dns->folder);
    g_free(dns->bridge);
    g_free(dns->account);
    g_free(dns);
}

bool
network_dns_set_cards(NetworkDns *dns, const NetworkDnsCard *cards, unsigned n_cards, GError **error)
{
    g_autofree char *path = g_build_filename(dns->folder, "hosts", NULL), *text = network_dns_hosts(cards, n_cards);

    if (!write_file(path, text, error))
        return false;
    if (dns->process)
        g_subprocess_send_signal(dns->process, SIGHUP);
    else if (!dns->again)
        start(dns);
    return true;
}

const char *
network_dns_problem(NetworkDns *dns)
{
    return dns->process ? NULL : dns->problem;
}
