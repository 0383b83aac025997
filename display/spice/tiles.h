/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tiles: a picture cut into pieces of 64 × 16 pixels, so that "what changed" is one bit and one number each.
 *
 * Pure functions on memory the caller owns; any thread. 64 × 16 (4 KiB) because a row of it is four cache lines, a
 * line of text is about as high, and the smallest damage (a blinking caret) costs no more than 4 KiB before compression.
 */
#pragma once

#include <pixman.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TILE_WIDTH 64
#define TILE_HEIGHT 16

typedef struct {
    uint32_t width, height; /* of the picture, pixels */
    uint32_t columns, rows; /* tiles; those at the right and lower edge may be smaller */
    uint32_t words;         /* of a row of a set */
} TileGrid;

void tile_grid_init(TileGrid *grid, uint32_t width, uint32_t height);
/* Pixels of the tile at @column, @row. */
pixman_box32_t tile_box(const TileGrid *grid, uint32_t column, uint32_t row);

/* A set has a bit for each tile: tile_set_words() words of 64, row by row. */
size_t tile_set_words(const TileGrid *grid);
void tile_set_clear(const TileGrid *grid, uint64_t *set);
void tile_set_fill(const TileGrid *grid, uint64_t *set);
/* Adds every tile the box touches; the box, in pixels, lies inside the picture and is not empty. */
void tile_set_add_box(const TileGrid *grid, uint64_t *set, const pixman_box32_t *box);
void tile_set_remove(const TileGrid *grid, uint64_t *set, uint32_t column, uint32_t row);
/* Takes out every tile of a box, as for tile_set_add_box(); whether there was one. */
bool tile_set_remove_box(const TileGrid *grid, uint64_t *set, const pixman_box32_t *box);
bool tile_set_has(const TileGrid *grid, const uint64_t *set, uint32_t column, uint32_t row);
size_t tile_set_count(const TileGrid *grid, const uint64_t *set);
bool tile_set_is_empty(const TileGrid *grid, const uint64_t *set);

/* A run of neighbouring tiles of one row: columns @from to @to, without @to. */
typedef struct {
    uint32_t from, to;
} TileRun;

/* The next run of @row at or after column @start; false: none. */
bool tile_set_next_run(const TileGrid *grid, const uint64_t *set, uint32_t row, uint32_t start, TileRun *run);

/*
 * Covers the set with at most @max (≥ 1) boxes in pixels, and returns how many. They do not overlap and are made of whole
 * tiles. Where exact boxes would be too many, they are coarsened step by step and cover tiles that are not in the set.
 */
size_t tile_set_merge(const TileGrid *grid, const uint64_t *set, pixman_box32_t *boxes, size_t max);

/*
 * A number for the pixels of a tile or a part of one: @width × @height pixels of 32 bits, rows @stride bytes apart. Two
 * different contents have the same number by chance of 2⁻⁶⁴; the numbers differ from process to process and are never 0.
 */
uint64_t tile_hash(const void *pixels, size_t stride, unsigned width, unsigned height);
/* The same number without special instructions, for tests. */
uint64_t tile_hash_plain(const void *pixels, size_t stride, unsigned width, unsigned height);
/* Copies such pixels, which may be changing, to rows @to_stride bytes apart; the number is that of the copy. */
uint64_t tile_copy(void *to, size_t to_stride, const void *pixels, size_t stride, unsigned width, unsigned height);
