/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that a confined program may make. Within carrel-confine. */
#pragma once

/* For good, for what is run next too. Everything else fails as if the kernel did not know it. -1 with errno. */
int confine_calls(void);
