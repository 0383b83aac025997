/* SPDX-License-Identifier: Apache-2.0 */
/* EDID: read back by the rules of E-EDID 1.4 and DisplayID 1.3, for every size a monitor may have. */
#include "display/gpu/edid.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

typedef struct {
    uint32_t width, height, h_total, v_total, clock_khz, width_mm, height_mm;
} Mode;

static bool
sums_to_zero(const uint8_t *from, size_t len)
{
    uint8_t sum = 0;
    while (len--)
        sum += *from++;
    return sum == 0;
}

/* 3.10.2 */
static Mode
read_detailed_timing(const uint8_t *at)
{
    return (Mode){
        .width = at[2] | (at[4] >> 4) << 8,
        .h_total = (at[2] | (at[4] >> 4) << 8) + (at[3] | (at[4] & 0xf) << 8),
        .height = at[5] | (at[7] >> 4) << 8,
        .v_total = (at[5] | (at[7] >> 4) << 8) + (at[6] | (at[7] & 0xf) << 8),
        .clock_khz = (at[0] | at[1] << 8) * 10,
        .width_mm = at[12] | (at[14] >> 4) << 8,
        .height_mm = at[13] | (at[14] & 0xf) << 8,
    };
}

/* DisplayID 1.3, 4.4.2: the only data block of the section. */
static Mode
read_displayid_timing(const uint8_t *block)
{
    const uint8_t *at = block + 8;
    g_assert_cmphex(block[0], ==, 0x70);
    g_assert_true(sums_to_zero(block + 1, 126));
    g_assert_cmphex(block[5], ==, 0x03);
    g_assert_cmpuint(block[7], ==, 20);
    g_assert_cmphex(at[3] & 0x80, ==, 0x80); /* preferred */
    uint32_t width = (at[4] | at[5] << 8) + 1, height = (at[12] | at[13] << 8) + 1;
    return (Mode){
        .width = width,
        .h_total = width + (at[6] | at[7] << 8) + 1,
        .height = height,
        .v_total = height + (at[14] | at[15] << 8) + 1,
        .clock_khz = ((at[0] | at[1] << 8 | at[2] << 16) + 1) * 10,
    };
}

static Mode
make(const EdidMonitor *monitor, uint8_t edid[EDID_BYTES_MAX])
{
    static const uint8_t header[8] = {0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};

    memset(edid, 0xaa, EDID_BYTES_MAX);
    size_t len = edid_make(monitor, edid);
    g_assert_cmpmem(edid, 8, header, 8);
    g_assert_true(len == EDID_BLOCK || len == 2 * EDID_BLOCK);
    for (size_t i = 0; i < len; i += EDID_BLOCK)
        g_assert_true(sums_to_zero(edid + i, EDID_BLOCK));
    g_assert_cmpuint(edid[126], ==, len / EDID_BLOCK - 1);
    return len == EDID_BLOCK ? read_detailed_timing(edid + 54) : read_displayid_timing(edid + EDID_BLOCK);
}

static void
test_preferred_mode_is_exact(void)
{
    static const uint32_t sizes[][2] = {
        {640, 480},   {800, 601},   {1024, 768},  {1366, 768},  {1367, 769},    {1920, 1080}, {1920, 1200},
        {2560, 1440}, {3440, 1440}, {3840, 2160}, {4095, 2304}, {4095, 4095},   {4096, 2160}, {5120, 1440},
        {5120, 2880}, {7680, 4320}, {480, 8192},  {8192, 8192}, {16384, 16384},
    };
    uint8_t edid[EDID_BYTES_MAX];

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Mode mode = make(&(EdidMonitor){.width = sizes[i][0], .height = sizes[i][1], .number = 1}, edid);
        g_assert_cmpuint(mode.width, ==, sizes[i][0]);
        g_assert_cmpuint(mode.height, ==, sizes[i][1]);
        double hz = mode.clock_khz * 1000.0 / ((double)mode.h_total * mode.v_total);
        g_assert_cmpfloat_with_epsilon(hz, 60, 0.6);
        /* CVT 1.1: no less than 460 µs of vertical blanking */
        g_assert_cmpfloat((mode.v_total - mode.height) * mode.h_total * 1000.0 / mode.clock_khz, >=, 459);
    }
}

/* VESA CVT 1.1's own spreadsheet: 1920 × 1080 at 60 Hz with reduced blanking. */
static void
test_known_timing(void)
{
    uint8_t edid[EDID_BYTES_MAX];
    Mode mode = make(&(EdidMonitor){.width = 1920, .height = 1080, .number = 1}, edid);

    g_assert_cmpuint(mode.clock_khz, ==, 138500);
    g_assert_cmpuint(mode.h_total, ==, 2080);
    g_assert_cmpuint(mode.v_total, ==, 1111);
}

/* A large size must not leave another detailed timing first, which a guest would prefer. */
static void
test_large_sizes_use_displayid(void)
{
    uint8_t edid[EDID_BYTES_MAX];

    g_assert_cmpuint(edid_make(&(EdidMonitor){.width = 4095, .height = 2160, .number = 1}, edid), ==, EDID_BLOCK);
    g_assert_cmpuint(edid_make(&(EdidMonitor){.width = 4096, .height = 2160, .number = 1}, edid), ==, 2 * EDID_BLOCK);
    g_assert_cmpuint(edid[54] | edid[55], ==, 0); /* a display descriptor … */
    g_assert_cmphex(edid[57], ==, 0x10);          /* … that says nothing */
}

static void
test_physical_size(void)
{
    uint8_t edid[EDID_BYTES_MAX];
    Mode mode =
        make(&(EdidMonitor){.width = 1920, .height = 1080, .width_mm = 527, .height_mm = 296, .number = 1}, edid);
    g_assert_cmpuint(mode.width_mm, ==, 527);
    g_assert_cmpuint(mode.height_mm, ==, 296);
    g_assert_cmpuint(edid[21], ==, 52); /* cm */
    g_assert_cmpuint(edid[22], ==, 29);

    mode = make(&(EdidMonitor){.width = 1920, .height = 960, .number = 1}, edid); /* 96 dots an inch */
    g_assert_cmpuint(mode.width_mm, ==, 508);
    g_assert_cmpuint(mode.height_mm, ==, 254);

    mode = make(&(EdidMonitor){.width = 640, .height = 480, .width_mm = 16000, .height_mm = 1, .number = 1}, edid);
    g_assert_cmpuint(mode.width_mm, ==, 4095);
    g_assert_cmpuint(edid[21], ==, 255);
    g_assert_cmpuint(edid[22], ==, 1);
}

static const uint8_t *
find_descriptor(const uint8_t *edid, uint8_t tag)
{
    for (const uint8_t *at = edid + 54; at < edid + 126; at += 18)
        if (!at[0] && !at[1] && at[3] == tag)
            return at;
    return NULL;
}

static void
test_names(void)
{
    uint8_t first[EDID_BYTES_MAX], second[EDID_BYTES_MAX];
    make(&(EdidMonitor){.width = 1280, .height = 800, .number = 1}, first);
    make(&(EdidMonitor){.width = 1280, .height = 800, .number = 2}, second);

    g_assert_cmpmem(find_descriptor(first, 0xfc) + 5, 13, "Carrel\n      ", 13);
    g_assert_cmpmem(find_descriptor(first, 0xff) + 5, 13, "1\n           ", 13);
    g_assert_cmpmem(find_descriptor(second, 0xff) + 5, 13, "2\n           ", 13);
    g_assert_cmpuint(second[12], ==, 2);
    g_assert_cmpuint(first[18], ==, 1);
    g_assert_cmpuint(first[19], ==, 4);
}

/* 3.9: every standard timing is one that exists, at 60 Hz. */
static void
test_standard_timings(void)
{
    static const uint32_t expected[8][2] = {{1920, 1200}, {1920, 1080}, {1680, 1050}, {1600, 1200},
                                            {1440, 900},  {1280, 1024}, {1280, 800},  {1280, 720}};
    static const uint32_t ratios[4][2] = {{16, 10}, {4, 3}, {5, 4}, {16, 9}};
    uint8_t edid[EDID_BYTES_MAX];

    make(&(EdidMonitor){.width = 1024, .height = 768, .number = 1}, edid);
    for (size_t i = 0; i < 8; i++) {
        const uint8_t *at = edid + 38 + 2 * i;
        uint32_t width = (at[0] + 31) * 8;
        const uint32_t *ratio = ratios[at[1] >> 6];
        g_assert_cmpuint(width, ==, expected[i][0]);
        g_assert_cmpuint(width * ratio[1] / ratio[0], ==, expected[i][1]);
        g_assert_cmpuint(at[1] & 0x3f, ==, 0);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/edid/preferred", test_preferred_mode_is_exact);
    g_test_add_func("/edid/known", test_known_timing);
    g_test_add_func("/edid/large", test_large_sizes_use_displayid);
    g_test_add_func("/edid/physical-size", test_physical_size);
    g_test_add_func("/edid/names", test_names);
    g_test_add_func("/edid/standard-timings", test_standard_timings);
    return g_test_run();
}
