/* SPDX-License-Identifier: Apache-2.0 */
/* carreld.conf(5): what is taken, and what a wrong line is told. */
#include "appliance/daemon/config.h"

#include <glib/gstdio.h>
#include <string.h>

static DaemonConfig *
read_text(const char *text, GError **error)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("carreld-XXXXXX.conf", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    g_close(fd, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    DaemonConfig *config = daemon_config_read(path, error);
    g_unlink(path);
    return config;
}

static void
test_defaults(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(DaemonConfig) config = daemon_config_read(NULL, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(config->state, ==, "/var/lib/carrel");
    g_assert_cmpstr(config->socket, ==, "/run/carrel/carreld.socket");
    g_assert_cmpstr(config->storage_folder, ==, "/var/lib/carrel/storage");
    g_assert_cmpstr(config->web_user, ==, "carrel-web");
    g_assert_cmpint(config->idle_minutes, ==, 30);
    g_assert_true(config->network_manage);
    g_assert_null(config->host_ports);
    g_assert_cmpint(config->scopes, ==, DAEMON_SCOPES_AUTO);
    g_assert_null(strchr(config->name, '.'));
    g_assert_null(config->directory);
}

static void
test_given(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(DaemonConfig) config =
        read_text("[host]\nname=desk1\nruntime=/r\n[storage]\nbackend=lvm\nkeep-free=5\n"
                  "[network]\nmanage=false\nhost-ports=443; 8443;\n[directory]\nname=office\nbase=dc=example,dc=org\n"
                  "servers=ldaps://a.example.org;ldaps://b.example.org\n"
                  "user-template=uid=%u,dc=example,dc=org\n"
                  "[directory-rule first]\ngroup=Admins\nrole=admin\n"
                  "[directory-rule second]\ngroup=Staff\nbecomes=Staff\n",
                  &error);

    g_assert_no_error(error);
    g_assert_cmpstr(config->name, ==, "desk1");
    g_assert_cmpstr(config->socket, ==, "/r/carreld.socket");
    g_assert_cmpint(config->storage_backend, ==, 1);
    g_assert_cmpint(config->keep_free, ==, 5);
    g_assert_false(config->network_manage);
    g_assert_cmpuint(config->host_ports[0], ==, 443);
    g_assert_cmpuint(config->host_ports[1], ==, 8443);
    g_assert_cmpuint(config->host_ports[2], ==, 0);
    g_assert_cmpstr(config->directory_name, ==, "office");
    g_assert_cmpuint(g_strv_length(config->directory->servers), ==, 2);
    g_assert_cmpuint(config->directory->n_rules, ==, 2);
    g_assert_cmpint(config->directory->rules[0].role, ==, SIGN_IN_ROLE_ADMIN);
    g_assert_cmpstr(config->directory->rules[1].becomes, ==, "Staff");
}

static const struct {
    const char *text, *said; /* what the sentence has in it */
} wrong[] = {
    {"[hots]\nname=x\n", "[hots]: there is no such group"},
    {"[host]\nnmae=x\n", "[host] nmae: there is no such key"},
    {"[host]\nname=a b\n", "[host] name: “a b” is no name"},
    {"[host]\nname=\n", "[host] name: it is empty"},
    {"[host]\nstate=lib\n", "[host] state: it is a path that begins with /"},
    {"[sign-in]\npassword-cost=99\n", "[sign-in] password-cost: “99” is no number from 3 to 8"},
    {"[sign-in]\npassword-cost=5x\n", "is no number"},
    {"[network]\nmanage=yes\n", "[network] manage: it is true or false"},
    {"[network]\nhost-ports=443;0\n", "[network] host-ports: “0” is no port, from 1 to 65535"},
    {"[network]\nhost-ports=https\n", "[network] host-ports: “https” is no port"},
    {"[network]\nhost-ports=65536\n", "[network] host-ports: “65536” is no port"},
    {"[storage]\nbackend=floppy\n", "[storage] backend: “floppy” is none of files, lvm"},
    {"[directory]\nname=local\nservers=ldaps://a\n", "[directory] name: "},
    {"[directory]\nservers=http://a\nbase=dc=a\n", "[directory] servers: "},
    {"[directory]\nservers=ldaps://a\nbase=dc=a\nca-file=/nowhere\n", "[directory] ca-file: "},
    {"[directory]\nservers=ldaps://a\nbase=dc=a\n[directory-rule a]\nrole=admin\n", "group: it is missing"},
    {"[directory]\nservers=ldaps://a\nbase=dc=a\n[directory-rule a]\ngroup=g\nrole=king\n", "“king” is none of"},
    {"nonsense\n", "carreld-"},
};

static void
test_wrong(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(DaemonConfig) config = read_text(wrong[i].text, &error);
        g_assert_null(config);
        g_assert_nonnull(error);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, wrong[i].said));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/defaults", test_defaults);
    g_test_add_func("/config/given", test_given);
    g_test_add_func("/config/wrong", test_wrong);
    return g_test_run();
}
