/* SPDX-License-Identifier: Apache-2.0 */
/* Settings are set, set again and cleared. */
#include "house.h"

static void
test_set(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "setting.set", "{'setting': <'site.name'>, 'value': <'Kontor'>}");
    house_assert_column(house, "setting", "site.name", "value", "'Kontor'");
    g_autofree char *created = house_column(house, "setting", "site.name", "created");
    house_do(house, "setting.set", "{'setting': <'site.name'>, 'value': <'Büro'>}");
    house_assert_column(house, "setting", "site.name", "value", "'Büro'");
    house_assert_column(house, "setting", "site.name", "created", created);
    house_refuse(house, STORE_ERROR_FIELD, "value: it is empty", "setting.set",
                 "{'setting': <'site.name'>, 'value': <''>}");
}

static void
test_clear(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "setting.set", "{'setting': <'a'>, 'value': <'b'>}");
    house_do(house, "setting.clear", "{'setting': <'a'>}");
    g_assert_false(house_has(house, "setting", "a"));
    house_refuse(house, STORE_ERROR_NOT_FOUND, "there is no setting a", "setting.clear", "{'setting': <'a'>}");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/settings/set", test_set);
    g_test_add_func("/store/settings/clear", test_clear);
    return g_test_run();
}
