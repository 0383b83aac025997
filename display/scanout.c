/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Screen: the present surface and cursor of each scanout, and the viewers told of every change.
 *
 * Two locks. @lock covers the scanouts and the list of viewers and is held while viewers are told: viewers only take note,
 * so it is held for as long as that takes, and "removed" means that no call is under way. @producer_lock covers the
 * producer and is held while it is told; it is never taken with @lock held, because a producer holds locks of its own
 * when it calls screen_damage().
 */
#include "display/scanout.h"

typedef struct {
    Surface *surface;    /* NULL: blank */
    CursorImage *cursor; /* NULL: hidden */
    int32_t cursor_x, cursor_y;
    uint64_t picture; /* screen_picture_number() */
    ScreenStats stats;
} Scanout;

typedef struct {
    const ViewerOps *ops;
    void *viewer;
} Viewer;

struct Screen {
    unsigned n_scanouts;
    GMutex lock;
    Scanout scanouts[SCREEN_MAX_SCANOUTS];
    GArray *viewers; /* Viewer */
    Surface *fallback;
    bool taken; /* the producer has set a surface since its beginning */
    void (*fallback_shown)(void *user);
    void *fallback_user;
    GMutex producer_lock;
    const ProducerOps *producer_ops;
    void *producer;
};

Screen *
screen_new(unsigned n_scanouts)
{
    g_assert(n_scanouts >= 1 && n_scanouts <= SCREEN_MAX_SCANOUTS);
    Screen *screen = g_new0(Screen, 1);
    screen->n_scanouts = n_scanouts;
    screen->viewers = g_array_new(FALSE, FALSE, sizeof(Viewer));
    for (unsigned i = 0; i < n_scanouts; i++) /* so that numbers of another start are others, and 0 is none */
        screen->scanouts[i].picture = (uint64_t)g_random_int() << 31 | 1;
    g_mutex_init(&screen->lock);
    g_mutex_init(&screen->producer_lock);
    return screen;
}

void
screen_free(Screen *screen)
{
    if (!screen)
        return;
    for (unsigned i = 0; i < screen->n_scanouts; i++) {
        surface_unref(screen->scanouts[i].surface);
        g_free(screen->scanouts[i].cursor);
    }
    surface_unref(screen->fallback);
    g_array_unref(screen->viewers);
    g_mutex_clear(&screen->lock);
    g_mutex_clear(&screen->producer_lock);
    g_free(screen);
}

unsigned
screen_n_scanouts(const Screen *screen)
{
    return screen->n_scanouts;
}

static Scanout *
scanout_at(Screen *screen, unsigned scanout)
{
    g_assert(scanout < screen->n_scanouts);
    return &screen->scanouts[scanout];
}

static const Viewer *
viewer_at(const Screen *screen, guint i)
{
    return &g_array_index(screen->viewers, Viewer, i);
}

void
screen_set_producer(Screen *screen, const ProducerOps *ops, void *producer)
{
    g_assert(!ops || ops->monitors);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->producer_lock);
    screen->producer_ops = ops;
    screen->producer = producer;
}

/* Under the lock. The old surface is the caller's to release once it has let go of that: its release may take a while. */
static Surface *
show(Screen *screen, unsigned scanout, Surface *surface)
{
    Scanout *shown = scanout_at(screen, scanout);
    Surface *old = shown->surface;

    shown->picture++;
    shown->surface = surface ? surface_ref(surface) : NULL;
    for (guint i = 0; i < screen->viewers->len; i++)
        viewer_at(screen, i)->ops->surface(viewer_at(screen, i)->viewer, scanout, surface);
    return old;
}

/* Under the lock. */
static bool
shows_fallback(const Screen *screen)
{
    return screen->fallback && screen->scanouts[0].surface == screen->fallback && screen->viewers->len;
}

static void
tell_fallback_shown(const Screen *screen)
{
    if (shows_fallback(screen) && screen->fallback_shown)
        screen->fallback_shown(screen->fallback_user);
}

void
screen_set_surface(Screen *screen, unsigned scanout, Surface *surface)
{
    g_autoptr(Surface) old = NULL, fallback = NULL;

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    if (surface && !screen->taken) {
        screen->taken = true;
        if (scanout && screen->fallback) /* the first one shows nothing yet, and nothing of the firmware's any more */
            fallback = show(screen, 0, NULL);
    }
    if (surface || screen->taken || scanout || !screen->fallback)
        old = show(screen, scanout, surface);
}

void
screen_set_fallback(Screen *screen, Surface *surface)
{
    g_autoptr(Surface) old = NULL, was_shown = NULL;

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    old = screen->fallback;
    screen->fallback = surface ? surface_ref(surface) : NULL;
    if (screen->taken || (!old && !surface))
        return;
    was_shown = show(screen, 0, surface);
    tell_fallback_shown(screen);
}

void
screen_begin(Screen *screen)
{
    g_autoptr(Surface) old = NULL;

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    if (!screen->taken)
        return;
    screen->taken = false;
    if (screen->fallback)
        old = show(screen, 0, screen->fallback);
    tell_fallback_shown(screen);
}

void
screen_take(Screen *screen)
{
    g_autoptr(Surface) old = NULL;

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    if (!screen->taken && screen->fallback)
        old = show(screen, 0, NULL);
    screen->taken = true;
}

bool
screen_is_taken(Screen *screen)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    return screen->taken;
}

bool
screen_shows_fallback(Screen *screen)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    return shows_fallback(screen);
}

void
screen_listen_fallback(Screen *screen, void (*shown)(void *user), void *user)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    screen->fallback_shown = shown;
    screen->fallback_user = user;
}

/* The part of the box that lies inside the surface; false where there is none. */
static bool
clip(pixman_box32_t *box, const Surface *surface)
{
    box->x1 = MAX(box->x1, 0);
    box->y1 = MAX(box->y1, 0);
    box->x2 = MIN(box->x2, (int32_t)surface->width);
    box->y2 = MIN(box->y2, (int32_t)surface->height);
    return box->x1 < box->x2 && box->y1 < box->y2;
}

/* Under the lock. */
static void
damage(Screen *screen, unsigned scanout, const pixman_box32_t *box)
{
    Scanout *shown = scanout_at(screen, scanout);
    pixman_box32_t inside = *box;

    if (!shown->surface || !clip(&inside, shown->surface))
        return;
    shown->picture++;
    shown->stats.frames++;
    shown->stats.damaged_pixels += (uint64_t)(inside.x2 - inside.x1) * (uint64_t)(inside.y2 - inside.y1);
    for (guint i = 0; i < screen->viewers->len; i++)
        viewer_at(screen, i)->ops->damage(viewer_at(screen, i)->viewer, scanout, &inside);
}

void
screen_damage(Screen *screen, unsigned scanout, const pixman_box32_t *box)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    damage(screen, scanout, box);
}

void
screen_damage_fallback(Screen *screen, const pixman_box32_t *box)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    if (shows_fallback(screen))
        damage(screen, 0, box);
}

void
screen_set_cursor(Screen *screen, unsigned scanout, const CursorImage *image)
{
    Scanout *shown = scanout_at(screen, scanout);

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    shown->picture++;
    if (!image) {
        g_clear_pointer(&shown->cursor, g_free);
    } else {
        if (!shown->cursor)
            shown->cursor = g_new(CursorImage, 1);
        *shown->cursor = *image;
    }
    for (guint i = 0; i < screen->viewers->len; i++)
        viewer_at(screen, i)->ops->cursor_image(viewer_at(screen, i)->viewer, scanout, image);
}

void
screen_move_cursor(Screen *screen, unsigned scanout, int32_t x, int32_t y)
{
    Scanout *shown = scanout_at(screen, scanout);

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    shown->picture++;
    shown->cursor_x = x;
    shown->cursor_y = y;
    for (guint i = 0; i < screen->viewers->len; i++)
        viewer_at(screen, i)->ops->cursor_move(viewer_at(screen, i)->viewer, scanout, x, y);
}

/* What a viewer that comes later would have been told. */
static void
tell_all(Screen *screen, const Viewer *viewer)
{
    for (unsigned i = 0; i < screen->n_scanouts; i++) {
        const Scanout *shown = &screen->scanouts[i];
        viewer->ops->surface(viewer->viewer, i, shown->surface);
        viewer->ops->cursor_image(viewer->viewer, i, shown->cursor);
        viewer->ops->cursor_move(viewer->viewer, i, shown->cursor_x, shown->cursor_y);
    }
}

void
screen_add_viewer(Screen *screen, const ViewerOps *ops, void *viewer)
{
    g_assert(ops->surface && ops->damage && ops->cursor_image && ops->cursor_move);
    const Viewer added = {ops, viewer};

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    g_array_append_val(screen->viewers, added);
    tell_all(screen, &added);
    tell_fallback_shown(screen);
}

void
screen_remove_viewer(Screen *screen, void *viewer)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    for (guint i = 0; i < screen->viewers->len; i++) {
        if (viewer_at(screen, i)->viewer == viewer) {
            g_array_remove_index(screen->viewers, i);
            return;
        }
    }
}

Surface *
screen_get_surface(Screen *screen, unsigned scanout)
{
    const Scanout *shown = scanout_at(screen, scanout);

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    return shown->surface ? surface_ref(shown->surface) : NULL;
}

bool
screen_get_cursor(Screen *screen, unsigned scanout, CursorImage *image, int32_t *x, int32_t *y)
{
    const Scanout *shown = scanout_at(screen, scanout);

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    if (!shown->cursor)
        return false;
    *image = *shown->cursor;
    *x = shown->cursor_x;
    *y = shown->cursor_y;
    return true;
}

/* Of the fallback without a viewer nobody says when it changes. */
uint64_t
screen_picture_number(Screen *screen, unsigned scanout)
{
    Scanout *shown = scanout_at(screen, scanout);

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    if (shown->surface && shown->surface == screen->fallback && !screen->viewers->len)
        shown->picture++;
    return shown->picture;
}

void
screen_request_monitors(Screen *screen, const MonitorRequest *monitors, unsigned n)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->producer_lock);
    if (screen->producer_ops)
        screen->producer_ops->monitors(screen->producer, monitors, MIN(n, screen->n_scanouts));
}

ScreenStats
screen_stats(Screen *screen, unsigned scanout)
{
    const Scanout *shown = scanout_at(screen, scanout);

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&screen->lock);
    return shown->stats;
}
