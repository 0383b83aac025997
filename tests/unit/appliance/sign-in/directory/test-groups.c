/* SPDX-License-Identifier: Apache-2.0 */
/* Which groups and role a user has by the groups of a directory. */
#include "appliance/sign-in/directory/groups.h"

static DirectoryRule rules[] = {
    {(char *)"cn=Admins,ou=Groups,dc=example", SIGN_IN_ROLE_ADMIN, NULL},
    {(char *)"Helpdesk", SIGN_IN_ROLE_OPERATOR, (char *)"support"},
    {(char *)"cn=Accounts,ou=Groups,dc=example", SIGN_IN_ROLE_USER, (char *)"finance"},
    {(char *)"controlling", SIGN_IN_ROLE_USER, (char *)"finance"},
};
static const DirectoryConfig config = {.rules = rules, .n_rules = G_N_ELEMENTS(rules)};

typedef struct {
    const char *groups[4];
    SignInRole role;
    const char *becomes; /* joined */
    bool by_rule;
} Case;

static const Case cases[] = {
    {{NULL}, SIGN_IN_ROLE_USER, "", false},
    {{"cn=others,dc=example"}, SIGN_IN_ROLE_USER, "", false},
    {{"CN=admins, OU=groups, DC=example"}, SIGN_IN_ROLE_ADMIN, "", true},
    {{"cn=admins,ou=other groups,dc=example"}, SIGN_IN_ROLE_USER, "", false}, /* a rule with a DN means that one */
    {{"cn=helpdesk,ou=anywhere,dc=example"}, SIGN_IN_ROLE_OPERATOR, "support", true},
    {{"cn=accounts,ou=groups,dc=example", "cn=controlling,dc=example"}, SIGN_IN_ROLE_USER, "finance", true},
    {{"cn=controlling,dc=x", "cn=helpdesk,dc=x", "cn=admins,ou=groups,dc=example"},
     SIGN_IN_ROLE_ADMIN,
     "support,finance",
     true},
    /* Names that look like more than they are. */
    {{"cn=cn\\3dadmins\\2cou\\3dgroups\\2cdc\\3dexample,dc=x"}, SIGN_IN_ROLE_USER, "", false},
    {{"helpdesk", "", "cn=helpdesk"}, SIGN_IN_ROLE_OPERATOR, "support", true},
    {{"cn=helpdesk\\2cou\\3da,dc=x", "cn=\\ff\\fe,dc=x", "cn=#0401ff,dc=x"}, SIGN_IN_ROLE_USER, "", false},
};

static void
test_table(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) dns = g_ptr_array_new();
        g_auto(DirectoryMembership) membership = {0};
        g_autofree char *becomes = NULL;

        for (unsigned j = 0; j < G_N_ELEMENTS(cases[i].groups) && cases[i].groups[j]; j++)
            g_ptr_array_add(dns, (char *)cases[i].groups[j]);
        directory_membership_of(&config, dns, &membership);
        g_ptr_array_add(membership.groups, NULL);
        becomes = g_strjoinv(",", (char **)membership.groups->pdata);
        g_assert_cmpint(membership.role, ==, cases[i].role);
        g_assert_cmpstr(becomes, ==, cases[i].becomes);
        g_assert_cmpint(membership.by_rule, ==, cases[i].by_rule);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/directory/groups/table", test_table);
    return g_test_run();
}
