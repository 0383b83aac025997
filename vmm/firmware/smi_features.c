/* SPDX-License-Identifier: Apache-2.0 */
/* SMI features: see smi_features.h. What the guest writes comes under fw_cfg's lock; what is agreed is read without it. */
#include "vmm/firmware/smi_features.h"

#include <string.h>

#define SUPPORTED SMI_FEATURE_BROADCAST

struct SmiFeatures {
    uint64_t requested; /* fw_cfg keeps it across a save */
    uint64_t agreed;    /* atomic */
    uint8_t ok;         /* features are agreed on: what is requested from now on changes nothing */
};

static void
on_request(void *user, const uint8_t *bytes, size_t len)
{
    SmiFeatures *features = user;
    uint64_t little;

    g_assert(len == sizeof(little));
    memcpy(&little, bytes, len);
    features->requested = GUINT64_FROM_LE(little);
}

static void
on_question(void *user, uint8_t *bytes, size_t len)
{
    SmiFeatures *features = user;

    if (!features->ok && !(features->requested & ~(uint64_t)SUPPORTED)) {
        features->ok = 1;
        __atomic_store_n(&features->agreed, features->requested, __ATOMIC_RELAXED);
    }
    bytes[0] = features->ok;
}

SmiFeatures *
smi_features_new(FwCfg *fw_cfg)
{
    static const FwCfgOps request_ops = {.changed = on_request}, question_ops = {.selected = on_question};
    uint64_t supported = GUINT64_TO_LE(SUPPORTED), none = 0;
    SmiFeatures *features = g_new0(SmiFeatures, 1);

    fw_cfg_add_file(fw_cfg, "etc/smi/supported-features", &supported, sizeof(supported));
    fw_cfg_add_writable(fw_cfg, "etc/smi/requested-features", &none, sizeof(none), &request_ops, features);
    fw_cfg_add_live(fw_cfg, "etc/smi/features-ok", &none, 1, &question_ops, features);
    return features;
}

uint64_t
smi_features_agreed(const SmiFeatures *features)
{
    return __atomic_load_n(&features->agreed, __ATOMIC_RELAXED);
}

static void
smi_features_free(void *device)
{
    g_free(device);
}

static void
smi_features_reset(void *device)
{
    SmiFeatures *features = device;
    features->agreed = 0;
    features->ok = 0;
}

static bool
smi_features_after_load(void *object, GError **error)
{
    SmiFeatures *features = object;
    features->agreed &= SUPPORTED;
    features->ok = !!features->ok;
    return true;
}

static const StateField fields[] = {
    STATE_UINT(SmiFeatures, agreed, 1),
    STATE_UINT(SmiFeatures, ok, 1),
    STATE_END,
};
static const StateTable table = {
    .name = "smi-features", .version = 1, .oldest = 1, .fields = fields, .after_load = smi_features_after_load};

const DeviceOps smi_features_device_ops = {
    .name = "smi-features",
    .reset = smi_features_reset,
    .state = &table,
    .free = smi_features_free,
};
