/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every key, and its conversion from text. To add one: a member in config.h, a line here, a paragraph in the man page
 * (tests/runner/man_keys.py holds the page against this table).
 */
#include "vmm/config/keys.h"

#include <stddef.h>
#include <string.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define AT(T, m) offsetof(T, m)
#define D(m) offsetof(DesktopConfig, m)

static const char *const cpu_words[] = {"host", "x86-64-v2", "x86-64-v3", "x86-64-v4", NULL};
static const char *const guest_os_words[] = {"linux", "windows", "other", NULL};
static const char *const hyperv_words[] = {"auto", "on", "off", NULL};
static const char *const rtc_words[] = {"auto", "utc", "local", NULL};
static const char *const firmware_words[] = {"none", "uefi", "bios", NULL};
static const char *const bus_words[] = {"virtio", "usb", NULL};
static const char *const cache_words[] = {"writeback", "none", NULL};
static const char *const on_error_words[] = {"pause", "report", NULL};
static const char *const backend_words[] = {"tap", "passt", "none", NULL};
static const char *const clipboard_words[] = {"both", "to-desktop", "from-desktop", "none", NULL};
static const char *const compression_words[] = {"auto", "off", "lz4", "quic", "glz", "lz", NULL};

/* clang-format off */
static const Key desktop_keys[] = {
    {"name",      KEY_TEXT,  D(name)},
    {"uuid",      KEY_UUID,  D(uuid)},
    {"memory",    KEY_SIZE,  D(memory), 16 * MIB, 512 * GIB, "2G"},
    {"hugepages", KEY_BOOL,  D(hugepages)},
    {"merge",     KEY_BOOL,  D(merge)},
    {"vcpus",     KEY_COUNT, D(vcpus), 1, CONFIG_VCPUS_MAX, "2"},
    {"cpu",       KEY_WORD,  D(cpu), .fallback = "host", .words = cpu_words},
    {"guest-os",  KEY_CHOICE, D(guest_os), .words = guest_os_words},
    {"hyperv",    KEY_CHOICE, D(hyperv), .words = hyperv_words},
    {"rtc",       KEY_CHOICE, D(rtc), .words = rtc_words},
    {"pmu",       KEY_BOOL,  D(pmu)},
    {"mce",       KEY_BOOL,  D(mce)},
    {"balloon",   KEY_BOOL,  D(balloon), .fallback = "true"},
    {"guest-agent", KEY_BOOL, D(guest_agent), .fallback = "true"},
    {"paused",    KEY_BOOL,  D(paused)},
    {NULL},
};
static const Key boot_keys[] = {
    {"firmware",           KEY_WORD, D(firmware_word), .words = firmware_words},
    {"secure-boot",        KEY_BOOL, D(secure_boot)},
    {"menu-wait",          KEY_COUNT, D(menu_wait), 0, CONFIG_MENU_WAIT_MAX, "0"},
    {"firmware-code",      KEY_PATH, D(firmware_code.path)},
    {"firmware-code-fd",   KEY_TEXT, D(firmware_code.fd_name)},
    {"vga-rom",            KEY_PATH, D(vga_rom.path)},
    {"vga-rom-fd",         KEY_TEXT, D(vga_rom.fd_name)},
    {"variables",          KEY_PATH, D(variables.path)},
    {"variables-fd",       KEY_TEXT, D(variables.fd_name)},
    {"variables-template", KEY_PATH, D(variables_template)},
    {"firmware-log",       KEY_PATH, D(firmware_log)},
    {"kernel",             KEY_PATH, D(kernel.path)},
    {"kernel-fd",          KEY_TEXT, D(kernel.fd_name)},
    {"initrd",             KEY_PATH, D(initrd.path)},
    {"initrd-fd",          KEY_TEXT, D(initrd.fd_name)},
    {"command-line",       KEY_TEXT, D(command_line)},
    {NULL},
};
static const Key smbios_keys[] = {
    {"manufacturer", KEY_TEXT, D(smbios_manufacturer), .fallback = "Carrel"},
    {"product",      KEY_TEXT, D(smbios_product), .fallback = "Carrel Desktop"},
    {"version",      KEY_TEXT, D(smbios_version), .fallback = "1"},
    {"serial",       KEY_TEXT, D(smbios_serial)},
    {"sku",          KEY_TEXT, D(smbios_sku)},
    {"family",       KEY_TEXT, D(smbios_family)},
    {"asset-tag",    KEY_TEXT, D(smbios_asset_tag)},
    {NULL},
};
static const Key input_keys[] = {
    {"keyboard", KEY_BOOL, D(keyboard), .fallback = "true"},
    {"tablet",   KEY_BOOL, D(tablet), .fallback = "true"},
    {"mouse",    KEY_BOOL, D(mouse), .fallback = "true"},
    {NULL},
};
static const Key usb_keys[] = {
    {"ports",    KEY_COUNT, D(usb_ports), 1, 31, "16"},
    {"keyboard", KEY_BOOL,  D(usb_keyboard), .fallback = "true"},
    {"tablet",   KEY_BOOL,  D(usb_tablet), .fallback = "true"},
    {"redirect", KEY_COUNT, D(usb_redirect), 0, 31, "8"},
    {"policy",   KEY_TEXT,  D(usb_policy), .fallback = "-1,-1,-1,-1,1"},
    {NULL},
};
static const Key display_keys[] = {
    {"scanouts", KEY_COUNT,  D(scanouts), 0, 4, "1"},
    {"size",     KEY_PIXELS, D(width), 320, 8192, "1280x800"},
    {"memory",   KEY_SIZE,   D(display_memory), 16 * MIB, 4 * GIB, "256M"},
    {NULL},
};
static const Key spice_keys[] = {
    {"socket",          KEY_PATH,  D(spice_socket)},
    {"address",         KEY_TEXT,  D(spice_address)},
    {"port",            KEY_COUNT, D(spice_port), 1, 65535},
    {"fd",              KEY_TEXT,  D(spice_fd_name)},
    {"ticket",          KEY_TEXT,  D(spice_ticket)},
    {"no-ticket",       KEY_BOOL,  D(spice_no_ticket)},
    {"several-clients", KEY_BOOL,  D(spice_several_clients)},
    {"compression",     KEY_WORD,  D(spice_compression), .fallback = "auto", .words = compression_words},
    {"clipboard",       KEY_CHOICE, D(spice_clipboard), .words = clipboard_words},
    {"file-transfer",   KEY_BOOL,  D(spice_file_transfer), .fallback = "true"},
    {NULL},
};
static const Key serial_keys[] = {
    {"output", KEY_SERIAL, D(serial), .fallback = "none"},
    {NULL},
};
static const Key tpm_keys[] = {
    {"socket", KEY_PATH, D(tpm_socket)},
    {"fd",     KEY_TEXT, D(tpm_fd_name)},
    {NULL},
};
static const Key control_keys[] = {
    {"socket", KEY_PATH, D(control_socket)},
    {"fd",     KEY_TEXT, D(control_fd_name)},
    {"end",    KEY_TEXT, D(control_end_fd_name)},
    {NULL},
};
static const Key sandbox_keys[] = {
    {"uid", KEY_COUNT, D(sandbox_uid), 1, UINT32_MAX - 1, "65534"},
    {NULL},
};
static const Key disk_keys[] = {
    {"bus",        KEY_CHOICE, AT(ConfigDisk, bus), .words = bus_words},
    {"port",       KEY_USB_PORT, AT(ConfigDisk, port)},
    {"path",       KEY_PATH,   AT(ConfigDisk, source.path)},
    {"fd",         KEY_TEXT,   AT(ConfigDisk, source.fd_name)},
    {"read-only",  KEY_BOOL,   AT(ConfigDisk, read_only)},
    {"serial",     KEY_TEXT,   AT(ConfigDisk, serial)},
    {"cache",      KEY_CHOICE, AT(ConfigDisk, cache), .words = cache_words},
    {"on-error",   KEY_CHOICE, AT(ConfigDisk, on_error), .words = on_error_words},
    {"discard",    KEY_BOOL,   AT(ConfigDisk, discard), .fallback = "true"},
    {"queues",     KEY_COUNT,  AT(ConfigDisk, queues), 1, 64},
    {"boot-index", KEY_COUNT,  AT(ConfigDisk, boot_index), 1, CONFIG_BOOT_INDEX_MAX},
    {NULL},
};
static const Key cdrom_keys[] = {
    {"path",       KEY_PATH,  AT(ConfigCdrom, source.path)},
    {"fd",         KEY_TEXT,  AT(ConfigCdrom, source.fd_name)},
    {"port",       KEY_USB_PORT, AT(ConfigCdrom, port)},
    {"boot-index", KEY_COUNT, AT(ConfigCdrom, boot_index), 1, CONFIG_BOOT_INDEX_MAX},
    {NULL},
};
static const Key hub_keys[] = {
    {"ports", KEY_COUNT,    AT(ConfigHub, n_ports), 1, 15, "4"},
    {"port",  KEY_USB_PORT, AT(ConfigHub, port)},
    {NULL},
};
static const Key net_keys[] = {
    {"backend",    KEY_CHOICE, AT(ConfigNet, backend), .words = backend_words},
    {"tap",        KEY_TEXT,   AT(ConfigNet, tap)},
    {"fd",         KEY_TEXT,   AT(ConfigNet, fd_name)},
    {"mac",        KEY_MAC,    AT(ConfigNet, mac)},
    {"queues",     KEY_COUNT,  AT(ConfigNet, queues), 1, 64, "1"},
    {"vhost",      KEY_BOOL,   AT(ConfigNet, vhost), .fallback = "true"},
    {"mtu",        KEY_COUNT,  AT(ConfigNet, mtu), 68, 65535},
    {"boot-index", KEY_COUNT,  AT(ConfigNet, boot_index), 1, CONFIG_BOOT_INDEX_MAX},
    {NULL},
};
static const Key port_keys[] = {
    {"socket", KEY_PATH, AT(ConfigPort, socket)},
    {NULL},
};
static const Key usb_host_keys[] = {
    {"id",     KEY_TEXT, AT(ConfigUsbHost, device_id)},
    {"serial", KEY_TEXT, AT(ConfigUsbHost, serial)},
    {"port",   KEY_TEXT, AT(ConfigUsbHost, port)},
    {NULL},
};

static const KeyGroup groups[] = {
    {"desktop", desktop_keys},
    {"boot",    boot_keys},
    {"smbios",  smbios_keys},
    {"input",   input_keys},
    {"usb",     usb_keys},
    {"display", display_keys},
    {"spice",   spice_keys},
    {"serial",  serial_keys},
    {"tpm",     tpm_keys},
    {"control", control_keys},
    {"sandbox", sandbox_keys},
    {"disk",    disk_keys, sizeof(ConfigDisk), D(disks), CONFIG_DISKS_MAX},
    {"cdrom",   cdrom_keys, sizeof(ConfigCdrom), D(cdroms), CONFIG_CDROMS_MAX},
    {"hub",     hub_keys, sizeof(ConfigHub), D(hubs), CONFIG_HUBS_MAX},
    {"net",     net_keys,  sizeof(ConfigNet),  D(nets),  CONFIG_NETS_MAX},
    {"port",    port_keys, sizeof(ConfigPort), D(ports), CONFIG_PORTS_MAX},
    {"usb-host", usb_host_keys, sizeof(ConfigUsbHost), D(usb_hosts), CONFIG_USB_HOST_MAX},
};
/* clang-format on */

const KeyGroup *
config_key_group(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++)
        if (!strcmp(groups[i].name, name))
            return &groups[i];
    return NULL;
}

char *
config_key_group_names(void)
{
    GString *names = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++)
        g_string_append_printf(names, "%s[%s%s]", i ? ", " : "", groups[i].name, groups[i].size ? " NAME" : "");
    return g_string_free_and_steal(names);
}

const Key *
config_key(const KeyGroup *group, const char *name)
{
    for (const Key *key = group->keys; key->name; key++)
        if (!strcmp(key->name, name))
            return key;
    return NULL;
}

static void
replace_text(char **place, const char *text)
{
    g_free(*place);
    *place = g_strdup(text);
}

static bool
set_bool(bool *place, const char *text, char **why)
{
    *place = !strcmp(text, "true");
    if (*place || !strcmp(text, "false"))
        return true;
    *why = g_strdup_printf("“%s” is neither true nor false", text);
    return false;
}

static bool
set_count(const Key *key, uint64_t *place, const char *text, char **why)
{
    guint64 value;
    if (g_ascii_string_to_unsigned(text, 10, key->min, key->max, &value, NULL)) {
        *place = value;
        return true;
    }
    *why = g_strdup_printf("“%s” is not a whole number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, text,
                           key->min, key->max);
    return false;
}

static unsigned
unit_shift(const char *unit)
{
    static const char letters[] = "KMGT";
    const char *letter = *unit ? strchr(letters, *unit) : NULL;

    if (!letter || (unit[1] && strcmp(unit + 1, "iB")))
        return 0;
    return 10 * (letter - letters + 1);
}

static bool
set_size(const Key *key, uint64_t *place, const char *text, char **why)
{
    size_t digits = strspn(text, "0123456789");
    unsigned shift = unit_shift(text + digits);
    guint64 number = 0;
    g_autofree char *head = g_strndup(text, digits);

    if (!digits || !shift) {
        *why =
            g_strdup_printf("“%s” is not a size: write a whole number and K, M, G or T (KiB to TiB), like 512M", text);
        return false;
    }
    if (!g_ascii_string_to_unsigned(head, 10, 0, UINT64_MAX >> shift, &number, NULL) || number << shift < key->min ||
        number << shift > key->max) {
        g_autofree char *least = g_format_size_full(key->min, G_FORMAT_SIZE_IEC_UNITS);
        g_autofree char *most = g_format_size_full(key->max, G_FORMAT_SIZE_IEC_UNITS);
        *why = g_strdup_printf("“%s” is not between %s and %s", text, least, most);
        return false;
    }
    *place = number << shift;
    return true;
}

static bool
set_text(char **place, const char *text, char **why)
{
    if (!*text || !g_utf8_validate(text, -1, NULL)) {
        *why = g_strdup("must be text, and not empty");
        return false;
    }
    for (const char *c = text; *c; c++)
        if (g_ascii_iscntrl(*c)) {
            *why = g_strdup("holds a control character");
            return false;
        }
    replace_text(place, text);
    return true;
}

static bool
set_path(char **place, const char *text, char **why)
{
    if (g_path_is_absolute(text))
        return set_text(place, text, why);
    *why = g_strdup_printf("“%s” is not an absolute path", text);
    return false;
}

static int
word_index(const char *const *words, const char *text, char **why)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(words[i], text))
            return i;
    g_autofree char *all = g_strjoinv(", ", (char **)words);
    *why = g_strdup_printf("“%s” is not one of %s", text, all);
    return -1;
}

static bool
set_pixels(const Key *key, uint32_t *place, const char *text, char **why)
{
    g_auto(GStrv) sides = g_strsplit(text, "x", 3);
    guint64 width, height;

    if (g_strv_length(sides) == 2 && g_ascii_string_to_unsigned(sides[0], 10, key->min, key->max, &width, NULL) &&
        g_ascii_string_to_unsigned(sides[1], 10, key->min * 5 / 8, key->max, &height, NULL)) {
        place[0] = width;
        place[1] = height;
        return true;
    }
    *why = g_strdup_printf("“%s” is not a size in pixels, like 1920x1080", text);
    return false;
}

static bool
set_mac(uint8_t *place, const char *text, char **why)
{
    uint8_t bytes[6];
    bool good = strlen(text) == 17;

    for (int i = 0; good && i < 6; i++) {
        int high = g_ascii_xdigit_value(text[3 * i]), low = g_ascii_xdigit_value(text[3 * i + 1]);
        good = high >= 0 && low >= 0 && (i == 5 || text[3 * i + 2] == ':');
        if (good)
            bytes[i] = high << 4 | low;
    }
    if (good && !(bytes[0] & 1)) {
        memcpy(place, bytes, 6);
        return true;
    }
    *why = g_strdup_printf("“%s” is not the address of one network card, like 52:54:00:12:34:56", text);
    return false;
}

static bool
set_uuid(char **place, const char *text, char **why)
{
    g_autofree char *lower = g_ascii_strdown(text, -1);
    if (g_uuid_string_is_valid(lower)) {
        replace_text(place, lower);
        return true;
    }
    *why = g_strdup_printf("“%s” is not a UUID", text);
    return false;
}

static bool
set_usb_port(ConfigUsbPort *place, const char *text, char **why)
{
    const char *dot = strrchr(text, '.'), *number = dot ? dot + 1 : text;
    guint64 value;

    if (dot == text || !g_ascii_string_to_unsigned(number, 10, 1, UINT8_MAX, &value, NULL)) {
        *why = g_strdup_printf("“%s” is not a USB port: a number, or a hub's name, a dot and a number", text);
        return false;
    }
    g_free(place->hub);
    place->hub = dot ? g_strndup(text, dot - text) : NULL;
    place->number = value;
    return true;
}

static bool
set_serial(char **place, const char *text, char **why)
{
    const char *path = strchr(text, ':');

    if (!strcmp(text, "none") || !strcmp(text, "stdio") ||
        (path && g_path_is_absolute(path + 1) &&
         (g_str_has_prefix(text, "file:") || g_str_has_prefix(text, "socket:")))) {
        return set_text(place, text, why);
    }
    *why = g_strdup_printf("“%s” is not none, stdio, file:/PATH or socket:/PATH", text);
    return false;
}

bool
config_key_set(const Key *key, void *object, const char *text, char **why)
{
    void *place = (uint8_t *)object + key->offset;
    int index;

    switch (key->type) {
    case KEY_BOOL:
        return set_bool(place, text, why);
    case KEY_COUNT:
        return set_count(key, place, text, why);
    case KEY_SIZE:
        return set_size(key, place, text, why);
    case KEY_TEXT:
        return set_text(place, text, why);
    case KEY_PATH:
        return set_path(place, text, why);
    case KEY_CHOICE:
        index = word_index(key->words, text, why);
        if (index >= 0)
            *(unsigned *)place = index;
        return index >= 0;
    case KEY_WORD:
        if (word_index(key->words, text, why) < 0)
            return false;
        replace_text(place, text);
        return true;
    case KEY_PIXELS:
        return set_pixels(key, place, text, why);
    case KEY_MAC:
        return set_mac(place, text, why);
    case KEY_UUID:
        return set_uuid(place, text, why);
    case KEY_USB_PORT:
        return set_usb_port(place, text, why);
    case KEY_SERIAL:
        return set_serial(place, text, why);
    }
    g_assert_not_reached();
}

void
config_keys_set_defaults(const KeyGroup *group, void *object)
{
    for (const Key *key = group->keys; key->name; key++) {
        g_autofree char *why = NULL;
        if (key->fallback)
            g_assert(config_key_set(key, object, key->fallback, &why));
    }
}

void
config_keys_set_all_defaults(DesktopConfig *config)
{
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++)
        if (!groups[i].size)
            config_keys_set_defaults(&groups[i], config);
}
