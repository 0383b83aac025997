/* SPDX-License-Identifier: Apache-2.0 */
/* bzImage: where the kernel and its initrd go, what boot_params and the page tables say, and what is refused. */
#include "tests/unit/vmm/firmware/images.h"

#include <glib/gstdio.h>
#include <string.h>

static bool
load(GuestMemory *memory, const TestBzImage *image, size_t len, int initrd, const char *command_line, BootState *state,
     GError **error)
{
    g_autofd int fd = test_file(image, len);
    BootJob job = {.memory = memory, .initrd.fd = -1, .command_line = command_line, .rsdp = 0xe0000};

    g_assert_true(boot_file_init(&job.kernel, fd, "vmlinuz", NULL));
    if (initrd >= 0)
        g_assert_true(boot_file_init(&job.initrd, initrd, "initrd", NULL));
    bool loaded = bzimage_loader.load(&job, state, error);
    if (loaded)
        g_assert_true(bzimage_loader.check(&job.kernel, NULL));
    return loaded;
}

static void
read_params(const GuestMemory *memory, const BootState *state, struct boot_params *params)
{
    g_assert_true(guest_memory_read(memory, state->rsi, params, sizeof(*params)));
}

static void
test_loads(void)
{
    g_autoptr(GuestMemory) memory = test_memory(64 * MIB);
    g_autofd int initrd = test_file("initial files", 13);
    g_autoptr(GError) error = NULL;
    TestBzImage image = test_bzimage();
    struct boot_params params;
    BootState state;

    g_assert_true(bzimage_loader.recognises(image.bytes, LOADER_HEAD_SIZE));
    g_assert_true(load(memory, &image, sizeof(image), initrd, "quiet", &state, &error));
    g_assert_no_error(error);
    g_assert_cmpint(state.mode, ==, BOOT_MODE_LONG);
    g_assert_cmphex(state.rip, ==, 0x1000200);
    g_assert_cmpmem(guest_memory_at(memory, 0x1000000, BZIMAGE_KERNEL_SIZE), BZIMAGE_KERNEL_SIZE,
                    image.bytes + BZIMAGE_SETUP_SIZE, BZIMAGE_KERNEL_SIZE);

    read_params(memory, &state, &params);
    g_assert_cmphex(params.hdr.header, ==, 0x53726448);
    g_assert_cmphex(params.hdr.type_of_loader, ==, 0xff);
    g_assert_cmphex(params.acpi_rsdp_addr, ==, 0xe0000);
    g_assert_cmphex(params.sentinel, ==, 0);
    g_assert_cmphex(params.hdr.ramdisk_image, ==, 64 * MIB - 4096);
    g_assert_cmphex(params.hdr.ramdisk_size, ==, 13);
    g_assert_cmpmem(guest_memory_at(memory, 64 * MIB - 4096, 13), 13, "initial files", 13);
    g_assert_cmpmem(guest_memory_at(memory, params.hdr.cmd_line_ptr, 6), 6, "quiet", 6);
    g_assert_cmpuint(params.e820_entries, ==, 5);
    g_assert_cmphex(params.e820_table[2].addr, ==, MIB);
    g_assert_cmphex(params.e820_table[2].size, ==, 63 * MIB);
}

/* Follows the page tables as the processor does. */
static uint64_t
translate(const GuestMemory *memory, uint64_t cr3, uint64_t address)
{
    uint64_t entry = cr3;
    for (unsigned shift = 39; shift >= 21; shift -= 9) {
        uint64_t at = (entry & ~0xfffull) + (address >> shift & 511) * 8;
        g_assert_true(guest_memory_read(memory, at, &entry, sizeof(entry)));
        if (!(entry & 1))
            return UINT64_MAX;
    }
    g_assert_cmphex(entry & 0x80, ==, 0x80);
    return (entry & ~0x1fffffull) | (address & 0x1fffff);
}

static void
test_long_mode(void)
{
    g_autoptr(GuestMemory) memory = test_memory(64 * MIB);
    TestBzImage image = test_bzimage();
    BootState state;
    uint64_t descriptor;

    memset(guest_memory_at(memory, 0, 0xa0000), 0xff, 0xa0000); /* what a guest left behind */
    g_assert_true(load(memory, &image, sizeof(image), -1, "", &state, NULL));
    for (uint64_t address = 0; address < 1024 * MIB; address += MIB + 4096)
        g_assert_cmphex(translate(memory, state.cr3, address), ==, address);
    g_assert_cmphex(translate(memory, state.cr3, 1024 * MIB), ==, UINT64_MAX);
    g_assert_cmphex(translate(memory, state.cr3, 1ull << 39), ==, UINT64_MAX);

    g_assert_true(guest_memory_read(memory, state.gdt_base + 0x10, &descriptor, 8));
    g_assert_cmphex(descriptor >> 40 & 0xff, ==, 0x9b); /* code, … */
    g_assert_cmphex(descriptor >> 53 & 3, ==, 1);       /* … 64-bit */
    g_assert_true(guest_memory_read(memory, state.gdt_base + 0x18, &descriptor, 8));
    g_assert_cmphex(descriptor >> 40 & 0xff, ==, 0x93);
    g_assert_cmpuint(state.gdt_limit, >=, 0x27);
}

static void
test_moves_when_it_must(void)
{
    g_autoptr(GuestMemory) memory = test_memory(8 * MIB); /* 16 MiB is out of reach */
    g_autoptr(GError) error = NULL;
    TestBzImage image = test_bzimage();
    BootState state;

    g_assert_true(load(memory, &image, sizeof(image), -1, "", &state, NULL));
    g_assert_cmphex(state.rip, ==, 0x200200);
    image.header.relocatable_kernel = 0;
    g_assert_false(load(memory, &image, sizeof(image), -1, "", &state, &error));
    g_assert_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM);
    image.header.pref_address = MIB;
    g_assert_true(load(memory, &image, sizeof(image), -1, "", &state, NULL));
    g_assert_cmphex(state.rip, ==, MIB + 0x200);
}

static void
test_short_header(void)
{
    g_autoptr(GuestMemory) memory = test_memory(64 * MIB);
    TestBzImage image = test_bzimage();
    struct boot_params params;
    BootState state;

    /* Its header ends before kernel_info_offset: what follows in the file is code, not header. */
    image.header.jump = 0xeb | (0x264 - 0x202) << 8;
    image.header.kernel_info_offset = 0xdeadbeef;
    g_assert_true(load(memory, &image, sizeof(image), -1, "", &state, NULL));
    read_params(memory, &state, &params);
    g_assert_cmphex(params.hdr.kernel_info_offset, ==, 0);
    g_assert_cmphex(params.hdr.init_size, ==, 0x100000);
}

static void
test_command_line_limit(void)
{
    g_autoptr(GuestMemory) memory = test_memory(64 * MIB);
    TestBzImage image = test_bzimage();
    g_autoptr(GError) error = NULL;
    BootState state;

    image.header.cmdline_size = 4;
    g_assert_true(load(memory, &image, sizeof(image), -1, "four", &state, NULL));
    g_assert_false(load(memory, &image, sizeof(image), -1, "fiver", &state, &error));
    g_assert_error(error, BOOT_ERROR, BOOT_ERROR_COMMAND_LINE);
    g_clear_error(&error);
    image.header.cmdline_size = UINT32_MAX; /* ours is smaller */
    g_autofree char *longest = g_strnfill(0xffff, 'x');
    g_assert_true(load(memory, &image, sizeof(image), -1, longest, &state, NULL));
    g_autofree char *longer = g_strnfill(0x10000, 'x');
    g_assert_false(load(memory, &image, sizeof(image), -1, longer, &state, &error));
    g_assert_error(error, BOOT_ERROR, BOOT_ERROR_COMMAND_LINE);
}

static void
test_initrd_limit(void)
{
    g_autoptr(GuestMemory) memory = test_memory(64 * MIB);
    g_autofd int initrd = test_file("x", 1);
    g_autoptr(GError) error = NULL;
    TestBzImage image = test_bzimage();
    struct boot_params params;
    BootState state;

    image.header.initrd_addr_max = 32 * MIB - 1;
    g_assert_true(load(memory, &image, sizeof(image), initrd, "", &state, NULL));
    read_params(memory, &state, &params);
    g_assert_cmphex(params.hdr.ramdisk_image, ==, 32 * MIB - 4096);
    g_assert_no_errno(ftruncate(initrd, 15 * MIB)); /* 17 to 32 MiB: just above the kernel */
    g_assert_true(load(memory, &image, sizeof(image), initrd, "", &state, NULL));
    g_assert_no_errno(ftruncate(initrd, 15 * MIB + 1));
    g_assert_false(load(memory, &image, sizeof(image), initrd, "", &state, &error));
    g_assert_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM);
}

#define FIELD(member, v, c) SPOIL(TestBzImage, header.member, v, c)

static const Spoilt spoilt[] = {
    FIELD(version, 0x20b, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(xloadflags, 0, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(loadflags, 0, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(kernel_alignment, 3, BOOT_ERROR_MALFORMED),
    FIELD(kernel_alignment, 0, BOOT_ERROR_MALFORMED),
    FIELD(syssize, 0, BOOT_ERROR_TRUNCATED),
    FIELD(syssize, UINT32_MAX, BOOT_ERROR_TRUNCATED),
    FIELD(syssize, BZIMAGE_KERNEL_SIZE / 16 + 1, BOOT_ERROR_TRUNCATED),
    FIELD(syssize, 1, BOOT_ERROR_MALFORMED), /* no room for the 64-bit entry */
    FIELD(setup_sects, 255, BOOT_ERROR_TRUNCATED),
    FIELD(init_size, 0, BOOT_ERROR_MALFORMED),
    FIELD(init_size, UINT32_MAX, BOOT_ERROR_NO_ROOM),
};

static void
test_spoilt(void)
{
    g_autoptr(GuestMemory) memory = test_memory(64 * MIB);

    for (gsize i = 0; i < G_N_ELEMENTS(spoilt); i++) {
        TestBzImage image = test_bzimage();
        BootState state;
        g_autoptr(GError) error = NULL;
        memcpy(image.bytes + spoilt[i].offset, &spoilt[i].value, spoilt[i].size);
        g_test_message("%s", spoilt[i].what);
        g_assert_false(load(memory, &image, sizeof(image), -1, "", &state, &error));
        g_assert_error(error, BOOT_ERROR, (int)spoilt[i].code);
        g_assert_nonnull(strstr(error->message, "vmlinuz"));
    }
}

static void
test_every_truncation(void)
{
    g_autoptr(GuestMemory) memory = test_memory(64 * MIB);
    TestBzImage image = test_bzimage();

    for (size_t len = LOADER_HEAD_SIZE; len < sizeof(image) - 15; len++) {
        BootState state;
        g_autoptr(GError) error = NULL;
        g_assert_false(load(memory, &image, len, -1, "", &state, &error));
        g_assert_error(error, BOOT_ERROR, BOOT_ERROR_TRUNCATED);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bzimage/loads", test_loads);
    g_test_add_func("/bzimage/long-mode", test_long_mode);
    g_test_add_func("/bzimage/moves", test_moves_when_it_must);
    g_test_add_func("/bzimage/short-header", test_short_header);
    g_test_add_func("/bzimage/command-line", test_command_line_limit);
    g_test_add_func("/bzimage/initrd", test_initrd_limit);
    g_test_add_func("/bzimage/spoilt", test_spoilt);
    g_test_add_func("/bzimage/truncated", test_every_truncation);
    return g_test_run();
}
