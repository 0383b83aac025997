/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/command/client.h"

#include "ha/store/catalog.h"

#include <string.h>

#define SOCKET_PATH "/run/carrel/carreld.socket"
#define OBJECT_PATH "/org/carrel/Host1"
#define INTERFACE "org.carrel.Host1"
#define PAGE 500
/* Some calls wait for a desktop: its life may hang on no time-out of ours. */
#define PATIENCE_MS G_MAXINT

G_DEFINE_QUARK(carrel - cli - error - quark, cli_error)

static const struct {
    const char *name; /* behind org.carrel.Error. */
    CliExit exit;
} remote_errors[] = {
    {"SignIn", CLI_NOT_ALLOWED},      {"NotSignedIn", CLI_NOT_ALLOWED}, {"Forbidden", CLI_NOT_ALLOWED},
    {"NotFound", CLI_NOT_FOUND},      {"Invalid", CLI_INVALID},         {"InUse", CLI_CONFLICT},
    {"Changed", CLI_CONFLICT},        {"Full", CLI_UNAVAILABLE},        {"Busy", CLI_UNAVAILABLE},
    {"Unavailable", CLI_UNAVAILABLE},
};

bool
cli_fail(GError **error, CliExit code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *sentence = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, CLI_ERROR, code, sentence);
    return false;
}

CliExit
cli_exit_of(const GError *error)
{
    if (error->domain == CLI_ERROR)
        return error->code;
    g_autofree char *name = g_dbus_error_get_remote_error(error);
    for (size_t i = 0; name && i < G_N_ELEMENTS(remote_errors); i++)
        if (g_str_has_prefix(name, "org.carrel.Error.") &&
            !strcmp(name + strlen("org.carrel.Error."), remote_errors[i].name))
            return remote_errors[i].exit;
    return CLI_FAILED;
}

char *
cli_sentence_of(const GError *error)
{
    g_autoptr(GError) copy = g_error_copy(error);

    g_dbus_error_strip_remote_error(copy);
    return g_strdup(copy->message);
}

char *
cli_token_path(void)
{
    const char *path = g_getenv("CARREL_TOKEN_FILE");
    return path ? g_strdup(path) : g_build_filename(g_get_user_config_dir(), "carrel", "token", NULL);
}

static char *
read_token(void)
{
    g_autofree char *path = cli_token_path(), *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) ? g_strdup(g_strstrip(text)) : g_strdup("");
}

CliClient *
cli_client_new(const char *socket, GError **error)
{
    const char *path = socket ? socket : g_getenv("CARREL_SOCKET") ? g_getenv("CARREL_SOCKET") : SOCKET_PATH;
    g_autofree char *escaped = g_dbus_address_escape_value(path);
    g_autofree char *address = g_strdup_printf("unix:path=%s", escaped);
    g_autoptr(GError) inner = NULL;
    g_autoptr(GDBusConnection) bus = g_dbus_connection_new_for_address_sync(
        address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &inner);

    if (!bus) {
        cli_fail(error, CLI_NO_DAEMON,
                 "carreld does not answer at %s (%s): is it running (systemctl status carreld), and are you root?",
                 path, inner->message);
        return NULL;
    }
    CliClient *client = g_new0(CliClient, 1);
    client->bus = g_steal_pointer(&bus);
    client->token = read_token();
    client->labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return client;
}

void
cli_client_free(CliClient *client)
{
    if (!client)
        return;
    g_dbus_connection_close_sync(client->bus, NULL, NULL);
    g_object_unref(client->bus);
    g_hash_table_unref(client->labels);
    g_free(client->token);
    g_free(client);
}

GVariant *
cli_call(CliClient *client, const char *method, GVariant *arguments, GUnixFDList **fds, GError **error)
{
    return g_dbus_connection_call_with_unix_fd_list_sync(client->bus, NULL, OBJECT_PATH, INTERFACE, method, arguments,
                                                         NULL, G_DBUS_CALL_FLAGS_NONE, PATIENCE_MS, NULL, fds, NULL,
                                                         error);
}

/* Hosts and settings are called by their ids. */
static bool
has_names(const char *kind)
{
    const StoreKind *found = store_catalog_find_kind(kind);
    return found && strcmp(found->label, "id");
}

GVariant *
cli_get(CliClient *client, const char *kind, const char *word, GError **error)
{
    bool id = !has_names(kind) || g_uuid_string_is_valid(word);
    g_autofree char *name = id ? g_strdup(word) : g_strdup_printf("name:%s", word);
    g_autoptr(GError) inner = NULL;
    g_autoptr(GVariant) answer =
        cli_call(client, "Get", g_variant_new("(sss)", client->token, kind, name), NULL, &inner);

    if (answer)
        return g_variant_get_child_value(answer, 0);
    if (cli_exit_of(inner) == CLI_NOT_FOUND)
        cli_fail(error, CLI_NOT_FOUND, "there is no %s “%s”", kind, word);
    else
        g_propagate_error(error, g_steal_pointer(&inner));
    return NULL;
}

char *
cli_find(CliClient *client, const char *kind, const char *word, GError **error)
{
    g_autoptr(GVariant) thing = NULL;
    char *id = NULL;

    if (!has_names(kind) || g_uuid_string_is_valid(word))
        return g_strdup(word);
    thing = cli_get(client, kind, word, error);
    if (thing && !g_variant_lookup(thing, "id", "s", &id))
        cli_fail(error, CLI_FAILED, "carreld says of the %s “%s” no id", kind, word);
    return id;
}

const char *
cli_label(CliClient *client, const char *kind, const char *id)
{
    g_autofree char *key = g_strdup_printf("%s %s", kind, id);
    const char *known = g_hash_table_lookup(client->labels, key);
    char *label = NULL;

    if (known)
        return known;
    g_autoptr(GVariant) thing = has_names(kind) ? cli_get(client, kind, id, NULL) : NULL;
    if (!thing || !g_variant_lookup(thing, "name", "s", &label))
        label = g_strdup(id);
    g_hash_table_insert(client->labels, g_steal_pointer(&key), label);
    return label;
}

static GVariant *
make_query(const CliNarrow *narrow, const char *after, unsigned limit)
{
    GVariantBuilder query;

    g_variant_builder_init(&query, G_VARIANT_TYPE_VARDICT);
    if (narrow->filter)
        g_variant_builder_add(&query, "{sv}", "filter", g_variant_new_string(narrow->filter));
    if (narrow->filter && narrow->value)
        g_variant_builder_add(&query, "{sv}", "value", g_variant_new_string(narrow->value));
    if (narrow->search)
        g_variant_builder_add(&query, "{sv}", "search", g_variant_new_string(narrow->search));
    if (*after)
        g_variant_builder_add(&query, "{sv}", "after", g_variant_new_string(after));
    g_variant_builder_add(&query, "{sv}", "limit", g_variant_new_uint32(limit));
    return g_variant_builder_end(&query);
}

GPtrArray *
cli_list(CliClient *client, const char *kind, const CliNarrow *narrow, unsigned limit, GError **error)
{
    g_autoptr(GPtrArray) things = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    g_autofree char *after = g_strdup("");

    do {
        unsigned want = limit ? MIN(limit - things->len, PAGE) : PAGE;
        GVariant *arguments = g_variant_new("(ss@a{sv})", client->token, kind, make_query(narrow, after, want));
        g_autoptr(GVariant) answer = cli_call(client, "List", arguments, NULL, error), page = NULL;
        if (!answer)
            return NULL;
        g_clear_pointer(&after, g_free);
        g_variant_get(answer, "(@aa{sv}sx)", &page, &after, NULL);
        for (gsize i = 0; i < g_variant_n_children(page); i++)
            g_ptr_array_add(things, g_variant_get_child_value(page, i));
    } while (*after && (!limit || things->len < limit));
    return g_steal_pointer(&things);
}
