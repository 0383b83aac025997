/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scanouts: what virtio-gpu and ramfb show, and who looks at it.
 *
 *     virtio-gpu resources, or else ramfb → scanout: a surface plus damage → viewers: SPICE, a screenshot, later the host's own monitor
 *
 * A Screen holds the desktop's 1 to SCREEN_MAX_SCANOUTS scanouts. The producer (display thread) sets surfaces and cursors
 * and adds damage; each viewer is told at once, on that same thread, and must only take note (mark a region, wake its own
 * worker): no copying, no blocking, no call back into the Screen. With no viewer, damage costs a lock and nothing is
 * copied.
 *
 * The way back (a client resized its window) goes from a viewer through screen_request_monitors() to the producer.
 */
#pragma once

#include "display/surface.h"

#define SCREEN_MAX_SCANOUTS 4
#define CURSOR_SIDE 64 /* virtio 1.2, 5.7.6.10: cursors are 64 × 64 */

typedef struct Screen Screen;

typedef struct {
    uint32_t pixels[CURSOR_SIDE * CURSOR_SIDE]; /* a8r8g8b8, premultiplied as the guest gave it */
    uint32_t hot_x, hot_y;
} CursorImage;

typedef struct {
    bool enabled;
    uint32_t width, height;       /* pixels, of the monitor wanted */
    int32_t x, y;                 /* its place on the desktop */
    uint32_t width_mm, height_mm; /* 0: unknown */
} MonitorRequest;

/*
 * A viewer; all mandatory. Called one at a time, nearly always on the display thread; on a vCPU's when the guest resets the
 * device, on the main thread when a saved desktop is loaded. A viewer holds no lock that these take while it calls a
 * function of the Screen.
 */
typedef struct {
    /* A new surface (other pixels, size or format), or NULL: blank. Take a reference to keep it. Damages everything. */
    void (*surface)(void *viewer, unsigned scanout, Surface *surface);
    /* These pixels may have changed; the box lies inside the surface. */
    void (*damage)(void *viewer, unsigned scanout, const pixman_box32_t *box);
    /* A new cursor picture, or NULL: hidden. Valid during the call. */
    void (*cursor_image)(void *viewer, unsigned scanout, const CursorImage *image);
    /*
     * The guest moved the cursor: where the picture's top left corner lies, in pixels of the scanout. The hot spot is at
     * (x + hot_x, y + hot_y). May be negative.
     */
    void (*cursor_move)(void *viewer, unsigned scanout, int32_t x, int32_t y);
} ViewerOps;

/* The producer's ear; mandatory. */
typedef struct {
    /* The monitors of the whole desktop, by scanout; those beyond @n are off. Ignored where none is on. Any thread. */
    void (*monitors)(void *producer, const MonitorRequest *monitors, unsigned n);
} ProducerOps;

Screen *screen_new(unsigned n_scanouts);
void screen_free(Screen *screen);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Screen, screen_free)
unsigned screen_n_scanouts(const Screen *screen);

/* Producer's side: one call at a time. Setting a producer is for any thread; NULL ops: none. */
void screen_set_producer(Screen *screen, const ProducerOps *ops, void *producer);
void screen_set_surface(Screen *screen, unsigned scanout, Surface *surface);
void screen_damage(Screen *screen, unsigned scanout, const pixman_box32_t *box);
void screen_set_cursor(Screen *screen, unsigned scanout, const CursorImage *image);
void screen_move_cursor(Screen *screen, unsigned scanout, int32_t x, int32_t y);

/*
 * The fallback: what the first scanout shows before a driver has taken the screen, that is, from the producer's beginning
 * (screen_begin(), at each reset of it) until it sets its first surface; then its own, or blank. Any thread.
 */
void screen_set_fallback(Screen *screen, Surface *surface); /* NULL: none */
void screen_damage_fallback(Screen *screen, const pixman_box32_t *box);
/* Whether it is on the screen and there is somebody to see it. */
bool screen_shows_fallback(Screen *screen);
/* @shown is called when that becomes true, from within any call here: it only takes note. NULL: nobody. */
void screen_listen_fallback(Screen *screen, void (*shown)(void *user), void *user);
void screen_begin(Screen *screen);
void screen_take(Screen *screen); /* as by a first surface: for loading */
bool screen_is_taken(Screen *screen);

/*
 * Viewer's side: any thread. Adding tells the viewer the present surfaces and cursors at once, before it returns, on the
 * calling thread; afterwards calls come as said above. Removing returns once no call is under way.
 */
void screen_add_viewer(Screen *screen, const ViewerOps *ops, void *viewer);
void screen_remove_viewer(Screen *screen, void *viewer);
/* The present surface with a reference, or NULL. */
Surface *screen_get_surface(Screen *screen, unsigned scanout);
/* The present cursor's picture and the place of its top left corner; false, with nothing set, where it is hidden. */
bool screen_get_cursor(Screen *screen, unsigned scanout, CursorImage *image, int32_t *x, int32_t *y);
/*
 * A number for what the scanout shows, with its cursor: another one as soon as that may have changed. It begins anywhere and
 * grows; never 0.
 */
uint64_t screen_picture_number(Screen *screen, unsigned scanout);
void screen_request_monitors(Screen *screen, const MonitorRequest *monitors, unsigned n);

/* Since start: frames (flushes) and damaged pixels, for statistics. */
typedef struct {
    uint64_t frames;
    uint64_t damaged_pixels;
} ScreenStats;
ScreenStats screen_stats(Screen *screen, unsigned scanout);
