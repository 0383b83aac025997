/* SPDX-License-Identifier: Apache-2.0 */
/* The VMM is asked for its numbers when somebody comes; what it says then is what the figures of later are held against. */
#include "appliance/desktops/visits.h"

#include "appliance/desktops/figures.h"
#include "appliance/desktops/quality.h"

typedef struct {
    const Ticket *ticket;
    Desktop *desktop; /* it is there at least as long: its end closes the connections */
    char *address;
    unsigned number;
    GCancellable *cancellable;
    int64_t known; /* monotonic µs: since when the numbers are; 0: not yet */
    DesktopQuality at_first;
} Visit;

struct Visits {
    unsigned last;  /* number given */
    GPtrArray *all; /* Visit */
};

static void
visit_free(void *data)
{
    Visit *visit = data;

    g_cancellable_cancel(visit->cancellable);
    g_object_unref(visit->cancellable);
    g_free(visit->address);
    g_free(visit);
}

static void
on_statistics(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GVariant) counters = NULL;
    g_autoptr(GError) error = NULL;
    bool answered = carrel_vmm1_call_get_statistics_finish(CARREL_VMM1(source), &counters, result, &error);

    if (!answered)
        return; /* cancelled: the visit is gone. Else there is nothing to tell of it */
    Visit *visit = user;
    quality_read(&visit->at_first, counters);
    visit->known = g_get_monotonic_time();
}

void
visits_begin(Visits *visits, Desktop *desktop, const Ticket *ticket, const char *address)
{
    CarrelVmm1 *control = vmm_control(desktop->vmm);
    Visit *visit = g_new0(Visit, 1);

    visits_end(visits, ticket);
    visit->ticket = ticket;
    visit->desktop = desktop;
    visit->address = g_strdup(address);
    visit->number = ++visits->last;
    visit->cancellable = g_cancellable_new();
    g_ptr_array_add(visits->all, visit);
    if (control)
        carrel_vmm1_call_get_statistics(control, visit->cancellable, on_statistics, visit);
}

void
visits_end(Visits *visits, const Ticket *ticket)
{
    for (unsigned i = 0; i < visits->all->len; i++) {
        if (((Visit *)visits->all->pdata[i])->ticket == ticket) {
            g_ptr_array_remove_index(visits->all, i);
            return;
        }
    }
}

void
visits_each(Visits *visits, DesktopsVisitor each, void *user)
{
    for (unsigned i = 0; i < visits->all->len; i++) {
        const Visit *visit = visits->all->pdata[i];
        const Ticket *ticket = visit->ticket;
        DesktopQuality now, since;
        if (!visit->known)
            continue;
        if (!figures_quality(visit->desktop->figures, visit->known, &now))
            now = visit->at_first; /* nobody has looked since */
        quality_between(&visit->at_first, &now, &since);
        const DesktopsVisit what = {visit->number,   ticket->desktop, ticket->user,
                                    ticket->session, visit->address,  &since};
        each(user, &what);
    }
}

Visits *
visits_new(void)
{
    Visits *visits = g_new0(Visits, 1);

    visits->all = g_ptr_array_new_with_free_func(visit_free);
    return visits;
}

void
visits_free(Visits *visits)
{
    if (!visits)
        return;
    g_ptr_array_unref(visits->all);
    g_free(visits);
}
