/* SPDX-License-Identifier: Apache-2.0 */
/* udev's list of devices, read anew each time: it is short, and a list that is kept can be wrong. */
#include "usb/host/scan.h"

#include "usb/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <libudev.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define USB_DEVICE_MAJOR 189 /* Linux, Documentation/admin-guide/devices.txt */

static const char *
attribute(struct udev_device *device, const char *name)
{
    const char *value = udev_device_get_sysattr_value(device, name);

    return value ? value : "";
}

static unsigned
number(struct udev_device *device, const char *name, unsigned base)
{
    return (unsigned)g_ascii_strtoull(attribute(device, name), NULL, base);
}

/* A device's own strings are its maker's: printed, they must not be anything but text. */
static char *
clean(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    for (char *at = valid; *at; at = g_utf8_next_char(at))
        if (g_unichar_iscntrl(g_utf8_get_char(at)))
            memset(at, ' ', (size_t)(g_utf8_next_char(at) - at));
    return g_strdup(g_strstrip(valid));
}

static char *
name_of(struct udev_device *device)
{
    g_autofree char *maker = clean(attribute(device, "manufacturer"));
    g_autofree char *product = clean(attribute(device, "product"));

    if (*maker && *product && !g_str_has_prefix(product, maker))
        return g_strdup_printf("%s %s", maker, product);
    return g_strdup(*product ? product : *maker ? maker : "USB device");
}

static UsbHostSeen *
see(struct udev_device *device)
{
    UsbHostSeen *seen = g_new0(UsbHostSeen, 1);

    seen->vendor = (uint16_t)number(device, "idVendor", 16);
    seen->product = (uint16_t)number(device, "idProduct", 16);
    seen->class = (uint8_t)number(device, "bDeviceClass", 16);
    seen->bus = number(device, "busnum", 10);
    seen->address = number(device, "devnum", 10);
    seen->port = g_strdup(udev_device_get_sysname(device));
    seen->serial = clean(attribute(device, "serial"));
    seen->name = name_of(device);
    seen->speed = g_strdup(attribute(device, "speed"));
    seen->node = g_strdup(udev_device_get_devnode(device));
    return seen;
}

GPtrArray *
usb_host_scan(struct udev *udev)
{
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)usb_host_seen_free);
    struct udev_enumerate *enumerate = udev_enumerate_new(udev);
    struct udev_list_entry *entry;

    udev_enumerate_add_match_subsystem(enumerate, "usb");
    udev_enumerate_add_match_property(enumerate, "DEVTYPE", "usb_device");
    udev_enumerate_scan_devices(enumerate);
    udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(enumerate))
    {
        struct udev_device *device = udev_device_new_from_syspath(udev, udev_list_entry_get_name(entry));
        if (device && udev_device_get_devnode(device))
            g_ptr_array_add(all, see(device));
        udev_device_unref(device);
    }
    udev_enumerate_unref(enumerate);
    return all;
}

GPtrArray *
usb_host_lines(void)
{
    struct udev *udev = udev_new();
    g_autoptr(GPtrArray) all = usb_host_scan(udev);
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);

    udev_unref(udev);
    for (guint i = 0; i < all->len; i++) {
        const UsbHostSeen *seen = all->pdata[i];
        if (seen->class == USB_CLASS_HUB)
            continue;
        g_ptr_array_add(lines, g_strdup_printf("port %s: %04x:%04x (%s Mbit/s): %s%s%s", seen->port, seen->vendor,
                                               seen->product, seen->speed, seen->name,
                                               *seen->serial ? ", serial number " : "", seen->serial));
    }
    return lines;
}

/* What is opened goes into a sandbox, and is looked at before: nothing else must, by anybody's slip. */
static int
open_node(const char *node, GError **error)
{
    g_autofd int fd = open(node, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd < 0)
        g_set_error(error, USB_ERROR, USB_ERROR_REFUSED, "cannot open %s: %s", node, g_strerror(errno));
    else if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == USB_DEVICE_MAJOR)
        return g_steal_fd(&fd);
    else
        g_set_error(error, USB_ERROR, USB_ERROR_REFUSED, "%s is not the node of a USB device", node);
    return -1;
}

int
usb_host_open(const UsbHostSeen *seen, GError **error)
{
    return open_node(seen->node, error);
}

/* --- by a person's words ---------------------------------------------------------------------------------------- */

static UsbWish *
read_words(const char *which, GError **error)
{
    g_auto(GStrv) words = g_strsplit(which, ",", -1);
    const char *id = NULL, *serial = NULL, *port = NULL, *wrong;

    for (char **word = words; *word; word++) {
        if (g_str_has_prefix(*word, "id="))
            id = *word + strlen("id=");
        else if (g_str_has_prefix(*word, "serial="))
            serial = *word + strlen("serial=");
        else if (g_str_has_prefix(*word, "port="))
            port = *word + strlen("port=");
        else {
            g_set_error(error, USB_ERROR, USB_ERROR_DEVICE,
                        "“%s” is no device: say id=VENDOR:PRODUCT, serial=…, port=BUS-PORT, or the path of its node",
                        *word);
            return NULL;
        }
    }
    return usb_wish_new("", id, serial, port, &wrong, error);
}

/* The one of @all that fits. */
static const UsbHostSeen *
the_one(const GPtrArray *all, const UsbWish *wish, GError **error)
{
    g_autofree char *words = usb_wish_words(wish);
    const UsbHostSeen *found = NULL;

    for (guint i = 0; i < all->len; i++) {
        const UsbHostSeen *seen = all->pdata[i];
        if (!usb_wish_fits(wish, seen))
            continue;
        if (found) {
            g_set_error(error, USB_ERROR, USB_ERROR_DEVICE,
                        "several devices of the host are %s, at ports %s and %s: say which port", words, found->port,
                        seen->port);
            return NULL;
        }
        found = seen;
    }
    if (!found)
        g_set_error(error, USB_ERROR, USB_ERROR_DEVICE, "no device of the host is %s", words);
    return found;
}

int
usb_host_find(const char *which, char **name, GError **error)
{
    struct udev *udev = udev_new();
    g_autoptr(GPtrArray) all = usb_host_scan(udev);
    const UsbHostSeen *found = NULL;
    int fd = -1;

    udev_unref(udev);
    for (guint i = 0; *which == '/' && i < all->len; i++)
        if (!strcmp(((UsbHostSeen *)all->pdata[i])->node, which))
            found = all->pdata[i];
    if (*which == '/') {
        fd = open_node(which, error);
    } else {
        g_autoptr(UsbWish) wish = read_words(which, error);
        found = wish ? the_one(all, wish, error) : NULL;
        fd = found ? usb_host_open(found, error) : -1;
    }
    if (fd >= 0)
        *name = g_strdup(found ? found->name : which);
    return fd;
}
