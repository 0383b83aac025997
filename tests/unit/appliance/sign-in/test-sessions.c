/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: begun, used, ended for each reason there is, saved and loaded. Time is made here. */
#include "appliance/sign-in/sessions.h"

#include <string.h>

#define MINUTE ((int64_t)60 * G_USEC_PER_SEC)
#define START ((int64_t)1000 * MINUTE)

static const Session anna = {
    .user_id = "id-anna", .user_name = "anna", .role = SIGN_IN_ROLE_ADMIN, .source = "192.0.2.1"};
static const Session bert = {.user_id = "id-bert", .user_name = "bert", .client = SESSION_CLIENT_API};

/* What the owner was told. */
typedef struct {
    unsigned n;
    SessionEnd last;
    char *user_name;
} Told;

static void
ended(void *user, const Session *session, SessionEnd end)
{
    Told *told = user;

    told->n++;
    told->last = end;
    g_free(told->user_name);
    told->user_name = g_strdup(session->user_name);
}

static void
told_finish(Told *told)
{
    g_free(told->user_name);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Told, told_finish)

static void
test_begin_and_use(void)
{
    g_autoptr(Sessions) sessions = sessions_new(&sessions_defaults, NULL, NULL);
    g_autoptr(SecretText) token = sessions_begin(sessions, &anna, START);
    g_autoptr(SecretText) other = sessions_begin(sessions, &anna, START);
    g_autoptr(SecretText) shorter = g_strndup(token, SECRET_TOKEN_LENGTH - 1);
    const Session *session = sessions_use(sessions, token, SESSION_CLIENT_WEB, START + 1);

    g_assert_cmpuint(strlen(token), ==, SECRET_TOKEN_LENGTH);
    g_assert_cmpstr(token, !=, other);
    g_assert_nonnull(session);
    g_assert_cmpstr(session->user_id, ==, "id-anna");
    g_assert_cmpstr(session->user_name, ==, "anna");
    g_assert_cmpint(session->role, ==, SIGN_IN_ROLE_ADMIN);
    g_assert_cmpstr(session->source, ==, "192.0.2.1");
    g_assert_cmpint(session->began, ==, START);
    g_assert_cmpint(session->used, ==, START + 1);
    g_assert_null(sessions_use(sessions, token, SESSION_CLIENT_API, START)); /* a cookie's is none of a header's */
    g_assert_null(sessions_use(sessions, session->id, SESSION_CLIENT_WEB, START));
    g_assert_null(sessions_use(sessions, shorter, SESSION_CLIENT_WEB, START));
    g_assert_null(sessions_use(sessions, "", SESSION_CLIENT_WEB, START));
    g_assert_null(sessions_use(sessions, NULL, SESSION_CLIENT_WEB, START));
}

static void
test_idle_and_absolute(void)
{
    g_auto(Told) told = {0};
    g_autoptr(Sessions) sessions = sessions_new(&sessions_defaults, ended, &told);
    g_autoptr(SecretText) idle = sessions_begin(sessions, &anna, START);
    g_autoptr(SecretText) busy = sessions_begin(sessions, &anna, START);
    int64_t now = START;

    while (now < START + 12 * 60 * MINUTE - 20 * MINUTE) {
        now += 20 * MINUTE;
        g_assert_nonnull(sessions_use(sessions, busy, SESSION_CLIENT_WEB, now));
        if (now == START + 20 * MINUTE) /* looking is no use */
            g_assert_nonnull(sessions_peek(sessions, idle, SESSION_CLIENT_WEB, now));
    }
    g_assert_cmpuint(told.n, ==, 0);
    g_assert_null(sessions_use(sessions, idle, SESSION_CLIENT_WEB, now));
    g_assert_cmpuint(told.n, ==, 1);
    g_assert_cmpint(told.last, ==, SESSION_END_IDLE);
    g_assert_nonnull(sessions_use(sessions, busy, SESSION_CLIENT_WEB, START + 12 * 60 * MINUTE - 1));
    g_assert_null(sessions_use(sessions, busy, SESSION_CLIENT_WEB, START + 12 * 60 * MINUTE));
    g_assert_cmpint(told.last, ==, SESSION_END_EXPIRED);
    g_assert_cmpuint(told.n, ==, 2);
}

static void
test_sweep(void)
{
    g_auto(Told) told = {0};
    g_autoptr(Sessions) sessions = sessions_new(&sessions_defaults, ended, &told);

    g_assert_cmpint(sessions_sweep(sessions, START), ==, INT64_MAX);
    g_autoptr(SecretText) web = sessions_begin(sessions, &anna, START);
    g_autoptr(SecretText) api = sessions_begin(sessions, &bert, START);
    g_assert_cmpint(sessions_sweep(sessions, START), ==, START + 30 * MINUTE);
    g_assert_cmpint(sessions_sweep(sessions, START + 30 * MINUTE - 1), ==, START + 30 * MINUTE);
    g_assert_cmpuint(told.n, ==, 0);
    g_assert_cmpint(sessions_sweep(sessions, START + 30 * MINUTE), ==, START + 12 * 60 * MINUTE);
    g_assert_cmpstr(told.user_name, ==, "anna");
    g_assert_cmpint(sessions_sweep(sessions, INT64_MAX), ==, INT64_MAX);
    g_assert_cmpuint(told.n, ==, 2);
}

static void
test_ends(void)
{
    g_auto(Told) told = {0};
    g_autoptr(Sessions) sessions = sessions_new(&sessions_defaults, ended, &told);
    g_autoptr(SecretText) one = sessions_begin(sessions, &anna, START);
    g_autoptr(SecretText) two = sessions_begin(sessions, &anna, START + 1);
    g_autoptr(SecretText) three = sessions_begin(sessions, &anna, START + 2);
    g_autoptr(SecretText) berts = sessions_begin(sessions, &bert, START);
    g_autoptr(GPtrArray) hers = sessions_list(sessions, "id-anna");
    g_autofree char *id = g_strdup(((Session *)g_ptr_array_index(hers, 1))->id);

    g_assert_cmpuint(hers->len, ==, 3);
    g_assert_cmpint(((Session *)g_ptr_array_index(hers, 0))->began, ==, START);
    g_assert_cmpuint(sessions_sign_out(sessions, one), ==, 1);
    g_assert_cmpint(told.last, ==, SESSION_END_SIGNED_OUT);
    g_assert_cmpuint(sessions_sign_out(sessions, one), ==, 0);
    g_assert_null(sessions_use(sessions, one, SESSION_CLIENT_WEB, START + 2));

    g_assert_cmpuint(sessions_revoke_user(sessions, "id-anna", id, SESSION_END_USER_CHANGED), ==, 1);
    g_assert_cmpint(told.last, ==, SESSION_END_USER_CHANGED);
    g_assert_null(sessions_use(sessions, three, SESSION_CLIENT_WEB, START + 2));
    g_assert_nonnull(sessions_use(sessions, two, SESSION_CLIENT_WEB, START + 2));

    g_assert_cmpuint(sessions_revoke(sessions, id), ==, 1);
    g_assert_cmpint(told.last, ==, SESSION_END_REVOKED);
    g_assert_cmpuint(sessions_revoke(sessions, id), ==, 0);
    g_assert_cmpuint(sessions_revoke_user(sessions, "id-anna", NULL, SESSION_END_USER_CHANGED), ==, 0);
    g_assert_nonnull(sessions_use(sessions, berts, SESSION_CLIENT_API, START + 2));
    g_assert_cmpuint(told.n, ==, 3);
}

static void
test_bounds(void)
{
    SessionSettings settings = sessions_defaults;
    g_auto(Told) told = {0};
    g_autoptr(SecretText) kept = NULL;

    settings.per_user = 3;
    settings.total = 10;
    g_autoptr(Sessions) sessions = sessions_new(&settings, ended, &told);
    kept = sessions_begin(sessions, &anna, START);
    for (int i = 1; i <= 20; i++) {
        g_autoptr(SecretText) token = sessions_begin(sessions, &anna, START + i);
        g_assert_nonnull(sessions_use(sessions, kept, SESSION_CLIENT_WEB, START + i)); /* what is used stays */
    }
    g_autoptr(GPtrArray) hers = sessions_list(sessions, "id-anna");
    g_assert_cmpuint(hers->len, ==, 3);
    g_assert_cmpuint(told.n, ==, 18);
    g_assert_cmpint(told.last, ==, SESSION_END_TOO_MANY);
    for (int i = 0; i < 20; i++) {
        g_autofree char *id = g_strdup_printf("id-%d", i);
        g_autoptr(SecretText) token =
            sessions_begin(sessions, &(Session){.user_id = id, .user_name = id}, START + 100 + i);
    }
    g_autoptr(GPtrArray) all = sessions_list(sessions, NULL);
    g_assert_cmpuint(all->len, ==, 10);
}

static void
test_csrf(void)
{
    g_autoptr(Sessions) sessions = sessions_new(&sessions_defaults, NULL, NULL);
    g_autoptr(SecretText) token = sessions_begin(sessions, &anna, START);
    g_autoptr(SecretText) other = sessions_begin(sessions, &anna, START);
    g_autoptr(SecretText) csrf = sessions_csrf(token);

    g_assert_true(sessions_csrf_is_right(token, csrf));
    g_assert_false(sessions_csrf_is_right(other, csrf));
    g_assert_false(sessions_csrf_is_right(token, token));
    g_assert_false(sessions_csrf_is_right(token, ""));
    g_assert_false(sessions_csrf_is_right(token, NULL));
    g_assert_null(sessions_use(sessions, csrf, SESSION_CLIENT_WEB, START));
}

static void
test_saved(void)
{
    g_autoptr(Sessions) sessions = sessions_new(&sessions_defaults, NULL, NULL);
    g_autoptr(Sessions) later = sessions_new(&sessions_defaults, NULL, NULL);
    g_autoptr(SecretText) web = sessions_begin(sessions, &anna, START);
    g_autoptr(SecretText) api = sessions_begin(sessions, &bert, START);
    g_autoptr(GVariant) saved = sessions_save(sessions);
    g_autofree char *text = g_variant_print(saved, TRUE);
    const Session *session;

    g_assert_null(strstr(text, web));
    g_assert_null(strstr(text, api));
    g_assert_cmpuint(sessions_load(later, saved, START + 40 * MINUTE), ==, 1); /* the other is over */
    g_assert_null(sessions_use(later, web, SESSION_CLIENT_WEB, START + 40 * MINUTE));
    session = sessions_use(later, api, SESSION_CLIENT_API, START + 40 * MINUTE);
    g_assert_cmpstr(session->user_id, ==, "id-bert");
    g_assert_cmpint(session->began, ==, START);
    g_assert_cmpuint(sessions_load(later, saved, START + 40 * MINUTE), ==, 0); /* it is there already */
}

static void
test_saved_by_others(void)
{
#define DIGEST "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    static const char *const wrong[] = {
        "('no', 'list')",
        "[('short', 'i', 'u', 'n', uint32 0, uint32 0, '', int64 1, int64 1)]",
        "[('" DIGEST "', '', 'u', 'n', uint32 0, uint32 0, '', int64 1, int64 1)]",
        "[('" DIGEST "', 'i', '', 'n', uint32 0, uint32 0, '', int64 1, int64 1)]",
        "[('" DIGEST "', 'i', 'u', 'n', uint32 3, uint32 0, '', int64 1, int64 1)]",
        "[('" DIGEST "', 'i', 'u', 'n', uint32 4294967295, uint32 0, '', int64 1, int64 1)]",
        "[('" DIGEST "', 'i', 'u', 'n', uint32 0, uint32 3, '', int64 1, int64 1)]",
        "[('" DIGEST "', 'i', 'u', 'n', uint32 0, uint32 0, '', int64 2, int64 1)]",
        "[('" DIGEST "', 'i', 'u', 'n', uint32 0, uint32 0, '', int64 1, int64 9223372036854775807)]",
        "[('" DIGEST "', 'i', 'u', 'n', uint32 0, uint32 0, '', int64 -9223372036854775808, int64 1)]",
    };
    static const char right[] = "[('" DIGEST "', 'i', 'u', 'n', uint32 0, uint32 0, '', int64 1, int64 1)]";
    g_autoptr(Sessions) sessions = sessions_new(&sessions_defaults, NULL, NULL);
    g_autoptr(GVariant) good = g_variant_parse(NULL, right, NULL, NULL, NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GVariant) saved = g_variant_parse(NULL, wrong[i], NULL, NULL, NULL);
        g_assert_cmpuint(sessions_load(sessions, saved, 100), ==, 0);
    }
    g_assert_cmpuint(sessions_load(sessions, good, 100), ==, 1);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/sessions/begin-and-use", test_begin_and_use);
    g_test_add_func("/sign-in/sessions/idle-and-absolute", test_idle_and_absolute);
    g_test_add_func("/sign-in/sessions/sweep", test_sweep);
    g_test_add_func("/sign-in/sessions/ends", test_ends);
    g_test_add_func("/sign-in/sessions/bounds", test_bounds);
    g_test_add_func("/sign-in/sessions/csrf", test_csrf);
    g_test_add_func("/sign-in/sessions/saved", test_saved);
    g_test_add_func("/sign-in/sessions/saved-by-others", test_saved_by_others);
    return g_test_run();
}
