/* SPDX-License-Identifier: Apache-2.0 */
/* Small kernels to load: an ELF with a PVH note and a bzImage, valid until a test spoils them. */
#pragma once

#include "vmm/firmware/loader.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1ull << 20)

#define ELF_TEXT_GPA 0x200000ull
#define ELF_DATA_GPA 0x400000ull
#define ELF_TEXT "this is the text"
#define ELF_DATA "and this is the data"
#define ELF_DATA_MEMORY 0x3000

/* Program headers in this order. */
enum { ELF_PH_NOTE, ELF_PH_TEXT, ELF_PH_DATA, ELF_PH_COUNT };

typedef struct {
    Elf64_Ehdr header;
    Elf64_Phdr programs[ELF_PH_COUNT];
    struct {
        uint32_t name_size, value_size, type;
        char name[4];
        uint64_t entry;
    } note;
    char text[sizeof(ELF_TEXT)];
    char data[sizeof(ELF_DATA)];
} TestElf;

static inline TestElf
test_elf(void)
{
    return (TestElf){
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_X86_64,
                   .e_phoff = offsetof(TestElf, programs),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = ELF_PH_COUNT},
        .programs =
            {[ELF_PH_NOTE] = {.p_type = PT_NOTE, .p_offset = offsetof(TestElf, note), .p_filesz = 24, .p_align = 4},
             [ELF_PH_TEXT] = {.p_type = PT_LOAD,
                              .p_offset = offsetof(TestElf, text),
                              .p_vaddr = 0xffffffff80000000,
                              .p_paddr = ELF_TEXT_GPA,
                              .p_filesz = sizeof(ELF_TEXT),
                              .p_memsz = sizeof(ELF_TEXT)},
             [ELF_PH_DATA] = {.p_type = PT_LOAD,
                              .p_offset = offsetof(TestElf, data),
                              .p_paddr = ELF_DATA_GPA,
                              .p_filesz = sizeof(ELF_DATA),
                              .p_memsz = ELF_DATA_MEMORY}},
        .note = {4, 8, 18, "Xen", ELF_TEXT_GPA + 4},
        .text = ELF_TEXT,
        .data = ELF_DATA,
    };
}

#define BZIMAGE_SECTORS 2
#define BZIMAGE_SETUP_SIZE ((BZIMAGE_SECTORS + 1) * 512)
#define BZIMAGE_KERNEL_SIZE 0x400 /* bytes of the protected-mode part */

typedef union {
    uint8_t bytes[BZIMAGE_SETUP_SIZE + BZIMAGE_KERNEL_SIZE];
    struct {
        uint8_t before[0x1f1];
        struct setup_header header;
    } __attribute__((packed));
} TestBzImage;

static inline TestBzImage
test_bzimage(void)
{
    TestBzImage image = {.bytes = {0}};

    image.header = (struct setup_header){
        .setup_sects = BZIMAGE_SECTORS,
        .syssize = BZIMAGE_KERNEL_SIZE / 16,
        .boot_flag = 0xaa55,
        .jump = 0xeb | (sizeof(struct setup_header) - 0x11) << 8,
        .header = 0x53726448,
        .version = 0x20f,
        .loadflags = LOADED_HIGH,
        .initrd_addr_max = 0x7fffffff,
        .kernel_alignment = 0x200000,
        .relocatable_kernel = 1,
        .xloadflags = XLF_KERNEL_64,
        .cmdline_size = 2047,
        .pref_address = 0x1000000,
        .init_size = 0x100000,
    };
    for (unsigned i = 0; i < BZIMAGE_KERNEL_SIZE; i++)
        image.bytes[BZIMAGE_SETUP_SIZE + i] = i * 7 + 1;
    return image;
}

/* A file with these bytes, to be closed by who takes it. */
static inline int
test_file(const void *bytes, size_t len)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, bytes, len), ==, len);
    return fd;
}

static inline GuestMemory *
test_memory(uint64_t size)
{
    GuestMemory *memory = guest_memory_new(&(GuestMemoryOptions){.size = size}, NULL);
    g_assert_nonnull(memory);
    return memory;
}

/* One way to spoil a valid file, and what is said then. */
typedef struct {
    const char *what;
    size_t offset; /* of a number in the file … */
    unsigned size; /* … of so many bytes */
    uint64_t value;
    BootError code;
} Spoilt;

#define SPOIL(T, member, v, c) {#member "=" #v, offsetof(T, member), sizeof(((T *)0)->member), (v), (c)}
