/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to desktops' SPICE servers, by tickets: those that are open, and those that wait for their desktop. Of an open one a copy
 * of the socket is kept, by which it is cut, and whose end tells of its end. Of those that an earlier daemon opened there is none: the
 * VMM tells of their end, and cuts them.
 *
 * Also the password that a desktop's SPICE server wants to hear: one for each run, another when nobody is connected or
 * may connect. Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/desktop.h"

typedef struct Tunnels Tunnels;

Tunnels *tunnels_new(Desktops *desktops);
/* Open ones stay so: whoever has their sockets goes on. */
void tunnels_free(Tunnels *tunnels);

/* The desktop's state has changed: those that wait for it get their socket, or hear why not. */
void tunnels_serve(Tunnels *tunnels, Desktop *desktop);
/* What an earlier daemon wrote down of a desktop is so still; its VMM, where it lives, is there already. */
void tunnels_take_up(Tunnels *tunnels, Desktop *desktop);
/* What the VMM says there is, by names: earlier ones that are not have ended, and those of nobody are cut. */
void tunnels_compare(Tunnels *tunnels, Desktop *desktop, const char *const *names);
/* The desktop's VMM has ended. */
void tunnels_end(Tunnels *tunnels, Desktop *desktop);
/* Adds "clients" as, the addresses of those who are connected. */
void tunnels_describe(Tunnels *tunnels, const Desktop *desktop, GVariantDict *what);
/* Somebody is connected, or may connect by a ticket. */
bool tunnels_in_use(Tunnels *tunnels, const char *desktop);
