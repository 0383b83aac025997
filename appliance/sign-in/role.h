/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody who is signed in may do; each may what those before it may. The words are those of the API and the store. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    SIGN_IN_ROLE_USER,     /* their own desktops */
    SIGN_IN_ROLE_OPERATOR, /* runs everybody's desktops */
    SIGN_IN_ROLE_ADMIN,    /* says who has what */
} SignInRole;
#define SIGN_IN_ROLES 3

/* "user", "operator", "admin". */
const char *sign_in_role_name(SignInRole role);
