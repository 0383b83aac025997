/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/figures.h"

#include "appliance/desktops/bounds.h"
#include "appliance/desktops/private.h"
#include "appliance/desktops/quality.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL_SECONDS 2
#define REFRESH_MS 1000

/* Sums of the VMM's counters ("disk0.read-bytes", "usb.errors"). */
static const struct {
    const char *name, *group, *counter;
} sums[] = {
    {"disk_read", "disk", ".read-bytes"}, {"disk_written", "disk", ".write-bytes"},
    {"net_received", "net", ".rx-bytes"}, {"net_sent", "net", ".tx-bytes"},
    {"frames", "display", ".frames"},     {"usb_errors", "usb", ".errors"},
};

struct Figures {
    int64_t taken; /* monotonic µs; 0: never */
    uint64_t cpu_us, memory;
    double cpu; /* processors in use since the time before; below 0: not known yet */
    uint64_t sums[G_N_ELEMENTS(sums)];
    int64_t counted; /* monotonic µs: when .sums and .quality were; 0: never */
    bool asked;      /* an answer is to come */
    DesktopQuality quality;
    Limits limits; /* as they hold */
    const char *unlimited[LIMITS_KINDS + 1];
    int64_t frame_age_us, input_us; /* in the mean of the last interval in which there were some; below 0: not known */
};

void
figures_free(Figures *figures)
{
    g_free(figures);
}

/* ---- /proc ---- */

static bool
add_process(pid_t pid, uint64_t *cpu_us, uint64_t *memory)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;
    unsigned long user, system;
    long resident;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return false;
    const char *name_end = strrchr(text, ')');
    /* proc_pid_stat(5): utime and stime are fields 14 and 15, rss is field 24. */
    if (!name_end || name_end[1] != ' ' ||
        sscanf(name_end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld",
               &user, &system, &resident) != 3)
        return false;
    *cpu_us += (uint64_t)(user + system) * (uint64_t)(G_USEC_PER_SEC / sysconf(_SC_CLK_TCK));
    *memory += (uint64_t)MAX(resident, 0) * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

bool
figures_of_process(pid_t pid, uint64_t *cpu_us, uint64_t *memory)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", (int)pid, (int)pid);
    g_autofree char *children = NULL;

    *cpu_us = *memory = 0;
    if (!add_process(pid, cpu_us, memory))
        return false;
    /* The keeper's: the desktop itself, and none below that. */
    if (g_file_get_contents(path, &children, NULL, NULL)) {
        g_auto(GStrv) ids = g_strsplit(g_strchomp(children), " ", -1);
        for (unsigned i = 0; ids[i]; i++)
            if (*ids[i])
                add_process((pid_t)atoi(ids[i]), cpu_us, memory);
    }
    return true;
}

/* ---- the VMM's ---- */

static void
take_counters(Figures *figures, GVariant *counters)
{
    GVariantIter iter;
    const char *name;
    guint64 value;

    memset(figures->sums, 0, sizeof figures->sums);
    g_variant_iter_init(&iter, counters);
    while (g_variant_iter_next(&iter, "{&st}", &name, &value))
        for (unsigned i = 0; i < G_N_ELEMENTS(sums); i++)
            if (g_str_has_prefix(name, sums[i].group) && g_str_has_suffix(name, sums[i].counter))
                figures->sums[i] += value;
}

/* The first time there is nothing to hold it against. With nobody there, what was is of no use any more. */
static void
take_quality(Figures *figures, GVariant *counters, bool anybody)
{
    const DesktopQuality before = figures->quality;
    DesktopQuality between;
    uint64_t mean;

    quality_read(&figures->quality, counters);
    if (!anybody)
        figures->frame_age_us = figures->input_us = -1;
    else if (figures->counted) {
        quality_between(&before, &figures->quality, &between);
        if (quality_mean(&between.frame_age, &mean))
            figures->frame_age_us = (int64_t)MIN(mean, G_MAXINT64);
        if (quality_mean(&between.input, &mean))
            figures->input_us = (int64_t)MIN(mean, G_MAXINT64);
    }
}

/* A tap that the kernel serves is counted by the kernel. */
static void
take_network(Desktop *desktop)
{
    uint64_t received, sent;

    if (!networks_counters(desktop->desktops->settings.networks, desktop->id, &received, &sent))
        return;
    desktop->figures->sums[2] = received;
    desktop->figures->sums[3] = sent;
}

static void
tell(Desktop *desktop)
{
    Desktops *desktops = desktop->desktops;
    GVariantDict what;

    g_variant_dict_init(&what, NULL);
    figures_describe(desktop->figures, &what);
    desktops->ops.changed(desktops->owner, desktop->id, g_variant_dict_end(&what));
}

static void end_refreshes(Desktops *desktops);

static void
on_statistics(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GVariant) counters = NULL;
    g_autoptr(GError) error = NULL;
    bool answered = carrel_vmm1_call_get_statistics_finish(CARREL_VMM1(source), &counters, result, &error);

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    Desktop *desktop = user;
    desktop->figures->asked = false;
    if (answered) {
        take_counters(desktop->figures, counters);
        take_quality(desktop->figures, counters, desktop->clients > 0);
        desktop->figures->counted = g_get_monotonic_time();
        take_network(desktop);
        tell(desktop);
    }
    end_refreshes(desktop->desktops);
}

static void
take_process(Figures *figures, pid_t pid)
{
    int64_t now = g_get_monotonic_time();
    uint64_t cpu_us;

    if (!figures_of_process(pid, &cpu_us, &figures->memory))
        return;
    figures->cpu = figures->taken && now > figures->taken && cpu_us >= figures->cpu_us
                       ? (double)(cpu_us - figures->cpu_us) / (double)(now - figures->taken)
                       : -1;
    figures->cpu_us = cpu_us;
    figures->taken = now;
}

/* Held against what the store has now: what was changed since the desktop started does not hold yet. */
static void
take_limits(Desktop *desktop)
{
    Figures *figures = desktop->figures;
    Limits wanted = {0};

    bounds_read(desktop->id, desktop->record->pid, &figures->limits);
    if (desktop->spec)
        limits_of(desktop->spec, &wanted);
    limits_missing(&wanted, &figures->limits, figures->unlimited);
}

void
figures_take(Desktop *desktop)
{
    CarrelVmm1 *control = vmm_control(desktop->vmm);

    if (!control || !desktop->record)
        return;
    if (!desktop->figures) {
        desktop->figures = g_new0(Figures, 1);
        desktop->figures->cpu = -1;
        desktop->figures->frame_age_us = desktop->figures->input_us = -1;
    }
    take_process(desktop->figures, desktop->record->pid);
    take_limits(desktop);
    if (desktop->figures->asked)
        return;
    desktop->figures->asked = true;
    carrel_vmm1_call_get_statistics(control, desktop->cancellable, on_statistics, desktop);
}

static void
describe_limits(const Figures *figures, GVariantDict *what)
{
    const Limits *limits = &figures->limits;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"memory_limit", limits->memory},
                   {"disk_read_limit", limits->read_bytes},
                   {"disk_write_limit", limits->write_bytes},
                   {"disk_read_ops_limit", limits->read_ops},
                   {"disk_write_ops_limit", limits->write_ops}};

    if (limits->cpu_us)
        g_variant_dict_insert(what, "cpu_limit", "d", (double)limits->cpu_us / G_USEC_PER_SEC);
    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (numbers[i].value)
            g_variant_dict_insert(what, numbers[i].name, "t", numbers[i].value);
    g_variant_dict_insert(what, "unlimited", "^as", figures->unlimited);
}

void
figures_describe(const Figures *figures, GVariantDict *what)
{
    if (!figures)
        return;
    if (figures->cpu >= 0)
        g_variant_dict_insert(what, "cpu", "d", figures->cpu);
    g_variant_dict_insert(what, "memory", "t", figures->memory);
    describe_limits(figures, what);
    for (unsigned i = 0; figures->counted && i < G_N_ELEMENTS(sums); i++)
        g_variant_dict_insert(what, sums[i].name, "t", figures->sums[i]);
    if (!figures->counted)
        return;
    g_variant_dict_insert(what, "client_sent", "t", figures->quality.sent);
    g_variant_dict_insert(what, "client_received", "t", figures->quality.received);
    if (figures->frame_age_us >= 0)
        g_variant_dict_insert(what, "frame_age_us", "t", (guint64)figures->frame_age_us);
    if (figures->input_us >= 0)
        g_variant_dict_insert(what, "input_us", "t", (guint64)figures->input_us);
}

bool
figures_quality(const Figures *figures, int64_t since, DesktopQuality *quality)
{
    if (!figures || figures->counted <= since)
        return false;
    *quality = figures->quality;
    return true;
}

/* ---- all desktops ---- */

static gboolean
take_all(gpointer user)
{
    Desktops *desktops = user;
    GHashTableIter iter;
    Desktop *desktop;

    g_hash_table_iter_init(&iter, desktops->desktops);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&desktop))
        figures_take(desktop);
    return G_SOURCE_CONTINUE;
}

void
desktops_follow(Desktops *desktops)
{
    if (desktops->followers++)
        return;
    take_all(desktops);
    desktops->figures_source = g_timeout_add_seconds(INTERVAL_SECONDS, take_all, desktops);
}

void
desktops_unfollow(Desktops *desktops)
{
    g_assert(desktops->followers);
    if (--desktops->followers)
        return;
    g_source_remove(desktops->figures_source);
    desktops->figures_source = 0;
}

/* ---- once ---- */

typedef struct {
    Desktops *desktops;
    void (*done)(void *data);
    void *data;
    guint timeout;
} Refresh;

static void
end_refresh(Refresh *refresh)
{
    refresh->desktops->refreshes = g_list_remove(refresh->desktops->refreshes, refresh);
    if (refresh->timeout)
        g_source_remove(refresh->timeout);
    refresh->done(refresh->data);
    g_free(refresh);
}

void
figures_give_up(Desktops *desktops)
{
    while (desktops->refreshes)
        end_refresh(desktops->refreshes->data);
}

static bool
any_asked(Desktops *desktops)
{
    GHashTableIter iter;
    Desktop *desktop;

    g_hash_table_iter_init(&iter, desktops->desktops);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&desktop))
        if (desktop->figures && desktop->figures->asked)
            return true;
    return false;
}

/* An answer came. */
static void
end_refreshes(Desktops *desktops)
{
    if (desktops->refreshes && !any_asked(desktops))
        figures_give_up(desktops);
}

static gboolean
on_refresh_late(gpointer user)
{
    Refresh *refresh = user;

    refresh->timeout = 0;
    end_refresh(refresh);
    return G_SOURCE_REMOVE;
}

void
desktops_refresh(Desktops *desktops, void (*done)(void *data), void *data)
{
    Refresh *refresh = g_new0(Refresh, 1);

    if (!desktops->followers)
        take_all(desktops);
    *refresh = (Refresh){desktops, done, data, 0};
    desktops->refreshes = g_list_append(desktops->refreshes, refresh);
    if (any_asked(desktops))
        refresh->timeout = g_timeout_add(REFRESH_MS, on_refresh_late, refresh);
    else
        end_refresh(refresh);
}
