/* SPDX-License-Identifier: Apache-2.0 */
/* From the groups of a directory to Carrel's: each group goes into a set by its whole and by its first name. */
#include "appliance/sign-in/directory/groups.h"

#include "appliance/sign-in/directory/text.h"

#include <string.h>

/* A name and a distinguished name cannot be mistaken for each other: only the latter has "=". */
static char *
key_of(const char *group)
{
    return strchr(group, '=') ? directory_text_normal_dn(group) : g_utf8_casefold(group, -1);
}

static GHashTable *
keys_of(const GPtrArray *group_dns)
{
    GHashTable *keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (unsigned i = 0; i < group_dns->len; i++) {
        const char *dn = g_ptr_array_index(group_dns, i);
        g_autofree char *name = directory_text_first_value(dn);
        char *whole = directory_text_normal_dn(dn);

        if (whole)
            g_hash_table_add(keys, whole);
        if (name && g_utf8_validate(name, -1, NULL) && !strchr(name, '='))
            g_hash_table_add(keys, g_utf8_casefold(name, -1));
    }
    return keys;
}

static void
apply(const DirectoryRule *rule, DirectoryMembership *membership)
{
    membership->by_rule = true;
    membership->role = MAX(membership->role, rule->role);
    if (rule->becomes && !g_ptr_array_find_with_equal_func(membership->groups, rule->becomes, g_str_equal, NULL))
        g_ptr_array_add(membership->groups, g_strdup(rule->becomes));
}

void
directory_membership_of(const DirectoryConfig *config, const GPtrArray *group_dns, DirectoryMembership *membership)
{
    g_autoptr(GHashTable) keys = keys_of(group_dns);

    *membership = (DirectoryMembership){.role = SIGN_IN_ROLE_USER, .groups = g_ptr_array_new_with_free_func(g_free)};
    for (unsigned i = 0; i < config->n_rules; i++) {
        g_autofree char *key = key_of(config->rules[i].group);
        if (key && g_hash_table_contains(keys, key))
            apply(&config->rules[i], membership);
    }
}

void
directory_membership_finish(DirectoryMembership *membership)
{
    g_clear_pointer(&membership->groups, g_ptr_array_unref);
}
