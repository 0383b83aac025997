/* SPDX-License-Identifier: Apache-2.0 */
/* Names in filters and distinguished names. Taking the latter apart is libldap's. */
#include "appliance/sign-in/directory/text.h"

#include <ldap.h>
#include <string.h>

char *
directory_text_for_filter(const char *value)
{
    GString *text = g_string_new(NULL);

    /* The four that mean something, and what may be lost on the way; UTF-8 stands for itself. */
    for (; *value; value++) {
        if (strchr("*()\\", *value) || g_ascii_iscntrl(*value))
            g_string_append_printf(text, "\\%02x", (unsigned char)*value);
        else
            g_string_append_c(text, *value);
    }
    return g_string_free(text, FALSE);
}

char *
directory_text_for_dn(const char *value)
{
    GString *text = g_string_new(NULL);
    const char *last = *value ? value + strlen(value) - 1 : value;

    for (const char *at = value; *at; at++) {
        bool edge = (*at == ' ' && (at == value || at == last)) || (*at == '#' && at == value);
        if (edge || strchr("\"+,;<=>\\", *at) || g_ascii_iscntrl(*at))
            g_string_append_printf(text, "\\%02X", (unsigned char)*at);
        else
            g_string_append_c(text, *at);
    }
    return g_string_free(text, FALSE);
}

char *
directory_text_fill(const char *template, DirectoryTextEscape escape, const char *name, const char *dn)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (const char *at = template; *at; at++) {
        const char *value;
        if (*at != '%') {
            g_string_append_c(text, *at);
            continue;
        }
        at++;
        value = *at == 'u' ? name : *at == 'd' ? dn : NULL;
        if (value) {
            g_autofree char *escaped = escape(value);
            g_string_append(text, escaped);
        } else if (*at == '%') {
            g_string_append_c(text, '%');
        } else {
            return NULL;
        }
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

bool
directory_text_is_template(const char *template, bool dn)
{
    g_autofree char *empty = directory_text_fill(template, g_strdup, "", dn ? "" : NULL);
    g_autofree char *filled = directory_text_fill(template, g_strdup, "x", dn ? "x" : NULL);

    return empty && filled && strcmp(empty, filled) != 0;
}

typedef void ParsedDn; /* libldap's LDAPDN, which is a pointer */

static void
parsed_dn_free(ParsedDn *dn)
{
    ldap_dnfree(dn);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ParsedDn, parsed_dn_free)

static LDAPDN
parse(const char *dn)
{
    LDAPDN parsed = NULL;

    return ldap_str2dn(dn, &parsed, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS ? parsed : NULL;
}

/* Where there is nothing in it, libldap may have no pointer either. */
static const char *
bytes_of(const struct berval *value)
{
    return value->bv_len ? value->bv_val : "";
}

/* One "type=value", in lower case; a value that is no text (written "#04…") as its bytes. */
static char *
normal_ava(const LDAPAVA *ava)
{
    const char *bytes = bytes_of(&ava->la_value);
    size_t len = ava->la_value.bv_len;
    g_autofree char *type = g_ascii_strdown(bytes_of(&ava->la_attr), (gssize)ava->la_attr.bv_len);
    g_autofree char *value = NULL, *folded = NULL, *escaped = NULL;

    /* A zero byte is no text to g_utf8_validate(). */
    if (ava->la_flags & LDAP_AVA_BINARY || !g_utf8_validate(bytes, (gssize)len, NULL)) {
        g_autofree char *coded = g_base64_encode((const guchar *)bytes, len);
        return g_strdup_printf("%s=#%s", type, coded);
    }
    value = g_utf8_normalize(bytes, (gssize)len, G_NORMALIZE_ALL_COMPOSE);
    folded = g_utf8_casefold(value, -1);
    escaped = directory_text_for_dn(folded);
    return g_strdup_printf("%s=%s", type, escaped);
}

static int
compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A part may have several, in any order: "cn=a+uid=b". */
static char *
normal_rdn(LDAPRDN rdn)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = 0; rdn[i]; i++)
        g_ptr_array_add(parts, normal_ava(rdn[i]));
    g_ptr_array_sort(parts, compare_text);
    g_ptr_array_add(parts, NULL);
    return g_strjoinv("+", (char **)parts->pdata);
}

char *
directory_text_normal_dn(const char *dn)
{
    g_autoptr(ParsedDn) parsed = parse(dn);
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);

    if (!parsed)
        return NULL;
    for (unsigned i = 0; ((LDAPDN)parsed)[i]; i++)
        g_ptr_array_add(parts, normal_rdn(((LDAPDN)parsed)[i]));
    g_ptr_array_add(parts, NULL);
    return g_strjoinv(",", (char **)parts->pdata);
}

char *
directory_text_first_value(const char *dn)
{
    g_autoptr(ParsedDn) parsed = parse(dn);
    LDAPRDN *parts = parsed;

    if (!parts || !parts[0] || !parts[0][0])
        return NULL;
    return g_strndup(bytes_of(&parts[0][0]->la_value), parts[0][0]->la_value.bv_len);
}
