/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/work.h"

#define TELL_EVERY_US (200 * G_TIME_SPAN_MILLISECOND)

typedef struct {
    StorageProgress progress;
    gpointer user;
    double done;
} Word;

static gboolean
say(gpointer data)
{
    const Word *word = data;

    word->progress(word->done, word->user);
    return G_SOURCE_REMOVE;
}

void
work_part(Work *work, double from, double to)
{
    work->from = from;
    work->to = to;
}

/* Before the result, which goes the same way at the same priority. */
static void
send_word(const Work *work, double done)
{
    g_autoptr(GSource) source = g_idle_source_new();
    Word *word = g_new(Word, 1);

    *word = (Word){work->progress, work->user, done};
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, say, word, g_free);
    g_source_attach(source, work->context);
}

void
work_tell(Work *work, uint64_t done, uint64_t all)
{
    int64_t now = g_get_monotonic_time();
    double to = work->to > 0 ? work->to : 1;
    double whole = work->from + (to - work->from) * (all ? (double)MIN(done, all) / (double)all : 1);

    if (!work->progress || now - work->told_at < TELL_EVERY_US || whole <= work->told)
        return;
    work->told_at = now;
    work->told = whole;
    send_word(work, whole);
}

bool
work_goes_on(const Work *work, GError **error)
{
    return !g_cancellable_set_error_if_cancelled(work->cancellable, error);
}
