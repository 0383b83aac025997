/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes: made, verified, seen to be weak; texts that are none. At the lowest cost, which is enough to tell. */
#include "appliance/sign-in/password.h"

#include <string.h>

#define COST PASSWORD_COST_MIN

static char *
hash_of(const char *password)
{
    g_autoptr(GError) error = NULL;
    char *hash = password_hash(password, COST, &error);

    g_assert_no_error(error);
    return hash;
}

static void
test_round_trip(void)
{
    g_autofree char *hash = hash_of("correct horse battery");
    g_autofree char *again = hash_of("correct horse battery");

    g_assert_true(g_str_has_prefix(hash, "$y$"));
    g_assert_cmpstr(hash, !=, again); /* the salt */
    g_assert_true(password_verify("correct horse battery", hash, COST));
    g_assert_true(password_verify("correct horse battery", again, COST));
    g_assert_false(password_verify("correct horse batterz", hash, COST));
    g_assert_false(password_verify("", hash, COST));
    g_assert_false(password_verify(hash, hash, COST));
}

/* The same letters, composed and not: two keyboards, one password. */
static void
test_normalised(void)
{
    g_autofree char *hash = hash_of("sch\xc3\xb6ne Gr\xc3\xbc\xc3\x9f"
                                    "e");

    g_assert_true(password_verify("scho\xcc\x88ne Gru\xcc\x88\xc3\x9f"
                                  "e",
                                  hash, COST));
    g_assert_false(password_verify("schone Grusse", hash, COST));
}

static void
test_no_hash(void)
{
    static const char *const none[] = {
        "",
        "*",
        "!",
        "x",
        "$",
        "$$$",
        "$y$",
        "$y$j75T$",
        "$y$j75$abc",
        "$1$abcdefgh$abcdefghijklmnopqrstuv",
        "plain text",
        "*0",
        "*1",
        /* a setting without its hash */
        "$y$j75$4iBTfKPnXFkaKMCyTm4ZA.",
        /* characters that crypt(5) excludes */
        "$y$j75$4iBTfKPnXFkaKMCyTm4ZA.$abcdefghijklmnopqrstuvwxyzabcdefghijklmnop:\n",
    };

    g_assert_false(password_verify("a password", NULL, COST));
    for (unsigned i = 0; i < G_N_ELEMENTS(none); i++) {
        g_assert_false(password_hash_is_valid(none[i]));
        g_assert_false(password_verify("a password", none[i], COST));
        g_assert_false(password_verify(none[i], none[i], COST));
    }
}

static void
test_odd_passwords(void)
{
    g_autofree char *longest = g_strnfill(PASSWORD_BYTES_MAX, 'a');
    g_autofree char *too_long = g_strnfill(PASSWORD_BYTES_MAX + 1, 'a');
    g_autofree char *hash = hash_of(longest);
    /* One character of 3 bytes that stands for 18 when it is composed: the longest that grows. */
    g_autofree GString *grows = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(password_verify(longest, hash, COST));
    g_assert_false(password_verify(too_long, hash, COST));
    g_assert_null(password_hash(too_long, COST, &error));
    g_assert_error(error, PASSWORD_ERROR, PASSWORD_ERROR_TEXT);
    g_assert_null(strstr(error->message, "aaa"));
    g_assert_false(password_verify("\xff\xfe", hash, COST));
    for (unsigned i = 0; i < PASSWORD_BYTES_MAX / 3; i++)
        g_string_append(grows, "\xef\xb7\xba");
    g_assert_null(password_hash(grows->str, COST, NULL));
    g_assert_false(password_verify(grows->str, hash, COST));
    g_free(g_string_free(g_steal_pointer(&grows), FALSE));
}

/* Hashes of other programs that make crypt(5) text: they are taken, and made anew when they can be. */
static void
test_foreign(void)
{
    static const char sha512[] =
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
    g_autofree char *hash = hash_of("a long password");

    g_assert_true(password_verify("Hello world!", sha512, COST));
    g_assert_true(password_hash_is_weak(sha512, COST));
    g_assert_false(password_hash_is_weak(hash, COST));
    g_assert_true(password_hash_is_weak(hash, COST + 1));
    g_assert_true(password_hash_is_weak("", COST));
    g_assert_true(password_hash_is_weak("$y$", COST));
}

static void
test_cost(void)
{
    g_autofree char *hash = password_hash("a long password", COST + 1, NULL);

    g_assert_false(password_hash_is_weak(hash, COST)); /* a setting that fell changes nothing */
    g_assert_cmpuint(password_cost_bytes(5), ==, 16 * 1024 * 1024);
    g_assert_cmpuint(password_measure_cost(INT64_MAX / 4, 0), ==, PASSWORD_COST_MIN);
    g_assert_cmpuint(password_measure_cost(0, SIZE_MAX), ==, PASSWORD_COST_MIN);
    g_assert_cmpuint(password_measure_cost(INT64_MAX / 4, password_cost_bytes(4)), ==, 4);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/password/round-trip", test_round_trip);
    g_test_add_func("/sign-in/password/normalised", test_normalised);
    g_test_add_func("/sign-in/password/no-hash", test_no_hash);
    g_test_add_func("/sign-in/password/odd", test_odd_passwords);
    g_test_add_func("/sign-in/password/foreign", test_foreign);
    g_test_add_func("/sign-in/password/cost", test_cost);
    return g_test_run();
}
