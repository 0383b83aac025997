/* SPDX-License-Identifier: Apache-2.0 */
/* Why a directory did not sign somebody in. */
#include "appliance/sign-in/directory/failure.h"

#include <ldap.h>
#include <stdlib.h>
#include <string.h>

#define DIAGNOSTIC_CHARACTERS_MAX 200

G_DEFINE_QUARK(carrel - directory - error, directory_error)

/* What is said of the user; the sign-in page has words of its own for people. */
static const char *const users[] = {
    [DIRECTORY_ERROR_WRONG] = "the directory does not know this name with this password",
    [DIRECTORY_ERROR_DISABLED] = "the account is disabled or has expired in the directory",
    [DIRECTORY_ERROR_LOCKED] = "the account is locked in the directory",
    [DIRECTORY_ERROR_PASSWORD_EXPIRED] = "the password has expired or must be changed in the directory first",
    [DIRECTORY_ERROR_NOT_NOW] = "the directory does not let the account sign in at this time or from here",
};

/* Active Directory's codes are Windows' system error codes. */
static const struct {
    unsigned code;
    DirectoryError error;
} ad_codes[] = {
    {0x525, DIRECTORY_ERROR_WRONG}, /* no such user */
    {0x52e, DIRECTORY_ERROR_WRONG},
    {0x52f, DIRECTORY_ERROR_NOT_NOW}, /* an account restriction */
    {0x530, DIRECTORY_ERROR_NOT_NOW}, /* the hours */
    {0x531, DIRECTORY_ERROR_NOT_NOW}, /* the computer */
    {0x532, DIRECTORY_ERROR_PASSWORD_EXPIRED},
    {0x533, DIRECTORY_ERROR_DISABLED},
    {0x701, DIRECTORY_ERROR_DISABLED},         /* the account has expired */
    {0x773, DIRECTORY_ERROR_PASSWORD_EXPIRED}, /* must be changed */
    {0x775, DIRECTORY_ERROR_LOCKED},
};

bool
directory_error_is_users(const GError *error)
{
    return error->domain == DIRECTORY_ERROR && error->code < DIRECTORY_ERROR_CONFIG;
}

/* A server's words as one line of a bounded length, fit for a log. */
static char *
printable(const char *diagnostic)
{
    g_autofree char *cut = g_strndup(diagnostic ? diagnostic : "", DIAGNOSTIC_CHARACTERS_MAX);
    char *text = g_utf8_make_valid(cut, -1);

    for (char *at = text; *at; at++)
        if (g_ascii_iscntrl(*at))
            *at = ' ';
    return g_strstrip(text);
}

unsigned
directory_failure_ad_code(const char *diagnostic)
{
    const char *comment = diagnostic ? strstr(diagnostic, "AcceptSecurityContext error, data ") : NULL;
    unsigned long code = comment ? strtoul(strchr(comment, ',') + strlen(", data "), NULL, 16) : 0;

    return code <= 0xffff ? (unsigned)code : 0;
}

static bool
set_users(GError **error, DirectoryError code)
{
    g_set_error_literal(error, DIRECTORY_ERROR, code, users[code]);
    return true;
}

bool
directory_failure_of_bind(const DirectoryOutcome *outcome, GError **error)
{
    unsigned ad = directory_failure_ad_code(outcome->diagnostic);

    /* A policy may have to say something of a bind that succeeded: that nothing but a new password will be taken. */
    if (outcome->policy == PP_passwordExpired || outcome->policy == PP_changeAfterReset)
        return set_users(error, DIRECTORY_ERROR_PASSWORD_EXPIRED);
    if (outcome->policy == PP_accountLocked)
        return set_users(error, DIRECTORY_ERROR_LOCKED);
    if (outcome->result == LDAP_SUCCESS)
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(ad_codes); i++)
        if (ad_codes[i].code == ad)
            return set_users(error, ad_codes[i].error);
    switch (outcome->result) {
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_NO_SUCH_OBJECT:     /* the name is put into a DN that does not exist */
    case LDAP_INVALID_DN_SYNTAX:  /* likewise */
    case LDAP_INAPPROPRIATE_AUTH: /* the entry has no password */
        return set_users(error, DIRECTORY_ERROR_WRONG);
    default:
        directory_failure_of_call(outcome->result, outcome->diagnostic, NULL, "the sign-in", error);
        return true;
    }
}

static DirectoryError
of_result(int result)
{
    switch (result) {
    case LDAP_SERVER_DOWN:
    case LDAP_TIMEOUT:
    case LDAP_CONNECT_ERROR:
    case LDAP_UNAVAILABLE:
    case LDAP_BUSY:
        return DIRECTORY_ERROR_UNREACHABLE;
    case LDAP_CONFIDENTIALITY_REQUIRED:
        return DIRECTORY_ERROR_NO_TLS;
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_INAPPROPRIATE_AUTH:
        return DIRECTORY_ERROR_SERVICE;
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_FILTER_ERROR:
    case LDAP_INVALID_DN_SYNTAX:
        return DIRECTORY_ERROR_CONFIG;
    default:
        return DIRECTORY_ERROR_ANSWER;
    }
}

void
directory_failure_of_call(int result, const char *diagnostic, const char *server, const char *what, GError **error)
{
    g_autofree char *said = printable(diagnostic);
    DirectoryError code = of_result(result);

    g_set_error(error, DIRECTORY_ERROR, code, "%s%s%s: %s%s%s%s", server ? server : "", server ? ": " : "", what,
                ldap_err2string(result), *said ? " (" : "", said, *said ? ")" : "");
}

/* OpenSSL's and libldap's words for a certificate that is not taken. */
static bool
is_about_trust(const char *said)
{
    return strstr(said, "certificate verify failed") || strstr(said, "hostname does not match") ||
           strstr(said, "unable to get CN") || strstr(said, "peer certificate");
}

void
directory_failure_of_connection(int result, const char *diagnostic, const char *server, GError **error)
{
    g_autofree char *said = printable(diagnostic);

    if (is_about_trust(said))
        g_set_error(
            error, DIRECTORY_ERROR, DIRECTORY_ERROR_NOT_TRUSTED,
            "%s: its certificate is not trusted (%s): give the authority that signed it, or the name that it is for",
            server, said);
    else if (strstr(said, "SSL routines"))
        g_set_error(error, DIRECTORY_ERROR, DIRECTORY_ERROR_NO_TLS, "%s: no TLS connection (%s)", server, said);
    else
        g_set_error(error, DIRECTORY_ERROR, DIRECTORY_ERROR_UNREACHABLE, "%s: not reachable: %s%s%s%s", server,
                    ldap_err2string(result), *said ? " (" : "", said, *said ? ")" : "");
}
