/* SPDX-License-Identifier: Apache-2.0 */
/* Two queues. Each arrival has a number, which says whether spice-server was told of it. */
#include "display/spice/arrivals.h"

typedef struct {
    Arrival *arrival;
    unsigned number;
} Entry;

struct Arrivals {
    GMutex lock;
    GQueue expected;             /* Entry */
    GQueue begun;                /* Entry */
    unsigned n_expected, n_told; /* ever */
};

static void
entry_free(Entry *entry)
{
    arrival_free(entry->arrival);
    g_free(entry);
}

Arrivals *
arrivals_new(void)
{
    Arrivals *arrivals = g_new0(Arrivals, 1);

    g_mutex_init(&arrivals->lock);
    g_queue_init(&arrivals->expected);
    g_queue_init(&arrivals->begun);
    return arrivals;
}

void
arrivals_free(Arrivals *arrivals)
{
    if (!arrivals)
        return;
    g_queue_clear_full(&arrivals->expected, (GDestroyNotify)entry_free);
    g_queue_clear_full(&arrivals->begun, (GDestroyNotify)entry_free);
    g_mutex_clear(&arrivals->lock);
    g_free(arrivals);
}

void
arrivals_expect(Arrivals *arrivals, Arrival *arrival)
{
    Entry *entry = g_new(Entry, 1);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&arrivals->lock);

    *entry = (Entry){.arrival = arrival, .number = arrivals->n_expected++};
    g_queue_push_tail(&arrivals->expected, entry);
}

void
arrivals_begin(Arrivals *arrivals)
{
    g_mutex_lock(&arrivals->lock);
    Entry *entry = g_queue_pop_head(&arrivals->expected);
    g_queue_push_tail(&arrivals->begun, entry);
    g_mutex_unlock(&arrivals->lock);
    arrival_begin(entry->arrival); /* takes a while; only the worker takes it out of its queue */
}

/* Lock held. */
static void
end_those(Arrivals *arrivals, bool (*is_one)(const Arrivals *arrivals, const Entry *entry))
{
    for (GList *link = arrivals->begun.head, *next; link; link = next) {
        Entry *entry = link->data;
        next = link->next;
        if (!is_one(arrivals, entry))
            continue;
        arrival_end(entry->arrival);
        entry_free(entry);
        g_queue_delete_link(&arrivals->begun, link);
    }
}

static bool
was_heard(const Arrivals *arrivals, const Entry *entry)
{
    return arrival_was_heard(entry->arrival);
}

static bool
was_told(const Arrivals *arrivals, const Entry *entry)
{
    return entry->number < arrivals->n_told;
}

void
arrivals_end_heard(Arrivals *arrivals)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&arrivals->lock);

    end_those(arrivals, was_heard);
}

void
arrivals_told(Arrivals *arrivals)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&arrivals->lock);

    arrivals->n_told++;
    end_those(arrivals, was_told);
}

static void
forget_in(const GQueue *queue, int number)
{
    for (const GList *link = queue->head; link; link = link->next) {
        const Entry *entry = link->data;
        if (arrival_number(entry->arrival) == number)
            arrival_abandon(entry->arrival);
    }
}

void
arrivals_forget(Arrivals *arrivals, int number)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&arrivals->lock);

    forget_in(&arrivals->expected, number);
    forget_in(&arrivals->begun, number);
}
