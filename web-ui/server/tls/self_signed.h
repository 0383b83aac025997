/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate that a host makes for itself, until somebody gives it a better one: ECDSA on P-256, good for the host's
 * names and addresses, for as long as every browser takes one (820 days). Any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Writes both files; the key's is its owner's alone to read. @names: DNS names and addresses, the first of which is the
 * subject's; @now in seconds since 1970. Files that are there are replaced, each as a whole.
 */
bool tls_self_signed_make(const char *certificate, const char *key, const char *const *names, int64_t now,
                          GError **error);

/* Whether the file is one of those, and at its end or nearly (30 days): then it is time for another. */
bool tls_self_signed_is_due(const char *certificate, int64_t now);

/* What the host is called and reached by, "localhost" among them, and @more (or NULL) first. Free with g_strfreev(). */
char **tls_self_signed_names(const char *const *more);
