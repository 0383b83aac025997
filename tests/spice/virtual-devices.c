/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for the keyboard, tablet, mouse and console: the same functions, with a test at the other end. */
#include "tests/spice/virtual-devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/input-event-codes.h>

struct VirtioConsolePort {
    const ConsolePortOps *ops;
    void *back_end;
    bool guest_open;
    size_t room;
    GByteArray *to_host; /* what the back end did not take yet */
};

static const char *const names[] = {"keyboard", "tablet", "mouse"};
static InputLeds leds_changed;
static void *leds_user;
static struct VirtioConsolePort port;

static bool
sink_ready(void *sink)
{
    return true;
}

static void
sink_report(void *sink, const InputEvent *events, size_t n)
{
    printf("%s", (const char *)sink);
    for (size_t i = 0; i < n; i++)
        printf(" %u:%u:%d", events[i].type, events[i].code, events[i].value);
    putchar('\n');
    fflush(stdout);
}

static void
sink_on_leds(void *sink, InputLeds changed, void *user)
{
    leds_changed = changed;
    leds_user = user;
}

/* A sink is known by its name alone. */
static InputSink
sink(unsigned i)
{
    static const InputSinkOps ops = {.ready = sink_ready, .report = sink_report, .on_leds = sink_on_leds};
    return (InputSink){&ops, (void *)(uintptr_t)names[i]};
}

SpiceDisplayInputs
virtual_inputs(void)
{
    return (SpiceDisplayInputs){.keyboard = sink(0), .tablet = sink(1), .mouse = sink(2)};
}

void
virtual_keyboard_set_leds(unsigned leds)
{
    if (leds_changed)
        leds_changed(leds_user, leds);
}

VirtioDevice *
virtual_console(void)
{
    return (VirtioDevice *)&port;
}

VirtioConsolePort *
virtio_console_add_port(VirtioDevice *console, const char *name, const ConsolePortOps *ops, void *back_end)
{
    port.ops = ops;
    port.back_end = back_end;
    port.to_host = g_byte_array_new();
    return &port;
}

size_t
console_port_write(VirtioConsolePort *to, const void *bytes, size_t len)
{
    size_t n = to->guest_open ? MIN(len, to->room) : 0;

    to->room -= n;
    if (n) {
        printf("agent got ");
        for (size_t i = 0; i < n; i++)
            printf("%02x", ((const uint8_t *)bytes)[i]);
        putchar('\n');
        fflush(stdout);
    }
    return n;
}

void
console_port_set_open(VirtioConsolePort *to, bool open)
{
    printf("agent host %s\n", open ? "open" : "closed");
    fflush(stdout);
}

bool
console_port_guest_is_open(const VirtioConsolePort *of)
{
    return of->guest_open;
}

static void
offer(void)
{
    while (port.to_host->len) {
        size_t taken = port.ops->data(port.back_end, port.to_host->data, port.to_host->len);
        if (!taken)
            return;
        g_byte_array_remove_range(port.to_host, 0, (guint)taken);
    }
}

void
console_port_resume(VirtioConsolePort *of)
{
    offer();
}

static void
write_hex(const char *hex)
{
    for (; hex[0] && hex[1]; hex += 2) {
        char digits[3] = {hex[0], hex[1], '\0'};
        uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);
        g_byte_array_append(port.to_host, &byte, 1);
    }
    offer();
}

bool
virtual_port_command(const char *command, const char *argument)
{
    if (!port.ops)
        return false;
    if (!strcmp(command, "open") || !strcmp(command, "close")) {
        port.guest_open = command[0] == 'o';
        if (!port.guest_open)
            g_byte_array_set_size(port.to_host, 0);
        port.ops->guest_open(port.back_end, port.guest_open);
    } else if (!strcmp(command, "write") && argument) {
        write_hex(argument);
    } else if (!strcmp(command, "take") && argument) {
        port.room += strtoul(argument, NULL, 0);
        port.ops->writable(port.back_end);
    } else {
        return false;
    }
    return true;
}
