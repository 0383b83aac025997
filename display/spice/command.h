/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few QXL commands Carrel hands to spice-server, in the shape it takes from a QXL device's ring (qxl_dev.h).
 *
 * spice-server reads a command when it is handed out and keeps pointing into it until it gives it back.
 */
#pragma once

#include <pixman.h>

#include <spice.h>
#include <spice/qxl_dev.h>

typedef struct Command Command;

struct Command {
    union {
        QXLReleaseInfo release_info; /* the first field of all of them: what is given back */
        QXLDrawable drawable;
        QXLUpdateCmd update;
        QXLSurfaceCmd surface;
        QXLCursorCmd cursor;
    } qxl;
    void (*done)(Command *command); /* spice-server needs it no more */
};

/* A drawable with the picture it copies. */
typedef struct {
    Command command;
    QXLImage image;
} DrawCommand;

#define PRIMARY_SURFACE 0
/* A surface of one pixel that no client shows; see command_init_receipt(). */
#define RECEIPT_SURFACE 1

/* Copies @pixels (x8r8g8b8, rows of just the box's width) to the box of the primary surface. */
void command_init_draw(DrawCommand *draw, const pixman_box32_t *box, const void *pixels);
/* Makes the receipt surface, whose pixel is at @pixel. */
void command_init_receipt_surface(Command *command, uint32_t *pixel);
/*
 * Paints the receipt surface's pixel. spice-server gives a drawable back when it was sent and something else covers it,
 * so for what is to be seen that says little; this one, once an update of its surface follows, is given back just when
 * all clients have been sent it, and so everything before it.
 */
void command_init_receipt(Command *command);
/* Has spice-server draw what it was given for a surface, and so give back all of it that was sent. */
void command_init_update(Command *command, uint32_t surface, uint32_t width, uint32_t height);

/* How a command is handed out. */
QXLCommandExt command_hand_out(const Command *command, uint32_t type);
Command *command_of(QXLReleaseInfoExt release);
