/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers and watches: each is a GSource with the callback behind it, so that removing one inside its own callback is what
 * GLib allows anyway. A timer that is not running costs nothing: its ready time is "never".
 */
#include "display/spice/core.h"

#include <glib-unix.h>

struct SpiceTimer {
    GSource source;
    SpiceTimerFunc func;
    void *opaque;
};

struct SpiceWatch {
    GSource source;
    SpiceWatchFunc func;
    void *opaque;
    int fd;
    int mask;     /* SPICE_WATCH_EVENT_…, as asked for */
    gpointer tag; /* the fd in the source; NULL while nothing is asked for, because poll() reports hang-ups unasked */
};

static struct {
    GMainContext *context;
    SpiceChannelEvent channel_event;
    void *user;
} core;

#define NEVER (-1)

static gboolean
timer_dispatch(GSource *source, GSourceFunc unused, gpointer unused_data)
{
    SpiceTimer *timer = (SpiceTimer *)source;

    g_source_set_ready_time(source, NEVER);
    timer->func(timer->opaque);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs timer_funcs = {.dispatch = timer_dispatch};

static SpiceTimer *
timer_add(SpiceTimerFunc func, void *opaque)
{
    SpiceTimer *timer = (SpiceTimer *)g_source_new(&timer_funcs, sizeof *timer);

    timer->func = func;
    timer->opaque = opaque;
    g_source_set_static_name(&timer->source, "spice timer");
    g_source_attach(&timer->source, core.context);
    return timer;
}

static void
timer_start(SpiceTimer *timer, uint32_t ms)
{
    g_source_set_ready_time(&timer->source, g_get_monotonic_time() + (gint64)ms * 1000);
}

static void
timer_cancel(SpiceTimer *timer)
{
    g_source_set_ready_time(&timer->source, NEVER);
}

static void
timer_remove(SpiceTimer *timer)
{
    g_source_destroy(&timer->source);
    g_source_unref(&timer->source);
}

static int
events_of(GIOCondition condition)
{
    int events = 0;

    if (condition & (G_IO_IN | G_IO_HUP | G_IO_ERR))
        events |= SPICE_WATCH_EVENT_READ;
    if (condition & (G_IO_OUT | G_IO_HUP | G_IO_ERR))
        events |= SPICE_WATCH_EVENT_WRITE;
    return events;
}

static GIOCondition
condition_of(int mask)
{
    return (mask & SPICE_WATCH_EVENT_READ ? G_IO_IN : 0) | (mask & SPICE_WATCH_EVENT_WRITE ? G_IO_OUT : 0);
}

static gboolean
watch_dispatch(GSource *source, GSourceFunc unused, gpointer unused_data)
{
    SpiceWatch *watch = (SpiceWatch *)source;
    int events = watch->tag ? events_of(g_source_query_unix_fd(source, watch->tag)) & watch->mask : 0;

    if (events)
        watch->func(watch->fd, events, watch->opaque);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs watch_funcs = {.dispatch = watch_dispatch};

static void
watch_update_mask(SpiceWatch *watch, int mask)
{
    if (mask == watch->mask)
        return; /* each change wakes the loop */
    watch->mask = mask;
    if (!mask) {
        if (watch->tag)
            g_source_remove_unix_fd(&watch->source, g_steal_pointer(&watch->tag));
    } else if (watch->tag) {
        g_source_modify_unix_fd(&watch->source, watch->tag, condition_of(mask));
    } else {
        watch->tag = g_source_add_unix_fd(&watch->source, watch->fd, condition_of(mask));
    }
}

static SpiceWatch *
watch_add(int fd, int mask, SpiceWatchFunc func, void *opaque)
{
    SpiceWatch *watch = (SpiceWatch *)g_source_new(&watch_funcs, sizeof *watch);

    watch->fd = fd;
    watch->func = func;
    watch->opaque = opaque;
    g_source_set_static_name(&watch->source, "spice watch");
    /* Else GLib takes the descriptor out of its poll and wakes itself to put it back, at every key. */
    g_source_set_can_recurse(&watch->source, TRUE);
    watch_update_mask(watch, mask);
    g_source_attach(&watch->source, core.context);
    return watch;
}

static void
watch_remove(SpiceWatch *watch)
{
    g_source_destroy(&watch->source);
    g_source_unref(&watch->source);
}

static void
channel_event(int event, SpiceChannelEventInfo *info)
{
    core.channel_event(core.user, event, info);
}

static SpiceCoreInterface core_interface = {
    .base =
        {
            .type = SPICE_INTERFACE_CORE,
            .description = "carrel main loop",
            .major_version = SPICE_INTERFACE_CORE_MAJOR,
            .minor_version = SPICE_INTERFACE_CORE_MINOR,
        },
    .timer_add = timer_add,
    .timer_start = timer_start,
    .timer_cancel = timer_cancel,
    .timer_remove = timer_remove,
    .watch_add = watch_add,
    .watch_update_mask = watch_update_mask,
    .watch_remove = watch_remove,
    .channel_event = channel_event,
};

SpiceCoreInterface *
spice_core_start(GMainContext *context, SpiceChannelEvent on_channel_event, void *user)
{
    g_assert(!core.context); /* one SPICE server per process */
    core.context = g_main_context_ref(context);
    core.channel_event = on_channel_event;
    core.user = user;
    return &core_interface;
}

void
spice_core_stop(void)
{
    g_clear_pointer(&core.context, g_main_context_unref);
}
