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
