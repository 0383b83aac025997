/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An interrupt controller for unit tests: remembers lines, routes and messages sent. A route delivers when the test asks it
 * to (irq_recorder_deliver), as the kernel would when the eventfd is signalled.
 */
#pragma once

#include "vmm/board/irq.h"

#include <glib.h>
#include <sys/eventfd.h>

#define IRQ_RECORDER_ROUTES 8

typedef struct {
    bool lines[24];
    unsigned line_changes;
    struct {
        int eventfd; /* -1: free */
        MsiMessage message;
    } routes[IRQ_RECORDER_ROUTES];
    bool full;    /* no more routes are to be had */
    GArray *sent; /* MsiMessage, in order */
    GMutex lock;
} IrqRecorder;

static void
recorder_set_line(void *host, unsigned gsi, bool high)
{
    IrqRecorder *recorder = host;
    g_assert_cmpuint(gsi, <, 24);
    recorder->lines[gsi] = high;
    recorder->line_changes++;
}

static void
recorder_send(void *host, const MsiMessage *message)
{
    g_array_append_vals(((IrqRecorder *)host)->sent, message, 1);
}

static int
recorder_route_add(void *host, int eventfd, const MsiMessage *message)
{
    IrqRecorder *recorder = host;
    for (int i = 0; i < IRQ_RECORDER_ROUTES && !recorder->full; i++)
        if (recorder->routes[i].eventfd < 0) {
            recorder->routes[i].eventfd = eventfd;
            recorder->routes[i].message = *message;
            return i;
        }
    return -28; /* ENOSPC */
}

static int
recorder_route_change(void *host, int route, int eventfd, const MsiMessage *message)
{
    IrqRecorder *recorder = host;
    g_assert_cmpint(recorder->routes[route].eventfd, ==, eventfd);
    recorder->routes[route].message = *message;
    return 0;
}

static void
recorder_route_remove(void *host, int route, int eventfd)
{
    IrqRecorder *recorder = host;
    g_assert_cmpint(recorder->routes[route].eventfd, ==, eventfd);
    recorder->routes[route].eventfd = -1;
}

static inline IrqController
irq_recorder_init(IrqRecorder *recorder)
{
    static const IrqOps ops = {
        .set_line = recorder_set_line,
        .send = recorder_send,
        .route_add = recorder_route_add,
        .route_change = recorder_route_change,
        .route_remove = recorder_route_remove,
    };

    *recorder = (IrqRecorder){.sent = g_array_new(FALSE, FALSE, sizeof(MsiMessage))};
    for (unsigned i = 0; i < IRQ_RECORDER_ROUTES; i++)
        recorder->routes[i].eventfd = -1;
    return (IrqController){.ops = &ops, .host = recorder};
}

static inline void
irq_recorder_finish(IrqRecorder *recorder)
{
    for (unsigned i = 0; i < IRQ_RECORDER_ROUTES; i++)
        g_assert_cmpint(recorder->routes[i].eventfd, ==, -1); /* whoever added a route took it away */
    g_array_unref(recorder->sent);
}

static inline unsigned
irq_recorder_routes(const IrqRecorder *recorder)
{
    unsigned n = 0;
    for (unsigned i = 0; i < IRQ_RECORDER_ROUTES; i++)
        n += recorder->routes[i].eventfd >= 0;
    return n;
}

/* What the kernel does with signalled eventfds: their messages join @sent. */
static inline void
irq_recorder_deliver(IrqRecorder *recorder)
{
    eventfd_t count;
    for (unsigned i = 0; i < IRQ_RECORDER_ROUTES; i++)
        if (recorder->routes[i].eventfd >= 0 && eventfd_read(recorder->routes[i].eventfd, &count) == 0)
            recorder_send(recorder, &recorder->routes[i].message);
}

/* Delivers, takes what was sent off the record, and returns how many there were; the last one's data in @data. */
static inline unsigned
irq_recorder_take(IrqRecorder *recorder, uint32_t *data)
{
    irq_recorder_deliver(recorder);
    unsigned n = recorder->sent->len;
    if (n && data)
        *data = g_array_index(recorder->sent, MsiMessage, n - 1).data;
    g_array_set_size(recorder->sent, 0);
    return n;
}
