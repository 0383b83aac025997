/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a stopped desktop to a VMM that runs it:
 *
 *     place ─▶ memory ─▶ disks, one after the other ─▶ cards ─▶ TPM ─▶ configuration ─▶ process: held, limited, written down, let go
 *
 * What fails, or is given up, leaves no process, no card and no open disk. Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/desktop.h"

/* desktop_brought_up() is called once, later or within. */
void bring_up_begin(Desktop *desktop);
/* It comes to its end with an error soon. */
void bring_up_cancel(BringUp *bring_up);
/* Ends it here and now, and tells nobody; it waits for no call of ours. NULL is fine. */
void bring_up_drop(BringUp *bring_up);
/* What has been promised to it, bytes. */
uint64_t bring_up_memory(const BringUp *bring_up);
uid_t bring_up_uid(const BringUp *bring_up);
