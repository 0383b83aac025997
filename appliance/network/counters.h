/* SPDX-License-Identifier: Apache-2.0 */
/* What went through interfaces, from /proc/net/dev. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Bytes as the interface counts them; false: there is no line of it in @text. */
bool network_counters_find(const char *text, const char *name, uint64_t *received, uint64_t *sent);
