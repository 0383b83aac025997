/* SPDX-License-Identifier: Apache-2.0 */
/* One source with a ready time: set from any thread, and by itself for as long as something is stuck. */
#include "display/spice/stall.h"

struct StallWatch {
    GSource *timer;
    Clients *clients;
    Qxl *const *scanouts;
    unsigned n_scanouts;
};

static gint64
deadline_of(const StallWatch *watch, gint64 stuck_since)
{
    unsigned seconds = clients_count(watch->clients) > 1 ? STALL_SHARED_SECONDS : STALL_ALONE_SECONDS;
    return stuck_since + (gint64)seconds * G_USEC_PER_SEC;
}

static gboolean
look(gpointer user)
{
    StallWatch *watch = user;
    gint64 now = g_get_monotonic_time(), next = -1;

    for (unsigned i = 0; i < watch->n_scanouts; i++) {
        gint64 since = qxl_stuck_since(watch->scanouts[i]);
        if (!since)
            continue;
        gint64 deadline = deadline_of(watch, since);
        if (deadline <= now) {
            clients_drop_blocked(watch->clients, (int)i);
            deadline = now + STALL_SHARED_SECONDS * G_USEC_PER_SEC;
        }
        next = next < 0 ? deadline : MIN(next, deadline);
    }
    g_source_set_ready_time(watch->timer, next);
    return G_SOURCE_CONTINUE;
}

static gboolean
dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    return callback(user);
}

static GSourceFuncs timer_funcs = {.dispatch = dispatch};

StallWatch *
stall_watch_new(Clients *clients)
{
    StallWatch *watch = g_new0(StallWatch, 1);

    watch->clients = clients;
    watch->timer = g_source_new(&timer_funcs, sizeof(GSource));
    g_source_set_static_name(watch->timer, "spice stall watch");
    g_source_set_callback(watch->timer, look, watch, NULL);
    g_source_attach(watch->timer, g_main_context_get_thread_default());
    return watch;
}

void
stall_watch_free(StallWatch *watch)
{
    if (!watch)
        return;
    g_source_destroy(watch->timer);
    g_source_unref(watch->timer);
    g_free(watch);
}

void
stall_watch_set_scanouts(StallWatch *watch, Qxl *const *scanouts, unsigned n)
{
    watch->scanouts = scanouts;
    watch->n_scanouts = n;
}

void
stall_watch_start(StallWatch *watch)
{
    g_source_set_ready_time(watch->timer, 0);
}
