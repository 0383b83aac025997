/* SPDX-License-Identifier: Apache-2.0 */
/* Who answers what: the functions that the table of routes names. Each answers its call once, sooner or later. */
#pragma once

#include "web-ui/server/api/call.h"

/* session.c */
void handle_sign_in(ApiCall *call);
void handle_sign_in_code(ApiCall *call);
void handle_session(ApiCall *call);
void handle_sign_out(ApiCall *call);
void handle_sessions(ApiCall *call);
void handle_end_session(ApiCall *call);
void handle_set_password(ApiCall *call);
void handle_begin_totp(ApiCall *call);
void handle_confirm_totp(ApiCall *call);
void handle_remove_totp(ApiCall *call);

/* things.c */
void handle_list(ApiCall *call);
void handle_get(ApiCall *call);
void handle_make(ApiCall *call);
void handle_change(ApiCall *call);
void handle_remove(ApiCall *call);
void handle_verb(ApiCall *call);

/* desktops.c */
void handle_mine(ApiCall *call);
void handle_live(ApiCall *call);
void handle_action(ApiCall *call);
void handle_snapshots(ApiCall *call);
void handle_screen(ApiCall *call);
void handle_connection(ApiCall *call);
void handle_viewer_file(ApiCall *call);
void handle_watch(ApiCall *call);
void handle_end_watch(ApiCall *call);

/* house.c */
void handle_description(ApiCall *call);
void handle_jobs(ApiCall *call);
void handle_cancel_job(ApiCall *call);
void handle_host(ApiCall *call);
void handle_orphans(ApiCall *call);
void handle_audit(ApiCall *call);

/* upload.c, events.c */
void handle_upload(ApiCall *call);
void handle_events(ApiCall *call);
