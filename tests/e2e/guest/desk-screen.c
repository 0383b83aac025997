/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs inside a test desktop's X session: draws what is known beforehand, and says what it drew or was told.
 *
 *   desk-screen pattern SEED   fills the screen with rectangles made from SEED, hides the cursor, and prints
 *                              "drawn WIDTH HEIGHT CRC": the CRC-32 of the picture read back from the X server, red, green
 *                              and blue of each pixel
 *   desk-screen input          prints each event: "key CODE down", "button NUMBER up X Y", "move X Y"
 *   desk-screen cursor         shows a cursor 16x16, hot spot 3,5: red with a blue edge, a lower left triangle
 *
 * Its window covers all and no window manager touches it; it stays until it is killed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/xcb.h>

#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define RECTANGLES 300
#define CURSOR_SIZE 16
#define CURSOR_HOT_X 3
#define CURSOR_HOT_Y 5

typedef struct {
    xcb_connection_t *connection;
    xcb_screen_t *screen;
    xcb_window_t window;
    uint16_t width, height; /* pixels */
} Display;

static void
die(const char *what)
{
    fprintf(stderr, "desk-screen: %s\n", what);
    exit(1);
}

static void
open_display(Display *display)
{
    display->connection = xcb_connect(NULL, NULL);
    if (xcb_connection_has_error(display->connection))
        die("cannot reach the X server");
    display->screen = xcb_setup_roots_iterator(xcb_get_setup(display->connection)).data;
    /* The setup's size is that of the server's start: ask for today's. */
    xcb_get_geometry_reply_t *geometry =
        xcb_get_geometry_reply(display->connection, xcb_get_geometry(display->connection, display->screen->root), NULL);
    if (!geometry)
        die("no geometry of the root window");
    display->width = geometry->width;
    display->height = geometry->height;
    free(geometry);
}

/* Makes the window and waits until it is on the screen. */
static void
cover_screen(Display *display, uint32_t cursor)
{
    const uint32_t values[] = {
        display->screen->black_pixel,
        1, /* override redirect */
        XCB_EVENT_MASK_EXPOSURE | XCB_EVENT_MASK_KEY_PRESS | XCB_EVENT_MASK_KEY_RELEASE | XCB_EVENT_MASK_BUTTON_PRESS |
            XCB_EVENT_MASK_BUTTON_RELEASE | XCB_EVENT_MASK_POINTER_MOTION,
        cursor,
    };

    display->window = xcb_generate_id(display->connection);
    xcb_create_window(display->connection, XCB_COPY_FROM_PARENT, display->window, display->screen->root, 0, 0,
                      display->width, display->height, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                      XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK | XCB_CW_CURSOR, values);
    xcb_map_window(display->connection, display->window);
    xcb_flush(display->connection);
    for (;;) {
        xcb_generic_event_t *event = xcb_wait_for_event(display->connection);
        if (!event)
            die("the X server went away");
        bool exposed = (event->response_type & 0x7f) == XCB_EXPOSE;
        free(event);
        if (exposed)
            break;
    }
    xcb_set_input_focus(display->connection, XCB_INPUT_FOCUS_POINTER_ROOT, display->window, XCB_CURRENT_TIME);
    xcb_flush(display->connection);
}

/* A linear congruential generator: the same everywhere. */
static uint32_t
next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static uint32_t
crc32_update(uint32_t crc, uint8_t byte)
{
    static uint32_t table[256];

    if (!table[1]) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; bit++)
                value = value & 1 ? value >> 1 ^ 0xedb88320 : value >> 1;
            table[i] = value;
        }
    }
    return table[(crc ^ byte) & 0xff] ^ crc >> 8;
}

/* Of the whole screen as the X server has it. */
static uint32_t
screen_crc(const Display *display)
{
    xcb_get_image_reply_t *image =
        xcb_get_image_reply(display->connection,
                            xcb_get_image(display->connection, XCB_IMAGE_FORMAT_Z_PIXMAP, display->screen->root, 0, 0,
                                          display->width, display->height, UINT32_MAX),
                            NULL);
    uint32_t crc = UINT32_MAX;

    if (!image || (size_t)xcb_get_image_data_length(image) < (size_t)display->width * display->height * 4)
        die("the X server gives no picture of 32 bits a pixel");
    const uint8_t *pixel = xcb_get_image_data(image);
    for (size_t left = (size_t)display->width * display->height; left > 0; left--, pixel += 4)
        for (int channel = 2; channel >= 0; channel--) /* blue comes first in memory */
            crc = crc32_update(crc, pixel[channel]);
    free(image);
    return ~crc;
}

/* Which pixels of a cursor's bitmap are set. */
typedef enum {
    CURSOR_NOTHING,
    CURSOR_TRIANGLE, /* x ≤ y */
    CURSOR_INSIDE,   /* the triangle without its edge */
} CursorShape;

static xcb_pixmap_t
make_bitmap(Display *display, CursorShape shape)
{
    xcb_pixmap_t pixmap = xcb_generate_id(display->connection);
    xcb_gcontext_t context = xcb_generate_id(display->connection);
    const uint32_t clear = 0, set = 1;
    int edge = shape == CURSOR_INSIDE ? 1 : 0;

    xcb_create_pixmap(display->connection, 1, pixmap, display->screen->root, CURSOR_SIZE, CURSOR_SIZE);
    xcb_create_gc(display->connection, context, pixmap, XCB_GC_FOREGROUND, &clear);
    xcb_poly_fill_rectangle(display->connection, pixmap, context, 1,
                            &(xcb_rectangle_t){.width = CURSOR_SIZE, .height = CURSOR_SIZE});
    xcb_change_gc(display->connection, context, XCB_GC_FOREGROUND, &set);
    for (int y = 0; shape != CURSOR_NOTHING && y < CURSOR_SIZE - edge; y++) {
        xcb_rectangle_t row = {.x = edge, .y = y, .width = MAX(y + 1 - 2 * edge, 0), .height = 1};
        if (row.width > 0)
            xcb_poly_fill_rectangle(display->connection, pixmap, context, 1, &row);
    }
    xcb_free_gc(display->connection, context);
    return pixmap;
}

/* Red where @red, blue where only @mask. */
static xcb_cursor_t
make_cursor(Display *display, CursorShape red, CursorShape mask)
{
    xcb_cursor_t cursor = xcb_generate_id(display->connection);

    xcb_create_cursor(display->connection, cursor, make_bitmap(display, red), make_bitmap(display, mask), UINT16_MAX, 0,
                      0, 0, 0, UINT16_MAX, CURSOR_HOT_X, CURSOR_HOT_Y);
    return cursor;
}

static void
draw_pattern(Display *display, uint32_t seed)
{
    xcb_gcontext_t context = xcb_generate_id(display->connection);

    cover_screen(display, make_cursor(display, CURSOR_NOTHING, CURSOR_NOTHING));
    xcb_create_gc(display->connection, context, display->window, 0, NULL);
    for (int i = 0; i < RECTANGLES; i++) {
        uint32_t colour = next_random(&seed);
        xcb_rectangle_t rectangle = {
            .x = next_random(&seed) % display->width,
            .y = next_random(&seed) % display->height,
            .width = 1 + next_random(&seed) % (display->width / 4),
            .height = 1 + next_random(&seed) % (display->height / 4),
        };
        xcb_change_gc(display->connection, context, XCB_GC_FOREGROUND, &colour);
        xcb_poly_fill_rectangle(display->connection, display->window, context, 1, &rectangle);
    }
    printf("drawn %u %u %08x\n", display->width, display->height, screen_crc(display));
}

static void
print_event(const xcb_generic_event_t *event)
{
    unsigned type = event->response_type & 0x7f;
    const xcb_button_press_event_t *button = (const void *)event;
    const xcb_motion_notify_event_t *motion = (const void *)event;

    switch (type) {
    case XCB_KEY_PRESS:
    case XCB_KEY_RELEASE:
        printf("key %u %s\n", ((const xcb_key_press_event_t *)event)->detail, type == XCB_KEY_PRESS ? "down" : "up");
        break;
    case XCB_BUTTON_PRESS:
    case XCB_BUTTON_RELEASE:
        printf("button %u %s %d %d\n", button->detail, type == XCB_BUTTON_PRESS ? "down" : "up", button->root_x,
               button->root_y);
        break;
    case XCB_MOTION_NOTIFY:
        printf("move %d %d\n", motion->root_x, motion->root_y);
        break;
    }
}

int
main(int argc, char **argv)
{
    Display display = {};

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2)
        die("say pattern SEED, input or cursor");
    open_display(&display);
    if (!strcmp(argv[1], "pattern") && argc == 3) {
        draw_pattern(&display, strtoul(argv[2], NULL, 0));
    } else if (!strcmp(argv[1], "input")) {
        cover_screen(&display, XCB_NONE);
        printf("ready\n");
    } else if (!strcmp(argv[1], "cursor")) {
        cover_screen(&display, make_cursor(&display, CURSOR_INSIDE, CURSOR_TRIANGLE));
        printf("cursor shown\n");
    } else {
        die("say pattern SEED, input or cursor");
    }
    for (xcb_generic_event_t *event; (event = xcb_wait_for_event(display.connection)); free(event))
        print_event(event);
    return 0;
}
