/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery codes: as they are made, and as people type them. */
#include "appliance/sign-in/recovery.h"

#include <string.h>

static void
test_new(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (unsigned i = 0; i < 1000; i++) {
        g_autoptr(SecretText) code = recovery_code_new();
        char *digest = recovery_code_digest(code);

        g_assert_cmpuint(strlen(code), ==, 19);
        g_assert_true(code[4] == '-' && code[9] == '-' && code[14] == '-');
        g_assert_null(strpbrk(code, "ilouILOU"));
        g_assert_cmpuint(strlen(digest), ==, RECOVERY_DIGEST_LENGTH);
        g_assert_true(g_hash_table_add(seen, digest));
    }
}

static void
test_typed(void)
{
    static const char *const same[] = {
        "0123-4567-89ab-cdef",    "0123456789abcdef",    "0123 4567 89AB CDEF",
        " oL23-4567--89ab-CDEF ", "OI23-4567-89ab-cdef",
    };
    static const char *const none[] = {
        "",
        "-",
        "0123-4567-89ab-cde",
        "0123-4567-89ab-cdef0",
        "0123-4567-89ab-cdeu",
        "0123-4567-89ab-cde!",
        "0123_4567_89ab_cdef",
        "0123-4567-89ab-cd\xc3\xa9",
        "123456",
    };
    g_autofree char *right = recovery_code_digest(same[0]);

    for (unsigned i = 0; i < G_N_ELEMENTS(same); i++) {
        g_autofree char *digest = recovery_code_digest(same[i]);
        g_assert_cmpstr(digest, ==, right);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(none); i++)
        g_assert_null(recovery_code_digest(none[i]));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/recovery/new", test_new);
    g_test_add_func("/sign-in/recovery/typed", test_typed);
    return g_test_run();
}
