/* SPDX-License-Identifier: Apache-2.0 */
/* Putting USB together. */
#include "vmm/desktop/usb.h"
#include "usb/hid/hid.h"
#include "usb/hub/hub.h"
#include "usb/storage/storage.h"
#include "usb/host/watch.h"
#include "usb/policy.h"
#include "usb/redirect/redirect.h"
#include "vmm/board/loop_thread.h"
#include "vmm/sandbox/sandbox.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct DesktopUsb {
    LoopThread *thread;
    Clock *clock; /* on the USB thread's context */
    UsbBus *bus;
    Xhci *xhci; /* the machine's */
    InputSink keyboard, tablet;
    IoThread *io_thread; /* not owned; NULL where there is no drive */
    DesktopUsbListener listener;
    void *user;
    UsbPolicy *policy;
    UsbRedirect *redirect; /* NULL: no SPICE, or not wanted */
    GPtrArray *wishes;     /* of UsbWish */
    UsbHost *host;
};

typedef struct {
    UsbBus *bus;
    UsbDevice *device;
    const ConfigUsbPort *port;
    GError **error;
    bool done;
} Plug;

static void
plug_on_thread(void *data)
{
    Plug *plug = data;
    UsbDevice *hub = plug->port->hub ? usb_bus_find(plug->bus, plug->port->hub) : NULL;

    plug->done =
        usb_bus_attach(plug->bus, plug->device, hub, plug->port->number, "it belongs to the desktop", plug->error);
}

/* The bus owns @device from here on; on failure it is freed. */
static bool
plug_in(DesktopUsb *usb, UsbDevice *device, const ConfigUsbPort *port, GError **error)
{
    Plug plug = {.bus = usb->bus, .device = device, .port = port, .error = error};

    usb_bus_call(usb->bus, plug_on_thread, &plug);
    if (!plug.done)
        usb_device_free(device);
    return plug.done;
}

static const ConfigUsbPort any_port = {.number = USB_PORT_ANY};

static bool
plug_in_input(DesktopUsb *usb, UsbDevice *device, InputSink *sink, GError **error)
{
    *sink = usb_hid_sink(device, usb->bus);
    return plug_in(usb, device, &any_port, error);
}

DesktopUsb *
desktop_usb_new(const DesktopConfig *config, PciBus *pci, GuestMemory *memory, Machine *machine,
                void (*prepare)(void *user), GError **error)
{
    DesktopUsb *usb = g_new0(DesktopUsb, 1);

    usb->thread = loop_thread_new("usb", prepare, NULL);
    usb->clock = clock_new(loop_thread_context(usb->thread));
    usb->bus = usb_bus_new(loop_thread_context(usb->thread), config->usb_ports);
    usb_bus_set_lock(usb->bus, loop_thread_lock(usb->thread));
    const XhciOptions options = {.bus = usb->bus, .memory = memory, .clock = usb->clock};
    usb->xhci = xhci_new(pci, PCI_SLOT_ANY, &options, error);
    if (!usb->xhci) {
        desktop_usb_stop(usb);
        desktop_usb_free(usb);
        return NULL;
    }
    machine_add(machine, "usb", &xhci_device_ops, usb->xhci);
    return usb;
}

static bool
plug_in_hub(DesktopUsb *usb, const DesktopConfig *config, const ConfigHub *hub, GError **error)
{
    if (plug_in(usb, usb_hub_new(hub->id, hub->n_ports), &hub->port, error))
        return true;
    g_prefix_error(error, "%s: [hub %s]: ", config->path, hub->id);
    return false;
}

static const char *
source_name(const ConfigSource *source)
{
    return source->path ? source->path : source->fd_name;
}

static bool
plug_in_disk(DesktopUsb *usb, const DesktopConfig *config, const ConfigDisk *disk, int fd, GError **error)
{
    Medium *medium = medium_new(fd, source_name(&disk->source), false, disk->read_only, usb->io_thread, error);

    if (medium && plug_in(usb, usb_storage_new(disk->id, false, medium, disk->serial), &disk->port, error))
        return true;
    g_prefix_error(error, "%s: [disk %s]: ", config->path, disk->id);
    return false;
}

/* @fd: -1 for an empty drive. */
static bool
plug_in_cdrom(DesktopUsb *usb, const DesktopConfig *config, const ConfigCdrom *cdrom, int fd, GError **error)
{
    Medium *medium = fd >= 0 ? medium_new(fd, source_name(&cdrom->source), true, true, usb->io_thread, error) : NULL;

    if ((fd < 0 || medium) && plug_in(usb, usb_storage_new(cdrom->id, true, medium, NULL), &cdrom->port, error))
        return true;
    g_prefix_error(error, "%s: [cdrom %s]: ", config->path, cdrom->id);
    return false;
}

/* Whether a thing with @port is plugged in now: first those that name a port of the controller's, so that no other has it. */
static bool
is_turn(const ConfigUsbPort *port, bool named)
{
    return named == (port->number && !port->hub);
}

static bool
plug_in_all(DesktopUsb *usb, const DesktopConfig *config, Resources *resources, bool named, GError **error)
{
    for (guint i = 0; i < config->hubs->len; i++) { /* before what is behind them */
        const ConfigHub *hub = config->hubs->pdata[i];
        if (is_turn(&hub->port, named) && !plug_in_hub(usb, config, hub, error))
            return false;
    }
    for (guint i = 0; i < config->disks->len; i++) {
        const ConfigDisk *disk = config->disks->pdata[i];
        if (disk->bus == DISK_BUS_USB && is_turn(&disk->port, named) &&
            !plug_in_disk(usb, config, disk, g_steal_fd(&resources->disks[i]), error))
            return false;
    }
    for (guint i = 0; i < config->cdroms->len; i++) {
        const ConfigCdrom *cdrom = config->cdroms->pdata[i];
        if (is_turn(&cdrom->port, named) &&
            !plug_in_cdrom(usb, config, cdrom, g_steal_fd(&resources->cdroms[i]), error))
            return false;
    }
    return true;
}

static bool
plug_in_inputs(DesktopUsb *usb, const DesktopConfig *config, GError **error)
{
    if ((!config->usb_keyboard ||
         plug_in_input(usb, usb_keyboard_new("usb-keyboard", usb->clock), &usb->keyboard, error)) &&
        (!config->usb_tablet || plug_in_input(usb, usb_tablet_new("usb-tablet"), &usb->tablet, error)))
        return true;
    g_prefix_error(error, "%s: [usb]: ", config->path);
    return false;
}

bool
desktop_usb_plug_in(DesktopUsb *usb, const DesktopConfig *config, Resources *resources, IoThread *io_thread,
                    GError **error)
{
    usb->io_thread = io_thread;
    return plug_in_all(usb, config, resources, true, error) && plug_in_inputs(usb, config, error) &&
           plug_in_all(usb, config, resources, false, error);
}

/* --- what a supervisor may ask: each a call to the USB thread ------------------------------------------------------- */

typedef struct {
    DesktopUsb *usb;
    const char *id;
    GVariantBuilder *devices;
    Medium *medium;
    bool force;
    char *path;
    GError **error;
    bool done;
} Request;

static void
add_device(void *user, UsbDevice *device)
{
    const char *medium = usb_storage_medium(device);
    g_autofree char *path = usb_device_path(device);

    g_variant_builder_add(user, "(ssssss)", path, device->id, device->ops->kind, usb_speed_name(device->speed),
                          device->name, medium ? medium : "");
}

static void
list_on_thread(void *data)
{
    Request *request = data;
    usb_bus_foreach(request->usb->bus, add_device, request->devices);
}

static void
add_missing(void *user, const char *id, const char *words)
{
    g_variant_builder_add(user, "(ssssss)", "", id, "host", "", words, "");
}

void
desktop_usb_list(DesktopUsb *usb, GVariantBuilder *devices)
{
    Request request = {.usb = usb, .devices = devices};

    if (usb)
        usb_bus_call(usb->bus, list_on_thread, &request);
    if (usb && usb->host)
        usb_host_foreach_missing(usb->host, add_missing, devices);
}

static UsbDevice *
find(const Request *request)
{
    UsbDevice *device = usb_bus_find(request->usb->bus, request->id);

    if (!device)
        g_set_error(request->error, USB_ERROR, USB_ERROR_DEVICE, "the desktop has no USB device “%s”", request->id);
    return device;
}

static UsbDevice *
find_drive(const Request *request)
{
    UsbDevice *device = find(request);

    if (!device || usb_storage_is_cd(device))
        return device;
    g_set_error(request->error, USB_ERROR, USB_ERROR_DEVICE, "“%s” is no CD-ROM drive", request->id);
    return NULL;
}

/* The hubs on the way to @device, from the root on. */
static void
append_hubs(GString *path, const UsbDevice *device)
{
    if (!device->parent)
        return;
    append_hubs(path, device->parent);
    g_string_append_printf(path, "/hub@%x", device->parent->port);
}

static void
path_on_thread(void *data)
{
    Request *request = data;
    UsbDevice *device = find(request);
    if (!device)
        return;
    GString *path = g_string_new(NULL);
    g_string_printf(path, "/pci@i0cf8/usb@%x", xhci_slot_number(request->usb->xhci));
    append_hubs(path, device);
    g_string_append_printf(path, "/storage@%x/channel@0/disk@0,0", device->port);
    request->path = g_string_free_and_steal(path);
}

char *
desktop_usb_boot_path(const DesktopUsb *usb, const char *id)
{
    Request request = {.usb = (DesktopUsb *)usb, .id = id};

    usb_bus_call(usb->bus, path_on_thread, &request);
    return request.path;
}

static void
insert_on_thread(void *data)
{
    Request *request = data;
    UsbDevice *drive = find_drive(request);

    if (drive)
        request->done = usb_storage_insert(drive, request->medium, request->error);
    else
        medium_unref(request->medium);
}

/* Files only: a block device wants calls that the sandbox allows no more. */
static bool
is_file(int fd, const char *name, GError **error)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return true;
    g_set_error(error, USB_ERROR, USB_ERROR_MEDIUM, "%s: only a regular file can be inserted into a running desktop",
                name);
    return false;
}

bool
desktop_usb_insert(DesktopUsb *usb, const char *drive, int fd, const char *name, GError **error)
{
    g_autofd int image = fd;
    Request request = {.usb = usb, .id = drive, .error = error};

    if (!usb || !usb->io_thread) {
        g_set_error(error, USB_ERROR, USB_ERROR_DEVICE, "the desktop has no CD-ROM drive: its configuration has none");
        return false;
    }
    if (!is_file(image, name, error))
        return false;
    request.medium = medium_new(g_steal_fd(&image), name, true, true, usb->io_thread, error);
    if (request.medium)
        usb_bus_call(usb->bus, insert_on_thread, &request);
    return request.done;
}

static void
eject_on_thread(void *data)
{
    Request *request = data;
    UsbDevice *drive = find_drive(request);
    request->done = drive && usb_storage_eject(drive, request->force, request->error);
}

static bool
has_usb(const DesktopUsb *usb, GError **error)
{
    if (!usb)
        g_set_error(error, USB_ERROR, USB_ERROR_DEVICE, "the desktop has no USB: its configuration has no [usb]");
    return usb;
}

bool
desktop_usb_eject(DesktopUsb *usb, const char *drive, bool force, GError **error)
{
    Request request = {.usb = usb, .id = drive, .force = force, .error = error};

    if (has_usb(usb, error))
        usb_bus_call(usb->bus, eject_on_thread, &request);
    return request.done;
}

/* The desktop's own keyboard and tablet stay, since keys have nowhere else to go, and its hubs, with what is behind them. */
static bool
may_detach(const Request *request, const UsbDevice *device)
{
    const char *why = NULL;

    if (device == request->usb->keyboard.sink || device == request->usb->tablet.sink || usb_hub_is_hub(device))
        why = "belongs to the desktop and stays";
    else if (usb_storage_is_busy(device))
        why = "is at work: try again";
    else if (!usb_storage_is_drive(device))
        why = "is not the desktop's own: it goes when whoever lent it takes it back";
    if (why)
        g_set_error(request->error, USB_ERROR, USB_ERROR_REFUSED, "“%s” %s", device->id, why);
    return !why;
}

static void
detach_on_thread(void *data)
{
    Request *request = data;
    UsbDevice *device = find(request);

    if (!device || !may_detach(request, device))
        return;
    usb_bus_detach(request->usb->bus, device, "it was detached over control");
    usb_device_free(device);
    request->done = true;
}

bool
desktop_usb_detach(DesktopUsb *usb, const char *device, GError **error)
{
    Request request = {.usb = usb, .id = device, .error = error};

    if (!has_usb(usb, error))
        return false;
    if (!usb_host_knows(usb->host, device)) {
        usb_bus_call(usb->bus, detach_on_thread, &request);
        return request.done;
    }
    usb_host_detach(usb->host, device);
    return true;
}

/* What is printed of it must be a word. */
static bool
is_name(const char *id)
{
    size_t len = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len > 0 && len < USB_WISH_NAME_MAX && !id[len];
}

void
desktop_usb_attach(DesktopUsb *usb, const char *device, int fd, const char *name, UsbHostAnswer answer, void *user)
{
    g_autofd int node = fd;
    g_autoptr(GError) error = NULL;

    if (has_usb(usb, &error) && !is_name(device))
        g_set_error(&error, USB_ERROR, USB_ERROR_DEVICE,
                    "“%s” is no name: 1 to 63 letters, digits, dots, dashes and underscores", device);
    if (error)
        answer(user, error);
    else
        usb_host_attach(usb->host, device, name, g_steal_fd(&node), answer, user);
}

bool
desktop_usb_reattach(DesktopUsb *usb, const char *device, GError **error)
{
    return has_usb(usb, error) && usb_host_ask(usb->host, device, error);
}

/* --- changes, on their way to the main thread ------------------------------------------------------------------------ */

typedef struct {
    DesktopUsb *usb;
    UsbChange change;
    char *id, *name, *reason;
} Change;

static void
change_free(void *data)
{
    Change *change = data;
    g_free(change->id);
    g_free(change->name);
    g_free(change->reason);
    g_free(change);
}

static gboolean
tell_change(void *data)
{
    static const char *const words[] = {
        [USB_ATTACHED] = "attached", [USB_DETACHED] = "detached", [USB_REFUSED] = "refused",
        [USB_INSERTED] = "inserted", [USB_EJECTED] = "ejected",
    };
    const Change *change = data;

    change->usb->listener(change->usb->user, words[change->change], change->id, change->name, change->reason);
    return G_SOURCE_REMOVE;
}

static void
on_change(void *user, UsbChange what, const UsbDevice *device, const char *reason)
{
    Change *change = g_new(Change, 1);

    *change = (Change){user, what, g_strdup(device ? device->id : ""), g_strdup(device ? device->name : ""),
                       g_strdup(reason)};
    g_idle_add_full(G_PRIORITY_DEFAULT, tell_change, change, change_free);
}

static void
listen_on_thread(void *data)
{
    DesktopUsb *usb = data;
    usb_bus_listen(usb->bus, on_change, usb);
}

void
desktop_usb_listen(DesktopUsb *usb, DesktopUsbListener listener, void *user)
{
    usb->listener = listener;
    usb->user = user;
    usb_bus_call(usb->bus, listen_on_thread, usb);
}

static UsbPolicy *
read_policy(const DesktopConfig *config, GError **error)
{
    UsbPolicy *policy = usb_policy_new(config->usb_policy, error);

    if (!policy)
        g_prefix_error(error, "%s: [usb] policy: ", config->path);
    return policy;
}

/* Of UsbWish; NULL with an error. */
static GPtrArray *
read_wishes(const DesktopConfig *config, GError **error)
{
    g_autoptr(GPtrArray) wishes = g_ptr_array_new_with_free_func((GDestroyNotify)usb_wish_free);

    for (guint i = 0; i < config->usb_hosts->len; i++) {
        const ConfigUsbHost *device = config->usb_hosts->pdata[i];
        const char *key;
        UsbWish *wish = usb_wish_new(device->id, device->device_id, device->serial, device->port, &key, error);
        if (!wish) {
            g_prefix_error(error, "%s: [usb-host %s] %s: ", config->path, device->id, key);
            return NULL;
        }
        g_ptr_array_add(wishes, wish);
    }
    return g_steal_pointer(&wishes);
}

bool
desktop_usb_check(const DesktopConfig *config, GError **error)
{
    g_autoptr(UsbPolicy) policy = config->usb ? read_policy(config, error) : NULL;
    g_autoptr(GPtrArray) wishes = policy ? read_wishes(config, error) : NULL;

    return wishes || !config->usb;
}

bool
desktop_usb_watch(const DesktopConfig *config, int *watcher, GError **error)
{
    g_autoptr(GPtrArray) wishes = read_wishes(config, error);
    pid_t process;

    if (!wishes || !wishes->len)
        return wishes;
    *watcher = usb_host_watch(wishes, &process, error);
    if (*watcher >= 0)
        sandbox_keep_after(process);
    return *watcher >= 0;
}

bool
desktop_usb_host(DesktopUsb *usb, const DesktopConfig *config, int watcher, void (*prepare)(void *user), GError **error)
{
    g_autofd int fd = watcher;

    usb->policy = read_policy(config, error);
    usb->wishes = usb->policy ? read_wishes(config, error) : NULL;
    if (!usb->wishes)
        return false;
    const UsbHostOptions options = {
        .bus = usb->bus, .policy = usb->policy, .wishes = usb->wishes, .watcher = g_steal_fd(&fd), .prepare = prepare};
    usb->host = usb_host_new(&options, error);
    return usb->host;
}

void
desktop_usb_end_host(DesktopUsb *usb)
{
    if (usb)
        g_clear_pointer(&usb->host, usb_host_free);
}

void
desktop_usb_redirect(DesktopUsb *usb, struct RedsState *server, const DesktopConfig *config)
{
    usb->redirect = usb_redirect_new(server, usb->bus, usb->policy, config->usb_redirect);
}

void
desktop_usb_end_redirection(DesktopUsb *usb)
{
    if (usb)
        g_clear_pointer(&usb->redirect, usb_redirect_free);
}

void
desktop_usb_stop(DesktopUsb *usb)
{
    if (usb)
        g_clear_pointer(&usb->thread, loop_thread_free);
}

void
desktop_usb_free(DesktopUsb *usb)
{
    if (!usb)
        return;
    usb_bus_free(usb->bus);
    usb_policy_free(usb->policy);
    g_clear_pointer(&usb->wishes, g_ptr_array_unref);
    clock_free(usb->clock);
    g_free(usb);
}

UsbBus *
desktop_usb_bus(const DesktopUsb *usb)
{
    return usb->bus;
}

InputSink
desktop_usb_keyboard(const DesktopUsb *usb)
{
    return usb ? usb->keyboard : (InputSink){0};
}

InputSink
desktop_usb_tablet(const DesktopUsb *usb)
{
    return usb ? usb->tablet : (InputSink){0};
}

void
desktop_usb_stats(const DesktopUsb *usb, XhciStats *stats)
{
    xhci_stats(usb->xhci, stats);
}
