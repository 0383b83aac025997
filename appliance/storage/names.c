/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/names.h"

#include <string.h>

#define MAKING "making-"
#define ID_LENGTH 36

bool
name_is_id(const char *text)
{
    if (!text || strlen(text) != ID_LENGTH || !g_uuid_string_is_valid(text))
        return false;
    for (; *text; text++)
        if (g_ascii_isupper(*text))
            return false;
    return true;
}

char *
name_of_image(const char *image)
{
    return g_strconcat("image-", image, NULL);
}

char *
name_of_iso(const char *image)
{
    return g_strconcat("iso-", image, NULL);
}

char *
name_of_disk(const char *desktop, unsigned place)
{
    return g_strdup_printf("disk-%s-%u", desktop, place);
}

char *
name_of_kept(const char *desktop, unsigned place, const char *snapshot)
{
    return g_strdup_printf("kept-%s-%u-%s", desktop, place, snapshot);
}

char *
name_while_made(const char *name)
{
    return g_strconcat(MAKING, name, NULL);
}

const char *
name_being_made(const char *name)
{
    return g_str_has_prefix(name, MAKING) ? name + strlen(MAKING) : NULL;
}

/* Takes what stands at *at, and goes past it. */
static bool
take_word(const char **at, const char *word)
{
    if (!g_str_has_prefix(*at, word))
        return false;
    *at += strlen(word);
    return true;
}

static char *
take_id(const char **at)
{
    g_autofree char *id = g_strndup(*at, ID_LENGTH);

    if (!name_is_id(id))
        return NULL;
    *at += ID_LENGTH;
    return g_steal_pointer(&id);
}

static bool
take_place(const char **at, unsigned *place)
{
    unsigned number = 0, digits = 0;

    for (; g_ascii_isdigit(**at) && digits < 3; (*at)++, digits++)
        number = number * 10 + (unsigned)(**at - '0');
    *place = number;
    return digits && number < STORAGE_PLACES_MAX && !((*at)[-(int)digits] == '0' && digits > 1);
}

static bool
read_first(const char **at, StorageThingKind *kind)
{
    static const char *const words[] = {
        [STORAGE_THING_IMAGE] = "image-",
        [STORAGE_THING_ISO] = "iso-",
        [STORAGE_THING_DISK] = "disk-",
        [STORAGE_THING_SNAPSHOT] = "kept-",
    };

    for (*kind = 0; *kind < G_N_ELEMENTS(words); (*kind)++)
        if (take_word(at, words[*kind]))
            return true;
    return false;
}

bool
name_read(const char *name, StorageThing *thing)
{
    g_autofree char *id = NULL, *snapshot = NULL;
    StorageThingKind kind;
    unsigned place = 0;
    const char *at = name;

    if (!read_first(&at, &kind) || !(id = take_id(&at)))
        return false;
    bool placed = kind == STORAGE_THING_DISK || kind == STORAGE_THING_SNAPSHOT;
    if (placed && !(take_word(&at, "-") && take_place(&at, &place)))
        return false;
    if (kind == STORAGE_THING_SNAPSHOT && !(take_word(&at, "-") && (snapshot = take_id(&at))))
        return false;
    if (*at)
        return false;
    thing->kind = kind;
    thing->id = g_steal_pointer(&id);
    thing->place = place;
    thing->snapshot = g_steal_pointer(&snapshot);
    return true;
}
