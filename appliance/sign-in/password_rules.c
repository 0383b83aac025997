/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which new passwords are taken. The password is folded (case, accents' composition) and its decoration is taken off: what
 * is left of "Anna.Meyer-2026!" without digits and signs is the name. A rule looks at what is left.
 */
#include "appliance/sign-in/password_rules.h"

#include "appliance/sign-in/password.h"
#include "appliance/sign-in/secret.h"

#include <string.h>

/* A name shorter than this inside a password says nothing. */
#define NAME_CHARACTERS_MIN 3
/* What must be there beside a name: so many letters that are not it. */
#define BESIDE_NAME_MIN 6

G_DEFINE_QUARK(carrel - password - rules - error, password_rules_error)

/* Letters that are left of the passwords that lists of leaked ones begin with, as far as they reach the minimum length
 * when digits and signs are added; and this product's own name. */
static const char *const common[] = {
    "password",      "passwort", "passwd",     "motdepasse", "contrasena",
    "letmein",       "welcome",  "willkommen", "iloveyou",   "admin",
    "administrator", "changeme", "secret",     "qwertyuiop", "qwertyuiopasdfghjkl",
    "qwerty",        "qwertz",   "azerty",     "monkey",     "dragon",
    "football",      "baseball", "sunshine",   "princess",   "summer",
    "winter",        "spring",   "autumn",     "sommer",     "default",
    "test",          "guest",    "root",       "login",      "master",
    "superman",      "trustno",  "carrel",     "desktop",
};

/* Rows that fingers find by themselves; forwards and backwards. */
static const char *const rows[] = {
    "abcdefghijklmnopqrstuvwxyz", "0123456789012345678901234567890", "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn",      "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
};

static SecretText *
folded(const char *text)
{
    g_autoptr(SecretText) composed = g_utf8_normalize(text, -1, G_NORMALIZE_ALL_COMPOSE);

    return composed ? g_utf8_casefold(composed, -1) : NULL;
}

/* The letters alone, of every script. */
static SecretText *
letters_of(const char *text)
{
    SecretText *letters = g_malloc0(strlen(text) + 1);
    char *to = letters;

    for (const char *at = text; *at; at = g_utf8_next_char(at))
        if (g_unichar_isalpha(g_utf8_get_char(at)))
            to += g_unichar_to_utf8(g_utf8_get_char(at), to);
    return letters;
}

static bool
is_text(const char *password)
{
    if (strnlen(password, PASSWORD_BYTES_MAX + 1) > PASSWORD_BYTES_MAX || !g_utf8_validate(password, -1, NULL))
        return false;
    for (const char *at = password; *at; at = g_utf8_next_char(at))
        if (g_unichar_iscntrl(g_utf8_get_char(at)))
            return false;
    return true;
}

/* One piece of up to four characters again and again: "aaaaaaaaaa", "abcabcabcabc", "12341234123". */
static bool
repeats(const char *text)
{
    size_t len = strlen(text);

    for (size_t period = 1; period <= 4 && 2 * period <= len; period++)
        if (memcmp(text, text + period, len - period) == 0)
            return true;
    return false;
}

static bool
is_row(const char *text)
{
    g_autoptr(SecretText) backwards = g_utf8_strreverse(text, -1);

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        if (strstr(rows[i], text) || strstr(rows[i], backwards))
            return true;
    return false;
}

static bool
is_common(const char *letters)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(common); i++)
        if (strcmp(letters, common[i]) == 0)
            return true;
    return false;
}

/* Whether the letters have a word of the name in them and little else. */
static bool
is_name(const char *letters, const char *name)
{
    g_autoptr(SecretText) fold = name ? folded(name) : NULL;
    g_auto(GStrv) words = NULL;
    glong total = g_utf8_strlen(letters, -1);

    if (!fold)
        return false;
    words = g_strsplit_set(fold, " .,-_@'0123456789", -1);
    for (unsigned i = 0; words[i]; i++) {
        glong len = g_utf8_strlen(words[i], -1);
        const char *found = len >= NAME_CHARACTERS_MIN ? strstr(letters, words[i]) : NULL;
        if (found && total - len < BESIDE_NAME_MIN)
            return true;
    }
    g_autoptr(SecretText) whole = letters_of(fold);
    return g_utf8_strlen(whole, -1) >= NAME_CHARACTERS_MIN && strstr(letters, whole) &&
           total - g_utf8_strlen(whole, -1) < BESIDE_NAME_MIN;
}

static bool
refuse(GError **error, PasswordRulesError code, const char *why)
{
    g_set_error_literal(error, PASSWORD_RULES_ERROR, code, why);
    return false;
}

bool
password_rules_check(const char *password, const char *name, const char *display_name, unsigned characters_min,
                     GError **error)
{
    g_autoptr(SecretText) fold = NULL;
    g_autoptr(SecretText) letters = NULL;
    unsigned least = MAX(characters_min, PASSWORD_RULES_CHARACTERS_MIN);

    if (!is_text(password) || !(fold = folded(password)))
        return refuse(
            error, PASSWORD_RULES_ERROR_TEXT,
            "A password is text of at most " G_STRINGIFY(PASSWORD_BYTES_MAX) " bytes without control characters.");
    letters = letters_of(fold);
    if ((unsigned)g_utf8_strlen(password, -1) < least) {
        g_set_error(
            error, PASSWORD_RULES_ERROR, PASSWORD_RULES_ERROR_SHORT,
            "A password has at least %u characters. Three or four words that have nothing to do with each other make a "
            "good one.",
            least);
        return false;
    }
    if (is_name(letters, name) || is_name(letters, display_name))
        return refuse(error, PASSWORD_RULES_ERROR_NAME,
                      "That is your name and little more, which is what somebody who guesses tries first.");
    if (repeats(fold) || is_row(fold))
        return refuse(error, PASSWORD_RULES_ERROR_PATTERN,
                      "That is a row of keys, or one piece again and again, which is guessed at once.");
    if (is_common(letters))
        return refuse(error, PASSWORD_RULES_ERROR_COMMON,
                      "That is a word on every list of leaked passwords; digits and signs around it do not help.");
    return true;
}
