/* SPDX-License-Identifier: Apache-2.0 */
/* The pictures' formulas: 32-bit unsigned arithmetic, so that any language gets the same pixels. */
#include "tests/spice/pictures.h"

#include <string.h>

#define LINE_HEIGHT 16
#define LETTER_WIDTH 8

/* Scrambles a number: neighbours have nothing in common. */
static uint32_t
scramble(uint32_t n)
{
    n = (n ^ n >> 16) * 0x7feb352du;
    n = (n ^ n >> 15) * 0x846ca68bu;
    return n ^ n >> 16;
}

static uint32_t
text(unsigned frame, uint32_t x, uint32_t y)
{
    uint32_t line = y / LINE_HEIGHT + frame, letter = x / LETTER_WIDTH;
    uint32_t glyph = scramble(line * 509 + letter) % 64; /* a font of 64 letters */
    uint32_t row = y % LINE_HEIGHT, column = x % LETTER_WIDTH;

    if (glyph < 12 || row < 3 || row > 12 || column == LETTER_WIDTH - 1)
        return 0xffffff; /* spaces, and between lines and letters */
    return scramble(glyph * 128 + row / 2 * 8 + column / 2) & 1 ? 0x202020 : 0xffffff;
}

static uint32_t
gradient(unsigned frame, uint32_t x, uint32_t y)
{
    uint32_t grain = scramble(x * 8191 + y + frame * 131) & 3;
    uint32_t red = (x / 4 + frame * 3) & 0xff, green = (y / 3 + frame) & 0xff, blue = ((x + y) / 8) & 0xff;
    return (red ^ grain) << 16 | green << 8 | blue;
}

static uint32_t
flat(unsigned frame)
{
    return scramble(frame) & 0xffffff;
}

bool
picture_kind_parse(const char *word, PictureKind *kind)
{
    static const char *const words[PICTURE_N_KINDS] = {"text", "gradient", "noise", "flat"};

    for (unsigned i = 0; i < PICTURE_N_KINDS; i++) {
        if (!strcmp(word, words[i])) {
            *kind = (PictureKind)i;
            return true;
        }
    }
    return false;
}

uint32_t
picture_pixel(PictureKind kind, unsigned frame, uint32_t x, uint32_t y)
{
    switch (kind) {
    case PICTURE_TEXT:
        return text(frame, x, y);
    case PICTURE_GRADIENT:
        return gradient(frame, x, y);
    case PICTURE_NOISE:
        return scramble(frame * 16777259u + y * 65537 + x) & 0xffffff;
    default:
        return flat(frame);
    }
}
