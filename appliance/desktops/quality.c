/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/quality.h"

#include <string.h>

/* Keeps bounds ascending, each once; those for which there is no room are left out. */
static void
add_bound(DesktopTiming *timing, uint64_t us, uint64_t count)
{
    unsigned place = 0;

    while (place < timing->n && timing->within[place].us < us)
        place++;
    if (place < timing->n && timing->within[place].us == us) {
        timing->within[place].count = count;
        return;
    }
    if (timing->n == DESKTOP_BOUNDS_MAX)
        return;
    memmove(&timing->within[place + 1], &timing->within[place], (timing->n - place) * sizeof *timing->within);
    timing->within[place].us = us;
    timing->within[place].count = count;
    timing->n++;
}

static void
read_timing(DesktopTiming *timing, const char *what, uint64_t value)
{
    guint64 bound;

    if (!strcmp(what, "count"))
        timing->count = value;
    else if (!strcmp(what, "us"))
        timing->total_us = value;
    else if (g_str_has_prefix(what, "within-") &&
             g_ascii_string_to_unsigned(what + strlen("within-"), 10, 1, G_MAXUINT64, &bound, NULL))
        add_bound(timing, bound, value);
}

void
quality_read(DesktopQuality *quality, GVariant *counters)
{
    static const char frame_age[] = "spice.frame-age.", input[] = "spice.input.";
    GVariantIter iter;
    const char *name;
    guint64 value;

    *quality = (DesktopQuality){0};
    g_variant_iter_init(&iter, counters);
    while (g_variant_iter_next(&iter, "{&st}", &name, &value)) {
        if (g_str_has_prefix(name, frame_age))
            read_timing(&quality->frame_age, name + strlen(frame_age), value);
        else if (g_str_has_prefix(name, input))
            read_timing(&quality->input, name + strlen(input), value);
        else if (!strcmp(name, "spice.sent-bytes"))
            quality->sent = value;
        else if (!strcmp(name, "spice.received-bytes"))
            quality->received = value;
        else if (!strcmp(name, "usb.errors"))
            quality->usb_errors = value;
    }
}

static uint64_t
grown(uint64_t before, uint64_t after)
{
    return after >= before ? after - before : after;
}

static uint64_t
count_within(const DesktopTiming *timing, uint64_t us)
{
    for (unsigned i = 0; i < timing->n; i++)
        if (timing->within[i].us == us)
            return timing->within[i].count;
    return 0;
}

static void
timing_between(const DesktopTiming *before, const DesktopTiming *after, DesktopTiming *between)
{
    *between = *after;
    between->count = grown(before->count, after->count);
    between->total_us = grown(before->total_us, after->total_us);
    for (unsigned i = 0; i < between->n; i++)
        between->within[i].count = grown(count_within(before, after->within[i].us), after->within[i].count);
}

void
quality_between(const DesktopQuality *before, const DesktopQuality *after, DesktopQuality *between)
{
    timing_between(&before->frame_age, &after->frame_age, &between->frame_age);
    timing_between(&before->input, &after->input, &between->input);
    between->sent = grown(before->sent, after->sent);
    between->received = grown(before->received, after->received);
    between->usb_errors = grown(before->usb_errors, after->usb_errors);
}

bool
quality_mean(const DesktopTiming *timing, uint64_t *us)
{
    if (!timing->count)
        return false;
    *us = timing->total_us / timing->count;
    return true;
}
