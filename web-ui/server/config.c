/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/config.h"

#include <stddef.h>
#include <string.h>

#define GROUP "web"

typedef enum { KEY_TEXT, KEY_TEXTS, KEY_NUMBER } KeyType;

/* The manual has each of them. */
static const struct {
    const char *name;
    KeyType type;
    size_t offset;
    const char *otherwise;
    unsigned min, max;
} keys[] = {
    {"listen", KEY_TEXTS, offsetof(WebConfig, listen), "443"},
    {"carreld", KEY_TEXT, offsetof(WebConfig, carreld), "/run/carrel/carreld.socket"},
    {"certificate", KEY_TEXT, offsetof(WebConfig, certificate), "/var/lib/carrel-web/certificate.pem"},
    {"key", KEY_TEXT, offsetof(WebConfig, key), "/var/lib/carrel-web/key.pem"},
    {"authority", KEY_TEXT, offsetof(WebConfig, authority), NULL},
    {"names", KEY_TEXTS, offsetof(WebConfig, names), ""},
    {"connections", KEY_NUMBER, offsetof(WebConfig, connections), "4096", 16, 100000},
    {"waiting-per-address", KEY_NUMBER, offsetof(WebConfig, waiting_per_address), "256", 4, 100000},
};

static bool
set_number(GKeyFile *file, unsigned i, unsigned *number, GError **error)
{
    g_autofree char *text = g_key_file_get_string(file, GROUP, keys[i].name, NULL);
    guint64 value;

    if (!g_ascii_string_to_unsigned(text ?: keys[i].otherwise, 10, keys[i].min, keys[i].max, &value, NULL)) {
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, "[" GROUP "] %s: it goes from %u to %u",
                    keys[i].name, keys[i].min, keys[i].max);
        return false;
    }
    *number = value;
    return true;
}

static bool
set_key(GKeyFile *file, unsigned i, WebConfig *config, GError **error)
{
    void *member = (char *)config + keys[i].offset;

    if (keys[i].type == KEY_NUMBER)
        return set_number(file, i, member, error);
    g_autofree char *text = g_key_file_get_string(file, GROUP, keys[i].name, NULL);
    const char *value = text ?: keys[i].otherwise;
    if (keys[i].type == KEY_TEXT)
        *(char **)member = g_strdup(value);
    else
        *(char ***)member = *value ? g_strsplit(value, ";", 64) : g_new0(char *, 1);
    return true;
}

static bool
is_key(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
        if (!strcmp(keys[i].name, name))
            return true;
    return false;
}

/* A word misspelt is not what somebody wanted. */
static bool
knows_all(GKeyFile *file, GError **error)
{
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);

    for (char **group = groups; *group; group++) {
        g_auto(GStrv) names = g_key_file_get_keys(file, *group, NULL, NULL);
        for (char **name = names; name && *name; name++) {
            if (!strcmp(*group, GROUP) && is_key(*name))
                continue;
            g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND,
                        "[%s] %s: there is no such key (carrel-web.conf(5))", *group, *name);
            return false;
        }
    }
    return true;
}

static bool
load_file(GKeyFile *file, const char *path, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (!path || g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &why) ||
        g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return knows_all(file, error);
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
}

WebConfig *
web_config_load(const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(WebConfig) config = g_new0(WebConfig, 1);

    if (!load_file(file, path, error)) {
        g_prefix_error(error, "%s: ", path);
        return NULL;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (!set_key(file, i, config, error)) {
            g_prefix_error(error, "%s: ", path);
            return NULL;
        }
    }
    return g_steal_pointer(&config);
}

void
web_config_free(WebConfig *config)
{
    if (!config)
        return;
    g_strfreev(config->listen);
    g_strfreev(config->names);
    g_free(config->carreld);
    g_free(config->certificate);
    g_free(config->key);
    g_free(config->authority);
    g_free(config);
}
