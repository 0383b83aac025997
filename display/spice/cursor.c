/* SPDX-License-Identifier: Apache-2.0 */
/* Cursor commands: set, hide and move, each owning its memory until spice-server gives it back. */
#include "display/spice/cursor.h"

#include <string.h>

#include "display/spice/command.h"
#include "display/spice/tiles.h"

#define IMAGE_BYTES (CURSOR_SIDE * CURSOR_SIDE * 4)

struct QxlCursor {
    GMutex lock;
    bool visible;
    CursorImage image; /* while visible */
    int32_t x, y;      /* of its top left corner */
    bool set_pending;  /* the picture, or that it is hidden */
    bool move_pending; /* the place */
};

/* A set command with the picture behind it. */
typedef struct {
    Command command;
    QXLCursor cursor;
    uint8_t pixels[IMAGE_BYTES]; /* where QXLCursor's chunk, its last field, expects them */
} SetCommand;
G_STATIC_ASSERT(offsetof(SetCommand, pixels) == offsetof(SetCommand, cursor.chunk.data));

QxlCursor *
qxl_cursor_new(void)
{
    QxlCursor *cursor = g_new0(QxlCursor, 1);
    g_mutex_init(&cursor->lock);
    return cursor;
}

void
qxl_cursor_free(QxlCursor *cursor)
{
    if (!cursor)
        return;
    g_mutex_clear(&cursor->lock);
    g_free(cursor);
}

void
qxl_cursor_set(QxlCursor *cursor, const CursorImage *image)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&cursor->lock);

    cursor->visible = image;
    if (image) {
        cursor->image = *image;
        cursor->image.hot_x = MIN(image->hot_x, CURSOR_SIDE - 1);
        cursor->image.hot_y = MIN(image->hot_y, CURSOR_SIDE - 1);
    }
    cursor->set_pending = true;
    cursor->move_pending = image; /* setting a picture says nothing of its place to a client that just came */
}

void
qxl_cursor_move(QxlCursor *cursor, int32_t x, int32_t y)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&cursor->lock);

    cursor->x = CLAMP(x, INT16_MIN, INT16_MAX);
    cursor->y = CLAMP(y, INT16_MIN, INT16_MAX);
    cursor->move_pending = cursor->visible; /* a move would show it */
}

void
qxl_cursor_resend(QxlCursor *cursor)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&cursor->lock);

    cursor->set_pending = true;
    cursor->move_pending = cursor->visible;
}

bool
qxl_cursor_is_pending(QxlCursor *cursor)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&cursor->lock);

    return cursor->set_pending || cursor->move_pending;
}

static void
free_command(Command *command)
{
    g_free(command);
}

static Command *
simple_command(uint8_t type)
{
    Command *command = g_new0(Command, 1);

    command->done = free_command;
    command->qxl.cursor.type = type;
    return command;
}

/* SPICE's place of a cursor is that of its hot spot: clients draw the picture so that it comes to lie there. */
static QXLPoint16
place_of(const QxlCursor *cursor)
{
    return (QXLPoint16){(int16_t)MIN(cursor->x + (int32_t)cursor->image.hot_x, INT16_MAX),
                        (int16_t)MIN(cursor->y + (int32_t)cursor->image.hot_y, INT16_MAX)};
}

static Command *
set_command(const QxlCursor *cursor)
{
    SetCommand *set = g_new0(SetCommand, 1);
    QXLCursor *shape = &set->cursor;

    set->command.done = free_command;
    set->command.qxl.cursor.type = QXL_CURSOR_SET;
    set->command.qxl.cursor.u.set.visible = true;
    set->command.qxl.cursor.u.set.position = place_of(cursor);
    set->command.qxl.cursor.u.set.shape = (uintptr_t)shape;
    shape->header.unique = tile_hash(cursor->image.pixels, CURSOR_SIDE * 4, CURSOR_SIDE, CURSOR_SIDE);
    shape->header.type = SPICE_CURSOR_TYPE_ALPHA;
    shape->header.width = shape->header.height = CURSOR_SIDE;
    shape->header.hot_spot_x = (uint16_t)cursor->image.hot_x;
    shape->header.hot_spot_y = (uint16_t)cursor->image.hot_y;
    shape->data_size = shape->chunk.data_size = IMAGE_BYTES;
    memcpy(set->pixels, cursor->image.pixels, IMAGE_BYTES);
    return &set->command;
}

static Command *
take_pending(QxlCursor *cursor)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&cursor->lock);

    if (cursor->set_pending) {
        cursor->set_pending = false;
        return cursor->visible ? set_command(cursor) : simple_command(QXL_CURSOR_HIDE);
    }
    if (cursor->move_pending) {
        Command *move = simple_command(QXL_CURSOR_MOVE);
        cursor->move_pending = false;
        move->qxl.cursor.u.position = place_of(cursor);
        return move;
    }
    return NULL;
}

bool
qxl_cursor_get_command(QxlCursor *cursor, QXLCommandExt *out)
{
    Command *command = take_pending(cursor);

    if (!command)
        return false;
    *out = command_hand_out(command, QXL_CMD_CURSOR);
    return true;
}
