/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a name and a password to a session: every way it ends, what is written down of it, and what changes meanwhile. The
 * store is a table here, the clocks are numbers, and the directory is a function.
 */
#include "appliance/sign-in/sign_in.h"

#include "appliance/sign-in/password.h"
#include "appliance/sign-in/password_rules.h"
#include "appliance/sign-in/recovery.h"
#include "appliance/sign-in/totp.h"

#include <gio/gio.h>
#include <string.h>

#define PASSWORD "a password of four words"
#define SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
#define NOBODY (-1)

typedef struct {
    const char *id, *name;
    bool from_directory, disabled, totp;
    char *hash;
    int64_t totp_step;
    char *recovery; /* the digest of the one that is left */
} Row;

enum { ANNA, BERT, DORA, ROWS };

typedef struct {
    SignIn *sign_in;
    Directory *directory;
    Row rows[ROWS];
    int64_t now, wall;
    bool flood; /* not each attempt is written down */
    bool later; /* the owner's answers come from the loop */
    unsigned rehashed, adopted, taken;

    /* What was written down last, and how the last attempt ended. */
    unsigned n_audits, n_left_out, n_results;
    SignInReason audited;
    SignInWay way;
    char *audit_name, *audit_detail;
    int audit_user;
    SignInReason reason;
    char *token;
    int64_t wait;
    bool has_session;
} Fixture;

static SignInUser *
user_of(const Row *row)
{
    SignInUser *user = sign_in_user_new();

    user->id = g_strdup(row->id);
    user->name = g_strdup(row->name);
    user->from_directory = row->from_directory;
    user->password_hash = g_strdup(row->hash);
    user->totp_secret = g_strdup(row->totp ? SECRET : NULL);
    user->totp_step = row->totp_step;
    user->disabled = row->disabled;
    user->role = SIGN_IN_ROLE_OPERATOR;
    return user;
}

static Row *
row_of(Fixture *fixture, const char *id)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (strcmp(fixture->rows[i].id, id) == 0 && fixture->rows[i].name)
            return &fixture->rows[i];
    return NULL;
}

static SignInUser *
find(void *owner, const char *name)
{
    Fixture *fixture = owner;

    for (unsigned i = 0; i < ROWS; i++)
        if (g_strcmp0(fixture->rows[i].name, name) == 0)
            return user_of(&fixture->rows[i]);
    return NULL;
}

static SignInUser *
find_by_id(void *owner, const char *id)
{
    Row *row = row_of(owner, id);

    return row ? user_of(row) : NULL;
}

/* An answer of the owner's, now or from the loop. */
typedef struct {
    SignInStep *step;
    bool done;
    const char *id;
    int64_t *last, next; /* what is taken if it is later than the last, by then */
} Later;

static gboolean
answer_later(void *data)
{
    Later *later = data;

    if (later->last) {
        later->done = later->next > *later->last;
        *later->last = MAX(*later->last, later->next);
    }
    sign_in_go_on(later->step, later->done, later->id);
    g_free(later);
    return G_SOURCE_REMOVE;
}

static void
answer(Fixture *fixture, Later what)
{
    Later *later = g_memdup2(&what, sizeof(what));

    if (fixture->later)
        g_idle_add(answer_later, later);
    else
        answer_later(later);
}

static void
adopt(void *owner, const DirectoryUser *who, SignInStep *step)
{
    Fixture *fixture = owner;

    fixture->adopted++;
    if (strcmp(who->name, "dora") == 0) {
        fixture->rows[DORA].name = "dora";
        fixture->rows[DORA].from_directory = true;
    }
    answer(fixture, (Later){step, strcmp(who->name, "dora") == 0, "id-dora"});
}

static void
take_code(void *owner, const char *user_id, int64_t totp_step, SignInStep *step)
{
    ((Fixture *)owner)->taken++;
    answer(owner, (Later){step, .last = &row_of(owner, user_id)->totp_step, .next = totp_step});
}

static void
take_recovery(void *owner, const char *user_id, const char *digest, SignInStep *step)
{
    Row *row = row_of(owner, user_id);
    bool there = g_strcmp0(row->recovery, digest) == 0;

    if (there)
        g_clear_pointer(&row->recovery, g_free);
    answer(owner, (Later){step, there});
}

static void
rehashed(void *owner, const char *user_id, const char *old, const char *hash)
{
    Fixture *fixture = owner;
    Row *row = row_of(fixture, user_id);

    g_assert_cmpstr(row->hash, ==, old);
    g_free(row->hash);
    row->hash = g_strdup(hash);
    fixture->rehashed++;
}

static void
audit(void *owner, const SignInAudit *record)
{
    Fixture *fixture = owner;
    Row *row;

    fixture->n_audits++;
    fixture->n_left_out += record->left_out;
    fixture->audited = record->reason;
    fixture->way = record->way;
    g_free(fixture->audit_name);
    fixture->audit_name = g_strdup(record->name);
    g_free(fixture->audit_detail);
    fixture->audit_detail = g_strdup(record->detail);
    row = record->user_id ? row_of(fixture, record->user_id) : NULL;
    fixture->audit_user = row ? (int)(row - fixture->rows) : NOBODY;
    g_assert_cmpstr(record->source, ==, "192.0.2.1");
}

static int64_t
now(void *owner)
{
    return ((Fixture *)owner)->now;
}

static int64_t
wall_clock(void *owner)
{
    return ((Fixture *)owner)->wall;
}

static const SignInOps ops = {find, find_by_id, adopt, take_code, take_recovery, rehashed, audit, now, wall_clock};

/* The directory: it has "dora", "anna" with another password, and a bad day when asked for "down". */
static GMutex gate; /* who is "gated" waits here */

static DirectoryUser *
ask_directory(Directory *directory, const char *name, const char *password, GError **error)
{
    bool right = (strcmp(name, "dora") == 0 || strcmp(name, "anna") == 0 || strcmp(name, "twin of anna") == 0) &&
                 strcmp(password, "in the directory") == 0;
    DirectoryUser *user;

    if (strcmp(name, "gated") == 0) {
        g_mutex_lock(&gate);
        g_mutex_unlock(&gate);
    }
    if (strcmp(name, "down") == 0 || strcmp(name, "locked") == 0) {
        g_set_error(error, DIRECTORY_ERROR, *name == 'd' ? DIRECTORY_ERROR_UNREACHABLE : DIRECTORY_ERROR_LOCKED,
                    "its words");
        return NULL;
    }
    if (!right) {
        g_set_error_literal(error, DIRECTORY_ERROR, DIRECTORY_ERROR_WRONG, "no");
        return NULL;
    }
    user = g_new0(DirectoryUser, 1);
    user->name = g_strdup(strcmp(name, "dora") == 0 ? "dora" : "anna");
    user->id = g_strdup("1234");
    return user;
}

static Directory *
new_directory(void)
{
    char *servers[] = {(char *)"ldaps://127.0.0.1:1", NULL};
    const DirectoryConfig config = {
        .servers = servers, .base = (char *)"dc=x", .service_dn = (char *)"cn=x", .service_password = (char *)"x"};
    g_autoptr(GError) error = NULL;
    Directory *directory = directory_new(&config, &error);

    g_assert_no_error(error);
    return directory;
}

static void
set_up(Fixture *fixture, const void *data)
{
    SignInSettings settings;
    g_autofree char *digest = recovery_code_digest("0123-4567-89ab-cdef");

    *fixture = (Fixture){
        .now = 1000 * G_USEC_PER_SEC,
        .wall = 1700000010,
        .rows = {{"id-anna", "anna", .totp_step = TOTP_STEP_NONE,
                  .hash = password_hash(PASSWORD, PASSWORD_COST_MIN, NULL)},
                 {"id-bert", "bert", .totp = true, .totp_step = TOTP_STEP_NONE,
                  .hash = password_hash(PASSWORD, PASSWORD_COST_MIN, NULL), .recovery = g_strdup(digest)},
                 {"id-dora", NULL, .totp_step = TOTP_STEP_NONE}},
    };
    sign_in_settings_init(&settings);
    settings.password_cost = PASSWORD_COST_MIN;
    settings.threads = 1;
    settings.waiting_max = 1;
    settings.ask_directory = ask_directory;
    fixture->sign_in = sign_in_new(&settings, &ops, fixture);
    if (data) {
        fixture->directory = new_directory();
        sign_in_set_directory(fixture->sign_in, fixture->directory);
        directory_unref(fixture->directory);
    }
}

static void
tear_down(Fixture *fixture, const void *data)
{
    sign_in_free(fixture->sign_in);
    g_assert_cmpuint(fixture->n_audits + fixture->n_left_out, ==, fixture->n_results); /* each attempt once */
    for (unsigned i = 0; i < ROWS; i++) {
        g_free(fixture->rows[i].hash);
        g_free(fixture->rows[i].recovery);
    }
    g_free(fixture->audit_name);
    g_free(fixture->audit_detail);
    g_free(fixture->token);
}

static void
done(void *data, SignInResult *result)
{
    Fixture *fixture = data;

    fixture->n_results++;
    if (!fixture->flood) {
        g_assert_cmpuint(fixture->n_audits + fixture->n_left_out, ==, fixture->n_results); /* written down first */
        g_assert_cmpint(fixture->audited, ==, result->reason);
    }
    fixture->reason = result->reason;
    g_free(fixture->token);
    fixture->token = g_steal_pointer(&result->token);
    fixture->wait = result->wait;
    fixture->has_session = result->session;
    if (result->session)
        g_assert_cmpstr(result->session->user_id, ==, result->user_id);
}

static SignInAttempt
attempt_of(const char *name)
{
    return (SignInAttempt){.name = name, .source = "192.0.2.1"};
}

static SignInReason
wait_for(Fixture *fixture, unsigned n_results)
{
    while (fixture->n_results < n_results)
        g_main_context_iteration(NULL, TRUE);
    return fixture->reason;
}

static SignInReason
try_full(Fixture *fixture, const SignInAttempt *attempt, const char *password)
{
    unsigned n = fixture->n_results + 1;

    sign_in_by_password(fixture->sign_in, attempt, password, done, fixture);
    return wait_for(fixture, n);
}

static SignInReason
try_password(Fixture *fixture, const char *name, const char *password)
{
    SignInAttempt attempt = attempt_of(name);

    return try_full(fixture, &attempt, password);
}

/* For bert, from the password on. */
static SignInReason
try_code(Fixture *fixture, const char *token, const char *code)
{
    SignInAttempt attempt = attempt_of(NULL);
    unsigned n = fixture->n_results + 1;

    sign_in_by_code(fixture->sign_in, &attempt, token, code, done, fixture);
    return wait_for(fixture, n);
}

static const Session *
session_of(Fixture *fixture)
{
    return sessions_use(sign_in_sessions(fixture->sign_in), fixture->token, SESSION_CLIENT_WEB, fixture->now);
}

static void
test_in(Fixture *fixture, const void *data)
{
    g_assert_cmpint(try_password(fixture, "anna", PASSWORD), ==, SIGN_IN_REASON_NONE);
    g_assert_true(fixture->has_session);
    g_assert_cmpstr(session_of(fixture)->user_id, ==, "id-anna");
    g_assert_cmpint(session_of(fixture)->role, ==, SIGN_IN_ROLE_OPERATOR);
    g_assert_cmpint(fixture->audit_user, ==, ANNA);
    g_assert_cmpint(fixture->way, ==, SIGN_IN_WAY_PASSWORD);
    g_assert_cmpuint(fixture->rehashed, ==, 0);
    for (unsigned i = 0; i < 3 * limiter_defaults.account_free; i++)
        g_assert_cmpint(try_password(fixture, "anna", PASSWORD), ==, SIGN_IN_REASON_NONE); /* counts against nobody */
}

static void
test_out(Fixture *fixture, const void *data)
{
    g_assert_cmpint(try_password(fixture, "anna", "another password"), ==, SIGN_IN_REASON_WRONG_PASSWORD);
    g_assert_null(fixture->token);
    g_assert_cmpint(try_password(fixture, "anna", ""), ==, SIGN_IN_REASON_WRONG_PASSWORD);
    g_assert_cmpint(try_password(fixture, "nobody", PASSWORD), ==, SIGN_IN_REASON_UNKNOWN_USER);
    g_assert_cmpint(fixture->audit_user, ==, NOBODY);
    g_assert_cmpstr(sign_in_reason_sentence(SIGN_IN_REASON_UNKNOWN_USER), ==,
                    sign_in_reason_sentence(SIGN_IN_REASON_WRONG_PASSWORD));
    fixture->rows[ANNA].disabled = true;
    g_assert_cmpint(try_password(fixture, "anna", "another password"), ==, SIGN_IN_REASON_WRONG_PASSWORD);
    g_assert_cmpint(try_password(fixture, "anna", PASSWORD), ==, SIGN_IN_REASON_DISABLED);
}

/* People type passwords into the wrong field: what nobody is called is not written down. */
static void
test_unknown_names(Fixture *fixture, const void *data)
{
    g_autofree char *first = NULL;

    try_password(fixture, PASSWORD, "anna");
    g_assert_true(g_str_has_prefix(fixture->audit_name, "unknown#"));
    g_assert_null(strstr(fixture->audit_name, "words"));
    first = g_strdup(fixture->audit_name);
    try_password(fixture, PASSWORD, "anna");
    g_assert_cmpstr(fixture->audit_name, ==, first);
}

static void
test_long_password(Fixture *fixture, const void *data)
{
    g_autofree char *long_password = g_strnfill(1 << 20, 'x');

    g_assert_cmpint(try_password(fixture, "anna", long_password), ==, SIGN_IN_REASON_WRONG_PASSWORD);
    g_assert_cmpint(try_password(fixture, "dora", long_password), ==,
                    data ? SIGN_IN_REASON_WRONG_PASSWORD : SIGN_IN_REASON_UNKNOWN_USER);
}

static void
test_code(Fixture *fixture, const void *data)
{
    g_autofree char *code = totp_code(SECRET, fixture->wall), *challenge = NULL, *second = NULL;

    g_assert_cmpint(try_password(fixture, "bert", PASSWORD), ==, SIGN_IN_REASON_CODE_WANTED);
    challenge = g_steal_pointer(&fixture->token);
    g_assert_null(sessions_use(sign_in_sessions(fixture->sign_in), challenge, SESSION_CLIENT_WEB, fixture->now));
    g_assert_cmpint(try_code(fixture, challenge, "000000"), ==, SIGN_IN_REASON_WRONG_CODE);
    g_assert_cmpint(fixture->way, ==, SIGN_IN_WAY_CODE);
    g_assert_cmpint(try_code(fixture, challenge, code), ==, SIGN_IN_REASON_NONE);
    g_assert_cmpstr(session_of(fixture)->user_id, ==, "id-bert");
    g_assert_cmpint(fixture->audit_user, ==, BERT);
    g_assert_cmpint(try_code(fixture, challenge, code), ==, SIGN_IN_REASON_CODE_TOO_LATE); /* the challenge is over */

    /* Nor does the code open another one. */
    try_password(fixture, "bert", PASSWORD);
    second = g_steal_pointer(&fixture->token);
    g_assert_cmpint(try_code(fixture, second, code), ==, SIGN_IN_REASON_CODE_USED);
    g_assert_null(fixture->token);
    g_assert_cmpuint(fixture->taken, ==, 1); /* the store was not asked for what was known */
}

/* Two at the same time with one code: the store decides, and one is in. */
static void
test_code_at_the_same_time(Fixture *fixture, const void *data)
{
    g_autofree char *code = totp_code(SECRET, fixture->wall), *one = NULL, *two = NULL;
    SignInAttempt attempt = attempt_of(NULL);

    fixture->later = true;
    try_password(fixture, "bert", PASSWORD);
    one = g_steal_pointer(&fixture->token);
    try_password(fixture, "bert", PASSWORD);
    two = g_steal_pointer(&fixture->token);
    sign_in_by_code(fixture->sign_in, &attempt, one, code, done, fixture);
    sign_in_by_code(fixture->sign_in, &attempt, two, code, done, fixture);
    g_assert_cmpuint(fixture->n_results, ==, 2); /* both are with the store */
    g_assert_cmpint(wait_for(fixture, 4), ==, SIGN_IN_REASON_CODE_USED);
    g_autoptr(GPtrArray) sessions = sessions_list(sign_in_sessions(fixture->sign_in), "id-bert");
    g_assert_cmpuint(sessions->len, ==, 1);
}

static void
test_recovery(Fixture *fixture, const void *data)
{
    g_autofree char *challenge = NULL, *second = NULL;

    try_password(fixture, "bert", PASSWORD);
    challenge = g_steal_pointer(&fixture->token);
    g_assert_cmpint(try_code(fixture, challenge, "0123-4567-89ab-cde0"), ==, SIGN_IN_REASON_WRONG_CODE);
    g_assert_cmpint(try_code(fixture, challenge, "O123 4567 89ab cdef"), ==, SIGN_IN_REASON_NONE);
    g_assert_cmpint(fixture->way, ==, SIGN_IN_WAY_RECOVERY);
    try_password(fixture, "bert", PASSWORD);
    second = g_steal_pointer(&fixture->token);
    g_assert_cmpint(try_code(fixture, second, "0123-4567-89ab-cdef"), ==, SIGN_IN_REASON_WRONG_CODE);
}

static void
test_codes_are_counted(Fixture *fixture, const void *data)
{
    g_autofree char *challenge = NULL;
    unsigned wrong = 0;

    try_password(fixture, "bert", PASSWORD);
    challenge = g_steal_pointer(&fixture->token);
    while (try_code(fixture, challenge, "000000") == SIGN_IN_REASON_WRONG_CODE)
        wrong++;
    g_assert_cmpuint(wrong, ==, CHALLENGES_CODES);
    g_assert_cmpint(fixture->reason, ==, SIGN_IN_REASON_CODE_TOO_LATE);
    /* A new challenge is no way around: the right password does not make up for wrong codes. */
    try_password(fixture, "bert", PASSWORD);
    g_assert_cmpint(fixture->reason, ==, SIGN_IN_REASON_CODE_WANTED);
    g_free(challenge);
    challenge = g_steal_pointer(&fixture->token);
    g_assert_cmpint(try_code(fixture, challenge, "000000"), ==, SIGN_IN_REASON_WRONG_CODE);
    g_assert_cmpint(try_code(fixture, challenge, "000000"), ==, SIGN_IN_REASON_TOO_MANY);
    g_assert_cmpint(fixture->wait, >, 0);
}

static void
test_challenge_is_bound(Fixture *fixture, const void *data)
{
    g_autofree char *code = totp_code(SECRET, fixture->wall), *challenge = NULL;
    SignInAttempt other = attempt_of(NULL);

    try_password(fixture, "bert", PASSWORD);
    challenge = g_steal_pointer(&fixture->token);
    other.client = SESSION_CLIENT_API;
    sign_in_by_code(fixture->sign_in, &other, challenge, code, done, fixture);
    g_assert_cmpint(wait_for(fixture, 2), ==, SIGN_IN_REASON_CODE_TOO_LATE);
    sign_in_user_changed(fixture->sign_in, "id-bert", NULL);
    g_assert_cmpint(try_code(fixture, challenge, code), ==, SIGN_IN_REASON_CODE_TOO_LATE);
    try_password(fixture, "bert", PASSWORD);
    g_free(challenge);
    challenge = g_steal_pointer(&fixture->token);
    fixture->rows[BERT].disabled = true;
    g_assert_cmpint(try_code(fixture, challenge, code), ==, SIGN_IN_REASON_DISABLED);
}

/* What was true when the hash was begun is not when it is done. */
static void
test_changed_meanwhile(Fixture *fixture, const void *data)
{
    SignInAttempt attempt = attempt_of("anna");
    char *before = fixture->rows[ANNA].hash;

    sign_in_by_password(fixture->sign_in, &attempt, PASSWORD, done, fixture);
    fixture->rows[ANNA].hash = password_hash("a new password", PASSWORD_COST_MIN, NULL);
    g_assert_cmpint(wait_for(fixture, 1), ==, SIGN_IN_REASON_CHANGED);
    g_free(fixture->rows[ANNA].hash);
    fixture->rows[ANNA].hash = before;

    sign_in_by_password(fixture->sign_in, &attempt, PASSWORD, done, fixture);
    fixture->rows[ANNA].disabled = true;
    g_assert_cmpint(wait_for(fixture, 2), ==, SIGN_IN_REASON_DISABLED);

    fixture->rows[ANNA].disabled = false;
    sign_in_by_password(fixture->sign_in, &attempt, PASSWORD, done, fixture);
    fixture->rows[ANNA].name = NULL; /* removed */
    g_assert_cmpint(wait_for(fixture, 3), ==, SIGN_IN_REASON_CHANGED);
}

/* Nor when the store has noted the code. */
static void
test_changed_while_code_is_taken(Fixture *fixture, const void *data)
{
    g_autofree char *code = totp_code(SECRET, fixture->wall), *next = totp_code(SECRET, fixture->wall + 30),
                    *challenge = NULL;
    SignInAttempt attempt = attempt_of(NULL);

    fixture->later = true;
    try_password(fixture, "bert", PASSWORD);
    challenge = g_steal_pointer(&fixture->token);
    sign_in_by_code(fixture->sign_in, &attempt, challenge, code, done, fixture);
    fixture->rows[BERT].disabled = true;
    g_assert_cmpint(wait_for(fixture, 2), ==, SIGN_IN_REASON_DISABLED);
    g_assert_null(fixture->token);

    fixture->rows[BERT].disabled = false;
    try_password(fixture, "bert", PASSWORD);
    g_free(challenge);
    challenge = g_steal_pointer(&fixture->token);
    sign_in_by_code(fixture->sign_in, &attempt, challenge, next, done, fixture);
    fixture->rows[BERT].name = NULL; /* removed; the answer was on its way */
    g_assert_cmpint(wait_for(fixture, 4), ==, SIGN_IN_REASON_CHANGED);
}

static void
test_user_changed(Fixture *fixture, const void *data)
{
    g_autofree char *first = NULL, *kept_id = NULL;

    try_password(fixture, "anna", PASSWORD);
    first = g_steal_pointer(&fixture->token);
    try_password(fixture, "anna", PASSWORD);
    kept_id = g_strdup(session_of(fixture)->id);
    sign_in_user_changed(fixture->sign_in, "id-anna", kept_id);
    g_assert_nonnull(session_of(fixture));
    g_assert_null(sessions_use(sign_in_sessions(fixture->sign_in), first, SESSION_CLIENT_WEB, fixture->now));
}

static void
test_slowed_down(Fixture *fixture, const void *data)
{
    SignInAttempt console = attempt_of("anna"), elsewhere = attempt_of("bert");
    unsigned wrong = 0;

    while (try_password(fixture, "anna", "a guess") == SIGN_IN_REASON_WRONG_PASSWORD)
        wrong++;
    g_assert_cmpuint(wrong, ==, limiter_defaults.account_free + 1);
    g_assert_cmpint(fixture->reason, ==, SIGN_IN_REASON_TOO_MANY);
    g_assert_cmpint(try_password(fixture, "anna", PASSWORD), ==, SIGN_IN_REASON_TOO_MANY); /* the right one too */
    g_assert_cmpint(fixture->wait, ==, limiter_defaults.first_wait);
    g_assert_cmpint(fixture->audit_user, ==, ANNA);
    g_assert_cmpint(try_full(fixture, &elsewhere, PASSWORD), ==, SIGN_IN_REASON_CODE_WANTED); /* others go on */
    console.console = true;
    g_assert_cmpint(try_full(fixture, &console, PASSWORD), ==, SIGN_IN_REASON_NONE);
    fixture->now += limiter_defaults.first_wait;
    g_assert_cmpint(try_password(fixture, "anna", PASSWORD), ==, SIGN_IN_REASON_NONE);
}

/* What costs a flood nothing costs the audit little, and is not lost from it. */
static void
test_flood(Fixture *fixture, const void *data)
{
    const unsigned flood = 10 * SIGN_IN_AUDITS_UNTRIED_MAX;
    unsigned before;

    fixture->flood = true;
    while (try_password(fixture, "anna", "a guess") == SIGN_IN_REASON_WRONG_PASSWORD)
        ;
    before = fixture->n_audits;
    for (unsigned i = 0; i < flood / 2; i++) {
        g_assert_cmpint(try_password(fixture, "anna", "a guess"), ==, SIGN_IN_REASON_TOO_MANY);
        g_assert_cmpint(try_code(fixture, "no token", "000000"), ==, SIGN_IN_REASON_CODE_TOO_LATE);
    }
    g_assert_cmpuint(fixture->n_audits, ==, before + SIGN_IN_AUDITS_UNTRIED_MAX - 1);
    g_assert_cmpint(try_password(fixture, "nobody", "a guess"), ==, SIGN_IN_REASON_UNKNOWN_USER); /* which was tried */
    g_assert_cmpuint(fixture->n_left_out, ==, flood - SIGN_IN_AUDITS_UNTRIED_MAX + 1);
    fixture->now += 60 * G_USEC_PER_SEC;
    before = fixture->n_audits;
    g_assert_cmpint(try_code(fixture, "no token", "000000"), ==, SIGN_IN_REASON_CODE_TOO_LATE);
    g_assert_cmpuint(fixture->n_audits, ==, before + 1);
}

/* One thread, one place to wait: others are told at once, and it is held against nobody. The console goes all the same. */
static void
test_busy(Fixture *fixture, const void *data)
{
    SignInAttempt gated = attempt_of("gated"), console = attempt_of("anna");
    unsigned all = limiter_defaults.account_free, busy;

    console.console = true;
    g_mutex_lock(&gate);
    for (unsigned i = 0; i < all; i++)
        sign_in_by_password(fixture->sign_in, &gated, PASSWORD, done, fixture);
    busy = fixture->n_results;
    g_assert_true(busy == all - 1 || busy == all - 2); /* the first may have been at the gate by the second */
    g_assert_cmpint(fixture->reason, ==, SIGN_IN_REASON_BUSY);
    sign_in_by_password(fixture->sign_in, &console, PASSWORD, done, fixture);
    g_assert_cmpuint(fixture->n_results, ==, busy); /* taken */
    g_mutex_unlock(&gate);
    wait_for(fixture, all + 1);
    g_autoptr(GPtrArray) hers = sessions_list(sign_in_sessions(fixture->sign_in), "id-anna");
    g_assert_cmpuint(hers->len, ==, 1);
    for (unsigned i = 0; i < busy; i++)
        g_assert_cmpint(try_password(fixture, "gated", PASSWORD), ==, SIGN_IN_REASON_WRONG_PASSWORD);
}

static void
test_rehash(Fixture *fixture, const void *data)
{
    g_free(fixture->rows[ANNA].hash);
    fixture->rows[ANNA].hash = g_strdup(
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1");
    g_assert_cmpint(try_password(fixture, "anna", "hello world!"), ==, SIGN_IN_REASON_WRONG_PASSWORD);
    g_assert_cmpuint(fixture->rehashed, ==, 0);
    g_assert_cmpint(try_password(fixture, "anna", "Hello world!"), ==, SIGN_IN_REASON_NONE);
    g_assert_cmpuint(fixture->rehashed, ==, 1);
    g_assert_true(g_str_has_prefix(fixture->rows[ANNA].hash, "$y$"));
    g_assert_cmpint(try_password(fixture, "anna", "Hello world!"), ==, SIGN_IN_REASON_NONE);
    g_assert_cmpuint(fixture->rehashed, ==, 1);
}

static void
test_confirm(Fixture *fixture, const void *data)
{
    SignInAttempt bert = attempt_of("bert");

    bert.confirm = true;
    g_assert_cmpint(try_full(fixture, &bert, "a guess"), ==, SIGN_IN_REASON_WRONG_PASSWORD);
    g_assert_cmpint(try_full(fixture, &bert, PASSWORD), ==, SIGN_IN_REASON_NONE);
    g_assert_null(fixture->token);
    g_assert_false(fixture->has_session);
    g_autoptr(GPtrArray) all = sessions_list(sign_in_sessions(fixture->sign_in), NULL);
    g_assert_cmpuint(all->len, ==, 0);
}

static void
test_directory(Fixture *fixture, const void *data)
{
    fixture->later = true;
    g_assert_cmpint(try_password(fixture, "dora", "a guess"), ==, SIGN_IN_REASON_WRONG_PASSWORD);
    g_assert_cmpint(fixture->way, ==, SIGN_IN_WAY_DIRECTORY);
    g_assert_cmpint(fixture->audit_user, ==, NOBODY);
    g_assert_cmpint(try_password(fixture, "dora", "in the directory"), ==, SIGN_IN_REASON_NONE);
    g_assert_cmpstr(session_of(fixture)->user_id, ==, "id-dora");
    g_assert_cmpint(fixture->audit_user, ==, DORA);
    g_assert_cmpint(try_password(fixture, "locked", "x"), ==, SIGN_IN_REASON_LOCKED);
    g_assert_cmpstr(sign_in_reason_sentence(SIGN_IN_REASON_LOCKED), ==,
                    sign_in_reason_sentence(SIGN_IN_REASON_WRONG_PASSWORD));

    /* Disabled here, whatever the directory says. */
    fixture->rows[DORA].disabled = true;
    g_assert_cmpint(try_password(fixture, "dora", "in the directory"), ==, SIGN_IN_REASON_DISABLED);
    fixture->rows[DORA].disabled = false;

    /* Without the directory she has no password. */
    sign_in_set_directory(fixture->sign_in, NULL);
    g_assert_cmpint(try_password(fixture, "dora", "in the directory"), ==, SIGN_IN_REASON_WRONG_PASSWORD);
}

/* Who is known here by a password is not the directory's to let in, by whatever name. */
static void
test_directory_is_not_asked_for_local_users(Fixture *fixture, const void *data)
{
    g_assert_cmpint(try_password(fixture, "anna", "in the directory"), ==, SIGN_IN_REASON_WRONG_PASSWORD);
    g_assert_cmpint(fixture->way, ==, SIGN_IN_WAY_PASSWORD);
    g_assert_cmpint(try_password(fixture, "anna", PASSWORD), ==, SIGN_IN_REASON_NONE);
    g_assert_cmpuint(fixture->adopted, ==, 0);
    g_assert_cmpint(try_password(fixture, "twin of anna", "in the directory"), ==, SIGN_IN_REASON_NOT_ADOPTED);
    g_assert_cmpuint(fixture->adopted, ==, 1);
}

/* Its bad day is nobody's guess. */
static void
test_directory_is_down(Fixture *fixture, const void *data)
{
    for (unsigned i = 0; i < 50; i++)
        g_assert_cmpint(try_password(fixture, "down", "x"), ==, SIGN_IN_REASON_DIRECTORY);
    g_assert_cmpstr(fixture->audit_detail, ==, "its words");
    g_assert_null(strstr(sign_in_reason_sentence(SIGN_IN_REASON_DIRECTORY), "words"));
}

/* A sign-in under way when everything ends is answered, and lets nobody in. */
static void
test_ending(Fixture *fixture, const void *data)
{
    SignInAttempt anna = attempt_of("anna");

    sign_in_by_password(fixture->sign_in, &anna, PASSWORD, done, fixture);
    sign_in_free(g_steal_pointer(&fixture->sign_in));
    g_assert_cmpuint(fixture->n_results, ==, 1);
    g_assert_cmpint(fixture->reason, ==, SIGN_IN_REASON_BUSY);
}

typedef struct {
    unsigned n;
    char *hash;
    GError *error;
} Hashed;

static void
hashed(void *data, const char *hash, const GError *error)
{
    Hashed *got = data;

    got->n++;
    got->hash = g_strdup(hash);
    got->error = error ? g_error_copy(error) : NULL;
}

static void
test_hash(Fixture *fixture, const void *data)
{
    Hashed good = {0}, bad = {0};

    sign_in_hash(fixture->sign_in, "short", "anna", NULL, 0, hashed, &bad);
    g_assert_error(bad.error, PASSWORD_RULES_ERROR, PASSWORD_RULES_ERROR_SHORT);
    g_assert_null(bad.hash);
    g_error_free(bad.error);
    sign_in_hash(fixture->sign_in, "some four other words", "anna", NULL, 0, hashed, &good);
    while (!good.n)
        g_main_context_iteration(NULL, TRUE);
    g_assert_no_error(good.error);
    g_free(fixture->rows[ANNA].hash);
    fixture->rows[ANNA].hash = good.hash;
    g_assert_cmpint(try_password(fixture, "anna", "some four other words"), ==, SIGN_IN_REASON_NONE);
}

static void
test_words(Fixture *fixture, const void *data)
{
    g_autoptr(GHashTable) words = g_hash_table_new(g_str_hash, g_str_equal);

    for (unsigned i = 0; i < SIGN_IN_REASONS; i++) {
        g_assert_true(g_hash_table_add(words, (char *)sign_in_reason_word(i)));
        g_assert_cmpuint(strlen(sign_in_reason_sentence(i)), >, 8);
    }
}

#define TEST(path, function, with_directory) \
    g_test_add("/sign-in/" path, Fixture, with_directory, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    static const char directory[] = "with a directory";

    g_test_init(&argc, &argv, NULL);
    TEST("in", test_in, NULL);
    TEST("in/with-directory", test_in, directory);
    TEST("out", test_out, NULL);
    TEST("unknown-names", test_unknown_names, NULL);
    TEST("unknown-names/with-directory", test_unknown_names, directory);
    TEST("long-password", test_long_password, NULL);
    TEST("long-password/with-directory", test_long_password, directory);
    TEST("code", test_code, NULL);
    TEST("code/same-time", test_code_at_the_same_time, NULL);
    TEST("code/recovery", test_recovery, NULL);
    TEST("code/counted", test_codes_are_counted, NULL);
    TEST("code/bound", test_challenge_is_bound, NULL);
    TEST("changed/meanwhile", test_changed_meanwhile, NULL);
    TEST("changed/code", test_changed_while_code_is_taken, NULL);
    TEST("changed/after", test_user_changed, NULL);
    TEST("slowed-down", test_slowed_down, NULL);
    TEST("flood", test_flood, NULL);
    TEST("busy", test_busy, directory);
    TEST("rehash", test_rehash, NULL);
    TEST("confirm", test_confirm, NULL);
    TEST("directory", test_directory, directory);
    TEST("directory/local-users", test_directory_is_not_asked_for_local_users, directory);
    TEST("directory/down", test_directory_is_down, directory);
    TEST("ending", test_ending, NULL);
    TEST("hash", test_hash, NULL);
    TEST("words", test_words, NULL);
    return g_test_run();
}
