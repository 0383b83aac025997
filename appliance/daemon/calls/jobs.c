/* SPDX-License-Identifier: Apache-2.0 */
/* What takes a while: one's own, and for those who run desktops everybody's. */
#include "appliance/daemon/calls/calls.h"

#include <string.h>

static bool
may_know(const Call *call, const Job *job)
{
    return call->caller->role >= STORE_ROLE_OPERATOR || !strcmp(job->actor, call->caller->actor);
}

void
call_list_jobs(Call *call)
{
    g_autoptr(GPtrArray) jobs = jobs_list(call->daemon->jobs);
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    for (guint i = 0; i < jobs->len; i++)
        if (may_know(call, jobs->pdata[i]))
            g_variant_builder_add_value(&list, job_describe(jobs->pdata[i]));
    call_return(call, g_variant_new("(@aa{sv})", g_variant_builder_end(&list)));
}

void
call_cancel_job(Call *call)
{
    const char *id;

    g_variant_get_child(call->arguments, 1, "&s", &id);
    const Job *job = jobs_find(call->daemon->jobs, id);
    if (!job || !may_know(call, job))
        call_fail_not_found(call, "job");
    else if (job->ended || jobs_cancel(call->daemon->jobs, id))
        call_return(call, NULL);
    else
        call_fail_with(call, CARREL_ERROR_UNAVAILABLE, "This cannot be called off.");
}
