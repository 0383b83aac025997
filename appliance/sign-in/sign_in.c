/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in: the object, and how every attempt begins and ends. The two ways are in by_password.c and by_code.c. */
#include "appliance/sign-in/sign_in.h"

#include "appliance/sign-in/password.h"
#include "appliance/sign-in/password_rules.h"
#include "appliance/sign-in/step.h"
#include "appliance/sign-in/totp.h"

#include <gio/gio.h>

#define AUDIT_MINUTE ((int64_t)60 * G_USEC_PER_SEC)

void
sign_in_settings_init(SignInSettings *settings)
{
    *settings = (SignInSettings){
        .password_cost = PASSWORD_COST_DEFAULT,
        .threads = 2,
        .waiting_max = 64,
        .limiter = limiter_defaults,
        .sessions = sessions_defaults,
    };
}

SignInUser *
sign_in_user_new(void)
{
    SignInUser *user = g_new0(SignInUser, 1);

    user->totp_step = TOTP_STEP_NONE;
    return user;
}

void
sign_in_user_free(SignInUser *user)
{
    if (!user)
        return;
    g_free(user->id);
    g_free(user->name);
    secret_text_free(user->password_hash);
    secret_text_free(user->totp_secret);
    g_free(user);
}

SignIn *
sign_in_new(const SignInSettings *settings, const SignInOps *ops, void *owner)
{
    SignIn *sign_in = g_new0(SignIn, 1);
    uint8_t key[LIMITER_KEY_BYTES];

    g_assert(ops->find && ops->find_by_id && ops->adopt && ops->take_code && ops->take_recovery && ops->rehashed &&
             ops->audit && ops->now && ops->wall_clock);
    g_assert(totp_init());
    sign_in->settings = *settings;
    if (!sign_in->settings.ask_directory)
        sign_in->settings.ask_directory = directory_sign_in;
    sign_in->ops = *ops;
    sign_in->owner = owner;
    secret_random(key, sizeof(key));
    sign_in->limiter = limiter_new(&settings->limiter, key);
    sign_in->sessions = sessions_new(&settings->sessions, settings->session_ended, owner);
    sign_in->challenges = challenges_new();
    sign_in->worker = worker_new("sign-in", settings->threads, settings->waiting_max);
    return sign_in;
}

void
sign_in_free(SignIn *sign_in)
{
    if (!sign_in)
        return;
    sign_in->ending = true;
    worker_free(sign_in->worker);
    g_assert(sign_in->n_with_owner == 0);
    challenges_free(sign_in->challenges);
    sessions_free(sign_in->sessions);
    limiter_free(sign_in->limiter);
    directory_unref(sign_in->directory);
    g_free(sign_in);
}

void
sign_in_set_directory(SignIn *sign_in, Directory *directory)
{
    Directory *before = sign_in->directory;

    sign_in->directory = directory ? directory_ref(directory) : NULL;
    directory_unref(before);
}

Sessions *
sign_in_sessions(SignIn *sign_in)
{
    return sign_in->sessions;
}

void
sign_in_user_changed(SignIn *sign_in, const char *user_id, const char *except_session_id)
{
    challenges_end_user(sign_in->challenges, user_id);
    sessions_revoke_user(sign_in->sessions, user_id, except_session_id, SESSION_END_USER_CHANGED);
}

SignInStep *
sign_in_step_new(SignIn *sign_in, const SignInAttempt *attempt, SignInDone done, void *data)
{
    SignInStep *step = g_new0(SignInStep, 1);

    step->sign_in = sign_in;
    step->done = done;
    step->data = data;
    step->name = g_strdup(attempt->name ? attempt->name : "");
    step->source = g_strdup(attempt->source);
    step->client = attempt->client;
    step->console = attempt->console;
    step->confirm = attempt->confirm;
    return step;
}

static void
step_free(SignInStep *step)
{
    g_free(step->name);
    g_free(step->source);
    g_free(step->account);
    sign_in_user_free(step->user);
    secret_text_free(step->password);
    directory_unref(step->directory);
    secret_text_free(step->new_hash);
    directory_user_free(step->found);
    g_clear_error(&step->error);
    secret_text_free(step->challenge);
    g_free(step);
}

static LimiterAttempt
counted_as(const SignInStep *step)
{
    return (LimiterAttempt){step->account, step->source, step->console};
}

/* Whether there is room to write down one more that was not tried. */
static bool
may_audit_untried(SignIn *sign_in)
{
    int64_t now = sign_in->ops.now(sign_in->owner);

    if (now - sign_in->audits_since >= AUDIT_MINUTE) {
        sign_in->audits_since = now;
        sign_in->audits_untried = 0;
    }
    return ++sign_in->audits_untried <= SIGN_IN_AUDITS_UNTRIED_MAX;
}

static void
write_down(SignInStep *step, SignInReason reason)
{
    SignIn *sign_in = step->sign_in;
    g_autofree char *tag = limiter_tag(sign_in->limiter, step->name);
    g_autofree char *unknown = g_strdup_printf("unknown#%s", tag);
    const SignInAudit audit = {
        .user_id = step->user ? step->user->id : NULL,
        .name = step->user ? step->user->name : unknown,
        .source = step->source,
        .client = step->client,
        .console = step->console,
        .confirm = step->confirm,
        .way = step->way,
        .reason = reason,
        .detail = step->error ? step->error->message : NULL,
        .left_out = sign_in->audits_left_out,
    };

    if (!step->counted && !may_audit_untried(sign_in)) {
        sign_in->audits_left_out++;
        return;
    }
    sign_in->audits_left_out = 0;
    sign_in->ops.audit(sign_in->owner, &audit);
}

/* Writes it down and answers. */
static void
finish(SignInStep *step, SignInResult *result)
{
    write_down(step, result->reason);
    step->done(step->data, result);
    secret_text_free(result->token);
    step_free(step);
}

bool
sign_in_step_begin(SignInStep *step, const char *account)
{
    SignIn *sign_in = step->sign_in;
    LimiterAttempt attempt;
    int64_t wait;

    step->account = g_strdup(account);
    attempt = counted_as(step);
    wait = limiter_begin(sign_in->limiter, &attempt, sign_in->ops.now(sign_in->owner));
    if (!wait) {
        step->counted = true; /* at the console too, where nothing is counted */
        return true;
    }
    finish(step, &(SignInResult){.reason = SIGN_IN_REASON_TOO_MANY, .wait = wait});
    return false;
}

void
sign_in_step_wait_for_owner(SignInStep *step, SignInGoOn go_on)
{
    step->go_on = go_on;
    step->sign_in->n_with_owner++;
}

/* Whether an end is no guess at all: nothing was tried, or what was tried was right. */
static bool
is_no_guess(SignInReason reason)
{
    return reason == SIGN_IN_REASON_CODE_WANTED || reason >= SIGN_IN_REASON_TOO_MANY;
}

void
sign_in_step_end_with_token(SignInStep *step, SignInReason reason, SecretText *token)
{
    SignIn *sign_in = step->sign_in;
    LimiterAttempt attempt = counted_as(step);

    if (step->counted && is_no_guess(reason))
        limiter_return(sign_in->limiter, &attempt, sign_in->ops.now(sign_in->owner));
    if (reason >= SIGN_IN_REASON_TOO_MANY)
        step->counted = false; /* given back, so it cost nothing */
    finish(step, &(SignInResult){.reason = reason, .token = token});
}

void
sign_in_step_end(SignInStep *step, SignInReason reason)
{
    sign_in_step_end_with_token(step, reason, NULL);
}

void
sign_in_step_let_in(SignInStep *step)
{
    SignIn *sign_in = step->sign_in;
    int64_t now = sign_in->ops.now(sign_in->owner);
    LimiterAttempt attempt = counted_as(step);
    SignInResult result = {.reason = SIGN_IN_REASON_NONE, .user_id = step->user->id};
    const Session who = {
        .user_id = step->user->id,
        .user_name = step->user->name,
        .role = step->user->role,
        .client = step->client,
        .source = step->source,
    };

    limiter_succeed(sign_in->limiter, &attempt, now);
    if (!step->confirm) {
        result.token = sessions_begin(sign_in->sessions, &who, now);
        result.session = sessions_peek(sign_in->sessions, result.token, step->client, now);
    }
    finish(step, &result);
}

void
sign_in_go_on(SignInStep *step, bool done, const char *user_id)
{
    step->sign_in->n_with_owner--;
    step->go_on(step, done, user_id);
}

/* A new password on its way through the worker. */
typedef struct {
    SecretText *password;
    unsigned cost;
    SecretText *hash;
    GError *error;
    SignInHashed hashed;
    void *data;
} Hashing;

static void
hash(void *data)
{
    Hashing *hashing = data;

    hashing->hash = password_hash(hashing->password, hashing->cost, &hashing->error);
}

static void
hash_done(void *data, bool ran)
{
    Hashing *hashing = data;

    if (!ran)
        g_set_error_literal(&hashing->error, G_IO_ERROR, G_IO_ERROR_BUSY, sign_in_reason_sentence(SIGN_IN_REASON_BUSY));
    hashing->hashed(hashing->data, hashing->hash, hashing->error);
    secret_text_free(hashing->password);
    secret_text_free(hashing->hash);
    g_clear_error(&hashing->error);
    g_free(hashing);
}

void
sign_in_hash(SignIn *sign_in, const char *password, const char *name, const char *display_name, unsigned characters_min,
             SignInHashed hashed, void *data)
{
    g_autoptr(GError) error = NULL;
    Hashing *hashing;

    if (!password_rules_check(password, name, display_name, characters_min, &error)) {
        hashed(data, NULL, error);
        return;
    }
    hashing = g_new0(Hashing, 1);
    *hashing = (Hashing){secret_text_new(password), sign_in->settings.password_cost, NULL, NULL, hashed, data};
    if (!worker_run(sign_in->worker, false, hash, hash_done, hashing))
        hash_done(hashing, false);
}
