/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tiles' numbers: eight 64-bit lanes take 64 bytes a step, each adding a 32 × 32 bit product of its keyed input and
 * its neighbour's input as it is, and are scrambled after each row; folding 128-bit products makes one number of them.
 * (The construction is that of XXH3's long hash.) The key is drawn at start, so that nobody can make two pictures that
 * collide.
 *
 * Written twice: in plain C, and for AVX2, where compilers do not see the 32 × 32 bit multiplication by themselves
 * (0.20 ms instead of 0.55 ms for 1920 × 1080 pixels).
 */
#include "display/spice/tiles.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include <glib.h>

#define STEP 64 /* bytes */
#define LANES 8
#define STEPS (TILE_WIDTH * 4 / STEP) /* of a whole tile's row */

/* Odd constants with well spread bits, from the golden ratio. */
#define SCRAMBLE_PRIME 0x9e3779b1u
#define AVALANCHE_PRIME 0x165667919e3779f9ull

typedef struct {
    _Alignas(32) uint64_t start[LANES];
    uint64_t input[STEPS][LANES];
    uint64_t scramble[LANES];
    uint64_t fold[LANES];
} HashKey;

/* Takes @steps × 64 bytes of each of @rows rows into the lanes, which are aligned as the key is. */
typedef void (*TakeRows)(const HashKey *key, uint64_t *lanes, const uint8_t *pixels, size_t stride, unsigned steps,
                         unsigned rows);

static void
take_rows_plain(const HashKey *key, uint64_t *lanes, const uint8_t *pixels, size_t stride, unsigned steps,
                unsigned rows)
{
    for (unsigned row = 0; row < rows; row++, pixels += stride) {
        for (unsigned step = 0; step < steps; step++) {
            uint64_t data[LANES];
            memcpy(data, pixels + (size_t)step * STEP, STEP);
            for (unsigned i = 0; i < LANES; i++) {
                uint64_t keyed = data[i] ^ key->input[step][i];
                lanes[i] += (uint64_t)(uint32_t)keyed * (keyed >> 32) + data[i ^ 1];
            }
        }
        for (unsigned i = 0; i < LANES; i++)
            lanes[i] = (lanes[i] ^ lanes[i] >> 47 ^ key->scramble[i]) * SCRAMBLE_PRIME;
    }
}

__attribute__((target("avx2"))) static __m256i
take_avx2(__m256i lanes, __m256i data, const uint64_t *input)
{
    __m256i keyed = _mm256_xor_si256(data, _mm256_load_si256((const __m256i *)input));
    __m256i product = _mm256_mul_epu32(keyed, _mm256_srli_epi64(keyed, 32));
    __m256i neighbour = _mm256_shuffle_epi32(data, _MM_SHUFFLE(1, 0, 3, 2));
    return _mm256_add_epi64(lanes, _mm256_add_epi64(product, neighbour));
}

__attribute__((target("avx2"))) static __m256i
scramble_avx2(__m256i lanes, const uint64_t *scramble)
{
    const __m256i prime = _mm256_set1_epi64x(SCRAMBLE_PRIME);
    __m256i mixed = _mm256_xor_si256(lanes, _mm256_srli_epi64(lanes, 47));
    mixed = _mm256_xor_si256(mixed, _mm256_load_si256((const __m256i *)scramble));
    __m256i high = _mm256_mul_epu32(_mm256_srli_epi64(mixed, 32), prime);
    return _mm256_add_epi64(_mm256_mul_epu32(mixed, prime), _mm256_slli_epi64(high, 32));
}

__attribute__((target("avx2"))) static void
take_rows_avx2(const HashKey *key, uint64_t *lanes, const uint8_t *pixels, size_t stride, unsigned steps, unsigned rows)
{
    __m256i low = _mm256_load_si256((const __m256i *)lanes);
    __m256i high = _mm256_load_si256((const __m256i *)lanes + 1);

    for (unsigned row = 0; row < rows; row++, pixels += stride) {
        for (unsigned step = 0; step < steps; step++) {
            const __m256i *data = (const __m256i *)(pixels + (size_t)step * STEP);
            low = take_avx2(low, _mm256_loadu_si256(data), key->input[step]);
            high = take_avx2(high, _mm256_loadu_si256(data + 1), key->input[step] + LANES / 2);
        }
        low = scramble_avx2(low, key->scramble);
        high = scramble_avx2(high, key->scramble + LANES / 2);
    }
    _mm256_store_si256((__m256i *)lanes, low);
    _mm256_store_si256((__m256i *)lanes + 1, high);
}

/*
 * The same of whole rows of a tile, copied as they are read; the copy, whose rows are aligned to 32 bytes, goes past the
 * caches: fetching its old contents there would cost as much as writing it. Handing it to another thread takes a lock,
 * which is all the fence such stores need.
 */
__attribute__((target("avx2"))) static void
copy_rows_avx2(const HashKey *key, uint64_t *lanes, uint8_t *to, size_t to_stride, const uint8_t *pixels, size_t stride,
               unsigned rows)
{
    __m256i low = _mm256_load_si256((const __m256i *)lanes);
    __m256i high = _mm256_load_si256((const __m256i *)lanes + 1);

    for (unsigned row = 0; row < rows; row++, pixels += stride, to += to_stride) {
        for (unsigned step = 0; step < STEPS; step++) {
            __m256i first = _mm256_loadu_si256((const __m256i *)(pixels + (size_t)step * STEP));
            __m256i second = _mm256_loadu_si256((const __m256i *)(pixels + (size_t)step * STEP) + 1);
            _mm256_stream_si256((__m256i *)(to + (size_t)step * STEP), first);
            _mm256_stream_si256((__m256i *)(to + (size_t)step * STEP) + 1, second);
            low = take_avx2(low, first, key->input[step]);
            high = take_avx2(high, second, key->input[step] + LANES / 2);
        }
        low = scramble_avx2(low, key->scramble);
        high = scramble_avx2(high, key->scramble + LANES / 2);
    }
    _mm256_store_si256((__m256i *)lanes, low);
    _mm256_store_si256((__m256i *)lanes + 1, high);
}

static HashKey hash_key;
static TakeRows take_rows;
static bool has_avx2;

static void
prepare(void)
{
    static gsize ready;

    if (!g_once_init_enter(&ready))
        return;
    if (getrandom(&hash_key, sizeof hash_key, 0) != (ssize_t)sizeof hash_key)
        g_error("no random numbers: %m"); /* cannot happen once the system has booted */
    has_avx2 = __builtin_cpu_supports("avx2");
    take_rows = has_avx2 ? take_rows_avx2 : take_rows_plain;
    g_once_init_leave(&ready, 1);
}

/* The part of each row beyond the last whole step, filled up with zeros. */
static void
take_rest(uint64_t *lanes, const uint8_t *pixels, size_t stride, size_t n, unsigned rows, TakeRows take)
{
    uint8_t rest[STEP] = {0};

    for (unsigned row = 0; row < rows; row++, pixels += stride) {
        memcpy(rest, pixels, n);
        take(&hash_key, lanes, rest, 0, 1, 1);
    }
}

static uint64_t
fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The number of a tile of this size whose rows the lanes have taken. */
static uint64_t
finish(const uint64_t *lanes, unsigned width, unsigned height)
{
    uint64_t hash = (uint64_t)width << 32 | height;

    for (unsigned i = 0; i < LANES; i += 2)
        hash += fold(lanes[i] ^ hash_key.fold[i], lanes[i + 1] ^ hash_key.fold[i + 1]);
    hash ^= hash >> 37;
    hash *= AVALANCHE_PRIME;
    hash ^= hash >> 32;
    return hash ? hash : 1;
}

static uint64_t
hash_with(TakeRows take, const void *pixels, size_t stride, unsigned width, unsigned height)
{
    _Alignas(32) uint64_t lanes[LANES];
    size_t bytes = (size_t)width * 4, whole = bytes / STEP * STEP;

    g_assert(width > 0 && width <= TILE_WIDTH);
    memcpy(lanes, hash_key.start, sizeof lanes);
    take(&hash_key, lanes, pixels, stride, (unsigned)(whole / STEP), height);
    if (bytes > whole)
        take_rest(lanes, (const uint8_t *)pixels + whole, stride, bytes - whole, height, take);
    return finish(lanes, width, height);
}

uint64_t
tile_hash(const void *pixels, size_t stride, unsigned width, unsigned height)
{
    prepare();
    return hash_with(take_rows, pixels, stride, width, height);
}

uint64_t
tile_hash_plain(const void *pixels, size_t stride, unsigned width, unsigned height)
{
    prepare();
    return hash_with(take_rows_plain, pixels, stride, width, height);
}

uint64_t
tile_copy(void *to, size_t to_stride, const void *pixels, size_t stride, unsigned width, unsigned height)
{
    prepare();
    if (has_avx2 && width == TILE_WIDTH && ((uintptr_t)to | to_stride) % sizeof(__m256i) == 0) {
        _Alignas(32) uint64_t lanes[LANES];
        memcpy(lanes, hash_key.start, sizeof lanes);
        copy_rows_avx2(&hash_key, lanes, to, to_stride, pixels, stride, height);
        return finish(lanes, width, height);
    }
    for (unsigned row = 0; row < height; row++)
        memcpy((uint8_t *)to + row * to_stride, (const uint8_t *)pixels + row * stride, (size_t)width * 4);
    return hash_with(take_rows, to, to_stride, width, height);
}
