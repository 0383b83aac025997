/* SPDX-License-Identifier: Apache-2.0 */
/* New passwords: what is refused, for which reason, and what is taken. */
#include "appliance/sign-in/password_rules.h"

#include <string.h>

#define TAKEN (-1)

static const struct {
    const char *password, *name, *display_name;
    int refused;
} cases[] = {
    {"", "anna", NULL, PASSWORD_RULES_ERROR_SHORT},
    {"Tr0ub4dor", "anna", NULL, PASSWORD_RULES_ERROR_SHORT},
    {"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6", "anna", NULL, PASSWORD_RULES_ERROR_SHORT}, /* characters, not bytes */
    {"two\nlines and more", "anna", NULL, PASSWORD_RULES_ERROR_TEXT},
    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "anna", NULL, PASSWORD_RULES_ERROR_TEXT},
    {"annameyer1", "annameyer", NULL, PASSWORD_RULES_ERROR_NAME},
    {"Anna.Meyer-2026!", "ameyer", "Anna Meyer", PASSWORD_RULES_ERROR_NAME},
    {"2026-ANNA-2026", "anna", NULL, PASSWORD_RULES_ERROR_NAME},
    {"J\xc3\x9cRGEN-123456", "j\xc3\xbcrgen", NULL, PASSWORD_RULES_ERROR_NAME},
    {"annameyer@corp", "anna.meyer", NULL, PASSWORD_RULES_ERROR_NAME},
    {"aaaaaaaaaaaa", "anna", NULL, PASSWORD_RULES_ERROR_PATTERN},
    {"abcabcabcabc", "anna", NULL, PASSWORD_RULES_ERROR_PATTERN},
    {"12345678901", "anna", NULL, PASSWORD_RULES_ERROR_PATTERN},
    {"0987654321", "anna", NULL, PASSWORD_RULES_ERROR_PATTERN},
    {"QwertyUiop", "anna", NULL, PASSWORD_RULES_ERROR_PATTERN},
    {"1q2w3e4r5t6y", "anna", NULL, PASSWORD_RULES_ERROR_PATTERN},
    {"Password123!", "anna", NULL, PASSWORD_RULES_ERROR_COMMON},
    {"Summer2026!", "anna", NULL, PASSWORD_RULES_ERROR_COMMON},
    {"carrel-2026", "anna", NULL, PASSWORD_RULES_ERROR_COMMON},
    {"correct horse battery staple", "anna", NULL, TAKEN},
    {"anna likes green tea", "anna", "Anna Meyer", TAKEN}, /* a name among other words is fine */
    {"vX3-pq9-LLw2", "anna", NULL, TAKEN},
    {"73918264509182", "anna", NULL, TAKEN}, /* digits alone: long enough, and no row */
    {"\xe6\xad\xa3\xe7\xa1\xae\xe9\xa9\xac\xe7\x94\xb5\xe6\xb1\xa0\xe8\xae\xa2\xe4\xb9\xa6\xe9\x92\x89\xe5\xad\x90\xe6"
     "\x9c\xac",
     "anna", NULL, TAKEN},
    {"a sentence of mine", "an", "A B", TAKEN}, /* names too short to mean anything */
    {"a sentence of mine", "", "", TAKEN},
};

static void
test_table(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        bool taken = password_rules_check(cases[i].password, cases[i].name, cases[i].display_name, 0, &error);

        if (taken != (cases[i].refused == TAKEN) || (error && error->code != cases[i].refused))
            g_error("“%s” of %s: %s", cases[i].password, cases[i].name, error ? error->message : "taken");
        /* It says why, and does not repeat it. */
        if (error)
            g_assert_true(strlen(error->message) > 20 &&
                          (!*cases[i].password || !strstr(error->message, cases[i].password)));
    }
}

static void
test_minimum(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(password_rules_check("green tea cup", "anna", NULL, 13, NULL));
    g_assert_false(password_rules_check("green tea cup", "anna", NULL, 14, &error));
    g_assert_nonnull(strstr(error->message, "14"));
    g_assert_false(password_rules_check("green tea", "anna", NULL, 1, NULL)); /* a setting cannot weaken it */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/password-rules/table", test_table);
    g_test_add_func("/sign-in/password-rules/minimum", test_minimum);
    return g_test_run();
}
