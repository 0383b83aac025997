/* SPDX-License-Identifier: Apache-2.0 */
/* Scattered bytes: a binary search for the first iovec, then along the list. */
#include "display/scatter.h"

#include <glib.h>
#include <string.h>

bool
scatter_pack(const struct iovec *iov, size_t n, struct iovec *to, uint64_t *starts, size_t *n_packed, uint64_t *total)
{
    size_t packed = 0;
    uint64_t bytes = 0;

    for (size_t i = 0; i < n; i++) {
        if (iov[i].iov_len == 0)
            continue;
        to[packed] = iov[i];
        starts[packed++] = bytes;
        if (__builtin_add_overflow(bytes, (uint64_t)iov[i].iov_len, &bytes))
            return false;
    }
    *n_packed = packed;
    *total = bytes;
    return true;
}

/* The iovec that holds byte @at. */
static size_t
find(const Scatter *scatter, uint64_t at)
{
    size_t low = 0, high = scatter->n;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (scatter->starts[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void *
scatter_run(const Scatter *scatter, uint64_t at, uint64_t len)
{
    size_t i = find(scatter, at);
    uint64_t inside = at - scatter->starts[i];

    return len <= scatter->iov[i].iov_len - inside ? (uint8_t *)scatter->iov[i].iov_base + inside : NULL;
}

void
scatter_read(const Scatter *scatter, uint64_t at, void *to, size_t len)
{
    uint8_t *next = to;

    for (size_t i = find(scatter, at); len; i++) {
        g_assert(i < scatter->n);
        size_t inside = at - scatter->starts[i];
        size_t piece = MIN(len, scatter->iov[i].iov_len - inside);
        memcpy(next, (const uint8_t *)scatter->iov[i].iov_base + inside, piece);
        next += piece;
        at += piece;
        len -= piece;
    }
}
