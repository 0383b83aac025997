/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor's picture for whoever asks over the control socket: compressed on a thread of its own, since that takes some ten
 * milliseconds, and what people type and point at passes through the main loop.
 */
#include "display/screenshot.h"
#include "vmm/desktop/desktop_private.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

/* Under way at a time; who looks on asks for one after the other. */
#define PICTURES_MAX 4

typedef struct {
    Desktop *desktop;
    unsigned scanout;
    uint64_t number;
    int fd;
    GThread *thread;
    GError *error; /* NULL: it is written */
    ControlAnswer answer;
    void *user;
} PictureJob;

static void
refuse(ControlAnswer answer, void *user, const char *why)
{
    g_autoptr(GError) error = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_INVAL, why);

    answer(user, NULL, error);
}

static void
answer_number(ControlAnswer answer, void *user, uint64_t number)
{
    g_autoptr(GVariant) result = g_variant_ref_sink(g_variant_new("(t)", number));

    answer(user, result, NULL);
}

static void
job_free(void *data)
{
    PictureJob *job = data;

    g_thread_join(job->thread);
    g_idle_remove_by_data(job);
    if (job->error)
        job->answer(job->user, NULL, job->error);
    else
        answer_number(job->answer, job->user, job->number);
    g_clear_error(&job->error);
    g_clear_fd(&job->fd, NULL);
    g_free(job);
}

static gboolean
on_taken(void *user)
{
    PictureJob *job = user;

    g_ptr_array_remove_fast(job->desktop->pictures, job);
    return G_SOURCE_REMOVE;
}

static void *
take(void *user)
{
    PictureJob *job = user;

    screenshot_write_scanout(job->desktop->screen, job->scanout, true, job->fd, &job->error);
    g_idle_add_full(G_PRIORITY_DEFAULT, on_taken, job, NULL);
    return NULL;
}

void
desktop_take_picture(void *object, unsigned scanout, uint64_t seen, int fd, ControlAnswer answer, void *user)
{
    g_autofd int file = fd;
    Desktop *desktop = object;
    struct stat st;

    if (!desktop->screen || scanout >= screen_n_scanouts(desktop->screen)) {
        refuse(answer, user, "the desktop has no such monitor");
        return;
    }
    if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode)) { /* a pipe that nobody reads would hold up the desktop */
        refuse(answer, user, "a screenshot is written to a regular file only");
        return;
    }
    uint64_t number = screen_picture_number(desktop->screen, scanout); /* before it is looked at: never too new */
    if (number == seen) {
        answer_number(answer, user, number);
        return;
    }
    if (desktop->pictures->len == PICTURES_MAX) {
        refuse(answer, user, "as many screenshots as may be are being taken");
        return;
    }
    PictureJob *job = g_new0(PictureJob, 1);
    *job = (PictureJob){desktop, scanout, number, g_steal_fd(&file), .answer = answer, .user = user};
    g_ptr_array_add(desktop->pictures, job);
    job->thread = g_thread_new("picture", take, job);
}

GPtrArray *
desktop_pictures_new(void)
{
    return g_ptr_array_new_with_free_func(job_free);
}
