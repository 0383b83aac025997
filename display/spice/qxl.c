/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A QXL device for one scanout.
 *
 * The primary surface is spice-server's own picture of the scanout. It has the size of the scanout's surface. To change
 * it, spice-server waits for clients that are in the middle of a message, for many seconds in the worst case, and uses freed
 * memory when one of them vanishes meanwhile: so that is asked for when nothing is under way, by the main thread, and not
 * waited for.
 *
 *     NONE → (create) CREATING → SHOWN → (another size, or none; all is sent) DESTROYING → NONE → …
 *
 * Another surface of the same size, as page flipping makes them, is only a new place to read from.
 *
 * A frame is: draws of the changed boxes; a receipt (see command.h), whose return says that the frame was sent; and, when
 * spice-server holds on to more pixels than makes sense, an update, which makes it let go of them.
 */
#include "display/spice/qxl.h"

#include <string.h>
#include <sys/mman.h>

#include "display/spice/alarm.h"
#include "display/spice/arrivals.h"
#include "display/spice/cursor.h"
#include "display/spice/film.h"
#include "display/spice/frame.h"

/* Frames handed out and not yet sent. With one, a client that is slow gets fresh pictures, not old ones. */
#define MAX_FRAMES 1
/* Draws spice-server may hold on to because nothing covers them yet: looking through them takes time for each new one. */
#define MAX_HELD 100
/* Larger scanouts (8K is 33 million pixels) are shown black: their memory would be the guest's to choose. */
#define MAX_PIXELS (32u << 20)

typedef enum { PRIMARY_NONE, PRIMARY_CREATING, PRIMARY_SHOWN, PRIMARY_DESTROYING } Primary;
typedef enum { STEP_NONE, STEP_CREATE, STEP_DESTROY } Step;
/* Told apart in async_complete(). */
enum { COOKIE_CREATE = 1, COOKIE_DESTROY, COOKIE_EXPECT, COOKIE_TOLD };

/* When what a frame shows began, µs of the monotonic clock. 0: no change of the guest's; no input that it answers. */
typedef struct {
    gint64 changed, asked;
} Origin;

struct Qxl {
    QXLInstance instance;
    SpiceServer *server;
    const QxlOps *ops;
    void *user;
    bool in_bands;
    Question *question;
    QxlCursor *cursor;
    Arrivals *arrivals;
    GMainContext *context; /* the worker's; atomic, NULL until it asked for a command */
    GSource *step_alarm;   /* the primary needs something */

    GMutex lock; /* covers what follows, up to the next comment */
    Primary primary;
    Surface *surface; /* to be shown; of the primary's size while frames are made */
    TileGrid grid;    /* of the primary */
    uint64_t *marked; /* tiles that may have changed */
    bool any_marked;
    bool watched;       /* a client is there, or its channel is being set up */
    bool let_go;        /* the last client left: spice-server has not been asked to let go of everything yet */
    unsigned sent;      /* frames in flight */
    gint64 progress_at; /* monotonic time, µs: a frame was handed out, or a part of it taken */
    bool told_blocked;  /* since the last frame was sent */
    bool owes_receipt;  /* counted as sent, not handed out yet: for the picture a new client is sent */
    Origin origin;      /* of what is marked */
    Timing frame_age, input;

    /* the worker's */
    Picture *picture;
    uint64_t *taken; /* the marked tiles of the frame under construction, */
    Origin taken_origin;
    void *canvas; /* the primary's pixels, spice-server's picture of what was drawn */
    size_t canvas_bytes;
    PixelPool pool;
    Film *film;
    bool told_film;                           /* that there is one */
    bool exact;                               /* all that was marked for the last frame had changed */
    unsigned n_held;                          /* draws not given back */
    QXLCommandExt queue[FRAME_MAX_BOXES + 4]; /* a frame, the receipt and its surface, two updates */
    unsigned queued, next;
    bool has_receipt_surface;
    Command receipt_surface;
    uint32_t receipt_pixel;
};

/* All of memory, at its own addresses. */
static const QXLDevMemSlot memory_slot = {.virt_end = UINTPTR_MAX};

static Qxl *
qxl_of(QXLInstance *instance)
{
    return (Qxl *)((char *)instance - offsetof(Qxl, instance));
}

/*
 * Has the worker ask for commands. spice_qxl_wakeup() would wait for the lock of spice-server's dispatcher, which is held
 * while the main thread waits for an answer of the worker: no call of that kind may be made on the worker (it would wait for
 * itself) or on the producer's thread (it would wait for clients). Any thread.
 */
static void
wake(Qxl *qxl)
{
    GMainContext *context = g_atomic_pointer_get(&qxl->context);

    if (context)
        g_main_context_wakeup(context);
}

/* Worker, in one of its sources. */
static void
learn_context(Qxl *qxl)
{
    if (!qxl->context)
        g_atomic_pointer_set(&qxl->context, g_main_context_ref(g_source_get_context(g_main_current_source())));
}

/* ---- the primary surface ---- */

static void
unmap(void *pixels)
{
    struct iovec *iov = pixels;
    munmap(iov->iov_base, iov->iov_len);
    g_free(iov);
}

/* A black surface: pages of it that are only read all are the kernel's one zero page. NULL: no memory. */
static Surface *
black_surface(uint32_t width, uint32_t height)
{
    size_t bytes = (size_t)width * height * 4;
    void *pixels = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pixels == MAP_FAILED)
        return NULL;
    struct iovec *iov = g_new(struct iovec, 1);
    *iov = (struct iovec){pixels, bytes};
    Surface *surface = surface_new(width, height, width * 4, 0, PIXMAN_x8r8g8b8, iov, 1, unmap, iov);
    if (!surface)
        unmap(iov);
    return surface;
}

static bool
fits(const Qxl *qxl)
{
    return qxl->surface && qxl->surface->width == qxl->grid.width && qxl->surface->height == qxl->grid.height;
}

/* Frames can be made. Lock held. */
static bool
is_showing(const Qxl *qxl)
{
    return qxl->primary == PRIMARY_SHOWN && fits(qxl);
}

static void
free_primary(Qxl *qxl)
{
    g_clear_pointer(&qxl->picture, picture_free);
    g_clear_pointer(&qxl->film, film_free);
    g_clear_pointer(&qxl->marked, g_free);
    g_clear_pointer(&qxl->taken, g_free);
    if (qxl->canvas)
        munmap(g_steal_pointer(&qxl->canvas), qxl->canvas_bytes);
}

/* Memory for a primary of the surface's size. Lock held. */
static bool
make_primary(Qxl *qxl)
{
    uint32_t width = qxl->surface->width, height = qxl->surface->height;
    void *canvas;

    tile_grid_init(&qxl->grid, width, height);
    qxl->canvas_bytes = (size_t)width * height * 4;
    canvas = mmap(NULL, qxl->canvas_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (canvas == MAP_FAILED)
        return false;
    qxl->canvas = canvas;
    qxl->picture = picture_new(width, height);
    qxl->film = film_new(&qxl->grid);
    qxl->marked = g_try_new0(uint64_t, tile_set_words(&qxl->grid));
    qxl->taken = g_try_new0(uint64_t, tile_set_words(&qxl->grid));
    return qxl->picture && qxl->film && qxl->marked && qxl->taken;
}

/* What the primary needs next. Lock held. */
static Step
next_step(Qxl *qxl)
{
    if (qxl->primary == PRIMARY_NONE && qxl->surface) {
        if (!make_primary(qxl)) {
            free_primary(qxl); /* no memory: the scanout stays dark until its surface changes */
            return STEP_NONE;
        }
        qxl->primary = PRIMARY_CREATING;
        return STEP_CREATE;
    }
    if (qxl->primary == PRIMARY_SHOWN && !fits(qxl) && !qxl->sent) {
        qxl->primary = PRIMARY_DESTROYING;
        return STEP_DESTROY;
    }
    return STEP_NONE;
}

/* @watched: fresh pages are zero, so that nobody need touch them; but clients would be sent them as a first picture. */
static void
create(Qxl *qxl, bool watched)
{
    QXLDevSurfaceCreate surface = {
        .width = qxl->grid.width,
        .height = qxl->grid.height,
        .stride = (int32_t)qxl->grid.width * 4,
        .format = SPICE_SURFACE_FMT_32_xRGB,
        .mouse_mode = TRUE, /* clients draw the cursor */
        .type = QXL_SURF_TYPE_PRIMARY,
        .flags = watched ? 0 : QXL_SURF_FLAG_KEEP_DATA,
        .mem = (uintptr_t)qxl->canvas,
    };
    spice_qxl_create_primary_surface_async(&qxl->instance, PRIMARY_SURFACE, &surface, COOKIE_CREATE);
}

/* Main thread. */
static void
take_step(void *user)
{
    Qxl *qxl = user;

    g_mutex_lock(&qxl->lock);
    Step step = next_step(qxl);
    bool watched = qxl->watched;
    g_mutex_unlock(&qxl->lock);

    if (step == STEP_CREATE)
        create(qxl, watched);
    else if (step == STEP_DESTROY)
        spice_qxl_destroy_primary_surface_async(&qxl->instance, PRIMARY_SURFACE, COOKIE_DESTROY);
}

/* Any thread. */
static void
need_step(Qxl *qxl)
{
    alarm_set(qxl->step_alarm, ALARM_NOW);
}

/* Lock held. */
static void
mark_all(Qxl *qxl)
{
    tile_set_fill(&qxl->grid, qxl->marked);
    qxl->any_marked = true;
}

/* The guest announced a change, which is marked. The clock is read for the first of a frame's alone. Lock held. */
static void
note_change(Qxl *qxl)
{
    if (qxl->origin.changed && !question_waits(qxl->question))
        return;
    gint64 now = g_get_monotonic_time(), asked = question_take(qxl->question, now);
    if (!qxl->origin.changed)
        qxl->origin.changed = now;
    if (!qxl->origin.asked)
        qxl->origin.asked = asked;
}

static void
on_destroyed(Qxl *qxl)
{
    g_mutex_lock(&qxl->lock);
    qxl->primary = PRIMARY_NONE;
    qxl->origin = (Origin){0};
    free_primary(qxl);
    g_mutex_unlock(&qxl->lock);
    need_step(qxl);
}

static void
on_created(Qxl *qxl)
{
    g_mutex_lock(&qxl->lock);
    qxl->primary = PRIMARY_SHOWN;
    mark_all(qxl);
    g_mutex_unlock(&qxl->lock);
    qxl_cursor_resend(qxl->cursor); /* spice-server forgets it with the primary */
    need_step(qxl);
}

/* ---- the producer's side ---- */

/* The picture the scanout shows: the first one is never without, once it had one. Lock held; a new reference or NULL. */
static Surface *
surface_to_show(const Qxl *qxl, Surface *surface)
{
    if (surface && (uint64_t)surface->width * surface->height <= MAX_PIXELS)
        return surface_ref(surface);
    if (qxl->instance.id == 0 && qxl->surface)
        return black_surface(qxl->surface->width, qxl->surface->height);
    return NULL;
}

void
qxl_set_surface(Qxl *qxl, Surface *surface)
{
    bool show, wanted = false;

    g_mutex_lock(&qxl->lock);
    g_autoptr(Surface) old = qxl->surface;
    qxl->surface = surface_to_show(qxl, surface);
    show = is_showing(qxl);
    if (show) {
        mark_all(qxl);
        if (qxl->watched)
            note_change(qxl);
        wanted = qxl->watched && qxl->sent < MAX_FRAMES;
    }
    g_mutex_unlock(&qxl->lock);
    if (!show)
        need_step(qxl);
    if (wanted)
        wake(qxl);
}

void
qxl_damage(Qxl *qxl, const pixman_box32_t *box)
{
    bool wanted = false, blocked = false;

    g_mutex_lock(&qxl->lock);
    if (qxl->watched && is_showing(qxl)) {
        tile_set_add_box(&qxl->grid, qxl->marked, box);
        qxl->any_marked = true;
        note_change(qxl);
        wanted = qxl->sent < MAX_FRAMES; /* else the receipt wakes */
        blocked = !wanted && !qxl->told_blocked;
        qxl->told_blocked |= blocked;
    }
    g_mutex_unlock(&qxl->lock);
    if (wanted)
        wake(qxl);
    if (blocked)
        qxl->ops->blocked(qxl->user);
}

static void
wake_if_watched(Qxl *qxl)
{
    g_mutex_lock(&qxl->lock);
    bool watched = qxl->watched;
    g_mutex_unlock(&qxl->lock);
    if (watched)
        wake(qxl);
}

void
qxl_set_cursor(Qxl *qxl, const CursorImage *image)
{
    qxl_cursor_set(qxl->cursor, image);
    wake_if_watched(qxl);
}

void
qxl_move_cursor(Qxl *qxl, int32_t x, int32_t y)
{
    qxl_cursor_move(qxl->cursor, x, y);
    wake_if_watched(qxl);
}

/* ---- display channels that are being set up ---- */

/* Has async_complete(@cookie) called between what the worker was told before and what it is told afterwards. */
static void
mark_for_worker(Qxl *qxl, uint64_t cookie)
{
    QXLDevMemSlot slot = memory_slot;

    spice_qxl_add_memslot_async(&qxl->instance, &slot, cookie); /* again the same: a message without effect */
}

void
qxl_expect(Qxl *qxl, Arrival *arrival)
{
    arrivals_expect(qxl->arrivals, arrival);
    mark_for_worker(qxl, COOKIE_EXPECT);
}

void
qxl_told(Qxl *qxl)
{
    mark_for_worker(qxl, COOKIE_TOLD);
}

void
qxl_forget(Qxl *qxl, int number)
{
    arrivals_forget(qxl->arrivals, number);
}

/* ---- the worker's side ---- */

static void
enqueue(Qxl *qxl, const Command *command, uint32_t type)
{
    g_assert(qxl->queued < G_N_ELEMENTS(qxl->queue));
    qxl->queue[qxl->queued++] = command_hand_out(command, type);
}

static void
free_command(Command *command)
{
    g_free(command);
}

static void
enqueue_update(Qxl *qxl, uint32_t surface, uint32_t width, uint32_t height)
{
    Command *update = g_new(Command, 1);

    update->done = free_command;
    command_init_update(update, surface, width, height);
    enqueue(qxl, update, QXL_CMD_UPDATE);
}

/* Nobody watches and spice-server holds nothing: gives the memory back. Lock held. */
static void
release_memory(Qxl *qxl)
{
    pixel_pool_trim(&qxl->pool);
    if (qxl->picture) {
        picture_forget(qxl->picture);
        madvise(qxl->canvas, qxl->canvas_bytes, MADV_DONTNEED);
    }
}

static void
box_done(void *user)
{
    Qxl *qxl = user;

    qxl->n_held--;
    g_mutex_lock(&qxl->lock);
    qxl->progress_at = g_get_monotonic_time();
    if (!qxl->n_held && !qxl->watched)
        release_memory(qxl);
    g_mutex_unlock(&qxl->lock);
}

/* A receipt, with the way back from it. */
typedef struct {
    Command command;
    Qxl *qxl;
    Origin origin; /* of the frame */
} Receipt;

/* A frame was sent. Lock held. */
static void
count_frame(Qxl *qxl, const Origin *origin)
{
    gint64 now = origin->changed && qxl->watched ? g_get_monotonic_time() : 0;

    if (!now) /* a new client's first picture, or nobody is left to have it */
        return;
    timing_add(&qxl->frame_age, now - origin->changed);
    if (origin->asked)
        timing_add(&qxl->input, now - origin->asked);
}

static void
receipt_done(Command *command)
{
    Receipt *receipt = (Receipt *)command;
    Qxl *qxl = receipt->qxl;
    const Origin origin = receipt->origin;

    g_free(receipt);
    g_mutex_lock(&qxl->lock);
    count_frame(qxl, &origin);
    qxl->sent--;
    qxl->told_blocked = false;
    bool more = qxl->watched && qxl->any_marked, step = qxl->primary == PRIMARY_SHOWN && !fits(qxl);
    g_mutex_unlock(&qxl->lock);
    if (step)
        need_step(qxl);
    if (more)
        wake(qxl); /* spice-server asks only after an event */
}

static void
receipt_surface_done(Command *unused)
{
}

static void
enqueue_receipt(Qxl *qxl, Origin origin)
{
    Receipt *receipt = g_new(Receipt, 1);

    if (!qxl->has_receipt_surface) {
        qxl->has_receipt_surface = true;
        qxl->receipt_surface.done = receipt_surface_done;
        command_init_receipt_surface(&qxl->receipt_surface, &qxl->receipt_pixel);
        enqueue(qxl, &qxl->receipt_surface, QXL_CMD_SURFACE);
    }
    receipt->qxl = qxl;
    receipt->origin = origin;
    receipt->command.done = receipt_done;
    command_init_receipt(&receipt->command);
    enqueue(qxl, &receipt->command, QXL_CMD_DRAW);
    enqueue_update(qxl, RECEIPT_SURFACE, 1, 1);
}

/* Moves the marks to @taken; the surface to read with a reference, or NULL where there is nothing to do. */
static Surface *
take_marks(Qxl *qxl)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&qxl->lock);

    if (!qxl->watched || !qxl->any_marked || qxl->sent >= MAX_FRAMES || !is_showing(qxl))
        return NULL;
    uint64_t *cleared = qxl->taken;
    qxl->taken = qxl->marked;
    qxl->marked = cleared;
    tile_set_clear(&qxl->grid, qxl->marked);
    qxl->any_marked = false;
    qxl->taken_origin = qxl->origin;
    qxl->origin = (Origin){0};
    return surface_ref(qxl->surface);
}

static void
enqueue_frame(Qxl *qxl, Frame *frame, size_t n)
{
    for (size_t i = 0; i < n; i++)
        enqueue(qxl, frame_command(frame, i), QXL_CMD_DRAW);
    qxl->n_held += (unsigned)n;
    enqueue_receipt(qxl, qxl->taken_origin);
    if (qxl->n_held > MAX_HELD || qxl->pool.bytes > 2 * qxl->canvas_bytes)
        enqueue_update(qxl, PRIMARY_SURFACE, qxl->grid.width, qxl->grid.height);
    g_mutex_lock(&qxl->lock);
    qxl->sent++;
    qxl->progress_at = g_get_monotonic_time();
    g_mutex_unlock(&qxl->lock);
}

/* Says when a film begins or ends. */
static void
tell_film(Qxl *qxl, bool is_there)
{
    if (is_there == qxl->told_film)
        return;
    qxl->told_film = is_there;
    qxl->ops->film(qxl->user, (unsigned)qxl->instance.id, is_there);
}

/* A frame of the changed tiles among the taken; NULL, and no boxes: there are none. NULL: no memory. */
static Frame *
compare_and_copy(Qxl *qxl, const Surface *surface, pixman_box32_t *boxes, size_t *n)
{
    size_t n_marked = tile_set_count(&qxl->grid, qxl->taken);

    picture_keep_changed(qxl->picture, surface, qxl->taken);
    qxl->exact = tile_set_count(&qxl->grid, qxl->taken) == n_marked;
    film_watch(qxl->film, surface, qxl->taken, g_get_monotonic_time());
    tell_film(qxl, film_box(qxl->film));
    *n = frame_boxes(&qxl->grid, qxl->taken, film_box(qxl->film), qxl->in_bands, boxes);
    return *n ? frame_new(&qxl->pool, qxl->picture, surface, boxes, *n, NULL, box_done, qxl) : NULL;
}

/*
 * The same where marks were exact the last time: the pixels are looked at but once, as they are copied. If it turns out that
 * some had not changed, the copy was in vain, and the changed ones are copied again.
 */
static Frame *
copy_and_compare(Qxl *qxl, const Surface *surface, pixman_box32_t *boxes, size_t *n)
{
    size_t n_marked = tile_set_count(&qxl->grid, qxl->taken);

    *n = frame_boxes(&qxl->grid, qxl->taken, NULL, qxl->in_bands, boxes);
    Frame *frame = frame_new(&qxl->pool, qxl->picture, surface, boxes, *n, qxl->taken, box_done, qxl);
    if (!frame)
        return NULL;
    film_watch(qxl->film, surface, qxl->taken, g_get_monotonic_time());
    tell_film(qxl, film_box(qxl->film));
    qxl->exact = tile_set_count(&qxl->grid, qxl->taken) == n_marked;
    if (qxl->exact)
        return frame;
    frame_free(frame);
    *n = frame_boxes(&qxl->grid, qxl->taken, film_box(qxl->film), qxl->in_bands, boxes);
    return *n ? frame_new(&qxl->pool, qxl->picture, surface, boxes, *n, NULL, box_done, qxl) : NULL;
}

static void
make_frame(Qxl *qxl)
{
    pixman_box32_t boxes[FRAME_MAX_BOXES];
    size_t n;
    g_autoptr(Surface) surface = take_marks(qxl);

    if (!surface)
        return;
    bool once = qxl->exact && !film_box(qxl->film);
    Frame *frame = (once ? copy_and_compare : compare_and_copy)(qxl, surface, boxes, &n);
    if (frame) {
        enqueue_frame(qxl, frame, n);
    } else if (n) {
        picture_forget(qxl->picture);
        g_mutex_lock(&qxl->lock);
        mark_all(qxl); /* for the next time */
        qxl->origin = qxl->taken_origin;
        g_mutex_unlock(&qxl->lock);
    } else {
        question_give_back(qxl->question, qxl->taken_origin.asked); /* what was announced changed no pixel */
    }
}

/*
 * What comes before frames: a receipt for the picture a new client was sent; or, once the last client has left, an update,
 * so that all spice-server holds comes back.
 */
static void
settle(Qxl *qxl)
{
    g_mutex_lock(&qxl->lock);
    bool owes = qxl->owes_receipt;
    qxl->owes_receipt = false;
    bool now = qxl->let_go && !qxl->watched;
    bool update = now && qxl->n_held && qxl->primary == PRIMARY_SHOWN;
    qxl->let_go = false;
    if (now && !qxl->n_held)
        release_memory(qxl);
    if (now && qxl->film)
        film_forget(qxl->film);
    g_mutex_unlock(&qxl->lock);
    if (now)
        tell_film(qxl, false);
    if (owes)
        enqueue_receipt(qxl, (Origin){0});
    if (update)
        enqueue_update(qxl, PRIMARY_SURFACE, qxl->grid.width, qxl->grid.height);
}

static int
get_command(QXLInstance *instance, QXLCommandExt *command)
{
    Qxl *qxl = qxl_of(instance);

    learn_context(qxl);
    arrivals_end_heard(qxl->arrivals);
    if (qxl->next == qxl->queued) {
        qxl->next = qxl->queued = 0;
        settle(qxl);
        if (!qxl->queued)
            make_frame(qxl);
        if (!qxl->queued)
            return false;
    }
    *command = qxl->queue[qxl->next++];
    return true;
}

/* Commands that come from now on are announced; false where some are there already. */
static int
req_cmd_notification(QXLInstance *instance)
{
    Qxl *qxl = qxl_of(instance);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&qxl->lock);

    return !(qxl->owes_receipt || (qxl->watched && qxl->any_marked && qxl->sent < MAX_FRAMES && is_showing(qxl)));
}

static int
get_cursor_command(QXLInstance *instance, QXLCommandExt *command)
{
    Qxl *qxl = qxl_of(instance);

    arrivals_end_heard(qxl->arrivals);
    return qxl_cursor_get_command(qxl->cursor, command);
}

static int
req_cursor_notification(QXLInstance *instance)
{
    return !qxl_cursor_is_pending(qxl_of(instance)->cursor);
}

static void
release_resource(QXLInstance *instance, QXLReleaseInfoExt release)
{
    Command *command = command_of(release);
    command->done(command);
}

/*
 * A client's display channel is being set up, and will be sent spice-server's picture. If nobody was watching, that
 * picture is brought up to date here, so that the first thing a client is sent is all of it.
 */
static void
set_client_capabilities(QXLInstance *instance, uint8_t present, uint8_t *unused)
{
    Qxl *qxl = qxl_of(instance);
    g_autoptr(Surface) surface = NULL;

    g_mutex_lock(&qxl->lock);
    bool first = present && !qxl->watched;
    qxl->watched |= present;
    if (present && !qxl->owes_receipt) {
        qxl->owes_receipt = true;
        qxl->sent++;
        qxl->progress_at = g_get_monotonic_time();
    }
    if (first && is_showing(qxl)) {
        mark_all(qxl);
        surface = surface_ref(qxl->surface);
    }
    g_mutex_unlock(&qxl->lock);
    if (!surface || qxl->n_held)
        return; /* what is held will be drawn over the picture: the marks bring it up to date */
    pixman_box32_t all = {0, 0, (int32_t)qxl->grid.width, (int32_t)qxl->grid.height};
    picture_send(qxl->picture, surface, &all, qxl->canvas, (size_t)qxl->grid.width * 4, NULL);
}

void
qxl_set_watched(Qxl *qxl, unsigned n_clients)
{
    if (n_clients)
        return; /* set_client_capabilities() says when */
    g_mutex_lock(&qxl->lock);
    qxl->watched = false;
    qxl->origin = (Origin){0};
    qxl->let_go = true;
    g_mutex_unlock(&qxl->lock);
    wake(qxl);
}

gint64
qxl_stuck_since(Qxl *qxl)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&qxl->lock);

    return qxl->sent ? qxl->progress_at : 0;
}

void
qxl_add_timings(Qxl *qxl, Timing *frame_age, Timing *input)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&qxl->lock);

    timing_merge(frame_age, &qxl->frame_age);
    timing_merge(input, &qxl->input);
}

static int
client_monitors_config(QXLInstance *instance, VDAgentMonitorsConfig *config)
{
    Qxl *qxl = qxl_of(instance);

    if (config && instance->id == 0)
        qxl->ops->monitors(qxl->user, config);
    return true;
}

/* Worker. */
static void
async_complete(QXLInstance *instance, uint64_t cookie)
{
    Qxl *qxl = qxl_of(instance);

    switch (cookie) {
    case COOKIE_CREATE:
        on_created(qxl);
        break;
    case COOKIE_DESTROY:
        on_destroyed(qxl);
        break;
    case COOKIE_EXPECT:
        arrivals_begin(qxl->arrivals);
        break;
    case COOKIE_TOLD:
        arrivals_told(qxl->arrivals);
        break;
    }
}

static void
get_init_info(QXLInstance *instance, QXLDevInitInfo *info)
{
    *info = (QXLDevInitInfo){
        .num_memslots_groups = 1,
        .num_memslots = 1,
        .memslot_gen_bits = 8,
        .memslot_id_bits = 8,
        .qxl_ram_size = 16 << 20, /* only told to clients, which size a cache by it */
        .n_surfaces = RECEIPT_SURFACE + 1,
    };
}

static void
set_compression_level(QXLInstance *instance, int unused)
{
}

static void
notify_update(QXLInstance *instance, uint32_t unused)
{
}

static int
flush_resources(QXLInstance *instance)
{
    return 0;
}

static void
update_area_complete(QXLInstance *instance, uint32_t surface, QXLRect *rects, uint32_t n)
{
}

static const QXLInterface qxl_interface = {
    .base =
        {
            .type = SPICE_INTERFACE_QXL,
            .description = "carrel scanout",
            .major_version = SPICE_INTERFACE_QXL_MAJOR,
            .minor_version = SPICE_INTERFACE_QXL_MINOR,
        },
    .set_compression_level = set_compression_level,
    .get_init_info = get_init_info,
    .get_command = get_command,
    .req_cmd_notification = req_cmd_notification,
    .release_resource = release_resource,
    .get_cursor_command = get_cursor_command,
    .req_cursor_notification = req_cursor_notification,
    .notify_update = notify_update,
    .flush_resources = flush_resources,
    .async_complete = async_complete,
    .update_area_complete = update_area_complete,
    .set_client_capabilities = set_client_capabilities,
    .client_monitors_config = client_monitors_config,
};

Qxl *
qxl_new(SpiceServer *server, unsigned id, const char *gpu, bool in_bands, Question *question, const QxlOps *ops,
        void *user)
{
    g_assert(ops->monitors && ops->blocked && ops->film);
    Qxl *qxl = g_new0(Qxl, 1);
    QXLDevMemSlot slot = memory_slot;

    g_mutex_init(&qxl->lock);
    pixel_pool_init(&qxl->pool);
    qxl->cursor = qxl_cursor_new();
    qxl->server = server;
    qxl->ops = ops;
    qxl->user = user;
    qxl->in_bands = in_bands;
    qxl->question = question;
    qxl->arrivals = arrivals_new();
    qxl->step_alarm = alarm_new("spice primary", take_step, qxl);
    qxl->instance.base.sif = &qxl_interface.base;
    qxl->instance.id = (int)id;
    spice_server_add_interface(server, &qxl->instance.base);
    spice_qxl_add_memslot(&qxl->instance, &slot);
    if (gpu)
        spice_qxl_set_device_info(&qxl->instance, gpu, id, 1);
    return qxl;
}

void
qxl_free(Qxl *qxl)
{
    if (!qxl)
        return;
    for (; qxl->next < qxl->queued; qxl->next++) {
        Command *command = (Command *)(uintptr_t)qxl->queue[qxl->next].cmd.data;
        command->done(command);
    }
    arrivals_free(qxl->arrivals);
    alarm_free(&qxl->step_alarm);
    g_clear_pointer(&qxl->context, g_main_context_unref);
    free_primary(qxl);
    surface_unref(qxl->surface);
    qxl_cursor_free(qxl->cursor);
    pixel_pool_finish(&qxl->pool);
    g_mutex_clear(&qxl->lock);
    g_free(qxl);
}
