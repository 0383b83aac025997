/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords and second factors: one's own with the password, another's by an administrator. The user's other sessions end, by what
 * people.h remembers; the one in which somebody changes their own goes on.
 */
#include "appliance/daemon/calls/calls.h"
#include "appliance/daemon/calls/confirm.h"
#include "appliance/daemon/sight.h"
#include "appliance/sign-in/recovery.h"
#include "appliance/sign-in/totp.h"

#include <string.h>

typedef struct {
    char *user;
    SecretText *password; /* the new one */
    GVariant *answer;     /* what the call returns when the store has taken it; NULL: nothing */
    int64_t totp_step;    /* of the code that was shown, and used by that; TOTP_STEP_NONE: none was */
    bool kept;
} Change;

static void
change_free(void *data)
{
    Change *change = data;

    g_free(change->user);
    secret_text_free(change->password);
    g_clear_pointer(&change->answer, g_variant_unref);
    g_free(change);
}

static Change *
change_new(Call *call, const char *user)
{
    Change *change = g_new0(Change, 1);

    change->user = g_strdup(user);
    change->totp_step = TOTP_STEP_NONE;
    call->data = change;
    call->data_free = change_free;
    return change;
}

static void
done(GObject *source, GAsyncResult *result, gpointer data)
{
    Call *call = data;
    Change *change = call->data;
    g_autoptr(GError) error = NULL;
    g_auto(StoreAnswer) answer = {0};
    bool taken = store_submit_finish(result, &answer, &error);

    if (taken && change->totp_step != TOTP_STEP_NONE)
        commands_submit_own(
            call->daemon->commands, "user.use_totp",
            g_variant_new_parsed("{'user': <%s>, 'totp_step': <%x>}", change->user, (gint64)change->totp_step));
    people_let_go(call->daemon->people, change->user);
    daemon_sessions_changed(call->daemon);
    if (taken)
        call_return(call, change->answer ? g_variant_ref(change->answer) : NULL);
    else
        call_fail(call, error);
}

static void
submit(Call *call, const char *command, GVariant *fields)
{
    const Change *change = call->data;
    bool own = caller_is_user(call->caller, change->user);

    people_keep(call->daemon->people, change->user, own ? call->caller->session : NULL);
    commands_submit(call->daemon->commands, NULL, command, call->caller->actor, 0, fields, done, call);
}

/* --- passwords --- */

static void
hashed(void *data, const char *hash, const GError *error)
{
    Call *call = data;
    const Change *change = call->data;

    if (hash)
        submit(call, "user.set_password", g_variant_new_parsed("{'user': <%s>, 'password': <%s>}", change->user, hash));
    else
        call_fail(call, error);
}

static void
hash_password(Call *call)
{
    const Change *change = call->data;
    g_autoptr(GVariant) user = NULL;
    const char *name = "", *full_name = NULL, *source = "";

    if (!store_reader_get(call->daemon->reader, store_catalog_find_kind("user"), change->user, &user, NULL) || !user) {
        call_fail_not_found(call, "user");
        return;
    }
    g_variant_lookup(user, "name", "&s", &name);
    g_variant_lookup(user, "full_name", "&s", &full_name);
    g_variant_lookup(user, "source", "&s", &source);
    if (strcmp(source, "local"))
        call_fail_with(call, CARREL_ERROR_INVALID, "password: the directory has it: change it there");
    else
        sign_in_hash(people_sign_in(call->daemon->people), change->password, name, full_name,
                     (unsigned)call->daemon->config->password_characters, hashed, call);
}

/* Whom it is about, as the second argument says, if they may change that user's; else the call has failed. */
static Change *
begin_for_user(Call *call)
{
    g_autoptr(GError) error = NULL;
    const char *user;

    g_variant_get_child(call->arguments, 1, "&s", &user);
    if (caller_is_user(call->caller, user) || call->caller->role >= STORE_ROLE_ADMIN)
        return change_new(call, user);
    if (sight_check(call->daemon->reader, call->caller, store_catalog_find_kind("user"), user, &error))
        carrel_fail(&error, CARREL_ERROR_FORBIDDEN, "Only administrators do this for others.");
    call_fail(call, error);
    return NULL;
}

void
call_set_password(Call *call)
{
    Change *change = begin_for_user(call);
    const char *old;

    if (!change)
        return;
    g_variant_get_child(call->arguments, 2, "&s", &old);
    g_variant_get_child(call->arguments, 3, "s", &change->password);
    if (caller_is_user(call->caller, change->user))
        confirm_password(call, old, hash_password);
    else
        hash_password(call);
}

/* --- one-time codes --- */

static bool
has_user(Call *call)
{
    if (!call->caller->console)
        return true;
    call_fail_with(call, CARREL_ERROR_UNAVAILABLE, "The console is nobody who could have a second factor.");
    return false;
}

static void
make_secret(Call *call)
{
    Daemon *daemon = call->daemon;
    const char *secret = pending_secrets_make(daemon->secrets, call->caller->session, people_now(daemon->people));
    g_autoptr(SecretText) uri = totp_uri(secret, "Carrel", call->caller->name);

    call_return(call, g_variant_new("(ss)", secret, uri));
}

void
call_begin_totp(Call *call)
{
    const char *password;

    if (!has_user(call))
        return;
    g_variant_get_child(call->arguments, 1, "&s", &password);
    confirm_password(call, password, make_secret);
}

/* New recovery codes: to be shown in *codes, as; to be kept in the result, aa{sv}. */
static GVariant *
make_recovery(GVariant **codes)
{
    g_auto(GVariantBuilder) shown = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("as"));
    g_auto(GVariantBuilder) kept = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    for (unsigned i = 0; i < RECOVERY_CODES; i++) {
        g_autoptr(SecretText) code = recovery_code_new();
        g_autofree char *digest = recovery_code_digest(code);
        g_variant_builder_add(&shown, "s", code);
        g_variant_builder_add_parsed(&kept, "{'digest': <%s>}", digest);
    }
    *codes = g_variant_builder_end(&shown);
    return g_variant_builder_end(&kept);
}

void
call_confirm_totp(Call *call)
{
    Daemon *daemon = call->daemon;
    const char *secret, *code;
    GVariant *codes;

    if (!has_user(call))
        return;
    g_variant_get(call->arguments, "(&s&s&s)", NULL, &secret, &code);
    if (!pending_secrets_has(daemon->secrets, call->caller->session, secret, people_now(daemon->people))) {
        call_fail_with(call, CARREL_ERROR_INVALID, "secret: it was not shown here, or too long ago: begin again");
        return;
    }
    int64_t totp_step = totp_verify(secret, code, g_get_real_time() / G_USEC_PER_SEC, TOTP_STEP_NONE);
    if (totp_step < 0) {
        call_fail_with(call, CARREL_ERROR_INVALID, "code: it is not right. Is the clock of your phone?");
        return;
    }
    Change *change = change_new(call, call->caller->user);
    change->totp_step = totp_step;
    GVariant *recovery = make_recovery(&codes);
    change->answer = g_variant_ref_sink(g_variant_new("(@as)", codes));
    GVariant *fields =
        g_variant_new_parsed("{'user': <%s>, 'totp': <%s>, 'recovery': <%@aa{sv}>}", change->user, secret, recovery);
    g_variant_ref_sink(fields);
    pending_secrets_drop(daemon->secrets, call->caller->session);
    submit(call, "user.set_totp", fields);
    g_variant_unref(fields);
}

static void
remove_totp(Call *call)
{
    const Change *change = call->data;

    submit(call, "user.set_totp", g_variant_new_parsed("{'user': <%s>, 'totp': <''>}", change->user));
}

void
call_remove_totp(Call *call)
{
    const Change *change = begin_for_user(call);
    const char *password;

    if (!change)
        return;
    g_variant_get_child(call->arguments, 2, "&s", &password);
    if (caller_is_user(call->caller, change->user))
        confirm_password(call, password, remove_totp);
    else
        remove_totp(call);
}
