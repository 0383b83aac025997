/* SPDX-License-Identifier: Apache-2.0 */
/* A directory as an admin describes it: defaults of its kind, and what cannot be. */
#include "appliance/sign-in/directory/config.h"

#include "appliance/sign-in/directory/text.h"
#include "appliance/sign-in/secret.h"

#include <ldap.h>
#include <string.h>

#define CONNECT_TIME_DEFAULT (5 * G_USEC_PER_SEC)
#define TIME_DEFAULT (15 * G_USEC_PER_SEC)
#define TIME_MAX (60 * G_USEC_PER_SEC)

/* Where the settings that are text have their defaults. */
typedef struct {
    const char *user_filter, *group_filter, *nested_filter, *id_attribute, *name_attribute, *display_attribute;
} Defaults;

static const Defaults defaults[] = {
    [DIRECTORY_KIND_LDAP] =
        {
            .user_filter = "(&(objectClass=person)(uid=%u))",
            .group_filter =
                "(|(&(objectClass=groupOfNames)(member=%d))(&(objectClass=groupOfUniqueNames)(uniqueMember=%d))"
                "(&(objectClass=posixGroup)(memberUid=%u)))",
            .id_attribute = "entryUUID",
            .name_attribute = "uid",
            .display_attribute = "displayName",
        },
    [DIRECTORY_KIND_ACTIVE] =
        {
            .user_filter = "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName=%u)(userPrincipalName=%u)))",
            .group_filter = "(&(objectCategory=group)(member=%d))",
            .nested_filter =
                "(&(objectCategory=group)(member:1.2.840.113556.1.4.1941:=%d))", /* MS-ADTS, 3.1.1.3.4.4.3 */
            .id_attribute = "objectGUID",
            .name_attribute = "sAMAccountName",
            .display_attribute = "displayName",
        },
};

DirectoryConfig *
directory_config_new(void)
{
    return g_new0(DirectoryConfig, 1);
}

DirectoryConfig *
directory_config_copy(const DirectoryConfig *config)
{
    DirectoryConfig *copy = g_memdup2(config, sizeof(*config));

    copy->servers = g_strdupv(config->servers);
    copy->ca = g_strdup(config->ca);
    copy->service_dn = g_strdup(config->service_dn);
    copy->service_password = g_strdup(config->service_password);
    copy->user_template = g_strdup(config->user_template);
    copy->base = g_strdup(config->base);
    copy->user_filter = g_strdup(config->user_filter);
    copy->group_base = g_strdup(config->group_base);
    copy->group_filter = g_strdup(config->group_filter);
    copy->id_attribute = g_strdup(config->id_attribute);
    copy->name_attribute = g_strdup(config->name_attribute);
    copy->display_attribute = g_strdup(config->display_attribute);
    copy->rules = g_new0(DirectoryRule, config->n_rules);
    for (unsigned i = 0; i < config->n_rules; i++)
        copy->rules[i] = (DirectoryRule){g_strdup(config->rules[i].group), config->rules[i].role,
                                         g_strdup(config->rules[i].becomes)};
    return copy;
}

void
directory_config_free(DirectoryConfig *config)
{
    if (!config)
        return;
    g_strfreev(config->servers);
    g_free(config->ca);
    g_free(config->service_dn);
    secret_text_free(config->service_password);
    g_free(config->user_template);
    g_free(config->base);
    g_free(config->user_filter);
    g_free(config->group_base);
    g_free(config->group_filter);
    g_free(config->id_attribute);
    g_free(config->name_attribute);
    g_free(config->display_attribute);
    for (unsigned i = 0; i < config->n_rules; i++) {
        g_free(config->rules[i].group);
        g_free(config->rules[i].becomes);
    }
    g_free(config->rules);
    g_free(config);
}

G_GNUC_PRINTF(3, 4)
static bool
refuse(GError **error, const char *setting, const char *format, ...)
{
    g_autofree char *why = NULL;
    va_list values;

    va_start(values, format);
    why = g_strdup_vprintf(format, values);
    va_end(values);
    g_set_error(error, DIRECTORY_ERROR, DIRECTORY_ERROR_CONFIG, "%s: %s", setting, why);
    return false;
}

static bool
check_server(const char *server, GError **error)
{
    LDAPURLDesc *url = NULL;
    bool fits;

    if (ldap_url_parse(server, &url) != LDAP_SUCCESS)
        return refuse(error, "servers", "“%s” is not an address such as ldaps://dc1.example.org", server);
    /* One server an address, and nothing behind it: a DN or filter there would be passed over in silence. */
    fits = (strcmp(url->lud_scheme, "ldaps") == 0 || strcmp(url->lud_scheme, "ldap") == 0) && url->lud_host &&
           *url->lud_host && !strpbrk(strstr(server, "://") + strlen("://"), "/? ,");
    ldap_free_urldesc(url);
    return fits || refuse(error, "servers", "“%s” must be ldaps://HOST[:PORT] or ldap://HOST[:PORT]", server);
}

static bool
check_servers(const DirectoryConfig *config, GError **error)
{
    unsigned n = config->servers ? g_strv_length(config->servers) : 0;

    if (n < 1 || n > DIRECTORY_SERVERS_MAX)
        return refuse(error, "servers", "there must be 1 to %d of them", DIRECTORY_SERVERS_MAX);
    for (unsigned i = 0; i < n; i++)
        if (!check_server(config->servers[i], error))
            return false;
    if (config->ca && !strstr(config->ca, "-----BEGIN CERTIFICATE-----"))
        return refuse(error, "ca", "there is no certificate in PEM in it");
    return true;
}

static bool
check_dn(const char *dn, const char *setting, GError **error)
{
    g_autofree char *normal = dn && *dn ? directory_text_normal_dn(dn) : NULL;

    return normal || refuse(error, setting, "“%s” is not a distinguished name such as dc=example,dc=org", dn ? dn : "");
}

/* Whether libldap takes a filter: it looks at that first, before it finds nobody at an address where nobody can be. */
static bool
is_filter(const char *filter)
{
    LDAP *nobody = NULL;
    int message, result;

    if (ldap_initialize(&nobody, "ldapi://%2Fdev%2Fnull%2Fnobody") != LDAP_SUCCESS)
        return false;
    result = ldap_search_ext(nobody, "", LDAP_SCOPE_BASE, filter, NULL, 0, NULL, NULL, NULL, 0, &message);
    ldap_unbind_ext(nobody, NULL, NULL);
    return result != LDAP_FILTER_ERROR;
}

static bool
check_filter(const char *filter, bool dn, const char *setting, GError **error)
{
    g_autofree char *filled = NULL;

    if (!directory_text_is_template(filter, dn))
        return refuse(error, setting, "“%s” must have %%u%s in it, and no other %%", filter, dn ? " or %d" : "");
    filled = directory_text_fill(filter, directory_text_for_filter, "x", "dc=x");
    return is_filter(filled) || refuse(error, setting, "“%s” is not a search filter", filter);
}

static bool
check_way_in(const DirectoryConfig *config, GError **error)
{
    if (config->user_template && config->service_dn)
        return refuse(error, "user_template", "not together with service_dn: it is one way or the other");
    if (config->user_template) {
        g_autofree char *filled = NULL;
        if (!directory_text_is_template(config->user_template, false))
            return refuse(error, "user_template", "“%s” must have %%u in it, and no other %%", config->user_template);
        filled = directory_text_fill(config->user_template, directory_text_for_dn, "x", NULL);
        return !strchr(filled, '=') || check_dn(filled, "user_template", error);
    }
    if (!config->service_dn)
        return refuse(error, "service_dn", "an account that may search is needed, or user_template");
    /* Without a password it would be an anonymous bind that looks like a success (RFC 4513, 5.1.2). */
    if (!config->service_password || !*config->service_password)
        return refuse(error, "service_password", "it must not be empty");
    return strchr(config->service_dn, '@') || check_dn(config->service_dn, "service_dn", error);
}

static bool
check_groups(const DirectoryConfig *config, GError **error)
{
    if (config->n_rules > DIRECTORY_RULES_MAX)
        return refuse(error, "rules", "there may be %d of them", DIRECTORY_RULES_MAX);
    for (unsigned i = 0; i < config->n_rules; i++) {
        const DirectoryRule *rule = &config->rules[i];
        if (!rule->group || !*rule->group)
            return refuse(error, "rules", "rule %u names no group", i + 1);
        if (strchr(rule->group, '=') && !check_dn(rule->group, "rules", error))
            return false;
        if ((unsigned)rule->role >= SIGN_IN_ROLES)
            return refuse(error, "rules", "rule %u has no role", i + 1);
    }
    if (config->only_by_rule && !config->n_rules)
        return refuse(error, "only_by_rule", "without a rule nobody could sign in");
    return true;
}

static void
fill_in(char **setting, const char *value)
{
    if (!*setting)
        *setting = g_strdup(value);
}

bool
directory_config_complete(DirectoryConfig *config, GError **error)
{
    const Defaults *kind = &defaults[config->kind];

    if (config->groups == DIRECTORY_GROUPS_NESTED && config->kind != DIRECTORY_KIND_ACTIVE)
        return refuse(error, "groups", "nested groups are Active Directory's");
    fill_in(&config->user_filter, kind->user_filter);
    fill_in(&config->group_filter,
            config->groups == DIRECTORY_GROUPS_NESTED ? kind->nested_filter : kind->group_filter);
    fill_in(&config->id_attribute, kind->id_attribute);
    fill_in(&config->name_attribute, kind->name_attribute);
    fill_in(&config->display_attribute, kind->display_attribute);
    fill_in(&config->group_base, config->base);
    if (!config->connect_time)
        config->connect_time = CONNECT_TIME_DEFAULT;
    if (!config->time)
        config->time = TIME_DEFAULT;
    if (config->connect_time < 0 || config->connect_time > TIME_MAX || config->time < 0 || config->time > TIME_MAX)
        return refuse(error, "time", "it is at most 60 s");
    return check_servers(config, error) && check_dn(config->base, "base", error) &&
           check_dn(config->group_base, "group_base", error) && check_way_in(config, error) &&
           check_filter(config->user_filter, false, "user_filter", error) &&
           check_filter(config->group_filter, true, "group_filter", error) && check_groups(config, error);
}
