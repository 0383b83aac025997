/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in: the name and the password, then the code. */
#include "appliance/daemon/calls/calls.h"
#include "appliance/daemon/calls/client.h"

static CarrelError
code_of(SignInReason reason)
{
    switch (reason) {
    case SIGN_IN_REASON_TOO_MANY:
    case SIGN_IN_REASON_BUSY:
        return CARREL_ERROR_BUSY;
    case SIGN_IN_REASON_DIRECTORY:
        return CARREL_ERROR_UNAVAILABLE;
    default:
        return CARREL_ERROR_SIGN_IN;
    }
}

static void
refuse(Call *call, const SignInResult *result)
{
    g_autofree char *sentence = g_strdup(sign_in_reason_sentence(result->reason));

    if (result->wait) {
        g_autofree char *with_wait = g_strdup_printf("%s (%d s)", sentence, (int)(result->wait / G_USEC_PER_SEC) + 1);
        call_fail_with(call, CARREL_ERROR_BUSY, with_wait);
    } else {
        call_fail_with(call, code_of(result->reason), sentence);
    }
}

static void
note_session(Call *call, const SignInResult *result)
{
    people_session_began(call->daemon->people, result->user_id);
    daemon_sessions_changed(call->daemon);
}

static void
password_done(void *data, SignInResult *result)
{
    Call *call = data;

    if (result->reason == SIGN_IN_REASON_CODE_WANTED) {
        call_return(call, g_variant_new("(ss)", result->token, "code"));
    } else if (result->reason == SIGN_IN_REASON_NONE) {
        note_session(call, result);
        call_return(call, g_variant_new("(ss)", result->token, ""));
    } else {
        refuse(call, result);
    }
}

void
call_sign_in(Call *call)
{
    const char *name, *password;
    g_autoptr(GVariant) client = NULL;
    SignInAttempt attempt = {0};

    g_variant_get(call->arguments, "(&s&s@a{sv})", &name, &password, &client);
    client_read(client, call->peer, &attempt);
    attempt.name = name;
    sign_in_by_password(people_sign_in(call->daemon->people), &attempt, password, password_done, call);
}

static void
code_done(void *data, SignInResult *result)
{
    Call *call = data;

    if (result->reason != SIGN_IN_REASON_NONE) {
        refuse(call, result);
        return;
    }
    note_session(call, result);
    call_return(call, g_variant_new("(s)", result->token));
}

void
call_sign_in_code(Call *call)
{
    const char *challenge, *code;
    g_autoptr(GVariant) client = NULL;
    SignInAttempt attempt = {0};

    g_variant_get(call->arguments, "(&s&s@a{sv})", &challenge, &code, &client);
    client_read(client, call->peer, &attempt);
    sign_in_by_code(people_sign_in(call->daemon->people), &attempt, challenge, code, code_done, call);
}
