/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a request is, from headers that anybody may have written. */
#include "web-ui/server/http/sessions.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static char *
session(const char *name, const char *value, bool *by_cookie)
{
    SoupMessageHeaders *headers = soup_message_headers_new(SOUP_MESSAGE_HEADERS_REQUEST);

    soup_message_headers_append(headers, name, value);
    char *token = session_of(headers, by_cookie);
    soup_message_headers_unref(headers);
    return token;
}

static void
check(const char *name, const char *value, const char *expected)
{
    bool by_cookie;
    g_autofree char *token = session(name, value, &by_cookie);

    g_assert_cmpstr(token, ==, expected);
    if (token)
        g_assert_true(by_cookie == g_str_equal(name, "Cookie"));
}

static void
test_tokens(void)
{
    check("Authorization", "Bearer " TOKEN, TOKEN);
    check("Authorization", "bearer " TOKEN, TOKEN);
    check("Authorization", "Basic " TOKEN, NULL);
    check("Authorization", "Bearer short", NULL);
    check("Authorization", "Bearer " TOKEN " ", NULL);
    check("Cookie", "__Host-carrel=" TOKEN, TOKEN);
    check("Cookie", "a=b; __Host-carrel=" TOKEN "; c=d", TOKEN);
    check("Cookie", "carrel=" TOKEN, NULL);
    check("Cookie", "x__Host-carrel=" TOKEN, NULL);
    check("Cookie", "__Host-carrel=", NULL);
    check("Cookie", "__Host-carrel=" TOKEN "; __Host-carrel=" TOKEN, NULL);
    check("Cookie", "__Host-carrel=" TOKEN "'; drop", NULL);
}

static void
test_proof(void)
{
    g_autoptr(CsrfTable) table = csrf_table_new();

    g_assert_false(csrf_table_knows(table, TOKEN));
    csrf_table_put(table, TOKEN, "proof");
    g_assert_true(csrf_table_knows(table, TOKEN));
    g_assert_true(csrf_table_is(table, TOKEN, "proof"));
    g_assert_false(csrf_table_is(table, TOKEN, "proox"));
    g_assert_false(csrf_table_is(table, TOKEN, "proo"));
    g_assert_false(csrf_table_is(table, TOKEN, ""));
    g_assert_false(csrf_table_is(table, TOKEN, NULL));
    csrf_table_put(table, TOKEN, "");
    g_assert_false(csrf_table_is(table, TOKEN, ""));
    g_assert_false(csrf_table_is(table, "another" TOKEN, "proof"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sessions/tokens", test_tokens);
    g_test_add_func("/sessions/proof", test_proof);
    return g_test_run();
}
