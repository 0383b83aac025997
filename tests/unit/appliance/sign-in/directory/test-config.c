/* SPDX-License-Identifier: Apache-2.0 */
/* What a directory's description may be, and which setting is named when it may not. */
#include "appliance/sign-in/directory/config.h"

#include <string.h>

/* A configuration that can be, to spoil one setting of. */
static DirectoryConfig *
good(void)
{
    DirectoryConfig *config = directory_config_new();

    config->servers = g_strsplit("ldaps://dc1.example.org ldap://192.0.2.1:3890 ldaps://[2001:db8::1]:636", " ", -1);
    config->base = g_strdup("dc=example,dc=org");
    config->service_dn = g_strdup("cn=carrel,dc=example,dc=org");
    config->service_password = g_strdup("secret");
    return config;
}

static void
set(char **setting, const char *value)
{
    g_free(*setting);
    *setting = g_strdup(value);
}

static void
expect(DirectoryConfig *config, const char *setting)
{
    g_autoptr(DirectoryConfig) tried = config;
    g_autoptr(GError) error = NULL;
    g_autofree char *start = g_strdup_printf("%s: ", setting);

    g_assert_false(directory_config_complete(tried, &error));
    g_assert_error(error, DIRECTORY_ERROR, DIRECTORY_ERROR_CONFIG);
    if (!g_str_has_prefix(error->message, start))
        g_error("“%s” should begin with %s", error->message, setting);
    g_assert_null(strstr(error->message, "secret"));
}

static void
test_good(void)
{
    g_autoptr(DirectoryConfig) config = good();
    g_autoptr(DirectoryConfig) active = good();
    g_autoptr(DirectoryConfig) copy = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(directory_config_complete(config, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(config->group_base, ==, config->base);
    g_assert_cmpstr(config->id_attribute, ==, "entryUUID");
    active->kind = DIRECTORY_KIND_ACTIVE;
    active->groups = DIRECTORY_GROUPS_NESTED;
    set(&active->service_dn, "carrel@example.org");
    g_assert_true(directory_config_complete(active, &error));
    g_assert_no_error(error);
    g_assert_nonnull(strstr(active->group_filter, "member:1.2.840.113556.1.4.1941:=%d"));
    copy = directory_config_copy(active);
    g_assert_true(directory_config_complete(copy, NULL)); /* what is complete stays so */
    g_assert_cmpstr(copy->group_filter, ==, active->group_filter);
}

static void
test_template(void)
{
    static const char *const fit[] = {"uid=%u,dc=example,dc=org", "%u@example.org", "EXAMPLE\\%u"};
    static const char *const unfit[] = {"", "anna", "uid=%u,", "uid=%s,dc=x", "uid=%u,=x", "%u@%d"};

    for (unsigned i = 0; i < G_N_ELEMENTS(fit) + G_N_ELEMENTS(unfit); i++) {
        DirectoryConfig *config = good();
        g_autoptr(GError) error = NULL;

        set(&config->service_dn, NULL);
        set(&config->service_password, NULL);
        set(&config->user_template, i < G_N_ELEMENTS(fit) ? fit[i] : unfit[i - G_N_ELEMENTS(fit)]);
        if (i >= G_N_ELEMENTS(fit)) {
            expect(config, "user_template");
            continue;
        }
        g_assert_true(directory_config_complete(config, &error));
        g_assert_no_error(error);
        directory_config_free(config);
    }
}

static void
test_servers(void)
{
    static const char *const unfit[] = {
        "",
        "dc1.example.org",
        "http://dc1",
        "ldapi:///",
        "ldapi://%2Ftmp%2Fx",
        "cldap://dc1",
        "ldaps://",
        "ldap:///",
        "ldaps://dc1/dc=x",
        "ldaps://dc1 ldap://dc2",
        "ldaps://dc1,dc2",
        "ldaps://dc1:port",
        "ldaps://dc1/??sub",
        "ldap://dc1/??base?(cn=a)",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(unfit); i++) {
        DirectoryConfig *config = good();
        g_free(config->servers[1]);
        config->servers[1] = g_strdup(unfit[i]);
        expect(config, "servers");
    }
    DirectoryConfig *none = good();
    g_clear_pointer(&none->servers, g_strfreev);
    expect(none, "servers");
    DirectoryConfig *many = good();
    g_strfreev(many->servers);
    many->servers =
        g_strsplit("ldap://a ldap://a ldap://a ldap://a ldap://a ldap://a ldap://a ldap://a ldap://a", " ", -1);
    expect(many, "servers");
}

static void
test_settings(void)
{
    static const struct {
        const char *name;
        size_t offset;
        const char *value;
    } cases[] = {
        {"ca", G_STRUCT_OFFSET(DirectoryConfig, ca), "/etc/ssl/ca.pem"},
        {"base", G_STRUCT_OFFSET(DirectoryConfig, base), NULL},
        {"base", G_STRUCT_OFFSET(DirectoryConfig, base), ""},
        {"base", G_STRUCT_OFFSET(DirectoryConfig, base), "example.org"},
        {"group_base", G_STRUCT_OFFSET(DirectoryConfig, group_base), "groups"},
        {"service_dn", G_STRUCT_OFFSET(DirectoryConfig, service_dn), NULL},
        {"service_dn", G_STRUCT_OFFSET(DirectoryConfig, service_dn), "carrel"},
        {"service_password", G_STRUCT_OFFSET(DirectoryConfig, service_password), NULL},
        {"service_password", G_STRUCT_OFFSET(DirectoryConfig, service_password), ""},
        {"user_template", G_STRUCT_OFFSET(DirectoryConfig, user_template),
         "uid=%u,dc=x"}, /* beside a service account */
        {"user_filter", G_STRUCT_OFFSET(DirectoryConfig, user_filter), "(uid=anna)"},
        {"user_filter", G_STRUCT_OFFSET(DirectoryConfig, user_filter), "(uid=%u"},
        {"user_filter", G_STRUCT_OFFSET(DirectoryConfig, user_filter), "(uid=%u)(cn=%d)"},
        {"user_filter", G_STRUCT_OFFSET(DirectoryConfig, user_filter), "(&(uid=%u)"},
        {"group_filter", G_STRUCT_OFFSET(DirectoryConfig, group_filter), "(member=)"},
        {"group_filter", G_STRUCT_OFFSET(DirectoryConfig, group_filter), "member=%d)"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        DirectoryConfig *config = good();
        set(G_STRUCT_MEMBER_P(config, cases[i].offset), cases[i].value);
        expect(config, cases[i].name);
    }
}

static void
test_rules(void)
{
    DirectoryConfig *config = good();

    config->groups = DIRECTORY_GROUPS_NESTED;
    expect(config, "groups");
    config = good();
    config->only_by_rule = true;
    expect(config, "only_by_rule");
    for (unsigned i = 0; i < 3; i++) {
        config = good();
        config->n_rules = 1;
        config->rules = g_new0(DirectoryRule, 1);
        config->rules[0] = (DirectoryRule){g_strdup(i == 0 ? "" : i == 1 ? "cn=a,," : "staff"), i == 2 ? 7 : 0, NULL};
        expect(config, "rules");
    }
    config = good();
    config->time = INT64_MAX;
    expect(config, "time");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/directory/config/good", test_good);
    g_test_add_func("/sign-in/directory/config/template", test_template);
    g_test_add_func("/sign-in/directory/config/servers", test_servers);
    g_test_add_func("/sign-in/directory/config/settings", test_settings);
    g_test_add_func("/sign-in/directory/config/rules", test_rules);
    return g_test_run();
}
