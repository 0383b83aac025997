/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening what DESKTOP.conf names, or taking it from the inherited descriptors. Every descriptor is checked for its kind
 * here or by the part that will use it, so that a wrong one is an error at start and not a riddle later.
 */
#include "vmm/desktop/resources.h"
#include "display/spice/server.h"
#include "vmm/block/blk.h"
#include "vmm/board/listener.h"
#include "vmm/firmware/boot_file.h"
#include "vmm/firmware/variables.h"
#include "vmm/kvm/host.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int *
new_fds(guint n)
{
    int *fds = g_new(int, n + 1);
    for (guint i = 0; i <= n; i++)
        fds[i] = -1;
    fds[n] = -2; /* where it ends */
    return fds;
}

static void
close_fds(int *fds)
{
    for (int *fd = fds; fd && *fd != -2; fd++)
        if (*fd >= 0)
            close(*fd);
    g_free(fds);
}

/* Where in the configuration the mistake is, before the error's own words. */
static bool
blame(GError **error, const DesktopConfig *config, const char *group, const char *key)
{
    g_prefix_error(error, "%s: [%s] %s: ", config->path, group, key);
    return false;
}

/* @group and @key name the socket. */
static bool
make_socket(Resources *resources, const DesktopConfig *config, const char *group, const char *key, const char *path,
            int *fd, GError **error)
{
    *fd = listener_new(path, error);
    if (*fd < 0)
        return blame(error, config, group, key);
    g_ptr_array_insert(resources->socket_paths, 0, g_strdup(path));
    return true;
}

/* From either key; neither gives -1 and is fine. */
static bool
socket_or_inherited(Resources *resources, const DesktopConfig *config, const char *group, const char *path,
                    const char *fd_name, InheritedFds *fds, int *fd, GError **error)
{
    if (path)
        return make_socket(resources, config, group, "socket", path, fd, error);
    if (fd_name)
        *fd = inherited_fds_require(fds, fd_name, error);
    return !fd_name || *fd >= 0 || blame(error, config, group, "fd");
}

static bool
open_spice(Resources *resources, const DesktopConfig *config, InheritedFds *fds, GError **error)
{
    bool listening;

    if (config->spice_address) {
        resources->spice = spice_display_listen(config->spice_address, config->spice_port, error);
        return resources->spice >= 0 || blame(error, config, "spice", "port");
    }
    if (!socket_or_inherited(resources, config, "spice", config->spice_socket, config->spice_fd_name, fds,
                             &resources->spice, error))
        return false;
    if (resources->spice < 0 || (listener_check(resources->spice, &listening) && listening))
        return true;
    g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_VALUE,
                "%s: [spice] fd: the descriptor “%s” is not a listening socket", config->path, config->spice_fd_name);
    return false;
}

static bool
open_control(Resources *resources, const DesktopConfig *config, InheritedFds *fds, GError **error)
{
    bool listening;

    if (!socket_or_inherited(resources, config, "control", config->control_socket, config->control_fd_name, fds,
                             &resources->control, error))
        return false;
    if (resources->control < 0 || listener_check(resources->control, &listening))
        return true;
    g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_VALUE,
                "%s: [control] fd: the descriptor “%s” is not a stream socket that listens or is connected",
                config->path, config->control_fd_name);
    return false;
}

static bool
take_end(Resources *resources, const DesktopConfig *config, InheritedFds *fds, GError **error)
{
    if (!config->control_end_fd_name)
        return true;
    resources->end = inherited_fds_require(fds, config->control_end_fd_name, error);
    return resources->end >= 0 || blame(error, config, "control", "end");
}

static bool
make_port_sockets(Resources *resources, const DesktopConfig *config, GError **error)
{
    resources->ports = new_fds(config->ports->len);
    for (guint i = 0; i < config->ports->len; i++) {
        const ConfigPort *port = config->ports->pdata[i];
        g_autofree char *group = g_strdup_printf("port %s", port->id);
        if (port->socket && !make_socket(resources, config, group, "socket", port->socket, &resources->ports[i], error))
            return false;
    }
    return true;
}

Resources *
resources_new(const DesktopConfig *config, InheritedFds *fds, GError **error)
{
    g_autoptr(Resources) resources = g_new0(Resources, 1);

    resources->foreground = stream_in_foreground();
    resources->socket_paths = g_ptr_array_new_null_terminated(8, g_free, TRUE);
    resources->control = resources->end = resources->spice = resources->serial = -1;
    resources->kvm = resources->kernel = resources->initrd = resources->saved = resources->tpm = -1;
    resources->firmware = resources->variables = resources->vga_rom = resources->usb_watcher = -1;
    bool made = open_control(resources, config, fds, error) && take_end(resources, config, fds, error) &&
                open_spice(resources, config, fds, error) && make_port_sockets(resources, config, error);
    if (made && g_str_has_prefix(config->serial, "socket:"))
        made = make_socket(resources, config, "serial", "output", config->serial + strlen("socket:"),
                           &resources->serial, error);
    if (made)
        return g_steal_pointer(&resources);
    resources_remove_sockets(resources);
    return NULL;
}

/* A kernel or an initial RAM disk. */
static int
open_boot_file(const DesktopConfig *config, const ConfigSource *source, const char *key, InheritedFds *fds,
               GError **error)
{
    g_autofd int fd = -1;
    BootFile file;

    if (source->fd_name)
        fd = inherited_fds_require(fds, source->fd_name, error);
    else if ((fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0) /* a FIFO must not hang the start */
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", source->path, g_strerror(errno));
    if (fd >= 0 && boot_file_init(&file, fd, source->path ? source->path : source->fd_name, error))
        return g_steal_fd(&fd);
    blame(error, config, "boot", key);
    return -1;
}

static bool
open_disks(Resources *resources, const DesktopConfig *config, InheritedFds *fds, GError **error)
{
    resources->disks = new_fds(config->disks->len);
    for (guint i = 0; i < config->disks->len; i++) {
        const ConfigDisk *disk = config->disks->pdata[i];
        resources->disks[i] = disk->source.path ? virtio_blk_open(disk->source.path, disk->read_only, error)
                                                : inherited_fds_require(fds, disk->source.fd_name, error);
        if (resources->disks[i] < 0) {
            g_autofree char *group = g_strdup_printf("disk %s", disk->id);
            return blame(error, config, group, disk->source.path ? "path" : "fd");
        }
    }
    return true;
}

static bool
open_cdroms(Resources *resources, const DesktopConfig *config, InheritedFds *fds, GError **error)
{
    resources->cdroms = new_fds(config->cdroms->len);
    for (guint i = 0; i < config->cdroms->len; i++) {
        const ConfigCdrom *cdrom = config->cdroms->pdata[i];
        if (!cdrom->source.path && !cdrom->source.fd_name)
            continue;
        resources->cdroms[i] = cdrom->source.path ? virtio_blk_open(cdrom->source.path, true, error)
                                                  : inherited_fds_require(fds, cdrom->source.fd_name, error);
        if (resources->cdroms[i] < 0) {
            g_autofree char *group = g_strdup_printf("cdrom %s", cdrom->id);
            return blame(error, config, group, cdrom->source.path ? "path" : "fd");
        }
    }
    return true;
}

/* One inherited tap descriptor for each queue pair, and as many for vhost where they were given too or can be opened. */
static NetBackend *
inherited_tap(const ConfigNet *net, InheritedFds *fds, GError **error)
{
    g_autofree int *taps = g_new(int, net->queues);
    g_autofree int *vhosts = g_new(int, net->queues);
    bool vhost = net->vhost;

    for (uint64_t i = 0; i < net->queues; i++) {
        taps[i] = inherited_fds_require(fds, net->fd_name, error);
        if (taps[i] < 0) {
            while (i--)
                close(taps[i]);
            return NULL;
        }
    }
    for (uint64_t i = 0; vhost && i < net->queues; i++) {
        vhosts[i] = inherited_fds_take(fds, "vhost-net");
        if (vhosts[i] < 0)
            vhosts[i] = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
        vhost = vhosts[i] >= 0;
        for (uint64_t j = 0; !vhost && j < i; j++)
            close(vhosts[j]);
    }
    return net_backend_tap_new(taps, vhost ? vhosts : NULL, net->queues, error);
}

static bool
open_nets(Resources *resources, const DesktopConfig *config, InheritedFds *fds, GError **error)
{
    resources->n_nets = config->nets->len;
    resources->nets = g_new0(NetBackend *, resources->n_nets);
    for (guint i = 0; i < config->nets->len; i++) {
        const ConfigNet *net = config->nets->pdata[i];
        if (net->backend == NET_BACKEND_NONE)
            continue;
        if (net->backend == NET_BACKEND_PASST)
            resources->nets[i] = net_backend_passt_new(error);
        else if (net->tap)
            resources->nets[i] = net_backend_tap_open(net->tap, net->queues, net->vhost, error);
        else
            resources->nets[i] = inherited_tap(net, fds, error);
        if (!resources->nets[i]) {
            g_autofree char *group = g_strdup_printf("net %s", net->id);
            return blame(error, config, group, net->tap ? "tap" : net->fd_name ? "fd" : "backend");
        }
    }
    return true;
}

static bool
open_serial(Resources *resources, const DesktopConfig *config, GError **error)
{
    if (!strcmp(config->serial, "none") || resources->serial >= 0)
        return true;
    resources->serial_stream = stream_open(config->serial, resources->foreground, NULL, error);
    return resources->serial_stream || blame(error, config, "serial", "output");
}

static bool
open_firmware_log(Resources *resources, const DesktopConfig *config, GError **error)
{
    if (!config->firmware_log)
        return true;
    g_autofree char *where = g_strconcat("file:", config->firmware_log, NULL);
    resources->firmware_log = stream_open(where, false, NULL, error);
    return resources->firmware_log || blame(error, config, "boot", "firmware-log");
}

static bool
open_firmware(Resources *resources, const DesktopConfig *config, InheritedFds *fds, GError **error)
{
    const ConfigSource *variables = &config->variables;

    resources->firmware = open_boot_file(config, &config->firmware_code, "firmware-code", fds, error);
    if (resources->firmware < 0 || !open_firmware_log(resources, config, error))
        return false;
    if (config->vga_rom.path || config->vga_rom.fd_name)
        return (resources->vga_rom = open_boot_file(config, &config->vga_rom, "vga-rom", fds, error)) >= 0;
    if (config->firmware != FIRMWARE_UEFI)
        return true;
    /* Secure Boot is worth nothing where the guest can change the variables that say what is to be trusted */
    if (config->secure_boot && !kvm_host_has_smm(resources->kvm)) {
        g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING,
                    "%s: [boot] secure-boot: this host's KVM has no system management mode (KVM_CAP_X86_SMM), which "
                    "keeps the guest from what it trusts: use another host, or secure-boot=false",
                    config->path);
        return false;
    }
    if (variables->path)
        resources->variables = variables_open(variables->path, config->variables_template, error);
    else
        resources->variables = inherited_fds_require(fds, variables->fd_name, error);
    if (resources->variables >= 0 &&
        (variables->path || variables_check(resources->variables, variables->fd_name, error)))
        return true;
    g_prefix_error(error, "%s: [boot] variables: ", config->path);
    return false;
}

static bool
open_boot(Resources *resources, const DesktopConfig *config, InheritedFds *fds, GError **error)
{
    if (config->firmware != FIRMWARE_NONE)
        return open_firmware(resources, config, fds, error);
    resources->kernel = open_boot_file(config, &config->kernel, "kernel", fds, error);
    if (resources->kernel < 0)
        return false;
    if (!config->initrd.path && !config->initrd.fd_name)
        return true;
    resources->initrd = open_boot_file(config, &config->initrd, "initrd", fds, error);
    return resources->initrd >= 0;
}

static int
connect_socket(const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path))
        errno = ENAMETOOLONG;
    else if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return g_steal_fd(&fd);
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: cannot reach swtpm: %s", path,
                g_strerror(errno));
    return -1;
}

static bool
open_tpm(Resources *resources, const DesktopConfig *config, InheritedFds *fds, GError **error)
{
    bool listening = false;

    if (!config->tpm)
        return true;
    resources->tpm = config->tpm_socket ? connect_socket(config->tpm_socket, error)
                                        : inherited_fds_require(fds, config->tpm_fd_name, error);
    if (resources->tpm >= 0 && listener_check(resources->tpm, &listening) && !listening)
        return true;
    if (resources->tpm >= 0)
        g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_VALUE, "the descriptor “%s” is not a connected stream socket",
                    config->tpm_fd_name);
    g_prefix_error(error, "%s: [tpm]: ", config->path);
    return false;
}

static bool
open_kvm(Resources *resources, InheritedFds *fds, GError **error)
{
    resources->kvm = kvm_host_open(inherited_fds_take(fds, "kvm"), error);
    return resources->kvm >= 0;
}

bool
resources_open(Resources *resources, const DesktopConfig *config, InheritedFds *fds, GError **error)
{
    return open_kvm(resources, fds, error) && open_boot(resources, config, fds, error) &&
           open_disks(resources, config, fds, error) && open_cdroms(resources, config, fds, error) &&
           open_nets(resources, config, fds, error) && open_tpm(resources, config, fds, error) &&
           open_serial(resources, config, error);
}

void
resources_free(Resources *resources)
{
    if (!resources)
        return;
    const int single[] = {resources->control,    resources->end,      resources->spice,     resources->serial,
                          resources->kvm,        resources->kernel,   resources->initrd,    resources->tpm,
                          resources->saved,      resources->firmware, resources->variables, resources->vga_rom,
                          resources->usb_watcher};
    for (size_t i = 0; i < G_N_ELEMENTS(single); i++)
        if (single[i] >= 0)
            close(single[i]);
    close_fds(resources->ports);
    close_fds(resources->disks);
    close_fds(resources->cdroms);
    for (guint i = 0; i < resources->n_nets; i++)
        net_backend_free(resources->nets[i]);
    g_free(resources->nets);
    stream_free(resources->serial_stream);
    stream_free(resources->firmware_log);
    g_ptr_array_unref(resources->socket_paths);
    g_free(resources);
}

void
resources_remove_sockets(const Resources *resources)
{
    for (guint i = 0; i < resources->socket_paths->len; i++)
        g_unlink(resources->socket_paths->pdata[i]);
}
