/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux bzImage, by the 64-bit boot protocol (Documentation/arch/x86/boot.rst), version 2.12 or later: every kernel since
 * 3.8.
 *
 * The real-mode part of the file is not run. Its header is copied into boot_params, which we complete; the protected-mode
 * part goes to the address the header prefers, and the processor starts in long mode, 0x200 bytes into it, with the first
 * GiB mapped one to one. struct boot_params is the kernel's own published layout.
 */
#include "vmm/firmware/loader.h"

#include "vmm/board/bytes.h"
#include "vmm/board/memory_map.h"

#include <asm/bootparam.h>
#include <string.h>

#define HEADER_AT 0x1f1         /* of struct setup_header in the file and in boot_params */
#define HEADER_MAGIC 0x53726448 /* "HdrS" */
#define BOOT_FLAG 0xaa55
#define PROTOCOL_OLDEST 0x20c
#define SECTOR 512
#define ENTRY_64 0x200
#define LOADER_UNKNOWN 0xff    /* type_of_loader of one without a number of its own */
#define MAPPED_SIZE (1u << 30) /* what our page tables map: kernel, boot_params and command line lie within */

#define PAGE_PRESENT_WRITABLE 0x3u
#define PAGE_LARGE 0x80u

G_STATIC_ASSERT(G_STRUCT_OFFSET(struct boot_params, hdr) == HEADER_AT);
G_STATIC_ASSERT(sizeof(struct boot_params) <= BOARD_BOOT_COMMAND_LINE - BOARD_BOOT_ZERO_PAGE);
G_STATIC_ASSERT(HEADER_AT + sizeof(struct setup_header) <= LOADER_HEAD_SIZE);

typedef struct {
    struct setup_header header;
    uint64_t offset, size; /* of the protected-mode part in the file */
} BzImage;

static bool
refuse(const BootFile *file, GError **error, BootError code, const char *what)
{
    g_set_error(error, BOOT_ERROR, (int)code, "%s: a bzImage Carrel cannot boot: %s", file->name, what);
    return false;
}

/* Copies the header: as much as the kernel has, and we know. It ends where its first jump leads (boot.rst, "jump"). */
static bool
read_header(const BootFile *file, struct setup_header *header, GError **error)
{
    size_t jump_end = G_STRUCT_OFFSET(struct setup_header, header);
    uint8_t raw[sizeof(*header)] = {0};

    if (!boot_file_read(file, HEADER_AT, raw, MIN(sizeof(raw), file->size - HEADER_AT), error))
        return false;
    size_t len = MIN(jump_end + raw[jump_end - 1], sizeof(raw));
    memset(header, 0, sizeof(*header));
    memcpy(header, raw, len);
    return true;
}

static bool
is_power_of_two(uint32_t value)
{
    return value && !(value & (value - 1));
}

static bool
check_header(const BootFile *file, const struct setup_header *header, GError **error)
{
    if (header->version < PROTOCOL_OLDEST)
        return refuse(file, error, BOOT_ERROR_NOT_A_KERNEL, "its boot protocol is older than 2.12");
    if (!(header->xloadflags & XLF_KERNEL_64))
        return refuse(file, error, BOOT_ERROR_NOT_A_KERNEL, "it is a 32-bit kernel");
    if (!(header->loadflags & LOADED_HIGH))
        return refuse(file, error, BOOT_ERROR_NOT_A_KERNEL, "it is a zImage, to be loaded low");
    if (header->relocatable_kernel && !is_power_of_two(header->kernel_alignment))
        return refuse(file, error, BOOT_ERROR_MALFORMED, "its alignment is not a power of two");
    return true;
}

static bool
bzimage_read(const BootFile *file, BzImage *image, GError **error)
{
    if (!read_header(file, &image->header, error) || !check_header(file, &image->header, error))
        return false;
    unsigned sectors = image->header.setup_sects ? image->header.setup_sects : 4;
    image->offset = (sectors + 1) * SECTOR;
    image->size = (uint64_t)image->header.syssize * 16;
    /* The size is in paragraphs, and the last one need not be whole in the file. */
    if (!image->size || image->offset >= file->size || image->size > file->size - image->offset + 15)
        return refuse(file, error, BOOT_ERROR_TRUNCATED, "it is truncated");
    image->size = MIN(image->size, file->size - image->offset);
    if (image->header.init_size < image->size || image->size <= ENTRY_64)
        return refuse(file, error, BOOT_ERROR_MALFORMED, "its sizes contradict each other");
    return true;
}

/* Where the kernel may unpack itself: the address it prefers, or else, if it can be moved, the lowest there is. */
static bool
choose_address(const BootJob *job, const struct setup_header *header, uint64_t *address, GError **error)
{
    uint64_t lowest = BOARD_KERNEL_BASE;
    if (header->relocatable_kernel)
        lowest = (lowest + header->kernel_alignment - 1) & ~((uint64_t)header->kernel_alignment - 1);
    const uint64_t candidates[] = {header->pref_address, lowest};

    for (unsigned i = 0; i < (header->relocatable_kernel ? 2 : 1); i++) {
        bool mapped = candidates[i] < MAPPED_SIZE && header->init_size <= MAPPED_SIZE - candidates[i];
        if (mapped && loader_is_kernel_ram(job->memory, candidates[i], header->init_size)) {
            *address = candidates[i];
            return true;
        }
    }
    g_set_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM, "%s does not fit: it wants %u MiB to unpack itself",
                job->kernel.name, (header->init_size >> 20) + 1);
    return false;
}

static void
fill_memory_map(const BootJob *job, struct boot_params *params)
{
    MemoryList list;

    memory_list_init(&list, job->memory);
    for (unsigned i = 0; i < list.n; i++)
        params->e820_table[i] = (struct boot_e820_entry){
            .addr = list.entries[i].gpa, .size = list.entries[i].size, .type = list.entries[i].type};
    params->e820_entries = list.n;
}

static bool
place_params(const BootJob *job, const BzImage *image, uint64_t address, const BootInitrd *initrd, GError **error)
{
    struct boot_params params = {.hdr = image->header, .acpi_rsdp_addr = job->rsdp};

    params.hdr.type_of_loader = LOADER_UNKNOWN;
    params.hdr.code32_start = address;
    params.hdr.cmd_line_ptr = BOARD_BOOT_COMMAND_LINE;
    params.hdr.ramdisk_image = initrd->gpa; /* below 4 GiB: initrd_addr_max has 32 bits */
    params.hdr.ramdisk_size = initrd->size;
    params.hdr.setup_data = 0;
    fill_memory_map(job, &params);
    if (guest_memory_write(job->memory, BOARD_BOOT_ZERO_PAGE, &params, sizeof(params)))
        return true;
    g_set_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM, "no memory for boot_params");
    return false;
}

/* One page each: top level, second, and 512 large pages of 2 MiB (Intel SDM 3A, 4.5). */
static bool
place_page_tables(GuestMemory *memory)
{
    g_autoptr(GByteArray) tables = g_byte_array_sized_new(3 * GUEST_PAGE_SIZE);

    bytes_put(tables, (BOARD_BOOT_PAGE_TABLES + GUEST_PAGE_SIZE) | PAGE_PRESENT_WRITABLE, 8);
    bytes_pad_to(tables, GUEST_PAGE_SIZE);
    bytes_put(tables, (BOARD_BOOT_PAGE_TABLES + 2 * GUEST_PAGE_SIZE) | PAGE_PRESENT_WRITABLE, 8);
    bytes_pad_to(tables, 2 * GUEST_PAGE_SIZE);
    for (uint64_t at = 0; at < MAPPED_SIZE; at += 2u << 20)
        bytes_put(tables, at | PAGE_LARGE | PAGE_PRESENT_WRITABLE, 8);
    return guest_memory_write(memory, BOARD_BOOT_PAGE_TABLES, tables->data, tables->len);
}

/* __BOOT_CS 0x10 and __BOOT_DS 0x18 (boot.rst, "64-bit boot protocol"), and the task segment at 0x20. */
static const uint64_t gdt[] = {
    0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00008b0000000067, 0,
};

static bool
place_long_mode(const BootJob *job, uint64_t address, BootState *state, GError **error)
{
    uint64_t little[G_N_ELEMENTS(gdt)];

    for (gsize i = 0; i < G_N_ELEMENTS(gdt); i++)
        little[i] = GUINT64_TO_LE(gdt[i]);
    if (!place_page_tables(job->memory) || !guest_memory_write(job->memory, BOARD_BOOT_GDT, little, sizeof(little))) {
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM, "no memory for page tables");
        return false;
    }
    *state = (BootState){
        .mode = BOOT_MODE_LONG,
        .rip = address + ENTRY_64,
        .rsp = BOARD_BOOT_STACK_TOP,
        .rsi = BOARD_BOOT_ZERO_PAGE,
        .cr3 = BOARD_BOOT_PAGE_TABLES,
        .gdt_base = BOARD_BOOT_GDT,
        .gdt_limit = sizeof(gdt) - 1,
    };
    return true;
}

static bool
bzimage_recognises(const uint8_t *head, size_t len)
{
    struct setup_header header;

    if (len < HEADER_AT + sizeof(header))
        return false;
    memcpy(&header, head + HEADER_AT, sizeof(header));
    return header.boot_flag == BOOT_FLAG && header.header == HEADER_MAGIC;
}

static bool
bzimage_check(const BootFile *file, GError **error)
{
    BzImage image;
    return bzimage_read(file, &image, error);
}

static bool
bzimage_load(const BootJob *job, BootState *state, GError **error)
{
    BzImage image;
    BootInitrd initrd;
    uint64_t address;

    if (!bzimage_read(&job->kernel, &image, error) || !choose_address(job, &image.header, &address, error) ||
        !boot_file_load(&job->kernel, image.offset, image.size, job->memory, address, error))
        return false;
    uint64_t limit = (uint64_t)image.header.initrd_addr_max + 1;
    return loader_place_initrd(job, address + image.header.init_size, limit, &initrd, error) &&
           loader_place_command_line(job, image.header.cmdline_size, error) &&
           place_params(job, &image, address, &initrd, error) && place_long_mode(job, address, state, error);
}

const KernelLoader bzimage_loader = {
    .name = "bzImage", .recognises = bzimage_recognises, .check = bzimage_check, .load = bzimage_load};
