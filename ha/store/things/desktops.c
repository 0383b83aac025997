/* SPDX-License-Identifier: Apache-2.0 */
/* Desktops: what each is made of, and what people want it to be. What it is at the moment is its host's to know. */
#include "ha/store/things/machine.h"

#include "ha/store/error.h"

#include <string.h>

static const StoreColumn columns[] = {
    {"name", STORE_COLUMN_TEXT},   {"template", STORE_COLUMN_TEXT}, {"pool", STORE_COLUMN_TEXT},
    {"user", STORE_COLUMN_TEXT},   {"host", STORE_COLUMN_TEXT},     {"wanted", STORE_COLUMN_TEXT},
    {"policy", STORE_COLUMN_TEXT}, STORE_MACHINE_COLUMNS,           {NULL},
};
static const StoreColumn nic_columns[] = {{"network", STORE_COLUMN_TEXT}, {"mac", STORE_COLUMN_TEXT}, {NULL}};
static const StorePart parts[] = {
    {"disks", "desktop_disks", "place", store_disk_columns},
    {"nics", "desktop_nics", "place", nic_columns},
    {NULL},
};
static const StoreUse uses[] = {
    {"the user", "SELECT name FROM users WHERE id = (SELECT user FROM desktops WHERE id = ?1)"},
    {"the users it is assigned to",
     "SELECT name FROM users WHERE id IN (SELECT user FROM assignments WHERE desktop = ?1) ORDER BY name_key"},
    {"the groups it is assigned to",
     "SELECT name FROM groups WHERE id IN (SELECT \"group\" FROM assignments WHERE desktop = ?1) ORDER BY name_key"},
    {NULL},
};
static const char *const filters[] = {"template", "pool", "user", "host", "wanted", "policy", NULL};
const StoreKind store_kind_desktop = {"desktop", "desktops", "name", "name_key", columns, parts, uses, filters};

static const char *const wanted_words[] = {"stopped", "running", "suspended", NULL};

#define POLICY \
    {"policy", "what its users may; else the pool's", STORE_FIELD_UUID, STORE_FIELD_CLEARABLE, .to = &store_kind_policy}

static const StoreField nic_fields[] = {
    STORE_CARD_NETWORK,
    {"mac", "its address; that of no other card", STORE_FIELD_MAC},
    {NULL},
};
static const StoreField create_fields[] = {
    STORE_NEW_ID("desktop"),
    STORE_THING_NAME(STORE_FIELD_REQUIRED),
    {"template", "what it was made from", STORE_FIELD_UUID, .to = &store_kind_template},
    {"pool", "what it belongs to", STORE_FIELD_UUID, .to = &store_kind_pool},
    POLICY,
    STORE_MACHINE_FIELDS(STORE_FIELD_REQUIRED, "desktop", nic_fields),
    {NULL},
};
static const StoreField change_fields[] = {
    STORE_OLD_ID("desktop"), STORE_THING_NAME(0), POLICY, STORE_MACHINE_FIELDS(0, "desktop", nic_fields), {NULL},
};
static const StoreField want_fields[] = {
    STORE_OLD_ID("desktop"),
    {"wanted", "what it is to be", STORE_FIELD_WORD, STORE_FIELD_REQUIRED, .words = wanted_words},
    {NULL},
};
static const StoreField place_fields[] = {
    STORE_OLD_ID("desktop"),
    {"host", "where it runs; empty: nowhere", STORE_FIELD_TOKEN, STORE_FIELD_REQUIRED | STORE_FIELD_CLEARABLE, 1, 63,
     .to = &store_kind_host},
    {NULL},
};
static const StoreField own_fields[] = {STORE_OLD_ID("desktop"), {NULL}};

/* No two cards have one address. */
static bool
address_is_free(StoreApply *apply, const char *mac, GError **error)
{
    static const char sql[] =
        "SELECT name FROM desktops WHERE id = (SELECT desktop FROM desktop_nics WHERE mac = ?1 AND desktop <> ?2)";
    g_autofree char *taken = NULL;

    if (!store_database_text(apply->database, &taken, error, sql, "ss", mac, apply->thing))
        return false;
    return !taken || store_refuse(error, STORE_ERROR_EXISTS, "nics: the desktop “%s” has the address %s", taken, mac);
}

static bool
addresses_are_free(StoreApply *apply, GError **error)
{
    g_autoptr(GVariant) cards = g_variant_lookup_value(apply->command->fields, "nics", G_VARIANT_TYPE("aa{sv}"));

    for (gsize i = 0; cards && i < g_variant_n_children(cards); i++) {
        g_autoptr(GVariant) card = g_variant_get_child_value(cards, i);
        const char *mac = NULL;
        if (g_variant_lookup(card, "mac", "&s", &mac) && !address_is_free(apply, mac, error))
            return false;
    }
    return true;
}

/* A desktop of a pool is made only while there is room for it. */
static bool
pool_has_room(StoreApply *apply, GError **error)
{
    const char *pool = store_apply_text(apply, "pool");
    int64_t room;

    if (!pool)
        return true;
    if (!store_database_number(apply->database, &room, 1, error,
                               "SELECT size - (SELECT count(*) FROM desktops WHERE pool = ?1) FROM pools WHERE id = ?1",
                               "s", pool))
        return false;
    return room > 0 || store_refuse(error, STORE_ERROR_FULL, "pool: it has all the desktops it may have");
}

static bool
may_change(StoreApply *apply, GError **error)
{
    return store_machine_may_be(apply, error) && addresses_are_free(apply, error);
}

/*
 * A disk's bytes lie on the host under its place in the list. So a disk that there is stays where it is, as what it is: it
 * grows, and others follow it. Drives come and go behind the last disk; what is in them changes anywhere.
 */
static bool
disks_stay(StoreApply *apply, GError **error)
{
    g_autoptr(GVariant) disks = g_variant_lookup_value(apply->command->fields, "disks", G_VARIANT_TYPE("aa{sv}"));
    gsize n = disks ? g_variant_n_children(disks) : 0;
    int64_t lost = 0;

    if (disks && !store_database_number(
                     apply->database, &lost, 0, error,
                     "SELECT count(*) FROM desktop_disks WHERE desktop = ?1 AND type = 'disk' AND place >= ?2", "si",
                     apply->thing, (int64_t)n))
        return false;
    for (gsize i = 0; !lost && i < n; i++) {
        g_autoptr(GVariant) disk = g_variant_get_child_value(disks, i);
        const char *type = "", *image = "";
        int64_t size = 0;
        g_variant_lookup(disk, "type", "&s", &type);
        g_variant_lookup(disk, "image", "&s", &image);
        g_variant_lookup(disk, "size", "x", &size);
        if (!store_database_number(
                apply->database, &lost, 0, error,
                "SELECT count(*) FROM desktop_disks WHERE desktop = ?1 AND place = ?2 AND "
                "type = 'disk' AND (?3 <> 'disk' OR ifnull(image, '') <> ?4 OR ifnull(size, 0) > ?5)",
                "sissi", apply->thing, (int64_t)i, type, image, size))
            return false;
    }
    return !lost ||
           store_refuse(error, STORE_ERROR_RULE,
                        "disks: a disk stays at its place, as large as it is or larger, with what it began as");
}

static bool
may_create(StoreApply *apply, GError **error)
{
    return pool_has_room(apply, error) && may_change(apply, error);
}

static bool
may_change_disks(StoreApply *apply, GError **error)
{
    return may_change(apply, error) && disks_stay(apply, error);
}

/* It keeps what its user had there, so it leaves its pool, which would hand it to the next who comes. */
static bool
give_back(StoreApply *apply, GError **error)
{
    g_autofree char *pool = NULL;

    return store_database_text(apply->database, &pool, error, "SELECT pool FROM desktops WHERE id = ?1", "s",
                               apply->thing) &&
           store_database_run(apply->database, error, "UPDATE desktops SET user = NULL, pool = NULL WHERE id = ?1", "s",
                              apply->thing) &&
           (!pool || store_apply_changed(apply, &store_kind_pool, pool, STORE_CHANGE_CHANGED, error));
}

/* clang-format off */
const StoreCommandKind store_desktop_commands[] = {
    {"desktop.create", "makes a desktop",
     &store_kind_desktop, STORE_MAKES, STORE_ROLE_OPERATOR,
     .fields = create_fields, .check = may_create, .apply = store_machine_fits},
    {"desktop.change", "what a desktop is made of, from its next start on",
     &store_kind_desktop, STORE_CHANGES, STORE_ROLE_OPERATOR,
     .fields = change_fields, .check = may_change_disks, .apply = store_machine_fits},
    {"desktop.want", "has a desktop started, stopped or suspended",
     &store_kind_desktop, STORE_CHANGES, STORE_ROLE_OPERATOR, STORE_OWN_DESKTOP, want_fields, .aside = true},
    {"desktop.place", "says on which host a desktop is",
     &store_kind_desktop, STORE_CHANGES, STORE_ROLE_DAEMON, .fields = place_fields, .aside = true},
    {"desktop.release", "takes a desktop of a pool back from its user; it is in no pool then, since it is as they left it",
     &store_kind_desktop, STORE_CHANGES, STORE_ROLE_ADMIN, .fields = own_fields, .apply = give_back, .aside = true},
    {"desktop.delete", "a desktop that nobody has",
     &store_kind_desktop, STORE_REMOVES, STORE_ROLE_OPERATOR, .fields = own_fields},
    {NULL},
};
