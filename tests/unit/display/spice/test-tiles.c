/* SPDX-License-Identifier: Apache-2.0 */
/* Grids, sets, runs, and what sets become when they are merged. */
#include "display/spice/tiles.h"

#include <string.h>

#include <glib.h>

static uint64_t *
set_new(const TileGrid *grid)
{
    return g_new0(uint64_t, tile_set_words(grid));
}

static void
add(const TileGrid *grid, uint64_t *set, int x1, int y1, int x2, int y2)
{
    tile_set_add_box(grid, set, &(pixman_box32_t){x1, y1, x2, y2});
}

static void
test_grid(void)
{
    static const struct {
        uint32_t width, height, columns, rows;
    } cases[] = {
        {1, 1, 1, 1}, {64, 16, 1, 1}, {65, 17, 2, 2}, {1920, 1080, 30, 68}, {16384, 16384, 256, 1024},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        TileGrid grid;
        tile_grid_init(&grid, cases[i].width, cases[i].height);
        g_assert_cmpuint(grid.columns, ==, cases[i].columns);
        g_assert_cmpuint(grid.rows, ==, cases[i].rows);
        pixman_box32_t last = tile_box(&grid, grid.columns - 1, grid.rows - 1);
        g_assert_cmpint(last.x2, ==, cases[i].width);
        g_assert_cmpint(last.y2, ==, cases[i].height);
    }
}

static void
test_boxes_touch_tiles(void)
{
    TileGrid grid;
    tile_grid_init(&grid, 1000, 100);
    g_autofree uint64_t *set = set_new(&grid);

    g_assert_true(tile_set_is_empty(&grid, set));
    add(&grid, set, 63, 15, 65, 17); /* the corner of four tiles */
    for (uint32_t row = 0; row < grid.rows; row++)
        for (uint32_t column = 0; column < grid.columns; column++)
            g_assert_cmpint(tile_set_has(&grid, set, column, row), ==, column < 2 && row < 2);
    tile_set_remove(&grid, set, 1, 1);
    g_assert_false(tile_set_has(&grid, set, 1, 1));
    g_assert_true(tile_set_has(&grid, set, 0, 1));
    tile_set_clear(&grid, set);
    g_assert_true(tile_set_is_empty(&grid, set));

    add(&grid, set, 0, 0, 1000, 100);
    g_assert_cmpuint(tile_set_count(&grid, set), ==, (size_t)grid.columns * grid.rows);
    g_assert_true(tile_set_remove_box(&grid, set, &(pixman_box32_t){64, 16, 128, 100}));
    g_assert_false(tile_set_remove_box(&grid, set, &(pixman_box32_t){64, 16, 128, 100}));
    for (uint32_t row = 0; row < grid.rows; row++)
        for (uint32_t column = 0; column < grid.columns; column++)
            g_assert_cmpint(tile_set_has(&grid, set, column, row), ==, column != 1 || row == 0);
}

/* Rows of more than a word: 16384 pixels are 256 tiles. */
static void
test_wide_rows(void)
{
    static const struct {
        int x1, x2;
        uint32_t from, to;
    } cases[] = {
        {0, 16384, 0, 256},       {0, 1, 0, 1}, {63 * 64, 64 * 64 + 1, 63, 65}, {64 * 64, 128 * 64, 64, 128},
        {16383, 16384, 255, 256},
    };
    TileGrid grid;
    tile_grid_init(&grid, 16384, 32);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree uint64_t *set = set_new(&grid);
        TileRun run;
        add(&grid, set, cases[i].x1, 16, cases[i].x2, 32);
        g_assert_false(tile_set_next_run(&grid, set, 0, 0, &run));
        g_assert_true(tile_set_next_run(&grid, set, 1, 0, &run));
        g_assert_cmpuint(run.from, ==, cases[i].from);
        g_assert_cmpuint(run.to, ==, cases[i].to);
        g_assert_false(tile_set_next_run(&grid, set, 1, run.to, &run));
    }
}

static void
test_merge_exactly(void)
{
    TileGrid grid;
    pixman_box32_t boxes[8];
    tile_grid_init(&grid, 1000, 100);
    g_autofree uint64_t *set = set_new(&grid);

    g_assert_cmpuint(tile_set_merge(&grid, set, boxes, 8), ==, 0);
    add(&grid, set, 64, 16, 192, 48);  /* 2 × 2 tiles */
    add(&grid, set, 640, 32, 704, 48); /* one, beside their second row */
    g_assert_cmpuint(tile_set_merge(&grid, set, boxes, 8), ==, 2);
    g_assert_cmpmem(&boxes[0], sizeof boxes[0], &((pixman_box32_t){64, 16, 192, 48}), sizeof boxes[0]);
    g_assert_cmpmem(&boxes[1], sizeof boxes[1], &((pixman_box32_t){640, 32, 704, 48}), sizeof boxes[1]);

    tile_set_fill(&grid, set);
    g_assert_cmpuint(tile_set_merge(&grid, set, boxes, 8), ==, 1);
    g_assert_cmpmem(&boxes[0], sizeof boxes[0], &((pixman_box32_t){0, 0, 1000, 100}), sizeof boxes[0]);
}

/* Every tile of the set is in just one box, and boxes do not overlap; whatever the limit. */
static void
check_cover(const TileGrid *grid, const uint64_t *set, const pixman_box32_t *boxes, size_t n, bool exact)
{
    for (uint32_t row = 0; row < grid->rows; row++) {
        for (uint32_t column = 0; column < grid->columns; column++) {
            pixman_box32_t tile = tile_box(grid, column, row);
            unsigned covers = 0;
            for (size_t i = 0; i < n; i++)
                covers += boxes[i].x1 <= tile.x1 && tile.x2 <= boxes[i].x2 && boxes[i].y1 <= tile.y1 &&
                          tile.y2 <= boxes[i].y2;
            g_assert_cmpuint(covers, <=, 1);
            if (tile_set_has(grid, set, column, row))
                g_assert_cmpuint(covers, ==, 1);
            else if (exact)
                g_assert_cmpuint(covers, ==, 0);
        }
    }
}

static void
test_merge_covers(void)
{
    static const size_t limits[] = {1, 2, 5, 24, 2000};

    for (unsigned round = 0; round < 200; round++) {
        TileGrid grid;
        tile_grid_init(&grid, (uint32_t)g_test_rand_int_range(1, 3000), (uint32_t)g_test_rand_int_range(1, 600));
        g_autofree uint64_t *set = set_new(&grid);
        for (int i = g_test_rand_int_range(0, 60); i > 0; i--) {
            int x = g_test_rand_int_range(0, (int)grid.width), y = g_test_rand_int_range(0, (int)grid.height);
            add(&grid, set, x, y, g_test_rand_int_range(x, (int)grid.width) + 1, MIN(y + 20, (int)grid.height));
        }
        for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
            g_autofree pixman_box32_t *boxes = g_new(pixman_box32_t, limits[i]);
            size_t n = tile_set_merge(&grid, set, boxes, limits[i]);
            g_assert_cmpuint(n, <=, limits[i]);
            check_cover(&grid, set, boxes, n, limits[i] == 2000);
        }
    }
}

/* A chess board of tiles is the worst there is: it still becomes few boxes. */
static void
test_merge_chess_board(void)
{
    TileGrid grid;
    pixman_box32_t boxes[24];
    tile_grid_init(&grid, 1920, 1080);
    g_autofree uint64_t *set = set_new(&grid);

    for (uint32_t row = 0; row < grid.rows; row++)
        for (uint32_t column = row % 2; column < grid.columns; column += 2)
            tile_set_add_box(
                &grid, set,
                &(pixman_box32_t){(int)column * 64, (int)row * 16, (int)column * 64 + 1, (int)row * 16 + 1});
    size_t n = tile_set_merge(&grid, set, boxes, 24);
    g_assert_cmpuint(n, <=, 24);
    check_cover(&grid, set, boxes, n, false);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tiles/grid", test_grid);
    g_test_add_func("/tiles/boxes", test_boxes_touch_tiles);
    g_test_add_func("/tiles/wide-rows", test_wide_rows);
    g_test_add_func("/tiles/merge/exactly", test_merge_exactly);
    g_test_add_func("/tiles/merge/covers", test_merge_covers);
    g_test_add_func("/tiles/merge/chess-board", test_merge_chess_board);
    return g_test_run();
}
