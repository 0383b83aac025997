/* SPDX-License-Identifier: Apache-2.0 */
/* Running ip(8), nft(8) and the like, and waiting for them. Any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * With @input (or NULL) to read. @output, which may be NULL: what it printed; free it. On failure the first line of what
 * it complained of is in the error.
 */
bool network_command(const char *const *arguments, const char *input, char **output, GError **error);
