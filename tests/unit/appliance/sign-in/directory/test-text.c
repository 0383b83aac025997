/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile names in filters and distinguished names; distinguished names that are the same. */
#include "appliance/sign-in/directory/text.h"

static void
test_filter(void)
{
    static const struct {
        const char *value, *escaped;
    } cases[] = {
        {"", ""},
        {"anna", "anna"},
        {"m\xc3\xbcller", "m\xc3\xbcller"},
        {"*", "\\2a"},
        {"a*)(uid=*))(|(uid=*", "a\\2a\\29\\28uid=\\2a\\29\\29\\28|\\28uid=\\2a"},
        {"a\\2a", "a\\5c2a"},
        {"a\nb", "a\\0ab"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *escaped = directory_text_for_filter(cases[i].value);
        g_assert_cmpstr(escaped, ==, cases[i].escaped);
    }
}

static void
test_dn(void)
{
    static const struct {
        const char *value, *escaped;
    } cases[] = {
        {"", ""},
        {"anna", "anna"},
        {"Meyer, Anna", "Meyer\\2C Anna"},
        {"anna,ou=admins", "anna\\2Cou\\3Dadmins"},
        {" # ", "\\20#\\20"},
        {"#", "\\23"},
        {" ", "\\20"},
        {"a+b=\"c\";<d>\\", "a\\2Bb\\3D\\22c\\22\\3B\\3Cd\\3E\\5C"},
        {"a\nb", "a\\0Ab"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *escaped = directory_text_for_dn(cases[i].value);
        g_autofree char *dn = g_strdup_printf("cn=%s,dc=example", escaped);
        g_autofree char *back = directory_text_first_value(dn);

        g_assert_cmpstr(escaped, ==, cases[i].escaped);
        g_assert_cmpstr(back, ==, cases[i].value); /* libldap reads it as the same value */
    }
}

static void
test_fill(void)
{
    g_autofree char *filter =
        directory_text_fill("(&(uid=%u)(member=%d)(x=100%%)(y=%u))", directory_text_for_filter, "a*", "cn=(a),dc=b");
    g_autofree char *no_dn = directory_text_fill("(member=%d)", directory_text_for_filter, "a", NULL);

    g_assert_cmpstr(filter, ==, "(&(uid=a\\2a)(member=cn=\\28a\\29,dc=b)(x=100%)(y=a\\2a))");
    g_assert_null(no_dn);
    g_assert_true(directory_text_is_template("%u", false));
    g_assert_true(directory_text_is_template("(member=%d)", true));
    g_assert_false(directory_text_is_template("(member=%d)", false));
    g_assert_false(directory_text_is_template("", false));
    g_assert_false(directory_text_is_template("uid=anna", false));
    g_assert_false(directory_text_is_template("%%", false));
    g_assert_false(directory_text_is_template("%s%u", false));
    g_assert_false(directory_text_is_template("%u%", false));
}

static void
test_same_dn(void)
{
    static const char *const same[] = {
        "cn=Staff \xc3\x84 A,ou=Groups,dc=example,dc=org",
        "CN=staff \xc3\xa4 a, OU=groups, DC=Example, DC=ORG",
        "cn=staff \\C3\\A4 a,ou=gro\\75ps,dc=example,dc=org",
        "cn=staff a\xcc\x88 a,ou=groups,dc=example,dc=org",
    };
    static const char *const others[] = {
        "cn=staff,ou=groups,dc=example,dc=org",
        "ou=groups,cn=staff \xc3\xa4 a,dc=example,dc=org",
        "cn=staff \xc3\xa4 a\\,ou=groups,dc=example,dc=org",
        "cn=staff \xc3\xa4 a,ou=groups,dc=example",
        "cn=staff \xc3\xa4 a,ou=groups,dc=example,dc=org,dc=x",
    };
    static const char *const none[] = {"staff", "=", "cn=a,", "cn=a,,dc=b", "cn=\\zz", "cn=a\\"};
    g_autofree char *right = directory_text_normal_dn(same[0]);
    g_autofree char *plus = directory_text_normal_dn("cn=A+uid=b,dc=c"),
                    *sulp = directory_text_normal_dn("UID=B+CN=a,DC=C");

    for (unsigned i = 0; i < G_N_ELEMENTS(same); i++) {
        g_autofree char *normal = directory_text_normal_dn(same[i]);
        g_assert_cmpstr(normal, ==, right);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *normal = directory_text_normal_dn(others[i]);
        g_assert_nonnull(normal);
        g_assert_cmpstr(normal, !=, right);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(none); i++)
        g_assert_null(directory_text_normal_dn(none[i]));
    g_assert_cmpstr(plus, ==, sulp);
    g_autofree char *empty = directory_text_normal_dn("CN="), *nothing = directory_text_first_value("cn=");
    g_assert_cmpstr(empty, ==, "cn=");
    g_assert_cmpstr(nothing, ==, "");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/directory/text/filter", test_filter);
    g_test_add_func("/sign-in/directory/text/dn", test_dn);
    g_test_add_func("/sign-in/directory/text/fill", test_fill);
    g_test_add_func("/sign-in/directory/text/same-dn", test_same_dn);
    return g_test_run();
}
