/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DESKTOP.conf: what one desktop is made of (carrel-desktop.conf(5)).
 *
 * A GKeyFile. Every key stands in one table (keys.c) with its type, unit, range and default; whatever is not in the table,
 * or does not fit it, is an error that names file, group and key. Reading the file opens nothing else: config_check_files()
 * looks at what it names. Any thread; immutable once read.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_ERROR (config_error_quark())
GQuark config_error_quark(void);
typedef enum {
    CONFIG_ERROR_SYNTAX,  /* not a key file */
    CONFIG_ERROR_UNKNOWN, /* a group or key that does not exist */
    CONFIG_ERROR_VALUE,   /* wrong type, unit or range */
    CONFIG_ERROR_MISSING, /* a key that must be there, or a file that is not */
} ConfigError;

#define CONFIG_DISKS_MAX 16
#define CONFIG_CDROMS_MAX 8
#define CONFIG_HUBS_MAX 8
#define CONFIG_NETS_MAX 8
#define CONFIG_USB_HOST_MAX 16
#define CONFIG_PORTS_MAX 8
#define CONFIG_VCPUS_MAX 64
#define CONFIG_BOOT_INDEX_MAX 64
#define CONFIG_MENU_WAIT_MAX 60 /* seconds; firmware reads milliseconds of 16 bits */

typedef enum { CLIPBOARD_BOTH, CLIPBOARD_TO_DESKTOP, CLIPBOARD_FROM_DESKTOP, CLIPBOARD_NONE } ConfigClipboard;
typedef enum { GUEST_OS_LINUX, GUEST_OS_WINDOWS, GUEST_OS_OTHER } ConfigGuestOs;
typedef enum { HYPERV_AUTO, HYPERV_ON, HYPERV_OFF } ConfigHyperv;
typedef enum { RTC_AUTO, RTC_UTC, RTC_LOCAL } ConfigRtc;
typedef enum { FIRMWARE_NONE, FIRMWARE_UEFI, FIRMWARE_BIOS } ConfigFirmware;
typedef enum { DISK_BUS_VIRTIO, DISK_BUS_USB } ConfigDiskBus;
typedef enum { DISK_CACHE_WRITEBACK, DISK_CACHE_NONE } ConfigDiskCache;
typedef enum { DISK_ON_ERROR_PAUSE, DISK_ON_ERROR_REPORT } ConfigDiskOnError;
typedef enum { NET_BACKEND_TAP, NET_BACKEND_PASST, NET_BACKEND_NONE } ConfigNetBackend;

/* A thing that is either a file here or a descriptor inherited under a name (sd_listen_fds(3), LISTEN_FDNAMES). */
typedef struct {
    char *path;
    char *fd_name;
} ConfigSource;

/* A port of the USB controller's, or of a hub's. */
typedef struct {
    char *hub;       /* its id; NULL: the controller */
    unsigned number; /* from 1; 0: any that is free, of the controller's */
} ConfigUsbPort;

typedef struct {
    char *id; /* "disk0": the group [disk disk0] */
    ConfigDiskBus bus;
    ConfigUsbPort port; /* with DISK_BUS_USB */
    ConfigSource source;
    bool read_only;
    char *serial; /* at most 20 bytes, virtio 1.2, 5.2.6.1 */
    ConfigDiskCache cache;
    ConfigDiskOnError on_error;
    bool discard;
    uint64_t queues;     /* 0: as many as vCPUs, at most 4 */
    uint64_t boot_index; /* 0: firmware does not look for a system there before any other place */
} ConfigDisk;

typedef struct {
    char *id;
    ConfigSource source; /* neither: an empty drive */
    ConfigUsbPort port;
    uint64_t boot_index; /* as a disk's */
} ConfigCdrom;

typedef struct {
    char *id;
    uint64_t n_ports;
    ConfigUsbPort port; /* of a hub that stands further up in the file, or the controller's */
} ConfigHub;

typedef struct {
    char *id;
    ConfigNetBackend backend;
    char *tap;      /* interface name, or … */
    char *fd_name;  /* … tap descriptors inherited under this name, one a queue pair */
    uint8_t mac[6]; /* all zero: made from the desktop's UUID and the id */
    uint64_t queues;
    bool vhost;
    uint64_t mtu;        /* 0: not told */
    uint64_t boot_index; /* as a disk's */
} ConfigNet;

/* A device of the host that the desktop has whenever it is plugged in there (usb/host/wish.h). */
typedef struct {
    char *id;
    char *device_id; /* "VVVV:PPPP"; each of the three may be NULL */
    char *serial;
    char *port; /* "1-2.3" */
} ConfigUsbHost;

typedef struct {
    char *id;     /* the port's name in the guest: [port org.example.agent] */
    char *socket; /* a Unix socket made for one peer at a time */
} ConfigPort;

typedef struct {
    char *path; /* the file it was read from, for messages */
    char *text; /* what it held */

    char *name;
    char *uuid;      /* canonical text; made from the name where not given */
    uint64_t memory; /* bytes */
    bool hugepages;
    bool merge;
    uint64_t vcpus;
    char *cpu; /* "host" or a baseline */
    ConfigGuestOs guest_os;
    ConfigHyperv hyperv; /* config_shows_hyperv() */
    ConfigRtc rtc;       /* config_rtc_is_local() */
    bool pmu;
    bool mce;
    bool balloon;
    bool guest_agent;
    bool paused; /* start paused */

    char *firmware_word;     /* as written, NULL where it was not; … */
    ConfigFirmware firmware; /* … and what it comes to */
    bool secure_boot;
    uint64_t menu_wait;          /* seconds in which a key calls the firmware's menu; 0, or without firmware: none */
    ConfigSource firmware_code;  /* where it was not given, the path of Debian's file; none without firmware */
    ConfigSource vga_rom;        /* with FIRMWARE_BIOS and a display; the same of its VGA BIOS */
    ConfigSource variables;      /* with FIRMWARE_UEFI */
    char *variables_template;    /* filled likewise */
    char *firmware_log;          /* NULL: not wanted, or without firmware */
    ConfigSource kernel, initrd; /* with FIRMWARE_NONE */
    char *command_line;

    char *smbios_manufacturer, *smbios_product, *smbios_version; /* what the guest reads of its maker; never NULL */
    char *smbios_serial, *smbios_sku, *smbios_family;            /* NULL: not told */
    char *smbios_asset_tag;

    bool keyboard, tablet, mouse;

    bool usb; /* the group is there */
    uint64_t usb_ports;
    bool usb_keyboard, usb_tablet;
    uint64_t usb_redirect; /* channels, of a desktop with SPICE */
    char *usb_policy;      /* usb/policy.h */

    uint64_t scanouts;
    uint32_t width, height;  /* pixels */
    uint64_t display_memory; /* bytes of host pixels the guest may hold */

    bool spice; /* the group is there */
    char *spice_socket;
    char *spice_address;
    uint64_t spice_port;
    char *spice_fd_name;
    char *spice_ticket;
    bool spice_no_ticket;
    bool spice_several_clients;
    char *spice_compression;
    ConfigClipboard spice_clipboard;
    bool spice_file_transfer;

    char *serial; /* "none", "stdio", "file:PATH" or "socket:PATH" */

    bool tpm; /* the group is there */
    char *tpm_socket;
    char *tpm_fd_name;

    char *control_socket;
    char *control_fd_name;
    char *control_end_fd_name;

    uint64_t sandbox_uid; /* what it becomes when started as root */

    GPtrArray *disks; /* ConfigDisk * in the file's order */
    GPtrArray *cdroms;
    GPtrArray *hubs;
    GPtrArray *nets;
    GPtrArray *ports;
    GPtrArray *usb_hosts;
} DesktopConfig;

/* Bytes of a configuration's text; what a saved desktop can hold (vmm/state/saved_file.c). */
#define CONFIG_TEXT_MAX (1u << 20)

/* NULL with one error on the first thing wrong. */
DesktopConfig *config_read(const char *path, GError **error);
/* The same from text; @path is for messages. */
DesktopConfig *config_parse(const char *path, const char *text, gssize len, GError **error);
void config_free(DesktopConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DesktopConfig, config_free)

/* Whether each file named exists and is of the right kind and readable (writable for disks). */
bool config_check_files(const DesktopConfig *config, GError **error);

/* What the keys hyperv and rtc come to, where they leave it to guest-os. */
bool config_shows_hyperv(const DesktopConfig *config);
bool config_rtc_is_local(const DesktopConfig *config);

/* The text that was parsed, to be kept in a saved desktop. */
const char *config_text(const DesktopConfig *config);
