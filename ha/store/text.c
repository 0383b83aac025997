/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/text.h"

#include <stdbool.h>
#include <string.h>

/* Why a character cannot stand in a name or line, or NULL. */
static const char *
complaint(gunichar c)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_CONTROL:
        return "is a control character";
    case G_UNICODE_FORMAT:
        return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x61c
                   ? "turns the direction of what stands beside it"
                   : "cannot be seen";
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return "ends the line";
    case G_UNICODE_SPACE_SEPARATOR:
        return c == ' ' ? NULL : "is a space that looks like another";
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_SURROGATE:
    case G_UNICODE_UNASSIGNED:
        return "has no meaning";
    default:
        /* Hangul fillers and the braille blank are letters and symbols that show nothing. */
        return c == 0x115f || c == 0x1160 || c == 0x3164 || c == 0xffa0 || c == 0x2800 ? "cannot be seen" : NULL;
    }
}

static char *
check_length(int64_t length, int64_t min, int64_t max)
{
    if (length < min)
        return length
                   ? g_strdup_printf("it has %" G_GINT64_FORMAT " characters, and needs %" G_GINT64_FORMAT, length, min)
                   : g_strdup("it is empty");
    if (length > max)
        return g_strdup_printf("it has %" G_GINT64_FORMAT " characters, and can have %" G_GINT64_FORMAT, length, max);
    return NULL;
}

static char *
check_composed(const char *text)
{
    g_autofree char *composed = g_utf8_normalize(text, -1, G_NORMALIZE_NFC);

    return !composed || strcmp(composed, text) ? g_strdup("it is not in composed form (NFC)") : NULL;
}

char *
store_text_check_line(const char *text, int64_t min, int64_t max)
{
    char *why = check_length(g_utf8_strlen(text, -1), min, max);

    for (const char *at = text; !why && *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        const char *wrong = complaint(c);
        if (wrong)
            why = g_strdup_printf("its character %ld, U+%04X, %s", g_utf8_pointer_to_offset(text, at) + 1, c, wrong);
    }
    return why ? why : check_composed(text);
}

char *
store_text_check_name(const char *text, int64_t min, int64_t max)
{
    char *why = store_text_check_line(text, min, max);
    size_t len = strlen(text);

    if (why || !len)
        return why;
    if (text[0] == ' ')
        return g_strdup("it begins with a space");
    if (text[len - 1] == ' ')
        return g_strdup("it ends with a space");
    if (strstr(text, "  "))
        return g_strdup("it has two spaces in a row");
    if (g_unichar_ismark(g_utf8_get_char(text)))
        return g_strdup("it begins with a mark that belongs on another character");
    return NULL;
}

char *
store_text_check_token(const char *text, int64_t min, int64_t max)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    if (text[len])
        return g_strdup("it can hold letters from a to z, digits, dots, dashes and underscores");
    if (*text == '.' || *text == '-')
        return g_strdup("it begins with a letter, a digit or an underscore");
    return check_length(len, min, max);
}

char *
store_text_check_uuid(const char *text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    bool fits = strlen(text) == strlen(shape);

    for (size_t i = 0; fits && shape[i]; i++)
        fits = shape[i] == '-' ? text[i] == '-' : text[i] && strchr("0123456789abcdef", text[i]);
    return fits ? NULL : g_strdup("it is no UUID in lower case");
}

char *
store_text_key(const char *name)
{
    if (g_str_is_ascii(name)) /* most are, and a search folds thousands */
        return g_ascii_strdown(name, -1);
    g_autofree char *compatible = g_utf8_normalize(name, -1, G_NORMALIZE_NFKC);
    g_autofree char *folded = g_utf8_casefold(compatible, -1);

    /* Folding may take it apart again. */
    return g_utf8_normalize(folded, -1, G_NORMALIZE_NFKC);
}
