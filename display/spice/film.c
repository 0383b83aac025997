/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Films: changes are counted for each tile. Twice a second those that changed often enough are gathered into blocks, the
 * pixels of each block are sampled, and the counts begin anew; so a frame costs an addition a tile.
 */
#include "display/spice/film.h"

#include <string.h>

#include <glib.h>

#define WINDOW_US (G_USEC_PER_SEC / 2)
/* Changes a second. spice-server takes what changes less than five times a second for no film. */
#define RATE 8
/* A film that has come to rest may go on: a scene that hardly moves, a pause. */
#define LINGER_US (2 * G_USEC_PER_SEC)
/* A block's least size: some icons, or a moving advertisement. */
#define MIN_TILES 24
/* Tiles so far apart still belong together: parts of a film stand still. */
#define REACH 2
/* How many of a block's tiles are looked at, and at how many places each. */
#define SAMPLED_TILES 256
#define PLACES 2
/* In any channel: neighbours in strong contrast. */
#define CONTRAST 60

/* Columns and rows of tiles, without the last. */
typedef struct {
    uint32_t left, top, right, bottom;
} Block;

struct Film {
    TileGrid grid;
    int64_t began; /* when counting began */
    int64_t seen;  /* when the film was last found to move */
    bool is_there;
    Block block; /* where, while it is there */
    pixman_box32_t box;
    uint32_t *tiles; /* scratch: the tiles of one block, by number */
    uint8_t counts[];
};

Film *
film_new(const TileGrid *grid)
{
    size_t n = (size_t)grid->columns * grid->rows;
    Film *film = g_try_malloc0(sizeof *film + n);

    if (!film)
        return NULL;
    film->grid = *grid;
    film->tiles = g_try_new(uint32_t, n);
    if (!film->tiles)
        g_clear_pointer(&film, g_free);
    return film;
}

void
film_free(Film *film)
{
    if (!film)
        return;
    g_free(film->tiles);
    g_free(film);
}

static size_t
n_tiles(const Film *film)
{
    return (size_t)film->grid.columns * film->grid.rows;
}

void
film_forget(Film *film)
{
    film->began = 0;
    film->is_there = false;
    memset(film->counts, 0, n_tiles(film));
}

const pixman_box32_t *
film_box(const Film *film)
{
    return film->is_there ? &film->box : NULL;
}

/* ---- blocks ---- */

static Block
join(Block a, Block b)
{
    return (Block){MIN(a.left, b.left), MIN(a.top, b.top), MAX(a.right, b.right), MAX(a.bottom, b.bottom)};
}

static size_t
area(Block block)
{
    return (size_t)(block.right - block.left) * (block.bottom - block.top);
}

static bool
overlap(Block a, Block b)
{
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

static bool
lies_inside(Block inner, Block outer)
{
    Block both = join(inner, outer);
    return !memcmp(&both, &outer, sizeof both);
}

/* Takes the tiles within reach that count at least @least; their counts are gone. */
static void
take_neighbours(Film *film, uint32_t tile, unsigned least, size_t *n)
{
    uint32_t column = tile % film->grid.columns, row = tile / film->grid.columns;
    uint32_t right = MIN(column + REACH, film->grid.columns - 1), bottom = MIN(row + REACH, film->grid.rows - 1);

    for (uint32_t y = row - MIN(row, REACH); y <= bottom; y++) {
        for (uint32_t x = column - MIN(column, REACH); x <= right; x++) {
            uint32_t other = y * film->grid.columns + x;
            if (film->counts[other] < least)
                continue;
            film->counts[other] = 0;
            film->tiles[(*n)++] = other;
        }
    }
}

/* The tiles that hang together with @tile; returns their number. */
static size_t
gather(Film *film, uint32_t tile, unsigned least, Block *block)
{
    size_t n = 0;

    *block = (Block){film->grid.columns, film->grid.rows, 0, 0};
    take_neighbours(film, tile, least, &n);
    for (size_t i = 0; i < n; i++) {
        uint32_t column = film->tiles[i] % film->grid.columns, row = film->tiles[i] / film->grid.columns;
        *block = join(*block, (Block){column, row, column + 1, row + 1});
        take_neighbours(film, film->tiles[i], least, &n);
    }
    return n;
}

/* ---- pixels ---- */

typedef struct {
    unsigned same, soft, hard;
} Pairs;

static void
compare(uint32_t a, uint32_t b, Pairs *pairs)
{
    bool hard = false;

    for (unsigned shift = 0; shift < 32; shift += 8)
        hard |= ABS((int)(a >> shift & 0xff) - (int)(b >> shift & 0xff)) >= CONTRAST;
    if (a == b)
        pairs->same++;
    else if (hard)
        pairs->hard++;
    else
        pairs->soft++;
}

/* The channels of a pixel, without the byte that means nothing. */
static uint32_t
channels_of(const Surface *surface)
{
    int type = PIXMAN_FORMAT_TYPE(surface->format);
    return type == PIXMAN_TYPE_BGRA || type == PIXMAN_TYPE_RGBA ? 0xffffff00 : 0x00ffffff;
}

/* Compares a pixel with those to its right and below it. */
static void
look_at(const Surface *surface, uint32_t x, uint32_t y, Pairs *pairs)
{
    uint32_t scratch[2], channels = channels_of(surface);

    if (x + 1 >= surface->width || y + 1 >= surface->height)
        return;
    const uint32_t *row = surface_row(surface, x, y, 2, scratch);
    uint32_t here = row[0] & channels, right = row[1] & channels;
    uint32_t below = *surface_row(surface, x, y + 1, 1, scratch) & channels;
    compare(here, right, pairs);
    compare(here, below, pairs);
}

static bool
is_smooth(const Film *film, const Surface *surface, size_t n)
{
    size_t step = n / SAMPLED_TILES + 1;
    Pairs pairs = {0};

    for (size_t i = 0; i < n; i += step) {
        pixman_box32_t box =
            tile_box(&film->grid, film->tiles[i] % film->grid.columns, film->tiles[i] / film->grid.columns);
        for (uint32_t place = 0; place < PLACES; place++) { /* not the same places in each */
            uint32_t at = film->tiles[i] * 2654435761u + place * 40503u;
            look_at(surface, (uint32_t)box.x1 + (at >> 8) % TILE_WIDTH, (uint32_t)box.y1 + (at >> 20) % TILE_HEIGHT,
                    &pairs);
        }
    }
    return pairs.soft >= (pairs.same + pairs.soft + pairs.hard) / 8 && pairs.soft > pairs.hard * 4;
}

/* ---- films ---- */

/* What the last window had. */
typedef struct {
    bool has_film, has_other; /* the other is where the film is */
    Block film;
} Findings;

static Findings
look(Film *film, const Surface *surface, unsigned least)
{
    Findings found = {0};

    for (uint32_t tile = 0; tile < n_tiles(film); tile++) {
        Block block;
        if (film->counts[tile] < least)
            continue;
        size_t n = gather(film, tile, least, &block);
        if (n < MIN_TILES || n < area(block) / 3)
            continue;
        if (!is_smooth(film, surface, n)) {
            found.has_other |= film->is_there && overlap(block, film->block);
        } else if (!found.has_film || area(block) > area(found.film)) {
            found.has_film = true;
            found.film = block;
        }
    }
    return found;
}

static void
put(Film *film, Block block)
{
    pixman_box32_t first = tile_box(&film->grid, block.left, block.top);
    pixman_box32_t last = tile_box(&film->grid, block.right - 1, block.bottom - 1);

    film->is_there = true;
    film->block = block;
    film->box = (pixman_box32_t){first.x1, first.y1, last.x2, last.y2};
}

/* The film moves in @block: it stays where it is, grows, or is another one. */
static void
follow(Film *film, Block block)
{
    if (film->is_there && lies_inside(block, film->block) && area(block) >= area(film->block) / 4)
        return;
    Block both = film->is_there ? join(film->block, block) : block;
    put(film, area(both) <= 2 * area(block) ? both : block);
}

static void
judge(Film *film, const Surface *surface, int64_t now)
{
    int64_t least = RATE * (now - film->began) / G_USEC_PER_SEC;
    Findings found = least <= UINT8_MAX ? look(film, surface, (unsigned)least) : (Findings){0};

    if (found.has_film) {
        follow(film, found.film);
        film->seen = now;
    } else if (found.has_other || now - film->seen > LINGER_US) {
        film->is_there = false;
    }
}

static void
count(Film *film, const uint64_t *changed)
{
    TileRun run;

    for (uint32_t row = 0; row < film->grid.rows; row++) {
        uint8_t *counts = film->counts + (size_t)row * film->grid.columns;
        for (uint32_t at = 0; tile_set_next_run(&film->grid, changed, row, at, &run); at = run.to)
            for (uint32_t column = run.from; column < run.to; column++)
                counts[column] += counts[column] < UINT8_MAX;
    }
}

void
film_watch(Film *film, const Surface *surface, const uint64_t *changed, int64_t now)
{
    if (now - film->began >= WINDOW_US) {
        judge(film, surface, now);
        memset(film->counts, 0, n_tiles(film));
        film->began = now;
    }
    count(film, changed);
}
