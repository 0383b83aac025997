/* SPDX-License-Identifier: Apache-2.0 */
/* Texts compared and digested; random bytes that are. */
#include "appliance/sign-in/secret.h"

#include <string.h>

static void
test_same(void)
{
    g_assert_true(secret_same("", ""));
    g_assert_true(secret_same("abc", "abc"));
    g_assert_false(secret_same("abc", "abd"));
    g_assert_false(secret_same("\x80"
                               "bc",
                               "abc"));
    g_assert_false(secret_same("abc", "abcd"));
    g_assert_false(secret_same("abc", ""));
}

static void
test_random(void)
{
    uint8_t a[64], b[64], zero[64] = {0};

    secret_random(a, sizeof(a));
    secret_random(b, sizeof(b));
    g_assert_true(memcmp(a, b, sizeof(a)) != 0);
    g_assert_true(memcmp(a + 32, zero, 32) != 0);
}

static void
test_text(void)
{
    g_autoptr(SecretText) none = secret_text_new(NULL);
    g_autoptr(SecretText) copy = secret_text_new("abc");
    g_autofree char *digest = secret_digest(copy);

    g_assert_null(none);
    g_assert_cmpstr(digest, ==, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); /* FIPS 180-4 */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/secret/same", test_same);
    g_test_add_func("/sign-in/secret/random", test_random);
    g_test_add_func("/sign-in/secret/text", test_text);
    return g_test_run();
}
