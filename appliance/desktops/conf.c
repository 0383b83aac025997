/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A GKeyFile keeps the order in which keys come and escapes what people wrote, so equal desktops give equal texts.
 */
#include "appliance/desktops/conf.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)
/* Redirection takes ports of the controller; the tablet, the keyboard, sticks and drives have the rest. */
#define USB_PORTS 31
#define USB_REDIRECT 8

char *
conf_disk_fd(unsigned place)
{
    return g_strdup_printf("disk%u", place);
}

char *
conf_card_fd(unsigned place)
{
    return g_strdup_printf("net%u", place);
}

char *
conf_disk_name(const Spec *spec, unsigned place)
{
    const SpecDisk *disk = spec->disks->pdata[place];

    return g_strdup_printf("%s%u", disk->cdrom ? "cdrom" : "disk", place);
}

char *
conf_card_name(unsigned place)
{
    return g_strdup_printf("net%u", place);
}

static void
add_desktop(GKeyFile *file, const Spec *spec)
{
    g_autofree char *memory = g_strdup_printf("%" G_GUINT64_FORMAT "M", spec->memory / MIB);

    g_key_file_set_string(file, "desktop", "name", spec->name);
    g_key_file_set_string(file, "desktop", "uuid", spec->id);
    g_key_file_set_string(file, "desktop", "memory", memory);
    g_key_file_set_uint64(file, "desktop", "vcpus", spec->vcpus);
    g_key_file_set_string(file, "desktop", "guest-os", spec->guest_os);
}

static void
add_boot(GKeyFile *file, const ConfRun *run)
{
    bool uefi = !strcmp(run->spec->firmware, "uefi");

    g_key_file_set_string(file, "boot", "firmware", run->spec->firmware);
    if (!uefi)
        return;
    g_key_file_set_boolean(file, "boot", "secure-boot", run->spec->secure_boot);
    g_key_file_set_string(file, "boot", "variables", run->variables);
}

static void
add_disk(GKeyFile *file, const ConfRun *run, unsigned place)
{
    const SpecDisk *disk = run->spec->disks->pdata[place];
    g_autofree char *name = conf_disk_name(run->spec, place);
    g_autofree char *group = g_strdup_printf("%s %s", disk->cdrom ? "cdrom" : "disk", name);
    g_autofree char *fd = conf_disk_fd(place);

    if (!disk->cdrom || run->discs[place])
        g_key_file_set_string(file, group, "fd", fd);
    g_key_file_set_uint64(file, group, "boot-index", place + 1);
    if (!disk->cdrom)
        g_key_file_set_string(file, group, "serial", name);
}

static void
add_card(GKeyFile *file, const ConfCard *card, unsigned place)
{
    g_autofree char *name = conf_card_name(place);
    g_autofree char *group = g_strdup_printf("net %s", name);
    g_autofree char *fd = conf_card_fd(place);

    g_key_file_set_string(file, group, "backend", card->backend);
    if (!strcmp(card->backend, "tap"))
        g_key_file_set_string(file, group, "fd", fd);
    if (card->mac)
        g_key_file_set_string(file, group, "mac", card->mac);
    if (card->mtu)
        g_key_file_set_uint64(file, group, "mtu", card->mtu);
}

static void
add_usb(GKeyFile *file, const Spec *spec)
{
    g_key_file_set_uint64(file, "usb", "ports", USB_PORTS);
    g_key_file_set_uint64(file, "usb", "redirect", spec->usb ? USB_REDIRECT : 0);
    if (spec->usb)
        g_key_file_set_string(file, "usb", "policy", spec->usb);
}

static void
add_display(GKeyFile *file, const Spec *spec)
{
    g_key_file_set_uint64(file, "display", "scanouts", spec->monitors);
    g_key_file_set_string(file, "spice", "fd", CONF_SPICE_FD);
    /* Who helps looks on beside who sits there, and a connection that is lost unnoticed keeps nobody out. */
    g_key_file_set_boolean(file, "spice", "several-clients", true);
    g_key_file_set_string(file, "spice", "clipboard", way_word(spec->clipboard));
    /* Guests' agents take files, and give none. */
    g_key_file_set_boolean(file, "spice", "file-transfer", spec->file_transfer & WAY_TO_DESKTOP);
}

char *
conf_text(const ConfRun *run)
{
    g_autoptr(GKeyFile) file = g_key_file_new();

    add_desktop(file, run->spec);
    add_boot(file, run);
    for (unsigned i = 0; i < run->spec->disks->len; i++)
        add_disk(file, run, i);
    for (unsigned i = 0; i < run->spec->cards->len; i++)
        add_card(file, &run->cards[i], i);
    add_usb(file, run->spec);
    add_display(file, run->spec);
    if (run->tpm)
        g_key_file_set_string(file, "tpm", "fd", CONF_TPM_FD);
    g_key_file_set_string(file, "control", "fd", CONF_CONTROL_FD);
    g_key_file_set_string(file, "control", "end", CONF_END_FD);
    if (run->uid)
        g_key_file_set_uint64(file, "sandbox", "uid", run->uid);
    return g_key_file_to_data(file, NULL, NULL);
}
