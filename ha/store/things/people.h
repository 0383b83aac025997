/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a user that several commands have. */
#pragma once

#include "ha/store/things/things.h"

/* clang-format off */
#define STORE_USER_NAME(flags) {"name", "what they sign in with", STORE_FIELD_NAME, STORE_FIELD_KEYED | (flags), 1, 64}
#define STORE_USER_FULL_NAME {"full_name", "what people call them", STORE_FIELD_NAME, STORE_FIELD_CLEARABLE, 1, 128}
#define STORE_USER_ROLE(flags) {"role", "what they may do", STORE_FIELD_WORD, flags, .words = store_user_role_words}
/* clang-format on */

extern const char *const store_user_role_words[];
