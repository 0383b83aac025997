/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/spec.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define NO_DEVICE "-1,-1,-1,-1,0"

static char *
text(GVariant *row, const char *key)
{
    char *value = NULL;

    g_variant_lookup(row, key, "s", &value);
    return value;
}

static char *
text_or(GVariant *row, const char *key, const char *otherwise)
{
    char *value = text(row, key);

    return value ? value : g_strdup(otherwise);
}

static int64_t
number(GVariant *row, const char *key, int64_t otherwise)
{
    gint64 value = otherwise;

    g_variant_lookup(row, key, "x", &value);
    return value;
}

static bool
flag(GVariant *row, const char *key)
{
    gboolean value = FALSE;

    g_variant_lookup(row, key, "b", &value);
    return value;
}

static const char *const way_words[] = {
    [WAY_NONE] = "none",
    [WAY_TO_DESKTOP] = "to-desktop",
    [WAY_FROM_DESKTOP] = "from-desktop",
    [WAY_BOTH] = "both",
};

Way
way_parse(const char *word)
{
    for (unsigned i = 0; word && i < G_N_ELEMENTS(way_words); i++)
        if (!strcmp(word, way_words[i]))
            return (Way)i;
    return WAY_NONE;
}

const char *
way_word(Way way)
{
    return way_words[way];
}

static Wanted
parse_wanted(const char *word)
{
    if (word && !strcmp(word, "running"))
        return WANTED_RUNNING;
    return word && !strcmp(word, "suspended") ? WANTED_SUSPENDED : WANTED_STOPPED;
}

static void
disk_free(void *data)
{
    SpecDisk *disk = data;

    g_free(disk->image);
    g_free(disk);
}

static void *
disk_new(GVariant *row)
{
    SpecDisk *disk = g_new0(SpecDisk, 1);
    g_autofree char *type = text(row, "type");

    disk->cdrom = type && !strcmp(type, "cdrom");
    disk->image = text(row, "image");
    disk->size = (uint64_t)MAX(number(row, "size", 0), 0);
    return disk;
}

static void
card_free(void *data)
{
    SpecCard *card = data;

    g_free(card->network);
    g_free(card->mac);
    g_free(card);
}

static void *
card_new(GVariant *row)
{
    SpecCard *card = g_new0(SpecCard, 1);

    card->network = text_or(row, "network", "");
    card->mac = text(row, "mac");
    return card;
}

static GPtrArray *
parts(GVariant *row, const char *key, void *(*make)(GVariant *), GDestroyNotify destroy)
{
    GPtrArray *array = g_ptr_array_new_with_free_func(destroy);
    g_autoptr(GVariant) list = g_variant_lookup_value(row, key, G_VARIANT_TYPE("aa{sv}"));

    for (gsize i = 0; list && i < g_variant_n_children(list); i++) {
        g_autoptr(GVariant) part = g_variant_get_child_value(list, i);
        g_ptr_array_add(array, make(part));
    }
    return array;
}

static void
take_policy(Spec *spec, GVariant *policy)
{
    g_autofree char *clipboard = text(policy, "clipboard"), *files = text(policy, "file_transfer");

    spec->usb = text(policy, "usb");
    if (spec->usb && !strcmp(spec->usb, NO_DEVICE))
        g_clear_pointer(&spec->usb, g_free);
    spec->clipboard = way_parse(clipboard);
    spec->file_transfer = way_parse(files);
}

Spec *
spec_new(GVariant *row, GVariant *policy)
{
    Spec *spec = g_new0(Spec, 1);
    g_autofree char *wanted = text(row, "wanted");

    spec->id = text_or(row, "id", "");
    spec->name = text_or(row, "name", spec->id);
    spec->template = text(row, "template");
    spec->pool = text(row, "pool");
    spec->user = text(row, "user");
    spec->host = text(row, "host");
    spec->wanted = parse_wanted(wanted);
    spec->memory = (uint64_t)number(row, "memory", 16) * MIB;
    spec->vcpus = (unsigned)number(row, "vcpus", 1);
    spec->monitors = (unsigned)number(row, "monitors", 1);
    spec->firmware = text_or(row, "firmware", "uefi");
    spec->guest_os = text_or(row, "guest_os", "linux");
    spec->secure_boot = flag(row, "secure_boot");
    spec->tpm = flag(row, "tpm");
    spec->cpu_weight = (uint64_t)number(row, "cpu_weight", 0);
    spec->cpu_percent = (uint64_t)number(row, "cpu_percent", 0);
    spec->disk_read_bytes = (uint64_t)number(row, "disk_read_mib", 0) * MIB;
    spec->disk_write_bytes = (uint64_t)number(row, "disk_write_mib", 0) * MIB;
    spec->disk_read_ops = (uint64_t)number(row, "disk_read_ops", 0);
    spec->disk_write_ops = (uint64_t)number(row, "disk_write_ops", 0);
    spec->disks = parts(row, "disks", disk_new, disk_free);
    spec->cards = parts(row, "nics", card_new, card_free);
    if (policy)
        take_policy(spec, policy);
    return spec;
}

void
spec_free(Spec *spec)
{
    if (!spec)
        return;
    g_free(spec->id);
    g_free(spec->name);
    g_free(spec->template);
    g_free(spec->pool);
    g_free(spec->user);
    g_free(spec->host);
    g_free(spec->firmware);
    g_free(spec->guest_os);
    g_free(spec->usb);
    g_ptr_array_unref(spec->disks);
    g_ptr_array_unref(spec->cards);
    g_free(spec);
}
