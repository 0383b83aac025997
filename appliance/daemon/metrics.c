/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/metrics.h"

#include <string.h>

static void
begin(GString *text, const char *name, const char *type, const char *help)
{
    g_string_append_printf(text, "# HELP carrel_%s %s\n# TYPE carrel_%s %s\n", name, help, name, type);
}

static void
add_number(GString *text, double number)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append_printf(text, " %s\n", g_ascii_dtostr(digits, sizeof(digits), number));
}

static void
add(GString *text, const char *name, const char *type, const char *help, double number)
{
    begin(text, name, type, help);
    g_string_append_printf(text, "carrel_%s", name);
    add_number(text, number);
}

/* A label's value: backslashes and quotes are escaped; names hold no line's end. */
static void
add_label(GString *text, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            g_string_append_c(text, '\\');
        g_string_append_c(text, *value);
    }
}

/* --- desktops --- */

typedef struct {
    char *id, *name;
    GVariant *live;
} Running;

static void
running_free(void *data)
{
    Running *running = data;

    g_free(running->id);
    g_free(running->name);
    g_variant_unref(running->live);
    g_free(running);
}

static void
collect(Daemon *daemon, GPtrArray *running, GPtrArray *page)
{
    for (guint i = 0; i < page->len; i++) {
        Running *one = g_new0(Running, 1);
        g_variant_lookup(page->pdata[i], "id", "s", &one->id);
        g_variant_lookup(page->pdata[i], "name", "s", &one->name);
        one->live = desktops_live(daemon->rooms.desktops, one->id);
        if (one->live) {
            g_ptr_array_add(running, one);
        } else {
            g_free(one->id);
            g_free(one->name);
            g_free(one);
        }
    }
}

/* Those on this host of which there is something to tell. */
static GPtrArray *
find_running(Daemon *daemon)
{
    GPtrArray *running = g_ptr_array_new_with_free_func(running_free);
    g_autofree char *after = NULL;

    do {
        const StoreQuery query = {store_catalog_find_kind("desktop"), "host", daemon->config->name, after,
                                  STORE_PAGE_MAX};
        g_auto(StorePage) page = {0};
        if (!store_reader_list(daemon->reader, &query, &page, NULL))
            break;
        collect(daemon, running, page.rows);
        g_free(after);
        after = g_steal_pointer(&page.next);
    } while (after);
    return running;
}

/* What of GetLive is a figure. */
static const struct {
    const char *key, *name, *type, *help;
    double unit;
} figures[] = {
    {"cpu", "desktop_cpus", "gauge", "Processors a desktop uses.", 1},
    {"memory", "desktop_memory_bytes", "gauge", "Memory of the host's that a desktop takes.", 1},
    {"disk_read", "desktop_disk_read_bytes_total", "counter", "Bytes a desktop has read from its disks.", 1},
    {"disk_written", "desktop_disk_written_bytes_total", "counter", "Bytes a desktop has written to its disks.", 1},
    {"net_received", "desktop_network_received_bytes_total", "counter", "Bytes a desktop has received.", 1},
    {"net_sent", "desktop_network_sent_bytes_total", "counter", "Bytes a desktop has sent.", 1},
    {"frames", "desktop_frames_total", "counter", "Changes of the picture that a desktop has announced.", 1},
    {"client_sent", "desktop_client_sent_bytes_total", "counter", "Bytes a desktop has sent to its clients.", 1},
    {"client_received", "desktop_client_received_bytes_total", "counter", "Bytes a desktop's clients have sent.", 1},
    {"usb_errors", "desktop_usb_errors_total", "counter", "Transfers of a desktop's USB devices that failed.", 1},
};

static bool
number_of(GVariant *live, const char *key, double *number)
{
    g_autoptr(GVariant) value = g_variant_lookup_value(live, key, NULL);

    if (value && g_variant_is_of_type(value, G_VARIANT_TYPE_DOUBLE))
        *number = g_variant_get_double(value);
    else if (value && g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64))
        *number = (double)g_variant_get_uint64(value);
    else
        return false;
    return true;
}

/* "carrel_NAME{desktop=…,name=…", to which the caller may add labels. */
static void
begin_of_desktop(GString *text, const char *name, const Running *one)
{
    g_string_append_printf(text, "carrel_%s{desktop=\"%s\",name=\"", name, one->id);
    add_label(text, one->name);
    g_string_append_c(text, '"');
}

static void
add_figure(GString *text, GPtrArray *running, gsize figure)
{
    double number;

    begin(text, figures[figure].name, figures[figure].type, figures[figure].help);
    for (guint i = 0; i < running->len; i++) {
        const Running *one = running->pdata[i];
        if (!number_of(one->live, figures[figure].key, &number))
            continue;
        begin_of_desktop(text, figures[figure].name, one);
        g_string_append_c(text, '}');
        add_number(text, number * figures[figure].unit);
    }
}

static void
add_clients(GString *text, GPtrArray *running)
{
    begin(text, "desktop_clients", "gauge", "Clients at a desktop.");
    for (guint i = 0; i < running->len; i++) {
        const Running *one = running->pdata[i];
        g_autoptr(GVariant) clients = g_variant_lookup_value(one->live, "clients", G_VARIANT_TYPE("as"));
        begin_of_desktop(text, "desktop_clients", one);
        g_string_append_c(text, '}');
        add_number(text, clients ? (double)g_variant_n_children(clients) : 0);
    }
}

/* --- how good sessions are --- */

/* The two that are timed. What they are is said in full where they are taken: SpiceQuality of the VMM's display. */
static const struct {
    const char *name, *help;
    gsize timing; /* its place in DesktopQuality */
} timings[] = {
    {"frame_age_seconds", "From a change of the picture to when the clients' sockets have it.",
     offsetof(DesktopQuality, frame_age)},
    {"input_seconds", "From an input to when the clients' sockets have the first picture that changed after it.",
     offsetof(DesktopQuality, input)},
};

static const DesktopTiming *
timing_of(const DesktopQuality *quality, gsize which)
{
    return (const DesktopTiming *)((const char *)quality + timings[which].timing);
}

static void
add_bound(GString *text, const char *name, const Running *one, const char *bound, uint64_t count)
{
    begin_of_desktop(text, name, one);
    g_string_append_printf(text, ",le=\"%s\"}", bound);
    add_number(text, (double)count);
}

static void
add_histogram_of(GString *text, gsize which, const Running *one, const DesktopTiming *timing)
{
    g_autofree char *bucket = g_strdup_printf("desktop_%s_bucket", timings[which].name);
    g_autofree char *sum = g_strdup_printf("desktop_%s_sum", timings[which].name);
    g_autofree char *count = g_strdup_printf("desktop_%s_count", timings[which].name);
    char digits[G_ASCII_DTOSTR_BUF_SIZE];

    for (unsigned i = 0; i < timing->n; i++)
        add_bound(text, bucket, one, g_ascii_dtostr(digits, sizeof(digits), (double)timing->within[i].us / 1e6),
                  timing->within[i].count);
    add_bound(text, bucket, one, "+Inf", timing->count);
    begin_of_desktop(text, sum, one);
    g_string_append_c(text, '}');
    add_number(text, (double)timing->total_us / 1e6);
    begin_of_desktop(text, count, one);
    g_string_append_c(text, '}');
    add_number(text, (double)timing->count);
}

static void
add_histogram(GString *text, Daemon *daemon, GPtrArray *running, gsize which)
{
    g_autofree char *name = g_strdup_printf("desktop_%s", timings[which].name);
    DesktopQuality quality;

    begin(text, name, "histogram", timings[which].help);
    for (guint i = 0; i < running->len; i++) {
        const Running *one = running->pdata[i];
        if (desktops_quality(daemon->rooms.desktops, one->id, &quality))
            add_histogram_of(text, which, one, timing_of(&quality, which));
    }
}

/* Of each session at a desktop, since it came there: numbers of DesktopQuality. A summary has two lines. */
static const struct {
    const char *family, *type, *help; /* NULL: the family goes on */
    const char *name;
    gsize number;
    double unit;
} session_figures[] = {
    {"session_frame_age_seconds", "summary", "As desktop_frame_age_seconds, since a session came to its desktop.",
     "session_frame_age_seconds_sum", offsetof(DesktopQuality, frame_age.total_us), 1e-6},
    {NULL, NULL, NULL, "session_frame_age_seconds_count", offsetof(DesktopQuality, frame_age.count), 1},
    {"session_input_seconds", "summary", "As desktop_input_seconds, since a session came to its desktop.",
     "session_input_seconds_sum", offsetof(DesktopQuality, input.total_us), 1e-6},
    {NULL, NULL, NULL, "session_input_seconds_count", offsetof(DesktopQuality, input.count), 1},
    {"session_sent_bytes_total", "counter", "Bytes to a desktop's clients since a session came to it.",
     "session_sent_bytes_total", offsetof(DesktopQuality, sent), 1},
    {"session_received_bytes_total", "counter", "Bytes from a desktop's clients since a session came to it.",
     "session_received_bytes_total", offsetof(DesktopQuality, received), 1},
    {"session_usb_errors_total", "counter", "Failed transfers of USB devices since a session came to its desktop.",
     "session_usb_errors_total", offsetof(DesktopQuality, usb_errors), 1},
};

typedef struct {
    GString *text;
    gsize figure;
} SessionFigure;

static void
add_visit(void *user, const DesktopsVisit *visit)
{
    const SessionFigure *line = user;
    uint64_t number;

    memcpy(&number, (const char *)visit->since + session_figures[line->figure].number, sizeof number);
    g_string_append_printf(line->text, "carrel_%s{session=\"", session_figures[line->figure].name);
    add_label(line->text, visit->session);
    g_string_append(line->text, "\",user=\"");
    add_label(line->text, visit->user);
    g_string_append_printf(line->text, "\",desktop=\"%s\",visit=\"%u\"}", visit->desktop, visit->number);
    add_number(line->text, (double)number * session_figures[line->figure].unit);
}

static void
add_sessions(GString *text, Daemon *daemon)
{
    for (gsize i = 0; i < G_N_ELEMENTS(session_figures); i++) {
        SessionFigure line = {text, i};
        if (session_figures[i].family)
            begin(text, session_figures[i].family, session_figures[i].type, session_figures[i].help);
        desktops_visits(daemon->rooms.desktops, add_visit, &line);
    }
}

static void
add_states(GString *text, Daemon *daemon)
{
    static const char *const states[] = {"preparing",  "starting", "running", "paused",
                                         "suspending", "stopping", "failed"};

    begin(text, "desktops", "gauge", "Desktops of this host's, by what they are.");
    for (gsize i = 0; i < G_N_ELEMENTS(states); i++) {
        g_string_append_printf(text, "carrel_desktops{state=\"%s\"}", states[i]);
        add_number(text, desktops_count(daemon->rooms.desktops, states[i]));
    }
}

/* --- the whole --- */

static void
add_host(GString *text, Daemon *daemon, const StorageRoom *room)
{
    const HostFigures *host = &daemon->figures;
    uint64_t promised, all;

    desktops_memory(daemon->rooms.desktops, &promised, &all);
    add(text, "host_cpus", "gauge", "Processors of the host.", host->cpus);
    add(text, "host_cpus_used", "gauge", "Processors in use since the last time that somebody asked.", host->cpu);
    add(text, "host_memory_bytes", "gauge", "Memory of the host.", (double)host->memory);
    add(text, "host_memory_free_bytes", "gauge", "Memory that could be had at once.", (double)host->memory_free);
    add(text, "host_memory_promised_bytes", "gauge", "Memory promised to desktops that run.", (double)promised);
    add(text, "host_memory_promisable_bytes", "gauge", "Memory there is to promise.", (double)all);
    add(text, "storage_bytes", "gauge", "Room of the storage.", (double)room->bytes);
    add(text, "storage_free_bytes", "gauge", "Room that is free.", (double)room->free);
}

static void
add_daemon(GString *text, Daemon *daemon)
{
    g_autoptr(GPtrArray) sessions = sessions_list(people_sessions(daemon->people), NULL);
    int64_t sequence = 0;
    uint64_t memory = 0;
    double seconds = 0;

    store_reader_sequence(daemon->reader, &sequence, NULL);
    host_figures_self(&memory, &seconds);
    add(text, "sessions", "gauge", "Who is signed in.", sessions->len);
    add(text, "subscriptions", "gauge", "Who listens to events.", events_count(daemon->events));
    add(text, "store_commands_total", "counter", "Commands the store has seen.", (double)sequence);
    add(text, "daemon_memory_bytes", "gauge", "Memory of the daemon.", (double)memory);
    add(text, "daemon_cpu_seconds_total", "counter", "Time of processors the daemon has used.", seconds);
    add(text, "daemon_start_time_seconds", "gauge", "When the daemon began.", (double)daemon->began / 1e6);
}

char *
metrics_text(Daemon *daemon, const StorageRoom *room)
{
    GString *text = g_string_new(NULL);
    g_autoptr(GPtrArray) running = find_running(daemon);

    add_host(text, daemon, room);
    add_daemon(text, daemon);
    add_states(text, daemon);
    add_clients(text, running);
    for (gsize i = 0; i < G_N_ELEMENTS(figures); i++)
        add_figure(text, running, i);
    for (gsize i = 0; i < G_N_ELEMENTS(timings); i++)
        add_histogram(text, daemon, running, i);
    add_sessions(text, daemon);
    return g_string_free(text, FALSE);
}
