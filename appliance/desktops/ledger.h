/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop's tickets and the password of its SPICE server, in a file of its run folder: so that another daemon knows whose
 * connections there are, and honours what this one gave out. Neither a ticket nor anything of which one could be made is in it.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/desktop.h"
#include "appliance/desktops/tickets.h"

/* As they are now; where there are none, no file either. The run folder is there. */
bool ledger_write(const Desktop *desktop, Tickets *tickets, GError **error);
/* Of this start of the host; what is over is left out. Those there are: Ticket *, the tickets'. */
GPtrArray *ledger_read(Desktop *desktop, Tickets *tickets);
