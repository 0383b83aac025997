/* SPDX-License-Identifier: Apache-2.0 */
/* The watcher's whole life: what it gives up, what it waits for, giving devices out and back. */
#include "usb/host/watch.h"

#include "usb/bus.h"
#include "usb/host/message.h"
#include "usb/host/scan.h"
#include "usb/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <libudev.h>
#include <linux/capability.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* After the desktop's end: a device that does not let itself be reset must not keep us for ever. */
#define GIVE_BACK_SECONDS 10

typedef struct {
    char *wish;
    char *node;
    int fd; /* the same open file as the desktop's */
    unsigned bus, address;
} Given;

typedef struct {
    int socket;
    struct udev *udev;
    struct udev_monitor *monitor; /* NULL: there is no udev to tell; what is there at the start is all */
    UsbWishes *wishes;
    GPtrArray *given; /* of Given */
} Watcher;

static void
given_free(void *object)
{
    Given *given = object;

    if (given->fd >= 0)
        close(given->fd);
    g_free(given->wish);
    g_free(given->node);
    g_free(given);
}

/* --- giving out ------------------------------------------------------------------------------------------------- */

static void
give(Watcher *watcher, const UsbWish *wish, const UsbHostSeen *seen)
{
    g_autoptr(GError) error = NULL;
    int fd = usb_host_open(seen, &error);

    if (fd < 0) {
        usb_host_send(watcher->socket, USB_HOST_FAILED, wish->name, error->message, -1);
        usb_wishes_done(watcher->wishes, wish->name);
        return;
    }
    Given *given = g_new(Given, 1);
    *given = (Given){g_strdup(wish->name), g_strdup(seen->node), fd, seen->bus, seen->address};
    g_ptr_array_add(watcher->given, given);
    usb_host_send(watcher->socket, USB_HOST_GIVE, wish->name, seen->name, fd);
}

static void
give_what_fits(Watcher *watcher)
{
    g_autoptr(GPtrArray) seen = usb_host_scan(watcher->udev);
    const UsbHostSeen *device;
    const UsbWish *wish;

    while ((device = usb_wishes_next(watcher->wishes, seen, &wish)))
        give(watcher, wish, device);
}

/* --- giving back ------------------------------------------------------------------------------------------------ */

/* Whether what @fd is open on is the device that was given, and not another that came in its place. */
static bool
is_same(int fd, const Given *given)
{
    struct usbdevfs_connectinfo info;

    return ioctl(fd, USBDEVFS_CONNECTINFO, &info) == 0 && info.devnum == given->address;
}

/*
 * The desktop ended without letting go. Our descriptor is the last: closing it ends its transfers and its claims. Then the
 * device forgets what the guest did to it, and the host's drivers look at it again.
 */
static void
give_back(Given *given)
{
    close(g_steal_fd(&given->fd));
    g_autofd int fd = open(given->node, O_RDWR | O_CLOEXEC);
    if (fd < 0 || !is_same(fd, given))
        return;
    ioctl(fd, USBDEVFS_RESET);
    for (int interface = 0; interface < USB_INTERFACES_MAX; interface++) {
        struct usbdevfs_ioctl connect = {.ifno = interface, .ioctl_code = USBDEVFS_CONNECT};
        ioctl(fd, USBDEVFS_IOCTL, &connect); /* fails where a driver has it already, or nothing is there */
    }
}

/* --- listening -------------------------------------------------------------------------------------------------- */

static void
forget(Watcher *watcher, const char *wish)
{
    for (guint i = 0; i < watcher->given->len; i++) {
        if (strcmp(((Given *)watcher->given->pdata[i])->wish, wish))
            continue;
        g_ptr_array_remove_index(watcher->given, i);
        break;
    }
    usb_wishes_done(watcher->wishes, wish);
}

/* false: the desktop is gone. */
static bool
hear_desktop(Watcher *watcher)
{
    UsbHostMessage message;
    UsbHostReceived received;
    int fd;

    while ((received = usb_host_receive(watcher->socket, &message, &fd)) == USB_HOST_MESSAGE) {
        if (fd >= 0)
            close(fd);
        if (message.verb == USB_HOST_DONE)
            forget(watcher, message.wish);
        else if (message.verb == USB_HOST_DROP)
            usb_wishes_drop(watcher->wishes, message.wish);
        else if (message.verb == USB_HOST_ASK)
            usb_wishes_ask(watcher->wishes, message.wish);
    }
    give_what_fits(watcher);
    return received != USB_HOST_END;
}

/* What it says does not matter: some may be lost when many come at once, and the list is read anew. */
static void
hear_udev(Watcher *watcher)
{
    struct udev_device *device;

    while ((device = udev_monitor_receive_device(watcher->monitor)))
        udev_device_unref(device);
    give_what_fits(watcher);
}

static void
listen_to_udev(Watcher *watcher)
{
    /* "udev": once its rules have given the node its owner. Where no udev runs, the kernel itself. */
    watcher->monitor =
        udev_monitor_new_from_netlink(watcher->udev, g_access("/run/udev/control", F_OK) == 0 ? "udev" : "kernel");
    if (watcher->monitor &&
        (udev_monitor_filter_add_match_subsystem_devtype(watcher->monitor, "usb", "usb_device") < 0 ||
         udev_monitor_enable_receiving(watcher->monitor) < 0))
        g_clear_pointer(&watcher->monitor, udev_monitor_unref);
}

/* --- its life --------------------------------------------------------------------------------------------------- */

/* What is left to root: opening nodes that belong to somebody else, and nothing more. */
static void
give_up_privileges(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct now[2] = {0}, kept[2] = {0};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    for (int capability = 0; capability <= 63; capability++)
        if (capability != CAP_DAC_OVERRIDE)
            prctl(PR_CAPBSET_DROP, capability);
    if (syscall(SYS_capget, &header, now) == 0) {
        kept[0].effective = kept[0].permitted = now[0].permitted & 1u << CAP_DAC_OVERRIDE;
        syscall(SYS_capset, &header, kept);
    }
}

/* Signals that end the desktop come to us too, where it runs in a terminal or as a service; we end after it. */
static void
outlive_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        signal(numbers[i], SIG_IGN);
}

static G_NORETURN void
watch(int socket, const GPtrArray *wishes)
{
    Watcher watcher = {.socket = socket, .udev = udev_new(), .wishes = usb_wishes_new(wishes)};
    bool more = true;

    prctl(PR_SET_NAME, "carrel-usb");
    outlive_signals();
    give_up_privileges();
    watcher.given = g_ptr_array_new_with_free_func(given_free);
    listen_to_udev(&watcher); /* before looking, lest something come in between */
    give_what_fits(&watcher);
    while (more) {
        struct pollfd fds[] = {
            {.fd = socket, .events = POLLIN},
            {.fd = watcher.monitor ? udev_monitor_get_fd(watcher.monitor) : -1, .events = POLLIN},
        };
        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno != EINTR)
            break;
        if (fds[1].revents)
            hear_udev(&watcher);
        if (fds[0].revents)
            more = hear_desktop(&watcher);
    }
    alarm(GIVE_BACK_SECONDS);
    for (guint i = 0; i < watcher.given->len; i++)
        give_back(watcher.given->pdata[i]);
    _exit(0);
}

/* All but the standard ones and @fd: a socket of the desktop's kept open here would look alive after it is gone. */
static void
close_others(int fd)
{
    if (fd > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
    close_range((unsigned)fd + 1, ~0u, 0);
}

int
usb_host_watch(const GPtrArray *wishes, pid_t *process, GError **error)
{
    int ends[2] = {-1, -1};
    pid_t child = -1;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0)
        child = fork();
    if (child == 0) {
        close_others(ends[1]);
        watch(ends[1], wishes);
    }
    if (child < 0) {
        g_set_error(error, USB_ERROR, USB_ERROR_REFUSED, "cannot start the process that watches USB devices: %s",
                    g_strerror(errno));
        if (ends[0] >= 0)
            close(ends[0]);
    }
    if (ends[1] >= 0)
        close(ends[1]);
    *process = child;
    return child < 0 ? -1 : ends[0];
}
