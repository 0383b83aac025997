/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file is written before the user is made: a host that loses its power in between makes both anew.
 */
#include "appliance/daemon/first_start.h"

#include "appliance/sign-in/password.h"
#include "appliance/sign-in/recovery.h"
#include "appliance/sign-in/secret.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GROUP "first administrator"

static char *
file_of(const DaemonConfig *config)
{
    return g_build_filename(config->state, "first-password", NULL);
}

/* --- commands, one after the other --- */

typedef struct {
    bool done, ok;
    GError **error;
} Waiting;

static void
answered(GObject *source, GAsyncResult *result, gpointer data)
{
    Waiting *waiting = data;
    g_auto(StoreAnswer) answer = {0};

    waiting->ok = store_submit_finish(result, &answer, waiting->error);
    waiting->done = true;
}

static bool
run(Commands *commands, const char *command, GVariant *fields, GError **error)
{
    Waiting waiting = {.error = error};

    commands_submit(commands, NULL, command, STORE_ACTOR_DAEMON, 0, fields, answered, &waiting);
    while (!waiting.done)
        g_main_context_iteration(NULL, TRUE);
    return waiting.ok;
}

/* --- what there is --- */

static bool
count(StoreReader *reader, const char *kind, int64_t *n, GError **error)
{
    const StoreQuery all = {.kind = store_catalog_find_kind(kind), .limit = 1};

    return store_reader_count(reader, &all, n, error);
}

static bool
add_host(const DaemonConfig *config, StoreReader *reader, Commands *commands, GError **error)
{
    g_autoptr(GVariant) there = NULL;

    return store_reader_get(reader, store_catalog_find_kind("host"), config->name, &there, error) &&
           (there || run(commands, "host.add", g_variant_new_parsed("{'host': <%s>}", config->name), error));
}

static bool
add_beginnings(Commands *commands, GError **error)
{
    g_autofree char *network = g_uuid_string_random();
    g_autofree char *policy = g_uuid_string_random();

    return run(commands, "network.create",
               g_variant_new_parsed("{'network': <%s>, 'name': <'Office'>, 'type': <'nat'>, "
                                    "'description': <'Behind the host, each desktop on its own'>}",
                                    network),
               error) &&
           run(commands, "policy.create",
               g_variant_new_parsed(
                   "{'policy': <%s>, 'name': <'Standard'>, 'clipboard': <'both'>, "
                   "'file_transfer': <'to-desktop'>, 'description': <'Copy and paste, bring files in'>}",
                   policy),
               error);
}

/* --- the administrator --- */

/* Of the form of a recovery code, which can be read off a screen and typed: 80 bits. */
static bool
keep_password(const char *path, const char *user, const char *password, const char *hash, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *mark = secret_digest(hash); /* by which it is known whether it is the password still */
    g_autofree char *text = NULL;

    g_key_file_set_string(file, GROUP, "mark", mark);
    g_key_file_set_string(file, GROUP, "name", FIRST_START_NAME);
    g_key_file_set_string(file, GROUP, "password", password);
    g_key_file_set_string(file, GROUP, "user", user);
    text = g_key_file_to_data(file, NULL, NULL);
    bool ok = g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                       0600, error);
    explicit_bzero(text, strlen(text));
    return ok;
}

static bool
add_admin(const DaemonConfig *config, Commands *commands, const char *path, GError **error)
{
    g_autofree char *user = g_uuid_string_random();
    g_autoptr(SecretText) password = recovery_code_new();
    g_autofree char *hash = password_hash(password, (unsigned)config->password_cost, error);

    return hash && keep_password(path, user, password, hash, error) &&
           run(commands, "user.create",
               g_variant_new_parsed("{'user': <%s>, 'name': <%s>, 'role': <'admin'>, 'password': <%s>}", user,
                                    FIRST_START_NAME, hash),
               error);
}

/* Whoever started the daemon by hand reads it at once; a log never has it. */
static void
say_password(const char *path)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *password = NULL;

    if (isatty(STDERR_FILENO) && g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL) &&
        (password = g_key_file_get_string(file, GROUP, "password", NULL)))
        fprintf(stderr, "\n    Sign in as “%s” with the password %s\n\n", FIRST_START_NAME, password);
}

bool
first_start(const DaemonConfig *config, StoreReader *reader, Commands *commands, char **said, GError **error)
{
    g_autofree char *path = file_of(config);
    int64_t users, networks;

    if (!add_host(config, reader, commands, error) || !count(reader, "user", &users, error) ||
        !count(reader, "network", &networks, error))
        return false;
    if (users)
        return true;
    if ((!networks && !add_beginnings(commands, error)) || !add_admin(config, commands, path, error))
        return false;
    say_password(path);
    *said = g_strdup_printf("sign in as “%s”; the password is in %s", FIRST_START_NAME, path);
    return true;
}

static bool
is_password_of(StoreReader *reader, const char *user, const char *mark)
{
    g_autoptr(GVariant) thing = NULL;
    const char *hash;

    if (!store_reader_get_secret(reader, store_catalog_find_kind("user"), user, &thing, NULL) || !thing ||
        !g_variant_lookup(thing, "password", "&s", &hash))
        return false;
    g_autofree char *digest = secret_digest(hash);
    return !g_strcmp0(digest, mark);
}

void
first_start_user_changed(const DaemonConfig *config, StoreReader *reader, const char *user)
{
    g_autofree char *path = file_of(config);
    g_autoptr(GKeyFile) file = g_key_file_new();

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
        return;
    g_autofree char *theirs = g_key_file_get_string(file, GROUP, "user", NULL);
    g_autofree char *mark = g_key_file_get_string(file, GROUP, "mark", NULL);
    if (!g_strcmp0(theirs, user) && !is_password_of(reader, user, mark) && !g_unlink(path))
        g_message("%s is removed: its password is not used any more", path);
}

bool
first_start_password_is_there(const DaemonConfig *config)
{
    g_autofree char *path = file_of(config);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}
