/* SPDX-License-Identifier: Apache-2.0 */
/* QXL commands: filled in once, never changed after they were handed out. */
#include "display/spice/command.h"

#include <string.h>

static QXLPHYSICAL
address_of(const void *pointer)
{
    return (uintptr_t)pointer; /* the one memory slot maps all addresses to themselves */
}

static QXLRect
rect_of(const pixman_box32_t *box)
{
    return (QXLRect){.top = box->y1, .left = box->x1, .bottom = box->y2, .right = box->x2};
}

static void
init_drawable(QXLDrawable *drawable, uint32_t surface, uint8_t type, const pixman_box32_t *box)
{
    memset(drawable, 0, sizeof *drawable);
    drawable->surface_id = surface;
    drawable->type = type;
    drawable->effect = QXL_EFFECT_OPAQUE;
    drawable->clip.type = SPICE_CLIP_TYPE_NONE;
    drawable->bbox = rect_of(box);
    for (size_t i = 0; i < 3; i++)
        drawable->surfaces_dest[i] = -1;
}

static void
init_image(QXLImage *image, uint32_t width, uint32_t height, const void *pixels)
{
    static uint32_t serial; /* tells pictures apart in clients' caches, which ours never enter */

    memset(image, 0, sizeof *image);
    QXL_SET_IMAGE_ID(image, QXL_IMAGE_GROUP_DEVICE, __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED));
    image->descriptor.type = SPICE_IMAGE_TYPE_BITMAP;
    image->descriptor.width = width;
    image->descriptor.height = height;
    image->bitmap.format = SPICE_BITMAP_FMT_32BIT;
    image->bitmap.flags = QXL_BITMAP_DIRECT | QXL_BITMAP_TOP_DOWN;
    image->bitmap.x = width;
    image->bitmap.y = height;
    image->bitmap.stride = width * 4; /* with any other stride spice-server does not compress */
    image->bitmap.data = address_of(pixels);
}

void
command_init_draw(DrawCommand *draw, const pixman_box32_t *box, const void *pixels)
{
    uint32_t width = (uint32_t)(box->x2 - box->x1), height = (uint32_t)(box->y2 - box->y1);
    QXLDrawable *drawable = &draw->command.qxl.drawable;

    init_drawable(drawable, PRIMARY_SURFACE, QXL_DRAW_COPY, box);
    init_image(&draw->image, width, height, pixels);
    drawable->u.copy.src_bitmap = address_of(&draw->image);
    drawable->u.copy.src_area = (QXLRect){.right = (int32_t)width, .bottom = (int32_t)height};
    drawable->u.copy.rop_descriptor = SPICE_ROPD_OP_PUT;
}

void
command_init_receipt_surface(Command *command, uint32_t *pixel)
{
    QXLSurfaceCmd *surface = &command->qxl.surface;

    memset(surface, 0, sizeof *surface);
    surface->surface_id = RECEIPT_SURFACE;
    surface->type = QXL_SURFACE_CMD_CREATE;
    surface->flags = QXL_SURF_FLAG_KEEP_DATA; /* clients learn of it with the first receipt */
    surface->u.surface_create.format = SPICE_SURFACE_FMT_32_xRGB;
    surface->u.surface_create.width = 1;
    surface->u.surface_create.height = 1;
    surface->u.surface_create.stride = sizeof *pixel;
    surface->u.surface_create.data = address_of(pixel);
}

void
command_init_receipt(Command *command)
{
    QXLDrawable *drawable = &command->qxl.drawable;

    init_drawable(drawable, RECEIPT_SURFACE, QXL_DRAW_FILL, &(pixman_box32_t){0, 0, 1, 1});
    drawable->u.fill.brush.type = SPICE_BRUSH_TYPE_SOLID;
    drawable->u.fill.rop_descriptor = SPICE_ROPD_OP_PUT;
}

void
command_init_update(Command *command, uint32_t surface, uint32_t width, uint32_t height)
{
    QXLUpdateCmd *update = &command->qxl.update;

    memset(update, 0, sizeof *update);
    update->surface_id = surface;
    update->area = (QXLRect){.right = (int32_t)width, .bottom = (int32_t)height};
}

QXLCommandExt
command_hand_out(const Command *command, uint32_t type)
{
    return (QXLCommandExt){.cmd = {.data = address_of(command), .type = type}};
}

Command *
command_of(QXLReleaseInfoExt release)
{
    return (Command *)release.info;
}
