/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a display channel begins, and how not.
 *
 * Its first message is the client's (SPICE_MSGC_DISPLAY_INIT). spice-server waits for it up to half a minute, in the worker
 * and with everything else at a stand, and uses freed memory when the client is gone by then. So it never gets to wait:
 * before the channel is set up, the message is taken from the socket, and a stand-in that says just that takes the socket's
 * place (the same descriptor number); afterwards the socket is put back. For a client that does not say it in time, or
 * vanishes, the stand-in says something harmless, and then it is the one to end, when spice-server can bear it.
 *
 * Owner: the display worker, except where said otherwise; its user lets no two of these run at once.
 */
#pragma once

#include <stdbool.h>

#include <glib.h>

typedef struct Arrival Arrival;

/*
 * @number: spice-server's descriptor of the socket; @fd: a copy, taken. @websocket: messages come in frames. Main thread,
 * before spice-server has heard of the channel.
 */
Arrival *arrival_new(int fd, int number, bool websocket);
void arrival_free(Arrival *arrival);
int arrival_number(const Arrival *arrival);

/* Before the channel is set up: waits for the message, three seconds at most. */
void arrival_begin(Arrival *arrival);
/* After it began: whether spice-server has taken the message, and so set the channel up. */
bool arrival_was_heard(const Arrival *arrival);
/* Then, or when it was not set up. */
void arrival_end(Arrival *arrival);
/* spice-server is about to close the descriptor: it may soon be another's. Any thread. */
void arrival_abandon(Arrival *arrival);
