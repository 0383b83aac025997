/* SPDX-License-Identifier: Apache-2.0 */
/* PVH ELF: what is loaded where, what the start info says, and everything an ELF can be wrong in. */
#include "tests/unit/vmm/firmware/images.h"

#include <glib/gstdio.h>
#include <string.h>

/* Loads @len bytes as an ELF. */
static bool
load(GuestMemory *memory, const void *bytes, size_t len, bool fresh, BootState *state, GError **error)
{
    g_autofd int fd = test_file(bytes, len);
    BootJob job = {.memory = memory, .initrd.fd = -1, .command_line = "quiet", .rsdp = 0xe0000, .fresh = fresh};

    g_assert_true(boot_file_init(&job.kernel, fd, "test.elf", NULL));
    bool loaded = elf_loader.load(&job, state, error);
    if (loaded)
        g_assert_true(elf_loader.check(&job.kernel, NULL));
    return loaded;
}

static uint64_t
number_at(const GuestMemory *memory, uint64_t gpa, unsigned size)
{
    uint64_t value = 0;
    g_assert_true(guest_memory_read(memory, gpa, &value, size));
    return value;
}

static void
assert_bytes_at(const GuestMemory *memory, uint64_t gpa, const void *bytes, size_t len)
{
    g_assert_cmpmem(guest_memory_at(memory, gpa, len), len, bytes, len);
}

static void
test_loads(void)
{
    g_autoptr(GuestMemory) memory = test_memory(64 * MIB);
    g_autoptr(GError) error = NULL;
    TestElf elf = test_elf();
    BootState state;

    g_assert_true(elf_loader.recognises((uint8_t *)&elf, sizeof(elf)));
    /* A reset: what the guest left where zeros belong goes away, what is not the kernel's stays. */
    uint8_t *left = guest_memory_at(memory, ELF_DATA_GPA, 2 * ELF_DATA_MEMORY);
    memset(left, 0xaa, 2 * ELF_DATA_MEMORY);
    g_assert_true(load(memory, &elf, sizeof(elf), false, &state, &error));
    g_assert_no_error(error);
    assert_bytes_at(memory, ELF_TEXT_GPA, ELF_TEXT, sizeof(ELF_TEXT));
    assert_bytes_at(memory, ELF_DATA_GPA, ELF_DATA, sizeof(ELF_DATA));
    for (size_t i = sizeof(ELF_DATA); i < 2 * ELF_DATA_MEMORY; i++)
        g_assert_cmphex(left[i], ==, i < ELF_DATA_MEMORY ? 0 : 0xaa);
    g_assert_cmpint(state.mode, ==, BOOT_MODE_PROTECTED);
    g_assert_cmphex(state.rip, ==, ELF_TEXT_GPA + 4);
}

static void
test_start_info(void)
{
    g_autoptr(GuestMemory) memory = test_memory(64 * MIB);
    TestElf elf = test_elf();
    BootState state;

    g_assert_true(load(memory, &elf, sizeof(elf), true, &state, NULL));
    uint64_t info = state.rbx;
    g_assert_cmphex(number_at(memory, info, 4), ==, 0x336ec578);
    g_assert_cmphex(number_at(memory, info + 4, 4), ==, 1);
    g_assert_cmphex(number_at(memory, info + 12, 4), ==, 0); /* no module */
    assert_bytes_at(memory, number_at(memory, info + 24, 8), "quiet", 6);
    g_assert_cmphex(number_at(memory, info + 32, 8), ==, 0xe0000);
    uint64_t map = number_at(memory, info + 40, 8);
    uint64_t n = number_at(memory, info + 48, 4), ram = 0, end = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t gpa = number_at(memory, map + 24 * i, 8), size = number_at(memory, map + 24 * i + 8, 8);
        g_assert_cmphex(gpa, >=, end); /* ascending and apart */
        end = gpa + size;
        if (number_at(memory, map + 24 * i + 16, 4) == 1)
            ram += size;
    }
    g_assert_cmphex(ram, ==, 64 * MIB - (0x100000 - 0xa0000));
}

static void
test_initrd(void)
{
    g_autoptr(GuestMemory) memory = test_memory(64 * MIB);
    TestElf elf = test_elf();
    g_autofd int kernel = test_file(&elf, sizeof(elf)), initrd = test_file("initial files", 13);
    BootJob job = {.memory = memory, .command_line = ""};
    BootState state;

    g_assert_true(boot_file_init(&job.kernel, kernel, "kernel", NULL));
    g_assert_true(boot_file_init(&job.initrd, initrd, "initrd", NULL));
    g_assert_true(elf_loader.load(&job, &state, NULL));
    g_assert_cmphex(number_at(memory, state.rbx + 12, 4), ==, 1);
    uint64_t module = number_at(memory, state.rbx + 16, 8);
    g_assert_cmphex(number_at(memory, module, 8), ==, 64 * MIB - 4096);
    g_assert_cmphex(number_at(memory, module + 8, 8), ==, 13);
    assert_bytes_at(memory, 64 * MIB - 4096, "initial files", 13);

    /* One that reaches down into the kernel. */
    g_assert_no_errno(ftruncate(initrd, 64 * MIB - ELF_DATA_GPA - ELF_DATA_MEMORY + 1));
    g_autoptr(GError) error = NULL;
    g_assert_true(boot_file_init(&job.initrd, initrd, "initrd", NULL));
    g_assert_false(elf_loader.load(&job, &state, &error));
    g_assert_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM);
    g_assert_nonnull(strstr(error->message, "more memory"));
}

static void
test_narrow(void)
{
    struct {
        Elf32_Ehdr header;
        Elf32_Phdr programs[2];
        uint32_t note[5];
        char text[8];
    } elf = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_386,
                   .e_phoff = sizeof(Elf32_Ehdr),
                   .e_phentsize = sizeof(Elf32_Phdr),
                   .e_phnum = 2},
        .note = {4, 4, 18, 0x006e6558, 0x300000},
        .text = "narrow",
    };
    elf.programs[0] = (Elf32_Phdr){.p_type = PT_NOTE, .p_filesz = 20, .p_offset = (char *)elf.note - (char *)&elf};
    elf.programs[1] = (Elf32_Phdr){
        .p_type = PT_LOAD, .p_paddr = 0x300000, .p_filesz = 8, .p_memsz = 8, .p_offset = elf.text - (char *)&elf};
    g_autoptr(GuestMemory) memory = test_memory(8 * MIB);
    BootState state;

    g_assert_true(load(memory, &elf, sizeof(elf), true, &state, NULL));
    g_assert_cmphex(state.rip, ==, 0x300000);
    assert_bytes_at(memory, 0x300000, "narrow", 7);
}

/* Notes before the right one, aligned to 8 as GNU's are. */
static void
test_other_notes(void)
{
    struct {
        TestElf elf;
        struct {
            uint32_t sizes[3];
            char name[4];
            uint8_t value[8];
        } other;
        struct {
            uint32_t sizes[3];
            char name[4];
            uint64_t entry;
        } xen;
    } image = {.elf = test_elf(), .other = {{4, 5, 18}, "GNU", {0}}, .xen = {{4, 8, 18}, "Xen", ELF_TEXT_GPA + 8}};
    image.elf.programs[ELF_PH_NOTE].p_offset = (char *)&image.other - (char *)&image;
    image.elf.programs[ELF_PH_NOTE].p_filesz = 48;
    image.elf.programs[ELF_PH_NOTE].p_align = 8;
    g_autoptr(GuestMemory) memory = test_memory(8 * MIB);
    BootState state;

    g_assert_true(load(memory, &image, sizeof(image), true, &state, NULL));
    g_assert_cmphex(state.rip, ==, ELF_TEXT_GPA + 8);
}

#define FIELD(member, v, c) SPOIL(TestElf, member, v, c)
#define TEXT programs[ELF_PH_TEXT]
#define DATA programs[ELF_PH_DATA]
#define NOTE programs[ELF_PH_NOTE]

static const Spoilt spoilt[] = {
    FIELD(header.e_ident[EI_CLASS], 3, BOOT_ERROR_MALFORMED),
    FIELD(header.e_ident[EI_DATA], ELFDATA2MSB, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(header.e_machine, EM_AARCH64, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(header.e_type, ET_REL, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(header.e_phnum, 0, BOOT_ERROR_MALFORMED),
    FIELD(header.e_phnum, 65535, BOOT_ERROR_MALFORMED),
    FIELD(header.e_phentsize, 55, BOOT_ERROR_MALFORMED),
    FIELD(header.e_phoff, UINT64_MAX, BOOT_ERROR_TRUNCATED),
    FIELD(header.e_phoff, sizeof(TestElf), BOOT_ERROR_TRUNCATED),
    FIELD(TEXT.p_offset, UINT64_MAX - 3, BOOT_ERROR_TRUNCATED),
    FIELD(TEXT.p_filesz, sizeof(TestElf), BOOT_ERROR_MALFORMED), /* longer than in memory */
    FIELD(DATA.p_filesz, 0x2000, BOOT_ERROR_TRUNCATED),
    FIELD(DATA.p_memsz, UINT64_MAX, BOOT_ERROR_MALFORMED), /* wraps */
    FIELD(DATA.p_memsz, 1ull << 40, BOOT_ERROR_NO_ROOM),
    FIELD(DATA.p_paddr, ELF_TEXT_GPA + 3, BOOT_ERROR_MALFORMED), /* overlaps */
    FIELD(DATA.p_paddr, 0x80000000, BOOT_ERROR_NO_ROOM),
    FIELD(DATA.p_paddr, 0xff000, BOOT_ERROR_NO_ROOM), /* where boot data and tables are */
    FIELD(NOTE.p_type, PT_NULL, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(NOTE.p_offset, UINT64_MAX, BOOT_ERROR_TRUNCATED),
    FIELD(NOTE.p_filesz, 23, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(NOTE.p_filesz, 4096, BOOT_ERROR_TRUNCATED),
    FIELD(NOTE.p_filesz, UINT64_MAX, BOOT_ERROR_NOT_A_KERNEL), /* passed over: nobody's notes are that long */
    FIELD(note.name_size, UINT32_MAX, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(note.value_size, UINT32_MAX, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(note.value_size, 2, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(note.type, 17, BOOT_ERROR_NOT_A_KERNEL),
    FIELD(note.entry, ELF_TEXT_GPA - 1, BOOT_ERROR_MALFORMED),
    FIELD(note.entry, ELF_TEXT_GPA + sizeof(ELF_TEXT), BOOT_ERROR_MALFORMED),
};

static void
test_spoilt(void)
{
    g_autoptr(GuestMemory) memory = test_memory(8 * MIB);

    for (gsize i = 0; i < G_N_ELEMENTS(spoilt); i++) {
        TestElf elf = test_elf();
        BootState state;
        g_autoptr(GError) error = NULL;
        memcpy((char *)&elf + spoilt[i].offset, &spoilt[i].value, spoilt[i].size);
        g_test_message("%s", spoilt[i].what);
        g_assert_false(load(memory, &elf, sizeof(elf), true, &state, &error));
        g_assert_error(error, BOOT_ERROR, (int)spoilt[i].code);
        g_assert_nonnull(strstr(error->message, "test.elf"));
    }
}

static void
test_every_truncation(void)
{
    g_autoptr(GuestMemory) memory = test_memory(8 * MIB);
    TestElf elf = test_elf();

    for (size_t len = SELFMAG; len < offsetof(TestElf, data) + sizeof(ELF_DATA); len++) {
        BootState state;
        g_autoptr(GError) error = NULL;
        g_assert_false(load(memory, &elf, len, true, &state, &error));
        g_assert_nonnull(error);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/elf/loads", test_loads);
    g_test_add_func("/elf/start-info", test_start_info);
    g_test_add_func("/elf/initrd", test_initrd);
    g_test_add_func("/elf/narrow", test_narrow);
    g_test_add_func("/elf/other-notes", test_other_notes);
    g_test_add_func("/elf/spoilt", test_spoilt);
    g_test_add_func("/elf/truncated", test_every_truncation);
    return g_test_run();
}
