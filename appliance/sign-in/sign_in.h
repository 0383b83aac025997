/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in, from a name and a password to a session.
 *
 *     limiter ─▶ find the user ─▶ worker: hash, or ask the directory ─▶ find again ─▶ second step? ─▶ session
 *                                                                                └▶ challenge, then a code
 *
 * Who the users are is the owner's: it is asked through SignInOps. Users known here by a password are checked here; those
 * known from a directory, and names that nobody has, by the directory where there is one. A name that nobody has is checked
 * against nothing for as long, and answered with the same sentence.
 *
 * (Which *kind* a name is, can be told by the time that an answer takes: a directory is as slow as it is.)
 *
 * What changes meanwhile counts: a user who is disabled, or whose password is changed, while it is being checked is out.
 *
 * Owner: one thread, with a main context that runs. Every attempt's callback is called exactly once, perhaps within the call that
 * makes it, at the latest within sign_in_free().
 */
#pragma once

#include "appliance/sign-in/audit.h"
#include "appliance/sign-in/challenges.h"
#include "appliance/sign-in/directory/directory.h"
#include "appliance/sign-in/limiter.h"
#include "appliance/sign-in/sessions.h"

typedef struct SignIn SignIn;
typedef struct SignInStep SignInStep;

/* A user as the owner knows them now. The strings are the holder's; freeing overwrites the secrets. */
typedef struct {
    char *id, *name;
    bool from_directory;
    char *password_hash; /* NULL: none, so not by a password that is kept here */
    char *totp_secret;   /* NULL: no second step */
    int64_t totp_step;   /* the last one taken; TOTP_STEP_NONE */
    bool disabled;
    SignInRole role;
} SignInUser;

SignInUser *sign_in_user_new(void);
void sign_in_user_free(SignInUser *user);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignInUser, sign_in_user_free)

/*
 * What is asked of the owner, in its thread. All are mandatory. Those with a step change something, which may take its time:
 * the owner calls sign_in_go_on() for it, once, within the call or later; the step is gone then.
 */
typedef struct {
    /* By a name as somebody typed it, or by id; NULL: nobody. The result is the caller's. */
    SignInUser *(*find)(void *owner, const char *name);
    SignInUser *(*find_by_id)(void *owner, const char *id);

    /* A directory says that this is who signs in: make or update the user. Then, true and the user's id; false: not taken. */
    void (*adopt)(void *owner, const DirectoryUser *who, SignInStep *step);

    /* Note the step of a code as the last one; false: that one or a later one was taken meanwhile. The id is ignored. */
    void (*take_code)(void *owner, const char *user_id, int64_t totp_step, SignInStep *step);

    /* Strike out a recovery code by its digest; false: the user has none such. The id is ignored. */
    void (*take_recovery)(void *owner, const char *user_id, const char *digest, SignInStep *step);

    /* The same password, hashed at today's cost; to be kept only if @old is still what is kept. */
    void (*rehashed)(void *owner, const char *user_id, const char *old, const char *hash);

    /* Every attempt, before its callback, but for floods (audit.h). What it points to is good during the call. */
    void (*audit)(void *owner, const SignInAudit *audit);

    int64_t (*now)(void *owner);        /* µs; as for sessions.h */
    int64_t (*wall_clock)(void *owner); /* seconds since 1970, UTC, for one-time codes */
} SignInOps;

typedef struct {
    unsigned password_cost; /* password.h */
    unsigned threads;       /* each may take password_cost_bytes() */
    unsigned waiting_max;   /* attempts that wait for a thread; more are told to come back */
    LimiterSettings limiter;
    SessionSettings sessions;
    SessionEnded session_ended; /* may be NULL; called with the owner */
    /* NULL: directory_sign_in(). In a worker's thread. */
    DirectoryUser *(*ask_directory)(Directory *directory, const char *name, const char *password, GError **error);
} SignInSettings;

/* Cost PASSWORD_COST_DEFAULT, 2 threads, 64 waiting, the others' defaults. */
void sign_in_settings_init(SignInSettings *settings);

SignIn *sign_in_new(const SignInSettings *settings, const SignInOps *ops, void *owner);
/* Every step must be back from the owner. */
void sign_in_free(SignIn *sign_in);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignIn, sign_in_free)

/* For attempts from now on; NULL: none. A reference is taken. */
void sign_in_set_directory(SignIn *sign_in, Directory *directory);

/* Where it comes from. The strings are copied. */
typedef struct {
    const char *name; /* as typed; for a code: not used */
    const char *source;
    SessionClient client;
    bool console; /* at the host's own console: waits for nobody (limiter.h), and goes first */
    bool confirm; /* whether it is still them, before something that matters: no session begins, no code is asked for */
} SignInAttempt;

typedef struct {
    SignInReason reason; /* NONE: signed in */
    SecretText *token; /* NONE: the session's (none for .confirm); CODE_WANTED: what sign_in_code() takes; else NULL */
    const Session *session; /* NONE and not .confirm; good as sessions.h says */
    const char *user_id;    /* NONE; to be compared, where .confirm was asked of somebody signed in */
    int64_t wait;           /* TOO_MANY: µs, until an attempt has a chance */
} SignInResult;

/* What it points to is good during the call; a token that is wanted longer is stolen. */
typedef void (*SignInDone)(void *data, SignInResult *result);

/* The password is copied, and the copy overwritten as soon as it is checked. */
void sign_in_by_password(SignIn *sign_in, const SignInAttempt *attempt, const char *password, SignInDone done,
                         void *data);

/* The second step: a code from an app, or a recovery code. The token stays good after a wrong one, for some tries. */
void sign_in_by_code(SignIn *sign_in, const SignInAttempt *attempt, const char *token, const char *code,
                     SignInDone done, void *data);

/* The owner's answer to .adopt, .take_code or .take_recovery. */
void sign_in_go_on(SignInStep *step, bool done, const char *user_id);

/* The user was disabled or removed, or has another password, role or second step: they are out, but for one session. */
void sign_in_user_changed(SignIn *sign_in, const char *user_id, const char *except_session_id);

/*
 * What to keep for a new password; NULL and PASSWORD_RULES_ERROR, or G_IO_ERROR_BUSY. The rules are password_rules.h's;
 * @display_name may be NULL.
 */
typedef void (*SignInHashed)(void *data, const char *hash, const GError *error);
void sign_in_hash(SignIn *sign_in, const char *password, const char *name, const char *display_name,
                  unsigned characters_min, SignInHashed hashed, void *data);

/* To use, list, sign out and revoke. */
Sessions *sign_in_sessions(SignIn *sign_in);
