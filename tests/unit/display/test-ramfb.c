/* SPDX-License-Identifier: Apache-2.0 */
/* ramfb: what the guest writes into its file becomes the screen, or nothing; what changes is found; virtio-gpu has precedence. */
#include "display/ramfb.h"
#include "notes.h"

#include <linux/qemu_fw_cfg.h>
#include <string.h>

#define MIB (1u << 20)
#define ACCESS 0x1000u
#define FILE_AT 0x2000u
#define PICTURE 0x100000u
#define WIDTH 64
#define HEIGHT 48
#define XR24 0x34325258

typedef struct {
    GuestMemory *memory;
    FwCfg *fw_cfg;
    Screen *screen;
    Notes notes;
    Ramfb *ramfb;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    *fixture = (Fixture){.memory = guest_memory_new(&(GuestMemoryOptions){.size = 4 * MIB}, NULL)};
    fixture->fw_cfg = fw_cfg_new(fixture->memory);
    fixture->screen = screen_new(2);
    fixture->ramfb = ramfb_new(fixture->fw_cfg, fixture->memory, fixture->screen, NULL);
    screen_add_viewer(fixture->screen, &notes_ops, &fixture->notes);
    ramfb_device_ops.resume(fixture->ramfb);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    ramfb_device_ops.free(fixture->ramfb);
    screen_remove_viewer(fixture->screen, &fixture->notes);
    screen_free(fixture->screen);
    fw_cfg_device_ops.free(fixture->fw_cfg);
    guest_memory_free(fixture->memory);
}

/* As firmware does it: by DMA, into the only file there is. */
static void
configure(Fixture *fixture, uint64_t address, uint32_t format, uint32_t width, uint32_t height, uint32_t stride)
{
    struct __attribute__((packed)) {
        uint64_t address;
        uint32_t format, flags, width, height, stride;
    } file = {GUINT64_TO_BE(address), GUINT32_TO_BE(format), 0,
              GUINT32_TO_BE(width),   GUINT32_TO_BE(height), GUINT32_TO_BE(stride)};
    struct fw_cfg_dma_access access = {
        GUINT32_TO_BE((uint32_t)FW_CFG_FILE_FIRST << 16 | FW_CFG_DMA_CTL_SELECT | FW_CFG_DMA_CTL_WRITE),
        GUINT32_TO_BE(sizeof(file)), GUINT64_TO_BE(FILE_AT)};

    G_STATIC_ASSERT(sizeof(file) == RAMFB_FILE_SIZE);
    g_assert_true(guest_memory_write(fixture->memory, FILE_AT, &file, sizeof(file)));
    g_assert_true(guest_memory_write(fixture->memory, ACCESS, &access, sizeof(access)));
    fw_cfg_bus_ops.write(fixture->fw_cfg, 4, 4, 0);
    fw_cfg_bus_ops.write(fixture->fw_cfg, 8, 4, GUINT32_TO_BE(ACCESS));
    g_assert_true(guest_memory_read(fixture->memory, ACCESS, &access, sizeof(access)));
    g_assert_cmphex(access.control, ==, 0);
}

static Surface *
shown(const Fixture *fixture)
{
    return fixture->notes.of[0].surface;
}

static void
draw(Fixture *fixture, uint32_t x, uint32_t y, uint32_t pixel)
{
    g_assert_true(guest_memory_write(fixture->memory, PICTURE + 4 * (y * WIDTH + x), &pixel, 4));
}

static void
wait_for_damage(Fixture *fixture, unsigned n)
{
    while (fixture->notes.of[0].n_damage < n)
        g_main_context_iteration(NULL, TRUE);
}

static void
let_it_look(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void
test_shows(Fixture *fixture, gconstpointer data)
{
    g_assert_null(shown(fixture));
    configure(fixture, PICTURE, XR24, WIDTH, HEIGHT, 0);
    g_assert_nonnull(shown(fixture));
    g_assert_cmpuint(shown(fixture)->width, ==, WIDTH);
    g_assert_cmpuint(shown(fixture)->height, ==, HEIGHT);
    g_assert_cmpuint(shown(fixture)->stride, ==, 4 * WIDTH);
    draw(fixture, 3, 2, 0x123456);
    g_assert_cmphex(surface_row(shown(fixture), 3, 2, 1, NULL)[0], ==, 0x123456);
    g_assert_null(fixture->notes.of[1].surface);

    configure(fixture, PICTURE, XR24, WIDTH / 2, HEIGHT, 4 * WIDTH);
    g_assert_cmpuint(shown(fixture)->width, ==, WIDTH / 2);
    configure(fixture, 0, 0, 0, 0, 0);
    g_assert_null(shown(fixture));
}

static void
test_finds_changes(Fixture *fixture, gconstpointer data)
{
    configure(fixture, PICTURE, XR24, WIDTH, HEIGHT, 0);
    draw(fixture, 0, 0, 0xffffff); /* seen by nobody who looked at the surface as soon as it was there */
    let_it_look();
    unsigned all = fixture->notes.of[0].n_damage;
    g_assert_cmpuint(all, ==, 3); /* every band */
    draw(fixture, 10, 20, 0xffffff);
    wait_for_damage(fixture, all + 1);
    assert_box(&fixture->notes.of[0].box, 0, 16, WIDTH, 32);
    draw(fixture, WIDTH - 1, HEIGHT - 1, 1);
    wait_for_damage(fixture, all + 2);
    assert_box(&fixture->notes.of[0].box, 0, 32, WIDTH, HEIGHT);
}

static void
test_hostile(Fixture *fixture, gconstpointer data)
{
    static const struct {
        uint64_t address;
        uint32_t format, width, height, stride;
    } bad[] = {
        {PICTURE, 0, WIDTH, HEIGHT, 0},
        {PICTURE, 0x36314752, WIDTH, HEIGHT, 0}, /* 16 bits a pixel */
        {PICTURE, XR24, 0, HEIGHT, 0},
        {PICTURE, XR24, WIDTH, 0, 0},
        {PICTURE, XR24, 1, 1, 0},
        {PICTURE, XR24, SURFACE_MAX_SIDE + 1, HEIGHT, 0},
        {PICTURE, XR24, WIDTH, SURFACE_MAX_SIDE + 1, 0},
        {PICTURE, XR24, UINT32_MAX, UINT32_MAX, UINT32_MAX},
        {PICTURE, XR24, 0x40000000, HEIGHT, 0}, /* four bytes each: the stride would be 0 */
        {PICTURE, XR24, WIDTH, HEIGHT, 4 * WIDTH - 4},
        {PICTURE, XR24, WIDTH, HEIGHT, 4 * WIDTH + 2},
        {PICTURE, XR24, WIDTH, HEIGHT, 0xfffffffc},
        {PICTURE + 2, XR24, WIDTH, HEIGHT, 0},
        {4 * MIB - 4 * WIDTH * HEIGHT + 4, XR24, WIDTH, HEIGHT, 0}, /* its last pixel is outside */
        {4 * MIB, XR24, WIDTH, HEIGHT, 0},
        {UINT64_MAX - 3, XR24, WIDTH, HEIGHT, 0},
        {0xfed40000, XR24, WIDTH, HEIGHT, 0},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        configure(fixture, PICTURE, XR24, WIDTH, HEIGHT, 0);
        g_assert_nonnull(shown(fixture));
        configure(fixture, bad[i].address, bad[i].format, bad[i].width, bad[i].height, bad[i].stride);
        g_assert_null(shown(fixture));
        let_it_look();
    }
    configure(fixture, 4 * MIB - 4 * WIDTH * HEIGHT, XR24, WIDTH, HEIGHT, 0); /* up to the end */
    g_assert_nonnull(shown(fixture));
    let_it_look();
}

static Surface *
make_surface(uint32_t *pixels)
{
    const struct iovec iov = {pixels, 16 * 16 * 4};
    return surface_new(16, 16, 16 * 4, 0, PIXMAN_x8r8g8b8, &iov, 1, NULL, NULL);
}

/* The producer's first picture, on whichever scanout, takes the screen; its reset gives it back. */
static void
test_handed_over(Fixture *fixture, gconstpointer data)
{
    static uint32_t pixels[16 * 16];
    g_autoptr(Surface) surface = make_surface(pixels);

    configure(fixture, PICTURE, XR24, WIDTH, HEIGHT, 0);
    Surface *firmware = shown(fixture);
    screen_set_surface(fixture->screen, 0, NULL); /* a driver that begins by showing nothing */
    g_assert_true(shown(fixture) == firmware);
    screen_set_surface(fixture->screen, 0, surface);
    g_assert_true(shown(fixture) == surface && screen_is_taken(fixture->screen));
    screen_set_surface(fixture->screen, 0, NULL); /* the monitor is turned off: no ghost of the firmware */
    g_assert_null(shown(fixture));

    /* While another has it nobody looks, and what is configured waits. */
    unsigned n_damage = fixture->notes.of[0].n_damage;
    configure(fixture, PICTURE, XR24, WIDTH / 2, HEIGHT, 4 * WIDTH);
    draw(fixture, 1, 1, 7);
    let_it_look();
    g_assert_null(shown(fixture));
    g_assert_cmpuint(fixture->notes.of[0].n_damage, ==, n_damage);

    screen_begin(fixture->screen);
    g_assert_cmpuint(shown(fixture)->width, ==, WIDTH / 2);
    let_it_look();
    n_damage = fixture->notes.of[0].n_damage;
    draw(fixture, 2, 1, 8);
    wait_for_damage(fixture, n_damage + 1);
    screen_set_surface(fixture->screen, 1, surface);
    g_assert_null(shown(fixture));
    g_assert_true(fixture->notes.of[1].surface == surface);
    screen_set_surface(fixture->screen, 1, NULL);
    screen_begin(fixture->screen);
    g_assert_nonnull(shown(fixture));
}

static void
test_reset(Fixture *fixture, gconstpointer data)
{
    configure(fixture, PICTURE, XR24, WIDTH, HEIGHT, 0);
    ramfb_device_ops.quiesce(fixture->ramfb);
    fw_cfg_device_ops.reset(fixture->fw_cfg);
    g_assert_null(shown(fixture));
    ramfb_device_ops.resume(fixture->ramfb);
    configure(fixture, PICTURE, XR24, WIDTH, HEIGHT, 0);
    g_assert_nonnull(shown(fixture));
}

static void
test_rests(Fixture *fixture, gconstpointer data)
{
    configure(fixture, PICTURE, XR24, WIDTH, HEIGHT, 0);
    let_it_look();
    ramfb_device_ops.quiesce(fixture->ramfb);
    let_it_look();
    unsigned n_damage = fixture->notes.of[0].n_damage;
    draw(fixture, 0, 0, 1);
    g_usleep(50 * 1000);
    let_it_look();
    g_assert_cmpuint(fixture->notes.of[0].n_damage, ==, n_damage);
    ramfb_device_ops.resume(fixture->ramfb);
    wait_for_damage(fixture, n_damage + 1);
}

static void
save_and_load(Fixture *from, Fixture *to)
{
    const struct {
        const DeviceOps *ops;
        void *from, *to;
    } devices[] = {{&fw_cfg_device_ops, from->fw_cfg, to->fw_cfg}, {&ramfb_device_ops, from->ramfb, to->ramfb}};

    for (size_t i = 0; i < G_N_ELEMENTS(devices); i++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        const StateTable *table = devices[i].ops->state;
        state_save(table, devices[i].from, bytes);
        g_assert_true(state_load(table, devices[i].to, table->version, bytes->data, bytes->len, NULL));
    }
}

static void
test_saved(Fixture *fixture, gconstpointer data)
{
    static uint32_t pixels[16 * 16];
    g_autoptr(Surface) surface = make_surface(pixels);
    Fixture other;

    configure(fixture, PICTURE, XR24, WIDTH, HEIGHT, 0);
    set_up(&other, NULL);
    save_and_load(fixture, &other);
    g_assert_cmpuint(shown(&other)->width, ==, WIDTH);
    tear_down(&other, NULL);

    screen_set_surface(fixture->screen, 0, surface);
    screen_set_surface(fixture->screen, 0, NULL); /* taken, and blank */
    set_up(&other, NULL);
    save_and_load(fixture, &other);
    g_assert_null(shown(&other));
    screen_begin(other.screen);
    g_assert_nonnull(shown(&other));
    tear_down(&other, NULL);
}

/* Nobody views it: nobody looks, until somebody does. */
static void
test_late_viewer(Fixture *fixture, gconstpointer data)
{
    Notes late = {0};

    screen_remove_viewer(fixture->screen, &fixture->notes);
    configure(fixture, PICTURE, XR24, WIDTH, HEIGHT, 0);
    let_it_look();
    g_assert_false(screen_shows_fallback(fixture->screen));
    screen_add_viewer(fixture->screen, &notes_ops, &late);
    g_assert_nonnull(late.of[0].surface);
    let_it_look();
    draw(fixture, 0, 0, 1);
    while (!late.of[0].n_damage)
        g_main_context_iteration(NULL, TRUE);
    screen_remove_viewer(fixture->screen, &late);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name, function) g_test_add("/ramfb/" name, Fixture, NULL, set_up, function, tear_down)
    TEST("shows", test_shows);
    TEST("finds-changes", test_finds_changes);
    TEST("hostile", test_hostile);
    TEST("handed-over", test_handed_over);
    TEST("reset", test_reset);
    TEST("rests", test_rests);
    TEST("saved", test_saved);
    TEST("late-viewer", test_late_viewer);
    return g_test_run();
}
