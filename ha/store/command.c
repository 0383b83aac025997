/* SPDX-License-Identifier: Apache-2.0 */
/* Commands in memory and as bytes. Only the envelope is looked at here; the fields are the catalog's (catalog.h). */
#include "ha/store/command.h"

#include "ha/store/error.h"
#include "ha/store/text.h"

#include <string.h>

#define VERSION 1
#define ENVELOPE "(yssssxxa{sv})"

StoreCommand *
store_command_new_full(const char *id, const char *name, const char *actor, const char *origin, int64_t time,
                       int64_t seen, GVariant *fields)
{
    StoreCommand *command = g_new(StoreCommand, 1);

    *command = (StoreCommand){
        .id = g_strdup(id),
        .name = g_strdup(name),
        .actor = g_strdup(actor),
        .origin = g_strdup(origin),
        .time = time,
        .seen = seen,
        .fields = g_variant_ref_sink(fields ? fields : g_variant_new("a{sv}", NULL)),
    };
    g_atomic_ref_count_init(&command->refs);
    return command;
}

StoreCommand *
store_command_new(const char *name, const char *actor, const char *origin, int64_t time, GVariant *fields)
{
    g_autofree char *id = g_uuid_string_random();

    return store_command_new_full(id, name, actor, origin, time, 0, fields);
}

StoreCommand *
store_command_ref(StoreCommand *command)
{
    g_atomic_ref_count_inc(&command->refs);
    return command;
}

void
store_command_unref(StoreCommand *command)
{
    if (!command || !g_atomic_ref_count_dec(&command->refs))
        return;
    g_free(command->id);
    g_free(command->name);
    g_free(command->actor);
    g_free(command->origin);
    g_variant_unref(command->fields);
    g_free(command);
}

/* The wire's byte order, from and to the host's. */
static GVariant *
little_endian(GVariant *value)
{
    return G_BYTE_ORDER == G_LITTLE_ENDIAN ? g_variant_ref(value) : g_variant_byteswap(value);
}

GBytes *
store_command_encode(const StoreCommand *command)
{
    g_autoptr(GVariant) envelope =
        g_variant_ref_sink(g_variant_new("(yssssxx@a{sv})", VERSION, command->id, command->name, command->actor,
                                         command->origin, command->time, command->seen, command->fields));
    g_autoptr(GVariant) normal = g_variant_get_normal_form(envelope);
    g_autoptr(GVariant) wire = little_endian(normal);

    return g_variant_get_data_as_bytes(wire);
}

static bool
malformed(GError **error, const char *what, const char *why)
{
    g_set_error(error, STORE_ERROR, STORE_ERROR_MALFORMED, "this is no command: %s%s", what, why);
    return false;
}

static bool
is_actor(const char *actor)
{
    g_autofree char *why = store_text_check_uuid(actor);

    return !why || !strcmp(actor, STORE_ACTOR_CONSOLE) || !strcmp(actor, STORE_ACTOR_DAEMON);
}

bool
store_command_check(const StoreCommand *command, GError **error)
{
    g_autofree char *id = store_text_check_uuid(command->id);
    g_autofree char *name = store_text_check_token(command->name, 1, 64);
    g_autofree char *origin = store_text_check_token(command->origin, 1, 64);

    if (id)
        return malformed(error, "the request's id: ", id);
    if (name)
        return malformed(error, "its name: ", name);
    if (!is_actor(command->actor))
        return malformed(error, "the actor is neither a user's id nor " STORE_ACTOR_CONSOLE " nor ",
                         STORE_ACTOR_DAEMON);
    if (origin)
        return malformed(error, "the host it came from: ", origin);
    if (command->time < 0 || command->seen < 0)
        return malformed(error, "a time or a revision is negative", "");
    return true;
}

/* The envelope of bytes in normal form; NULL for any others. */
static GVariant *
read_envelope(GBytes *bytes)
{
    if (g_bytes_get_size(bytes) > STORE_COMMAND_BYTES_MAX)
        return NULL;
    g_autoptr(GVariant) wire = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(ENVELOPE), bytes, FALSE));
    return g_variant_is_normal_form(wire) ? little_endian(wire) : NULL;
}

StoreCommand *
store_command_decode(GBytes *bytes, GError **error)
{
    g_autoptr(GVariant) envelope = read_envelope(bytes);
    const char *id, *name, *actor, *origin;
    gint64 time, seen;
    guint8 version;

    if (!envelope) {
        malformed(error, "its bytes are not in the form of one", "");
        return NULL;
    }
    g_variant_get_child(envelope, 0, "y", &version);
    if (version != VERSION) {
        malformed(error, "it is of a version that is not known here", "");
        return NULL;
    }
    g_autoptr(GVariant) fields = NULL;
    g_variant_get(envelope, "(y&s&s&s&sxx@a{sv})", NULL, &id, &name, &actor, &origin, &time, &seen, &fields);
    g_autoptr(StoreCommand) command = store_command_new_full(id, name, actor, origin, time, seen, fields);
    return store_command_check(command, error) ? g_steal_pointer(&command) : NULL;
}

const char *
store_command_text(const StoreCommand *command, const char *field)
{
    const char *text = NULL;

    g_variant_lookup(command->fields, field, "&s", &text);
    return text;
}

int64_t
store_command_number(const StoreCommand *command, const char *field, int64_t fallback)
{
    gint64 number = fallback;

    g_variant_lookup(command->fields, field, "x", &number);
    return number;
}
