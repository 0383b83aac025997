/* SPDX-License-Identifier: Apache-2.0 */
/* The second step: a code from an app, or a recovery code. Each opens once, which the store sees to. */
#include "appliance/sign-in/recovery.h"
#include "appliance/sign-in/step.h"
#include "appliance/sign-in/totp.h"

/* The store has noted the code, or has seen it before. Meanwhile the user may have become another. */
static void
taken(SignInStep *step, bool fresh, const char *user_id)
{
    SignIn *sign_in = step->sign_in;
    SignInUser *user;

    if (!fresh) {
        sign_in_step_end(step, step->way == SIGN_IN_WAY_CODE ? SIGN_IN_REASON_CODE_USED : SIGN_IN_REASON_WRONG_CODE);
        return;
    }
    challenges_end(sign_in->challenges, step->challenge);
    user = sign_in->ops.find_by_id(sign_in->owner, step->user->id);
    if (!user) {
        sign_in_step_end(step, SIGN_IN_REASON_CHANGED);
        return;
    }
    sign_in_user_free(step->user);
    step->user = user;
    if (user->disabled)
        sign_in_step_end(step, SIGN_IN_REASON_DISABLED);
    else
        sign_in_step_let_in(step);
}

static void
try_code(SignInStep *step, const char *code)
{
    SignIn *sign_in = step->sign_in;
    int64_t now = sign_in->ops.wall_clock(sign_in->owner);
    int64_t totp_step = totp_verify(step->user->totp_secret, code, now, step->user->totp_step);

    if (totp_step >= 0) {
        sign_in_step_wait_for_owner(step, taken);
        sign_in->ops.take_code(sign_in->owner, step->user->id, totp_step, step);
    } else if (totp_verify(step->user->totp_secret, code, now, TOTP_STEP_NONE) >= 0) {
        sign_in_step_end(step, SIGN_IN_REASON_CODE_USED);
    } else {
        sign_in_step_end(step, SIGN_IN_REASON_WRONG_CODE);
    }
}

static void
try_recovery(SignInStep *step, const char *digest)
{
    SignIn *sign_in = step->sign_in;

    sign_in_step_wait_for_owner(step, taken);
    sign_in->ops.take_recovery(sign_in->owner, step->user->id, digest, step);
}

void
sign_in_by_code(SignIn *sign_in, const SignInAttempt *attempt, const char *token, const char *code, SignInDone done,
                void *data)
{
    SignInStep *step = sign_in_step_new(sign_in, attempt, done, data);
    int64_t now = sign_in->ops.now(sign_in->owner);
    const Challenge *challenge = challenges_find(sign_in->challenges, token, step->source, step->client, now);
    g_autofree char *digest = recovery_code_digest(code);

    step->way = digest ? SIGN_IN_WAY_RECOVERY : SIGN_IN_WAY_CODE;
    step->challenge = secret_text_new(token);
    step->user = challenge ? sign_in->ops.find_by_id(sign_in->owner, challenge->user_id) : NULL;
    if (!step->user || !step->user->totp_secret) {
        sign_in_step_end(step, SIGN_IN_REASON_CODE_TOO_LATE);
        return;
    }
    if (!sign_in_step_begin(step, challenge->account))
        return; /* it waits, and has lost no code by that */
    challenges_try(sign_in->challenges, token, step->source, step->client, now);
    if (step->user->disabled)
        sign_in_step_end(step, SIGN_IN_REASON_DISABLED);
    else if (digest)
        try_recovery(step, digest);
    else
        try_code(step, code);
}
