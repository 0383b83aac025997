/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scattered bytes: a list of iovecs read as if it were one run.
 *
 * The list carries the running start of each iovec, so any byte is found by a binary search. Borrowed, not owned: whoever
 * holds the arrays makes a Scatter on the stack to read from them. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct {
    const struct iovec *iov; /* none of them empty */
    const uint64_t *starts;  /* bytes before each */
    size_t n;
} Scatter;

/*
 * Copies @n iovecs without the empty ones to @to, and their running starts to @starts; both have room for @n. Returns how
 * many there are, and their bytes in @total; false where those do not fit in 64 bits.
 */
bool scatter_pack(const struct iovec *iov, size_t n, struct iovec *to, uint64_t *starts, size_t *n_packed,
                  uint64_t *total);

/* Where the @len bytes from byte @at on begin, if they lie in one iovec; else NULL. @at is inside. */
void *scatter_run(const Scatter *scatter, uint64_t at, uint64_t len);

/* Copies @len bytes from byte @at on. All inside. */
void scatter_read(const Scatter *scatter, uint64_t at, void *to, size_t len);
