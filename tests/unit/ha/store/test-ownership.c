/* SPDX-License-Identifier: Apache-2.0 */
/* What is whose: every way to a desktop, and each way's end. */
#include "house.h"

#include <string.h>

static char *
names_of(GPtrArray *things)
{
    g_autoptr(GString) names = g_string_new(NULL);

    g_assert_nonnull(things);
    for (guint i = 0; i < things->len; i++) {
        const char *name;
        g_assert_true(g_variant_lookup(things->pdata[i], "name", "&s", &name));
        g_string_append_printf(names, "%s ", name);
    }
    g_ptr_array_unref(things);
    return g_string_free_and_steal(g_steal_pointer(&names));
}

static void
assert_has(House *house, const char *user, const char *desktops, const char *pools)
{
    g_autofree char *of_desktops = names_of(store_reader_desktops_of(house->reader, house_id(user), NULL));
    g_autofree char *of_pools = names_of(store_reader_pools_of(house->reader, house_id(user), NULL));

    g_assert_cmpstr(of_desktops, ==, desktops);
    g_assert_cmpstr(of_pools, ==, pools);
}

static bool
may_use(House *house, const char *user, const char *desktop)
{
    bool yes;

    g_assert_true(store_reader_may_use(house->reader, house_id(user), house_id(desktop), &yes, NULL));
    return yes;
}

static void
test_assigned(void)
{
    g_autoptr(House) house = house_new_furnished();

    assert_has(house, "uwe", "", "");
    g_assert_false(may_use(house, "uwe", "desktop"));
    house_do(house, "assignment.create", "{'assignment': <'$one'>, 'user': <'$uwe'>, 'desktop': <'$desktop'>}");
    assert_has(house, "uwe", "Reception ", "");
    assert_has(house, "olaf", "", "");
    g_assert_true(may_use(house, "uwe", "desktop"));
    g_assert_false(may_use(house, "olaf", "desktop"));
    g_assert_false(may_use(house, "anna", "desktop")); /* an administrator's role is no assignment */
    house_do(house, "assignment.create", "{'assignment': <'$two'>, 'group': <'$group'>, 'desktop': <'$desktop'>}");
    assert_has(house, "uwe", "Reception ", ""); /* once, though there are two ways to it */
    house_do(house, "assignment.delete", "{'assignment': <'$one'>}");
    g_assert_true(may_use(house, "uwe", "desktop"));
    house_do(house, "group.remove_member", "{'group': <'$group'>, 'user': <'$uwe'>}");
    g_assert_false(may_use(house, "uwe", "desktop"));
}

static void
test_taken(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "desktop.create",
             "{'desktop': <'$a'>, 'name': <'a'>, 'pool': <'$pool'>, 'memory': <int64 1024>, 'vcpus': <int64 1>}");
    house_do(house, "assignment.create", "{'assignment': <'$one'>, 'group': <'$group'>, 'pool': <'$pool'>}");
    assert_has(house, "uwe", "", "Everybody ");
    g_assert_false(may_use(house, "uwe", "a"));
    house_do(house, "pool.take", "{'pool': <'$pool'>, 'user': <'$uwe'>}");
    assert_has(house, "uwe", "a ", "Everybody ");
    g_assert_true(may_use(house, "uwe", "a"));
    house_do(house, "group.add_member", "{'group': <'$group'>, 'user': <'$olaf'>}");
    assert_has(house, "olaf", "", "Everybody ");
    g_assert_false(may_use(house, "olaf", "a"));
    house_do(house, "assignment.delete", "{'assignment': <'$one'>}");
    assert_has(house, "uwe", "", "");
    g_assert_false(may_use(house, "uwe", "a"));
}

static void
test_disabled(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "assignment.create", "{'assignment': <'$one'>, 'user': <'$uwe'>, 'desktop': <'$desktop'>}");
    house_do(house, "assignment.create", "{'assignment': <'$two'>, 'user': <'$uwe'>, 'pool': <'$pool'>}");
    house_do(house, "user.change", "{'user': <'$uwe'>, 'disabled': <true>}");
    assert_has(house, "uwe", "", "");
    g_assert_false(may_use(house, "uwe", "desktop"));
    house_do(house, "user.change", "{'user': <'$uwe'>, 'disabled': <false>}");
    assert_has(house, "uwe", "Reception ", "Everybody ");
    assert_has(house, "nobody", "", "");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/ownership/assigned", test_assigned);
    g_test_add_func("/store/ownership/taken", test_taken);
    g_test_add_func("/store/ownership/disabled", test_disabled);
    return g_test_run();
}
