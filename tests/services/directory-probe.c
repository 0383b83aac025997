/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs one user in by a directory, and prints who that is:
 *
 *     directory-probe CONFIG NAME < password
 *     directory-probe CONFIG --server N
 *
 * CONFIG is a key file with the names of DirectoryConfig's members in the group [directory] and one group [rule …] a rule.
 * What it prints is a key file too: the group [user] with the members of DirectoryUser, or [error] with code and message.
 */
#include "appliance/sign-in/directory/directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP "directory"

static char *
text(GKeyFile *file, const char *key)
{
    return g_key_file_get_string(file, GROUP, key, NULL);
}

static void
read_rules(GKeyFile *file, DirectoryConfig *config)
{
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);

    config->rules = g_new0(DirectoryRule, g_strv_length(groups));
    for (unsigned i = 0; groups[i]; i++) {
        if (!g_str_has_prefix(groups[i], "rule"))
            continue;
        DirectoryRule *rule = &config->rules[config->n_rules++];
        rule->group = g_key_file_get_string(file, groups[i], "group", NULL);
        rule->role = (SignInRole)g_key_file_get_integer(file, groups[i], "role", NULL);
        rule->becomes = g_key_file_get_string(file, groups[i], "becomes", NULL);
    }
}

static DirectoryConfig *
read_config(const char *path)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) error = NULL;
    DirectoryConfig *config = directory_config_new();

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &error))
        g_error("%s", error->message);
    config->kind = (DirectoryKind)g_key_file_get_integer(file, GROUP, "kind", NULL);
    config->servers = g_key_file_get_string_list(file, GROUP, "servers", NULL, NULL);
    config->ca = text(file, "ca");
    config->service_dn = text(file, "service_dn");
    config->service_password = text(file, "service_password");
    config->user_template = text(file, "user_template");
    config->base = text(file, "base");
    config->user_filter = text(file, "user_filter");
    config->groups = (DirectoryGroups)g_key_file_get_integer(file, GROUP, "groups", NULL);
    config->group_base = text(file, "group_base");
    config->group_filter = text(file, "group_filter");
    config->only_by_rule = g_key_file_get_boolean(file, GROUP, "only_by_rule", NULL);
    config->connect_time = g_key_file_get_int64(file, GROUP, "connect_time", NULL);
    config->time = g_key_file_get_int64(file, GROUP, "time", NULL);
    read_rules(file, config);
    return config;
}

static void
print(GKeyFile *answer)
{
    g_autofree char *data = g_key_file_to_data(answer, NULL, NULL);

    fputs(data, stdout);
}

static void
print_error(const GError *error)
{
    static const char *const codes[] = {"wrong",       "disabled",  "locked", "password-expired", "not-now",
                                        "no-group",    "ambiguous", "config", "unreachable",      "no-tls",
                                        "not-trusted", "service",   "answer"};
    g_autoptr(GKeyFile) answer = g_key_file_new();

    g_key_file_set_string(answer, "error", "code", codes[error->code]);
    g_key_file_set_string(answer, "error", "message", error->message);
    print(answer);
}

static void
print_user(const DirectoryUser *user)
{
    g_autoptr(GKeyFile) answer = g_key_file_new();

    g_key_file_set_string(answer, "user", "dn", user->dn);
    g_key_file_set_string(answer, "user", "id", user->id);
    g_key_file_set_string(answer, "user", "name", user->name);
    if (user->display_name)
        g_key_file_set_string(answer, "user", "display_name", user->display_name);
    g_key_file_set_string(answer, "user", "role", sign_in_role_name(user->role));
    g_key_file_set_string_list(answer, "user", "groups", (const char *const *)user->groups->pdata, user->groups->len);
    print(answer);
}

int
main(int argc, char **argv)
{
    g_autoptr(DirectoryConfig) config = read_config(argv[1]);
    g_autoptr(GError) error = NULL;
    g_autoptr(Directory) directory = directory_new(config, &error);
    g_autoptr(DirectoryUser) user = NULL;
    char password[512] = "";

    if (directory && argc == 4) {
        directory_try_server(directory, (unsigned)atoi(argv[3]), &error);
    } else if (directory) {
        password[fread(password, 1, sizeof(password) - 1, stdin)] = 0;
        user = directory_sign_in(directory, argv[2], password, &error);
    }
    if (error)
        print_error(error);
    else if (user)
        print_user(user);
    return 0;
}
