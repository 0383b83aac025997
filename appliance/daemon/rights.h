/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may sit down at which desktop: whoever it is assigned to or has taken it; and who runs desktops, at those that are nobody's.
 * Somebody's desktop is nobody else's to sit at, whatever their role; they may look on when that person agrees (watching.h).
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/daemon/daemon.h"

/* @daemon is a Daemon, as desktops_check_rights() has it. @user: an id, or STORE_ACTOR_CONSOLE. */
bool rights_may_use(void *daemon, const char *user, const char *desktop);
