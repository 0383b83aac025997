/* SPDX-License-Identifier: Apache-2.0 */
/* Type-ahead: whole and in order, at a keyboard's pace, bounded, and nothing that sticks. */
#include "vmm/board/type_ahead.h"

#include <string.h>

#define START (100 * CLOCK_SECOND)

static bool
add(TypeAhead *ahead, unsigned key, bool down)
{
    return type_ahead_add(ahead, (TypeAheadKey){key, down});
}

static void
expect(TypeAhead *ahead, int64_t now, unsigned key, bool down)
{
    TypeAheadKey first;

    g_assert_true(type_ahead_first(ahead, &first));
    g_assert_cmpuint(first.key, ==, key);
    g_assert_cmpint(first.down, ==, down);
    type_ahead_take(ahead, now);
}

static void
expect_nothing(const TypeAhead *ahead)
{
    TypeAheadKey first;

    g_assert_false(type_ahead_first(ahead, &first));
    g_assert_cmpint(type_ahead_due(ahead), ==, CLOCK_NEVER);
}

/* Round the ring some times. */
static void
test_order(void)
{
    TypeAhead ahead = {0};

    expect_nothing(&ahead);
    for (unsigned round = 0; round < 12; round++) {
        for (unsigned i = 0; i < 500; i++)
            g_assert_true(add(&ahead, i % 100, true) && add(&ahead, i % 100, false));
        for (unsigned i = 0; i < 500; i++) {
            expect(&ahead, START, i % 100, true);
            expect(&ahead, START, i % 100, false);
        }
        expect_nothing(&ahead);
    }
}

static void
test_pace(void)
{
    TypeAhead ahead = {0};
    int64_t now = START;

    for (unsigned i = 0; i < 1000; i++)
        g_assert_true(add(&ahead, i / 2 % 100, i % 2 == 0));
    for (unsigned i = 0; i < 1000; i++) {
        int64_t due = type_ahead_due(&ahead);
        g_assert_cmpint(due <= START, ==, i < TYPE_AHEAD_AT_ONCE);
        now = MAX(now, due);
        expect(&ahead, now, i / 2 % 100, i % 2 == 0);
    }
    g_assert_cmpint(now - START, ==, (1000 - TYPE_AHEAD_AT_ONCE) * TYPE_AHEAD_INTERVAL);
    /* whoever comes late makes up for some of it, not for all */
    now += CLOCK_SECOND;
    for (unsigned i = 0; i <= TYPE_AHEAD_AT_ONCE; i++) {
        g_assert_true(add(&ahead, i, true));
        g_assert_cmpint(type_ahead_due(&ahead) <= now, ==, i < TYPE_AHEAD_AT_ONCE);
        expect(&ahead, now, i, true);
    }
}

static void
test_what_changes_nothing(void)
{
    TypeAhead ahead = {0};

    g_assert_false(add(&ahead, 30, false)); /* is up */
    g_assert_true(add(&ahead, 30, true));
    g_assert_false(add(&ahead, 30, true)); /* repeats */
    g_assert_false(add(&ahead, KEY_CNT, true));
    g_assert_false(add(&ahead, 0xffff, true));
    expect(&ahead, START, 30, true);
    expect_nothing(&ahead);
    type_ahead_clear(&ahead);
    g_assert_false(add(&ahead, 30, false)); /* whoever was told is gone */
}

/* As much as there is room for, by whoever does not stop: what the guest believes to be down in the end is nothing. */
static void
test_nothing_sticks(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    TypeAhead ahead = {0};
    bool down[KEY_CNT] = {false};
    TypeAheadKey key;
    unsigned taken = 0;

    g_assert_true(add(&ahead, 42, true));
    for (unsigned i = 0; i < 100000; i++)
        add(&ahead, g_rand_int_range(random, 0, KEY_CNT), g_rand_boolean(random));
    g_assert_cmpuint(ahead.n + ahead.n_down, <=, TYPE_AHEAD_MAX);
    g_assert_cmpuint(ahead.n + ahead.n_down, >, TYPE_AHEAD_MAX - 2);
    for (unsigned i = 0; i < KEY_CNT; i++)
        add(&ahead, i, false);
    g_assert_cmpuint(ahead.n_down, ==, 0);
    for (; type_ahead_first(&ahead, &key); taken++) {
        g_assert_true(down[key.key] != key.down);
        down[key.key] = key.down;
        type_ahead_take(&ahead, START);
    }
    g_assert_cmpuint(taken, >=, TYPE_AHEAD_MAX - 2);
    for (unsigned i = 0; i < KEY_CNT; i++)
        g_assert_false(down[i]);
}

static bool
load(const GByteArray *bytes, TypeAhead *ahead)
{
    g_autoptr(GError) error = NULL;
    bool good = state_load(&type_ahead_state, ahead, 1, bytes->data, bytes->len, &error);

    g_assert_true(good || g_error_matches(error, STATE_ERROR, STATE_ERROR_MALFORMED));
    return good;
}

static void
test_saved(void)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    TypeAhead ahead = {0}, other = {0};

    for (unsigned i = 0; i < 5000; i++) { /* past the end of the ring */
        add(&ahead, 30, i % 2 == 0);
        if (i < 4990)
            type_ahead_take(&ahead, START);
    }
    g_assert_true(add(&ahead, 31, true));
    state_save(&type_ahead_state, &ahead, bytes);
    g_assert_true(load(bytes, &other));
    g_assert_cmpuint(other.n_down, ==, 0);
    for (unsigned i = 0; i < 10; i++)
        expect(&other, START, 30, i % 2 == 0);
    expect(&other, START, 31, true);
    expect(&other, START, 31, false); /* nobody holds it any more */
    expect_nothing(&other);

    /* hostile: a first or a number beyond the ring, keys that there are not, no place for those that are down */
    const size_t ring = sizeof(ahead.waiting);
    const struct {
        size_t at;
        uint8_t byte;
    } wrong[] = {{ring + 1, 0x10}, {ring + 3, 0x10}, {ahead.first * 2 + 1, 0x7f}};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        uint8_t right = bytes->data[wrong[i].at];
        bytes->data[wrong[i].at] = wrong[i].byte;
        g_assert_false(load(bytes, &other));
        bytes->data[wrong[i].at] = right;
    }
    bytes->data[ring + 2] = 0xff;
    bytes->data[ring + 3] = 0x0f;
    g_assert_true(load(bytes, &other)); /* 4095, and one that is down */
    bytes->data[bytes->len - 1] = 0xff;
    g_assert_false(load(bytes, &other));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/type-ahead/order", test_order);
    g_test_add_func("/type-ahead/pace", test_pace);
    g_test_add_func("/type-ahead/what-changes-nothing", test_what_changes_nothing);
    g_test_add_func("/type-ahead/nothing-sticks", test_nothing_sticks);
    g_test_add_func("/type-ahead/saved", test_saved);
    return g_test_run();
}
