/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's screen: from what the guest wrote to a surface, and looking for what changed in it.
 *
 * Looking is a hash of each band of rows beside the one before. A surface is replaced on a vCPU's thread, or the main one;
 * the display thread looks at it. The lock covers what both have.
 */
#include "display/ramfb.h"

#include <string.h>

#define FORMAT_XRGB8888 0x34325258 /* DRM's fourcc "XR24", all that firmware uses */
#define FORMAT_ARGB8888 0x34325241 /* "AR24": a screen has no alpha */
#define MIN_SIDE 16

#define BAND_ROWS 16
#define BANDS_MAX ((SURFACE_MAX_SIDE + BAND_ROWS - 1) / BAND_ROWS)
#define LOOK_US (40 * 1000)
#define LOOK_STILL_US (200 * 1000)
#define STILL_AFTER_US (2 * 1000 * 1000)

struct Ramfb {
    GuestMemory *memory;
    Screen *screen;
    GSource *source; /* looks */

    GMutex lock;
    Surface *surface; /* NULL: none, or none that is valid */
    bool resting;     /* the machine does */
    int64_t changed_us;
    bool hashed; /* whether the next are of this surface */
    uint64_t bands[BANDS_MAX];

    bool taken; /* in saved state: virtio-gpu has the screen */
};

/* ---- what the guest wrote ---- */

static uint64_t
big(const uint8_t *bytes, unsigned n)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

static Surface *
make_surface(const Ramfb *ramfb, const uint8_t file[RAMFB_FILE_SIZE])
{
    uint64_t address = big(file, 8);
    uint32_t format = big(file + 8, 4), width = big(file + 16, 4), height = big(file + 20, 4),
             stride = big(file + 24, 4);

    if ((format != FORMAT_XRGB8888 && format != FORMAT_ARGB8888) || width < MIN_SIDE || height < MIN_SIDE ||
        width > SURFACE_MAX_SIDE || height > SURFACE_MAX_SIDE)
        return NULL;
    if (!stride)
        stride = width * 4;
    if (stride < width * 4)
        return NULL;
    uint64_t size = (uint64_t)stride * (height - 1) + width * 4;
    const struct iovec pixels = {guest_memory_at(ramfb->memory, address, size), size};
    if (!pixels.iov_base || address % 4)
        return NULL;
    return surface_new(width, height, stride, 0, PIXMAN_x8r8g8b8, &pixels, 1, NULL, NULL);
}

static void
look_soon(Ramfb *ramfb)
{
    g_source_set_ready_time(ramfb->source, 0);
}

static void
on_file_changed(void *user, const uint8_t *bytes, size_t len)
{
    Ramfb *ramfb = user;
    g_autoptr(Surface) surface = make_surface(ramfb, bytes);

    g_mutex_lock(&ramfb->lock);
    surface_unref(ramfb->surface);
    ramfb->surface = surface ? surface_ref(surface) : NULL;
    ramfb->hashed = false;
    ramfb->changed_us = g_get_monotonic_time();
    g_mutex_unlock(&ramfb->lock);
    screen_set_fallback(ramfb->screen, surface);
    look_soon(ramfb);
}

static const FwCfgOps file_ops = {.changed = on_file_changed};

/* ---- looking ---- */

static uint64_t
hash_row(uint64_t hash, const uint32_t *row, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        hash = (hash ^ row[i]) * 0x9e3779b97f4a7c15u + 1;
    return hash ^ hash >> 29;
}

/*
 * Finds the bands that are not as they were and damages them: the first time all, since viewers have seen the surface before it
 * was looked at. Whether there are any.
 */
static bool
look(Ramfb *ramfb, const Surface *surface)
{
    bool changed = false;

    for (uint32_t y = 0, band = 0; y < surface->height; y += BAND_ROWS, band++) {
        uint32_t end = MIN(y + BAND_ROWS, surface->height);
        uint64_t hash = 0;
        for (uint32_t row = y; row < end; row++)
            hash = hash_row(hash, surface_row(surface, 0, row, surface->width, NULL), surface->width);
        if (!ramfb->hashed || ramfb->bands[band] != hash) {
            screen_damage_fallback(ramfb->screen, &(pixman_box32_t){0, (int)y, (int)surface->width, (int)end});
            changed = true;
        }
        ramfb->bands[band] = hash;
    }
    ramfb->hashed = true;
    return changed;
}

/* Under the lock. When to look again; -1: when told to. */
static int64_t
look_and_plan(Ramfb *ramfb)
{
    int64_t now = g_get_monotonic_time();

    if (!ramfb->surface || ramfb->resting || !screen_shows_fallback(ramfb->screen))
        return -1;
    if (look(ramfb, ramfb->surface))
        ramfb->changed_us = now;
    return now + (now - ramfb->changed_us < STILL_AFTER_US ? LOOK_US : LOOK_STILL_US);
}

static gboolean
on_look(GSource *source, GSourceFunc callback, gpointer user)
{
    Ramfb *ramfb = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&ramfb->lock);

    g_source_set_ready_time(source, look_and_plan(ramfb));
    return G_SOURCE_CONTINUE;
}

static gboolean
unused(gpointer user)
{
    return G_SOURCE_CONTINUE;
}

/* The Screen shows it again, or somebody came to see it. */
static void
on_fallback_shown(void *user)
{
    look_soon(user);
}

/* ---- life ---- */

Ramfb *
ramfb_new(FwCfg *fw_cfg, GuestMemory *memory, Screen *screen, GMainContext *context)
{
    static GSourceFuncs funcs = {.dispatch = on_look};
    static const uint8_t zeros[RAMFB_FILE_SIZE];
    Ramfb *ramfb = g_new0(Ramfb, 1);

    ramfb->memory = memory;
    ramfb->screen = screen;
    ramfb->resting = true; /* until the machine starts */
    g_mutex_init(&ramfb->lock);
    ramfb->source = g_source_new(&funcs, sizeof(GSource));
    g_source_set_static_name(ramfb->source, "ramfb");
    g_source_set_callback(ramfb->source, unused, ramfb, NULL);
    g_source_attach(ramfb->source, context);
    screen_listen_fallback(screen, on_fallback_shown, ramfb);
    fw_cfg_add_writable(fw_cfg, RAMFB_FILE, zeros, sizeof(zeros), &file_ops, ramfb);
    return ramfb;
}

static void
ramfb_free(void *device)
{
    Ramfb *ramfb = device;

    screen_listen_fallback(ramfb->screen, NULL, NULL);
    screen_set_fallback(ramfb->screen, NULL);
    g_source_destroy(ramfb->source);
    g_source_unref(ramfb->source);
    surface_unref(ramfb->surface);
    g_mutex_clear(&ramfb->lock);
    g_free(ramfb);
}

static void
set_resting(Ramfb *ramfb, bool resting)
{
    g_mutex_lock(&ramfb->lock);
    ramfb->resting = resting;
    g_mutex_unlock(&ramfb->lock);
    look_soon(ramfb);
}

static void
ramfb_quiesce(void *device)
{
    set_resting(device, true);
}

static void
ramfb_resume(void *device)
{
    set_resting(device, false);
}

static void
ramfb_before_save(void *object)
{
    Ramfb *ramfb = object;
    ramfb->taken = screen_is_taken(ramfb->screen);
}

static bool
ramfb_after_load(void *object, GError **error)
{
    Ramfb *ramfb = object;
    if (ramfb->taken) /* by a driver that may show nothing just now */
        screen_take(ramfb->screen);
    return true;
}

static const StateField ramfb_fields[] = {STATE_BOOL(Ramfb, taken, 1), STATE_END};
static const StateTable ramfb_state = {.name = "ramfb",
                                       .version = 1,
                                       .oldest = 1,
                                       .fields = ramfb_fields,
                                       .before_save = ramfb_before_save,
                                       .after_load = ramfb_after_load};

const DeviceOps ramfb_device_ops = {
    .name = "ramfb",
    .quiesce = ramfb_quiesce,
    .resume = ramfb_resume,
    .state = &ramfb_state,
    .free = ramfb_free,
};
