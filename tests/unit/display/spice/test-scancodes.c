/* SPDX-License-Identifier: Apache-2.0 */
/* Scan codes: keys come out whole, whatever comes before them. */
#include "display/spice/scancodes.h"

#include <linux/input-event-codes.h>

#include <glib.h>

static unsigned
decode(const uint8_t *bytes, size_t n, ScanKey *keys)
{
    ScanDecoder decoder = {0};
    unsigned found = 0;

    for (size_t i = 0; i < n; i++)
        found += scan_decode(&decoder, bytes[i], &keys[found]);
    return found;
}

static void
test_keys(void)
{
    static const struct {
        uint8_t bytes[6];
        size_t n;
        uint16_t key;
        bool down;
    } cases[] = {
        {{0x01}, 1, KEY_ESC, true},
        {{0x9e}, 1, KEY_A, false},
        {{0x53}, 1, KEY_KPDOT, true},
        {{0x56}, 1, KEY_102ND, true},
        {{0x58}, 1, KEY_F12, true},
        {{0x54}, 1, KEY_SYSRQ, true},
        {{0x7d}, 1, KEY_YEN, true},
        {{0xe0, 0x1d}, 2, KEY_RIGHTCTRL, true},
        {{0xe0, 0x9d}, 2, KEY_RIGHTCTRL, false},
        {{0xe0, 0x4b}, 2, KEY_LEFT, true},
        {{0xe0, 0xdb}, 2, KEY_LEFTMETA, false},
        {{0xe0, 0x35}, 2, KEY_KPSLASH, true},
        {{0x35}, 1, KEY_SLASH, true},
        {{0xe0, 0x46}, 2, KEY_PAUSE, true},
        {{0xe1, 0x1d, 0x45}, 3, KEY_PAUSE, true},
        {{0xe1, 0x9d, 0xc5}, 3, KEY_PAUSE, false},
        {{0xe0, 0x2a, 0xe0, 0x37}, 4, KEY_SYSRQ, true}, /* a fake shift in front */
        {{0xe0, 0xb7, 0xe0, 0xaa}, 4, KEY_SYSRQ, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ScanKey keys[6];
        g_assert_cmpuint(decode(cases[i].bytes, cases[i].n, keys), ==, 1);
        g_assert_cmpuint(keys[0].key, ==, cases[i].key);
        g_assert_cmpint(keys[0].down, ==, cases[i].down);
    }
}

/* No two codes are the same key, but for those that are one on real keyboards too. */
static void
test_codes_are_keys_of_their_own(void)
{
    unsigned uses[KEY_MAX + 1] = {0};

    for (unsigned prefix = 0; prefix < 2; prefix++) {
        for (uint8_t code = 0; code < 0x80; code++) {
            uint8_t bytes[] = {0xe0, code};
            ScanKey keys[2];
            if (code != 0x60 && code != 0x61 && decode(bytes + !prefix, 1 + prefix, keys)) {
                g_assert_cmpuint(keys[0].key, <=, KEY_MAX);
                uses[keys[0].key]++;
            }
        }
    }
    for (unsigned key = 0; key <= KEY_MAX; key++)
        g_assert_cmpuint(uses[key], <=, key == KEY_SYSRQ ? 2 : 1);
}

/* Nonsense yields no key and spoils none that follows. */
static void
test_nonsense(void)
{
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            const uint8_t bytes[] = {(uint8_t)a, (uint8_t)b, 0, 0, 0, 0x1e};
            ScanKey keys[6];
            unsigned n = decode(bytes, sizeof bytes, keys);
            g_assert_cmpuint(n, >=, 1);
            g_assert_cmpuint(keys[n - 1].key, ==, KEY_A);
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scancodes/keys", test_keys);
    g_test_add_func("/scancodes/own", test_codes_are_keys_of_their_own);
    g_test_add_func("/scancodes/nonsense", test_nonsense);
    return g_test_run();
}
