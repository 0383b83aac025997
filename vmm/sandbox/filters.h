/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls each role may make; read by compile.c at build time only. */
#pragma once

#include "vmm/sandbox/sandbox.h"

#include <stdint.h>

/* Stands in a value for the number of the process that takes the filter; more than any process has (PID_MAX_LIMIT). */
#define FILTER_OWN_PID 0x7fff4f50u

#define FILTER_LISTS_MAX 12

/* A test of one argument: masked, it has this value. */
typedef struct {
    unsigned argument; /* 1-based; 0: none */
    uint64_t mask, value;
} FilterTest;

/* A call that is allowed, perhaps if an argument or two are as they should be, or that fails without harm. */
typedef struct {
    const char *name;  /* NULL ends a list */
    unsigned argument; /* as in FilterTest, for most calls need one */
    uint64_t mask, value;
    FilterTest also;
    int error; /* not 0: the call fails with it, for callers that go on without */
} FilterCall;

extern const FilterCall *const sandbox_filter_calls[SANDBOX_N_ROLES][FILTER_LISTS_MAX + 1]; /* lists, ended by NULL */
