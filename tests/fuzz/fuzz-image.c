/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an upload claims to be. The input: a byte for the type (odd: a disc), three for the file's size, then patches to a file of
 * zeros: three bytes where, one how long, the bytes.
 */
#include "appliance/storage/probe.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define LARGEST (256 * 1024)

static void
patch(uint8_t *file, uint32_t size, FuzzInput *input)
{
    while (size && input->left >= 4) {
        uint32_t at = (uint32_t)fuzz_take(input, 3) % size;
        size_t wanted = fuzz_take(input, 1), length = MIN(MIN(wanted, input->left), size - at);
        memcpy(file + at, input->at, length);
        input->at += length;
        input->left -= length;
    }
}

static void
look(const uint8_t *file, uint32_t size, StorageImageType type)
{
    uint32_t head = MIN(size, PROBE_HEAD), tail = MIN(size, PROBE_TAIL);
    g_autofree uint8_t *first = g_memdup2(file, head), *last = g_memdup2(file + size - tail, tail);
    const ProbeInput input = {first, last, size};
    g_autoptr(GError) error = NULL;
    Probe probe = {0};

    if (!probe_image(&input, type, &probe, &error)) {
        g_assert_error(error, STORAGE_ERROR, STORAGE_ERROR_INVALID);
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
        return;
    }
    g_assert_no_error(error);
    g_assert_true((probe.format == PROBE_ISO) == (type == STORAGE_IMAGE_ISO));
    g_assert_true(probe_format_name(probe.format));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    FuzzInput input = {bytes, len};
    StorageImageType type = fuzz_take(&input, 1) & 1 ? STORAGE_IMAGE_ISO : STORAGE_IMAGE_DISK;
    uint32_t size = (uint32_t)fuzz_take(&input, 3) % (LARGEST + 1);
    g_autofree uint8_t *file = g_malloc0(MAX(size, 1));

    patch(file, size, &input);
    look(file, size, type);
    return 0;
}
