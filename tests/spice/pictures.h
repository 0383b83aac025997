/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures that tests draw: each pixel a function of kind, frame and place, the same in tests/spice/pictures.py. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    PICTURE_TEXT,     /* black marks on white in lines, as a desktop full of text; scrolls one line a frame */
    PICTURE_GRADIENT, /* smooth, as a photograph; moves */
    PICTURE_NOISE,    /* nothing compresses it */
    PICTURE_FLAT,     /* one colour, another one each frame */
    PICTURE_N_KINDS,
} PictureKind;

bool picture_kind_parse(const char *word, PictureKind *kind);
/* 0xrrggbb */
uint32_t picture_pixel(PictureKind kind, unsigned frame, uint32_t x, uint32_t y);
