/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/life.h"

static LifeStep
next(LifeState state, Wanted wanted)
{
    const LifeFacts facts = {.state = state, .wanted = wanted};

    return life_next(&facts);
}

static void
test_table(void)
{
    static const LifeStep table[LIFE_STATES][3] = {
        /* wanted: stopped, running, suspended */
        [LIFE_STOPPED] = {LIFE_NOTHING, LIFE_BRING_UP, LIFE_NOTHING},
        [LIFE_PREPARING] = {LIFE_GIVE_UP, LIFE_NOTHING, LIFE_GIVE_UP},
        [LIFE_STARTING] = {LIFE_END, LIFE_NOTHING, LIFE_NOTHING},
        [LIFE_RUNNING] = {LIFE_SHUT_DOWN, LIFE_NOTHING, LIFE_SUSPEND},
        [LIFE_PAUSED] = {LIFE_END, LIFE_NOTHING, LIFE_SUSPEND},
        [LIFE_SUSPENDING] = {LIFE_NOTHING, LIFE_NOTHING, LIFE_NOTHING},
        [LIFE_SUSPENDED] = {LIFE_DISCARD, LIFE_BRING_UP, LIFE_NOTHING},
        [LIFE_STOPPING] = {LIFE_NOTHING, LIFE_NOTHING, LIFE_NOTHING},
        [LIFE_FAILED] = {LIFE_CLEAR, LIFE_NOTHING, LIFE_CLEAR},
    };

    for (int state = 0; state < LIFE_STATES; state++)
        for (int wanted = 0; wanted < 3; wanted++)
            g_assert_cmpint(next((LifeState)state, (Wanted)wanted), ==, table[state][wanted]);
}

static void
test_at_once(void)
{
    LifeFacts facts = {.state = LIFE_RUNNING, .wanted = WANTED_STOPPED, .at_once = true};

    g_assert_cmpint(life_next(&facts), ==, LIFE_END);
    facts.state = LIFE_STOPPING; /* who asked the guest first may lose patience */
    g_assert_cmpint(life_next(&facts), ==, LIFE_END);
}

static void
test_held(void)
{
    for (int state = 0; state < LIFE_STATES; state++)
        for (int wanted = 0; wanted < 3; wanted++) {
            const LifeFacts facts = {
                .state = (LifeState)state, .wanted = (Wanted)wanted, .at_once = true, .held = true, .retry = true};
            g_assert_cmpint(life_next(&facts), ==, LIFE_NOTHING);
        }
}

static void
test_failures(void)
{
    LifeFacts facts = {.state = LIFE_FAILED, .wanted = WANTED_RUNNING, .retry = true};

    g_assert_cmpint(life_next(&facts), ==, LIFE_BRING_UP);
    g_assert_cmpint(life_wait(1), ==, G_USEC_PER_SEC);
    g_assert_cmpint(life_wait(2), ==, 2 * G_USEC_PER_SEC);
    for (unsigned i = 1; i < 100; i++)
        g_assert_cmpint(life_wait(i), <=, life_wait(i + 1));
    g_assert_cmpint(life_wait(G_MAXUINT), ==, 300 * G_USEC_PER_SEC);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/life/table", test_table);
    g_test_add_func("/life/at-once", test_at_once);
    g_test_add_func("/life/held", test_held);
    g_test_add_func("/life/failures", test_failures);
    return g_test_run();
}
