/* SPDX-License-Identifier: Apache-2.0 */
/* The time between the password and the code: how long, how often, from where. */
#include "appliance/sign-in/challenges.h"

#define START ((int64_t)1000 * G_USEC_PER_SEC)

static const char source[] = "192.0.2.1";
static const Challenge anna = {"id-anna", "anna", source, SESSION_CLIENT_WEB};

static void
test_tries(void)
{
    g_autoptr(Challenges) challenges = challenges_new();
    g_autoptr(SecretText) token = challenges_begin(challenges, &anna, START);

    for (unsigned i = 0; i < CHALLENGES_CODES; i++) {
        const Challenge *challenge = challenges_try(challenges, token, source, SESSION_CLIENT_WEB, START);
        g_assert_cmpstr(challenge->user_id, ==, "id-anna");
        g_assert_cmpstr(challenge->account, ==, "anna");
    }
    g_assert_null(challenges_try(challenges, token, source, SESSION_CLIENT_WEB, START));
    g_assert_cmpuint(challenges_count(challenges), ==, 0);
}

static void
test_whose(void)
{
    g_autoptr(Challenges) challenges = challenges_new();
    g_autoptr(SecretText) token = challenges_begin(challenges, &anna, START);
    int64_t end = START + CHALLENGES_LIFETIME;

    g_assert_null(challenges_try(challenges, token, "192.0.2.2", SESSION_CLIENT_WEB, START));
    g_assert_null(challenges_try(challenges, token, NULL, SESSION_CLIENT_WEB, START));
    g_assert_null(challenges_try(challenges, token, source, SESSION_CLIENT_API, START));
    g_assert_null(challenges_try(challenges, "", source, SESSION_CLIENT_WEB, START));
    g_assert_null(challenges_try(challenges, NULL, source, SESSION_CLIENT_WEB, START));
    g_assert_nonnull(challenges_try(challenges, token, source, SESSION_CLIENT_WEB, end - 1));
    g_assert_null(challenges_try(challenges, token, source, SESSION_CLIENT_WEB, end));
    challenges_end(challenges, token); /* which is gone */
}

static void
test_ends(void)
{
    g_autoptr(Challenges) challenges = challenges_new();
    g_autoptr(SecretText) one = challenges_begin(challenges, &anna, START);
    g_autoptr(SecretText) two = challenges_begin(challenges, &anna, START);
    g_autoptr(SecretText) berts =
        challenges_begin(challenges, &(Challenge){"id-bert", "bert", NULL, SESSION_CLIENT_API}, START);

    challenges_end(challenges, one);
    g_assert_null(challenges_try(challenges, one, source, SESSION_CLIENT_WEB, START));
    challenges_end_user(challenges, "id-anna");
    g_assert_null(challenges_try(challenges, two, source, SESSION_CLIENT_WEB, START));
    g_assert_nonnull(challenges_try(challenges, berts, NULL, SESSION_CLIENT_API, START));
}

static void
test_bounds(void)
{
    g_autoptr(Challenges) challenges = challenges_new();
    g_autoptr(SecretText) first = challenges_begin(challenges, &anna, START);
    g_autoptr(SecretText) last = NULL;

    for (unsigned i = 0; i < CHALLENGES_USER_MAX; i++) {
        secret_text_free(last);
        last = challenges_begin(challenges, &anna, START);
    }
    g_assert_cmpuint(challenges_count(challenges), ==, CHALLENGES_USER_MAX);
    g_assert_null(challenges_try(challenges, first, source, SESSION_CLIENT_WEB, START));
    g_assert_nonnull(challenges_try(challenges, last, source, SESSION_CLIENT_WEB, START));
    for (unsigned i = 0; i < CHALLENGES_MAX + 10; i++) {
        g_autofree char *id = g_strdup_printf("id-%u", i);
        g_autoptr(SecretText) token =
            challenges_begin(challenges, &(Challenge){id, id, source, SESSION_CLIENT_WEB}, START);
    }
    g_assert_cmpuint(challenges_count(challenges), ==, CHALLENGES_MAX);
    g_assert_null(challenges_try(challenges, last, source, SESSION_CLIENT_WEB, START));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/challenges/tries", test_tries);
    g_test_add_func("/sign-in/challenges/whose", test_whose);
    g_test_add_func("/sign-in/challenges/ends", test_ends);
    g_test_add_func("/sign-in/challenges/bounds", test_bounds);
    return g_test_run();
}
