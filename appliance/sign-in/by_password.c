/* SPDX-License-Identifier: Apache-2.0 */
/* The first step: a name and a password, checked here or by the directory. */
#include "appliance/sign-in/password.h"
#include "appliance/sign-in/step.h"

#include <string.h>

static SignInReason
reason_of(const GError *error)
{
    static const SignInReason reasons[] = {
        [DIRECTORY_ERROR_WRONG] = SIGN_IN_REASON_WRONG_PASSWORD,
        [DIRECTORY_ERROR_DISABLED] = SIGN_IN_REASON_DISABLED,
        [DIRECTORY_ERROR_LOCKED] = SIGN_IN_REASON_LOCKED,
        [DIRECTORY_ERROR_PASSWORD_EXPIRED] = SIGN_IN_REASON_PASSWORD_EXPIRED,
        [DIRECTORY_ERROR_NOT_NOW] = SIGN_IN_REASON_NOT_NOW,
        [DIRECTORY_ERROR_NO_GROUP] = SIGN_IN_REASON_NO_GROUP,
        [DIRECTORY_ERROR_AMBIGUOUS] = SIGN_IN_REASON_AMBIGUOUS,
    };

    return directory_error_is_users(error) ? reasons[error->code] : SIGN_IN_REASON_DIRECTORY;
}

/* In a worker's thread: touches the step's own members, and the settings, which never change. */
static void
check(void *data)
{
    SignInStep *step = data;
    const SignInSettings *settings = &step->sign_in->settings;
    const char *hash = step->user ? step->user->password_hash : NULL;

    if (step->directory) {
        step->found = settings->ask_directory(step->directory, step->name, step->password, &step->error);
        step->right = step->found != NULL;
    } else {
        step->right = password_verify(step->password, hash, settings->password_cost);
        if (step->right && password_hash_is_weak(hash, settings->password_cost))
            step->new_hash = password_hash(step->password, settings->password_cost, NULL);
    }
    g_clear_pointer(&step->password, secret_text_free);
}

/* The password was right, and this is who it is now. */
static void
go_on_as(SignInStep *step, SignInUser *user)
{
    SignIn *sign_in = step->sign_in;
    const Challenge challenge = {user->id, step->account, step->source, step->client};

    sign_in_user_free(step->user);
    step->user = user;
    if (user->disabled)
        sign_in_step_end(step, SIGN_IN_REASON_DISABLED);
    else if (user->totp_secret && !step->confirm)
        sign_in_step_end_with_token(
            step, SIGN_IN_REASON_CODE_WANTED,
            challenges_begin(sign_in->challenges, &challenge, sign_in->ops.now(sign_in->owner)));
    else
        sign_in_step_let_in(step);
}

static void
adopted(SignInStep *step, bool taken, const char *user_id)
{
    SignIn *sign_in = step->sign_in;
    SignInUser *user = taken ? sign_in->ops.find_by_id(sign_in->owner, user_id) : NULL;

    if (!user)
        sign_in_step_end(step, SIGN_IN_REASON_NOT_ADOPTED);
    else
        go_on_as(step, user);
}

/* What was checked is a moment old: the user may be another by now. */
static void
checked_here(SignInStep *step)
{
    SignIn *sign_in = step->sign_in;
    g_autoptr(SignInUser) user = sign_in->ops.find_by_id(sign_in->owner, step->user->id);

    if (!user || g_strcmp0(user->password_hash, step->user->password_hash) != 0) {
        sign_in_step_end(step, SIGN_IN_REASON_CHANGED);
        return;
    }
    if (step->new_hash)
        sign_in->ops.rehashed(sign_in->owner, user->id, user->password_hash, step->new_hash);
    go_on_as(step, g_steal_pointer(&user));
}

static void
checked(void *data, bool ran)
{
    SignInStep *step = data;
    SignIn *sign_in = step->sign_in;

    if (!ran || sign_in->ending)
        sign_in_step_end(step, SIGN_IN_REASON_BUSY);
    else if (step->error)
        sign_in_step_end(step, reason_of(step->error));
    else if (!step->right)
        sign_in_step_end(step, step->user ? SIGN_IN_REASON_WRONG_PASSWORD : SIGN_IN_REASON_UNKNOWN_USER);
    else if (step->directory) {
        sign_in_step_wait_for_owner(step, adopted);
        sign_in->ops.adopt(sign_in->owner, step->found, step);
    } else
        checked_here(step);
}

void
sign_in_by_password(SignIn *sign_in, const SignInAttempt *attempt, const char *password, SignInDone done, void *data)
{
    SignInStep *step = sign_in_step_new(sign_in, attempt, done, data);
    LimiterAttempt counted;
    bool urgent;

    step->user = sign_in->ops.find(sign_in->owner, step->name);
    if (sign_in->directory && (!step->user || step->user->from_directory)) {
        step->directory = directory_ref(sign_in->directory);
        step->way = SIGN_IN_WAY_DIRECTORY;
    }
    if (!sign_in_step_begin(step, step->user ? step->user->id : step->name))
        return;
    counted = (LimiterAttempt){step->account, step->source, step->console};
    urgent = step->console || limiter_knows(sign_in->limiter, &counted, sign_in->ops.now(sign_in->owner));
    /* One that nobody can have is not carried around: the empty one is never right either. */
    step->password = secret_text_new(strnlen(password, PASSWORD_BYTES_MAX + 1) > PASSWORD_BYTES_MAX ? "" : password);
    if (!worker_run(sign_in->worker, urgent, check, checked, step))
        sign_in_step_end(step, SIGN_IN_REASON_BUSY);
}
