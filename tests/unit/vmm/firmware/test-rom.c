/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's code: what Debian ships is taken, what is no firmware is refused with a reason. */
#include "vmm/firmware/rom.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
test_debian(void)
{
    static const char *const paths[] = {"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
                                        "/usr/share/seabios/bios-256k.bin"};
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofd int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        g_autofree char *bytes = NULL;
        gsize len;
        Rom rom;
        g_assert_true(rom_init(&rom, fd, paths[i], NULL));
        g_assert_true(g_file_get_contents(paths[i], &bytes, &len, NULL));
        g_assert_cmpmem(rom.bytes, rom.size, bytes, len);
        rom_finish(&rom);
        rom_finish(&rom);
    }
}

static void
expect_refused(size_t size, uint8_t fill, const char *words)
{
    g_autofd int fd = memfd_create("rom", MFD_CLOEXEC);
    g_autofree uint8_t *bytes = g_malloc(size + 1);
    g_autoptr(GError) error = NULL;
    Rom rom;

    memset(bytes, fill, size);
    g_assert_cmpint(write(fd, bytes, size), ==, size);
    g_assert_false(rom_init(&rom, fd, "x.fd", &error));
    g_assert_nonnull(strstr(error->message, words));
    g_assert_null(rom.bytes);
}

static void
test_refused(void)
{
    expect_refused(0, 0, "x.fd");
    expect_refused(1000, 1, "its size is not");
    expect_refused(ROM_SIZE_MIN + 1, 1, "its size is not");
    expect_refused(ROM_SIZE_MIN - 4096, 1, "its size is not");
    expect_refused(ROM_SIZE_MAX + 4096, 1, "its size is not");
    expect_refused(ROM_SIZE_MIN, 0, "nothing where a processor begins");
    expect_refused(ROM_SIZE_MIN, 0xff, "nothing where a processor begins");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rom/debian", test_debian);
    g_test_add_func("/rom/refused", test_refused);
    return g_test_run();
}
