/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop without a guest: a Screen with pictures drawn on request, served by the very SPICE server of the VMM, so that
 * real clients can be tested, measured and looked at.
 *
 *     spice-producer [--unix PATH | --port N] [--ticket TEXT | --no-ticket] [--several] [--scanouts N] [--compression WORD]
 *
 * Reads commands from standard input, one a line (see commands[] below), and answers each with "ok" or "error: …".
 * What clients do (they come and go, press keys, ask for monitors) is printed as it happens.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gstdio.h>

#include "display/spice/server.h"
#include "tests/spice/pictures.h"
#include "tests/spice/usb-guest.h"
#include "tests/spice/virtual-devices.h"
#include "vmm/board/listener.h"

typedef struct {
    Surface *surface;
    uint32_t *pixels;
    struct iovec *iov;
    uint32_t width, height, stride; /* stride in pixels */
    pixman_format_code_t format;
    unsigned frame;
    GSource *animation;
    pixman_box32_t animated;
    PictureKind kind;
} Scanout;

static struct {
    GMainLoop *loop;
    GMainContext *display_context; /* of the thread that draws, as the VMM's display thread does */
    Screen *screen;
    SpiceDisplay *display;
    Scanout scanouts[SCREEN_MAX_SCANOUTS];
    unsigned n_scanouts;
} app;

static void say(const char *format, ...) G_GNUC_PRINTF(1, 2);

static void
say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

/* ---- drawing, on the display thread ---- */

static void
free_pixels(void *owner)
{
    g_free(owner);
}

static void
paint(Scanout *scanout, uint32_t x, uint32_t y, uint32_t rgb)
{
    uint32_t value = rgb;
    if (scanout->format == PIXMAN_x8b8g8r8)
        value = (rgb & 0xff) << 16 | (rgb & 0xff00) | rgb >> 16;
    scanout->pixels[(size_t)y * scanout->stride + x] = value;
}

static void
paint_box(Scanout *scanout, uint32_t left, uint32_t top, uint32_t right, uint32_t bottom)
{
    for (uint32_t y = top; y < bottom; y++)
        for (uint32_t x = left; x < right; x++)
            paint(scanout, x, y, picture_pixel(scanout->kind, scanout->frame, x, y));
}

static void
paint_picture(Scanout *scanout)
{
    paint_box(scanout, 0, 0, scanout->width, scanout->height);
}

static void
damage(unsigned index, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
    screen_damage(app.screen, index, &(pixman_box32_t){(int)x, (int)y, (int)(x + width), (int)(y + height)});
}

/* Splits the pixels into pages in reverse order of address, as a guest's may lie. */
static size_t
scatter(Scanout *scanout, size_t bytes)
{
    static const size_t page = 4096;
    size_t n = (bytes + page - 1) / page;

    scanout->iov = g_renew(struct iovec, scanout->iov, n);
    for (size_t i = 0; i < n; i++)
        scanout->iov[i] = (struct iovec){(uint8_t *)scanout->pixels + i * page, MIN(page, bytes - i * page)};
    return n;
}

static const char *
make_surface(Scanout *scanout, unsigned index, uint32_t width, uint32_t height, const char *how)
{
    bool scattered = strstr(how, "scattered");

    scanout->width = width;
    scanout->height = height;
    scanout->stride = width + (strstr(how, "padded") ? 24 : 0);
    scanout->format = strstr(how, "bgr") ? PIXMAN_x8b8g8r8 : PIXMAN_x8r8g8b8;
    size_t bytes = (size_t)scanout->stride * height * 4;
    scanout->pixels = g_malloc(bytes);
    struct iovec whole = {scanout->pixels, bytes};
    size_t n = scattered ? scatter(scanout, bytes) : 1;
    Surface *surface = surface_new(width, height, scanout->stride * 4, 0, scanout->format,
                                   scattered ? scanout->iov : &whole, n, free_pixels, scanout->pixels);
    if (!surface)
        return "no such surface";
    paint_picture(scanout);
    g_clear_pointer(&scanout->surface, surface_unref);
    scanout->surface = surface;
    screen_set_surface(app.screen, index, surface);
    return NULL;
}

static gboolean
animate(gpointer user)
{
    unsigned index = GPOINTER_TO_UINT(user);
    Scanout *scanout = &app.scanouts[index];

    const pixman_box32_t *box = &scanout->animated;

    scanout->frame++;
    paint_box(scanout, (uint32_t)box->x1, (uint32_t)box->y1, (uint32_t)box->x2, (uint32_t)box->y2);
    screen_damage(app.screen, index, box);
    return G_SOURCE_CONTINUE;
}

static void
stop_animation(Scanout *scanout)
{
    if (scanout->animation)
        g_source_destroy(scanout->animation);
    g_clear_pointer(&scanout->animation, g_source_unref);
}

/* ---- commands ---- */

typedef struct {
    char **words;
    unsigned n;
    unsigned index;
    Scanout *scanout; /* of the second word, where that is a scanout */
} Call;

static uint32_t
number(const Call *call, unsigned i)
{
    return i < call->n ? (uint32_t)strtoul(call->words[i], NULL, 0) : 0;
}

static const char *
do_surface(Call *call)
{
    return make_surface(call->scanout, call->index, number(call, 2), number(call, 3),
                        call->n > 4 ? call->words[4] : "");
}

static const char *
do_blank(Call *call)
{
    screen_set_surface(app.screen, call->index, NULL);
    return NULL;
}

static const char *
do_fill(Call *call)
{
    uint32_t x = number(call, 2), y = number(call, 3), width = number(call, 4), height = number(call, 5);

    if (x + width > call->scanout->width || y + height > call->scanout->height)
        return "outside";
    for (uint32_t j = y; j < y + height; j++)
        for (uint32_t i = x; i < x + width; i++)
            paint(call->scanout, i, j, (uint32_t)strtoul(call->words[6], NULL, 16));
    if (call->n < 8) /* a further word: drawn without telling */
        damage(call->index, x, y, width, height);
    return NULL;
}

static const char *
do_damage(Call *call)
{
    damage(call->index, number(call, 2), number(call, 3), number(call, 4), number(call, 5));
    return NULL;
}

static const char *
do_kind(Call *call)
{
    return picture_kind_parse(call->words[2], &call->scanout->kind) ? NULL : "no such picture";
}

static const char *
do_picture(Call *call)
{
    if (!picture_kind_parse(call->words[2], &call->scanout->kind))
        return "no such picture";
    call->scanout->frame = number(call, 3);
    paint_picture(call->scanout);
    damage(call->index, 0, 0, call->scanout->width, call->scanout->height);
    return NULL;
}

static const char *
do_animate(Call *call)
{
    Scanout *scanout = call->scanout;
    unsigned per_second = number(call, 2);
    bool all = call->n < 7;
    uint32_t x = all ? 0 : number(call, 3), y = all ? 0 : number(call, 4);
    uint32_t right = all ? scanout->width : x + number(call, 5), bottom = all ? scanout->height : y + number(call, 6);

    stop_animation(scanout);
    if (!per_second)
        return NULL;
    if (x >= right || y >= bottom || right > scanout->width || bottom > scanout->height)
        return "outside";
    scanout->animated = (pixman_box32_t){(int)x, (int)y, (int)right, (int)bottom};
    scanout->animation = g_timeout_source_new(1000 / per_second);
    g_source_set_callback(scanout->animation, animate, GUINT_TO_POINTER(call->index), NULL);
    g_source_attach(scanout->animation, app.display_context);
    return NULL;
}

static const char *
do_cursor(Call *call)
{
    if (call->n < 5) {
        screen_set_cursor(app.screen, call->index, NULL);
        return NULL;
    }
    g_autofree CursorImage *image = g_new0(CursorImage, 1);
    image->hot_x = number(call, 2);
    image->hot_y = number(call, 3);
    for (unsigned y = 0; y < 32; y++)
        for (unsigned x = 0; x <= y; x++)
            image->pixels[y * CURSOR_SIDE + x] = 0xff000000 | (uint32_t)strtoul(call->words[4], NULL, 16);
    screen_set_cursor(app.screen, call->index, image);
    return NULL;
}

static const char *
do_move(Call *call)
{
    screen_move_cursor(app.screen, call->index, (int32_t)number(call, 2), (int32_t)number(call, 3));
    return NULL;
}

static const char *
do_dump(Call *call)
{
    Scanout *scanout = call->scanout;
    g_autofree uint32_t *scratch = g_new(uint32_t, scanout->width);
    g_autoptr(GString) file = g_string_new(NULL);

    g_string_printf(file, "P6 %u %u 255\n", scanout->width, scanout->height);
    for (uint32_t y = 0; y < scanout->height; y++) {
        const uint32_t *row = surface_row(scanout->surface, 0, y, scanout->width, scratch);
        for (uint32_t x = 0; x < scanout->width; x++) {
            uint32_t value = row[x];
            bool bgr = scanout->format == PIXMAN_x8b8g8r8;
            const char rgb[3] = {(char)(bgr ? value : value >> 16), (char)(value >> 8),
                                 (char)(bgr ? value >> 16 : value)};
            g_string_append_len(file, rgb, 3);
        }
    }
    return g_file_set_contents(call->words[2], file->str, (gssize)file->len, NULL) ? NULL : "cannot write";
}

static const char *
do_ticket(Call *call)
{
    bool none = !strcmp(call->words[1], "none");
    return spice_display_set_ticket(app.display, none ? NULL : call->words[1], number(call, 2), NULL) ? NULL
                                                                                                      : "refused";
}

static const char *
do_running(Call *call)
{
    spice_display_set_running(app.display, number(call, 1));
    return NULL;
}

static const char *
do_clients(Call *call)
{
    say("clients %u", spice_display_n_clients(app.display));
    return NULL;
}

static const char *
do_quality(Call *call)
{
    SpiceQuality quality;

    spice_display_quality(app.display, &quality);
    say("quality frames=%" PRIu64 " frames-us=%" PRIu64 " frames-within=%" PRIu64 " inputs=%" PRIu64
        " inputs-us=%" PRIu64 " sent=%" PRIu64 " received=%" PRIu64,
        quality.frame_age.count, quality.frame_age.total_us, quality.frame_age.within[TIMING_BOUNDS - 2],
        quality.input.count, quality.input.total_us, quality.sent_bytes, quality.received_bytes);
    return NULL;
}

static const char *
do_leds(Call *call)
{
    virtual_keyboard_set_leds(number(call, 1));
    return NULL;
}

static const char *
do_agent(Call *call)
{
    const char *bytes = call->n > 2 ? call->words[2] : NULL;
    return virtual_port_command(call->words[1], bytes) ? NULL : "no such command";
}

static const char *
do_usb(Call *call)
{
    usb_guest_start(app.display, number(call, 1), call->n > 2 ? call->words[2] : NULL);
    return NULL;
}

static const char *
do_usb_read(Call *call)
{
    usb_guest_read_disk(call->words[1], call->n > 2 ? number(call, 2) : 1);
    return NULL;
}

static const char *
do_usb_stream(Call *call)
{
    usb_guest_stream(call->words[1], number(call, 2));
    return NULL;
}

static const char *
do_quit(Call *call)
{
    g_main_loop_quit(app.loop);
    return NULL;
}

static const struct {
    const char *name;
    unsigned words; /* at least, with the name */
    bool draws;     /* the second word is a scanout; runs on the display thread */
    const char *(*run)(Call *call);
} commands[] = {
    {"surface", 4, true, do_surface},        /* SCANOUT WIDTH HEIGHT [scattered,padded,bgr] */
    {"blank", 2, true, do_blank},            /* SCANOUT */
    {"fill", 7, true, do_fill},              /* SCANOUT X Y WIDTH HEIGHT RRGGBB [silent] */
    {"damage", 6, true, do_damage},          /* SCANOUT X Y WIDTH HEIGHT */
    {"picture", 4, true, do_picture},        /* SCANOUT KIND FRAME: see pictures.h */
    {"kind", 3, true, do_kind},              /* SCANOUT KIND: of what is drawn from now on */
    {"animate", 3, true, do_animate},        /* SCANOUT PER-SECOND [X Y WIDTH HEIGHT]; 0 stops */
    {"cursor", 3, true, do_cursor},          /* SCANOUT HOT-X HOT-Y RRGGBB, or SCANOUT hide */
    {"move", 4, true, do_move},              /* SCANOUT X Y */
    {"dump", 3, true, do_dump},              /* SCANOUT FILE: what is drawn, as PPM */
    {"ticket", 2, false, do_ticket},         /* TEXT [SECONDS], or none */
    {"running", 2, false, do_running},       /* 0 or 1 */
    {"clients", 1, false, do_clients},       /* prints how many */
    {"leds", 2, false, do_leds},             /* BITS, as the guest sets them */
    {"agent", 2, false, do_agent},           /* see virtual-devices.h */
    {"usb", 2, false, do_usb},               /* CHANNELS [RULES] */
    {"usb-read", 2, false, do_usb_read},     /* ID [REPEAT]: see usb-guest.h */
    {"usb-stream", 3, false, do_usb_stream}, /* ID SECONDS: the same */
    {"quality", 1, false, do_quality},       /* what is counted; frames-within: half a second */
    {"quit", 1, false, do_quit},
};

static const char *
find_scanout(Call *call)
{
    call->index = number(call, 1);
    if (call->index >= app.n_scanouts)
        return "no such scanout";
    call->scanout = &app.scanouts[call->index];
    return NULL;
}

static gboolean
run_draw(gpointer user)
{
    char **words = user;
    Call call = {.words = words, .n = g_strv_length(words)};
    const char *problem = find_scanout(&call);

    for (size_t i = 0; i < G_N_ELEMENTS(commands) && !problem; i++)
        if (!strcmp(commands[i].name, words[0]))
            problem = commands[i].run(&call);
    say(problem ? "error: %s" : "ok%s", problem ? problem : "");
    g_strfreev(words);
    return G_SOURCE_REMOVE;
}

static void
run_line(const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    Call call = {.words = words, .n = g_strv_length(words)};

    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (!words[0] || strcmp(commands[i].name, words[0]) || call.n < commands[i].words)
            continue;
        if (commands[i].draws) {
            g_main_context_invoke(app.display_context, run_draw, g_steal_pointer(&words));
            return;
        }
        const char *problem = commands[i].run(&call);
        say(problem ? "error: %s" : "ok%s", problem ? problem : "");
        return;
    }
    say("error: no such command");
}

static gboolean
on_input(GIOChannel *channel, GIOCondition condition, gpointer unused)
{
    g_autofree char *line = NULL;
    gsize end;

    switch (g_io_channel_read_line(channel, &line, NULL, &end, NULL)) {
    case G_IO_STATUS_NORMAL:
        line[end] = '\0';
        run_line(line);
        return G_SOURCE_CONTINUE;
    case G_IO_STATUS_AGAIN:
        return G_SOURCE_CONTINUE;
    default:
        g_main_loop_quit(app.loop);
        return G_SOURCE_REMOVE;
    }
}

/* ---- what clients do ---- */

static void
on_connected(void *user, const char *peer, uint64_t client)
{
    say("connected %" G_GUINT64_FORMAT " %s", client, peer);
}

static void
on_disconnected(void *user, const char *peer, uint64_t client)
{
    say("disconnected %" G_GUINT64_FORMAT " %s", client, peer);
}

static void
on_monitors(void *user, const MonitorRequest *monitors, unsigned n)
{
    g_autoptr(GString) line = g_string_new("monitors");

    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(line, " %s%ux%u+%d+%d", monitors[i].enabled ? "" : "off:", monitors[i].width,
                               monitors[i].height, monitors[i].x, monitors[i].y);
    say("%s", line->str);
}

static const SpiceDisplayEvents events = {.client_connected = on_connected, .client_disconnected = on_disconnected};
static const ProducerOps producer_ops = {.monitors = on_monitors};

static gpointer
display_thread(gpointer user)
{
    g_main_context_push_thread_default(app.display_context);
    g_main_loop_run(user);
    g_main_context_pop_thread_default(app.display_context);
    return NULL;
}

static gboolean
quit(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_CONTINUE;
}

static void
serve(const SpiceDisplayOptions *options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GMainLoop) display_loop = NULL;
    const SpiceDisplayInputs inputs = virtual_inputs();

    app.display_context = g_main_context_new();
    display_loop = g_main_loop_new(app.display_context, FALSE);
    app.screen = screen_new(app.n_scanouts);
    screen_set_producer(app.screen, &producer_ops, NULL);
    app.display = spice_display_new(options, app.screen, &inputs, &events, NULL, &error);
    if (!app.display) {
        g_printerr("spice-producer: %s\n", error->message);
        exit(1);
    }
    spice_display_attach_agent(app.display, virtual_console());
    GThread *thread = g_thread_new("display", display_thread, display_loop);
    g_autoptr(GIOChannel) input = g_io_channel_unix_new(0);
    g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_input, NULL);
    g_unix_signal_add(SIGTERM, quit, app.loop);
    say("ready");
    g_main_loop_run(app.loop);

    for (unsigned i = 0; i < app.n_scanouts; i++)
        stop_animation(&app.scanouts[i]);
    g_main_context_invoke(app.display_context, quit, display_loop);
    g_thread_join(thread);
    usb_guest_stop();
    spice_display_free(app.display);
    screen_free(app.screen);
    for (unsigned i = 0; i < app.n_scanouts; i++) {
        surface_unref(app.scanouts[i].surface);
        g_free(app.scanouts[i].iov);
    }
    g_main_context_unref(app.display_context);
}

int
main(int argc, char **argv)
{
    g_autofree char *path = NULL, *ticket = NULL, *compression = NULL, *gpu = NULL;
    gint port = 0, scanouts = 1, clipboard = SPICE_CLIPBOARD_BOTH;
    gboolean no_ticket = FALSE, several = FALSE;
    const GOptionEntry entries[] = {
        {"unix", 0, 0, G_OPTION_ARG_FILENAME, &path, "listen on a Unix socket", "PATH"},
        {"port", 0, 0, G_OPTION_ARG_INT, &port, "listen on 127.0.0.1", "N"},
        {"ticket", 0, 0, G_OPTION_ARG_STRING, &ticket, "the password", "TEXT"},
        {"no-ticket", 0, 0, G_OPTION_ARG_NONE, &no_ticket, "anyone may connect", NULL},
        {"several", 0, 0, G_OPTION_ARG_NONE, &several, "several clients at once", NULL},
        {"scanouts", 0, 0, G_OPTION_ARG_INT, &scanouts, "how many there are", "N"},
        {"compression", 0, 0, G_OPTION_ARG_STRING, &compression, "auto, off, lz4, quic, glz or lz", "WORD"},
        {"clipboard", 0, 0, G_OPTION_ARG_INT, &clipboard, "which way, as SpiceClipboard", "N"},
        {"gpu", 0, 0, G_OPTION_ARG_STRING, &gpu, "the graphics card's address", "ADDRESS"},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    SpiceDisplayOptions options = {.name = "producer"};

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("spice-producer: %s\n", error->message);
        return 2;
    }
    options.ticket = ticket;
    options.no_ticket = no_ticket;
    options.several_clients = several;
    options.gpu = gpu;
    options.clipboard = (SpiceClipboard)clipboard;
    app.n_scanouts = (unsigned)CLAMP(scanouts, 1, SCREEN_MAX_SCANOUTS);
    if (compression && !spice_compression_parse(compression, &options.compression)) {
        g_printerr("spice-producer: no such compression\n");
        return 2;
    }
    options.listen_fd = path ? listener_new(path, &error) : spice_display_listen("127.0.0.1", (uint16_t)port, &error);
    if (options.listen_fd < 0) {
        g_printerr("spice-producer: %s\n", error->message);
        return 1;
    }
    app.loop = g_main_loop_new(NULL, FALSE);
    serve(&options);
    g_main_loop_unref(app.loop);
    if (path)
        unlink(path);
    return 0;
}
