/* SPDX-License-Identifier: Apache-2.0 */
/* What servers say, and what it is taken for. */
#include "appliance/sign-in/directory/failure.h"

#include <ldap.h>
#include <string.h>

#define NONE (-1)
#define AD "80090308: LdapErr: DSID-0C09050F, comment: AcceptSecurityContext error, data "

static const struct {
    int result, policy;
    const char *diagnostic;
    int error;
} binds[] = {
    {LDAP_SUCCESS, NONE, NULL, NONE},
    {LDAP_SUCCESS, NONE, "", NONE},
    {LDAP_SUCCESS, PP_changeAfterReset, NULL, DIRECTORY_ERROR_PASSWORD_EXPIRED},
    {LDAP_INVALID_CREDENTIALS, NONE, NULL, DIRECTORY_ERROR_WRONG},
    {LDAP_INVALID_CREDENTIALS, NONE, AD "525, v4563", DIRECTORY_ERROR_WRONG},
    {LDAP_INVALID_CREDENTIALS, NONE, AD "52e, v4563", DIRECTORY_ERROR_WRONG},
    {LDAP_INVALID_CREDENTIALS, NONE, AD "52f, v4563", DIRECTORY_ERROR_NOT_NOW},
    {LDAP_INVALID_CREDENTIALS, NONE, AD "530, v4563", DIRECTORY_ERROR_NOT_NOW},
    {LDAP_INVALID_CREDENTIALS, NONE, AD "531, v4563", DIRECTORY_ERROR_NOT_NOW},
    {LDAP_INVALID_CREDENTIALS, NONE, AD "532, v4563", DIRECTORY_ERROR_PASSWORD_EXPIRED},
    {LDAP_INVALID_CREDENTIALS, NONE, AD "533, v4563", DIRECTORY_ERROR_DISABLED},
    {LDAP_INVALID_CREDENTIALS, NONE, AD "701, v4563", DIRECTORY_ERROR_DISABLED},
    {LDAP_INVALID_CREDENTIALS, NONE, AD "773, v4563", DIRECTORY_ERROR_PASSWORD_EXPIRED},
    {LDAP_INVALID_CREDENTIALS, NONE, AD "775, v4563", DIRECTORY_ERROR_LOCKED},
    {LDAP_INVALID_CREDENTIALS, NONE, AD "999, v4563", DIRECTORY_ERROR_WRONG},
    {LDAP_INVALID_CREDENTIALS, PP_accountLocked, NULL, DIRECTORY_ERROR_LOCKED},
    {LDAP_INVALID_CREDENTIALS, PP_passwordExpired, NULL, DIRECTORY_ERROR_PASSWORD_EXPIRED},
    {LDAP_NO_SUCH_OBJECT, NONE, NULL, DIRECTORY_ERROR_WRONG},
    {LDAP_INVALID_DN_SYNTAX, NONE, NULL, DIRECTORY_ERROR_WRONG},
    {LDAP_INAPPROPRIATE_AUTH, NONE, NULL, DIRECTORY_ERROR_WRONG},
    {LDAP_CONFIDENTIALITY_REQUIRED, NONE, NULL, DIRECTORY_ERROR_NO_TLS},
    {LDAP_BUSY, NONE, NULL, DIRECTORY_ERROR_UNREACHABLE},
    {LDAP_REFERRAL, NONE, NULL, DIRECTORY_ERROR_ANSWER}, /* not followed */
    {LDAP_UNWILLING_TO_PERFORM, NONE, "no", DIRECTORY_ERROR_ANSWER},
    {0x7fff, NONE, "no", DIRECTORY_ERROR_ANSWER},
};

static void
test_binds(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(binds); i++) {
        g_autoptr(GError) error = NULL;
        DirectoryOutcome outcome = {binds[i].result, binds[i].diagnostic, binds[i].policy};

        g_assert_cmpint(directory_failure_of_bind(&outcome, &error), ==, binds[i].error != NONE);
        if (binds[i].error == NONE)
            g_assert_no_error(error);
        else
            g_assert_error(error, DIRECTORY_ERROR, binds[i].error);
    }
}

static void
test_ad_code(void)
{
    g_assert_cmphex(directory_failure_ad_code(AD "52e, v4563"), ==, 0x52e);
    g_assert_cmphex(directory_failure_ad_code(AD), ==, 0);
    g_assert_cmphex(directory_failure_ad_code(AD "zz"), ==, 0);
    g_assert_cmphex(directory_failure_ad_code(AD "ffffffffffffffffffff"), ==, 0);
    g_assert_cmphex(directory_failure_ad_code("data 52e"), ==, 0);
    g_assert_cmphex(directory_failure_ad_code(""), ==, 0);
    g_assert_cmphex(directory_failure_ad_code(NULL), ==, 0);
}

static void
test_whose(void)
{
    for (int code = DIRECTORY_ERROR_WRONG; code <= DIRECTORY_ERROR_ANSWER; code++) {
        g_autoptr(GError) error = g_error_new_literal(DIRECTORY_ERROR, code, "x");
        g_assert_cmpint(directory_error_is_users(error), ==, code <= DIRECTORY_ERROR_AMBIGUOUS);
    }
    g_autoptr(GError) other = g_error_new_literal(G_FILE_ERROR, 0, "x");
    g_assert_false(directory_error_is_users(other));
}

static void
test_connections(void)
{
    static const struct {
        const char *said;
        DirectoryError error;
    } cases[] = {
        {"error:0A000086:SSL routines::certificate verify failed (self-signed certificate)",
         DIRECTORY_ERROR_NOT_TRUSTED},
        {"TLS: hostname does not match name in peer certificate", DIRECTORY_ERROR_NOT_TRUSTED},
        {"error:0A00010B:SSL routines::wrong version number", DIRECTORY_ERROR_NO_TLS},
        {NULL, DIRECTORY_ERROR_UNREACHABLE},
        {"Connection refused", DIRECTORY_ERROR_UNREACHABLE},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        directory_failure_of_connection(LDAP_CONNECT_ERROR, cases[i].said, "ldaps://dc1", &error);
        g_assert_error(error, DIRECTORY_ERROR, (int)cases[i].error);
        g_assert_true(g_str_has_prefix(error->message, "ldaps://dc1: "));
    }
}

/* A server's words reach a log as one short line of text. */
static void
test_words(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *long_words = g_strnfill(10000, 'x');
    g_autofree char *words = g_strconcat("a\nb\x1b[31m\xff", long_words, NULL);

    directory_failure_of_call(LDAP_OTHER, words, "ldaps://dc1", "searching", &error);
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    g_assert_null(strpbrk(error->message, "\n\x1b"));
    g_assert_cmpuint(strlen(error->message), <, 400);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/directory/failure/binds", test_binds);
    g_test_add_func("/sign-in/directory/failure/ad-code", test_ad_code);
    g_test_add_func("/sign-in/directory/failure/whose", test_whose);
    g_test_add_func("/sign-in/directory/failure/connections", test_connections);
    g_test_add_func("/sign-in/directory/failure/words", test_words);
    return g_test_run();
}
