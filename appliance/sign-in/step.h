/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt under way: what is known of it so far. Private to sign_in.c and the two ways in, by_password.c and by_code.c.
 *
 * It is made with the limiter's permission, goes from the owner's thread to a worker's and back, perhaps to the owner for a
 * change in the store, and ends in sign_in_step_end().
 */
#pragma once

#include "appliance/sign-in/sign_in.h"
#include "appliance/sign-in/worker.h"

struct SignIn {
    SignInSettings settings;
    SignInOps ops;
    void *owner;
    Directory *directory;
    Limiter *limiter;
    Sessions *sessions;
    Challenges *challenges;
    Worker *worker;
    unsigned n_with_owner; /* steps that the owner has to answer */
    bool ending;

    int64_t audits_since;     /* of what was not tried: the minute that is counted, … */
    unsigned audits_untried;  /* … how many were written down in it, … */
    unsigned audits_left_out; /* … and how many not, since the last that was */
};

typedef void (*SignInGoOn)(SignInStep *step, bool done, const char *user_id);

struct SignInStep {
    SignIn *sign_in;
    SignInDone done;
    void *data;

    char *name, *source;
    SessionClient client;
    bool console, confirm;
    char *account; /* what the limiter counts: the user's id, or the name where nobody is known */
    bool counted;  /* the limiter let it begin */
    SignInWay way;
    SignInUser *user; /* NULL: nobody known */

    /* By password: what the worker takes and gives. */
    SecretText *password;
    Directory *directory; /* a reference; NULL: it is checked here */
    bool right;
    SecretText *new_hash; /* the old one was weak */
    DirectoryUser *found;
    GError *error;

    SecretText *challenge; /* by code: the token */
    SignInGoOn go_on;
};

SignInStep *sign_in_step_new(SignIn *sign_in, const SignInAttempt *attempt, SignInDone done, void *data);

/* Asks the limiter, for @account. False: it said to wait, and the step has ended. */
bool sign_in_step_begin(SignInStep *step, const char *account);

/* To be called before the owner is asked for a change: @go_on gets the answer. */
void sign_in_step_wait_for_owner(SignInStep *step, SignInGoOn go_on);

/* Ends it: refused, not tried, or the second step is wanted. */
void sign_in_step_end(SignInStep *step, SignInReason reason);
void sign_in_step_end_with_token(SignInStep *step, SignInReason reason, SecretText *token);

/* Ends it: they are in, as step->user. */
void sign_in_step_let_in(SignInStep *step);
