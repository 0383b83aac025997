/* SPDX-License-Identifier: Apache-2.0 */
/* fw_cfg: selecting and reading, the directory, DMA good and hostile, writable files, reset, save and load. */
#include "vmm/firmware/fw_cfg.h"

#include <linux/qemu_fw_cfg.h>
#include <string.h>

#define MIB (1u << 20)
#define ACCESS 0x1000u /* where tests put a DMA access … */
#define TARGET 0x2000u /* … and its bytes */

typedef struct {
    unsigned selected, changed;
    uint8_t bytes[8]; /* as changed() got them */
    size_t len;
} Owner;

typedef struct {
    GuestMemory *memory;
    FwCfg *fw_cfg;
    Owner owner;
} Fixture;

static void
on_selected(void *user, uint8_t *bytes, size_t len)
{
    Owner *owner = user;
    owner->selected++;
    memset(bytes, '0' + owner->selected, len);
}

static void
on_changed(void *user, const uint8_t *bytes, size_t len)
{
    Owner *owner = user;
    owner->changed++;
    owner->len = len;
    memcpy(owner->bytes, bytes, MIN(len, sizeof(owner->bytes)));
}

static const FwCfgOps live_ops = {.selected = on_selected};
static const FwCfgOps writable_ops = {.changed = on_changed};

/* Keys 0x20 to 0x23, by name. */
enum { KEY_LIVE = FW_CFG_FILE_FIRST, KEY_READ_ONLY, KEY_SILENT, KEY_WRITABLE };

static void
fixture_init(Fixture *fixture)
{
    *fixture = (Fixture){.memory = guest_memory_new(&(GuestMemoryOptions){.size = MIB}, NULL)};
    fixture->fw_cfg = fw_cfg_new(fixture->memory);
    fw_cfg_add_writable(fixture->fw_cfg, "etc/writable", "abcdefgh", 8, &writable_ops, &fixture->owner);
    fw_cfg_add_file(fixture->fw_cfg, "etc/read-only", "read only", 9);
    fw_cfg_add_live(fixture->fw_cfg, "etc/live", "....", 4, &live_ops, &fixture->owner);
    fw_cfg_add_writable(fixture->fw_cfg, "etc/silent", "zz", 2, NULL, NULL);
    fw_cfg_add_number(fixture->fw_cfg, FW_CFG_NB_CPUS, 0x0203, 2);
    fw_cfg_add_number(fixture->fw_cfg, FW_CFG_ARCH_LOCAL | 2, 1, 1);
}

static void
fixture_finish(Fixture *fixture)
{
    fw_cfg_device_ops.free(fixture->fw_cfg);
    guest_memory_free(fixture->memory);
}

static void
select_key(Fixture *fixture, uint16_t key)
{
    fw_cfg_bus_ops.write(fixture->fw_cfg, 0, 2, key);
}

static void
expect_bytes(Fixture *fixture, const void *expected, size_t len)
{
    for (size_t i = 0; i < len; i++)
        g_assert_cmphex(fw_cfg_bus_ops.read(fixture->fw_cfg, 1, 1), ==, ((const uint8_t *)expected)[i]);
}

static void
expect_item(Fixture *fixture, uint16_t key, const void *expected, size_t len)
{
    select_key(fixture, key);
    expect_bytes(fixture, expected, len);
}

static void
write_address(Fixture *fixture, uint64_t gpa)
{
    fw_cfg_bus_ops.write(fixture->fw_cfg, 4, 4, GUINT32_TO_BE((uint32_t)(gpa >> 32)));
    fw_cfg_bus_ops.write(fixture->fw_cfg, 8, 4, GUINT32_TO_BE((uint32_t)gpa));
}

/* One access by DMA; returns what it left in .control. */
static uint32_t
dma_at(Fixture *fixture, uint64_t at, uint32_t control, uint32_t len, uint64_t address)
{
    struct fw_cfg_dma_access access = {GUINT32_TO_BE(control), GUINT32_TO_BE(len), GUINT64_TO_BE(address)};

    g_assert_true(guest_memory_write(fixture->memory, at, &access, sizeof(access)));
    write_address(fixture, at);
    g_assert_true(guest_memory_read(fixture->memory, at, &access, sizeof(access)));
    return GUINT32_FROM_BE(access.control);
}

static uint32_t
dma(Fixture *fixture, uint32_t control, uint32_t len, uint64_t address)
{
    return dma_at(fixture, ACCESS, control, len, address);
}

static uint32_t
selecting(uint16_t key, uint32_t control)
{
    return (uint32_t)key << 16 | FW_CFG_DMA_CTL_SELECT | control;
}

static uint8_t *
target(Fixture *fixture)
{
    return guest_memory_at(fixture->memory, TARGET, GUEST_PAGE_SIZE);
}

static void
test_identity(void)
{
    Fixture f;
    fixture_init(&f);
    expect_bytes(&f, "QEMU\0\0", 6); /* key 0 is what a reset selects */
    expect_item(&f, FW_CFG_SIGNATURE, "QEMU\0\0", 6);
    expect_item(&f, FW_CFG_ID, "\3\0\0\0\0", 5);
    g_assert_cmphex(fw_cfg_bus_ops.read(f.fw_cfg, 4, 4), ==, GUINT32_FROM_BE(0x51454d55));
    g_assert_cmphex(fw_cfg_bus_ops.read(f.fw_cfg, 8, 4), ==, GUINT32_FROM_BE(0x20434647));
    g_assert_cmphex(fw_cfg_bus_ops.read(f.fw_cfg, 4, 1), ==, 'Q');
    g_assert_cmphex(fw_cfg_bus_ops.read(f.fw_cfg, 11, 1), ==, 'G');
    fixture_finish(&f);
}

static void
test_items(void)
{
    Fixture f;
    fixture_init(&f);
    expect_item(&f, FW_CFG_NB_CPUS, "\3\2\0\0", 4);
    expect_item(&f, FW_CFG_ARCH_LOCAL | 2, "\1\0", 2);
    expect_item(&f, FW_CFG_WRITE_CHANNEL | KEY_READ_ONLY, "read only\0\0", 11);
    expect_item(&f, FW_CFG_UUID, "\0\0\0\0", 4);
    expect_item(&f, KEY_WRITABLE + 1, "\0\0\0\0", 4);
    expect_item(&f, FW_CFG_INVALID, "\0\0\0\0", 4);
    expect_item(&f, FW_CFG_ARCH_LOCAL | KEY_READ_ONLY, "\0\0\0\0", 4);
    fixture_finish(&f);
}

/* What is no register reads as all ones and changes nothing, the offset least of all. */
static void
test_widths(void)
{
    Fixture f;
    fixture_init(&f);
    select_key(&f, KEY_READ_ONLY);
    expect_bytes(&f, "re", 2);
    g_assert_cmphex(fw_cfg_bus_ops.read(f.fw_cfg, 0, 2), ==, UINT64_MAX);
    g_assert_cmphex(fw_cfg_bus_ops.read(f.fw_cfg, 1, 2), ==, UINT64_MAX);
    g_assert_cmphex(fw_cfg_bus_ops.read(f.fw_cfg, 2, 2), ==, UINT64_MAX);
    fw_cfg_bus_ops.write(f.fw_cfg, 0, 1, FW_CFG_ID);
    fw_cfg_bus_ops.write(f.fw_cfg, 0, 4, FW_CFG_ID);
    fw_cfg_bus_ops.write(f.fw_cfg, 1, 1, 'x');
    fw_cfg_bus_ops.write(f.fw_cfg, 1, 2, 'x');
    expect_bytes(&f, "ad", 2);
    expect_item(&f, KEY_WRITABLE, "abcdefgh", 8);
    fw_cfg_bus_ops.write(f.fw_cfg, 1, 1, 'x');
    expect_item(&f, KEY_WRITABLE, "abcdefgh", 8);
    fixture_finish(&f);
}

static void
test_directory(void)
{
    static const struct {
        const char *name;
        uint32_t size;
    } expected[] = {{"etc/live", 4}, {"etc/read-only", 9}, {"etc/silent", 2}, {"etc/writable", 8}};
    struct fw_cfg_file entries[G_N_ELEMENTS(expected)];
    Fixture f;
    fixture_init(&f);
    expect_item(&f, FW_CFG_FILE_DIR, "\0\0\0\4", 4);
    for (size_t i = 0; i < sizeof(entries); i++)
        ((uint8_t *)entries)[i] = fw_cfg_bus_ops.read(f.fw_cfg, 1, 1);
    expect_bytes(&f, "\0\0", 2);
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        g_assert_cmpstr(entries[i].name, ==, expected[i].name);
        g_assert_cmpuint(GUINT32_FROM_BE(entries[i].size), ==, expected[i].size);
        g_assert_cmphex(GUINT16_FROM_BE(entries[i].select), ==, FW_CFG_FILE_FIRST + i);
        g_assert_cmpuint(entries[i].reserved, ==, 0);
    }
    fixture_finish(&f);
}

static void
test_live(void)
{
    Fixture f;
    fixture_init(&f);
    expect_item(&f, KEY_LIVE, "1111\0", 5);
    expect_item(&f, KEY_LIVE, "2222\0", 5);
    g_assert_cmphex(dma(&f, selecting(KEY_LIVE, FW_CFG_DMA_CTL_READ), 4, TARGET), ==, 0);
    g_assert_cmpmem(target(&f), 4, "3333", 4);
    g_assert_cmpuint(f.owner.selected, ==, 3);
    fixture_finish(&f);
}

static void
test_dma_read(void)
{
    Fixture f;
    fixture_init(&f);
    memset(target(&f), 0xaa, 32);
    g_assert_cmphex(dma(&f, selecting(KEY_READ_ONLY, FW_CFG_DMA_CTL_READ), 4, TARGET), ==, 0);
    g_assert_cmpmem(target(&f), 5, "read\xaa", 5);
    g_assert_cmphex(dma(&f, FW_CFG_DMA_CTL_SKIP, 1, 0), ==, 0);
    /* it wins over writing and skipping, and past the end there are zeros */
    g_assert_cmphex(dma(&f, FW_CFG_DMA_CTL_READ | FW_CFG_DMA_CTL_WRITE | FW_CFG_DMA_CTL_SKIP, 8, TARGET), ==, 0);
    g_assert_cmpmem(target(&f), 9, "only\0\0\0\0\xaa", 9);
    g_assert_cmphex(dma(&f, FW_CFG_DMA_CTL_READ, 2, TARGET), ==, 0);
    g_assert_cmpmem(target(&f), 3, "\0\0l", 3);
    /* no such item */
    g_assert_cmphex(dma(&f, selecting(0x1234, FW_CFG_DMA_CTL_READ), 3, TARGET), ==, 0);
    g_assert_cmpmem(target(&f), 4, "\0\0\0y", 4);
    /* select only, then byte by byte */
    g_assert_cmphex(dma(&f, selecting(KEY_READ_ONLY, 0), 4, TARGET), ==, 0);
    expect_bytes(&f, "re", 2);
    g_assert_cmphex(dma(&f, FW_CFG_DMA_CTL_SKIP, UINT32_MAX, 0), ==, 0);
    expect_bytes(&f, "\0\0", 2);
    /* length 0 touches nothing, wherever it points */
    g_assert_cmphex(dma(&f, selecting(KEY_READ_ONLY, FW_CFG_DMA_CTL_READ), 0, UINT64_MAX), ==, 0);
    fixture_finish(&f);
}

static void
test_dma_write(void)
{
    Fixture f;
    fixture_init(&f);
    memcpy(target(&f), "12345678", 8);
    g_assert_cmphex(dma(&f, selecting(KEY_WRITABLE, FW_CFG_DMA_CTL_WRITE), 3, TARGET), ==, 0);
    g_assert_cmphex(dma(&f, FW_CFG_DMA_CTL_SKIP, 1, 0), ==, 0);
    g_assert_cmphex(dma(&f, FW_CFG_DMA_CTL_WRITE, 4, TARGET), ==, 0);
    expect_item(&f, KEY_WRITABLE, "123d1234", 8);
    g_assert_cmpuint(f.owner.changed, ==, 2);
    g_assert_cmpmem(f.owner.bytes, f.owner.len, "123d1234", 8);
    g_assert_cmphex(dma(&f, selecting(KEY_SILENT, FW_CFG_DMA_CTL_WRITE), 2, TARGET), ==, 0);
    expect_item(&f, KEY_SILENT, "12", 2);
    fixture_finish(&f);
}

/* Each is an error that changes nothing. */
static void
test_dma_refused(void)
{
    const uint32_t WRITE = FW_CFG_DMA_CTL_WRITE, READ = FW_CFG_DMA_CTL_READ, ERROR = FW_CFG_DMA_CTL_ERROR;
    Fixture f;
    fixture_init(&f);
    memset(target(&f), 'x', 32);
    g_assert_cmphex(dma(&f, selecting(KEY_READ_ONLY, WRITE), 1, TARGET), ==, ERROR);
    g_assert_cmphex(dma(&f, selecting(FW_CFG_FILE_DIR, WRITE), 1, TARGET), ==, ERROR);
    g_assert_cmphex(dma(&f, selecting(0x1234, WRITE), 1, TARGET), ==, ERROR);
    g_assert_cmphex(dma(&f, selecting(KEY_WRITABLE, WRITE), 9, TARGET), ==, ERROR);
    g_assert_cmphex(dma(&f, selecting(KEY_WRITABLE, WRITE), UINT32_MAX, TARGET), ==, ERROR);
    g_assert_cmphex(dma(&f, FW_CFG_DMA_CTL_SKIP, 8, 0), ==, 0);
    g_assert_cmphex(dma(&f, WRITE, 1, TARGET), ==, ERROR);
    g_assert_cmphex(dma(&f, selecting(KEY_WRITABLE, WRITE), 8, MIB - 7), ==, ERROR);
    g_assert_cmphex(dma(&f, selecting(KEY_WRITABLE, WRITE), 8, UINT64_MAX - 3), ==, ERROR);
    g_assert_cmphex(dma(&f, selecting(KEY_WRITABLE, READ), 8, MIB - 7), ==, ERROR);
    g_assert_cmphex(dma(&f, selecting(KEY_WRITABLE, READ), UINT32_MAX, TARGET), ==, ERROR);
    g_assert_cmphex(dma(&f, selecting(KEY_WRITABLE, READ), 8, UINT64_MAX - 3), ==, ERROR);
    expect_item(&f, KEY_WRITABLE, "abcdefgh", 8);
    g_assert_cmpuint(f.owner.changed, ==, 0);
    for (unsigned i = 0; i < 32; i++)
        g_assert_cmphex(target(&f)[i], ==, 'x');
    fixture_finish(&f);
}

/* Accesses that are not, or only partly, in RAM are left alone; one may lie over its own target. */
static void
test_dma_places(void)
{
    Fixture f;
    fixture_init(&f);
    select_key(&f, KEY_READ_ONLY);
    write_address(&f, MIB);
    write_address(&f, MIB - 15);
    write_address(&f, UINT64_MAX);
    expect_bytes(&f, "re", 2);
    g_assert_cmphex(dma_at(&f, MIB - 16, selecting(KEY_READ_ONLY, FW_CFG_DMA_CTL_READ), 4, TARGET), ==, 0);
    g_assert_cmpmem(target(&f), 4, "read", 4);
    g_assert_cmphex(dma(&f, selecting(KEY_READ_ONLY, FW_CFG_DMA_CTL_READ), 9, ACCESS), ==, 0);
    g_assert_cmpmem(guest_memory_at(f.memory, ACCESS, 16), 9, "\0\0\0\0 only", 9);
    /* the upper half is used up by the access it was for */
    fw_cfg_bus_ops.write(f.fw_cfg, 4, 4, GUINT32_TO_BE(1));
    fw_cfg_bus_ops.write(f.fw_cfg, 8, 4, GUINT32_TO_BE(ACCESS));
    g_assert_cmphex(dma(&f, selecting(KEY_READ_ONLY, FW_CFG_DMA_CTL_READ), 4, TARGET), ==, 0);
    fixture_finish(&f);
}

static void
test_dirty(void)
{
    Fixture f;
    fixture_init(&f);
    g_autofree uint64_t *bitmap = g_new0(uint64_t, guest_memory_bitmap_words(f.memory));
    g_assert_true(guest_memory_track(f.memory, NULL));
    g_assert_cmphex(dma(&f, selecting(KEY_READ_ONLY, FW_CFG_DMA_CTL_READ), 4, TARGET), ==, 0);
    guest_memory_take_dirty(f.memory, bitmap);
    g_assert_cmphex(bitmap[0], ==, 1 << ACCESS / GUEST_PAGE_SIZE | 1 << TARGET / GUEST_PAGE_SIZE);
    guest_memory_untrack(f.memory);
    fixture_finish(&f);
}

static void
test_reset(void)
{
    Fixture f;
    fixture_init(&f);
    memcpy(target(&f), "12345678", 8);
    g_assert_cmphex(dma(&f, selecting(KEY_WRITABLE, FW_CFG_DMA_CTL_WRITE), 8, TARGET), ==, 0);
    fw_cfg_device_ops.reset(f.fw_cfg);
    g_assert_cmpuint(f.owner.changed, ==, 2);
    g_assert_cmpmem(f.owner.bytes, f.owner.len, "abcdefgh", 8);
    expect_bytes(&f, "QEMU", 4);
    expect_item(&f, KEY_WRITABLE, "abcdefgh", 8);
    fw_cfg_device_ops.reset(f.fw_cfg);
    g_assert_cmpuint(f.owner.changed, ==, 2); /* nothing to tell */
    fixture_finish(&f);
}

static GByteArray *
save(Fixture *fixture)
{
    GByteArray *bytes = g_byte_array_new();
    state_save(fw_cfg_device_ops.state, fixture->fw_cfg, bytes);
    return bytes;
}

static bool
load(Fixture *fixture, const GByteArray *bytes, GError **error)
{
    return state_load(fw_cfg_device_ops.state, fixture->fw_cfg, 1, bytes->data, bytes->len, error);
}

static void
test_state(void)
{
    Fixture a, b;
    fixture_init(&a);
    fixture_init(&b);
    memcpy(target(&a), "12345678", 8);
    g_assert_cmphex(dma(&a, selecting(KEY_WRITABLE, FW_CFG_DMA_CTL_WRITE), 8, TARGET), ==, 0);
    g_assert_cmphex(dma(&a, selecting(KEY_READ_ONLY, FW_CFG_DMA_CTL_SKIP), 5, 0), ==, 0);
    fw_cfg_bus_ops.write(a.fw_cfg, 4, 4, GUINT32_TO_BE(1)); /* half an address */
    g_autoptr(GByteArray) bytes = save(&a);
    g_assert_true(load(&b, bytes, NULL));
    g_assert_cmpuint(b.owner.changed, ==, 1);
    g_assert_cmpmem(b.owner.bytes, b.owner.len, "12345678", 8);
    g_autoptr(GByteArray) again = save(&b);
    g_assert_cmpmem(bytes->data, bytes->len, again->data, again->len);
    expect_bytes(&b, "only", 4);
    fixture_finish(&a);
    fixture_finish(&b);
}

static void
test_foreign_state(void)
{
    Fixture a, b;
    fixture_init(&a);
    fixture_init(&b);
    fw_cfg_add_writable(b.fw_cfg, "etc/extra", "x", 1, NULL, NULL);
    g_autoptr(GByteArray) fewer = save(&a);
    g_autoptr(GByteArray) more = save(&b);
    g_autoptr(GError) error = NULL;
    g_assert_false(load(&b, fewer, &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_FOREIGN);
    g_clear_error(&error);
    g_assert_false(load(&a, more, &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_FOREIGN);
    g_assert_cmpuint(a.owner.changed + b.owner.changed, ==, 0);
    fixture_finish(&a);
    fixture_finish(&b);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fw-cfg/identity", test_identity);
    g_test_add_func("/fw-cfg/items", test_items);
    g_test_add_func("/fw-cfg/widths", test_widths);
    g_test_add_func("/fw-cfg/directory", test_directory);
    g_test_add_func("/fw-cfg/live", test_live);
    g_test_add_func("/fw-cfg/dma-read", test_dma_read);
    g_test_add_func("/fw-cfg/dma-write", test_dma_write);
    g_test_add_func("/fw-cfg/dma-refused", test_dma_refused);
    g_test_add_func("/fw-cfg/dma-places", test_dma_places);
    g_test_add_func("/fw-cfg/dirty", test_dirty);
    g_test_add_func("/fw-cfg/reset", test_reset);
    g_test_add_func("/fw-cfg/state", test_state);
    g_test_add_func("/fw-cfg/foreign-state", test_foreign_state);
    return g_test_run();
}
