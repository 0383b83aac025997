/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: its settings, and the parts that hang on it, in start order.
 */
#include "display/spice/server.h"

#include <malloc.h>
#include <signal.h>
#include <string.h>

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <spice.h>
#include <spice/protocol.h>

#include "display/spice/agent.h"
#include "display/spice/alarm.h"
#include "display/spice/clients.h"
#include "display/spice/core.h"
#include "display/spice/inputs.h"
#include "display/spice/monitors.h"
#include "display/spice/stall.h"
#include "display/spice/traffic.h"

struct SpiceDisplay {
    SpiceServer *server;
    Screen *screen;
    SpiceDisplayEvents events;
    void *user;
    Clients *clients;
    StallWatch *stall_watch;
    GSource *next_turn;                      /* rings when display channels arrived, */
    unsigned n_arrived[SCREEN_MAX_SCANOUTS]; /* so many */
    GSource *film_alarm;                     /* rings when a film began or ended */
    guint films;                             /* the scanouts that show one, a bit each; atomic */
    Qxl *scanouts[SCREEN_MAX_SCANOUTS];
    unsigned n_scanouts;
    bool closing;      /* the last channels' ends are heard of when their workers are gone */
    Question question; /* the input that waits for a picture */
    Inputs *inputs;
    Agent *agent; /* NULL: none */
    SpiceClipboard clipboard;
};

static const struct {
    const char *word;
    SpiceImageCompression images;
} compressions[] = {
    [SPICE_COMPRESSION_AUTO] = {"auto", SPICE_IMAGE_COMPRESSION_LZ4},
    [SPICE_COMPRESSION_OFF] = {"off", SPICE_IMAGE_COMPRESSION_OFF},
    [SPICE_COMPRESSION_LZ4] = {"lz4", SPICE_IMAGE_COMPRESSION_LZ4},
    [SPICE_COMPRESSION_QUIC] = {"quic", SPICE_IMAGE_COMPRESSION_QUIC},
    [SPICE_COMPRESSION_GLZ] = {"glz", SPICE_IMAGE_COMPRESSION_AUTO_GLZ},
    [SPICE_COMPRESSION_LZ] = {"lz", SPICE_IMAGE_COMPRESSION_AUTO_LZ},
};

bool
spice_compression_parse(const char *word, SpiceCompression *compression)
{
    for (size_t i = 0; i < G_N_ELEMENTS(compressions); i++) {
        if (!strcmp(word, compressions[i].word)) {
            *compression = (SpiceCompression)i;
            return true;
        }
    }
    return false;
}

/* ---- the Screen's viewer ---- */

static void
on_surface(void *viewer, unsigned scanout, Surface *surface)
{
    qxl_set_surface(((SpiceDisplay *)viewer)->scanouts[scanout], surface);
}

static void
on_damage(void *viewer, unsigned scanout, const pixman_box32_t *box)
{
    qxl_damage(((SpiceDisplay *)viewer)->scanouts[scanout], box);
}

static void
on_cursor_image(void *viewer, unsigned scanout, const CursorImage *image)
{
    qxl_set_cursor(((SpiceDisplay *)viewer)->scanouts[scanout], image);
}

static void
on_cursor_move(void *viewer, unsigned scanout, int32_t x, int32_t y)
{
    qxl_move_cursor(((SpiceDisplay *)viewer)->scanouts[scanout], x, y);
}

static const ViewerOps viewer_ops = {
    .surface = on_surface,
    .damage = on_damage,
    .cursor_image = on_cursor_image,
    .cursor_move = on_cursor_move,
};

/* ---- clients ---- */

static void
on_connected(void *user, const char *peer, uint64_t client)
{
    SpiceDisplay *display = user;

    if (display->events.client_connected)
        display->events.client_connected(display->user, peer, client);
}

static void
on_disconnected(void *user, const char *peer, uint64_t client)
{
    SpiceDisplay *display = user;

    inputs_release(display->inputs);
    if (display->events.client_disconnected)
        display->events.client_disconnected(display->user, peer, client);
}

static void
on_arriving(void *user, unsigned id, Arrival *arrival)
{
    SpiceDisplay *display = user;

    if (id >= display->n_scanouts) {
        arrival_free(arrival);
        return;
    }
    qxl_expect(display->scanouts[id], arrival);
    display->n_arrived[id]++;
    alarm_set(display->next_turn, ALARM_NOW);
}

/* The worker has been told of those that arrived in the last turn. */
static void
on_next_turn(void *user)
{
    SpiceDisplay *display = user;

    for (unsigned i = 0; i < display->n_scanouts; i++)
        for (; display->n_arrived[i]; display->n_arrived[i]--)
            qxl_told(display->scanouts[i]);
}

static void
on_closing(void *user, unsigned id, int number)
{
    SpiceDisplay *display = user;

    if (id < display->n_scanouts)
        qxl_forget(display->scanouts[id], number);
}

static void
on_watching(void *user, unsigned id, unsigned n)
{
    SpiceDisplay *display = user;

    if (id < display->n_scanouts && !display->closing)
        qxl_set_watched(display->scanouts[id], n);
}

static void
on_named(void *user)
{
    SpiceDisplay *display = user;

    if (display->events.connections_changed && !display->closing)
        display->events.connections_changed(display->user);
}

static const ClientsOps clients_ops = {
    .connected = on_connected,
    .disconnected = on_disconnected,
    .arriving = on_arriving,
    .closing = on_closing,
    .watching = on_watching,
    .named = on_named,
};

static void
on_monitors(void *user, const VDAgentMonitorsConfig *config)
{
    SpiceDisplay *display = user;
    MonitorRequest requests[SCREEN_MAX_SCANOUTS];

    screen_request_monitors(display->screen, requests, monitors_from_client(config, requests, display->n_scanouts));
}

static void
on_blocked(void *user)
{
    stall_watch_start(((SpiceDisplay *)user)->stall_watch);
}

static void
on_film(void *user, unsigned id, bool is_there)
{
    SpiceDisplay *display = user;

    if (is_there)
        g_atomic_int_or(&display->films, 1u << id);
    else
        g_atomic_int_and(&display->films, ~(1u << id));
    alarm_set(display->film_alarm, ALARM_NOW);
}

/* To find films, spice-server looks at every pixel of all that moves: that costs half of what sending a picture costs. */
static void
look_for_films(void *user)
{
    SpiceDisplay *display = user;
    bool any = g_atomic_int_get(&display->films);

    spice_server_set_streaming_video(display->server, any ? SPICE_STREAM_VIDEO_FILTER : SPICE_STREAM_VIDEO_OFF);
}

static const QxlOps qxl_ops = {.monitors = on_monitors, .blocked = on_blocked, .film = on_film};

static void
on_channel_event(void *user, int event, SpiceChannelEventInfo *info)
{
    clients_channel_event(((SpiceDisplay *)user)->clients, event, info);
}

/* ---- life ---- */

/*
 * Keeps what spice-server frees from staying with the process: left to itself, malloc takes blocks of a screen's size from
 * its heaps after the first of them, and never gives those of other threads' heaps back.
 */
static void
limit_malloc(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 2 << 20);
}

static void
set_options(SpiceServer *server, const SpiceDisplayOptions *options)
{
    if (options->name)
        spice_server_set_name(server, options->name);
    if (options->uuid)
        spice_server_set_uuid(server, options->uuid);
    if (options->no_ticket)
        spice_server_set_noauth(server);
    spice_server_set_agent_copypaste(server, options->clipboard != SPICE_CLIPBOARD_NONE);
    spice_server_set_agent_file_xfer(server, !options->no_file_transfer);
    spice_server_set_image_compression(server, compressions[options->compression].images);
    spice_server_set_streaming_video(server, SPICE_STREAM_VIDEO_OFF); /* until there is a film */
    /* The built-in encoder alone: GStreamer's would load plug-ins, start programs and threads. */
    spice_server_set_video_codecs(server, "spice:mjpeg");
}

/* spice-server has no call for this, only the environment, which it reads while it is initialised. */
static int
init_server(SpiceServer *server, SpiceCoreInterface *core, bool several_clients)
{
    static const char variable[] = "SPICE_DEBUG_ALLOW_MC";

    if (several_clients)
        g_setenv(variable, "1", TRUE);
    else
        g_unsetenv(variable);
    int result = spice_server_init(server, core);
    g_unsetenv(variable);
    return result;
}

/* Pictures are sent as they are. */
static bool
is_raw(const SpiceDisplayOptions *options)
{
    return options->compression == SPICE_COMPRESSION_OFF ||
           (options->compression == SPICE_COMPRESSION_AUTO && clients_socket_is_unix(options->listen_fd));
}

static void
add_scanouts(SpiceDisplay *display, const SpiceDisplayOptions *options)
{
    unsigned n = screen_n_scanouts(display->screen);

    for (unsigned i = 0; i < n; i++) {
        display->scanouts[i] =
            qxl_new(display->server, i, options->gpu, !is_raw(options), &display->question, &qxl_ops, display);
        display->n_scanouts++;
    }
    stall_watch_set_scanouts(display->stall_watch, display->scanouts, n);
    /* A tablet covers one scanout; with more, the agent in the guest moves the pointer. */
    spice_server_set_agent_mouse(display->server, n > 1);
}

SpiceDisplay *
spice_display_new(const SpiceDisplayOptions *options, Screen *screen, const SpiceDisplayInputs *inputs,
                  const SpiceDisplayEvents *events, void *user, GError **error)
{
    SpiceDisplay *display = g_new0(SpiceDisplay, 1);
    bool compress_unix = options->compression > SPICE_COMPRESSION_OFF;
    g_autoptr(GMainContext) context = g_main_context_ref_thread_default();

    limit_malloc();
    signal(SIGPIPE, SIG_IGN); /* spice-server writes to clients' sockets as if they were files */
    display->screen = screen;
    display->user = user;
    display->clipboard = options->clipboard;
    if (events)
        display->events = *events;
    display->clients = clients_new(options->listen_fd, compress_unix, &clients_ops, display);
    display->stall_watch = stall_watch_new(display->clients);
    display->next_turn = alarm_new("spice arrivals", on_next_turn, display);
    display->film_alarm = alarm_new("spice films", look_for_films, display);
    display->server = spice_server_new();
    set_options(display->server, options);
    if (init_server(display->server, spice_core_start(context, on_channel_event, display), options->several_clients) <
            0 ||
        (!options->no_ticket && !spice_display_set_ticket(display, options->ticket, 0, error))) {
        if (error && !*error)
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "spice-server does not start; its warning says why");
        spice_display_free(display);
        return NULL;
    }
    add_scanouts(display, options);
    display->inputs = inputs_new(display->server, inputs, &display->question);
    spice_server_vm_start(display->server);
    screen_add_viewer(screen, &viewer_ops, display);
    clients_start(display->clients, display->server);
    return display;
}

void
spice_display_free(SpiceDisplay *display)
{
    if (!display)
        return;
    screen_remove_viewer(display->screen, display);
    clients_stop(display->clients);
    agent_free(display->agent);
    display->closing = true;
    spice_server_destroy(display->server);
    for (unsigned i = 0; i < display->n_scanouts; i++)
        qxl_free(display->scanouts[i]);
    inputs_free(display->inputs);
    stall_watch_free(display->stall_watch);
    alarm_free(&display->next_turn);
    alarm_free(&display->film_alarm);
    clients_free(display->clients);
    spice_core_stop();
    g_free(display);
}

bool
spice_display_set_ticket(SpiceDisplay *display, const char *ticket, unsigned seconds, GError **error)
{
    if (ticket && strlen(ticket) > SPICE_MAX_PASSWORD_LENGTH) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "a SPICE ticket has at most %d bytes, not %zu",
                    SPICE_MAX_PASSWORD_LENGTH, strlen(ticket));
        return false;
    }
    spice_server_set_ticket(display->server, ticket, (int)MIN(seconds, G_MAXINT), false, false);
    return true;
}

void
spice_display_attach_agent(SpiceDisplay *display, VirtioDevice *console)
{
    display->agent = agent_new(display->server, console, display->clipboard);
}

/*
 * spice-server is not told: stopping it waits until every client has taken all that is under way, on the main thread, for
 * up to half a minute. The picture of a paused guest stands still by itself.
 */
void
spice_display_set_running(SpiceDisplay *display, bool running)
{
    inputs_set_running(display->inputs, running);
    if (display->agent)
        agent_set_running(display->agent, running);
}

unsigned
spice_display_n_clients(const SpiceDisplay *display)
{
    return clients_count(display->clients);
}

char **
spice_display_connections(const SpiceDisplay *display)
{
    return clients_names(display->clients);
}

void
spice_display_cut(SpiceDisplay *display, const char *name)
{
    clients_cut(display->clients, name);
}

void
spice_display_quality(const SpiceDisplay *display, SpiceQuality *quality)
{
    *quality = (SpiceQuality){0};
    for (unsigned i = 0; i < display->n_scanouts; i++)
        qxl_add_timings(display->scanouts[i], &quality->frame_age, &quality->input);
    traffic_count(&quality->sent_bytes, &quality->received_bytes);
}

SpiceServer *
spice_display_server(SpiceDisplay *display)
{
    return display->server;
}
