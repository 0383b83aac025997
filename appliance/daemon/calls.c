/* SPDX-License-Identifier: Apache-2.0 */
/* Every call that is offered, and to whom. What of it is theirs, each looks at itself, by sight.h. */
#include "appliance/daemon/calls/calls.h"

#include <string.h>

/* clang-format off */
static const CallKind kinds[] = {
    {"SignIn",       CALL_FOR_ANYBODY,   true,  false, call_sign_in},
    {"SignInCode",   CALL_FOR_ANYBODY,   true,  false, call_sign_in_code},
    {"SignOut",      CALL_FOR_USERS,     true,  false, call_sign_out},
    {"GetSession",   CALL_FOR_USERS,     false, false, call_get_session},
    {"ListSessions", CALL_FOR_USERS,     true,  false, call_list_sessions},
    {"EndSession",   CALL_FOR_USERS,     true,  false, call_end_session},
    {"SetPassword",  CALL_FOR_USERS,     true,  true,  call_set_password},
    {"BeginTotp",    CALL_FOR_USERS,     true,  true,  call_begin_totp},
    {"ConfirmTotp",  CALL_FOR_USERS,     true,  true,  call_confirm_totp},
    {"RemoveTotp",   CALL_FOR_USERS,     true,  true,  call_remove_totp},

    {"Submit",       CALL_FOR_USERS,     true,  true,  call_submit},
    {"Get",          CALL_FOR_USERS,     true,  false, call_get},
    {"List",         CALL_FOR_USERS,     true,  false, call_list_kind},
    {"ListAudit",    CALL_FOR_ADMINS,    true,  false, call_list_audit},

    {"ListMine",      CALL_FOR_USERS,     false, false, call_list_mine},
    {"GetLive",       CALL_FOR_USERS,     false, false, call_get_live},
    {"Control",       CALL_FOR_USERS,     true,  true,  call_control},
    {"ListSnapshots", CALL_FOR_OPERATORS, true,  false, call_list_snapshots},
    {"Screenshot",    CALL_FOR_USERS,     false, false, call_screenshot},

    {"Connect",       CALL_FOR_USERS,     true,  true,  call_connect},
    {"OpenTunnel",    CALL_FOR_ANYBODY,   false, false, call_open_tunnel},
    {"AnswerWatch",   CALL_FOR_USERS,     true,  true,  call_answer_watch},
    {"EndWatch",      CALL_FOR_USERS,     true,  true,  call_end_watch},

    {"Upload",        CALL_FOR_OPERATORS, true,  true,  call_upload},
    {"ListJobs",      CALL_FOR_USERS,     false, false, call_list_jobs},
    {"CancelJob",     CALL_FOR_USERS,     true,  false, call_cancel_job},

    {"GetHost",       CALL_FOR_OPERATORS, false, false, call_get_host},
    {"ListOrphans",   CALL_FOR_OPERATORS, true,  false, call_list_orphans},
    {"GetMetrics",    CALL_FOR_OPERATORS, false, false, call_get_metrics},

    {"Subscribe",    CALL_FOR_USERS,     false, false, call_subscribe},
    {"Unsubscribe",  CALL_FOR_ANYBODY,   false, false, call_unsubscribe},
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
