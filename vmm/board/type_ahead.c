/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/board/type_ahead.h"

#include <string.h>

#define DOWN 0x8000

G_STATIC_ASSERT(KEY_CNT <= DOWN);
G_STATIC_ASSERT(KEY_CNT < TYPE_AHEAD_MAX); /* all keys that there are can be down, and come up */

static bool
is_down(const TypeAhead *ahead, uint16_t key)
{
    return ahead->down[key / 8] >> (key % 8) & 1;
}

static void
set_down(TypeAhead *ahead, uint16_t key, bool down)
{
    ahead->down[key / 8] ^= 1 << (key % 8);
    ahead->n_down += down ? 1 : -1;
}

bool
type_ahead_add(TypeAhead *ahead, TypeAheadKey key)
{
    if (key.key >= KEY_CNT || is_down(ahead, key.key) == key.down)
        return false;
    /* one place for it, one for its going up, one for each that is down */
    if (key.down && ahead->n + ahead->n_down + 2 > TYPE_AHEAD_MAX)
        return false;
    ahead->waiting[(ahead->first + ahead->n++) % TYPE_AHEAD_MAX] = key.key | (key.down ? DOWN : 0);
    set_down(ahead, key.key, key.down);
    return true;
}

bool
type_ahead_first(const TypeAhead *ahead, TypeAheadKey *key)
{
    uint16_t first = ahead->waiting[ahead->first];

    if (!ahead->n)
        return false;
    *key = (TypeAheadKey){first & ~DOWN, first & DOWN};
    return true;
}

int64_t
type_ahead_due(const TypeAhead *ahead)
{
    return ahead->n ? ahead->paid_until - (TYPE_AHEAD_AT_ONCE - 1) * TYPE_AHEAD_INTERVAL : CLOCK_NEVER;
}

void
type_ahead_take(TypeAhead *ahead, int64_t now)
{
    g_assert(ahead->n);
    ahead->first = (ahead->first + 1) % TYPE_AHEAD_MAX;
    ahead->n--;
    ahead->paid_until = MAX(ahead->paid_until, now) + TYPE_AHEAD_INTERVAL;
}

void
type_ahead_clear(TypeAhead *ahead)
{
    ahead->first = ahead->n = ahead->n_down = 0;
    memset(ahead->down, 0, sizeof(ahead->down));
}

/*
 * What it says of itself holds, whoever wrote it: the places kept are there, and every key is one. Whoever held keys down is not
 * there any more.
 */
static bool
after_load(void *object, GError **error)
{
    TypeAhead *ahead = object;
    bool good = ahead->first < TYPE_AHEAD_MAX;

    ahead->n_down = 0;
    for (unsigned key = 0; key < KEY_CNT; key++)
        ahead->n_down += is_down(ahead, key);
    good &= ahead->n + ahead->n_down <= TYPE_AHEAD_MAX;
    for (unsigned i = 0; good && i < ahead->n; i++)
        good = (ahead->waiting[(ahead->first + i) % TYPE_AHEAD_MAX] & ~DOWN) < KEY_CNT;
    if (!good)
        g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "more keys wait than there is room for");
    for (unsigned key = 0; good && key < KEY_CNT; key++)
        type_ahead_add(ahead, (TypeAheadKey){key, false});
    return good;
}

/* The ring as it lies in memory, which is in the stream's own byte order. */
G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN);
static const StateField fields[] = {
    STATE_BYTES(TypeAhead, waiting, 1),
    STATE_UINT(TypeAhead, first, 1),
    STATE_UINT(TypeAhead, n, 1),
    STATE_BYTES(TypeAhead, down, 1),
    STATE_END,
};
const StateTable type_ahead_state = {
    .name = "type-ahead", .version = 1, .oldest = 1, .fields = fields, .after_load = after_load};
