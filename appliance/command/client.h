/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command's connection to carreld, and whom it calls as.
 *
 * Root without a token is the host's own console. With a token, which `carrel login` keeps in a file, calls are made and
 * audited in the name of whoever signed in.
 *
 * Owner: one thread; each call waits for its answer.
 */
#pragma once

#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <stdbool.h>

/* How the command ends; carrel(1). */
typedef enum {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_NOT_ALLOWED = 4,
    CLI_INVALID = 5,
    CLI_CONFLICT = 6,    /* in use, or somebody else was first */
    CLI_UNAVAILABLE = 7, /* full, busy, or this host cannot */
    CLI_NO_DAEMON = 8,
} CliExit;

/* Of what the command finds out by itself; the code is a CliExit. */
#define CLI_ERROR (cli_error_quark())
GQuark cli_error_quark(void);
G_GNUC_PRINTF(3, 4) bool cli_fail(GError **error, CliExit code, const char *format, ...);

/* How to end because of it, by D-Bus' name of the error too. */
CliExit cli_exit_of(const GError *error);
/* The sentence without D-Bus' decoration; free it. */
char *cli_sentence_of(const GError *error);

typedef struct {
    GDBusConnection *bus;
    char *token;        /* "": the console */
    GHashTable *labels; /* "kind id" to what people call it */
} CliClient;

/* Where the token is kept: $CARREL_TOKEN_FILE, or carrel/token in the user's configuration. Free it. */
char *cli_token_path(void);

/* @socket NULL: $CARREL_SOCKET, or where carreld is by default. */
CliClient *cli_client_new(const char *socket, GError **error);
void cli_client_free(CliClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CliClient, cli_client_free)

/* @arguments floating, or NULL. The answer's tuple; @fds (NULL: none wanted) what came with it. */
GVariant *cli_call(CliClient *client, const char *method, GVariant *arguments, GUnixFDList **fds, GError **error);

/* A thing, by id or by what people call it. */
GVariant *cli_get(CliClient *client, const char *kind, const char *word, GError **error);
/* The id of what @word names, be it a name or an id. Free it. */
char *cli_find(CliClient *client, const char *kind, const char *word, GError **error);
/* What people call it; the id itself where it cannot be known. Borrowed from the client. */
const char *cli_label(CliClient *client, const char *kind, const char *id);
/* Of a list: what List of org.carrel.Host1 narrows it by; each may be NULL. */
typedef struct {
    const char *filter, *value, *search;
} CliNarrow;

/* All of a kind, a{sv} each. @limit 0: all. */
GPtrArray *cli_list(CliClient *client, const char *kind, const CliNarrow *narrow, unsigned limit, GError **error);
