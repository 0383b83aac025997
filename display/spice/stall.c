/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One alarm: set when a frame has to wait, and by itself for as long as something is stuck. Once set it is left alone, so
 * frames that keep having to wait, as with any slow client, do not wake the main thread each.
 */
#include "display/spice/stall.h"

#include "display/spice/alarm.h"

struct StallWatch {
    GSource *alarm;
    gint is_set; /* atomic; the alarm will ring */
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

static void
look(void *user)
{
    StallWatch *watch = user;
    g_atomic_int_set(&watch->is_set, false); /* a frame that has to wait from here on sets it again */
    gint64 now = g_get_monotonic_time(), next = ALARM_NEVER;

    for (unsigned i = 0; i < watch->n_scanouts; i++) {
        gint64 since = qxl_stuck_since(watch->scanouts[i]);
        if (!since)
            continue;
        gint64 deadline = deadline_of(watch, since);
        if (deadline <= now) {
            clients_drop_blocked(watch->clients, (int)i);
            deadline = now + STALL_SHARED_SECONDS * G_USEC_PER_SEC;
        }
        next = next == ALARM_NEVER ? deadline : MIN(next, deadline);
    }
    if (next == ALARM_NEVER)
        return;
    g_atomic_int_set(&watch->is_set, true);
    alarm_set(watch->alarm, MIN(next, now + STALL_SHARED_SECONDS * G_USEC_PER_SEC)); /* clients may come and go */
}

StallWatch *
stall_watch_new(Clients *clients)
{
    StallWatch *watch = g_new0(StallWatch, 1);

    watch->clients = clients;
    watch->alarm = alarm_new("spice stall watch", look, watch);
    return watch;
}

void
stall_watch_free(StallWatch *watch)
{
    if (!watch)
        return;
    alarm_free(&watch->alarm);
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
    if (!g_atomic_int_exchange(&watch->is_set, true))
        alarm_set(watch->alarm, ALARM_NOW);
}
