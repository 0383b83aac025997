/* SPDX-License-Identifier: Apache-2.0 */
#include "house.h"

#include <glib/gstdio.h>
#include <string.h>

House *
house_new(void)
{
    g_autoptr(GError) error = NULL;
    House *house = g_new0(House, 1);

    house->store = store_open_in_memory(&error);
    g_assert_no_error(error);
    house->reader = store_reader_of(house->store);
    house->time = 1700000000000000;
    return house;
}

void
house_free(House *house)
{
    store_reader_free(house->reader);
    store_free(house->store);
    g_free(house->result);
    g_free(house);
}

const char *
house_id(const char *name)
{
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, name, -1);
    g_autofree char *id =
        g_strdup_printf("%.8s-%.4s-4%.3s-8%.3s-%.12s", digest, digest + 8, digest + 12, digest + 15, digest + 18);

    return g_intern_string(id);
}

/* '$anna' becomes her id, quotes and all: a hashed password has dollar signs too. */
static char *
with_ids(const char *fields)
{
    GString *text = g_string_new(NULL);

    while (*fields) {
        size_t len = g_str_has_prefix(fields, "'$") ? strcspn(fields + 2, "$'") : 0;
        if (!len || fields[len + 2] != '\'') {
            g_string_append_c(text, *fields++);
            continue;
        }
        g_autofree char *name = g_strndup(fields + 2, len);
        g_string_append_printf(text, "'%s'", house_id(name));
        fields += len + 3;
    }
    return g_string_free(text, FALSE);
}

StoreCommand *
house_command(House *house, const char *name, const char *fields)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = with_ids(fields);
    GVariant *values = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    bool word = !house->actor || !strcmp(house->actor, STORE_ACTOR_DAEMON);
    const char *actor = !house->actor ? STORE_ACTOR_CONSOLE : word ? house->actor : house_id(house->actor);
    g_autofree char *id = g_uuid_string_random();

    g_assert_no_error(error);
    house->time += G_USEC_PER_SEC;
    StoreCommand *command = store_command_new_full(id, name, actor, "host1", house->time, house->seen, values);
    g_variant_unref(values);
    house->seen = 0;
    return command;
}

void
house_do(House *house, const char *name, const char *fields)
{
    g_autoptr(StoreCommand) command = house_command(house, name, fields);
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0};

    if (!store_apply(house->store, command, &answer, &error))
        g_error("%s %s: %s", name, fields, error->message);
    g_free(house->result);
    house->result = g_steal_pointer(&answer.result);
    house->sequence = answer.sequence;
}

void
house_refuse(House *house, int code, const char *says, const char *name, const char *fields)
{
    g_autoptr(StoreCommand) command = house_command(house, name, fields);
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0};

    if (store_apply(house->store, command, &answer, &error))
        g_error("%s %s: was done", name, fields);
    if (!g_error_matches(error, STORE_ERROR, code) || !strstr(error->message, says))
        g_error("%s %s: wanted %d “…%s…”, got %d “%s”", name, fields, code, says, error->code, error->message);
    g_assert_null(strchr(error->message, '\n'));
}

static GVariant *
read_thing(House *house, const char *kind, const char *thing)
{
    g_autoptr(GError) error = NULL;
    GVariant *found;

    store_reader_get(house->reader, store_catalog_find_kind(kind), *thing == '$' ? house_id(thing + 1) : thing, &found,
                     &error);
    g_assert_no_error(error);
    return found;
}

char *
house_column(House *house, const char *kind, const char *thing, const char *column)
{
    g_autoptr(GVariant) found = read_thing(house, kind, thing);
    g_autoptr(GVariant) value = found ? g_variant_lookup_value(found, column, NULL) : NULL;

    return value ? g_variant_print(value, FALSE) : found ? g_strdup("") : NULL;
}

bool
house_has(House *house, const char *kind, const char *thing)
{
    g_autoptr(GVariant) found = read_thing(house, kind, thing);

    return found;
}

House *
house_new_furnished(void)
{
    static const char *const furniture[][2] = {
        {"host.add", "{'host': <'host1'>}"},
        {"user.create", "{'user': <'$anna'>, 'name': <'anna'>, 'role': <'admin'>, 'password': <'$y$j9T$salt$hash'>}"},
        {"user.create", "{'user': <'$olaf'>, 'name': <'olaf'>, 'role': <'operator'>}"},
        {"user.create", "{'user': <'$uwe'>, 'name': <'uwe'>}"},
        {"group.create", "{'group': <'$group'>, 'name': <'Staff'>}"},
        {"group.add_member", "{'group': <'$group'>, 'user': <'$uwe'>}"},
        {"network.create", "{'network': <'$net'>, 'name': <'Office'>, 'type': <'nat'>}"},
        {"image.create", "{'image': <'$image'>, 'name': <'Debian'>, 'type': <'disk'>}"},
        {"image.settle", "{'image': <'$image'>, 'state': <'ready'>, 'size': <int64 1073741824>}"},
        {"image.create", "{'image': <'$iso'>, 'name': <'Installer'>, 'type': <'iso'>}"},
        {"image.settle", "{'image': <'$iso'>, 'state': <'ready'>, 'size': <int64 1048576>}"},
        {"policy.create", "{'policy': <'$policy'>, 'name': <'Careful'>}"},
        {"template.create",
         "{'template': <'$template'>, 'name': <'Office PC'>, 'memory': <int64 2048>, 'vcpus': <int64 2>, "
         "'disks': <[{'type': <'disk'>, 'image': <'$image'>}]>, 'nics': <[{'network': <'$net'>}]>}"},
        {"pool.create", "{'pool': <'$pool'>, 'name': <'Everybody'>, 'template': <'$template'>, 'type': <'persistent'>, "
                        "'size': <int64 2>, 'policy': <'$policy'>}"},
        {"desktop.create",
         "{'desktop': <'$desktop'>, 'name': <'Reception'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}"},
    };
    House *house = house_new();

    house->actor = STORE_ACTOR_DAEMON;
    for (unsigned i = 0; i < G_N_ELEMENTS(furniture); i++)
        house_do(house, furniture[i][0], furniture[i][1]);
    house->actor = NULL;
    return house;
}

char *
house_folder(void)
{
    g_autoptr(GError) error = NULL;
    char *folder = g_dir_make_tmp("store-XXXXXX", &error);

    g_assert_no_error(error);
    return folder;
}

void
house_forget_folder(char *folder)
{
    g_autoptr(GDir) entries = g_dir_open(folder, 0, NULL);

    for (const char *name; (name = g_dir_read_name(entries));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_assert_no_errno(g_unlink(path));
    }
    g_assert_no_errno(g_rmdir(folder));
    g_free(folder);
}

void
house_refuse_file(const char *path, int code, const char *says)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *before = NULL, *after = NULL;
    gsize len_before, len_after;

    g_assert_true(g_file_get_contents(path, &before, &len_before, NULL));
    g_assert_null(store_open(path, &error));
    g_assert_error(error, STORE_ERROR, code);
    if (!strstr(error->message, says))
        g_error("wanted “…%s…”, got “%s”", says, error->message);
    g_assert_true(g_file_get_contents(path, &after, &len_after, NULL));
    g_assert_cmpmem(before, len_before, after, len_after);
}
