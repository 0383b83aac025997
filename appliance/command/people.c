/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls: signing in and out, sessions, passwords. */
#include "appliance/command/call.h"

#include "appliance/command/print.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 1024

/* What is typed is not shown; nor when the terminal was asked to show it before it can be put back. */
static void
show_typing(bool show)
{
    static struct termios before;
    struct termios now;

    if (!show && tcgetattr(STDIN_FILENO, &before) == 0) {
        now = before;
        now.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &now);
    } else if (show) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
}

static char *
read_line(const char *question, bool hidden, GError **error)
{
    char line[PASSWORD_MAX + 2];
    bool terminal = isatty(STDIN_FILENO);

    if (terminal)
        fputs(question, stderr);
    if (terminal && hidden)
        show_typing(false);
    bool got = fgets(line, sizeof(line), stdin);
    if (terminal && hidden)
        show_typing(true);
    line[got ? strcspn(line, "\n") : 0] = 0;
    char *text = *line ? g_strdup(line) : NULL;
    explicit_bzero(line, sizeof(line));
    if (!text)
        cli_fail(error, CLI_USAGE, "nothing was typed");
    return text;
}

char *
cli_ask_password(const char *question, GError **error)
{
    return read_line(question, true, error);
}

static GVariant *
client_words(void)
{
    GVariantBuilder words;

    g_variant_builder_init(&words, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&words, "{sv}", "kind", g_variant_new_string("command"));
    g_variant_builder_add(&words, "{sv}", "address", g_variant_new_string(""));
    return g_variant_builder_end(&words);
}

static bool
keep_token(const char *token, GError **error)
{
    g_autofree char *path = cli_token_path(), *folder = g_path_get_dirname(path);

    if (g_mkdir_with_parents(folder, 0700) < 0)
        return cli_fail(error, CLI_FAILED, "%s: %s", folder, g_strerror(errno));
    return g_file_set_contents_full(path, token, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

/* The session's token; a second step asks for a code. */
static char *
sign_in(CliCall *call, GError **error)
{
    g_autofree char *password = cli_ask_password("Password: ", error), *code = NULL, *token = NULL;
    g_autoptr(GVariant) answer = NULL, second = NULL;
    const char *step;

    if (!password)
        return NULL;
    answer = cli_call(call->client, "SignIn",
                      g_variant_new("(ss@a{sv})", cli_text(call, "name"), password, client_words()), NULL, error);
    if (!answer)
        return NULL;
    g_variant_get(answer, "(s&s)", &token, &step);
    if (strcmp(step, "code"))
        return g_steal_pointer(&token);
    code = read_line("Code: ", false, error);
    if (!code)
        return NULL;
    second =
        cli_call(call->client, "SignInCode", g_variant_new("(ss@a{sv})", token, code, client_words()), NULL, error);
    g_clear_pointer(&token, g_free);
    if (second)
        g_variant_get(second, "(s)", &token);
    return g_steal_pointer(&token);
}

CliExit
cli_run_login(CliCall *call, GError **error)
{
    g_autofree char *token = sign_in(call, error);
    return token && keep_token(token, error) ? CLI_DONE : CLI_FAILED;
}

CliExit
cli_run_logout(CliCall *call, GError **error)
{
    g_autofree char *path = cli_token_path();

    if (*call->client->token) {
        g_autoptr(GVariant) answer = cli_call(call->client, "SignOut", g_variant_new("(s)", call->client->token), NULL,
                                              NULL); /* or it is over */
    }
    if (g_unlink(path) < 0 && errno != ENOENT)
        return cli_fail(error, CLI_FAILED, "%s: %s", path, g_strerror(errno)), CLI_FAILED;
    return CLI_DONE;
}

CliExit
cli_run_who(CliCall *call, GError **error)
{
    static const char *const first[] = {"name", "full_name", "role", "source", "began", NULL};
    g_autoptr(GVariant) answer = NULL, who = NULL;

    if (!*call->client->token) {
        g_print("the host's own console\n");
        return CLI_DONE;
    }
    answer = cli_call(call->client, "GetSession", g_variant_new("(s)", call->client->token), NULL, error);
    if (!answer)
        return CLI_FAILED;
    who = g_variant_get_child_value(answer, 0);
    cli_print_thing(call->client, who, first, call->json);
    return CLI_DONE;
}

CliExit
cli_run_sessions(CliCall *call, GError **error)
{
    static const char *const columns[] = {"name",    "client",       "address",  "began", "used",
                                          "desktop", "frame_age_us", "input_us", "id",    NULL};
    g_autoptr(GVariant) answer =
        cli_call(call->client, "ListSessions", g_variant_new("(s)", call->client->token), NULL, error);
    g_autoptr(GVariant) list = answer ? g_variant_get_child_value(answer, 0) : NULL;

    if (!list)
        return CLI_FAILED;
    g_autoptr(GPtrArray) sessions = cli_children(list);
    cli_print_table(call->client, sessions, columns, call->json);
    return CLI_DONE;
}

CliExit
cli_run_end_session(CliCall *call, GError **error)
{
    g_autoptr(GVariant) answer = cli_call(
        call->client, "EndSession", g_variant_new("(ss)", call->client->token, cli_text(call, "id")), NULL, error);
    return answer ? CLI_DONE : CLI_FAILED;
}

/* One's own needs the old one. */
static bool
is_oneself(CliCall *call)
{
    g_autoptr(GVariant) answer = *call->client->token ? cli_call(call->client, "GetSession",
                                                                 g_variant_new("(s)", call->client->token), NULL, NULL)
                                                      : NULL;
    g_autoptr(GVariant) who = answer ? g_variant_get_child_value(answer, 0) : NULL;
    const char *user = "";

    if (who)
        g_variant_lookup(who, "user", "&s", &user);
    return !strcmp(user, cli_text(call, "user"));
}

CliExit
cli_run_password(CliCall *call, GError **error)
{
    g_autofree char *old = is_oneself(call) ? cli_ask_password("Old password: ", error) : g_strdup("");
    g_autofree char *new = old ? cli_ask_password("New password: ", error) : NULL, *again = NULL;
    g_autoptr(GVariant) answer = NULL;

    if (!new)
        return CLI_FAILED;
    if (isatty(STDIN_FILENO)) {
        again = cli_ask_password("Once more: ", error);
        if (!again)
            return CLI_FAILED;
        if (strcmp(new, again))
            return cli_fail(error, CLI_USAGE, "the two are not the same"), CLI_USAGE;
    }
    answer = cli_call(call->client, "SetPassword",
                      g_variant_new("(ssss)", call->client->token, cli_text(call, "user"), old, new), NULL, error);
    return answer ? CLI_DONE : CLI_FAILED;
}

CliExit
cli_run_remove_totp(CliCall *call, GError **error)
{
    g_autofree char *password = is_oneself(call) ? cli_ask_password("Password: ", error) : g_strdup("");
    g_autoptr(GVariant) answer = NULL;

    if (!password)
        return CLI_FAILED;
    answer = cli_call(call->client, "RemoveTotp",
                      g_variant_new("(sss)", call->client->token, cli_text(call, "user"), password), NULL, error);
    return answer ? CLI_DONE : CLI_FAILED;
}
