/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading DESKTOP.conf: groups and keys are walked as the file has them, each looked up in the table of keys.c, so that
 * what nobody knows cannot be passed over; then what one key asks of another is checked.
 */
#include "vmm/config/config.h"
#include "vmm/config/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Debian's packages ovmf and seabios. */
#define UEFI_CODE "/usr/share/OVMF/OVMF_CODE_4M.fd"
#define UEFI_VARIABLES "/usr/share/OVMF/OVMF_VARS_4M.fd"
#define UEFI_SECURE_CODE "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
#define UEFI_SECURE_VARIABLES "/usr/share/OVMF/OVMF_VARS_4M.ms.fd" /* Microsoft's keys, which have signed shim */
#define BIOS_CODE "/usr/share/seabios/bios-256k.bin"
#define BIOS_VGA_ROM "/usr/share/seabios/vgabios-ramfb.bin"

G_DEFINE_QUARK(carrel - config - error - quark, config_error)

#define SPICE_AGENT_PORT "com.redhat.spice.0" /* what spice-vdagent looks for in the guest */
#define GUEST_AGENT_PORT "org.qemu.guest_agent.0"

static void
source_clear(ConfigSource *source)
{
    g_free(source->path);
    g_free(source->fd_name);
}

static void
disk_free(void *object)
{
    ConfigDisk *disk = object;
    g_free(disk->id);
    source_clear(&disk->source);
    g_free(disk->port.hub);
    g_free(disk->serial);
    g_free(disk);
}

static void
cdrom_free(void *object)
{
    ConfigCdrom *cdrom = object;
    g_free(cdrom->id);
    source_clear(&cdrom->source);
    g_free(cdrom->port.hub);
    g_free(cdrom);
}

static void
hub_free(void *object)
{
    ConfigHub *hub = object;
    g_free(hub->id);
    g_free(hub->port.hub);
    g_free(hub);
}

static void
net_free(void *object)
{
    ConfigNet *net = object;
    g_free(net->id);
    g_free(net->tap);
    g_free(net->fd_name);
    g_free(net);
}

static void
port_free(void *object)
{
    ConfigPort *port = object;
    g_free(port->id);
    g_free(port->socket);
    g_free(port);
}

static void
usb_host_free(void *object)
{
    ConfigUsbHost *device = object;
    g_free(device->id);
    g_free(device->device_id);
    g_free(device->serial);
    g_free(device->port);
    g_free(device);
}

void
config_free(DesktopConfig *config)
{
    if (!config)
        return;
    g_free(config->path);
    g_free(config->text);
    g_free(config->name);
    g_free(config->uuid);
    g_free(config->cpu);
    g_free(config->firmware_word);
    source_clear(&config->firmware_code);
    source_clear(&config->vga_rom);
    source_clear(&config->variables);
    g_free(config->variables_template);
    g_free(config->firmware_log);
    source_clear(&config->kernel);
    source_clear(&config->initrd);
    g_free(config->command_line);
    g_free(config->smbios_manufacturer);
    g_free(config->smbios_product);
    g_free(config->smbios_version);
    g_free(config->smbios_serial);
    g_free(config->smbios_sku);
    g_free(config->smbios_family);
    g_free(config->smbios_asset_tag);
    g_free(config->usb_policy);
    g_free(config->spice_socket);
    g_free(config->spice_address);
    g_free(config->spice_fd_name);
    g_free(config->spice_ticket);
    g_free(config->spice_compression);
    g_free(config->serial);
    g_free(config->tpm_socket);
    g_free(config->tpm_fd_name);
    g_free(config->control_socket);
    g_free(config->control_fd_name);
    g_free(config->control_end_fd_name);
    g_ptr_array_unref(config->disks);
    g_ptr_array_unref(config->cdroms);
    g_ptr_array_unref(config->hubs);
    g_ptr_array_unref(config->nets);
    g_ptr_array_unref(config->ports);
    g_ptr_array_unref(config->usb_hosts);
    g_free(config);
}

static DesktopConfig *
config_new(const char *path, const char *text, gsize len)
{
    DesktopConfig *config = g_new0(DesktopConfig, 1);
    config->path = g_strdup(path);
    config->text = g_strndup(text, len);
    config->disks = g_ptr_array_new_with_free_func(disk_free);
    config->cdroms = g_ptr_array_new_with_free_func(cdrom_free);
    config->hubs = g_ptr_array_new_with_free_func(hub_free);
    config->nets = g_ptr_array_new_with_free_func(net_free);
    config->ports = g_ptr_array_new_with_free_func(port_free);
    config->usb_hosts = g_ptr_array_new_with_free_func(usb_host_free);
    return config;
}

static bool
fail(const DesktopConfig *config, const char *group, const char *key, int code, GError **error, const char *why)
{
    if (key)
        g_set_error(error, CONFIG_ERROR, code, "%s: [%s] %s: %s", config->path, group, key, why);
    else
        g_set_error(error, CONFIG_ERROR, code, "%s: [%s]: %s", config->path, group, why);
    return false;
}

/* Only what is safe in a section name, a log line and a file name; the same rule for every kind of id. */
static bool
id_is_valid(const char *id)
{
    size_t len = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len > 0 && len <= 63 && !id[len];
}

static void *
add_instance(DesktopConfig *config, const KeyGroup *group, const char *id)
{
    GPtrArray *list = *(GPtrArray **)((uint8_t *)config + group->list_offset);
    void *instance = g_malloc0(group->size);
    *(char **)instance = g_strdup(id); /* the id is the first member of each */
    g_ptr_array_add(list, instance);
    return instance;
}

/* The object a group's keys fill, or NULL with an error. */
static void *
object_for_group(DesktopConfig *config, const char *name, const KeyGroup **found, GError **error)
{
    const char *id = strchr(name, ' ');
    g_autofree char *kind = id ? g_strndup(name, id - name) : g_strdup(name);
    const KeyGroup *group = config_key_group(kind);

    if (!group || !group->size != !id) {
        g_autofree char *known = config_key_group_names();
        g_autofree char *why = g_strdup_printf("there is no such group; the groups are %s", known);
        fail(config, name, NULL, CONFIG_ERROR_UNKNOWN, error, why);
        return NULL;
    }
    *found = group;
    if (!id)
        return config;
    id++;
    GPtrArray *list = *(GPtrArray **)((uint8_t *)config + group->list_offset);
    g_autofree char *why = NULL;
    if (!id_is_valid(id))
        why = g_strdup("a name is 1 to 63 letters, digits, dots, dashes and underscores");
    else if (list->len >= group->max)
        why = g_strdup_printf("there can be at most %u of these", group->max);
    if (!why)
        return add_instance(config, group, id);
    fail(config, name, NULL, CONFIG_ERROR_VALUE, error, why);
    return NULL;
}

static bool
read_group(DesktopConfig *config, GKeyFile *file, const char *name, GError **error)
{
    const KeyGroup *group;
    void *object = object_for_group(config, name, &group, error);
    if (!object)
        return false;
    if (object != config)
        config_keys_set_defaults(group, object);

    g_auto(GStrv) keys = g_key_file_get_keys(file, name, NULL, error);
    if (!keys)
        return false;
    for (char **key = keys; *key; key++) {
        g_autofree char *why = NULL;
        const Key *known = config_key(group, *key);
        if (!known)
            return fail(config, name, *key, CONFIG_ERROR_UNKNOWN, error, "there is no such key");
        g_autofree char *value = g_key_file_get_string(file, name, *key, NULL);
        if (!value)
            return fail(config, name, *key, CONFIG_ERROR_VALUE, error, "not valid text");
        if (!config_key_set(known, object, value, &why))
            return fail(config, name, *key, CONFIG_ERROR_VALUE, error, why);
    }
    if (!strcmp(group->name, "spice"))
        config->spice = true;
    if (!strcmp(group->name, "usb"))
        config->usb = true;
    if (!strcmp(group->name, "tpm"))
        config->tpm = true;
    return true;
}

static bool
check_source(const DesktopConfig *config, const char *group, const char *key, const ConfigSource *source, bool required,
             GError **error)
{
    if (source->path && source->fd_name)
        return fail(config, group, key, CONFIG_ERROR_VALUE, error, "give a path or an fd, not both");
    if (required && !source->path && !source->fd_name)
        return fail(config, group, key, CONFIG_ERROR_MISSING, error, "must be given");
    return true;
}

/* How many ports there are where @port is: a hub's, among the first @n_hubs, or the controller's. 0: no such hub. */
static uint64_t
ports_there(const DesktopConfig *config, const ConfigUsbPort *port, guint n_hubs)
{
    for (guint i = 0; port->hub && i < n_hubs; i++) {
        const ConfigHub *hub = config->hubs->pdata[i];
        if (!strcmp(hub->id, port->hub))
            return hub->n_ports;
    }
    return port->hub ? 0 : config->usb_ports;
}

/* Of something on USB that may name its port. */
static bool
check_usb_port(const DesktopConfig *config, const char *group, const ConfigUsbPort *port, guint n_hubs,
               uint64_t boot_index, GError **error)
{
    uint64_t n = ports_there(config, port, n_hubs);

    if (!config->usb)
        return fail(config, group, NULL, CONFIG_ERROR_MISSING, error, "it is on USB: add the group [usb]");
    if (!n)
        return fail(config, group, "port", CONFIG_ERROR_VALUE, error, "there is no such [hub] further up in the file");
    if (port->number > n)
        return fail(config, group, "port", CONFIG_ERROR_VALUE, error, "there are not so many ports");
    if (port->hub && boot_index && config->firmware == FIRMWARE_UEFI)
        return fail(config, group, "boot-index", CONFIG_ERROR_VALUE, error,
                    "UEFI finds by this number what is in the controller's own ports, not behind a hub");
    return true;
}

static bool
check_usb_disk(const DesktopConfig *config, const char *group, const ConfigDisk *disk, GError **error)
{
    if (disk->cache != DISK_CACHE_WRITEBACK)
        return fail(config, group, "cache", CONFIG_ERROR_VALUE, error, "goes with bus=virtio");
    if (disk->queues)
        return fail(config, group, "queues", CONFIG_ERROR_VALUE, error, "goes with bus=virtio");
    return check_usb_port(config, group, &disk->port, config->hubs->len, disk->boot_index, error);
}

static bool
check_disks(const DesktopConfig *config, GError **error)
{
    for (guint i = 0; i < config->disks->len; i++) {
        const ConfigDisk *disk = config->disks->pdata[i];
        g_autofree char *group = g_strdup_printf("disk %s", disk->id);
        if (!check_source(config, group, "path", &disk->source, true, error))
            return false;
        if (disk->serial && strlen(disk->serial) > 20)
            return fail(config, group, "serial", CONFIG_ERROR_VALUE, error, "at most 20 bytes");
        if (disk->bus != DISK_BUS_USB && disk->port.number)
            return fail(config, group, "port", CONFIG_ERROR_VALUE, error, "goes with bus=usb");
        if (disk->bus == DISK_BUS_USB && !check_usb_disk(config, group, disk, error))
            return false;
    }
    return true;
}

static bool
check_cdroms(const DesktopConfig *config, GError **error)
{
    for (guint i = 0; i < config->cdroms->len; i++) {
        const ConfigCdrom *cdrom = config->cdroms->pdata[i];
        g_autofree char *group = g_strdup_printf("cdrom %s", cdrom->id);
        if (!check_source(config, group, "path", &cdrom->source, false, error))
            return false;
        if (!check_usb_port(config, group, &cdrom->port, config->hubs->len, cdrom->boot_index, error))
            return false;
    }
    return true;
}

static bool
check_hubs(const DesktopConfig *config, GError **error)
{
    for (guint i = 0; i < config->hubs->len; i++) {
        const ConfigHub *hub = config->hubs->pdata[i];
        g_autofree char *group = g_strdup_printf("hub %s", hub->id);
        if (!check_usb_port(config, group, &hub->port, i, 0, error))
            return false;
    }
    return true;
}

/* Names of USB devices that are not people's to choose. */
static bool
is_taken_on_usb(const DesktopConfig *config, const char *id)
{
    static const char *const ours[] = {"usb-keyboard", "usb-tablet"};

    for (size_t i = 0; i < G_N_ELEMENTS(ours); i++)
        if (!strcmp(ours[i], id))
            return true;
    for (guint i = 0; i < config->cdroms->len; i++)
        if (!strcmp(((ConfigCdrom *)config->cdroms->pdata[i])->id, id))
            return true;
    return g_str_has_prefix(id, "client") && g_ascii_isdigit(id[strlen("client")]);
}

static bool
check_usb_hosts(const DesktopConfig *config, GError **error)
{
    for (guint i = 0; i < config->usb_hosts->len; i++) {
        const ConfigUsbHost *device = config->usb_hosts->pdata[i];
        g_autofree char *group = g_strdup_printf("usb-host %s", device->id);
        if (!config->usb)
            return fail(config, group, NULL, CONFIG_ERROR_MISSING, error,
                        "there is nothing to plug it into: add the group [usb]");
        if (is_taken_on_usb(config, device->id))
            return fail(config, group, NULL, CONFIG_ERROR_VALUE, error,
                        "another USB device of the desktop has this name: choose another");
    }
    return true;
}

static bool
check_nets(const DesktopConfig *config, GError **error)
{
    for (guint i = 0; i < config->nets->len; i++) {
        const ConfigNet *net = config->nets->pdata[i];
        g_autofree char *group = g_strdup_printf("net %s", net->id);
        if (net->backend == NET_BACKEND_TAP && !net->tap == !net->fd_name)
            return fail(config, group, "tap", CONFIG_ERROR_MISSING, error, "the tap back end wants either tap or fd");
        if (net->backend != NET_BACKEND_TAP && (net->tap || net->fd_name))
            return fail(config, group, "backend", CONFIG_ERROR_VALUE, error, "tap and fd go with backend=tap");
        if (net->backend == NET_BACKEND_PASST && net->queues > 1)
            return fail(config, group, "queues", CONFIG_ERROR_VALUE, error, "passt has one queue pair");
    }
    return true;
}

static bool
check_ports(const DesktopConfig *config, GError **error)
{
    for (guint i = 0; i < config->ports->len; i++) {
        const ConfigPort *port = config->ports->pdata[i];
        g_autofree char *group = g_strdup_printf("port %s", port->id);
        if (!port->socket)
            return fail(config, group, "socket", CONFIG_ERROR_MISSING, error, "must be given");
        if (config->spice && !strcmp(port->id, SPICE_AGENT_PORT))
            return fail(config, group, NULL, CONFIG_ERROR_VALUE, error, "with [spice] this port is SPICE's own");
        if (config->guest_agent && !strcmp(port->id, GUEST_AGENT_PORT))
            return fail(config, group, NULL, CONFIG_ERROR_VALUE, error,
                        "the desktop talks to the guest's agent itself: set guest-agent=false to have its port");
    }
    return true;
}

static bool
check_spice(const DesktopConfig *config, GError **error)
{
    unsigned ways = !!config->spice_socket + !!config->spice_address + !!config->spice_fd_name;

    if (!config->spice)
        return true;
    if (!config->scanouts)
        return fail(config, "display", "scanouts", CONFIG_ERROR_VALUE, error,
                    "SPICE has nothing to show: give at least one, or leave the group [spice] out");
    if (ways != 1)
        return fail(config, "spice", "socket", CONFIG_ERROR_MISSING, error,
                    "give one of socket, address (with port) or fd");
    if (config->spice_address && !config->spice_port)
        return fail(config, "spice", "port", CONFIG_ERROR_MISSING, error, "an address wants a port");
    if (config->spice_port && !config->spice_address)
        return fail(config, "spice", "port", CONFIG_ERROR_VALUE, error, "goes with an address");
    if (config->spice_address && strcmp(config->spice_address, "127.0.0.1") && strcmp(config->spice_address, "::1"))
        return fail(config, "spice", "address", CONFIG_ERROR_VALUE, error,
                    "only loopback, 127.0.0.1 or ::1: SPICE leaves the host through the web server's TLS");
    if (config->spice_no_ticket && config->spice_ticket)
        return fail(config, "spice", "ticket", CONFIG_ERROR_VALUE, error, "cannot go with no-ticket");
    return true;
}

static bool
is_given(const ConfigSource *source)
{
    return source->path || source->fd_name;
}

/* The firmware's keys among each other; those of direct boot go without it. */
static bool
check_firmware(const DesktopConfig *config, GError **error)
{
    bool uefi = config->firmware == FIRMWARE_UEFI;

    if (config->firmware == FIRMWARE_NONE && config->firmware_log)
        return fail(config, "boot", "firmware-log", CONFIG_ERROR_VALUE, error,
                    "there is no firmware to print anything");
    if (config->firmware == FIRMWARE_NONE && config->menu_wait)
        return fail(config, "boot", "menu-wait", CONFIG_ERROR_VALUE, error, "there is no firmware to have a menu");
    if (config->firmware == FIRMWARE_NONE)
        return check_source(config, "boot", "kernel", &config->kernel, true, error) &&
               check_source(config, "boot", "initrd", &config->initrd, false, error);
    if (is_given(&config->kernel) || is_given(&config->initrd) || config->command_line)
        return fail(config, "boot", "firmware", CONFIG_ERROR_VALUE, error,
                    "a kernel, initrd and command-line are for booting without: say firmware=none, or leave them out");
    if (!uefi && (config->secure_boot || is_given(&config->variables)))
        return fail(config, "boot", config->secure_boot ? "secure-boot" : "variables", CONFIG_ERROR_VALUE, error,
                    "goes with firmware=uefi");
    if (is_given(&config->vga_rom) && (uefi || !config->scanouts))
        return fail(config, "boot", "vga-rom", CONFIG_ERROR_VALUE, error, "goes with firmware=bios and a display");
    if (!check_source(config, "boot", "vga-rom", &config->vga_rom, false, error))
        return false;
    return check_source(config, "boot", "firmware-code", &config->firmware_code, true, error) &&
           check_source(config, "boot", "variables", &config->variables, uefi, error);
}

static bool
check_boot_order(const DesktopConfig *config, GError **error)
{
    uint64_t seen[CONFIG_BOOT_INDEX_MAX / 64 + 1] = {0};
    guint n_disks = config->disks->len, n_cdroms = config->cdroms->len;

    for (guint i = 0; i < n_disks + n_cdroms + config->nets->len; i++) {
        const ConfigDisk *disk = i < n_disks ? config->disks->pdata[i] : NULL;
        const ConfigCdrom *cdrom = !disk && i < n_disks + n_cdroms ? config->cdroms->pdata[i - n_disks] : NULL;
        const ConfigNet *net = disk || cdrom ? NULL : config->nets->pdata[i - n_disks - n_cdroms];
        uint64_t index = disk ? disk->boot_index : cdrom ? cdrom->boot_index : net->boot_index;
        g_autofree char *group = g_strdup_printf("%s %s",
                                                 disk    ? "disk"
                                                 : cdrom ? "cdrom"
                                                         : "net",
                                                 disk    ? disk->id
                                                 : cdrom ? cdrom->id
                                                         : net->id);
        if (index && config->firmware == FIRMWARE_NONE)
            return fail(config, group, "boot-index", CONFIG_ERROR_VALUE, error, "there is no firmware to look at it");
        if (index && (seen[index / 64] & 1ull << index % 64))
            return fail(config, group, "boot-index", CONFIG_ERROR_VALUE, error, "this number is used twice");
        if (index)
            seen[index / 64] |= 1ull << index % 64;
    }
    return true;
}

static bool
check_whole(const DesktopConfig *config, GError **error)
{
    uint64_t page = config->hugepages ? 2 << 20 : 1 << 20;

    if (!config->name)
        return fail(config, "desktop", "name", CONFIG_ERROR_MISSING, error, "must be given");
    if (config->memory % page)
        return fail(config, "desktop", "memory", CONFIG_ERROR_VALUE, error,
                    config->hugepages ? "with hugepages, a multiple of 2M" : "a multiple of 1M");
    if (config->hugepages && config->merge)
        return fail(config, "desktop", "merge", CONFIG_ERROR_VALUE, error, "huge pages cannot be merged");
    if (config->control_socket && config->control_fd_name)
        return fail(config, "control", "socket", CONFIG_ERROR_VALUE, error, "give a socket or an fd, not both");
    if (config->tpm && !config->tpm_socket == !config->tpm_fd_name)
        return fail(config, "tpm", "socket", CONFIG_ERROR_MISSING, error, "give one of socket or fd");
    return check_firmware(config, error) && check_hubs(config, error) && check_disks(config, error) &&
           check_cdroms(config, error) && check_usb_hosts(config, error) && check_nets(config, error) &&
           check_ports(config, error) && check_boot_order(config, error) && check_spice(config, error);
}

static void
fill_path(char **path, const char *value)
{
    if (!*path)
        *path = g_strdup(value);
}

/* UEFI, unless a kernel says otherwise; and where Debian's packages have it. */
static void
fill_firmware(DesktopConfig *config)
{
    const char *word = config->firmware_word ? config->firmware_word : is_given(&config->kernel) ? "none" : "uefi";

    config->firmware = !strcmp(word, "uefi") ? FIRMWARE_UEFI : !strcmp(word, "bios") ? FIRMWARE_BIOS : FIRMWARE_NONE;
    if (config->firmware == FIRMWARE_UEFI) {
        fill_path(&config->variables_template, config->secure_boot ? UEFI_SECURE_VARIABLES : UEFI_VARIABLES);
        if (!config->firmware_code.fd_name)
            fill_path(&config->firmware_code.path, config->secure_boot ? UEFI_SECURE_CODE : UEFI_CODE);
    }
    if (config->firmware == FIRMWARE_BIOS && !config->firmware_code.fd_name)
        fill_path(&config->firmware_code.path, BIOS_CODE);
    if (config->firmware == FIRMWARE_BIOS && config->scanouts && !config->vga_rom.fd_name)
        fill_path(&config->vga_rom.path, BIOS_VGA_ROM);
}

/* A desktop without a UUID of its own gets one that stays the same as long as its name does. */
static void
fill_uuid(DesktopConfig *config)
{
    if (config->uuid || !config->name)
        return;
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, config->name, -1);
    /* RFC 9562, 5.8: version 8, for values made in a way of one's own */
    config->uuid =
        g_strdup_printf("%.8s-%.4s-8%.3s-a%.3s-%.12s", digest, digest + 8, digest + 12, digest + 15, digest + 18);
}

/*
 * What GKeyFile would pass over: of two keys the later would silently count, and two disks of one name would be one. A
 * group without a name of its own may go on elsewhere in the file.
 */
static bool
check_twice(const DesktopConfig *config, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(GStrv) lines = g_strsplit(config->text, "\n", -1);
    const char *group = "";

    for (unsigned i = 0; lines[i]; i++) {
        char *line = g_strstrip(lines[i]);
        bool is_group = *line == '[';
        char *end = strchr(line, is_group ? ']' : '=');
        if (!*line || *line == '#' || !end)
            continue; /* nothing, or a mistake that GKeyFile tells of */
        *end = '\0';
        if (is_group)
            group = line + 1;
        if (is_group && !strchr(group, ' '))
            continue;
        char *what = is_group ? g_strdup_printf("[%s]", group) : g_strdup_printf("[%s] %s", group, g_strchomp(line));
        if (g_hash_table_add(seen, what))
            continue;
        g_autofree char *why = g_strdup_printf("is there twice, the second time in line %u", i + 1);
        return fail(config, group, is_group ? NULL : line, CONFIG_ERROR_VALUE, error, why);
    }
    return true;
}

static bool
check_text(const DesktopConfig *config, const char *text, gsize len, GError **error)
{
    const char *why = NULL;

    if (!len)
        why = "the file is empty";
    else if (len > CONFIG_TEXT_MAX)
        why = "longer than 1 MiB: no configuration of a desktop";
    else if (memchr(text, '\0', len))
        why = "a text file holds no zero bytes";
    if (!why)
        return check_twice(config, error);
    g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_SYNTAX, "%s: %s", config->path, why);
    return false;
}

DesktopConfig *
config_parse(const char *path, const char *text, gssize len, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) inner = NULL;
    gsize n = len < 0 ? strlen(text) : (gsize)len;
    g_autoptr(DesktopConfig) config = config_new(path, text, n);

    if (!check_text(config, text, n, error))
        return NULL;
    if (!g_key_file_load_from_data(file, text, n, G_KEY_FILE_KEEP_TRANSLATIONS, &inner)) {
        g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_SYNTAX, "%s: %s", path, inner->message);
        return NULL;
    }
    config_keys_set_all_defaults(config);
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
    for (char **group = groups; *group; group++)
        if (!read_group(config, file, *group, error))
            return NULL;
    fill_firmware(config);
    if (!check_whole(config, error))
        return NULL;
    fill_uuid(config);
    return g_steal_pointer(&config);
}

/* A file or a pipe, up to @max bytes of it. Returns how many, or -1 with errno. */
static ssize_t
read_whole(int fd, char *text, size_t max)
{
    size_t len = 0;

    while (len < max) {
        ssize_t n = read(fd, text + len, max - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -1 : (ssize_t)len;
        len += n;
    }
    return len;
}

DesktopConfig *
config_read(const char *path, GError **error)
{
    g_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    g_autofree char *text = g_malloc(CONFIG_TEXT_MAX + 1);
    ssize_t len = fd < 0 ? -1 : read_whole(fd, text, CONFIG_TEXT_MAX + 1);

    if (len >= 0)
        return config_parse(path, text, len, error);
    g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_MISSING, "%s: %s", path, g_strerror(errno));
    return NULL;
}

bool
config_shows_hyperv(const DesktopConfig *config)
{
    return config->hyperv == HYPERV_ON || (config->hyperv == HYPERV_AUTO && config->guest_os == GUEST_OS_WINDOWS);
}

bool
config_rtc_is_local(const DesktopConfig *config)
{
    return config->rtc == RTC_LOCAL || (config->rtc == RTC_AUTO && config->guest_os == GUEST_OS_WINDOWS);
}

const char *
config_text(const DesktopConfig *config)
{
    return config->text;
}

typedef enum { WANT_FILE, WANT_DISK } Want;

static bool
check_file(const DesktopConfig *config, const char *group, const char *key, const char *path, Want want, bool writable,
           GError **error)
{
    struct stat st;

    if (!path)
        return true;
    g_autofd int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        g_autofree char *why = g_strdup_printf("cannot open %s: %s", path, g_strerror(errno));
        return fail(config, group, key, CONFIG_ERROR_MISSING, error, why);
    }
    if (S_ISREG(st.st_mode) || (want == WANT_DISK && S_ISBLK(st.st_mode)))
        return true;
    g_autofree char *why = g_strdup_printf("%s is not a file%s", path, want == WANT_DISK ? " or a block device" : "");
    return fail(config, group, key, CONFIG_ERROR_VALUE, error, why);
}

/* The file, or what it will be made from. */
static bool
check_variables(const DesktopConfig *config, GError **error)
{
    const char *path = config->variables.path;

    if (!path || g_file_test(path, G_FILE_TEST_EXISTS))
        return check_file(config, "boot", "variables", path, WANT_FILE, true, error);
    return check_file(config, "boot", "variables-template", config->variables_template, WANT_FILE, false, error);
}

bool
config_check_files(const DesktopConfig *config, GError **error)
{
    if (!check_file(config, "boot", "firmware-code", config->firmware_code.path, WANT_FILE, false, error) ||
        !check_file(config, "boot", "vga-rom", config->vga_rom.path, WANT_FILE, false, error) ||
        !check_variables(config, error) ||
        !check_file(config, "boot", "kernel", config->kernel.path, WANT_FILE, false, error) ||
        !check_file(config, "boot", "initrd", config->initrd.path, WANT_FILE, false, error))
        return false;
    for (guint i = 0; i < config->disks->len; i++) {
        const ConfigDisk *disk = config->disks->pdata[i];
        g_autofree char *group = g_strdup_printf("disk %s", disk->id);
        if (!check_file(config, group, "path", disk->source.path, WANT_DISK, !disk->read_only, error))
            return false;
    }
    for (guint i = 0; i < config->cdroms->len; i++) {
        const ConfigCdrom *cdrom = config->cdroms->pdata[i];
        g_autofree char *group = g_strdup_printf("cdrom %s", cdrom->id);
        if (!check_file(config, group, "path", cdrom->source.path, WANT_DISK, false, error))
            return false;
    }
    return true;
}
