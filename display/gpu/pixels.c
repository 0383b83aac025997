/* SPDX-License-Identifier: Apache-2.0 */
/* Pixels in anonymous mappings, and an atomic count of their bytes. */
#include "display/gpu/pixels.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

struct PixelBudget {
    uint64_t max;
    _Atomic uint64_t used;
    gatomicrefcount references; /* the owner's and one for each block */
};

PixelBudget *
pixel_budget_new(uint64_t max_bytes)
{
    PixelBudget *budget = g_new0(PixelBudget, 1);
    budget->max = max_bytes;
    g_atomic_ref_count_init(&budget->references);
    return budget;
}

void
pixel_budget_unref(PixelBudget *budget)
{
    if (budget && g_atomic_ref_count_dec(&budget->references))
        g_free(budget);
}

uint64_t
pixel_budget_used(const PixelBudget *budget)
{
    return atomic_load(&budget->used);
}

static bool
budget_take(PixelBudget *budget, uint64_t len)
{
    uint64_t used = atomic_load(&budget->used);

    do {
        if (len > budget->max || used > budget->max - len)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->used, &used, used + len));
    return true;
}

Pixels *
pixels_new(PixelBudget *budget, uint64_t len)
{
    if (len == 0 || !budget_take(budget, len))
        return NULL;
    void *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED) {
        atomic_fetch_sub(&budget->used, len);
        return NULL;
    }
    Pixels *pixels = g_new(Pixels, 1);
    *pixels = (Pixels){.bytes = bytes, .len = len, .budget = budget};
    g_atomic_ref_count_init(&pixels->references);
    g_atomic_ref_count_inc(&budget->references);
    return pixels;
}

Pixels *
pixels_ref(Pixels *pixels)
{
    g_atomic_ref_count_inc(&pixels->references);
    return pixels;
}

void
pixels_unref(Pixels *pixels)
{
    if (!pixels || !g_atomic_ref_count_dec(&pixels->references))
        return;
    munmap(pixels->bytes, pixels->len);
    atomic_fetch_sub(&pixels->budget->used, pixels->len);
    pixel_budget_unref(pixels->budget);
    g_free(pixels);
}
