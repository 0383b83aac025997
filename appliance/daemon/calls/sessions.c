/* SPDX-License-Identifier: Apache-2.0 */
/* Who is signed in: one's own session, those that there are, ending one. */
#include "appliance/daemon/calls/calls.h"

#include <string.h>

static const char *
token_of(const Call *call)
{
    const char *token;

    g_variant_get_child(call->arguments, 0, "&s", &token);
    return token;
}

void
call_sign_out(Call *call)
{
    sessions_sign_out(people_sessions(call->daemon->people), token_of(call));
    call_return(call, NULL);
}

/* The console is nobody in the store. */
static GVariant *
describe_console(void)
{
    return g_variant_new_parsed(
        "({'id': <''>, 'user': <''>, 'name': <'console'>, 'role': <'admin'>, 'source': <'local'>, "
        "'second_step': <false>, 'client': <'command'>},)");
}

static void
add_text(GVariantDict *who, const char *key, GVariant *user)
{
    const char *text;

    if (g_variant_lookup(user, key, "&s", &text))
        g_variant_dict_insert(who, key, "s", text);
}

static GVariant *
describe_caller(const Call *call, const Session *session, GVariant *user)
{
    g_auto(GVariantDict) who = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(SecretText) csrf = sessions_csrf(token_of(call));

    g_variant_dict_insert(&who, "id", "s", session->id);
    g_variant_dict_insert(&who, "user", "s", session->user_id);
    g_variant_dict_insert(&who, "csrf", "s", csrf);
    g_variant_dict_insert(&who, "client", "s", caller_client_words[session->client]);
    g_variant_dict_insert(&who, "began", "x", session->began);
    g_variant_dict_insert(&who, "second_step", "b", g_variant_lookup(user, "totp", "&s", NULL));
    add_text(&who, "name", user);
    add_text(&who, "full_name", user);
    add_text(&who, "role", user);
    add_text(&who, "source", user);
    return g_variant_new("(@a{sv})", g_variant_dict_end(&who));
}

void
call_get_session(Call *call)
{
    People *people = call->daemon->people;
    g_autoptr(GVariant) user = NULL;
    g_autoptr(GError) error = NULL;

    if (call->caller->console) {
        call_return(call, describe_console());
        return;
    }
    if (!store_reader_get_secret(call->daemon->reader, store_catalog_find_kind("user"), call->caller->user, &user,
                                 &error)) {
        call_fail(call, error);
        return;
    }
    const Session *session = caller_find_session(people_sessions(people), token_of(call), false, people_now(people));
    if (user && session)
        call_return(call, describe_caller(call, session, user));
    else
        call_fail_with(call, CARREL_ERROR_NOT_SIGNED_IN, "You are not signed in, or not any more.");
}

static void
describe(const Session *session, GVariantDict *line)
{
    g_variant_dict_insert(line, "id", "s", session->id);
    g_variant_dict_insert(line, "user", "s", session->user_id);
    g_variant_dict_insert(line, "name", "s", session->user_name);
    g_variant_dict_insert(line, "role", "s", sign_in_role_name(session->role));
    g_variant_dict_insert(line, "client", "s", caller_client_words[session->client]);
    g_variant_dict_insert(line, "address", "s", session->source);
    g_variant_dict_insert(line, "began", "x", session->began);
    g_variant_dict_insert(line, "used", "x", session->used);
}

/* Those that the caller may know of and end. */
static GPtrArray *
list_theirs(const Call *call)
{
    bool all = call->caller->role >= STORE_ROLE_ADMIN;

    return sessions_list(people_sessions(call->daemon->people), all ? NULL : call->caller->user);
}

typedef struct {
    const Session *session;
    GVariantDict *line;
} Seat;

static void
add_mean(GVariantDict *line, const char *key, const DesktopTiming *timing)
{
    if (timing->count)
        g_variant_dict_insert(line, key, "t", (guint64)(timing->total_us / timing->count));
}

/* A session that is at several desktops is told of as being at one of them. */
static void
add_seat(void *user, const DesktopsVisit *visit)
{
    Seat *seat = user;

    if (strcmp(visit->session, seat->session->id) != 0 || g_variant_dict_contains(seat->line, "desktop"))
        return;
    g_variant_dict_insert(seat->line, "desktop", "s", visit->desktop);
    g_variant_dict_insert(seat->line, "client_sent", "t", (guint64)visit->since->sent);
    g_variant_dict_insert(seat->line, "client_received", "t", (guint64)visit->since->received);
    g_variant_dict_insert(seat->line, "usb_errors", "t", (guint64)visit->since->usb_errors);
    add_mean(seat->line, "frame_age_us", &visit->since->frame_age);
    add_mean(seat->line, "input_us", &visit->since->input);
}

static void
list_sessions(void *data)
{
    Call *call = data;
    g_autoptr(GPtrArray) sessions = list_theirs(call);
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    if (!call->daemon->rooms.desktops) {
        call_fail_with(call, CARREL_ERROR_UNAVAILABLE, "The daemon is ending.");
        return;
    }
    for (guint i = 0; i < sessions->len; i++) {
        g_auto(GVariantDict) line = G_VARIANT_DICT_INIT(NULL);
        Seat seat = {sessions->pdata[i], &line};
        describe(seat.session, &line);
        desktops_visits(call->daemon->rooms.desktops, add_seat, &seat);
        g_variant_builder_add_value(&list, g_variant_dict_end(&line));
    }
    call_return(call, g_variant_new("(@aa{sv})", g_variant_builder_end(&list)));
}

void
call_list_sessions(Call *call)
{
    desktops_refresh(call->daemon->rooms.desktops, list_sessions, call);
}

static bool
is_theirs(const Call *call, const char *id)
{
    g_autoptr(GPtrArray) sessions = list_theirs(call);

    for (guint i = 0; i < sessions->len; i++)
        if (!strcmp(((const Session *)sessions->pdata[i])->id, id))
            return true;
    return false;
}

void
call_end_session(Call *call)
{
    const char *id;

    g_variant_get_child(call->arguments, 1, "&s", &id);
    if (is_theirs(call, id) && sessions_revoke(people_sessions(call->daemon->people), id))
        call_return(call, NULL);
    else
        call_fail_not_found(call, "session");
}
