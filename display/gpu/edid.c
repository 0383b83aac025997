/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making an EDID: a base block of fixed facts, standard timings, four descriptors, and now and then a DisplayID block.
 * Section numbers are E-EDID 1.4's (VESA, 2006) unless said otherwise.
 */
#include "display/gpu/edid.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

/* No maker has registered these three letters; EDID packs them in five bits each (3.4.1). */
static const char maker[3] = {'C', 'R', 'R'};
#define MAKER_PACKED ((maker[0] - '@') << 10 | (maker[1] - '@') << 5 | (maker[2] - '@'))
#define PRODUCT 1
#define MODEL_YEAR 2025

#define DESCRIPTORS_AT 54
#define DESCRIPTOR_BYTES 18

#define DPI 96

/* CVT reduced blanking (VESA CVT 1.1, 5.3): fixed horizontal blanking, at least 460 µs of vertical. */
#define REFRESH_HZ 60
#define RB_H_BLANK 160
#define RB_H_FRONT 48
#define RB_H_SYNC 32
#define RB_V_BLANK_US 460
#define RB_V_FRONT 3
#define RB_V_BACK_MIN 6
#define RB_CLOCK_STEP_KHZ 250

typedef struct {
    uint32_t h_active, h_blank, h_front, h_sync;
    uint32_t v_active, v_blank, v_front, v_sync;
    uint32_t clock_khz;
    uint32_t width_mm, height_mm;
} Timing;

/* The width of the vertical sync tells a monitor the aspect ratio (VESA CVT 1.1, table 3-2). */
static uint32_t
v_sync_lines(uint32_t width, uint32_t height)
{
    static const struct {
        uint8_t across, down, lines;
    } ratios[] = {{4, 3, 4}, {16, 9, 5}, {16, 10, 6}, {5, 4, 7}, {15, 9, 7}};

    for (size_t i = 0; i < G_N_ELEMENTS(ratios); i++)
        if (width * ratios[i].down == height * ratios[i].across)
            return ratios[i].lines;
    return 10;
}

static Timing
reduced_blanking(uint32_t width, uint32_t height)
{
    const uint32_t frame_ns = 1000000000 / REFRESH_HZ;
    const uint32_t blank_ns = RB_V_BLANK_US * 1000;
    uint32_t v_sync = v_sync_lines(width, height);
    uint32_t v_blank = (uint64_t)blank_ns * height / (frame_ns - blank_ns) + 1;
    v_blank = MAX(v_blank, RB_V_FRONT + v_sync + RB_V_BACK_MIN);
    uint64_t pixels = (uint64_t)(width + RB_H_BLANK) * (height + v_blank);
    uint32_t clock_khz = pixels * REFRESH_HZ / 1000;

    return (Timing){
        .h_active = width,
        .h_blank = RB_H_BLANK,
        .h_front = RB_H_FRONT,
        .h_sync = RB_H_SYNC,
        .v_active = height,
        .v_blank = v_blank,
        .v_front = RB_V_FRONT,
        .v_sync = v_sync,
        .clock_khz = MAX(clock_khz - clock_khz % RB_CLOCK_STEP_KHZ, RB_CLOCK_STEP_KHZ),
    };
}

static uint32_t
millimetres(uint32_t pixels)
{
    return pixels * 254 / (10 * DPI);
}

static Timing
preferred_timing(const EdidMonitor *monitor)
{
    Timing timing = reduced_blanking(monitor->width, monitor->height);
    bool known = monitor->width_mm && monitor->height_mm;

    timing.width_mm = known ? monitor->width_mm : MAX(millimetres(monitor->width), 1);
    timing.height_mm = known ? monitor->height_mm : MAX(millimetres(monitor->height), 1);
    return timing;
}

static void
put16(uint8_t *to, uint32_t value)
{
    to[0] = value;
    to[1] = value >> 8;
}

/* Makes the bytes before @last and itself add up to 0. */
static void
put_checksum(uint8_t *from, uint8_t *last)
{
    uint8_t sum = 0;
    while (from < last)
        sum += *from++;
    *last = -sum;
}

/* 3.10.2: detailed timing descriptors have 12 bits for each size and 16 for the clock in 10 kHz. */
static bool
fits_descriptor(const Timing *timing)
{
    return timing->h_active < 4096 && timing->v_active < 4096 && timing->clock_khz / 10 < 65536;
}

static void
put_timing_descriptor(uint8_t *to, const Timing *timing)
{
    uint32_t width_mm = MIN(timing->width_mm, 4095), height_mm = MIN(timing->height_mm, 4095);

    put16(to, timing->clock_khz / 10);
    to[2] = timing->h_active;
    to[3] = timing->h_blank;
    to[4] = timing->h_active >> 8 << 4 | timing->h_blank >> 8;
    to[5] = timing->v_active;
    to[6] = timing->v_blank;
    to[7] = timing->v_active >> 8 << 4 | timing->v_blank >> 8;
    to[8] = timing->h_front;
    to[9] = timing->h_sync;
    to[10] = (timing->v_front & 0xf) << 4 | (timing->v_sync & 0xf);
    to[11] = timing->h_front >> 8 << 6 | timing->h_sync >> 8 << 4 | timing->v_front >> 4 << 2 | timing->v_sync >> 4;
    to[12] = width_mm;
    to[13] = height_mm;
    to[14] = width_mm >> 8 << 4 | height_mm >> 8;
    to[17] = 0x1a; /* digital separate sync, horizontal positive, vertical negative: reduced blanking's */
}

/* 3.10.3: a display descriptor of up to 13 characters. */
static void
put_text_descriptor(uint8_t *to, uint8_t tag, const char *text)
{
    size_t len = strlen(text);

    to[3] = tag;
    memset(to + 5, ' ', 13);
    memcpy(to + 5, text, len);
    to[5 + len] = '\n';
}

/*
 * 3.10.3.3: range limits. X drops every mode outside them, also those a person or an agent adds by hand, so they are as
 * wide as anything this display can be asked for.
 */
static void
put_range_descriptor(uint8_t *to)
{
    static const uint8_t range[DESCRIPTOR_BYTES] = {
        [3] = 0xfd,  [4] = 0x08, /* 255 kHz are added to the largest line rate */
        [5] = 24,                /* Hz */
        [6] = 240,   [7] = 15,   /* kHz */
        [8] = 255,   [9] = 255,  /* × 10 MHz */
        [10] = 0x01,             /* range limits only */
        [11] = '\n', [12] = ' ', [13] = ' ', [14] = ' ', [15] = ' ', [16] = ' ', [17] = ' ',
    };
    memcpy(to, range, sizeof range);
}

/* 3.9: two bytes each: (width / 8) - 31, then the aspect ratio and the refresh rate less 60. */
static void
put_standard_timings(uint8_t *to)
{
    enum { RATIO_16_10, RATIO_4_3, RATIO_5_4, RATIO_16_9 };
    static const struct {
        uint16_t width;
        uint8_t ratio;
    } modes[8] = {
        {1920, RATIO_16_10}, {1920, RATIO_16_9}, {1680, RATIO_16_10}, {1600, RATIO_4_3},
        {1440, RATIO_16_10}, {1280, RATIO_5_4},  {1280, RATIO_16_10}, {1280, RATIO_16_9},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        to[2 * i] = modes[i].width / 8 - 31;
        to[2 * i + 1] = modes[i].ratio << 6;
    }
}

static void
put_identity(uint8_t *edid, const EdidMonitor *monitor, const Timing *timing)
{
    static const uint8_t header[8] = {0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};
    static const uint8_t srgb[10] = {0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54};

    memcpy(edid, header, sizeof header);
    edid[8] = MAKER_PACKED >> 8;
    edid[9] = MAKER_PACKED & 0xff;
    put16(edid + 10, PRODUCT);
    put16(edid + 12, monitor->number);
    edid[16] = 0xff; /* the year is the model's */
    edid[17] = MODEL_YEAR - 1990;
    edid[18] = 1; /* E-EDID 1.4 */
    edid[19] = 4;
    edid[20] = 0xa0; /* digital, 8 bits a colour, no particular interface */
    edid[21] = MIN(MAX(timing->width_mm / 10, 1), 255);
    edid[22] = MIN(MAX(timing->height_mm / 10, 1), 255);
    edid[23] = 120;  /* gamma 2.2 */
    edid[24] = 0x06; /* sRGB; the preferred timing is the native one */
    memcpy(edid + 25, srgb, sizeof srgb);
    edid[35] = 0x21; /* 640 × 480 and 800 × 600 at 60 Hz */
    edid[36] = 0x08; /* 1024 × 768 at 60 Hz */
}

/* DisplayID 1.3, 4.4.2: a type I timing says sizes and clock with 16 and 24 bits, each less one. */
static void
put_displayid_timing(uint8_t *to, const Timing *timing)
{
    uint32_t clock = timing->clock_khz / 10 - 1;

    put16(to, clock);
    to[2] = clock >> 16;
    to[3] = 0x88; /* preferred; aspect ratio undefined */
    put16(to + 4, timing->h_active - 1);
    put16(to + 6, timing->h_blank - 1);
    put16(to + 8, (timing->h_front - 1) | 0x8000); /* positive sync */
    put16(to + 10, timing->h_sync - 1);
    put16(to + 12, timing->v_active - 1);
    put16(to + 14, timing->v_blank - 1);
    put16(to + 16, timing->v_front - 1);
    put16(to + 18, timing->v_sync - 1);
}

/* DisplayID 1.3, 2: a section with one data block, wrapped as an EDID extension. All else is in the base block. */
static void
put_displayid_block(uint8_t *block, const Timing *timing)
{
    uint8_t *section = block + 1;
    uint8_t *timings = section + 4;

    memset(block, 0, EDID_BLOCK);
    block[0] = 0x70;
    section[0] = 0x13;           /* DisplayID 1.3 */
    section[1] = EDID_BLOCK - 7; /* payload: all but the tag, this header, and two checksums */
    section[2] = 0x03;           /* a display on its own */
    timings[0] = 0x03;           /* data block: type I timings … */
    timings[2] = 20;             /* … one of them */
    put_displayid_timing(timings + 3, timing);
    put_checksum(section, block + EDID_BLOCK - 2);
    put_checksum(block, block + EDID_BLOCK - 1);
}

size_t
edid_make(const EdidMonitor *monitor, uint8_t edid[EDID_BYTES_MAX])
{
    const Timing timing = preferred_timing(monitor);
    bool extended = !fits_descriptor(&timing);
    uint8_t *descriptor = edid + DESCRIPTORS_AT;
    char serial[14];

    memset(edid, 0, EDID_BLOCK);
    put_identity(edid, monitor, &timing);
    put_standard_timings(edid + 38);
    if (extended)
        descriptor[3] = 0x10; /* a dummy: any other timing here would be preferred to the one in the extension */
    else
        put_timing_descriptor(descriptor, &timing);
    put_range_descriptor(descriptor + DESCRIPTOR_BYTES);
    put_text_descriptor(descriptor + 2 * DESCRIPTOR_BYTES, 0xfc, "Carrel");
    g_snprintf(serial, sizeof serial - 1, "%u", monitor->number);
    put_text_descriptor(descriptor + 3 * DESCRIPTOR_BYTES, 0xff, serial);
    edid[126] = extended;
    put_checksum(edid, edid + EDID_BLOCK - 1);
    if (!extended)
        return EDID_BLOCK;
    put_displayid_block(edid + EDID_BLOCK, &timing);
    return 2 * EDID_BLOCK;
}
