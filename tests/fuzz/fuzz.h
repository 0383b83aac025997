/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzz target is: one function that takes any bytes whatever and must return. It is linked twice: with libFuzzer,
 * which makes bytes up, and with replay.c, which reads them from the saved corpus.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Returns 0. Called again and again in one process: what it allocates it frees. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A descriptor of an in-memory file that holds these bytes, the same one each time. Not to be closed. */
int fuzz_file(const uint8_t *bytes, size_t len);

/* What is left of an input that is read as a list of numbers. */
typedef struct {
    const uint8_t *at;
    size_t left;
} FuzzInput;

/* The next number, of up to eight bytes, the lowest first; bytes that are not there are 0. */
static inline uint64_t
fuzz_take(FuzzInput *input, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && input->left; i++, input->left--)
        value |= (uint64_t)*input->at++ << (8 * i);
    return value;
}
