/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/http/sessions.h"

#include <string.h>

#define TOKEN_MIN 16
#define TOKEN_MAX 256
/* When there are so many the table begins anew: what is missing is asked for again. */
#define TABLE_MAX 10000

struct CsrfTable {
    GHashTable *by_digest;
};

static bool
could_be_token(const char *text)
{
    gsize len = strlen(text);

    return len >= TOKEN_MIN && len <= TOKEN_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+/=") == len;
}

static char *
from_bearer(const char *header)
{
    if (!header || g_ascii_strncasecmp(header, "Bearer ", 7) || !could_be_token(header + 7))
        return NULL;
    return g_strdup(header + 7);
}

static char *
from_cookies(const char *header)
{
    g_auto(GStrv) cookies = g_strsplit(header ?: "", ";", 256);
    const char *found = NULL;

    for (char **cookie = cookies; *cookie; cookie++) {
        g_strstrip(*cookie);
        if (!g_str_has_prefix(*cookie, SESSION_COOKIE "="))
            continue;
        if (found)
            return NULL;
        found = *cookie + strlen(SESSION_COOKIE "=");
    }
    return found && could_be_token(found) ? g_strdup(found) : NULL;
}

char *
session_of(SoupMessageHeaders *headers, bool *by_cookie)
{
    char *token = from_bearer(soup_message_headers_get_one(headers, "Authorization"));

    *by_cookie = !token;
    return token ?: from_cookies(soup_message_headers_get_list(headers, "Cookie"));
}

void
session_set_cookie(SoupMessageHeaders *headers, const char *token)
{
    g_autofree char *cookie = g_strdup_printf(SESSION_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict%s",
                                              token ?: "", token ? "" : "; Max-Age=0");

    soup_message_headers_append(headers, "Set-Cookie", cookie);
}

CsrfTable *
csrf_table_new(void)
{
    CsrfTable *table = g_new(CsrfTable, 1);

    table->by_digest = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return table;
}

void
csrf_table_free(CsrfTable *table)
{
    if (!table)
        return;
    g_hash_table_unref(table->by_digest);
    g_free(table);
}

static char *
digest(const char *token)
{
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, token, -1);
}

void
csrf_table_put(CsrfTable *table, const char *token, const char *csrf)
{
    if (g_hash_table_size(table->by_digest) >= TABLE_MAX)
        g_hash_table_remove_all(table->by_digest);
    g_hash_table_insert(table->by_digest, digest(token), g_strdup(csrf));
}

bool
csrf_table_knows(CsrfTable *table, const char *token)
{
    g_autofree char *key = digest(token);

    return g_hash_table_contains(table->by_digest, key);
}

/* Takes equally long wherever they differ. */
static bool
are_equal(const char *a, const char *b)
{
    gsize len = strlen(a);
    unsigned char differ = 0;

    if (strlen(b) != len)
        return false;
    for (gsize i = 0; i < len; i++)
        differ |= a[i] ^ b[i];
    return !differ;
}

bool
csrf_table_is(CsrfTable *table, const char *token, const char *csrf)
{
    g_autofree char *key = digest(token);
    const char *known = g_hash_table_lookup(table->by_digest, key);

    return known && *known && csrf && are_equal(known, csrf);
}
