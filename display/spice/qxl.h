/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scanout as spice-server sees it: a QXL device, whose commands are frames and cursors.
 *
 * The flow is a pull. Whoever changes the picture only marks tiles and wakes spice-server's worker thread; the worker
 * asks for a command when it has time, and only then the marked tiles are compared, copied and handed out. While the
 * last frame is not yet sent to every client, there is no next one: its changes pile up in the marks, and what the
 * clients get then is the newest picture. With no client, marking returns at once.
 *
 * Threads: the producer's (surface, damage, cursor), spice-server's worker (everything that costs time), the main thread
 * (all calls of spice-server). One short lock, never held while spice-server is called.
 */
#pragma once

#include "display/scanout.h"
#include "display/spice/arrival.h"
#include "display/spice/question.h"
#include "display/spice/timing.h"

#include <spice.h>

typedef struct Qxl Qxl;

/* All mandatory. */
typedef struct {
    /* A client wants these monitors, the whole desktop's; @config belongs to the caller. Main thread; asked of scanout 0. */
    void (*monitors)(void *user, const VDAgentMonitorsConfig *config);
    /* A frame has to wait until the one before it is sent. Any thread. */
    void (*blocked)(void *user);
    /* Scanout @id shows a film from now on, or no more: spice-server is to look for one, or need not. The worker. */
    void (*film)(void *user, unsigned id, bool is_there);
} QxlOps;

/*
 * Adds display channel @id to an initialised server. @gpu: the graphics card's address, of which this is an output, or NULL.
 * @in_bands: pictures are compressed; see frame_boxes(). @question: the desktop's, which outlives it.
 */
Qxl *qxl_new(SpiceServer *server, unsigned id, const char *gpu, bool in_bands, Question *question, const QxlOps *ops,
             void *user);
/* Once the server is destroyed, which ends its worker. */
void qxl_free(Qxl *qxl);

/*
 * A client is about to get its display channel: before spice-server has heard of it, and once it was told. Main thread. The
 * first takes @arrival.
 */
void qxl_expect(Qxl *qxl, Arrival *arrival);
void qxl_told(Qxl *qxl);
/* spice-server is about to close descriptor @number. Any thread. */
void qxl_forget(Qxl *qxl, int number);
/* How many clients have its display channel. Main thread. */
void qxl_set_watched(Qxl *qxl, unsigned n_clients);
/* Monotonic time, µs, since when the clients took nothing of the frame they are being sent; 0: none is under way. Any thread. */
gint64 qxl_stuck_since(Qxl *qxl);
/* Adds what this scanout has counted; see SpiceQuality. Any thread. */
void qxl_add_timings(Qxl *qxl, Timing *frame_age, Timing *input);

/* Producer's thread; see ViewerOps. */
void qxl_set_surface(Qxl *qxl, Surface *surface);
void qxl_damage(Qxl *qxl, const pixman_box32_t *box);
void qxl_set_cursor(Qxl *qxl, const CursorImage *image);
void qxl_move_cursor(Qxl *qxl, int32_t x, int32_t y);
