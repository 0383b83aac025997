/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at which desktop, and what that has counted since they came: DesktopsVisit.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/desktop.h"
#include "appliance/desktops/tickets.h"

typedef struct Visits Visits;

Visits *visits_new(void);
void visits_free(Visits *visits);

/* @ticket names the visit until its end. */
void visits_begin(Visits *visits, Desktop *desktop, const Ticket *ticket, const char *address);
void visits_end(Visits *visits, const Ticket *ticket);
/* Those of which the beginning's numbers are known. */
void visits_each(Visits *visits, DesktopsVisitor each, void *user);
