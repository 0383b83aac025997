/* SPDX-License-Identifier: Apache-2.0 */
/* What lvs tells, as it tells it: the JSON of LVM 2.03 with values put in by hand. */
#include "appliance/storage/lvm_report.h"

#define DISK "disk-aaaaaaaa-0000-4000-8000-000000000001-0"
#define MIB (UINT64_C(1) << 20)

/* A row: name, size, pool, percent, tags. */
#define ROW(name, size, pool, percent, tags)                                                               \
    "{\"lv_name\":\"" name "\", \"lv_size\":\"" size "\", \"lv_time\":\"1763750000\", \"pool_lv\":\"" pool \
    "\", \"data_percent\":\"" percent "\", \"metadata_percent\":\"\", \"lv_tags\":\"" tags                 \
    "\", \"vg_extent_size\":\"4194304\", \"lv_when_full\":\"\"}"
#define POOL_ROW(metadata, when_full)                                                                  \
    "{\"lv_name\":\"pool\", \"lv_size\":\"104857600\", \"lv_time\":\"1763750000\", \"pool_lv\":\"\", " \
    "\"data_percent\":\"25.00\", \"metadata_percent\":\"" metadata "\", \"lv_tags\":\"\", "            \
    "\"vg_extent_size\":\"4194304\", \"lv_when_full\":\"" when_full "\"}"
#define REPORT(rows) "{\"report\": [{\"lv\": [" rows "]}], \"log\": []}"

static void
test_report(void)
{
    static const char json[] = REPORT(ROW("root", "1048576", "", "", "") "," POOL_ROW("10.94", "queue") "," ROW(
        "making-" DISK, "8388608", "pool", "0.00",
        "carrel") "," ROW(DISK, "16777216", "pool", "50.00",
                          "blue,carrel") "," ROW("disk-by-hand", "8388608", "pool", "1.00",
                                                 "carrel") "," ROW("image-cccccccc-0000-4000-8000-000000000003",
                                                                   "8388608", "pool", "1.00",
                                                                   "") "," ROW("iso-cccccccc-0000-4000-8000-"
                                                                               "000000000003",
                                                                               "8388608", "other", "1.00", "carrel"));
    g_auto(LvmReport) report = {0};
    g_autoptr(GError) error = NULL;

    g_assert_true(lvm_report_read(json, "pool", &report, &error));
    g_assert_no_error(error);
    g_assert_true(report.has_pool);
    g_assert_false(report.fails_when_full);
    g_assert_cmpuint(report.extent, ==, 4 * MIB);
    g_assert_cmpfloat_with_epsilon(report.metadata_percent, 10.94, 0.001);
    g_assert_cmpuint(report.view->bytes, ==, 100 * MIB);
    g_assert_cmpuint(report.view->free, ==, 75 * MIB);
    g_assert_cmpuint(report.view->volumes->len, ==, 2);
    const Volume *disk = volumes_find(report.view, DISK);
    g_assert_cmpuint(disk->size, ==, 16 * MIB);
    g_assert_cmpuint(disk->bytes, ==, 8 * MIB);
    g_assert_cmpint(disk->changed, ==, 1763750000);
    g_assert_nonnull(volumes_find(report.view, "making-" DISK));
}

static void
test_pool(void)
{
    g_auto(LvmReport) none = {0}, failing = {0};

    g_assert_true(lvm_report_read(REPORT(""), "pool", &none, NULL));
    g_assert_false(none.has_pool);
    g_assert_true(lvm_report_read(REPORT(POOL_ROW("0.00", "error")), "pool", &failing, NULL));
    g_assert_true(failing.fails_when_full);
}

static void
test_no_report(void)
{
    static const char *const others[] = {"",
                                         "[]",
                                         "{}",
                                         "{\"report\": 1}",
                                         "{\"report\": []}",
                                         "{\"report\": [1]}",
                                         "{\"report\": [{\"lv\": {}}]}",
                                         "{\"report\": [{\"vg\": []}]}",
                                         "no JSON"};

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        g_auto(LvmReport) report = {0};
        g_autoptr(GError) error = NULL;
        g_assert_false(lvm_report_read(others[i], "pool", &report, &error));
        g_assert_nonnull(error);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lvm-report/report", test_report);
    g_test_add_func("/lvm-report/pool", test_pool);
    g_test_add_func("/lvm-report/no-report", test_no_report);
    return g_test_run();
}
