/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To add a key: a member in config.h, a line here, a paragraph in carreld.conf.5 (tests/runner/man_keys.py holds the page against
 * these tables).
 */
#include "appliance/daemon/config.h"

#include "appliance/daemon/directory_config.h"
#include "appliance/daemon/keys.h"
#include "appliance/sign-in/password.h"
#include "appliance/sign-in/password_rules.h"
#include "ha/store/text.h"

#include <stddef.h>
#include <string.h>

#define D(m) offsetof(DaemonConfig, m)

static const char *const backend_words[] = {"files", "lvm", NULL};
static const char *const scopes_words[] = {"auto", "true", "false", NULL};

/* clang-format off */
static const DaemonKey host_keys[] = {
    {"name",     DAEMON_KEY_TEXT, D(name)},
    {"state",    DAEMON_KEY_PATH, D(state), .fallback = "/var/lib/carrel"},
    {"runtime",  DAEMON_KEY_PATH, D(runtime), .fallback = "/run/carrel"},
    {"socket",   DAEMON_KEY_PATH, D(socket)},
    {"web-user", DAEMON_KEY_TEXT, D(web_user), .fallback = "carrel-web"},
    {NULL},
};
static const DaemonKey sign_in_keys[] = {
    {"password-cost",       DAEMON_KEY_NUMBER, D(password_cost), PASSWORD_COST_MIN, PASSWORD_COST_MAX, "5"},
    {"password-characters", DAEMON_KEY_NUMBER, D(password_characters), PASSWORD_RULES_CHARACTERS_MIN, 64, "10"},
    {"idle-minutes",        DAEMON_KEY_NUMBER, D(idle_minutes), 1, 24 * 60, "30"},
    {"hours",               DAEMON_KEY_NUMBER, D(hours), 1, 24 * 30, "12"},
    {NULL},
};
static const DaemonKey storage_keys[] = {
    {"backend",        DAEMON_KEY_WORD, D(storage_backend), .words = backend_words, .fallback = "files"},
    {"folder",         DAEMON_KEY_PATH, D(storage_folder)},
    {"volume-group",   DAEMON_KEY_TEXT, D(volume_group)},
    {"thin-pool",      DAEMON_KEY_TEXT, D(thin_pool)},
    {"lvm-config",     DAEMON_KEY_TEXT, D(lvm_config)},
    {"import-helper",  DAEMON_KEY_PATH, D(import_helper)},
    {"qemu-img",       DAEMON_KEY_PATH, D(qemu_img)},
    {"reserve-blocks", DAEMON_KEY_BOOL, D(reserve_blocks), .fallback = "false"},
    {"keep-free",      DAEMON_KEY_NUMBER, D(keep_free), 0, 1 << 30, "1024"},
    {NULL},
};
static const DaemonKey network_keys[] = {
    {"manage",     DAEMON_KEY_BOOL, D(network_manage), .fallback = "true"},
    {"nat-range",  DAEMON_KEY_TEXT, D(nat_range)},
    {"dns-user",   DAEMON_KEY_TEXT, D(dns_user)},
    {"host-ports", DAEMON_KEY_PORTS, D(host_ports)},
    {NULL},
};
static const DaemonKey desktops_keys[] = {
    {"vmm",       DAEMON_KEY_PATH, D(vmm), .fallback = CARREL_VMM},
    {"swtpm",     DAEMON_KEY_PATH, D(swtpm), .fallback = "/usr/bin/swtpm"},
    {"memory",    DAEMON_KEY_NUMBER, D(memory), 0, 1 << 30, "0"},
    {"uid-first", DAEMON_KEY_NUMBER, D(uid_first), 1000, 2000000000, "65000"},
    {"uids",      DAEMON_KEY_NUMBER, D(uids), 1, 65000, "500"},
    {"scopes",    DAEMON_KEY_WORD, D(scopes), .words = scopes_words, .fallback = "auto"},
    {"cgroup",    DAEMON_KEY_PATH, D(cgroup)},
    {NULL},
};
/* clang-format on */

static const DaemonKeyGroup groups[] = {
    {"host", host_keys},       {"sign-in", sign_in_keys},   {"storage", storage_keys},
    {"network", network_keys}, {"desktops", desktops_keys}, {NULL},
};

void
daemon_config_free(DaemonConfig *config)
{
    if (!config)
        return;
    for (const DaemonKeyGroup *group = groups; group->name; group++)
        daemon_keys_clear(group->keys, config);
    directory_config_free(config->directory);
    g_free(config->directory_name);
    g_free(config);
}

/* What the machine is called, without its domain. */
static char *
name_of_machine(void)
{
    const char *name = g_get_host_name();

    return g_strndup(name, strcspn(name, "."));
}

static bool
complete(DaemonConfig *config, GError **error)
{
    if (!config->name)
        config->name = name_of_machine();
    if (!config->socket)
        config->socket = g_build_filename(config->runtime, "carreld.socket", NULL);
    if (!config->storage_folder)
        config->storage_folder = g_build_filename(config->state, "storage", NULL);
    g_autofree char *wrong = store_text_check_token(config->name, 1, 63);
    if (wrong)
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, "[host] name: “%s” is no name: %s",
                    config->name, wrong);
    return !wrong;
}

static bool
read_groups(DaemonConfig *config, GKeyFile *file, GError **error)
{
    g_auto(GStrv) names = g_key_file_get_groups(file, NULL);

    for (char **name = names; *name; name++)
        if (!daemon_keys_find_group(groups, *name) && !directory_config_is_group(*name)) {
            g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND, "[%s]: there is no such group",
                        *name);
            return false;
        }
    for (const DaemonKeyGroup *group = groups; group->name; group++)
        if (!daemon_keys_read(group->keys, file, group->name, config, error))
            return false;
    return directory_config_read(file, &config->directory, &config->directory_name, error) && complete(config, error);
}

DaemonConfig *
daemon_config_read(const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(DaemonConfig) config = g_new0(DaemonConfig, 1);

    if ((path && !g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, error)) || !read_groups(config, file, error)) {
        g_prefix_error(error, "%s: ", path ? path : "the defaults");
        return NULL;
    }
    return g_steal_pointer(&config);
}
