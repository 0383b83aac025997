/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing in a command. Whether the actor may, the store decides, in the command's transaction. Here it is only seen to that the answer
 * does not tell what they must not know, and that what has a call of its own does not go past it.
 */
#include "appliance/daemon/calls/calls.h"

#include "appliance/daemon/sight.h"

#include <string.h>

typedef struct {
    const StoreCommandKind *kind;
    char *request;
    gint64 seen;
    GVariant *fields;
    bool keeps; /* people_keep() is to be undone */
} Submission;

static void
submission_free(void *data)
{
    Submission *submission = data;

    g_free(submission->request);
    g_clear_pointer(&submission->fields, g_variant_unref);
    g_free(submission);
}

static const char *
text_of(GVariant *fields, const char *field)
{
    const char *text = NULL;

    g_variant_lookup(fields, field, "&s", &text);
    return text;
}

static bool
is_command(const Submission *submission, const char *name)
{
    return !strcmp(submission->kind->name, name);
}

/* One's own password and second factor want the old password first. */
static bool
goes_this_way(const Call *call, const Submission *submission, GError **error)
{
    if (is_command(submission, "user.set_totp"))
        return carrel_fail(error, CARREL_ERROR_FORBIDDEN, "A second factor is set by whoever has it in hand.");
    if (is_command(submission, "user.set_password") &&
        caller_is_user(call->caller, text_of(submission->fields, "user")))
        return carrel_fail(error, CARREL_ERROR_FORBIDDEN,
                           "One's own password is changed by whoever knows the old one.");
    return true;
}

/* Whoever may do it to their own alone: others' are not there. A field that is missing, the store complains of. */
static bool
is_there_for_them(const Call *call, const Submission *submission, GError **error)
{
    const StoreCommandKind *kind = submission->kind;
    const char *user = text_of(submission->fields, "user");
    const char *thing = kind->kind ? text_of(submission->fields, kind->kind->name) : NULL;

    if (call->caller->role >= kind->role || kind->own == STORE_OWN_NOTHING)
        return true;
    return (!user || sight_check(call->daemon->reader, call->caller, store_catalog_find_kind("user"), user, error)) &&
           (!thing || sight_check(call->daemon->reader, call->caller, kind->kind, thing, error));
}

static void
submitted(GObject *source, GAsyncResult *result, gpointer data)
{
    Call *call = data;
    Submission *submission = call->data;
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0};
    g_auto(GVariantDict) more = G_VARIANT_DICT_INIT(NULL);
    bool done = store_submit_finish(result, &answer, &error);

    if (submission->keeps)
        people_let_go(call->daemon->people, text_of(submission->fields, "user"));
    if (!done) {
        call_fail(call, error);
        return;
    }
    if (answer.result)
        g_variant_dict_insert(&more, "id", "s", answer.result);
    g_variant_dict_insert(&more, "repeated", "b", answer.repeated);
    call_return(call, g_variant_new("(x@a{sv})", answer.sequence, g_variant_dict_end(&more)));
}

static void
submit(Call *call)
{
    Submission *submission = call->data;
    const char *user = text_of(submission->fields, "user");

    if (is_command(submission, "user.set_password") && user) {
        submission->keeps = true;
        people_keep(call->daemon->people, user, NULL);
    }
    commands_submit(call->daemon->commands, *submission->request ? submission->request : NULL, submission->kind->name,
                    call->caller->actor, submission->seen, submission->fields, submitted, call);
}

/*
 * --- passwords ---
 *
 * Hashing costs the host a second of a processor, and its rules look at whom the password is for: not for those whose command will be
 * refused.
 */

static void
hashed(void *data, const char *hash, const GError *error)
{
    Call *call = data;
    Submission *submission = call->data;

    if (!hash) {
        call_fail(call, error);
        return;
    }
    g_auto(GVariantDict) fields = G_VARIANT_DICT_INIT(submission->fields);
    g_variant_dict_insert(&fields, "password", "s", hash);
    g_variant_unref(submission->fields);
    submission->fields = g_variant_ref_sink(g_variant_dict_end(&fields));
    submit(call);
}

/* What the user is called, who may not have been made yet. */
static char *
name_of_user(Call *call, GVariant *fields, const char *field)
{
    g_autoptr(GVariant) user = NULL;
    const char *id = text_of(fields, "user");

    if (text_of(fields, field))
        return g_strdup(text_of(fields, field));
    if (!id || !store_reader_get(call->daemon->reader, store_catalog_find_kind("user"), id, &user, NULL) || !user)
        return NULL;
    return g_strdup(text_of(user, field));
}

static void
hash(Call *call, const char *password)
{
    Submission *submission = call->data;
    g_autofree char *name = name_of_user(call, submission->fields, "name");
    g_autofree char *full_name = name_of_user(call, submission->fields, "full_name");

    sign_in_hash(people_sign_in(call->daemon->people), password, name ? name : "", full_name,
                 (unsigned)call->daemon->config->password_characters, hashed, call);
}

static bool
has_password(const StoreCommandKind *kind)
{
    const StoreField *field = store_field_find(kind->fields, "password");

    return field && field->type == STORE_FIELD_HASH;
}

void
call_submit(Call *call)
{
    Submission *submission = g_new0(Submission, 1);
    g_autoptr(GError) error = NULL;
    const char *name;

    call->data = submission;
    call->data_free = submission_free;
    g_variant_get(call->arguments, "(&ss&sx@a{sv})", NULL, &submission->request, &name, &submission->seen,
                  &submission->fields);
    submission->kind = store_catalog_find(name);
    if (!submission->kind) {
        call_fail_with(call, CARREL_ERROR_INVALID, "command: there is no such command");
        return;
    }
    if (!goes_this_way(call, submission, &error) || !is_there_for_them(call, submission, &error)) {
        call_fail(call, error);
        return;
    }
    const char *password = has_password(submission->kind) ? text_of(submission->fields, "password") : NULL;
    if (password && call->caller->role < submission->kind->role)
        call_fail_with(call, CARREL_ERROR_FORBIDDEN, "This is not for you to do: ask an administrator.");
    else if (password)
        hash(call, password);
    else
        submit(call);
}
