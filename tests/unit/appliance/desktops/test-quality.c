/* SPDX-License-Identifier: Apache-2.0 */
/* What a VMM's counters say of its sessions. */
#include "appliance/desktops/quality.h"

static void
parse(DesktopQuality *quality, const char *counters)
{
    g_autoptr(GVariant) variant = g_variant_ref_sink(g_variant_new_parsed(counters));

    quality_read(quality, variant);
}

static void
test_read(void)
{
    DesktopQuality quality;

    parse(&quality, "{'spice.frame-age.count': uint64 7, 'spice.frame-age.us': 9000, 'spice.frame-age.within-5000': 6,"
                    " 'spice.frame-age.within-2000': 4, 'spice.input.count': 2, 'spice.input.us': 30,"
                    " 'spice.sent-bytes': 11, 'spice.received-bytes': 12, 'usb.errors': 13, 'usb.bytes': 14}");
    g_assert_cmpuint(quality.frame_age.count, ==, 7);
    g_assert_cmpuint(quality.frame_age.total_us, ==, 9000);
    g_assert_cmpuint(quality.frame_age.n, ==, 2);
    g_assert_cmpuint(quality.frame_age.within[0].us, ==, 2000);
    g_assert_cmpuint(quality.frame_age.within[0].count, ==, 4);
    g_assert_cmpuint(quality.frame_age.within[1].us, ==, 5000);
    g_assert_cmpuint(quality.input.count, ==, 2);
    g_assert_cmpuint(quality.input.n, ==, 0);
    g_assert_cmpuint(quality.sent, ==, 11);
    g_assert_cmpuint(quality.received, ==, 12);
    g_assert_cmpuint(quality.usb_errors, ==, 13);
}

static void
test_nonsense(void)
{
    DesktopQuality quality;

    parse(&quality,
          "{'spice.frame-age.within-': uint64 1, 'spice.frame-age.within--3': 1, 'spice.frame-age.within-0': 1,"
          " 'spice.frame-age.within-5x': 1, 'spice.frame-age.within-99999999999999999999': 1,"
          " 'spice.frame-age.counts': 1, 'spice.frame-age.': 1, '': 1}");
    g_assert_cmpuint(quality.frame_age.n, ==, 0);
    g_assert_cmpuint(quality.frame_age.count, ==, 0);
}

/* Prometheus takes no page on which a bound stands twice. */
static void
test_bounds_once_and_so_many(void)
{
    g_auto(GVariantBuilder) counters = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{st}"));
    DesktopQuality quality;

    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *name = g_strdup_printf("spice.input.within-%u", 1 + (i * 37 % 50));
        g_variant_builder_add(&counters, "{st}", name, (guint64)i);
    }
    g_autoptr(GVariant) variant = g_variant_ref_sink(g_variant_builder_end(&counters));
    quality_read(&quality, variant);
    g_assert_cmpuint(quality.input.n, ==, DESKTOP_BOUNDS_MAX);
    for (unsigned i = 1; i < quality.input.n; i++)
        g_assert_cmpuint(quality.input.within[i - 1].us, <, quality.input.within[i].us);
}

static void
test_between(void)
{
    DesktopQuality before, after, between;
    uint64_t mean = 1;

    parse(&before,
          "{'spice.input.count': uint64 2, 'spice.input.us': 30, 'spice.input.within-2000': 1, 'usb.errors': 5,"
          " 'spice.sent-bytes': 100}");
    parse(&after, "{'spice.input.count': uint64 5, 'spice.input.us': 90, 'spice.input.within-2000': 3, 'usb.errors': 5,"
                  " 'spice.sent-bytes': 70}");
    quality_between(&before, &after, &between);
    g_assert_cmpuint(between.input.count, ==, 3);
    g_assert_cmpuint(between.input.within[0].count, ==, 2);
    g_assert_cmpuint(between.usb_errors, ==, 0);
    g_assert_cmpuint(between.sent, ==, 70); /* it began anew */
    g_assert_true(quality_mean(&between.input, &mean));
    g_assert_cmpuint(mean, ==, 20);
    g_assert_false(quality_mean(&between.frame_age, &mean));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/desktops/quality/read", test_read);
    g_test_add_func("/desktops/quality/nonsense", test_nonsense);
    g_test_add_func("/desktops/quality/bounds-once-and-so-many", test_bounds_once_and_so_many);
    g_test_add_func("/desktops/quality/between", test_between);
    return g_test_run();
}
