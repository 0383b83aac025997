/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices of the host a desktop has. A loan's way: its descriptor arrives on the main thread, the worker opens it, the USB
 * thread plugs it in; it leaves the bus there, the worker closes it, and the main thread forgets it and tells the watcher.
 */
#include "usb/host/private.h"

#include "usb/host/message.h"

#include <glib-unix.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* What opening came to, on its way from the worker to the USB thread. */
typedef struct {
    HostLoan *loan;
    HostSetup setup;
    UsbIdentity identity;
    UsbSpeed speed;
    HostLayout *layout;
} Opened;

/* --- from thread to thread --------------------------------------------------------------------------------------- */

typedef struct {
    void (*function)(void *data);
    void *data;
} Post;

static gboolean
run_post(void *user)
{
    const Post *post = user;

    post->function(post->data);
    return G_SOURCE_REMOVE;
}

static void
post_to(GMainContext *context, void (*function)(void *data), void *data)
{
    g_autoptr(GSource) source = g_idle_source_new();
    Post *post = g_new(Post, 1);

    *post = (Post){function, data};
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, run_post, post, g_free);
    g_source_attach(source, context);
}

void
host_post(UsbHost *host, void (*function)(void *data), void *data)
{
    post_to(loop_thread_context(host->worker), function, data);
}

/* --- loans, main thread ------------------------------------------------------------------------------------------ */

static HostLoan *
find_loan(const UsbHost *host, const char *id)
{
    for (guint i = 0; i < host->loans->len; i++) {
        HostLoan *loan = host->loans->pdata[i];
        if (!strcmp(loan->id, id))
            return loan;
    }
    return NULL;
}

static const UsbWish *
find_wish(const UsbHost *host, const char *id)
{
    for (guint i = 0; host->wishes && i < host->wishes->len; i++) {
        const UsbWish *wish = host->wishes->pdata[i];
        if (!strcmp(wish->name, id))
            return wish;
    }
    return NULL;
}

static void
answer(HostLoan *loan, const GError *error)
{
    UsbHostAnswer function = loan->answer;

    loan->answer = NULL;
    if (function)
        function(loan->user, error);
}

static void
loan_free(void *object)
{
    HostLoan *loan = object;

    g_clear_fd(&loan->fd, NULL);
    g_clear_error(&loan->error);
    g_free(loan->id);
    g_free(loan->name);
    g_free(loan);
}

static void
arrived(void *data)
{
    answer(data, NULL);
}

/* Its descriptor is closed. */
static void
ended(void *data)
{
    HostLoan *loan = data;
    UsbHost *host = loan->host;

    if (loan->device)
        usb_device_free(&loan->device->usb);
    g_autoptr(GError) error = g_steal_pointer(&loan->error);
    if (!error)
        error = g_error_new(USB_ERROR, USB_ERROR_DEVICE, "it went away at once");
    answer(loan, error);
    if (loan->wished)
        usb_host_send(host->watcher, USB_HOST_DONE, loan->id, NULL, -1);
    g_ptr_array_remove(host->loans, loan);
}

/* --- coming, worker and USB thread ------------------------------------------------------------------------------- */

/* For listeners: what did not come to be. */
static void
tell_refused(UsbHost *host, const char *id, const char *name, const char *reason)
{
    const UsbDevice device = {.id = (char *)id, .name = (char *)name};

    g_message("usb: the desktop does not get “%s” of the host: %s", id, reason);
    usb_bus_tell(host->bus, USB_REFUSED, &device, reason);
}

static void
plug_in(void *data)
{
    g_autofree Opened *opened = data;
    HostLoan *loan = opened->loan;
    UsbHost *host = loan->host;

    if (loan->error) {
        tell_refused(host, loan->id, loan->name, loan->error->message);
        post_to(NULL, ended, loan);
        return;
    }
    HostDevice *device =
        host_device_new(loan, &opened->setup, &opened->identity, opened->speed, g_steal_pointer(&opened->layout));
    loan->device = device;
    g_ptr_array_add(host->devices, device);
    if (!loan->unwanted &&
        usb_bus_attach(host->bus, &device->usb, NULL, USB_PORT_ANY, "the host gives it to the desktop", &loan->error)) {
        post_to(NULL, arrived, loan);
        return;
    }
    if (loan->error)
        tell_refused(host, loan->id, loan->name, loan->error->message);
    host_device_leave(device, NULL);
}

static void
open_loan(void *data)
{
    HostLoan *loan = data;
    Opened *opened = g_new0(Opened, 1);

    opened->loan = loan;
    host_setup_open(&opened->setup, loan, &opened->identity, &opened->speed, &opened->layout, &loan->error);
    loan->fd = -1; /* the setup has it, or closed it */
    usb_bus_post(loan->host->bus, plug_in, opened);
}

void
usb_host_attach(UsbHost *host, const char *id, const char *name, int fd, UsbHostAnswer function, void *user)
{
    HostLoan *loan = g_new0(HostLoan, 1);

    *loan = (HostLoan){
        .host = host, .id = g_strdup(id), .name = g_strdup(name), .fd = fd, .answer = function, .user = user};
    loan->wished = !function;
    if (find_loan(host, id)) {
        g_autoptr(GError) error =
            g_error_new(USB_ERROR, USB_ERROR_DEVICE, "the desktop has a device “%s” already: detach it first", id);
        answer(loan, error);
        loan_free(loan);
        return;
    }
    g_ptr_array_add(host->loans, loan);
    host_post(host, open_loan, loan);
}

/* --- going ------------------------------------------------------------------------------------------------------- */

static void
close_device(void *data)
{
    HostDevice *device = data;

    host_setup_close(&device->setup, device->gone);
    post_to(NULL, ended, device->loan);
}

void
host_close(HostDevice *device)
{
    UsbHost *host = device->loan->host;

    g_ptr_array_remove(host->devices, device);
    host_post(host, close_device, device);
}

/* On the USB thread: libusb's words. */
static void
on_removed(void *user, int fd)
{
    const UsbHost *host = user;

    for (guint i = 0; i < host->devices->len; i++) {
        HostDevice *device = host->devices->pdata[i];
        if (device->setup.fd == fd)
            host_device_lost(device);
    }
}

static void
take_back(void *data)
{
    HostLoan *loan = data;

    loan->unwanted = true;
    if (loan->device)
        host_device_leave(loan->device, "it was given back to the host");
}

void
usb_host_detach(UsbHost *host, const char *id)
{
    HostLoan *loan = find_loan(host, id);

    if (find_wish(host, id))
        usb_host_send(host->watcher, USB_HOST_DROP, id, NULL, -1);
    if (!loan)
        return;
    loan->leaving = true;
    usb_bus_call(host->bus, take_back, loan);
}

/* --- wishes ------------------------------------------------------------------------------------------------------ */

bool
usb_host_knows(const UsbHost *host, const char *id)
{
    return find_loan(host, id) || find_wish(host, id);
}

bool
usb_host_ask(UsbHost *host, const char *id, GError **error)
{
    const HostLoan *loan = find_loan(host, id);
    const char *why = NULL;

    if (!find_wish(host, id))
        why = "the configuration names no such device: say which one it is to be";
    else if (loan && !loan->leaving)
        why = "the desktop has it already";
    if (!why)
        return usb_host_send(host->watcher, USB_HOST_ASK, id, NULL, -1);
    g_set_error(error, USB_ERROR, USB_ERROR_DEVICE, "“%s”: %s", id, why);
    return false;
}

void
usb_host_foreach_missing(UsbHost *host, void (*each)(void *user, const char *id, const char *words), void *user)
{
    for (guint i = 0; host->wishes && i < host->wishes->len; i++) {
        const UsbWish *wish = host->wishes->pdata[i];
        g_autofree char *words = usb_wish_words(wish);
        if (!find_loan(host, wish->name))
            each(user, wish->name, words);
    }
}

typedef struct {
    UsbHost *host;
    char *id, *reason;
} Failure;

static void
tell_failure(void *data)
{
    g_autofree Failure *failure = data;

    tell_refused(failure->host, failure->id, "", failure->reason);
    g_free(failure->id);
    g_free(failure->reason);
}

static void
hear(UsbHost *host, const UsbHostMessage *message, int fd)
{
    if (message->verb == USB_HOST_GIVE && fd >= 0 && find_wish(host, message->wish) &&
        !find_loan(host, message->wish)) {
        usb_host_attach(host, message->wish, message->text, fd, NULL, NULL);
        return;
    }
    if (fd >= 0)
        close(fd);
    if (message->verb != USB_HOST_FAILED)
        return;
    Failure *failure = g_new(Failure, 1);
    *failure = (Failure){host, g_strdup(message->wish), g_strdup(message->text)};
    usb_bus_post(host->bus, tell_failure, failure);
}

static gboolean
on_watcher(int socket, GIOCondition condition, gpointer user)
{
    UsbHost *host = user;
    UsbHostMessage message;
    UsbHostReceived received;
    int fd;

    while ((received = usb_host_receive(socket, &message, &fd)) == USB_HOST_MESSAGE)
        hear(host, &message, fd);
    if (received == USB_HOST_NOTHING)
        return G_SOURCE_CONTINUE;
    g_message("usb: the process that watches the host's devices is gone: what is plugged in from now on is not seen");
    return G_SOURCE_REMOVE;
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

UsbHost *
usb_host_new(const UsbHostOptions *options, GError **error)
{
    UsbHost *host = g_new0(UsbHost, 1);

    host->bus = options->bus;
    host->policy = options->policy;
    host->wishes = options->wishes;
    host->watcher = options->watcher;
    host->loans = g_ptr_array_new_with_free_func(loan_free);
    host->devices = g_ptr_array_new();
    host->loop = usb_host_loop_new(usb_bus_context(host->bus), on_removed, host, error);
    if (!host->loop) {
        usb_host_free(host);
        return NULL;
    }
    host->worker = loop_thread_new("usb-host", options->prepare, NULL);
    if (host->watcher >= 0) {
        host->hearing = g_unix_fd_source_new(host->watcher, G_IO_IN);
        g_source_set_callback(host->hearing, G_SOURCE_FUNC(on_watcher), host, NULL);
        g_source_attach(host->hearing, NULL);
    }
    return host;
}

static void
stop_hearing(UsbHost *host)
{
    if (!host->hearing)
        return;
    g_source_destroy(host->hearing);
    g_clear_pointer(&host->hearing, g_source_unref);
}

/* libusb's source is the USB thread's. */
static void
free_loop(void *data)
{
    usb_host_loop_free(((UsbHost *)data)->loop);
}

void
usb_host_free(UsbHost *host)
{
    if (!host)
        return;
    stop_hearing(host);
    for (guint i = 0; i < host->loans->len; i++)
        usb_bus_call(host->bus, take_back, host->loans->pdata[i]);
    while (host->loans->len)
        g_main_context_iteration(NULL, TRUE);
    loop_thread_free(host->worker);
    if (host->loop)
        usb_bus_call(host->bus, free_loop, host);
    g_clear_fd(&host->watcher, NULL);
    g_ptr_array_unref(host->loans);
    g_ptr_array_unref(host->devices);
    g_free(host);
}
