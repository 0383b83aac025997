/* SPDX-License-Identifier: Apache-2.0 */
/* Every call that is offered, and to whom. What of it is theirs, each looks at itself, by sight.h. */
#include "appliance/daemon/calls/calls.h"

#include <string.h>

/* clang-format off */
static const CallKind kinds[] = {
    {"SignIn",       CALL_FOR_ANYBODY,   true,  call_sign_in},
    {"SignInCode",   CALL_FOR_ANYBODY,   true,  call_sign_in_code},
    {"SignOut",      CALL_FOR_USERS,     true,  call_sign_out},
    {"GetSession",   CALL_FOR_USERS,     false, call_get_session},
    {"ListSessions", CALL_FOR_USERS,     true,  call_list_sessions},
    {"EndSession",   CALL_FOR_USERS,     true,  call_end_session},
    {"SetPassword",  CALL_FOR_USERS,     true,  call_set_password},
    {"BeginTotp",    CALL_FOR_USERS,     true,  call_begin_totp},
    {"ConfirmTotp",  CALL_FOR_USERS,     true,  call_confirm_totp},
    {"RemoveTotp",   CALL_FOR_USERS,     true,  call_remove_totp},

    {"Submit",       CALL_FOR_USERS,     true,  call_submit},
    {"Get",          CALL_FOR_USERS,     true,  call_get},
    {"List",         CALL_FOR_USERS,     true,  call_list_kind},
    {"ListAudit",    CALL_FOR_ADMINS,    true,  call_list_audit},

    {"Subscribe",    CALL_FOR_USERS,     false, call_subscribe},
    {"Unsubscribe",  CALL_FOR_ANYBODY,   false, call_unsubscribe},
};
/* clang-format on */

const CallKind *
call_kind(unsigned i)
{
    return i < G_N_ELEMENTS(kinds) ? &kinds[i] : NULL;
}

const CallKind *
call_find(const char *method)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (!strcmp(kinds[i].method, method))
            return &kinds[i];
    return NULL;
}
