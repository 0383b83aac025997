/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a request is: the session's token in a cookie or as a bearer's, and what proves that a page of ours made it.
 *
 * Owner: the main loop.
 */
#pragma once

#include <libsoup/soup.h>
#include <stdbool.h>

#define SESSION_COOKIE "__Host-carrel"
#define CSRF_HEADER "X-Carrel-CSRF"

/*
 * The token, or NULL: none, or none that could be one. A bearer's comes before a cookie; a cookie that is there twice is
 * none. Free with g_free().
 */
char *session_of(SoupMessageHeaders *headers, bool *by_cookie);

/* "Set-Cookie" to begin with a token, or (NULL) to end. */
void session_set_cookie(SoupMessageHeaders *headers, const char *token);

/* Which proof belongs to which session: what carreld said of it, for a while, by the token's digest. */
typedef struct CsrfTable CsrfTable;
CsrfTable *csrf_table_new(void);
void csrf_table_free(CsrfTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CsrfTable, csrf_table_free)
void csrf_table_put(CsrfTable *table, const char *token, const char *csrf);
/* Whether one is known, and if so whether it is this. */
bool csrf_table_knows(CsrfTable *table, const char *token);
bool csrf_table_is(CsrfTable *table, const char *token, const char *csrf);
