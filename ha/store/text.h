/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What text in a command may hold. Each function gives NULL for text that is fine, else a newly made sentence's end
 * that says what is wrong and where: "it begins with a space". Lengths are in characters; a caller has capped the
 * bytes.
 *
 * Any thread.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * A name that people read and tell from others: printable characters of any writing, composed (NFC), no space at either
 * end or two in a row. Nothing invisible: no control characters, nothing that turns the direction of writing (U+202E
 * makes "fdp.exe" of "exe.pdf"), no zero-width characters, though some writings use them, since two names that look
 * alike are worse; no spaces other than the ordinary one.
 */
char *store_text_check_name(const char *text, int64_t min, int64_t max);

/* A line for people: as a name, but spaces may stand anywhere. */
char *store_text_check_line(const char *text, int64_t min, int64_t max);

/* A word for machines: ASCII letters, digits, dots, dashes and underscores, not beginning with a dot or a dash. */
char *store_text_check_token(const char *text, int64_t min, int64_t max);

/* Lower-case canonical UUID. */
char *store_text_check_uuid(const char *text);

/* What two names that count as the same have in common: case and compatibility forms folded. */
char *store_text_key(const char *name);
