/* SPDX-License-Identifier: Apache-2.0 */
/* carrel: what a host of desktops is told from a command line; carrel(1). */
#include "appliance/command/help.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Verbs that are worth a kind's place. */
static const struct {
    const char *word, *kind, *verb;
} shortcuts[] = {
    {"doctor", "host", "doctor"},
    {"login", "session", "login"},
    {"logout", "session", "logout"},
    {"audit", "audit", "list"},
};

static bool
is_help(const char *word)
{
    return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help");
}

typedef struct {
    const char *socket; /* NULL: the usual one */
    bool json;
} Globals;

static CliExit
run(const CliVerb *verb, const Globals *globals, char **words, GError **error)
{
    g_autoptr(CliClient) client = verb->alone ? NULL : cli_client_new(globals->socket, error);
    g_autoptr(GHashTable) values =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_variant_unref);
    CliCall call = {.client = client, .verb = verb, .values = values, .json = globals->json};

    if ((!client && !verb->alone) || !cli_call_read(&call, words, error))
        return CLI_FAILED;
    return verb->run(&call, error);
}

/* The words behind carrel and its own options. */
static CliExit
dispatch(char **words, const Globals *globals, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(shortcuts); i++)
        if (words[0] && !strcmp(words[0], shortcuts[i].word) &&
            (strcmp(words[0], "audit") || !words[1] || *words[1] == '-')) {
            g_autoptr(GPtrArray) verbs = cli_verbs(shortcuts[i].kind);
            return run(cli_verb_find(verbs, shortcuts[i].verb), globals, words + 1, error);
        }
    if (!words[0] || is_help(words[0])) {
        cli_help();
        return words[0] ? CLI_DONE : CLI_USAGE;
    }
    g_autoptr(GPtrArray) verbs = cli_verbs(words[0]);
    if (!verbs->len)
        return cli_fail(error, CLI_USAGE, "there is nothing called “%s”; carrel --help lists what there is", words[0]),
               CLI_USAGE;
    if (!words[1] || is_help(words[1])) {
        cli_help_kind(words[0]);
        return words[1] ? CLI_DONE : CLI_USAGE;
    }
    const CliVerb *verb = cli_verb_find(verbs, words[1]);
    if (!verb)
        return cli_fail(error, CLI_USAGE, "nobody can “%s” a %s; carrel %s --help lists what can be done", words[1],
                        words[0], words[0]),
               CLI_USAGE;
    if (words[2] && is_help(words[2])) {
        cli_help_verb(verb);
        return CLI_DONE;
    }
    return run(verb, globals, words + 2, error);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    Globals globals = {0};
    char **words = argv + 1;

    setlocale(LC_ALL, "");
    signal(SIGPIPE, SIG_IGN);
    for (; *words && g_str_has_prefix(*words, "--"); words++) {
        if (!strcmp(*words, "--socket") && words[1])
            globals.socket = *++words;
        else if (!strcmp(*words, "--json"))
            globals.json = true;
        else
            break;
    }
    if (*words && !strcmp(*words, "--version")) {
        printf("carrel %s\n", CARREL_VERSION);
        return CLI_DONE;
    }
    if (*words && !strcmp(*words, "--complete")) {
        cli_complete(words + 1);
        return CLI_DONE;
    }
    CliExit exit = dispatch(words, &globals, &error);
    if (!error)
        return exit;
    g_autofree char *sentence = cli_sentence_of(error);
    fprintf(stderr, "carrel: %s\n", sentence);
    return cli_exit_of(error);
}
