/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/pool_plan.h"

#include <string.h>

#define FREE(name, runs) {.id = name, .current = true, .wanted_running = runs}
#define TAKEN(name, is_over) {.id = name, .user = "anna", .current = true, .wanted_running = true, .over = is_over}

/* The plan as a line: "make, start b, delete c". */
static char *
plan(bool disposable, unsigned size, unsigned spares, const PoolDesktop *desktops, unsigned n)
{
    static const char *const words[] = {
        [POOL_START] = "start", [POOL_STOP] = "stop",           [POOL_DELETE] = "delete",
        [POOL_MAKE] = "make",   [POOL_TAKE_BACK] = "take back",
    };
    const PoolFacts facts = {disposable, size, spares, desktops, n};
    g_autoptr(GArray) steps = pool_plan(&facts);
    GString *line = g_string_new(NULL);

    for (unsigned i = 0; i < steps->len; i++) {
        const PoolStep *step = &g_array_index(steps, PoolStep, i);
        g_string_append_printf(line, "%s%s%s%s", i ? ", " : "", words[step->kind], step->desktop ? " " : "",
                               step->desktop ? step->desktop : "");
    }
    return g_string_free(line, FALSE);
}

#define ASSERT_PLAN(expected, ...)                 \
    do {                                           \
        g_autofree char *line = plan(__VA_ARGS__); \
        g_assert_cmpstr(line, ==, expected);       \
    } while (0)

static void
test_new_pool(void)
{
    ASSERT_PLAN("make, make, make", false, 10, 3, NULL, 0);
    ASSERT_PLAN("make, make", false, 2, 2, NULL, 0);
    ASSERT_PLAN("", false, 0, 0, NULL, 0);
    /* Somebody must find one to take. */
    ASSERT_PLAN("make", false, 5, 0, NULL, 0);
}

static void
test_spares_run(void)
{
    const PoolDesktop desktops[] = {FREE("a", true), FREE("b", false)};

    ASSERT_PLAN("start b", true, 5, 2, desktops, 2);
    ASSERT_PLAN("delete b", true, 5, 1, desktops, 2);
    ASSERT_PLAN("stop a, delete b", true, 5, 0, desktops, 2);
}

static void
test_one_is_taken(void)
{
    const PoolDesktop desktops[] = {TAKEN("a", false), FREE("b", true)};

    ASSERT_PLAN("make", true, 5, 2, desktops, 2);
    ASSERT_PLAN("", true, 2, 2, desktops, 2); /* no room for another spare */
    ASSERT_PLAN("delete b", true, 1, 0, desktops, 2);
}

static void
test_left(void)
{
    const PoolDesktop desktops[] = {TAKEN("a", true), FREE("b", true)};

    ASSERT_PLAN("take back a", true, 5, 1, desktops, 2);
    /* Whoever has one of a persistent pool keeps it. */
    ASSERT_PLAN("", false, 5, 1, desktops, 2);
    /* There is room for another in its place. */
    ASSERT_PLAN("take back a, make", true, 2, 2, desktops, 2);
}

static void
test_other_template(void)
{
    const PoolDesktop desktops[] = {{.id = "old", .wanted_running = true},
                                    {.id = "annas", .user = "anna", .wanted_running = true},
                                    FREE("new", true)};

    ASSERT_PLAN("delete old", false, 5, 1, desktops, 3);
    ASSERT_PLAN("delete old, make", false, 5, 2, desktops, 3);
}

/* Whatever there is: carried out, the plan leads to a state in which nothing is left to be done. */
static void
test_settles(void)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f", "g"};

    for (unsigned round = 0; round < 5000; round++) {
        PoolDesktop desktops[16];
        unsigned n = (unsigned)g_test_rand_int_range(0, (int)G_N_ELEMENTS(ids) + 1), left = 0;
        unsigned size = (unsigned)g_test_rand_int_range(0, 8),
                 spares = (unsigned)g_test_rand_int_range(0, (int)size + 1);
        bool disposable = g_test_rand_bit();
        for (unsigned i = 0; i < n; i++)
            desktops[i] = (PoolDesktop){.id = ids[i],
                                        .user = g_test_rand_bit() ? "anna" : NULL,
                                        .current = g_test_rand_bit(),
                                        .wanted_running = g_test_rand_bit(),
                                        .over = g_test_rand_bit()};
        const PoolFacts facts = {disposable, size, spares, desktops, n};
        g_autoptr(GArray) steps = pool_plan(&facts);
        for (unsigned i = 0; i < steps->len; i++) {
            const PoolStep *step = &g_array_index(steps, PoolStep, i);
            for (unsigned k = 0; k < n && step->desktop; k++) {
                if (strcmp(desktops[k].id, step->desktop) != 0)
                    continue;
                if (step->kind == POOL_DELETE)
                    g_assert_null(desktops[k].user);
                if (step->kind == POOL_TAKE_BACK || step->kind == POOL_DELETE)
                    desktops[k].id = "";
                else
                    desktops[k].wanted_running = step->kind == POOL_START;
            }
            if (step->kind == POOL_MAKE) {
                g_assert_cmpuint(n, <, G_N_ELEMENTS(desktops));
                desktops[n++] = (PoolDesktop){.id = "made", .current = true};
            }
        }
        for (unsigned i = 0; i < n; i++)
            if (*desktops[i].id)
                desktops[left++] = desktops[i];
        const PoolFacts after = {disposable, size, spares, desktops, left};
        g_autoptr(GArray) rest = pool_plan(&after);
        for (unsigned i = 0; i < rest->len; i++)
            g_assert_cmpint(g_array_index(rest, PoolStep, i).kind, ==, POOL_START); /* of those just made */
    }
}

static void
test_names(void)
{
    g_autoptr(GHashTable) taken = g_hash_table_new(g_str_hash, g_str_equal);

    g_hash_table_add(taken, (char *)"Class 1");
    g_hash_table_add(taken, (char *)"Class 3");
    g_autofree char *name = pool_plan_name("Class", taken);
    g_assert_cmpstr(name, ==, "Class 2");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pool-plan/new-pool", test_new_pool);
    g_test_add_func("/pool-plan/spares-run", test_spares_run);
    g_test_add_func("/pool-plan/one-is-taken", test_one_is_taken);
    g_test_add_func("/pool-plan/left", test_left);
    g_test_add_func("/pool-plan/other-template", test_other_template);
    g_test_add_func("/pool-plan/settles", test_settles);
    g_test_add_func("/pool-plan/names", test_names);
    return g_test_run();
}
