/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tiles: sets are bit maps, a row of which starts at a word of its own, so that runs are found with count-zeros
 * instructions.
 */
#include "display/spice/tiles.h"

#include <string.h>

#include <glib.h>

#define WORD_BITS 64

void
tile_grid_init(TileGrid *grid, uint32_t width, uint32_t height)
{
    grid->width = width;
    grid->height = height;
    grid->columns = (width + TILE_WIDTH - 1) / TILE_WIDTH;
    grid->rows = (height + TILE_HEIGHT - 1) / TILE_HEIGHT;
    grid->words = (grid->columns + WORD_BITS - 1) / WORD_BITS;
}

/* The pixels of columns @from to @to (without it) of tile rows @top to @bottom (without it). */
static pixman_box32_t
box_of(const TileGrid *grid, uint32_t from, uint32_t to, uint32_t top, uint32_t bottom)
{
    return (pixman_box32_t){
        .x1 = (int32_t)(from * TILE_WIDTH),
        .y1 = (int32_t)(top * TILE_HEIGHT),
        .x2 = (int32_t)MIN(to * TILE_WIDTH, grid->width),
        .y2 = (int32_t)MIN(bottom * TILE_HEIGHT, grid->height),
    };
}

pixman_box32_t
tile_box(const TileGrid *grid, uint32_t column, uint32_t row)
{
    return box_of(grid, column, column + 1, row, row + 1);
}

size_t
tile_set_words(const TileGrid *grid)
{
    return (size_t)grid->rows * grid->words;
}

void
tile_set_clear(const TileGrid *grid, uint64_t *set)
{
    memset(set, 0, tile_set_words(grid) * sizeof *set);
}

/* Sets bits @from to @to (without it) of one row. */
static void
row_add(uint64_t *row, uint32_t from, uint32_t to)
{
    uint32_t first = from / WORD_BITS, last = (to - 1) / WORD_BITS;
    uint64_t head = UINT64_MAX << (from % WORD_BITS);
    uint64_t tail = UINT64_MAX >> (WORD_BITS - 1 - (to - 1) % WORD_BITS);

    if (first == last) {
        row[first] |= head & tail;
        return;
    }
    row[first] |= head;
    for (uint32_t i = first + 1; i < last; i++)
        row[i] = UINT64_MAX;
    row[last] |= tail;
}

void
tile_set_fill(const TileGrid *grid, uint64_t *set)
{
    for (uint32_t row = 0; row < grid->rows; row++)
        row_add(set + (size_t)row * grid->words, 0, grid->columns);
}

void
tile_set_add_box(const TileGrid *grid, uint64_t *set, const pixman_box32_t *box)
{
    uint32_t from = (uint32_t)box->x1 / TILE_WIDTH, to = (uint32_t)(box->x2 - 1) / TILE_WIDTH + 1;
    uint32_t top = (uint32_t)box->y1 / TILE_HEIGHT, bottom = (uint32_t)(box->y2 - 1) / TILE_HEIGHT + 1;

    g_assert(box->x1 >= 0 && box->y1 >= 0 && box->x1 < box->x2 && box->y1 < box->y2);
    g_assert(to <= grid->columns && bottom <= grid->rows);
    for (uint32_t row = top; row < bottom; row++)
        row_add(set + (size_t)row * grid->words, from, to);
}

void
tile_set_remove(const TileGrid *grid, uint64_t *set, uint32_t column, uint32_t row)
{
    set[(size_t)row * grid->words + column / WORD_BITS] &= ~(1ull << (column % WORD_BITS));
}

bool
tile_set_remove_box(const TileGrid *grid, uint64_t *set, const pixman_box32_t *box)
{
    uint32_t right = (uint32_t)(box->x2 - 1) / TILE_WIDTH, bottom = (uint32_t)(box->y2 - 1) / TILE_HEIGHT;
    bool any = false;

    for (uint32_t row = (uint32_t)box->y1 / TILE_HEIGHT; row <= bottom; row++) {
        for (uint32_t column = (uint32_t)box->x1 / TILE_WIDTH; column <= right; column++) {
            any |= tile_set_has(grid, set, column, row);
            tile_set_remove(grid, set, column, row);
        }
    }
    return any;
}

bool
tile_set_has(const TileGrid *grid, const uint64_t *set, uint32_t column, uint32_t row)
{
    return set[(size_t)row * grid->words + column / WORD_BITS] >> (column % WORD_BITS) & 1;
}

size_t
tile_set_count(const TileGrid *grid, const uint64_t *set)
{
    size_t n = 0;

    for (size_t i = 0; i < tile_set_words(grid); i++)
        n += (size_t)__builtin_popcountll(set[i]);
    return n;
}

bool
tile_set_is_empty(const TileGrid *grid, const uint64_t *set)
{
    for (size_t i = 0; i < tile_set_words(grid); i++)
        if (set[i])
            return false;
    return true;
}

/* The first column at or after @start whose bit is @wanted, or the number of columns. */
static uint32_t
find_bit(const TileGrid *grid, const uint64_t *row, uint32_t start, bool wanted)
{
    uint64_t flip = wanted ? 0 : UINT64_MAX;

    for (uint32_t i = start / WORD_BITS, skip = start % WORD_BITS; i < grid->words; i++, skip = 0) {
        uint64_t word = (row[i] ^ flip) >> skip << skip;
        if (word)
            return MIN(i * WORD_BITS + (uint32_t)__builtin_ctzll(word), grid->columns);
    }
    return grid->columns;
}

bool
tile_set_next_run(const TileGrid *grid, const uint64_t *set, uint32_t row, uint32_t start, TileRun *run)
{
    const uint64_t *bits = set + (size_t)row * grid->words;

    run->from = find_bit(grid, bits, start, true);
    if (run->from == grid->columns)
        return false;
    run->to = find_bit(grid, bits, run->from, false);
    return true;
}

/* How coarsely runs become boxes: each step makes fewer boxes of the same set. */
typedef struct {
    uint32_t gap;  /* so many tiles between two runs of a row are bridged */
    bool stretch;  /* boxes of neighbouring rows are joined though their columns differ */
    uint32_t skip; /* so many rows without a run are bridged as well; only with @stretch */
} Coarseness;

static const Coarseness coarseness[] = {
    {.gap = 0},
    {.gap = 1},
    {.gap = 4},
    {.gap = UINT32_MAX},
    {.gap = UINT32_MAX, .stretch = true},
    {.gap = UINT32_MAX, .stretch = true, .skip = UINT32_MAX},
};

/* A box under construction, in tiles. */
typedef struct {
    TileRun columns;
    uint32_t top, bottom;
} OpenBox;

static bool
next_bridged_run(const TileGrid *grid, const uint64_t *set, uint32_t row, uint32_t start, uint32_t gap, TileRun *run)
{
    TileRun next;

    if (!tile_set_next_run(grid, set, row, start, run))
        return false;
    while (tile_set_next_run(grid, set, row, run->to, &next) && next.from - run->to <= gap)
        run->to = next.to;
    return true;
}

/* Joins the run to a box that ends just above it; false where there is none. */
static bool
extend(OpenBox *open, size_t n, const TileRun *run, uint32_t row, const Coarseness *how)
{
    for (size_t i = n; i-- > 0;) {
        if (row - open[i].bottom > how->skip)
            continue;
        if (how->stretch) {
            open[i].columns.from = MIN(open[i].columns.from, run->from);
            open[i].columns.to = MAX(open[i].columns.to, run->to);
        } else if (open[i].columns.from != run->from || open[i].columns.to != run->to) {
            continue;
        }
        open[i].bottom = row + 1;
        return true;
    }
    return false;
}

/* Fills @open with at most @max boxes; false where they are more. */
static bool
merge_at(const TileGrid *grid, const uint64_t *set, const Coarseness *how, OpenBox *open, size_t max, size_t *n)
{
    TileRun run;

    *n = 0;
    for (uint32_t row = 0; row < grid->rows; row++) {
        for (uint32_t at = 0; next_bridged_run(grid, set, row, at, how->gap, &run); at = run.to) {
            if (extend(open, *n, &run, row, how))
                continue;
            if (*n == max)
                return false;
            open[(*n)++] = (OpenBox){.columns = run, .top = row, .bottom = row + 1};
        }
    }
    return true;
}

size_t
tile_set_merge(const TileGrid *grid, const uint64_t *set, pixman_box32_t *boxes, size_t max)
{
    g_autofree OpenBox *open = g_new(OpenBox, max);
    size_t n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(coarseness); i++)
        if (merge_at(grid, set, &coarseness[i], open, max, &n))
            break;
    for (size_t i = 0; i < n; i++)
        boxes[i] = box_of(grid, open[i].columns.from, open[i].columns.to, open[i].top, open[i].bottom);
    return n;
}
