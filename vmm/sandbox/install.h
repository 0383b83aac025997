/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the sandbox only: arms sandbox_filter_thread() and the line about a forbidden call. */
#pragma once

#include "vmm/sandbox/sandbox.h"

void filters_begin(void);
