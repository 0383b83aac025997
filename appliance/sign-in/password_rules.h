/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which new passwords are taken. Length is what counts (NIST SP 800-63B, 5.1.1.2): no digits or signs are asked for, since
 * they lead to "Summer2026!"; refused is what is tried first, by attackers and by people: the user's or the product's own
 * name, a row of the keyboard, one piece again and again, words that every list of leaked passwords begins with.
 *
 * Pure; any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define PASSWORD_RULES_CHARACTERS_MIN 10

#define PASSWORD_RULES_ERROR (password_rules_error_quark())
GQuark password_rules_error_quark(void);
typedef enum {
    PASSWORD_RULES_ERROR_TEXT,    /* not UTF-8, a control character, or longer than PASSWORD_BYTES_MAX */
    PASSWORD_RULES_ERROR_SHORT,   /* fewer characters than the minimum */
    PASSWORD_RULES_ERROR_NAME,    /* it is little more than a name */
    PASSWORD_RULES_ERROR_PATTERN, /* a repetition or a row */
    PASSWORD_RULES_ERROR_COMMON,  /* on every list */
} PasswordRulesError;

/*
 * Whether @password may be set for the user @name, called @display_name (may be NULL). @characters_min is the setting, at least
 * PASSWORD_RULES_CHARACTERS_MIN or it counts as that. The error's message is a sentence for the person who chose it, and never
 * has the password in it.
 */
bool password_rules_check(const char *password, const char *name, const char *display_name, unsigned characters_min,
                          GError **error);
