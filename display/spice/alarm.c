/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms: a GSource with nothing but a ready time. */
#include "display/spice/alarm.h"

typedef struct {
    GSource source;
    void (*ring)(void *user);
    void *user;
} Alarm;

static gboolean
dispatch(GSource *source, GSourceFunc unused, gpointer unused_data)
{
    Alarm *alarm = (Alarm *)source;

    g_source_set_ready_time(source, ALARM_NEVER);
    alarm->ring(alarm->user);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs alarm_funcs = {.dispatch = dispatch};

GSource *
alarm_new(const char *name, void (*ring)(void *user), void *user)
{
    Alarm *alarm = (Alarm *)g_source_new(&alarm_funcs, sizeof *alarm);

    alarm->ring = ring;
    alarm->user = user;
    g_source_set_static_name(&alarm->source, name);
    g_source_attach(&alarm->source, g_main_context_get_thread_default());
    return &alarm->source;
}

void
alarm_set(GSource *alarm, gint64 time)
{
    g_source_set_ready_time(alarm, time);
}

void
alarm_free(GSource **alarm)
{
    if (*alarm)
        g_source_destroy(*alarm);
    g_clear_pointer(alarm, g_source_unref);
}
