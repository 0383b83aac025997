/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyboard, tablet and mouse: what clients do with them, as reports to the guest's input devices.
 *
 * The guest is told of each key and button going down once, and up once: a client that vanishes or a desktop that is
 * paused leaves nothing stuck. Owner: the main thread.
 */
#pragma once

#include "display/spice/question.h"
#include "display/spice/server.h"

#include <spice.h>

typedef struct Inputs Inputs;

/* What the guest is told of that asks for a picture (see SpiceQuality) is noted in @question, which outlives this. */
Inputs *inputs_new(SpiceServer *server, const SpiceDisplayInputs *devices, Question *question);
/* Once the server is destroyed. */
void inputs_free(Inputs *inputs);

/* Lets go of everything: the hand that held it is gone. */
void inputs_release(Inputs *inputs);
/* While not running, the devices are sent nothing. */
void inputs_set_running(Inputs *inputs, bool running);
