/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in and out, passwords and second factors. Tokens go to browsers as cookies, to scripts in the answer. */
#include "web-ui/server/api/handlers.h"

#include "web-ui/server/api/api.h"

#include <string.h>

static const char *
client_kind(ApiCall *call)
{
    const char *kind = api_body_text(call, "client");

    return *kind ? kind : "web";
}

static void
answer_signed_in(ApiCall *call, const char *token)
{
    g_auto(GVariantBuilder) answer = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

    g_variant_builder_add(&answer, "{sv}", "step", g_variant_new_string("done"));
    if (!strcmp(client_kind(call), "web"))
        session_set_cookie(soup_server_message_get_response_headers(call->message), token);
    else
        g_variant_builder_add(&answer, "{sv}", "token", g_variant_new_string(token));
    api_answer_value(call, SOUP_STATUS_CREATED, g_variant_builder_end(&answer));
}

static void
on_signed_in(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    const char *token, *step;

    g_variant_get(reply, "(&s&s)", &token, &step);
    if (!*step) {
        answer_signed_in(call, token);
        return;
    }
    g_auto(GVariantBuilder) answer = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&answer, "{sv}", "step", g_variant_new_string(step));
    g_variant_builder_add(&answer, "{sv}", "challenge", g_variant_new_string(token));
    api_answer_value(call, SOUP_STATUS_OK, g_variant_builder_end(&answer));
}

void
handle_sign_in(ApiCall *call)
{
    api_call_host(call, "SignIn",
                  g_variant_new("(ss@a{sv})", api_body_text(call, "name"), api_body_text(call, "password"),
                                api_client(call, client_kind(call))),
                  on_signed_in);
}

static void
on_code_taken(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    const char *token;

    g_variant_get(reply, "(&s)", &token);
    answer_signed_in(call, token);
}

void
handle_sign_in_code(ApiCall *call)
{
    api_call_host(call, "SignInCode",
                  g_variant_new("(ss@a{sv})", api_body_text(call, "challenge"), api_body_text(call, "code"),
                                api_client(call, client_kind(call))),
                  on_code_taken);
}

void
handle_session(ApiCall *call)
{
    api_call_host(call, "GetSession", g_variant_new("(s)", call->session), api_answer_first);
}

static void
on_signed_out(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    if (call->by_cookie)
        session_set_cookie(soup_server_message_get_response_headers(call->message), NULL);
    api_answer_nothing(call, SOUP_STATUS_NO_CONTENT);
}

void
handle_sign_out(ApiCall *call)
{
    api_call_host(call, "SignOut", g_variant_new("(s)", call->session), on_signed_out);
}

void
handle_sessions(ApiCall *call)
{
    api_call_host(call, "ListSessions", g_variant_new("(s)", call->session), api_answer_items);
}

void
handle_end_session(ApiCall *call)
{
    api_call_host(call, "EndSession", g_variant_new("(ss)", call->session, call->parameters[0]), api_answer_done);
}

void
handle_set_password(ApiCall *call)
{
    api_call_host(call, "SetPassword",
                  g_variant_new("(ssss)", call->session, call->parameters[0], api_body_text(call, "old"),
                                api_body_text(call, "new")),
                  api_answer_done);
}

static void
on_totp_begun(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    const char *secret, *uri;

    g_variant_get(reply, "(&s&s)", &secret, &uri);
    api_answer_value(call, SOUP_STATUS_OK, g_variant_new_parsed("{'secret': %s, 'uri': %s}", secret, uri));
}

void
handle_begin_totp(ApiCall *call)
{
    api_call_host(call, "BeginTotp", g_variant_new("(ss)", call->session, api_body_text(call, "password")),
                  on_totp_begun);
}

static void
on_totp_confirmed(ApiCall *call, GVariant *reply, GUnixFDList *fds)
{
    g_autoptr(GVariant) codes = g_variant_get_child_value(reply, 0);

    api_answer_value(call, SOUP_STATUS_OK, g_variant_new_parsed("{'recovery': %v}", codes));
}

void
handle_confirm_totp(ApiCall *call)
{
    api_call_host(call, "ConfirmTotp",
                  g_variant_new("(sss)", call->session, api_body_text(call, "secret"), api_body_text(call, "code")),
                  on_totp_confirmed);
}

void
handle_remove_totp(ApiCall *call)
{
    api_call_host(call, "RemoveTotp",
                  g_variant_new("(sss)", call->session, call->parameters[0], api_body_text(call, "password")),
                  api_answer_done);
}
