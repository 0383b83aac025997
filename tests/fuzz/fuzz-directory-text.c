/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that somebody types at the sign-in page, and what a directory's server says: put into a filter or a distinguished
 * name, libldap must read a name back as the same value; distinguished names and a server's words may be anything.
 */
#include "appliance/sign-in/directory/failure.h"
#include "appliance/sign-in/directory/groups.h"
#include "appliance/sign-in/directory/text.h"
#include "tests/fuzz/fuzz.h"

#include <ldap.h>
#include <string.h>

/* What libldap makes of "uid=…": the bytes that it would send. */
static void
check_filter(const char *value)
{
    g_autofree char *escaped = directory_text_for_filter(value);
    g_autofree char *filter = g_strdup_printf("((uid=%s))", escaped);
    BerElement *written = ber_alloc_t(LBER_USE_DER), *read;
    struct berval *bytes = NULL, type, back;

    g_assert_cmpint(ldap_put_vrFilter(written, filter), ==, 0);
    g_assert_cmpint(ber_flatten(written, &bytes), ==, 0);
    read = ber_init(bytes);
    g_assert_true(ber_scanf(read, "{{mm}}", &type, &back) != LBER_ERROR);
    g_assert_cmpmem(type.bv_val, type.bv_len, "uid", 3);
    g_assert_cmpmem(back.bv_val, back.bv_len, value, strlen(value));
    ber_free(read, 1);
    ber_bvfree(bytes);
    ber_free(written, 1);
}

static void
check_dn(const char *value)
{
    g_autofree char *escaped = directory_text_for_dn(value);
    g_autofree char *dn = g_strdup_printf("cn=%s,dc=example", escaped);
    g_autofree char *back = directory_text_first_value(dn);
    g_autofree char *normal = directory_text_normal_dn(dn);

    g_assert_cmpstr(back, ==, value);
    g_assert_true(g_str_has_suffix(normal, ",dc=example"));
    g_assert_nonnull(strchr(normal, ','));
}

static void
check_any(const char *text)
{
    static DirectoryRule rule = {(char *)"cn=staff,dc=example", SIGN_IN_ROLE_ADMIN, NULL};
    const DirectoryConfig config = {.rules = &rule, .n_rules = 1};
    const DirectoryOutcome outcome = {LDAP_INVALID_CREDENTIALS, text, -1};
    g_autofree char *normal = directory_text_normal_dn(text);
    g_autofree char *filled = directory_text_fill(text, directory_text_for_filter, "x", "dc=x");
    g_autoptr(GPtrArray) dns = g_ptr_array_new();
    g_auto(DirectoryMembership) membership = {0};
    g_autoptr(GError) bind = NULL, call = NULL, connection = NULL;

    g_assert_true(!normal || g_utf8_validate(normal, -1, NULL));
    g_ptr_array_add(dns, (char *)text);
    directory_membership_of(&config, dns, &membership);
    g_assert_cmpint(membership.by_rule, ==, g_strcmp0(normal, rule.group) == 0);
    g_assert_true(directory_failure_of_bind(&outcome, &bind));
    directory_failure_of_call(LDAP_OTHER, text, "ldaps://x", "searching", &call);
    directory_failure_of_connection(LDAP_CONNECT_ERROR, text, "ldaps://x", &connection);
    g_assert_true(g_utf8_validate(call->message, -1, NULL) && g_utf8_validate(connection->message, -1, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    g_autofree char *text = g_strndup((const char *)bytes, len);

    check_any(text);
    if (g_utf8_validate(text, -1, NULL)) {
        check_filter(text);
        check_dn(text);
    }
    return 0;
}
