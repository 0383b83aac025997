/* SPDX-License-Identifier: Apache-2.0 */
/* What a desktop's first monitor shows, as PNG: fresh while it runs, the last that was seen when it does not. */
#pragma once

#include "appliance/desktops/desktop.h"

typedef struct Picture Picture;

/* Takes one, which is kept for when the desktop has ended; nobody waits for it. */
void picture_take(Desktop *desktop);
/* The VMM has ended: the last picture goes to the folder that lasts. */
void picture_keep(Desktop *desktop);
/* Whoever waits hears that there is none. NULL is fine. */
void picture_free(Picture *picture);
