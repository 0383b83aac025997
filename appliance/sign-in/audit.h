/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written down of each attempt to sign in: who, from where, in which way, how it ended and why. Never a password or
 * a code; and of a name that nobody has only a tag (limiter_tag()), since people type passwords into the wrong field.
 *
 * The words are for logs and filters: they stay what they are.
 */
#pragma once

#include "appliance/sign-in/sessions.h"

typedef enum {
    SIGN_IN_WAY_PASSWORD,  /* kept here */
    SIGN_IN_WAY_DIRECTORY, /* by LDAP or Active Directory */
    SIGN_IN_WAY_CODE,      /* the second step: an app's code */
    SIGN_IN_WAY_RECOVERY,  /* the second step: a recovery code */
} SignInWay;

typedef enum {
    SIGN_IN_REASON_NONE,        /* signed in, or confirmed */
    SIGN_IN_REASON_CODE_WANTED, /* the password was right: the second step comes */
    /* Refused. */
    SIGN_IN_REASON_UNKNOWN_USER,
    SIGN_IN_REASON_WRONG_PASSWORD, /* with a directory also: it does not know the name */
    SIGN_IN_REASON_WRONG_CODE,
    SIGN_IN_REASON_CODE_USED,     /* right, and not for the first time */
    SIGN_IN_REASON_CODE_TOO_LATE, /* the first step is too long ago, was from elsewhere, or had its tries */
    SIGN_IN_REASON_DISABLED,
    SIGN_IN_REASON_CHANGED,          /* the user's password changed meanwhile */
    SIGN_IN_REASON_LOCKED,           /* in the directory */
    SIGN_IN_REASON_PASSWORD_EXPIRED, /* in the directory */
    SIGN_IN_REASON_NOT_NOW,          /* says the directory */
    SIGN_IN_REASON_NO_GROUP,
    SIGN_IN_REASON_AMBIGUOUS,   /* the name fits several entries of the directory */
    SIGN_IN_REASON_NOT_ADOPTED, /* the store does not take the directory's user: the name is a local user's */
    /* Not tried. */
    SIGN_IN_REASON_TOO_MANY,  /* attempts: wait */
    SIGN_IN_REASON_BUSY,      /* too many at the same time, or the daemon ends */
    SIGN_IN_REASON_DIRECTORY, /* out of reach, not trusted, set up wrongly: see the detail */
} SignInReason;
#define SIGN_IN_REASONS (SIGN_IN_REASON_DIRECTORY + 1)

/*
 * How many attempts of those that were not even tried (told to wait, too late for a code, too busy, no directory) are written down in a
 * minute: they cost whoever floods the page nothing, so they must cost the host nothing either.
 */
#define SIGN_IN_AUDITS_UNTRIED_MAX 60

typedef struct {
    const char *user_id; /* NULL: nobody known */
    const char *name;    /* the user's; "unknown#1a2b3c4d" where nobody is known */
    const char *source;  /* address; NULL: none */
    SessionClient client;
    bool console;
    bool confirm; /* somebody who is signed in already shows that it is still them */
    SignInWay way;
    SignInReason reason;
    const char *detail; /* for the admin: what a directory said; NULL: nothing */
    unsigned left_out;  /* attempts before this one that were not written down: SIGN_IN_AUDITS_UNTRIED_MAX */
} SignInAudit;

/* "password"; "wrong-password". */
const char *sign_in_way_word(SignInWay way);
const char *sign_in_reason_word(SignInReason reason);

/* A sentence for the person at the sign-in page, which says no more than an outsider may know. */
const char *sign_in_reason_sentence(SignInReason reason);
