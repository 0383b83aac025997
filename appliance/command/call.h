/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command can be told: verbs on kinds of things. Those that change the store are made from its catalog; the others
 * (verbs.c) are described by the same tables of fields, so help, completion and the reading of a command line are one for
 * all of them.
 *
 *     carrel KIND VERB [WORD…] [--FIELD VALUE…]
 *
 * Words without a dash are the required fields, in order.
 *
 * Owner: the one thread there is.
 */
#pragma once

#include "appliance/command/client.h"
#include "ha/store/catalog.h"

typedef struct CliCall CliCall;

typedef struct {
    const char *kind; /* "desktop" */
    const char *name; /* "snapshot" */
    const char *about;
    const StoreField *fields; /* ends with a NULL name; NULL: none */
    CliExit (*run)(CliCall *call, GError **error);
    const StoreCommandKind *command; /* of the catalog's; NULL */
    bool alone;                      /* it does without carreld */
} CliVerb;

struct CliCall {
    CliClient *client; /* NULL where the verb is alone */
    const CliVerb *verb;
    GHashTable *values; /* field to GVariant: what was given */
    bool json;
    bool no_wait; /* leave jobs to themselves */
};

/* Kinds in the order of help: those of the store, then those of carreld's own. By what people type ("assign"). */
const char *cli_kind(unsigned i);
/* What it is called in the store; NULL: it is none of the store's. */
const StoreKind *cli_store_kind(const char *kind);

/* The verbs of a kind, in the order of help: CliVerb, of which the array owns the rest. */
GPtrArray *cli_verbs(const char *kind);
const CliVerb *cli_verb_find(const GPtrArray *verbs, const char *name);
/* "add_member" as people type it. Free it. */
char *cli_dashed(const char *name);
/*
 * The field as the verb takes it: a command's own thing is not said to be of a kind in the catalog, since a new one is not there
 * yet.
 */
StoreField cli_field_of(const CliVerb *verb, const StoreField *field);
/* How a list of records is given, one at a time: "disks" by --disk. Free it. */
char *cli_option_name(const StoreField *field);

/* Reads the words behind the verb into .values. What names things may be looked up. */
bool cli_call_read(CliCall *call, char **words, GError **error);

/* What was given; NULL or the fallback where nothing was. Text is borrowed. */
const char *cli_text(CliCall *call, const char *field);
int64_t cli_number(CliCall *call, const char *field, int64_t fallback);
bool cli_bool(CliCall *call, const char *field);
/* All of it as a{sv}, floating. */
GVariant *cli_fields(CliCall *call);

/* Verbs, by file. things.c: */
CliExit cli_run_list(CliCall *call, GError **error);
CliExit cli_run_show(CliCall *call, GError **error);
CliExit cli_run_command(CliCall *call, GError **error);
/* desktop.c */
CliExit cli_run_control(CliCall *call, GError **error);
CliExit cli_run_snapshots(CliCall *call, GError **error);
CliExit cli_run_screenshot(CliCall *call, GError **error);
CliExit cli_run_mine(CliCall *call, GError **error);
/* view.c */
CliExit cli_run_view(CliCall *call, GError **error);
/* image.c */
CliExit cli_run_upload(CliCall *call, GError **error);
/* people.c */
CliExit cli_run_login(CliCall *call, GError **error);
CliExit cli_run_logout(CliCall *call, GError **error);
CliExit cli_run_who(CliCall *call, GError **error);
CliExit cli_run_sessions(CliCall *call, GError **error);
CliExit cli_run_end_session(CliCall *call, GError **error);
CliExit cli_run_password(CliCall *call, GError **error);
CliExit cli_run_remove_totp(CliCall *call, GError **error);
/* host.c */
CliExit cli_run_host(CliCall *call, GError **error);
CliExit cli_run_orphans(CliCall *call, GError **error);
CliExit cli_run_metrics(CliCall *call, GError **error);
CliExit cli_run_audit(CliCall *call, GError **error);
CliExit cli_run_jobs(CliCall *call, GError **error);
CliExit cli_run_cancel_job(CliCall *call, GError **error);
CliExit cli_run_doctor(CliCall *call, GError **error);

/* job.c: waits for a job unless told not to, with a line of progress on a terminal; then "done", or how it failed. */
CliExit cli_follow_job(CliCall *call, const char *job, GError **error);

/* people.c: a password from the terminal without echo, or a line of standard input. NULL: there is none. Free it. */
char *cli_ask_password(const char *question, GError **error);
