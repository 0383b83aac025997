/* SPDX-License-Identifier: Apache-2.0 */
/* DESKTOP.conf: any text is either a configuration or one line that says what is wrong. */
#include "vmm/config/config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(DesktopConfig) config = config_parse("d.conf", (const char *)data, size, &error);

    g_assert_true(!config == !!error);
    if (config) {
        g_assert_nonnull(config->name);
        g_assert_true(g_uuid_string_is_valid(config->uuid));
        g_assert_cmpuint(config->vcpus, >=, 1);
        g_assert_cmpuint(config->vcpus, <=, CONFIG_VCPUS_MAX);
        g_assert_cmpuint(config->disks->len, <=, CONFIG_DISKS_MAX);
    }
    return 0;
}
