/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which interfaces forward packets, and because of whom. Only those that nat networks need are switched on, each by
 * itself and never the host's ip_forward; a file remembers which ones were off before, so they can be put back even by a
 * later daemon.
 *
 * Owner: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Switches forwarding on for @interfaces (NULL-terminated) and puts back those that @file knows of and that are not among
 * them. Those of them that would not forward but for us: free it with g_strfreev(); NULL with an error.
 */
char **network_forwarding_set(const char *file, const char *const *interfaces, GError **error);
