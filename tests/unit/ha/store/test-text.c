/* SPDX-License-Identifier: Apache-2.0 */
/* What names, lines and words may hold, and what is said of what they may not. */
#include "ha/store/text.h"

#include <string.h>

static void
fine(char *why)
{
    g_autofree char *held = why;

    g_assert_cmpstr(held, ==, NULL);
}

static void
wrong(char *why, const char *says)
{
    g_autofree char *held = why;

    if (!held || !strstr(held, says))
        g_error("wanted “…%s…”, got “%s”", says, held ? held : "(fine)");
}

static char *
name(const char *text)
{
    return store_text_check_name(text, 1, 64);
}

static void
test_names(void)
{
    fine(name("anna"));
    fine(name("Büro 3 / links"));
    fine(name("שולחן"));
    fine(name("経理部"));
    fine(name("x"));
    wrong(name(""), "it is empty");
    wrong(name(" anna"), "begins with a space");
    wrong(name("anna "), "ends with a space");
    wrong(name("an  na"), "two spaces in a row");
    wrong(name("an\nna"), "its character 3, U+000A, is a control character");
    wrong(name("an\x7fna"), "U+007F, is a control character");
    wrong(name("exe\u202efdp"), "its character 4, U+202E, turns the direction");
    wrong(name("a\u2066b"), "turns the direction");
    wrong(name("an\u200bna"), "U+200B, cannot be seen");
    wrong(name("an\ufeffna"), "cannot be seen");
    wrong(name("an\u3164na"), "cannot be seen");
    wrong(name("an\u00a0na"), "a space that looks like another");
    wrong(name("an\u2028na"), "ends the line");
    wrong(name("an\ue000na"), "has no meaning");
    wrong(name("\u0301a"), "a mark that belongs on another");
    wrong(name("Bu\u0308ro"), "not in composed form");
    g_autofree char *long_name = g_strnfill(65, 'a');
    wrong(name(long_name), "it has 65 characters, and can have 64");
    wrong(store_text_check_name("ab", 3, 9), "it has 2 characters, and needs 3");
}

static void
test_lines(void)
{
    fine(store_text_check_line("  indented", 1, 64));
    fine(store_text_check_line("", 0, 64));
    wrong(store_text_check_line("a\tb", 1, 64), "is a control character");
}

static void
test_tokens(void)
{
    fine(store_text_check_token("session.idle-minutes_2", 1, 64));
    wrong(store_text_check_token("a/b", 1, 64), "it can hold letters");
    wrong(store_text_check_token("ä", 1, 64), "it can hold letters");
    wrong(store_text_check_token("..", 1, 64), "begins with a letter");
    wrong(store_text_check_token("-rf", 1, 64), "begins with a letter");
    wrong(store_text_check_token("", 1, 64), "it is empty");
}

static void
test_uuids(void)
{
    fine(store_text_check_uuid("00000000-0000-4000-8000-0123456789ab"));
    wrong(store_text_check_uuid("00000000-0000-4000-8000-0123456789AB"), "no UUID");
    wrong(store_text_check_uuid("00000000-0000-4000-8000-0123456789a"), "no UUID");
    wrong(store_text_check_uuid("00000000-0000-4000-8000-0123456789abc"), "no UUID");
    wrong(store_text_check_uuid("00000000-0000-4000-80000-123456789ab"), "no UUID");
}

static void
test_keys(void)
{
    static const char *const same[][2] = {{"Anna", "ANNA"}, {"Straße", "STRASSE"}, {"Ａnna", "anna"}, {"ﬁn", "FIN"}};

    for (unsigned i = 0; i < G_N_ELEMENTS(same); i++) {
        g_autofree char *a = store_text_key(same[i][0]), *b = store_text_key(same[i][1]);
        g_assert_cmpstr(a, ==, b);
    }
    g_autofree char *a = store_text_key("anna"), *b = store_text_key("änna");
    g_assert_cmpstr(a, !=, b);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/text/names", test_names);
    g_test_add_func("/store/text/lines", test_lines);
    g_test_add_func("/store/text/tokens", test_tokens);
    g_test_add_func("/store/text/uuids", test_uuids);
    g_test_add_func("/store/text/keys", test_keys);
    return g_test_run();
}
