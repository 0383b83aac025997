/* SPDX-License-Identifier: Apache-2.0 */
/* What a desktop wishes for, held against what is plugged in. */
#include "usb/host/wish.h"

#include "usb/bus.h"

#include <string.h>

typedef struct {
    const UsbWish *wish;
    bool dropped;
    bool given;
    bool asked;            /* while it is given: the same device will do again */
    unsigned bus, address; /* of the device that was given last; 0: none was */
} Waiting;

struct UsbWishes {
    GArray *list; /* of Waiting */
};

/* --- one wish --------------------------------------------------------------------------------------------------- */

static bool
parse_hex(const char *text, uint16_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        if (!g_ascii_isxdigit(text[i]))
            return false;
        *value = (uint16_t)(*value << 4 | g_ascii_xdigit_value(text[i]));
    }
    return true;
}

static bool
parse_id(UsbWish *wish, const char *id)
{
    wish->has_id = true;
    return strlen(id) == strlen("VVVV:PPPP") && id[4] == ':' && parse_hex(id, &wish->vendor) &&
           parse_hex(id + 5, &wish->product);
}

/* A number without a leading zero; returns what follows, NULL where there is none. */
static const char *
skip_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits && digits <= 3 && *text != '0' ? text + digits : NULL;
}

static bool
is_port(const char *port)
{
    const char *rest = skip_number(port);
    char separator = '-';

    while (rest && *rest == separator) {
        rest = skip_number(rest + 1);
        separator = '.';
    }
    return rest && !*rest && separator == '.';
}

UsbWish *
usb_wish_new(const char *name, const char *id, const char *serial, const char *port, const char **wrong, GError **error)
{
    g_autoptr(UsbWish) wish = g_new0(UsbWish, 1);
    const char *why = NULL;

    wish->name = g_strdup(name);
    wish->serial = g_strdup(serial);
    wish->port = g_strdup(port);
    *wrong = "id";
    if (!id && !serial && !port) {
        why = "say which device: give an id, a serial or a port";
    } else if (id && !parse_id(wish, id)) {
        why = "an id is VENDOR:PRODUCT, four hexadecimal digits each, as lsusb prints it: 0529:0001";
    } else if (port && !is_port(port)) {
        *wrong = "port";
        why = "a port is BUS-PORT or, behind hubs, BUS-PORT.PORT…: 1-2.3";
    }
    if (!why)
        return g_steal_pointer(&wish);
    g_set_error_literal(error, USB_ERROR, USB_ERROR_DEVICE, why);
    return NULL;
}

void
usb_wish_free(UsbWish *wish)
{
    if (!wish)
        return;
    g_free(wish->name);
    g_free(wish->serial);
    g_free(wish->port);
    g_free(wish);
}

bool
usb_wish_fits(const UsbWish *wish, const UsbHostSeen *seen)
{
    return seen->class != USB_CLASS_HUB &&
           (!wish->has_id || (wish->vendor == seen->vendor && wish->product == seen->product)) &&
           (!wish->serial || !strcmp(wish->serial, seen->serial)) && (!wish->port || !strcmp(wish->port, seen->port));
}

char *
usb_wish_words(const UsbWish *wish)
{
    GString *words = g_string_new(NULL);

    if (wish->has_id)
        g_string_printf(words, "%04x:%04x", wish->vendor, wish->product);
    if (wish->serial)
        g_string_append_printf(words, "%swith serial number %s", words->len ? " " : "a device ", wish->serial);
    if (wish->port)
        g_string_append_printf(words, "%sat port %s", words->len ? " " : "what is ", wish->port);
    return g_string_free_and_steal(words);
}

void
usb_host_seen_free(UsbHostSeen *seen)
{
    if (!seen)
        return;
    g_free(seen->port);
    g_free(seen->serial);
    g_free(seen->name);
    g_free(seen->speed);
    g_free(seen->node);
    g_free(seen);
}

/* --- all of them ------------------------------------------------------------------------------------------------ */

UsbWishes *
usb_wishes_new(const GPtrArray *wishes)
{
    UsbWishes *all = g_new0(UsbWishes, 1);

    all->list = g_array_new(FALSE, TRUE, sizeof(Waiting));
    for (guint i = 0; i < wishes->len; i++) {
        Waiting waiting = {.wish = wishes->pdata[i]};
        g_array_append_val(all->list, waiting);
    }
    return all;
}

void
usb_wishes_free(UsbWishes *wishes)
{
    if (!wishes)
        return;
    g_array_unref(wishes->list);
    g_free(wishes);
}

static bool
is_last_of(const Waiting *waiting, const UsbHostSeen *seen)
{
    return waiting->bus == seen->bus && waiting->address == seen->address;
}

static bool
is_given(const UsbWishes *wishes, const UsbHostSeen *seen)
{
    for (guint i = 0; i < wishes->list->len; i++) {
        const Waiting *waiting = &g_array_index(wishes->list, Waiting, i);
        if (waiting->given && is_last_of(waiting, seen))
            return true;
    }
    return false;
}

const UsbHostSeen *
usb_wishes_next(UsbWishes *wishes, const GPtrArray *seen, const UsbWish **wish)
{
    for (guint i = 0; i < wishes->list->len; i++) {
        Waiting *waiting = &g_array_index(wishes->list, Waiting, i);
        for (guint j = 0; !waiting->given && !waiting->dropped && j < seen->len; j++) {
            const UsbHostSeen *device = seen->pdata[j];
            if (is_last_of(waiting, device) || is_given(wishes, device) || !usb_wish_fits(waiting->wish, device))
                continue;
            waiting->given = true;
            waiting->bus = device->bus;
            waiting->address = device->address;
            *wish = waiting->wish;
            return device;
        }
    }
    return NULL;
}

static Waiting *
find(UsbWishes *wishes, const char *name)
{
    for (guint i = 0; i < wishes->list->len; i++) {
        Waiting *waiting = &g_array_index(wishes->list, Waiting, i);
        if (!strcmp(waiting->wish->name, name))
            return waiting;
    }
    return NULL;
}

void
usb_wishes_done(UsbWishes *wishes, const char *name)
{
    Waiting *waiting = find(wishes, name);

    if (!waiting)
        return;
    waiting->given = false;
    if (waiting->asked)
        waiting->bus = waiting->address = 0;
    waiting->asked = false;
}

void
usb_wishes_drop(UsbWishes *wishes, const char *name)
{
    Waiting *waiting = find(wishes, name);

    if (waiting)
        waiting->dropped = true;
}

void
usb_wishes_ask(UsbWishes *wishes, const char *name)
{
    Waiting *waiting = find(wishes, name);

    if (!waiting)
        return;
    waiting->dropped = false;
    waiting->asked = waiting->given;
    if (!waiting->given)
        waiting->bus = waiting->address = 0;
}
