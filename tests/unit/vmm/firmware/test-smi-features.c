/* SPDX-License-Identifier: Apache-2.0 */
/* SMI features: what firmware asks for is agreed, refused, kept, forgotten by a reset, and saved. */
#include "vmm/firmware/smi_features.h"

#include <linux/qemu_fw_cfg.h>

#define MIB (1u << 20)
#define ACCESS 0x1000u /* a DMA access, then its bytes */
#define BYTES 0x2000u

/* The files' keys: by name. */
enum { KEY_OK = FW_CFG_FILE_FIRST, KEY_REQUESTED, KEY_SUPPORTED };

typedef struct {
    GuestMemory *memory;
    FwCfg *fw_cfg;
    SmiFeatures *features;
} Fixture;

static void
fixture_init(Fixture *f)
{
    f->memory = guest_memory_new(&(GuestMemoryOptions){.size = MIB}, NULL);
    f->fw_cfg = fw_cfg_new(f->memory);
    f->features = smi_features_new(f->fw_cfg);
}

static void
fixture_finish(Fixture *f)
{
    smi_features_device_ops.free(f->features);
    fw_cfg_device_ops.free(f->fw_cfg);
    guest_memory_free(f->memory);
}

static uint8_t
byte_of(Fixture *f, uint16_t key)
{
    fw_cfg_bus_ops.write(f->fw_cfg, 0, 2, key);
    return fw_cfg_bus_ops.read(f->fw_cfg, 1, 1);
}

static void
request(Fixture *f, uint64_t wanted)
{
    uint64_t little = GUINT64_TO_LE(wanted);
    struct fw_cfg_dma_access access = {
        GUINT32_TO_BE(KEY_REQUESTED << 16 | FW_CFG_DMA_CTL_SELECT | FW_CFG_DMA_CTL_WRITE),
        GUINT32_TO_BE(8),
        GUINT64_TO_BE(BYTES),
    };

    g_assert_true(guest_memory_write(f->memory, BYTES, &little, sizeof(little)));
    g_assert_true(guest_memory_write(f->memory, ACCESS, &access, sizeof(access)));
    fw_cfg_bus_ops.write(f->fw_cfg, 8, 4, GUINT32_TO_BE(ACCESS));
}

static void
reset(Fixture *f)
{
    fw_cfg_device_ops.reset(f->fw_cfg);
    smi_features_device_ops.reset(f->features);
}

static void
test_agreed(void)
{
    Fixture f;
    fixture_init(&f);
    g_assert_cmphex(byte_of(&f, KEY_SUPPORTED), ==, SMI_FEATURE_BROADCAST);
    request(&f, SMI_FEATURE_BROADCAST);
    g_assert_cmphex(smi_features_agreed(f.features), ==, 0); /* not yet asked whether that is fine */
    g_assert_cmphex(byte_of(&f, KEY_OK), ==, 1);
    g_assert_cmphex(smi_features_agreed(f.features), ==, SMI_FEATURE_BROADCAST);

    /* whoever comes later changes nothing */
    request(&f, 0);
    g_assert_cmphex(byte_of(&f, KEY_OK), ==, 1);
    g_assert_cmphex(smi_features_agreed(f.features), ==, SMI_FEATURE_BROADCAST);

    reset(&f);
    g_assert_cmphex(smi_features_agreed(f.features), ==, 0);
    g_assert_cmphex(byte_of(&f, KEY_OK), ==, 1); /* to nothing at all */
    g_assert_cmphex(smi_features_agreed(f.features), ==, 0);
    fixture_finish(&f);
}

static void
test_refused(void)
{
    Fixture f;
    fixture_init(&f);
    request(&f, SMI_FEATURE_BROADCAST | 1ull << 63);
    g_assert_cmphex(byte_of(&f, KEY_OK), ==, 0);
    g_assert_cmphex(smi_features_agreed(f.features), ==, 0);
    request(&f, SMI_FEATURE_BROADCAST);
    g_assert_cmphex(byte_of(&f, KEY_OK), ==, 1);
    g_assert_cmphex(smi_features_agreed(f.features), ==, SMI_FEATURE_BROADCAST);
    fixture_finish(&f);
}

static void
test_state(void)
{
    Fixture f, g;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    fixture_init(&f);
    fixture_init(&g);
    request(&f, SMI_FEATURE_BROADCAST);
    byte_of(&f, KEY_OK);
    state_save(smi_features_device_ops.state, f.features, bytes);
    bytes->data[0] |= 0xf0; /* what nobody supports is not loaded */
    g_assert_true(state_load(smi_features_device_ops.state, g.features, 1, bytes->data, bytes->len, &error));
    g_assert_no_error(error);
    g_assert_cmphex(smi_features_agreed(g.features), ==, SMI_FEATURE_BROADCAST);
    request(&g, 0);
    g_assert_cmphex(byte_of(&g, KEY_OK), ==, 1);
    g_assert_cmphex(smi_features_agreed(g.features), ==, SMI_FEATURE_BROADCAST);
    fixture_finish(&f);
    fixture_finish(&g);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smi-features/agreed", test_agreed);
    g_test_add_func("/smi-features/refused", test_refused);
    g_test_add_func("/smi-features/state", test_state);
    return g_test_run();
}
