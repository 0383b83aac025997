/* SPDX-License-Identifier: Apache-2.0 */
/* Guessing: how it is slowed down, who is not, and what a flood of names can and cannot do. Time is made here. */
#include "appliance/sign-in/limiter.h"

#include <string.h>

#define SECOND G_USEC_PER_SEC
#define START ((int64_t)1000 * SECOND)

static const uint8_t key[LIMITER_KEY_BYTES] = "a key that only this test has";
static const LimiterAttempt anna = {"anna", "192.0.2.1", false};

static Limiter *
new_limiter(void)
{
    return limiter_new(&limiter_defaults, key);
}

/* So many attempts that fail, each as soon as it may; the time of the last. */
static int64_t
fail(Limiter *limiter, const LimiterAttempt *attempt, unsigned times, int64_t now)
{
    for (unsigned i = 0; i < times; i++) {
        int64_t wait = limiter_begin(limiter, attempt, now);
        if (wait) {
            now += wait;
            g_assert_cmpint(limiter_begin(limiter, attempt, now), ==, 0);
        }
    }
    return now;
}

static void
test_growing(void)
{
    g_autoptr(Limiter) limiter = new_limiter();
    int64_t now = fail(limiter, &anna, limiter_defaults.account_free, START);

    g_assert_cmpint(now, ==, START); /* the first were free, and so is the next … */
    g_assert_cmpint(limiter_begin(limiter, &anna, now), ==, 0);
    for (int64_t wait = SECOND; wait < limiter_defaults.account_wait_max; wait *= 2) {
        g_assert_cmpint(limiter_begin(limiter, &anna, now), ==, wait); /* … after which each waits twice as long */
        g_assert_cmpint(limiter_begin(limiter, &anna, now + wait - 1), ==, 1);
        now += wait;
        g_assert_cmpint(limiter_begin(limiter, &anna, now), ==, 0);
    }
    g_assert_cmpint(limiter_begin(limiter, &anna, now), ==, limiter_defaults.account_wait_max);
    now = fail(limiter, &anna, 100, now);
    g_assert_cmpint(limiter_begin(limiter, &anna, now), ==, limiter_defaults.account_wait_max); /* never for good */
}

static void
test_hammering_does_not_prolong(void)
{
    g_autoptr(Limiter) limiter = new_limiter();

    fail(limiter, &anna, limiter_defaults.account_free + 1, START);
    for (int i = 0; i < 1000; i++)
        g_assert_cmpint(limiter_begin(limiter, &anna, START + i), ==, SECOND - i);
    g_assert_cmpint(limiter_begin(limiter, &anna, START + SECOND), ==, 0);
}

/* All of them begin before the first is answered. */
static void
test_many_at_once(void)
{
    g_autoptr(Limiter) limiter = new_limiter();
    unsigned began = 0;

    for (unsigned i = 0; i < 1000; i++)
        began += limiter_begin(limiter, &anna, START) == 0;
    g_assert_cmpuint(began, ==, limiter_defaults.account_free + 1);
}

static void
test_forgets(void)
{
    g_autoptr(Limiter) limiter = new_limiter();
    int64_t now = fail(limiter, &anna, 12, START);

    g_assert_cmpint(limiter_begin(limiter, &anna, now), >, 0);
    now += limiter_defaults.forget;
    g_assert_cmpint(fail(limiter, &anna, limiter_defaults.account_free, now), ==, now);
}

static void
test_success_gives_back(void)
{
    g_autoptr(Limiter) limiter = new_limiter();

    for (unsigned i = 0; i < 100; i++) {
        g_assert_cmpint(limiter_begin(limiter, &anna, START), ==, 0);
        limiter_return(limiter, &anna, START);
    }
    g_assert_false(limiter_knows(limiter, &anna, START)); /* it was returned, not a success */
    fail(limiter, &anna, limiter_defaults.account_free, START);
    g_assert_cmpint(limiter_begin(limiter, &anna, START), ==, 0);
    limiter_succeed(limiter, &anna, START);
    g_assert_true(limiter_knows(limiter, &anna, START));
    g_assert_false(limiter_knows(limiter, &anna, START + limiter_defaults.know));
}

/* Who guesses from elsewhere, or from the same office, does not keep Anna out of her desk. */
static void
test_known_pair(void)
{
    g_autoptr(Limiter) limiter = new_limiter();
    LimiterAttempt elsewhere = {"anna", "198.51.100.7", false}, colleague = {"bert", anna.source, false};
    int64_t now;

    g_assert_cmpint(limiter_begin(limiter, &anna, START), ==, 0);
    limiter_succeed(limiter, &anna, START);
    now = fail(limiter, &colleague, 30, START);
    g_assert_cmpint(limiter_begin(limiter, &colleague, now), >, 0);
    g_assert_cmpint(limiter_begin(limiter, &anna, now), ==, 0);
    now = fail(limiter, &elsewhere, 30, now);
    g_assert_cmpint(limiter_begin(limiter, &elsewhere, now), >, 0);
    g_assert_cmpint(limiter_begin(limiter, &anna, now), ==, 0);
    limiter_succeed(limiter, &anna, now);

    /* Her sign-in was no help to who guesses, … */
    g_assert_cmpint(limiter_begin(limiter, &elsewhere, now), >, 0);
    /* … and who guesses at her desk is slowed down there, and nowhere else. */
    g_assert_cmpint(fail(limiter, &anna, limiter_defaults.account_free + 3, now), >, now);
}

/* Somebody with an account signs in between guesses at others': no way around. */
static void
test_success_between(void)
{
    g_autoptr(Limiter) limiter = new_limiter();
    LimiterAttempt own = {"mallory", "198.51.100.7", false};
    unsigned guesses = 0;

    for (unsigned i = 0; i < 1000; i++) {
        g_autofree char *name = g_strdup_printf("user %u", i);
        LimiterAttempt guess = {name, own.source, false};
        guesses += limiter_begin(limiter, &guess, START) == 0;
        if (limiter_begin(limiter, &own, START) == 0)
            limiter_succeed(limiter, &own, START);
    }
    g_assert_cmpuint(guesses, ==, limiter_defaults.source_free + 1);
}

static void
test_sources(void)
{
    static const char *const one_network[] = {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff",
                                              "2001:0db8:0001:0002::7"};
    static const char *const one_host[] = {"192.0.2.9", "::ffff:192.0.2.9"};
    g_autoptr(Limiter) limiter = new_limiter();
    unsigned began = 0;

    for (unsigned i = 0; i < 300; i++) {
        g_autofree char *name = g_strdup_printf("user %u", i);
        LimiterAttempt attempt = {name, one_network[i % G_N_ELEMENTS(one_network)], false};
        began += limiter_begin(limiter, &attempt, START) == 0;
    }
    g_assert_cmpuint(began, ==, limiter_defaults.source_free + 1);
    began = 0;
    for (unsigned i = 0; i < 300; i++) {
        g_autofree char *name = g_strdup_printf("user %u", i);
        LimiterAttempt attempt = {name, one_host[i % G_N_ELEMENTS(one_host)], false};
        began += limiter_begin(limiter, &attempt, START) == 0;
    }
    g_assert_cmpuint(began, ==, limiter_defaults.source_free + 1);
    g_assert_cmpint(limiter_begin(limiter, &(LimiterAttempt){"x", "2001:db8:1:3::1", false}, START), ==, 0);
    g_assert_cmpint(limiter_begin(limiter, &(LimiterAttempt){"x", NULL, false}, START), ==, 0);
    g_assert_cmpint(limiter_begin(limiter, &(LimiterAttempt){"\xff\xfe", "no address", false}, START), ==, 0);
}

/* One account however it is spelled. */
static void
test_spellings(void)
{
    static const char *const spellings[] = {"j\xc3\xbcrgen", "J\xc3\x9cRGEN", "ju\xcc\x88rgen"};
    g_autoptr(Limiter) limiter = new_limiter();
    unsigned began = 0;

    for (unsigned i = 0; i < 30; i++) {
        g_autofree char *source = g_strdup_printf("192.0.2.%u", i);
        LimiterAttempt attempt = {spellings[i % G_N_ELEMENTS(spellings)], source, false};
        began += limiter_begin(limiter, &attempt, START) == 0;
    }
    g_assert_cmpuint(began, ==, limiter_defaults.account_free + 1);
}

static void
test_console(void)
{
    g_autoptr(Limiter) limiter = new_limiter();
    LimiterAttempt console = {"admin", NULL, true}, remote = {"admin", "192.0.2.1", false};
    int64_t now = fail(limiter, &remote, 50, START);

    g_assert_cmpint(limiter_begin(limiter, &remote, now), >, 0);
    for (unsigned i = 0; i < 1000; i++)
        g_assert_cmpint(limiter_begin(limiter, &console, now), ==, 0);
    limiter_succeed(limiter, &console, now);
    limiter_return(limiter, &console, now);
    g_assert_cmpint(limiter_begin(limiter, &remote, now), >, 0); /* nor does it help those outside */
}

/* 50,000 names from as many addresses: the account under attack stays slowed down, and everybody else gets in. */
static void
test_flood(void)
{
    g_autoptr(Limiter) limiter = new_limiter();
    LimiterAttempt attacked = {"admin", "198.51.100.7", false}, desk = {"anna", "192.0.2.1", false};
    int64_t now = fail(limiter, &attacked, 14, START);
    int64_t wait = limiter_begin(limiter, &attacked, now);

    g_assert_cmpint(wait, >, 200 * SECOND);
    limiter_begin(limiter, &desk, now);
    limiter_succeed(limiter, &desk, now);
    for (unsigned i = 0; i < 50000; i++) {
        g_autofree char *name = g_strdup_printf("%u", i),
                        *source = g_strdup_printf("2001:db8:%x:%x::1", i >> 16, i & 0xffff);
        limiter_begin(limiter, &(LimiterAttempt){name, source, false}, now + i);
    }
    now += 50000;
    g_assert_cmpint(limiter_begin(limiter, &attacked, now), ==, wait - 50000);
    g_assert_true(limiter_knows(limiter, &desk, now));
    g_assert_cmpint(limiter_begin(limiter, &desk, now), ==, 0);
    g_assert_cmpint(limiter_begin(limiter, &(LimiterAttempt){"carl", "192.0.2.77", false}, now), ==, 0);
}

static void
test_tag(void)
{
    g_autoptr(Limiter) limiter = new_limiter();
    g_autofree char *one = limiter_tag(limiter, "hunter2"), *again = limiter_tag(limiter, "HUNTER2");
    g_autofree char *other = limiter_tag(limiter, "hunter3");

    g_assert_cmpuint(strlen(one), ==, 8);
    g_assert_cmpstr(one, ==, again);
    g_assert_cmpstr(one, !=, other);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/limiter/growing", test_growing);
    g_test_add_func("/sign-in/limiter/hammering", test_hammering_does_not_prolong);
    g_test_add_func("/sign-in/limiter/many-at-once", test_many_at_once);
    g_test_add_func("/sign-in/limiter/forgets", test_forgets);
    g_test_add_func("/sign-in/limiter/success", test_success_gives_back);
    g_test_add_func("/sign-in/limiter/known-pair", test_known_pair);
    g_test_add_func("/sign-in/limiter/success-between", test_success_between);
    g_test_add_func("/sign-in/limiter/sources", test_sources);
    g_test_add_func("/sign-in/limiter/spellings", test_spellings);
    g_test_add_func("/sign-in/limiter/console", test_console);
    g_test_add_func("/sign-in/limiter/flood", test_flood);
    g_test_add_func("/sign-in/limiter/tag", test_tag);
    return g_test_run();
}
