/* SPDX-License-Identifier: Apache-2.0 */
/* Settings are there from the beginning, are changed within their ranges, and go back. */
#include "house.h"

#include "ha/store/setting.h"

/* What is said of settings and the rows of a new store belong together. */
static void
test_table(void)
{
    g_autoptr(House) house = house_new();
    const StoreSetting *setting, *before = NULL;
    int64_t rows;
    unsigned n = 0;

    for (; (setting = store_setting(n)); before = setting, n++) {
        g_autofree char *value = house_column(house, "setting", setting->id, "value");
        g_autofree char *usual = g_strdup_printf("%" G_GINT64_FORMAT, setting->usual);
        g_assert_cmpstr(value, ==, usual);
        g_assert_true(setting->min <= setting->usual && setting->usual <= setting->max);
        g_assert_true(*setting->title && *setting->about && *setting->unit);
        g_assert_true(store_setting_find(setting->id) == setting);
        g_assert_true(!before || g_strcmp0(before->id, setting->id) < 0);
    }
    g_assert_true(
        store_database_number(store_get_database(house->store), &rows, 0, NULL, "SELECT count(*) FROM settings", ""));
    g_assert_cmpint(rows, ==, n);
    g_assert_null(store_setting_find("site.name"));
}

static void
test_told(void)
{
    g_autoptr(House) house = house_new();

    house_assert_column(house, "setting", "memory.overcommit-percent", "default", "100");
    house_assert_column(house, "setting", "memory.overcommit-percent", "max", "400");
    house_assert_column(house, "setting", "memory.overcommit-percent", "unit", "'percent'");
}

static void
test_change(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "setting.change", "{'setting': <'pools.left-minutes'>, 'value': <int64 0>}");
    house_assert_column(house, "setting", "pools.left-minutes", "value", "0");
    house_do(house, "setting.change", "{'setting': <'pools.left-minutes'>, 'value': <int64 10080>}");
    house_assert_column(house, "setting", "pools.left-minutes", "value", "10080");
    house_assert_column(house, "setting", "desktops.shut-down-seconds", "value", "90");
}

static void
test_refused(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_refuse(house, STORE_ERROR_RULE, "value: it goes from 100 to 400 percent", "setting.change",
                 "{'setting': <'memory.overcommit-percent'>, 'value': <int64 401>}");
    house_refuse(house, STORE_ERROR_RULE, "value: it goes from 100 to 400 percent", "setting.change",
                 "{'setting': <'memory.overcommit-percent'>, 'value': <int64 99>}");
    house_refuse(house, STORE_ERROR_FIELD, "value: it goes from 0", "setting.change",
                 "{'setting': <'memory.overcommit-percent'>, 'value': <int64 -1>}");
    house_refuse(house, STORE_ERROR_FIELD, "value: it is missing", "setting.change",
                 "{'setting': <'memory.overcommit-percent'>}");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "setting: there is no setting site.name", "setting.change",
                 "{'setting': <'site.name'>, 'value': <int64 1>}");
    house_refuse(house, STORE_ERROR_NOT_FOUND, "setting: there is no setting site.name", "setting.reset",
                 "{'setting': <'site.name'>}");
    house_assert_column(house, "setting", "memory.overcommit-percent", "value", "100");
    house->actor = "olaf";
    house_refuse(house, STORE_ERROR_FORBIDDEN, "", "setting.change",
                 "{'setting': <'memory.overcommit-percent'>, 'value': <int64 200>}");
}

static void
test_reset(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_do(house, "setting.change", "{'setting': <'desktops.shut-down-seconds'>, 'value': <int64 5>}");
    house_do(house, "setting.reset", "{'setting': <'desktops.shut-down-seconds'>}");
    house_assert_column(house, "setting", "desktops.shut-down-seconds", "value", "90");
}

/* Also where both have seen what nobody had changed before. */
static void
test_second_is_told(void)
{
    g_autoptr(House) house = house_new_furnished();

    house_assert_column(house, "setting", "pools.left-minutes", "revision", "1");
    house->seen = 1;
    house_do(house, "setting.change", "{'setting': <'pools.left-minutes'>, 'value': <int64 20>}");
    house->seen = 1;
    house_refuse(house, STORE_ERROR_CHANGED, "console has changed the setting", "setting.change",
                 "{'setting': <'pools.left-minutes'>, 'value': <int64 30>}");
    house->seen = 1;
    house_refuse(house, STORE_ERROR_CHANGED, "console has changed the setting", "setting.reset",
                 "{'setting': <'pools.left-minutes'>}");
    house_assert_column(house, "setting", "pools.left-minutes", "value", "20");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/settings/table", test_table);
    g_test_add_func("/store/settings/told", test_told);
    g_test_add_func("/store/settings/change", test_change);
    g_test_add_func("/store/settings/refused", test_refused);
    g_test_add_func("/store/settings/reset", test_reset);
    g_test_add_func("/store/settings/second-is-told", test_second_is_told);
    return g_test_run();
}
