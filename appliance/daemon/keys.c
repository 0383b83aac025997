/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/keys.h"

#include <string.h>

const DaemonKeyGroup *
daemon_keys_find_group(const DaemonKeyGroup *groups, const char *name)
{
    for (; groups->name; groups++)
        if (!strcmp(groups->name, name))
            return groups;
    return NULL;
}

static bool
wrong(GError **error, const char *group, const char *key, const char *why)
{
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, "[%s] %s: %s", group, key, why);
    return false;
}

static bool
read_number(const DaemonKey *key, const char *text, const char *group, int64_t *number, GError **error)
{
    if (g_ascii_string_to_signed(text, 10, key->min, key->max, number, NULL))
        return true;
    g_autofree char *why =
        g_strdup_printf("“%s” is no number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, text, key->min, key->max);
    return wrong(error, group, key->name, why);
}

static bool
read_bool(const DaemonKey *key, const char *text, const char *group, bool *yes, GError **error)
{
    if (strcmp(text, "true") && strcmp(text, "false"))
        return wrong(error, group, key->name, "it is true or false");
    *yes = !strcmp(text, "true");
    return true;
}

static bool
read_word(const DaemonKey *key, const char *text, const char *group, int *place, GError **error)
{
    for (int i = 0; key->words[i]; i++)
        if (!strcmp(key->words[i], text)) {
            *place = i;
            return true;
        }
    g_autofree char *words = g_strjoinv(", ", (char **)key->words);
    g_autofree char *why = g_strdup_printf("“%s” is none of %s", text, words);
    return wrong(error, group, key->name, why);
}

static bool
read_ports(const DaemonKey *key, GKeyFile *file, const char *group, uint16_t **ports, GError **error)
{
    gsize n;
    g_auto(GStrv) texts = g_key_file_get_string_list(file, group, key->name, &n, error);
    g_autofree uint16_t *read = texts ? g_new0(uint16_t, n + 1) : NULL;

    for (gsize i = 0; texts && i < n; i++) {
        guint64 port;
        if (!g_ascii_string_to_unsigned(g_strstrip(texts[i]), 10, 1, UINT16_MAX, &port, NULL)) {
            g_autofree char *why = g_strdup_printf("“%s” is no port, from 1 to 65535", texts[i]);
            return wrong(error, group, key->name, why);
        }
        read[i] = (uint16_t)port;
    }
    *ports = g_steal_pointer(&read);
    return *ports;
}

static bool
take(const DaemonKey *key, GKeyFile *file, const char *group, const char *text, void *member, GError **error)
{
    switch (key->type) {
    case DAEMON_KEY_NUMBER:
        return read_number(key, text, group, member, error);
    case DAEMON_KEY_BOOL:
        return read_bool(key, text, group, member, error);
    case DAEMON_KEY_WORD:
        return read_word(key, text, group, member, error);
    case DAEMON_KEY_LIST:
        *(char ***)member = g_key_file_get_string_list(file, group, key->name, NULL, error);
        return *(char ***)member;
    case DAEMON_KEY_PORTS:
        return read_ports(key, file, group, member, error);
    case DAEMON_KEY_PATH:
        if (!g_path_is_absolute(text))
            return wrong(error, group, key->name, "it is a path that begins with /");
        break;
    case DAEMON_KEY_TEXT:
        break;
    }
    *(char **)member = g_strdup(text);
    return true;
}

static bool
read_key(const DaemonKey *key, GKeyFile *file, const char *group, void *into, GError **error)
{
    bool given = g_key_file_has_key(file, group, key->name, NULL);
    g_autofree char *text = given ? g_key_file_get_string(file, group, key->name, error) : g_strdup(key->fallback);

    if (!text)
        return !given;
    if (!*text)
        return wrong(error, group, key->name, "it is empty");
    return take(key, file, group, text, (char *)into + key->offset, error);
}

static bool
is_known(const DaemonKey *keys, const char *name)
{
    for (; keys->name; keys++)
        if (!strcmp(keys->name, name))
            return true;
    return false;
}

bool
daemon_keys_read(const DaemonKey *keys, GKeyFile *file, const char *group, void *into, GError **error)
{
    g_auto(GStrv) names = g_key_file_get_keys(file, group, NULL, NULL);

    for (char **name = names; name && *name; name++)
        if (!is_known(keys, *name))
            return wrong(error, group, *name, "there is no such key");
    for (const DaemonKey *key = keys; key->name; key++)
        if (!read_key(key, file, group, into, error))
            return false;
    return true;
}

void
daemon_keys_clear(const DaemonKey *keys, void *from)
{
    for (const DaemonKey *key = keys; key->name; key++) {
        void *member = (char *)from + key->offset;
        if (key->type == DAEMON_KEY_TEXT || key->type == DAEMON_KEY_PATH)
            g_clear_pointer((char **)member, g_free);
        else if (key->type == DAEMON_KEY_PORTS)
            g_clear_pointer((uint16_t **)member, g_free);
        else if (key->type == DAEMON_KEY_LIST)
            g_clear_pointer((char ***)member, g_strfreev);
    }
}
