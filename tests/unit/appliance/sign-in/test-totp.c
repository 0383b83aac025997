/* SPDX-License-Identifier: Apache-2.0 */
/* One-time codes: the RFC's own vectors, the window, no code twice, what is no code. */
#include "appliance/sign-in/totp.h"

#include <string.h>

/* "12345678901234567890", the key of RFC 6238, appendix B. */
#define RFC_SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

/* The last six of the eight digits that the appendix shows. */
static void
test_vectors(void)
{
    static const struct {
        int64_t time;
        const char *code;
    } vectors[] = {
        {59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
        {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(vectors); i++) {
        g_autoptr(SecretText) code = totp_code(RFC_SECRET, vectors[i].time);
        g_assert_cmpstr(code, ==, vectors[i].code);
        g_assert_cmpint(totp_verify(RFC_SECRET, code, vectors[i].time, TOTP_STEP_NONE), ==, vectors[i].time / 30);
    }
}

static void
test_window(void)
{
    const int64_t now = 1700000010; /* in the middle of step 56666667 */
    const int64_t step = now / 30;

    for (int off = -3; off <= 3; off++) {
        g_autoptr(SecretText) code = totp_code(RFC_SECRET, now + off * 30);
        int64_t found = totp_verify(RFC_SECRET, code, now, TOTP_STEP_NONE);
        g_assert_cmpint(found, ==, ABS(off) <= TOTP_WINDOW ? step + off : -1);
    }
}

static void
test_once(void)
{
    const int64_t now = 1700000010;
    g_autoptr(SecretText) before = totp_code(RFC_SECRET, now - 30);
    g_autoptr(SecretText) code = totp_code(RFC_SECRET, now);
    g_autoptr(SecretText) after = totp_code(RFC_SECRET, now + 30);
    int64_t last = totp_verify(RFC_SECRET, code, now, TOTP_STEP_NONE);

    g_assert_cmpint(last, ==, now / 30);
    g_assert_cmpint(totp_verify(RFC_SECRET, code, now, last), ==, -1);
    g_assert_cmpint(totp_verify(RFC_SECRET, code, now + 30, last), ==, -1);
    g_assert_cmpint(totp_verify(RFC_SECRET, before, now, last), ==, -1); /* an older one, never used, too */
    g_assert_cmpint(totp_verify(RFC_SECRET, after, now, last), ==, last + 1);
}

static void
test_no_code(void)
{
    static const char *const none[] = {"",       "28708",  "2870822",           "28708a", "287-082",
                                       "-87082", "+87082", "28708\xef\xbc\x92", "0x1234"};

    for (unsigned i = 0; i < G_N_ELEMENTS(none); i++)
        g_assert_cmpint(totp_verify(RFC_SECRET, none[i], 59, TOTP_STEP_NONE), ==, -1);
    g_assert_cmpint(totp_verify(RFC_SECRET, " 287 082", 59, TOTP_STEP_NONE), ==, 1);
    g_assert_cmpint(totp_verify(RFC_SECRET, "287082", -59, TOTP_STEP_NONE), ==, -1);
    g_assert_cmpint(totp_verify("", "287082", 59, TOTP_STEP_NONE), ==, -1);
    g_assert_cmpint(totp_verify("not base32!", "287082", 59, TOTP_STEP_NONE), ==, -1);
    g_assert_null(totp_code("not base32!", 59));
}

static void
test_enrolment(void)
{
    g_autoptr(SecretText) secret = totp_secret_new();
    g_autoptr(SecretText) other = totp_secret_new();
    g_autoptr(SecretText) code = totp_code(secret, 1700000010);
    g_autoptr(SecretText) uri = totp_uri(RFC_SECRET, "Carrel at A&B", "anna:m\xc3\xbcller?x=1");
    g_autoptr(GUri) parsed = g_uri_parse(uri, G_URI_FLAGS_ENCODED_QUERY, NULL);
    g_autoptr(GHashTable) parameters = g_uri_parse_params(g_uri_get_query(parsed), -1, "&", G_URI_PARAMS_NONE, NULL);

    g_assert_cmpuint(strlen(secret), ==, 32);
    g_assert_cmpuint(strspn(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), ==, 32);
    g_assert_cmpstr(secret, !=, other);
    g_assert_cmpint(totp_verify(secret, code, 1700000010, TOTP_STEP_NONE), ==, 1700000010 / 30);

    g_assert_cmpstr(g_uri_get_scheme(parsed), ==, "otpauth");
    g_assert_cmpstr(g_uri_get_host(parsed), ==, "totp");
    g_assert_cmpstr(g_uri_get_path(parsed), ==, "/Carrel at A&B:anna:m\xc3\xbcller?x=1");
    g_assert_cmpstr(g_hash_table_lookup(parameters, "secret"), ==, RFC_SECRET);
    g_assert_cmpstr(g_hash_table_lookup(parameters, "issuer"), ==, "Carrel at A&B");
    g_assert_cmpuint(g_hash_table_size(parameters), ==, 5); /* the account added none */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(totp_init());
    g_test_add_func("/sign-in/totp/vectors", test_vectors);
    g_test_add_func("/sign-in/totp/window", test_window);
    g_test_add_func("/sign-in/totp/once", test_once);
    g_test_add_func("/sign-in/totp/no-code", test_no_code);
    g_test_add_func("/sign-in/totp/enrolment", test_enrolment);
    return g_test_run();
}
