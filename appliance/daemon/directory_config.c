/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/directory_config.h"

#include "appliance/daemon/keys.h"
#include "ha/store/text.h"

#include <stddef.h>
#include <string.h>

#define RULE_PREFIX "directory-rule "

static const char *const kind_words[] = {"ldap", "active", NULL};
static const char *const groups_words[] = {"member-of", "search", "nested", NULL};
static const char *const role_words[] = {"user", "operator", "admin", NULL};

/* What is read, before it becomes a DirectoryConfig, whose enumerations have types of their own. */
typedef struct {
    char *name, *ca_file, *service_dn, *service_password_file, *user_template, *base, *user_filter;
    char *group_base, *group_filter, *id_attribute, *name_attribute, *display_attribute;
    char **servers;
    int kind, groups;
    bool only_by_rule;
} Given;

typedef struct {
    char *group, *becomes;
    int role;
} GivenRule;

#define D(m) offsetof(Given, m)
#define R(m) offsetof(GivenRule, m)

/* clang-format off */
static const DaemonKey directory_keys[] = {
    {"name",                  DAEMON_KEY_TEXT, D(name), .fallback = "directory"},
    {"kind",                  DAEMON_KEY_WORD, D(kind), .words = kind_words, .fallback = "ldap"},
    {"servers",               DAEMON_KEY_LIST, D(servers)},
    {"ca-file",               DAEMON_KEY_PATH, D(ca_file)},
    {"service-dn",            DAEMON_KEY_TEXT, D(service_dn)},
    {"service-password-file", DAEMON_KEY_PATH, D(service_password_file)},
    {"user-template",         DAEMON_KEY_TEXT, D(user_template)},
    {"base",                  DAEMON_KEY_TEXT, D(base)},
    {"user-filter",           DAEMON_KEY_TEXT, D(user_filter)},
    {"groups",                DAEMON_KEY_WORD, D(groups), .words = groups_words, .fallback = "member-of"},
    {"group-base",            DAEMON_KEY_TEXT, D(group_base)},
    {"group-filter",          DAEMON_KEY_TEXT, D(group_filter)},
    {"id-attribute",          DAEMON_KEY_TEXT, D(id_attribute)},
    {"name-attribute",        DAEMON_KEY_TEXT, D(name_attribute)},
    {"display-attribute",     DAEMON_KEY_TEXT, D(display_attribute)},
    {"only-by-rule",          DAEMON_KEY_BOOL, D(only_by_rule), .fallback = "false"},
    {NULL},
};
static const DaemonKey directory_rule_keys[] = {
    {"group",   DAEMON_KEY_TEXT, R(group)},
    {"role",    DAEMON_KEY_WORD, R(role), .words = role_words, .fallback = "user"},
    {"becomes", DAEMON_KEY_TEXT, R(becomes)},
    {NULL},
};
/* clang-format on */

static void
given_clear(Given *given)
{
    daemon_keys_clear(directory_keys, given);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Given, given_clear)

static void
given_rule_clear(GivenRule *rule)
{
    daemon_keys_clear(directory_rule_keys, rule);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GivenRule, given_rule_clear)

bool
directory_config_is_group(const char *group)
{
    return !strcmp(group, "directory") || g_str_has_prefix(group, RULE_PREFIX);
}

static bool
wrong(GError **error, const char *what)
{
    g_set_error_literal(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, what);
    return false;
}

static bool
read_certificates(const char *path, char **pem, GError **error)
{
    if (!path || g_file_get_contents(path, pem, NULL, error))
        return true;
    g_prefix_error(error, "[directory] ca-file: ");
    return false;
}

/* Its first line. */
static bool
read_password(const char *path, char **password, GError **error)
{
    gsize len;

    if (!path)
        return true;
    if (!g_file_get_contents(path, password, &len, error)) {
        g_prefix_error(error, "[directory] service-password-file: ");
        return false;
    }
    char *end = strchr(*password, '\n');
    if (end)
        explicit_bzero(end, len - (gsize)(end - *password));
    return true;
}

static bool
take_given(DirectoryConfig *config, Given *given, GError **error)
{
    config->kind = given->kind;
    config->groups = given->groups;
    config->only_by_rule = given->only_by_rule;
    config->servers = g_steal_pointer(&given->servers);
    config->service_dn = g_steal_pointer(&given->service_dn);
    config->user_template = g_steal_pointer(&given->user_template);
    config->base = g_steal_pointer(&given->base);
    config->user_filter = g_steal_pointer(&given->user_filter);
    config->group_base = g_steal_pointer(&given->group_base);
    config->group_filter = g_steal_pointer(&given->group_filter);
    config->id_attribute = g_steal_pointer(&given->id_attribute);
    config->name_attribute = g_steal_pointer(&given->name_attribute);
    config->display_attribute = g_steal_pointer(&given->display_attribute);
    return read_certificates(given->ca_file, &config->ca, error) &&
           read_password(given->service_password_file, &config->service_password, error);
}

static bool
read_rule(DirectoryConfig *config, GKeyFile *file, const char *group, GError **error)
{
    g_auto(GivenRule) rule = {0};

    if (!daemon_keys_read(directory_rule_keys, file, group, &rule, error))
        return false;
    config->rules = g_renew(DirectoryRule, config->rules, config->n_rules + 1);
    config->rules[config->n_rules++] = (DirectoryRule){
        .group = g_steal_pointer(&rule.group),
        .role = rule.role,
        .becomes = g_steal_pointer(&rule.becomes),
    };
    return config->rules[config->n_rules - 1].group || wrong(error, "[directory-rule …] group: it is missing");
}

static bool
read_rules(DirectoryConfig *config, GKeyFile *file, GError **error)
{
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);

    for (char **group = groups; *group; group++)
        if (g_str_has_prefix(*group, RULE_PREFIX) && !read_rule(config, file, *group, error))
            return false;
    return true;
}

static bool
check_name(const char *name, GError **error)
{
    g_autofree char *odd = store_text_check_token(name, 1, 64);

    if (odd || !strcmp(name, "local"))
        return wrong(error, "[directory] name: it is a word of letters, digits and dashes, and not “local”");
    return true;
}

bool
directory_config_read(GKeyFile *file, DirectoryConfig **config, char **name, GError **error)
{
    g_auto(Given) given = {0};
    g_autoptr(DirectoryConfig) made = directory_config_new();

    if (!g_key_file_has_group(file, "directory"))
        return true;
    if (!daemon_keys_read(directory_keys, file, "directory", &given, error) || !check_name(given.name, error) ||
        !take_given(made, &given, error) || !read_rules(made, file, error))
        return false;
    if (!directory_config_complete(made, error)) {
        g_prefix_error(error, "[directory] ");
        return false;
    }
    *name = g_steal_pointer(&given.name);
    *config = g_steal_pointer(&made);
    return true;
}
