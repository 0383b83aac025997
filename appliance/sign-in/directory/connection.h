/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to one of a directory's servers, by TLS, for one sign-in. Everything here blocks, until the deadline at most
 * (only a resolver that does not answer may take longer).
 *
 * The server must prove its name by a certificate of the configured authority or, without one, of one that the system trusts;
 * TLS 1.2 at least. Referrals are not followed: they would carry the password to wherever somebody says. What the process's
 * environment or a configuration file of libldap's says of any of this is overruled.
 *
 * libldap takes "localhost" for the machine's own full name. It looks that up before a process's first connection, which takes
 * as long as the resolver takes where nobody knows it.
 *
 * Owner: the thread that opened it.
 */
#pragma once

#include "appliance/sign-in/directory/config.h"

#include <ldap.h>

typedef struct DirectoryConnection DirectoryConnection;

/* @deadline: in g_get_monotonic_time()'s µs. @server: one of the configuration's. */
DirectoryConnection *directory_connection_open(const DirectoryConfig *config, const char *server, int64_t deadline,
                                               GError **error);
void directory_connection_free(DirectoryConnection *connection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DirectoryConnection, directory_connection_free)

/* As the configuration's own account. */
bool directory_connection_bind_service(DirectoryConnection *connection, GError **error);

/* As a user. Neither may be empty: a server would take that for an anonymous bind and say yes (RFC 4513, 5.1.2). */
bool directory_connection_bind_user(DirectoryConnection *connection, const char *dn, const char *password,
                                    GError **error);

/*
 * The entries found, at most @most: more are DIRECTORY_ERROR_AMBIGUOUS. @attributes ends with NULL. A base that does not exist
 * is an error; none found is an empty array. To be freed with g_ptr_array_unref().
 */
typedef struct {
    char *dn;
    GHashTable *values; /* attribute, in lower case → GPtrArray of GBytes (each with a zero byte behind its end) */
} DirectoryEntry;
GPtrArray *directory_connection_search(DirectoryConnection *connection, const char *base, int scope, const char *filter,
                                       const char *const *attributes, unsigned most, GError **error);

/* The first value as text; NULL: it has none that is text. The entry's. */
const char *directory_entry_text(const DirectoryEntry *entry, const char *attribute);
/* All of them; NULL: it has none. */
GPtrArray *directory_entry_values(const DirectoryEntry *entry, const char *attribute);
