/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/calls/confirm.h"

#include <string.h>

typedef struct {
    Call *call;
    void (*then)(Call *call);
} Confirming;

static void
confirmed(void *data, SignInResult *result)
{
    g_autofree Confirming *confirming = data;
    Call *call = confirming->call;

    if (result->reason == SIGN_IN_REASON_NONE && caller_is_user(call->caller, result->user_id))
        confirming->then(call);
    else if (result->reason >= SIGN_IN_REASON_TOO_MANY)
        call_fail_with(call, CARREL_ERROR_BUSY, sign_in_reason_sentence(result->reason));
    else
        call_fail_with(call, CARREL_ERROR_SIGN_IN, "The password is not right.");
}

void
confirm_password(Call *call, const char *password, void (*then)(Call *call))
{
    g_autoptr(GVariant) user = NULL;
    const char *name = "";
    Confirming *confirming;

    if (call->caller->console) {
        then(call);
        return;
    }
    if (store_reader_get(call->daemon->reader, store_catalog_find_kind("user"), call->caller->user, &user, NULL) &&
        user)
        g_variant_lookup(user, "name", "&s", &name);
    confirming = g_new(Confirming, 1);
    *confirming = (Confirming){call, then};
    sign_in_by_password(people_sign_in(call->daemon->people),
                        &(SignInAttempt){.name = name,
                                         .source = *call->caller->source ? call->caller->source : NULL,
                                         .client = call->caller->client,
                                         .confirm = true},
                        password, confirmed, confirming);
}
