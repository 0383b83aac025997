/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/daemon.h"

#include "appliance/daemon/first_start.h"
#include "appliance/daemon/notify.h"
#include "appliance/daemon/saved_sessions.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sessions are looked at, and saved if they were used, every so many seconds; sooner where one began or ended. */
#define SWEEP_SECONDS 60
#define SAVE_SECONDS 1

/* Whoever signs out for the last time leaves their desktop. */
static void
tell_desktops(Daemon *daemon, const Session *session, SessionEnd end)
{
    g_autoptr(GPtrArray) others = sessions_list(people_sessions(daemon->people), session->user_id);

    desktops_session_over(daemon->rooms.desktops, session->id,
                          end == SESSION_END_REVOKED || end == SESSION_END_USER_CHANGED);
    if (end == SESSION_END_SIGNED_OUT && !others->len)
        desktops_user_left(daemon->rooms.desktops, session->user_id);
}

static void
session_ended(void *data, const Session *session, SessionEnd end)
{
    static const char *const words[] = {
        [SESSION_END_SIGNED_OUT] = "signed-out", [SESSION_END_IDLE] = "idle",
        [SESSION_END_EXPIRED] = "expired",       [SESSION_END_REVOKED] = "revoked",
        [SESSION_END_USER_CHANGED] = "changed",  [SESSION_END_TOO_MANY] = "too-many",
    };
    Daemon *daemon = data;

    daemon_sessions_changed(daemon);
    pending_secrets_drop(daemon->secrets, session->id);
    events_session_ended(daemon->events, session->id, words[end]);
    watching_session_ended(daemon->watching, session->id);
    if (daemon->rooms.desktops)
        tell_desktops(daemon, session, end);
    commands_note(daemon->commands, &(CommandsNote){
                                        .event = "sign-out",
                                        .name = session->user_name,
                                        .user = session->user_id,
                                        .address = session->source,
                                        .detail = words[end],
                                    });
}

/* The store's news, on the main thread, before the answer to the command. */
static void
store_changed(int64_t sequence, GPtrArray *changes, void *data)
{
    Daemon *daemon = data;

    if (!daemon->service)
        return; /* still starting: nobody listens yet */
    if (!changes)
        people_changed_all(daemon->people);
    for (guint i = 0; changes && i < changes->len; i++) {
        const StoreChange *change = changes->pdata[i];
        if (!strcmp(change->kind, "user")) {
            people_changed(daemon->people, change->thing);
            first_start_user_changed(daemon->config, daemon->reader, change->thing);
        }
    }
    events_store_changed(daemon->events, sequence, changes);
    rooms_store_changed(daemon, changes);
}

static void
job_changed(const Job *job, void *data)
{
    Daemon *daemon = data;

    events_job(daemon->events, job->actor, job_describe(job));
    if (job->error)
        g_message("“%s” failed: %s", job->what, job->error);
}

/* @mode of a new one; what is there keeps its own. */
static bool
make_folder(const char *path, int mode, GError **error)
{
    if (!g_mkdir_with_parents(path, mode))
        return true;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "the folder %s cannot be made: %s", path,
                g_strerror(errno));
    return false;
}

static bool
open_store(Daemon *daemon, GError **error)
{
    g_autofree char *path = g_build_filename(daemon->config->state, "store", NULL);
    g_autoptr(Store) store = store_open(path, error);

    if (!store || !(daemon->reader = store_reader_open(path, error)))
        return false;
    daemon->commands = commands_new(g_steal_pointer(&store), daemon->config->name, store_changed, daemon);
    return true;
}

static bool
begin(Daemon *daemon, GError **error)
{
    g_autofree char *said = NULL;

    if (!first_start(daemon->config, daemon->reader, daemon->commands, &said, error))
        return false;
    if (said)
        g_message("this host is new: %s", said);
    return true;
}

static gboolean
sweep(gpointer data)
{
    Daemon *daemon = data;

    sessions_sweep(people_sessions(daemon->people), people_now(daemon->people));
    allowance_sweep(daemon->allowance, people_now(daemon->people));
    if (daemon->sessions_used)
        daemon_sessions_changed(daemon);
    daemon->sessions_used = false;
    return G_SOURCE_CONTINUE;
}

static gboolean
save(gpointer data)
{
    Daemon *daemon = data;

    daemon->save = 0;
    saved_sessions_save(daemon->config, daemon->people);
    return G_SOURCE_REMOVE;
}

void
daemon_sessions_changed(Daemon *daemon)
{
    if (!daemon->save)
        daemon->save = g_timeout_add_seconds(SAVE_SECONDS, save, daemon);
}

static bool
make_people(Daemon *daemon, GError **error)
{
    daemon->secrets = pending_secrets_new();
    daemon->events = events_new(daemon->reader);
    daemon->jobs = jobs_new(job_changed, daemon);
    daemon->watching = watching_new(daemon->events);
    daemon->allowance = allowance_new();
    daemon->people = people_new(daemon->config, daemon->commands, daemon->reader, session_ended, daemon);
    if (!people_set_directory(daemon->people, daemon->config, error))
        return false;
    saved_sessions_load(daemon->config, daemon->people);
    return true;
}

Daemon *
daemon_new(const char *path, GError **error)
{
    g_autoptr(Daemon) daemon = g_new0(Daemon, 1);

    daemon->config_path = g_strdup(path);
    daemon->began = g_get_real_time();
    if (!(daemon->config = daemon_config_read(path, error)) || !make_folder(daemon->config->state, 0700, error) ||
        !make_folder(daemon->config->runtime, 0755, error) || !open_store(daemon, error) || !begin(daemon, error) ||
        !make_people(daemon, error) || !rooms_open(daemon, error))
        return NULL;
    daemon->service = service_new(daemon, daemon->config->socket, daemon->config->web_user, error);
    if (!daemon->service)
        return NULL;
    daemon->sweep = g_timeout_add_seconds(SWEEP_SECONDS, sweep, daemon);
    return g_steal_pointer(&daemon);
}

void
daemon_free(Daemon *daemon)
{
    if (!daemon)
        return;
    g_clear_handle_id(&daemon->sweep, g_source_remove);
    g_clear_handle_id(&daemon->save, g_source_remove);
    g_clear_pointer(&daemon->service, service_free);
    rooms_close(daemon);
    g_clear_pointer(&daemon->watching, watching_free);
    if (daemon->people)
        saved_sessions_save(daemon->config, daemon->people);
    if (daemon->commands)
        commands_finish(daemon->commands);
    g_clear_pointer(&daemon->people, people_free); /* attempts under way end, and are written down */
    if (daemon->commands)
        commands_finish(daemon->commands);
    jobs_free(daemon->jobs);
    events_free(daemon->events);
    commands_free(daemon->commands);
    allowance_free(daemon->allowance);
    pending_secrets_free(daemon->secrets);
    store_reader_free(daemon->reader);
    daemon_config_free(daemon->config);
    host_figures_finish(&daemon->figures);
    g_free(daemon->config_path);
    g_free(daemon);
}

void
daemon_reload(Daemon *daemon)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(DaemonConfig) config = daemon_config_read(daemon->config_path, &error);

    if (config && people_set_directory(daemon->people, config, &error))
        g_message("the directory is %s", config->directory ? config->directory_name : "none");
    else
        g_warning("the directory stays as it was: %s", error->message);
}
