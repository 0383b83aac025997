/* SPDX-License-Identifier: Apache-2.0 */
/* Which sink a report goes to. */
#include "vmm/board/input.h"

#include <linux/input-event-codes.h>
#include <string.h>

#define SINKS_MAX 4

struct InputRoute {
    InputSink sinks[SINKS_MAX];
    size_t n, current;
    uint8_t down[(KEY_CNT + 7) / 8]; /* keys that the current sink was told are down */
    unsigned leds[SINKS_MAX];
    InputLeds changed;
    void *user;
};

static size_t
choose(const InputRoute *route)
{
    for (size_t i = 0; i < route->n; i++)
        if (route->sinks[i].ops->ready(route->sinks[i].sink))
            return i;
    return route->n - 1;
}

static void
let_go(InputRoute *route)
{
    const InputSink *sink = &route->sinks[route->current];

    for (unsigned key = 0; key < KEY_CNT; key++)
        if (route->down[key / 8] >> (key % 8) & 1)
            sink->ops->report(sink->sink, &(InputEvent){EV_KEY, key, 0}, 1);
    memset(route->down, 0, sizeof(route->down));
}

static void
tell_leds(InputRoute *route)
{
    if (route->changed)
        route->changed(route->user, route->leds[route->current]);
}

static void
route_report(void *object, const InputEvent *events, size_t n)
{
    InputRoute *route = object;
    size_t chosen = choose(route);

    if (chosen != route->current) {
        let_go(route);
        route->current = chosen;
        tell_leds(route);
    }
    for (size_t i = 0; i < n; i++) {
        if (events[i].type != EV_KEY || events[i].code >= KEY_CNT)
            continue;
        uint8_t bit = 1 << (events[i].code % 8);
        if (events[i].value)
            route->down[events[i].code / 8] |= bit;
        else
            route->down[events[i].code / 8] &= ~bit;
    }
    route->sinks[chosen].ops->report(route->sinks[chosen].sink, events, n);
}

static bool
route_ready(void *object)
{
    InputRoute *route = object;
    size_t chosen = choose(route);
    return route->sinks[chosen].ops->ready(route->sinks[chosen].sink);
}

/* A guest that has a driver for either sets the LEDs of both: the current one's count. */
static void
note_leds(InputRoute *route, size_t i, unsigned leds)
{
    route->leds[i] = leds;
    if (i == route->current)
        tell_leds(route);
}

static void
first_leds(void *user, unsigned leds)
{
    note_leds(user, 0, leds);
}

static void
second_leds(void *user, unsigned leds)
{
    note_leds(user, 1, leds);
}

static void
route_on_leds(void *object, InputLeds changed, void *user)
{
    static const InputLeds by_sink[] = {first_leds, second_leds};
    InputRoute *route = object;

    route->changed = changed;
    route->user = user;
    for (size_t i = 0; i < MIN(route->n, G_N_ELEMENTS(by_sink)); i++)
        if (route->sinks[i].ops->on_leds)
            route->sinks[i].ops->on_leds(route->sinks[i].sink, changed ? by_sink[i] : NULL, route);
}

InputRoute *
input_route_new(const InputSink *sinks, size_t n)
{
    InputRoute *route = g_new0(InputRoute, 1);

    for (size_t i = 0; i < n; i++)
        if (sinks[i].ops) {
            g_assert(route->n < SINKS_MAX);
            route->sinks[route->n++] = sinks[i];
        }
    return route;
}

void
input_route_free(InputRoute *route)
{
    g_free(route);
}

InputSink
input_route_sink(InputRoute *route)
{
    static const InputSinkOps ops = {.ready = route_ready, .report = route_report, .on_leds = route_on_leds};
    return route->n ? (InputSink){&ops, route} : (InputSink){0};
}
