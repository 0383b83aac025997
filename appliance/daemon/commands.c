/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/commands.h"

#include "ha/store/error.h"
#include "ha/store/text.h"

struct Commands {
    StoreSubmitter *submitter;
    char *host;
    unsigned under_way;
};

typedef struct {
    Commands *commands;
    GAsyncReadyCallback callback;
    void *data;
} Waiting;

Commands *
commands_new(Store *store, const char *host, StoreListener listener, void *data)
{
    Commands *commands = g_new0(Commands, 1);

    commands->host = g_strdup(host);
    commands->submitter = store_submitter_new_alone(store, listener, data);
    return commands;
}

void
commands_finish(Commands *commands)
{
    while (commands->under_way)
        g_main_context_iteration(NULL, TRUE);
}

void
commands_free(Commands *commands)
{
    if (!commands)
        return;
    g_assert(!commands->under_way);
    store_submitter_free(commands->submitter);
    g_free(commands->host);
    g_free(commands);
}

static void
answered(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Waiting *waiting = data;

    waiting->commands->under_way--;
    waiting->callback(source, result, waiting->data);
}

void
commands_submit(Commands *commands, const char *request, const char *name, const char *actor, int64_t seen,
                GVariant *fields, GAsyncReadyCallback callback, void *data)
{
    g_autofree char *new_request = request ? NULL : g_uuid_string_random();
    g_autoptr(StoreCommand) command = store_command_new_full(request ? request : new_request, name, actor,
                                                             commands->host, g_get_real_time(), seen, fields);
    Waiting *waiting = g_new(Waiting, 1);

    *waiting = (Waiting){commands, callback, data};
    commands->under_way++;
    store_submit(commands->submitter, command, NULL, answered, waiting);
}

static void
own_done(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree char *name = data;
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0};

    if (!store_submit_finish(result, &answer, &error))
        g_warning("the store does not take %s: %s", name, error->message);
}

void
commands_submit_own(Commands *commands, const char *name, GVariant *fields)
{
    commands_submit(commands, NULL, name, STORE_ACTOR_DAEMON, 0, fields, own_done, g_strdup(name));
}

static void
add_line(GVariantBuilder *fields, const char *field, const char *text, int64_t max)
{
    g_autofree char *wrong = text && *text ? store_text_check_line(text, 1, max) : NULL;

    if (text && *text && !wrong)
        g_variant_builder_add(fields, "{sv}", field, g_variant_new_string(text));
}

static void
add_id(GVariantBuilder *fields, const char *field, const char *id)
{
    if (id)
        g_variant_builder_add(fields, "{sv}", field, g_variant_new_string(id));
}

void
commands_note(Commands *commands, const CommandsNote *note)
{
    g_auto(GVariantBuilder) fields = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

    g_variant_builder_add(&fields, "{sv}", "event", g_variant_new_string(note->event));
    add_line(&fields, "name", note->name, 128);
    add_id(&fields, "user", note->user);
    add_id(&fields, "desktop", note->desktop);
    add_line(&fields, "address", note->address, 128);
    add_line(&fields, "detail", note->detail, 512);
    commands_submit_own(commands, "audit.note", g_variant_builder_end(&fields));
}
