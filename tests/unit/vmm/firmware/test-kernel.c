/* SPDX-License-Identifier: Apache-2.0 */
/* Direct boot as vmm/desktop/ uses it: telling files apart, loading again on reset, and the ACPI tables in their place. */
#include "vmm/firmware/kernel.h"

#include "tests/unit/vmm/firmware/images.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>

static void
expect_refusal(int fd, BootError code, const char *says)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(kernel_check(fd, "/boot/it", &error));
    g_assert_error(error, BOOT_ERROR, (int)code);
    g_assert_nonnull(strstr(error->message, "/boot/it"));
    g_assert_nonnull(strstr(error->message, says));
    close(fd);
}

static void
test_telling_apart(void)
{
    TestElf elf = test_elf();
    TestBzImage image = test_bzimage();
    g_autofd int elf_fd = test_file(&elf, sizeof(elf)), image_fd = test_file(&image, sizeof(image));
    int ends[2];

    g_assert_true(kernel_check(elf_fd, "elf", NULL));
    g_assert_true(kernel_check(image_fd, "image", NULL));
    expect_refusal(test_file("#!/bin/sh", 9), BOOT_ERROR_NOT_A_KERNEL, "wants bzImage or a PVH ELF");
    expect_refusal(test_file("\x1f\x8b\x08", 3), BOOT_ERROR_NOT_A_KERNEL, "gzip");
    expect_refusal(test_file("", 0), BOOT_ERROR_TRUNCATED, "empty");
    elf.programs[ELF_PH_NOTE].p_type = PT_NULL;
    expect_refusal(test_file(&elf, sizeof(elf)), BOOT_ERROR_NOT_A_KERNEL, "without a PVH entry");
    expect_refusal(open("/", O_RDONLY | O_CLOEXEC), BOOT_ERROR_IO, "not a regular file");
    g_assert_no_errno(pipe2(ends, O_CLOEXEC));
    expect_refusal(ends[0], BOOT_ERROR_IO, "not a regular file");
    close(ends[1]);
}

/* What is compared before and after: where each thing that is loaded lies. */
static const struct {
    uint64_t gpa, size;
} places[] = {
    {BOARD_BOOT_ZERO_PAGE, 160},      {BOARD_BOOT_COMMAND_LINE, 1},    {BOARD_ACPI_BASE, 512},
    {ELF_TEXT_GPA, sizeof(ELF_TEXT)}, {ELF_DATA_GPA, ELF_DATA_MEMORY}, {16 * MIB - 4096, 5},
};

static void
test_reset(void)
{
    uint32_t apic_id = 0;
    g_autoptr(AcpiTables) acpi = acpi_tables_new(&(AcpiOptions){.apic_ids = &apic_id, .n_cpus = 1});
    g_autoptr(GuestMemory) memory = test_memory(16 * MIB);
    g_autoptr(GError) error = NULL;
    TestElf elf = test_elf();
    KernelOptions options = {.kernel_fd = test_file(&elf, sizeof(elf)),
                             .initrd_fd = test_file("files", 5),
                             .kernel_name = "kernel",
                             .initrd_name = "initrd",
                             .acpi = acpi,
                             .fresh_memory = true};
    g_autoptr(Kernel) kernel = kernel_new(&options, memory, &error);
    g_assert_no_error(error);
    BootState first, again;

    g_assert_true(kernel_load(kernel, &first, NULL));
    g_assert_cmpmem(guest_memory_at(memory, BOARD_ACPI_BASE, 8), 8, "RSD PTR ", 8);
    g_assert_cmpmem(guest_memory_at(memory, 16 * MIB - 4096, 5), 5, "files", 5);
    uint8_t *ram = guest_memory_at(memory, 0, 16 * MIB);
    g_autofree uint8_t *before = g_memdup2(ram, 16 * MIB);

    memset(ram, 0xee, 16 * MIB); /* the guest ran over everything that was loaded */
    g_assert_true(kernel_load(kernel, &again, NULL));
    g_assert_cmpint(again.mode, ==, first.mode); /* field by field: the padding is nobody's */
    g_assert_cmpuint(again.rip, ==, first.rip);
    g_assert_cmpuint(again.rsp, ==, first.rsp);
    g_assert_cmpuint(again.rbx, ==, first.rbx);
    g_assert_cmpuint(again.rsi, ==, first.rsi);
    g_assert_cmpuint(again.cr3, ==, first.cr3);
    g_assert_cmpuint(again.gdt_base, ==, first.gdt_base);
    g_assert_cmpuint(again.gdt_limit, ==, first.gdt_limit);
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
        g_assert_cmpmem(ram + places[i].gpa, places[i].size, before + places[i].gpa, places[i].size);
}

/* The file was changed in place since it was opened: the reset fails with a reason, and nothing else. */
static void
test_kernel_changed(void)
{
    g_autoptr(GuestMemory) memory = test_memory(16 * MIB);
    g_autoptr(GError) error = NULL;
    TestElf elf = test_elf();
    int fd = test_file(&elf, sizeof(elf));
    KernelOptions options = {.kernel_fd = fd, .initrd_fd = -1, .kernel_name = "kernel", .fresh_memory = true};
    g_autoptr(Kernel) kernel = kernel_new(&options, memory, NULL);
    BootState state;

    g_assert_true(kernel_load(kernel, &state, NULL));
    g_assert_no_errno(ftruncate(fd, 100));
    g_assert_false(kernel_load(kernel, &state, &error));
    g_assert_error(error, BOOT_ERROR, BOOT_ERROR_TRUNCATED);
}

static void
test_no_room(void)
{
    g_autoptr(GuestMemory) memory = test_memory(MIB);
    g_autoptr(GError) error = NULL;
    TestElf elf = test_elf();
    KernelOptions options = {
        .kernel_fd = test_file(&elf, sizeof(elf)), .initrd_fd = -1, .kernel_name = "kernel", .fresh_memory = true};
    g_autoptr(Kernel) kernel = kernel_new(&options, memory, NULL);
    BootState state;

    g_assert_false(kernel_load(kernel, &state, &error));
    g_assert_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kernel/telling-apart", test_telling_apart);
    g_test_add_func("/kernel/reset", test_reset);
    g_test_add_func("/kernel/changed", test_kernel_changed);
    g_test_add_func("/kernel/no-room", test_no_room);
    return g_test_run();
}
