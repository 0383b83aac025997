/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a directory did not sign somebody in, told apart as far as it says so: by LDAP's result codes (RFC 4511, 4.1.9), by
 * the code that Active Directory puts into its diagnostic message ("… comment: AcceptSecurityContext error, data 52e, v4563"),
 * and by the password policy control (draft-behera-ldap-password-policy).
 *
 * What of it a person at the sign-in page may be told is the caller's to decide: "locked" tells that the account exists, but
 * a directory says so only to who has the right password, or to anybody about anybody.
 *
 * Pure; any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define DIRECTORY_ERROR (directory_error_quark())
GQuark directory_error_quark(void);
typedef enum {
    /* About the user. */
    DIRECTORY_ERROR_WRONG,            /* no such name, or not the password: which, stays unsaid */
    DIRECTORY_ERROR_DISABLED,         /* the account is switched off, or over */
    DIRECTORY_ERROR_LOCKED,           /* by the directory, after too many wrong passwords */
    DIRECTORY_ERROR_PASSWORD_EXPIRED, /* or must be changed at the next sign-in: elsewhere */
    DIRECTORY_ERROR_NOT_NOW,          /* outside the hours, or not from here */
    DIRECTORY_ERROR_NO_GROUP,         /* in no group that may use Carrel */
    DIRECTORY_ERROR_AMBIGUOUS,        /* several entries fit the name */

    /* About the directory: none of the user's doing. */
    DIRECTORY_ERROR_CONFIG,      /* a setting that cannot be; the message begins with its name and a colon */
    DIRECTORY_ERROR_UNREACHABLE, /* no server answers (in time) */
    DIRECTORY_ERROR_NO_TLS,      /* the server offers none, or none that is fit for use */
    DIRECTORY_ERROR_NOT_TRUSTED, /* its certificate is not from the authority, or for another name */
    DIRECTORY_ERROR_SERVICE,     /* it does not take our own account, or does not let it search */
    DIRECTORY_ERROR_ANSWER,      /* it says something else */
} DirectoryError;

/* Whether it is about the user: so the attempt counts as one. */
bool directory_error_is_users(const GError *error);

/* What Active Directory's message has behind "data", in hexadecimal there; 0: nothing of the kind. */
unsigned directory_failure_ad_code(const char *diagnostic);

/* Password policy errors as libldap numbers them (draft-behera-ldap-password-policy, 6.2); -1: the server said none. */
typedef struct {
    int result;             /* LDAP result code */
    const char *diagnostic; /* may be NULL */
    int policy;
} DirectoryOutcome;

/* Sets the error for a bind as the user that is no plain success; false: it is one. */
bool directory_failure_of_bind(const DirectoryOutcome *outcome, GError **error);

/* Sets the error for anything else that a server answered or did not; @what: "searching for the user". */
void directory_failure_of_call(int result, const char *diagnostic, const char *server, const char *what,
                               GError **error);

/* Sets the error for a connection that did not come about; @diagnostic is the TLS library's. */
void directory_failure_of_connection(int result, const char *diagnostic, const char *server, GError **error);
