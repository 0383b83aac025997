/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor as commands: only the newest, and none where nothing changed. */
#include "display/spice/cursor.h"

#include <glib.h>

#include "display/spice/command.h"

static void
done(const QXLCommandExt *ext)
{
    Command *command = (Command *)(uintptr_t)ext->cmd.data;
    command->done(command);
}

static const QXLCursorCmd *
next(QxlCursor *cursor, QXLCommandExt *ext)
{
    g_assert_true(qxl_cursor_is_pending(cursor));
    g_assert_true(qxl_cursor_get_command(cursor, ext));
    g_assert_cmpuint(ext->cmd.type, ==, QXL_CMD_CURSOR);
    return (const QXLCursorCmd *)(uintptr_t)ext->cmd.data;
}

static void
expect_none(QxlCursor *cursor)
{
    QXLCommandExt ext;
    g_assert_false(qxl_cursor_is_pending(cursor));
    g_assert_false(qxl_cursor_get_command(cursor, &ext));
}

static void
test_newest_only(void)
{
    QxlCursor *cursor = qxl_cursor_new();
    g_autofree CursorImage *image = g_new0(CursorImage, 1);
    QXLCommandExt ext;

    expect_none(cursor);
    for (uint32_t i = 0; i < 10; i++) {
        image->pixels[17] = i;
        image->hot_x = i;
        qxl_cursor_set(cursor, image);
        qxl_cursor_move(cursor, (int)i, 5);
    }
    const QXLCursorCmd *set = next(cursor, &ext);
    g_assert_cmpuint(set->type, ==, QXL_CURSOR_SET);
    const QXLCursor *shape = (const QXLCursor *)(uintptr_t)set->u.set.shape;
    g_assert_cmpuint(shape->header.width, ==, CURSOR_SIDE);
    g_assert_cmpuint(shape->header.hot_spot_x, ==, 9);
    g_assert_cmpuint(shape->data_size, ==, sizeof image->pixels);
    g_assert_cmpmem(shape->chunk.data, shape->chunk.data_size, image->pixels, sizeof image->pixels);
    done(&ext);
    const QXLCursorCmd *move = next(cursor, &ext);
    g_assert_cmpuint(move->type, ==, QXL_CURSOR_MOVE);
    g_assert_cmpint(move->u.position.x, ==, 9 + 9); /* the hot spot's place */
    g_assert_cmpint(move->u.position.y, ==, 5);
    done(&ext);
    expect_none(cursor);
    qxl_cursor_free(cursor);
}

/* Spice shows a cursor that moves: a hidden one must not. */
static void
test_hidden_does_not_move(void)
{
    QxlCursor *cursor = qxl_cursor_new();
    QXLCommandExt ext;

    qxl_cursor_set(cursor, NULL);
    qxl_cursor_move(cursor, 3, 4);
    g_assert_cmpuint(next(cursor, &ext)->type, ==, QXL_CURSOR_HIDE);
    done(&ext);
    expect_none(cursor);
    qxl_cursor_free(cursor);
}

static void
test_absurd_places(void)
{
    QxlCursor *cursor = qxl_cursor_new();
    g_autofree CursorImage *image = g_new0(CursorImage, 1);
    QXLCommandExt ext;

    image->hot_x = image->hot_y = UINT32_MAX;
    qxl_cursor_set(cursor, image);
    qxl_cursor_move(cursor, INT32_MAX, INT32_MIN);
    const QXLCursor *shape = (const QXLCursor *)(uintptr_t)next(cursor, &ext)->u.set.shape;
    g_assert_cmpuint(shape->header.hot_spot_x, <, CURSOR_SIDE);
    done(&ext);
    const QXLCursorCmd *move = next(cursor, &ext);
    g_assert_cmpint(move->u.position.x, ==, INT16_MAX);
    g_assert_cmpint(move->u.position.y, ==, INT16_MIN + CURSOR_SIDE - 1);
    done(&ext);
    qxl_cursor_free(cursor);
}

/* At a screen's edge the picture begins before it, and the hot spot is on it. */
static void
test_hot_spot(void)
{
    QxlCursor *cursor = qxl_cursor_new();
    g_autofree CursorImage *image = g_new0(CursorImage, 1);
    QXLCommandExt ext;

    image->hot_x = 10;
    image->hot_y = 20;
    qxl_cursor_move(cursor, -10, -20);
    qxl_cursor_set(cursor, image);
    const QXLCursorCmd *set = next(cursor, &ext);
    g_assert_cmpint(set->u.set.position.x, ==, 0);
    g_assert_cmpint(set->u.set.position.y, ==, 0);
    done(&ext);
    done((next(cursor, &ext), &ext));

    image->hot_x = 1; /* another picture, in the same place */
    qxl_cursor_set(cursor, image);
    done((next(cursor, &ext), &ext));
    const QXLCursorCmd *move = next(cursor, &ext);
    g_assert_cmpint(move->u.position.x, ==, -9);
    g_assert_cmpint(move->u.position.y, ==, 0);
    done(&ext);
    qxl_cursor_free(cursor);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cursor/newest-only", test_newest_only);
    g_test_add_func("/cursor/hidden", test_hidden_does_not_move);
    g_test_add_func("/cursor/hot-spot", test_hot_spot);
    g_test_add_func("/cursor/absurd-places", test_absurd_places);
    return g_test_run();
}
