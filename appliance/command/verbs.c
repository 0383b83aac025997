/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that the command can be told. What the store's catalog has is not written down again; here is the rest, and what of the
 * catalog people have another word for.
 */
#include "appliance/command/call.h"

#include "ha/store/things/things.h"

#include <string.h>

/* clang-format off */
#define DESKTOP {"desktop", "which", STORE_FIELD_UUID, STORE_FIELD_REQUIRED, .to = &store_kind_desktop}
#define NEW_NAME {"name", "what people will call it", STORE_FIELD_NAME, STORE_FIELD_REQUIRED}
#define SNAPSHOT {"snapshot", "its name or id", STORE_FIELD_LINE, STORE_FIELD_REQUIRED}
#define FILE_NAME(what) {"file", what, STORE_FIELD_LINE, STORE_FIELD_REQUIRED}

static const StoreField only_desktop[] = {DESKTOP, {NULL}};
static const StoreField new_name[] = {DESKTOP, NEW_NAME, {NULL}};
static const StoreField snapshot[] = {DESKTOP, SNAPSHOT, {NULL}};
static const StoreField resize[] = {
    DESKTOP,
    {"disk", "which of its disks: 0 is the first", STORE_FIELD_NUMBER, STORE_FIELD_REQUIRED},
    {"bytes", "how large it is to be", STORE_FIELD_NUMBER, STORE_FIELD_REQUIRED},
    {NULL},
};
static const StoreField insert[] = {
    DESKTOP,
    {"image", "the disc", STORE_FIELD_UUID, STORE_FIELD_REQUIRED, .to = &store_kind_image},
    {"drive", "which of its disks and drives: 0 is the first", STORE_FIELD_NUMBER},
    {NULL},
};
static const StoreField eject[] = {
    DESKTOP,
    {"drive", "which of its disks and drives: 0 is the first", STORE_FIELD_NUMBER},
    {"force", "even if the guest holds it", STORE_FIELD_BOOL},
    {NULL},
};
static const StoreField screenshot[] = {DESKTOP, FILE_NAME("where the PNG goes; - is the standard output"), {NULL}};
static const StoreField view[] = {
    DESKTOP,
    {"file", "write the viewer's file there and open nothing", STORE_FIELD_LINE},
    {NULL},
};
static const StoreField upload[] = {
    NEW_NAME,
    FILE_NAME("the image: raw, qcow2, VMDK, VHDX, ISO; - is the standard input"),
    {"type", "what it is; else the file's name says", STORE_FIELD_WORD, .words = (const char *const[]){"disk", "iso", NULL}},
    {"description", "a line about it", STORE_FIELD_LINE},
    {NULL},
};
static const StoreField login[] = {{"name", "who", STORE_FIELD_NAME, STORE_FIELD_REQUIRED}, {NULL}};
static const StoreField only_user[] = {
    {"user", "who", STORE_FIELD_UUID, STORE_FIELD_REQUIRED, .to = &store_kind_user}, {NULL},
};
static const StoreField only_id[] = {{"id", "as the list has it", STORE_FIELD_LINE, STORE_FIELD_REQUIRED}, {NULL}};
static const StoreField audit[] = {
    {"actor", "what somebody did: an id", STORE_FIELD_LINE},
    {"thing", "what became of a thing: an id", STORE_FIELD_LINE},
    {"command", "what was done: user.create", STORE_FIELD_LINE},
    {"limit", "how many lines, the newest first: 50", STORE_FIELD_NUMBER},
    {NULL},
};

/* Names of desktops' actions are those of Control of org.carrel.Host1. */
static const CliVerb extra[] = {
    {"desktop", "mine", "those of whoever is signed in, and the pools they may take one from", NULL, cli_run_mine},
    {"desktop", "start", "starts it, or brings it back from suspension", only_desktop, cli_run_control},
    {"desktop", "shut-down", "asks the guest to shut down", only_desktop, cli_run_control},
    {"desktop", "stop", "switches it off at once", only_desktop, cli_run_control},
    {"desktop", "suspend", "saves it to disk and stops it", only_desktop, cli_run_control},
    {"desktop", "reset", "as the button does", only_desktop, cli_run_control},
    {"desktop", "view", "opens it in remote-viewer, on this machine", view, cli_run_view},
    {"desktop", "screenshot", "its first monitor, as a PNG", screenshot, cli_run_screenshot},
    {"desktop", "snapshots", "what it can go back to", only_desktop, cli_run_snapshots},
    {"desktop", "snapshot", "keeps its disks as they are", new_name, cli_run_control},
    {"desktop", "revert", "goes back to a snapshot; what came after it is lost", snapshot, cli_run_control},
    {"desktop", "forget", "gives a snapshot up", snapshot, cli_run_control},
    {"desktop", "resize", "makes a disk larger", resize, cli_run_control},
    {"desktop", "insert", "puts a disc into a drive", insert, cli_run_control},
    {"desktop", "eject", "takes a disc out of a drive", eject, cli_run_control},
    {"desktop", "clone", "makes another of it", new_name, cli_run_control},
    {"desktop", "make-template", "makes a template of it", new_name, cli_run_control},
    {"image", "upload", "makes an image of a file", upload, cli_run_upload},
    {"user", "password", "gives them a new password", only_user, cli_run_password},
    {"user", "remove-totp", "takes their second factor away", only_user, cli_run_remove_totp},
    {"host", "status", "this host: what it has, what is free, what is wrong", NULL, cli_run_host},
    {"host", "orphans", "files and volumes that belong to nothing", NULL, cli_run_orphans},
    {"host", "metrics", "figures, in Prometheus' format", NULL, cli_run_metrics},
    {"host", "doctor", "whether this host can run desktops, and what to do if not", NULL, cli_run_doctor, NULL, true},
    {"session", "login", "signs in; from then on calls are made in that name", login, cli_run_login},
    {"session", "logout", "signs out", NULL, cli_run_logout},
    {"session", "who", "in whose name calls are made", NULL, cli_run_who},
    {"session", "list", "who is signed in", NULL, cli_run_sessions},
    {"session", "end", "ends somebody's session", only_id, cli_run_end_session},
    {"audit", "list", "who did what", audit, cli_run_audit},
    {"job", "list", "what takes a while, and how it ended", NULL, cli_run_jobs},
    {"job", "cancel", "has it given up", only_id, cli_run_cancel_job},
};
/* clang-format on */

/* Of the catalog: carreld's own to say, or said by another verb here. */
static const char *const hidden[] = {"desktop.want", "user.set_password", "user.set_totp", "image.create", NULL};

static const char *const kinds[] = {"desktop", "template", "pool",    "user",    "group", "assign", "image",
                                    "network", "policy",   "setting", "session", "host",  "audit",  "job"};

const char *
cli_kind(unsigned i)
{
    return i < G_N_ELEMENTS(kinds) ? kinds[i] : NULL;
}

const StoreKind *
cli_store_kind(const char *kind)
{
    return store_catalog_find_kind(strcmp(kind, "assign") ? kind : "assignment");
}

static bool
has_names(const StoreKind *kind)
{
    return !strcmp(kind->label, "name");
}

/* A list has an option for each way it can be narrowed. */
static const StoreField *
list_fields(const StoreKind *kind)
{
    unsigned n = kind->filters ? g_strv_length((char **)kind->filters) : 0;
    StoreField *fields = g_new0(StoreField, n + 2);

    if (has_names(kind))
        fields[n] = (StoreField){"search", "only those with this in their names, in any case", STORE_FIELD_LINE};
    for (unsigned i = 0; i < n; i++) {
        const StoreKind *to = store_catalog_find_kind(kind->filters[i]);
        fields[i] = (StoreField){kind->filters[i], "only those of it; none: those that have none",
                                 to ? STORE_FIELD_UUID : STORE_FIELD_LINE, .to = to};
    }
    return fields;
}

static const StoreField *
show_fields(const StoreKind *kind)
{
    StoreField *fields = g_new0(StoreField, 2);

    fields[0] = (StoreField){kind->name, "which", STORE_FIELD_LINE, STORE_FIELD_REQUIRED, .to = kind};
    return fields;
}

static void
free_made(CliVerb *verb)
{
    if (verb->run == cli_run_list || verb->run == cli_run_show)
        g_free((StoreField *)verb->fields);
    if (verb->command)
        g_free((char *)verb->name);
    g_free(verb);
}

static void
add(GPtrArray *verbs, CliVerb verb)
{
    g_ptr_array_add(verbs, g_memdup2(&verb, sizeof(verb)));
}

/* Of the catalog's commands those that a person may give. */
static void
add_commands(GPtrArray *verbs, const char *kind, const char *prefix)
{
    const StoreCommandKind *command;

    for (unsigned i = 0; (command = store_catalog_command(i)); i++)
        if (g_str_has_prefix(command->name, prefix) && command->name[strlen(prefix)] == '.' &&
            command->role != STORE_ROLE_DAEMON && !g_strv_contains(hidden, command->name))
            add(verbs, (CliVerb){kind, cli_dashed(command->name + strlen(prefix) + 1), command->about, command->fields,
                                 cli_run_command, command});
}

GPtrArray *
cli_verbs(const char *kind)
{
    GPtrArray *verbs = g_ptr_array_new_with_free_func((GDestroyNotify)free_made);
    const StoreKind *found = cli_store_kind(kind);

    if (found) {
        add(verbs, (CliVerb){kind, "list", "all of them", list_fields(found), cli_run_list});
        add(verbs, (CliVerb){kind, "show", "all that is known of one", show_fields(found), cli_run_show});
    }
    add_commands(verbs, kind, found ? found->name : kind);
    for (size_t i = 0; i < G_N_ELEMENTS(extra); i++)
        if (!strcmp(extra[i].kind, kind))
            add(verbs, extra[i]);
    return verbs;
}

const CliVerb *
cli_verb_find(const GPtrArray *verbs, const char *name)
{
    for (unsigned i = 0; i < verbs->len; i++) {
        const CliVerb *verb = verbs->pdata[i];
        if (!strcmp(verb->name, name))
            return verb;
    }
    return NULL;
}
