/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names put into filters and distinguished names, so that they stay values whatever is in them, and distinguished names
 * compared. Names are UTF-8 text as somebody typed it. Pure; any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* A value for a search filter (RFC 4515, 3): "Anna*" becomes "Anna\2a". */
char *directory_text_for_filter(const char *value);

/* An attribute's value for a distinguished name (RFC 4514, 2.4): "Meyer, Anna" becomes "Meyer\2C Anna". */
char *directory_text_for_dn(const char *value);

/*
 * A template with %u (the name) and %d (a distinguished name) filled in, both escaped by @escape; %% is a percent sign. What
 * the template uses must be given. NULL: it has another %.
 */
typedef char *(*DirectoryTextEscape)(const char *value);
char *directory_text_fill(const char *template, DirectoryTextEscape escape, const char *name, const char *dn);

/* Whether a template has nothing but %u, %d (if @dn) and %%, and %u or %d at least once. */
bool directory_text_is_template(const char *template, bool dn);

/* A distinguished name in the one form in which two that are the same are the same text (types, case, spaces, escapes);
 * values are compared without regard to case, as directories compare nearly all. NULL: it is none. */
char *directory_text_normal_dn(const char *dn);

/* The value of its first part: "staff" of "cn=staff,ou=groups,dc=example". NULL: it is none. */
char *directory_text_first_value(const char *dn);
