/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls each role may make; read by compile.c at build time only. */
#pragma once

#include "vmm/sandbox/sandbox.h"

#include <stdint.h>

/* A call that is allowed, perhaps with one argument masked and compared, or that fails without harm. */
typedef struct {
    const char *name;  /* NULL ends a list */
    unsigned argument; /* 1-based; 0: any arguments */
    uint64_t mask, value;
    int error; /* not 0: the call fails with it, for callers that go on without */
} FilterCall;

extern const FilterCall *const sandbox_filter_calls[SANDBOX_N_ROLES][7]; /* lists, ended by NULL */
