/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/sign-in/role.h"

const char *
sign_in_role_name(SignInRole role)
{
    static const char *const names[SIGN_IN_ROLES] = {"user", "operator", "admin"};

    return names[role];
}
