/* SPDX-License-Identifier: Apache-2.0 */
/* The house as a whole: the host, its jobs, the audit trail, and what the API says of itself. */
#include "web-ui/server/api/handlers.h"

#include "web-ui/server/api/openapi.h"

void
handle_description(ApiCall *call)
{
    api_answer_bytes(call, "application/json", openapi_get());
}

void
handle_jobs(ApiCall *call)
{
    api_call_host(call, "ListJobs", g_variant_new("(s)", call->session), api_answer_items);
}

void
handle_cancel_job(ApiCall *call)
{
    api_call_host(call, "CancelJob", g_variant_new("(ss)", call->session, call->parameters[0]), api_answer_done);
}

void
handle_host(ApiCall *call)
{
    api_call_host(call, "GetHost", g_variant_new("(s)", call->session), api_answer_first);
}

void
handle_orphans(ApiCall *call)
{
    api_call_host(call, "ListOrphans", g_variant_new("(s)", call->session), api_answer_items);
}

void
handle_audit(ApiCall *call)
{
    api_call_host(call, "ListAudit", g_variant_new("(s@a{sv})", call->session, call->query), api_answer_items);
}
