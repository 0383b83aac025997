/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each call of org.carrel.Host1 does (appliance/api/ says what it is for); calls.c says who may make it.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/daemon/call.h"

/* sign_in.c */
void call_sign_in(Call *call);
void call_sign_in_code(Call *call);
/* sessions.c */
void call_sign_out(Call *call);
void call_get_session(Call *call);
void call_list_sessions(Call *call);
void call_end_session(Call *call);
/* factors.c */
void call_set_password(Call *call);
void call_begin_totp(Call *call);
void call_confirm_totp(Call *call);
void call_remove_totp(Call *call);
/* things.c */
void call_get(Call *call);
void call_list_kind(Call *call);
void call_list_audit(Call *call);
/* submit.c */
void call_submit(Call *call);
/* desktops.c */
void call_list_mine(Call *call);
void call_get_live(Call *call);
void call_control(Call *call);
void call_list_snapshots(Call *call);
void call_screenshot(Call *call);
/* connect.c */
void call_connect(Call *call);
void call_open_tunnel(Call *call);
void call_answer_watch(Call *call);
void call_end_watch(Call *call);
/* storage.c */
void call_upload(Call *call);
void call_list_orphans(Call *call);
/* jobs.c */
void call_list_jobs(Call *call);
void call_cancel_job(Call *call);
/* host.c */
void call_get_host(Call *call);
void call_get_metrics(Call *call);
/* subscribe.c */
void call_subscribe(Call *call);
void call_unsubscribe(Call *call);
