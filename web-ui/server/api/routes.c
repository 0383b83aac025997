/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table: what stands here by itself, then for each kind of the catalog its list, its things and its commands. The
 * first that fits is taken, so fixed words come before {…}.
 */
#include "web-ui/server/api/handlers.h"

#include <string.h>

/* --- what comes and goes --- */

#define NAME_MAX_CHARACTERS 128
#define SECRET_MAX 256

static const char *const client_words[] = {"web", "api", "command", NULL};
static const char *const action_words[] = {"start",    "shut-down", "stop",          "suspend", "reset",
                                           "snapshot", "revert",    "forget",        "resize",  "insert",
                                           "eject",    "clone",     "make-template", NULL};
static const char *const audit_words[] = {"actor", "thing", "command", NULL};

#define PASSWORD(name, about, flags) {name, about, API_SECRET, flags, 0, SECRET_MAX}

static const ApiField sign_in_body[] = {
    {"name", "as an administrator made it, or the directory knows it", API_TEXT, API_REQUIRED, 1, NAME_MAX_CHARACTERS},
    PASSWORD("password", "theirs", API_REQUIRED),
    {"client", "a browser (and a cookie), or a script (and a token)", API_WORD, .words = client_words},
    {NULL},
};
static const ApiField code_body[] = {
    {"challenge", "what the first step answered", API_TEXT, API_REQUIRED, 1, 256},
    {"code", "of the authenticator app, or a recovery code", API_TEXT, API_REQUIRED, 1, 64},
    {"client", "as in the first step", API_WORD, .words = client_words},
    {NULL},
};
static const ApiField signed_in[] = {
    {"step", "“done”, or “code” when a second step is owed", API_TEXT, API_REQUIRED},
    {"challenge", "for the second step", API_TEXT},
    {"token", "for the header Authorization: Bearer, where the client is no browser", API_TEXT},
    {NULL},
};
static const ApiField session_answer[] = {
    {"id", "of the session", API_TEXT},
    {"user", "the user's id", API_TEXT},
    {"name", "the user's name", API_TEXT},
    {"full_name", "what people call them", API_TEXT},
    {"role", "user, operator or admin", API_TEXT},
    {"csrf", "for the header X-Carrel-CSRF", API_TEXT},
    {"second_step", "whether they have a second factor", API_BOOL},
    {"source", "local, or the directory", API_TEXT},
    {"began", "when they signed in", API_TIME},
    {"used", "when they were last heard of", API_TIME},
    {"client", "web, api or command", API_TEXT},
    {"address", "from where", API_TEXT},
    {"desktop", "at which they sit; what follows is since they came there", API_TEXT},
    {"client_sent", "bytes to the desktop's SPICE clients", API_BYTES},
    {"client_received", "bytes from them", API_BYTES},
    {"frame_age_us", "as a desktop's", API_BYTES},
    {"input_us", "as a desktop's", API_BYTES},
    {"usb_errors", "as a desktop's", API_BYTES},
    {NULL},
};
static const ApiField password_body[] = {
    PASSWORD("old", "one's own, as it was", 0),
    PASSWORD("new", "what it is to be", API_REQUIRED),
    {NULL},
};
static const ApiField begin_totp_body[] = {PASSWORD("password", "one's own", API_REQUIRED), {NULL}};
static const ApiField begin_totp_answer[] = {
    {"secret", "for typing it in", API_TEXT, API_REQUIRED},
    {"uri", "for a picture that the app scans", API_TEXT, API_REQUIRED},
    {NULL},
};
static const ApiField confirm_totp_body[] = {
    {"secret", "as it was given", API_BASE32, API_REQUIRED},
    {"code", "that the app shows", API_TEXT, API_REQUIRED, 1, 16},
    {NULL},
};
static const ApiField confirm_totp_answer[] = {{"recovery", "codes to print", API_TEXTS, API_REQUIRED, .max = 64},
                                               {NULL}};
static const ApiField remove_totp_body[] = {PASSWORD("password", "one's own; not needed for another's", 0), {NULL}};

#define STATE_FIELDS                                                                                                  \
    {"state", "stopped, preparing, starting, running, paused, suspending, suspended, stopping or failed", API_TEXT},  \
        {"detail", "a sentence", API_TEXT}, {"progress", "0 to 1", API_REAL}, {"since", "of the state", API_TIME},    \
        {"clients", "their addresses", API_TEXTS, .max = 64}, {"cpu", "1: one processor", API_REAL},                  \
        {"memory", "bytes of the host's", API_BYTES}, {"disk_read", "bytes", API_BYTES},                              \
        {"disk_written", "bytes", API_BYTES}, {"net_received", "bytes", API_BYTES}, {"net_sent", "bytes", API_BYTES}, \
        {"frames", "changes of the picture that the guest announced", API_BYTES},                                     \
        {"frame_age_us", "microseconds from such a change to the clients' sockets, in the mean", API_BYTES},          \
        {"input_us", "microseconds from a key to the next picture at the clients' sockets, in the mean", API_BYTES},  \
        {"cpu_limit", "the processors it may take, as the kernel has it", API_REAL},                                  \
        {"memory_limit", "the bytes of the host's it may take", API_BYTES},                                           \
        {"disk_read_limit", "the bytes a second it may read", API_BYTES},                                             \
        {"disk_write_limit", "the bytes a second it may write", API_BYTES},                                           \
        {"disk_read_ops_limit", "the reads a second it may make", API_BYTES},                                         \
        {"disk_write_ops_limit", "the writes a second it may make", API_BYTES},                                       \
        {"unlimited", "of memory, cpu, disk: what is to be limited and is not", API_TEXTS, .max = 3},                 \
        {"client_sent", "bytes to its SPICE clients", API_BYTES},                                                     \
        {"client_received", "bytes from its SPICE clients", API_BYTES},                                               \
    {                                                                                                                 \
        "usb_errors", "since it started", API_BYTES                                                                   \
    }

static const ApiField live_answer[] = {STATE_FIELDS, {NULL}};
static const ApiField live_query[] = {{"id", "which; again and again", API_TEXTS, .max = 1000}, {NULL}};
static const ApiField mine_answer[] = {
    {"kind", "desktop, or a pool to take one from", API_TEXT, API_REQUIRED},
    {"id", "of the desktop or the pool", API_TEXT, API_REQUIRED},
    {"name", "its name", API_TEXT},
    STATE_FIELDS,
    {NULL},
};
static const ApiField action_body[] = {
    {"name", "snapshot, clone, make-template: what to call it", API_NAME, 0, 1, 64},
    {"snapshot", "revert, forget: which", API_TEXT, 0, 1, 64},
    {"disk", "resize: its place, the first is 0", API_COUNT, 0, 0, 15},
    {"bytes", "resize: how large it is to be", API_BYTES, 0, 1 << 20, INT64_C(1) << 50},
    {"drive", "insert, eject: its place among the disks", API_COUNT, 0, 0, 15},
    {"image", "insert: which disc", API_UUID},
    {"force", "eject: although the guest has locked it", API_BOOL},
    {"id", "clone, make-template: the new one's, chosen by who makes it", API_UUID},
    {NULL},
};
static const ApiField job_answer[] = {{"job", "one of /jobs", API_TEXT, API_REQUIRED}, {NULL}};
static const ApiField snapshot_answer[] = {
    {"id", "which", API_TEXT, API_REQUIRED},
    {"name", "what people call it", API_TEXT},
    {"created", "when", API_TIME},
    {"bytes", "that it keeps", API_BYTES},
    {"frozen", "whether the guest's file systems were", API_BOOL},
    {NULL},
};
static const ApiField connection_body[] = {{"watch", "look on, when the user has agreed", API_BOOL}, {NULL}};
static const ApiField connection_answer[] = {
    {"ticket", "good for two minutes, then as long as its connections last", API_TEXT},
    {"password", "what the SPICE server wants to hear", API_TEXT},
    {"expires", "when it must have been used; of looking on, when it ends", API_TIME, API_REQUIRED},
    {"tunnel", "the WebSocket's path", API_TEXT},
    {"request", "in place of the others, of looking on: what ends it", API_TEXT},
    {NULL},
};
static const ApiField watch_body[] = {{"agreed", "whether they may look on", API_BOOL, API_REQUIRED}, {NULL}};
static const ApiField jobs_answer[] = {
    {"id", "which", API_TEXT, API_REQUIRED},
    {"what", "a sentence", API_TEXT},
    {"state", "running, done or failed", API_TEXT},
    {"progress", "0 to 1", API_REAL},
    {"error", "why it failed", API_TEXT},
    {"thing", "the id of what it is about", API_TEXT},
    {"kind", "and its kind", API_TEXT},
    {"began", "when", API_TIME},
    {NULL},
};
static const ApiField host_network_answer[] = {
    {"id", "of the network", API_TEXT},
    {"name", "of the network", API_TEXT},
    {"state", "how it is", API_TEXT},
    {NULL},
};
static const ApiField host_answer[] = {
    {"name", "the host's", API_TEXT},
    {"version", "of Carrel", API_TEXT},
    {"cpus", "how many", API_COUNT},
    {"cpu_model", "which", API_TEXT},
    {"cpu", "in use", API_REAL},
    {"memory", "bytes", API_BYTES},
    {"memory_free", "bytes", API_BYTES},
    {"memory_promised", "bytes that desktops may use", API_BYTES},
    {"storage", "what desktops' disks are on", API_TEXT},
    {"storage_bytes", "how large that is", API_BYTES},
    {"storage_free", "bytes", API_BYTES},
    {"kvm", "whether it can run desktops", API_BOOL},
    {"warnings", "sentences", API_TEXTS, .max = 64},
    {"networks", "those it has", API_RECORDS, .max = 1000, .fields = host_network_answer},
    {"began", "when the daemon started", API_TIME},
    {NULL},
};
static const ApiField orphan_answer[] = {
    {"name", "the file or volume", API_TEXT, API_REQUIRED},
    {"bytes", "its size", API_BYTES},
    {"changed", "when", API_TIME},
    {NULL},
};
static const ApiField audit_query[] = {
    {"column", "what must be equal", API_WORD, .words = audit_words},
    {"value", "to this", API_LINE, 0, 0, 128},
    {"before", "sequence numbers below this", API_NUMBER},
    {"limit", "how many", API_COUNT, 0, 1, 1000},
    {NULL},
};
static const ApiField audit_answer[] = {
    {"sequence", "the number of the command", API_NUMBER, API_REQUIRED},
    {"time", "when", API_TIME},
    {NULL},
};
static const ApiField events_query[] = {{"since", "the sequence number that was seen last", API_NUMBER}, {NULL}};

/* clang-format off */
static const ApiRoute own_routes[] = {
    {"GET", "/openapi.json", "getDescription", "this description", .flags = ROUTE_OPEN, .status = 200, .media = "application/json",
     .handler = handle_description},
    {"POST", "/session", "signIn", "signs in; with “code” a second step is owed", .flags = ROUTE_OPEN, .status = 201,
     .body = sign_in_body, .answer = signed_in, .handler = handle_sign_in},
    {"POST", "/session/code", "signInCode", "the second step", .flags = ROUTE_OPEN, .status = 201, .body = code_body,
     .answer = signed_in, .handler = handle_sign_in_code},
    {"GET", "/session", "getSession", "who is signed in", "user", .status = 200, .answer = session_answer, .handler = handle_session},
    {"DELETE", "/session", "signOut", "signs out", "user", .status = 204, .handler = handle_sign_out},
    {"POST", "/session/totp", "beginTotp", "a new secret for an authenticator app", "user", .status = 200, .body = begin_totp_body,
     .answer = begin_totp_answer, .handler = handle_begin_totp},
    {"PUT", "/session/totp", "confirmTotp", "keeps that secret", "user", .status = 200, .body = confirm_totp_body,
     .answer = confirm_totp_answer, .handler = handle_confirm_totp},
    {"GET", "/sessions", "listSessions", "who is signed in: of everybody for an administrator, else one's own", "user", ROUTE_LIST, 200,
     .answer = session_answer, .handler = handle_sessions},
    {"DELETE", "/sessions/{id}", "endSession", "ends a session", "user", .status = 204, .handler = handle_end_session},
    {"PUT", "/users/{id}/password", "setPassword", "one's own, or by an administrator another's", "user", .status = 204,
     .body = password_body, .handler = handle_set_password},
    {"DELETE", "/users/{id}/totp", "removeTotp", "takes a user's second factor away", "user", .status = 204, .body = remove_totp_body,
     .handler = handle_remove_totp},
    {"GET", "/my", "listMine", "what is one's own to use", "user", ROUTE_LIST, 200, .answer = mine_answer, .handler = handle_mine},
    {"GET", "/desktops/live", "getLive", "how desktops are now", "user", ROUTE_MAP, 200, live_query, .answer = live_answer,
     .handler = handle_live},
    {"POST", "/desktops/{id}/actions/{action}", "controlDesktop", "does something with a desktop", "user", ROUTE_JOB, 202,
     .body = action_body, .answer = job_answer, .handler = handle_action},
    {"GET", "/desktops/{id}/snapshots", "listSnapshots", "a desktop's snapshots", "user", ROUTE_LIST, 200, .answer = snapshot_answer,
     .handler = handle_snapshots},
    {"GET", "/desktops/{id}/screen.png", "getScreen", "its first monitor's picture", "user", .status = 200, .media = "image/png",
     .handler = handle_screen},
    {"POST", "/desktops/{id}/connection", "connect", "a ticket; the desktop starts meanwhile", "user", .status = 201,
     .body = connection_body, .answer = connection_answer, .handler = handle_connection},
    {"GET", "/desktops/{id}/desktop.vv", "getViewerFile", "a ticket as a file for remote-viewer", "user", .status = 200,
     .media = "application/x-virt-viewer", .handler = handle_viewer_file},
    {"POST", "/watch/{request}", "answerWatch", "says whether somebody may look on", "user", .status = 204, .body = watch_body,
     .handler = handle_watch},
    {"DELETE", "/watch/{request}", "endWatch", "ends looking on, of whoever does or is looked at", "user", .status = 204,
     .handler = handle_end_watch},
    {"PUT", "/images/{id}/content", "uploadImage", "an image's bytes", "operator", ROUTE_STREAM | ROUTE_JOB, 202, .answer = job_answer,
     .handler = handle_upload},
    {"GET", "/jobs", "listJobs", "what takes a while", "user", ROUTE_LIST, 200, .answer = jobs_answer, .handler = handle_jobs},
    {"DELETE", "/jobs/{id}", "cancelJob", "stops a job", "user", .status = 204, .handler = handle_cancel_job},
    {"GET", "/host", "getThisHost", "what the host is and has", "operator", .status = 200, .answer = host_answer, .handler = handle_host},
    {"GET", "/host/orphans", "listOrphans", "files and volumes that belong to nothing", "operator", ROUTE_LIST, 200,
     .answer = orphan_answer, .handler = handle_orphans},
    {"GET", "/audit", "listAudit", "the audit trail, the newest first", "admin", ROUTE_LIST, 200, audit_query, .answer = audit_answer,
     .handler = handle_audit},
    {"GET", "/events", "listen", "what happens, as server-sent events", "user", .status = 200, .query = events_query,
     .media = "text/event-stream", .handler = handle_events},
};
/* clang-format on */

/* --- what the catalog has --- */

static char *
camel(const char *verb, const char *name)
{
    GString *text = g_string_new(NULL);

    for (const char *at = verb; *at; at++) {
        if (*at == '-' && at[1])
            g_string_append_c(text, g_ascii_toupper(*++at));
        else
            g_string_append_c(text, *at);
    }
    g_string_append_c(text, g_ascii_toupper(*name));
    g_string_append(text, name + 1);
    return g_string_free(text, FALSE);
}

static const ApiField *
list_query(const CatalogKind *kind)
{
    static const ApiField paging[] = {
        {"after", "the “next” of the page before", API_OPAQUE, 0, 1, 1024},
        {"limit", "how many on a page; 100", API_COUNT, 0, 1, 1000},
        {"ids", "only of these; again and again", API_TEXTS, .max = 1000},
    };
    static const ApiField search = {
        "search", "what their names hold, in any case; a user's full name counts too", API_TEXT, 0, 0, 128};
    const ApiField narrowing[] = {
        {"filter", "the column that must be equal", API_WORD, .words = kind->filters},
        {"value", "to this; absent: nothing is there", API_LINE, 0, 0, 256},
    };
    GArray *fields = g_array_new(TRUE, FALSE, sizeof(ApiField));

    g_array_append_vals(fields, paging, G_N_ELEMENTS(paging));
    if (kind->searchable)
        g_array_append_val(fields, search);
    if (kind->filters[0])
        g_array_append_vals(fields, narrowing, G_N_ELEMENTS(narrowing));
    return (const ApiField *)g_array_free(fields, FALSE);
}

static void
add_reads(GArray *routes, const CatalogKind *kind)
{
    const ApiRoute reads[] = {
        {"GET", g_strdup_printf("/%s", kind->table), camel("list", kind->table), "a page of all there are", "user",
         ROUTE_PAGE, 200, list_query(kind), .answer = kind->columns, .handler = handle_list, .kind = kind},
        {"GET", g_strdup_printf("/%s/{id}", kind->table), camel("get", kind->name), "one, by its id or as name:NAME",
         "user", ROUTE_TAGGED, 200, .answer = kind->whole, .handler = handle_get, .kind = kind},
    };

    g_array_append_vals(routes, reads, G_N_ELEMENTS(reads));
}

/* Those have calls of their own, which check an old password or a code. */
static bool
is_taken_elsewhere(const CatalogCommand *command)
{
    return !strcmp(command->name, "user.set_password") || !strcmp(command->name, "user.set_totp");
}

static void
add_command(GArray *routes, const CatalogCommand *command)
{
    const CatalogKind *kind = command->kind;
    const char *table = kind ? kind->table : "audit";
    ApiRoute route = {.about = command->about,
                      .role = command->own ? "user" : command->role,
                      .body = command->fields,
                      .kind = kind,
                      .command = command,
                      .id = camel(command->verb, kind ? kind->name : "audit")};

    bool plain = !strcmp(command->verb, "change"); /* others that change have verbs */
    if (command->action == CATALOG_MAKES) {
        route.method = "POST", route.path = g_strdup_printf("/%s", table), route.status = 201;
        route.answer = kind->whole, route.flags = ROUTE_TAGGED, route.handler = handle_make;
    } else if (command->action == CATALOG_REMOVES) {
        route.method = "DELETE", route.path = g_strdup_printf("/%s/{id}", table), route.status = 204;
        route.flags = ROUTE_SEEN, route.handler = handle_remove, route.body = NULL;
    } else if (command->action == CATALOG_CHANGES && plain) {
        route.method = "PATCH", route.path = g_strdup_printf("/%s/{id}", table), route.status = 200;
        route.answer = kind->whole, route.flags = ROUTE_TAGGED | ROUTE_SEEN, route.handler = handle_change;
    } else {
        route.method = "POST", route.status = 200, route.flags = ROUTE_RESULT, route.handler = handle_verb;
        route.path = g_strdup_printf(kind ? "/%s/{id}/%s" : "/%s/%s", table, command->verb);
    }
    g_array_append_val(routes, route);
}

static ApiRoute *
make_routes(void)
{
    GArray *routes = g_array_new(TRUE, TRUE, sizeof(ApiRoute));
    const Catalog *catalog = catalog_get();

    g_array_append_vals(routes, own_routes, G_N_ELEMENTS(own_routes));
    for (guint i = 0; i < routes->len; i++) {
        ApiRoute *route = &g_array_index(routes, ApiRoute, i);
        if (route->handler == handle_action)
            route->words = action_words;
    }
    for (const CatalogKind *kind = catalog->kinds; kind->name; kind++)
        add_reads(routes, kind);
    for (const CatalogCommand *command = catalog->commands; command->name; command++)
        if (!is_taken_elsewhere(command))
            add_command(routes, command);
    return (ApiRoute *)g_array_free(routes, FALSE);
}

const ApiRoute *
routes_get(void)
{
    static const ApiRoute *routes;

    if (g_once_init_enter_pointer(&routes))
        g_once_init_leave_pointer(&routes, make_routes());
    return routes;
}

/* --- finding one --- */

void
route_match_clear(RouteMatch *match)
{
    for (unsigned i = 0; i < ROUTE_PARAMETERS_MAX; i++)
        g_clear_pointer(&match->parameters[i], g_free);
    match->route = NULL;
}

/* A part of the path as text; NULL: it holds what no text does. */
static char *
decode(const char *part, gsize len)
{
    g_autofree char *text = g_uri_unescape_segment(part, part + len, NULL);

    return text && g_utf8_validate(text, -1, NULL) ? g_steal_pointer(&text) : NULL;
}

static bool
fits(const ApiRoute *route, const char *path, RouteMatch *match)
{
    const char *pattern = route->path;
    unsigned n = 0;

    while (*pattern == '/' && *path == '/') {
        gsize pattern_len = strcspn(++pattern, "/"), len = strcspn(++path, "/");
        if (*pattern == '{') {
            match->parameters[n] = len ? decode(path, len) : NULL;
            if (!match->parameters[n++])
                return false;
        } else if (len != pattern_len || memcmp(pattern, path, len)) {
            return false;
        }
        pattern += pattern_len;
        path += len;
    }
    return !*pattern && !*path;
}

void
routes_find(const char *method, const char *path, RouteMatch *match)
{
    *match = (RouteMatch){0};
    for (const ApiRoute *route = routes_get(); route->method; route++) {
        RouteMatch one = {0};
        bool found = fits(route, path, &one);
        if (found && !strcmp(method, route->method)) {
            *match = one;
            match->route = route;
            return;
        }
        match->other_method |= found;
        route_match_clear(&one);
    }
}
