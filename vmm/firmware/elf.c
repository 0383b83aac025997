/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF kernels with a PVH entry: Linux's vmlinux, BSD kernels, bare-metal guests.
 *
 * A note named "Xen" of type XEN_ELFNOTE_PHYS32_ENTRY gives the physical address where the kernel is entered in 32-bit
 * protected mode, with %ebx at the start info (Xen's docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h). Loadable
 * segments go to their physical addresses. The 32-bit and 64-bit formats are read into the same small structs first; only
 * those are looked at afterwards.
 */
#include "vmm/firmware/loader.h"

#include "vmm/board/bytes.h"
#include "vmm/board/memory_map.h"

#include <elf.h>
#include <string.h>

#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define SEGMENTS_MAX 64           /* program headers; vmlinux has 5 */
#define NOTES_SIZE_MAX (1u << 20) /* bytes of one note segment */

/* struct hvm_start_info and what it points to, version 1; all in one page. */
#define START_MAGIC 0x336ec578
#define START_INFO_SIZE 56
#define START_MODULE_SIZE 32

typedef struct {
    uint32_t type;
    uint64_t offset, gpa, file_size, memory_size, align;
} Segment;

typedef struct {
    Segment segments[SEGMENTS_MAX];
    unsigned n_segments;
    uint64_t entry;
} Elf;

static bool
malformed(const BootFile *file, GError **error, const char *what)
{
    g_set_error(error, BOOT_ERROR, BOOT_ERROR_MALFORMED, "%s: bad ELF: %s", file->name, what);
    return false;
}

static bool
unfit(const BootFile *file, GError **error, const char *what)
{
    g_set_error(error, BOOT_ERROR, BOOT_ERROR_NOT_A_KERNEL,
                "%s is not a kernel Carrel can boot (wants bzImage or a PVH ELF): %s", file->name, what);
    return false;
}

/* The fields of the file header that are the same job in both formats. */
typedef struct {
    uint16_t machine, type, n_headers, header_size;
    uint64_t headers;
    bool is_64;
} Header;

static bool
read_header(const BootFile *file, Header *header, GError **error)
{
    union {
        unsigned char ident[EI_NIDENT];
        Elf32_Ehdr narrow;
        Elf64_Ehdr wide;
    } raw = {0};

    if (!boot_file_read(file, 0, &raw, MIN(file->size, sizeof(raw)), error))
        return false;
    if (raw.ident[EI_DATA] != ELFDATA2LSB)
        return unfit(file, error, "an ELF of a big-endian machine");
    if (raw.ident[EI_CLASS] == ELFCLASS64 && file->size >= sizeof(raw.wide))
        *header = (Header){raw.wide.e_machine,   raw.wide.e_type,  raw.wide.e_phnum,
                           raw.wide.e_phentsize, raw.wide.e_phoff, true};
    else if (raw.ident[EI_CLASS] == ELFCLASS32 && file->size >= sizeof(raw.narrow))
        *header = (Header){raw.narrow.e_machine,   raw.narrow.e_type,  raw.narrow.e_phnum,
                           raw.narrow.e_phentsize, raw.narrow.e_phoff, false};
    else
        return malformed(file, error, "neither of the 32-bit nor of the 64-bit format, or too short for it");
    if (header->machine != EM_X86_64 && header->machine != EM_386)
        return unfit(file, error, "an ELF of another machine");
    if (header->type != ET_EXEC && header->type != ET_DYN)
        return unfit(file, error, "an ELF that is not an executable");
    if (header->header_size != (header->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
        return malformed(file, error, "program headers of an unknown size");
    if (!header->n_headers || header->n_headers > SEGMENTS_MAX)
        return malformed(file, error, "no program headers, or more than 64");
    return true;
}

static bool
read_segments(const BootFile *file, const Header *header, Elf *elf, GError **error)
{
    union {
        Elf32_Phdr narrow[SEGMENTS_MAX];
        Elf64_Phdr wide[SEGMENTS_MAX];
    } raw;

    if (!boot_file_read(file, header->headers, &raw, (size_t)header->n_headers * header->header_size, error))
        return false;
    for (unsigned i = 0; i < header->n_headers; i++) {
        const Elf32_Phdr *narrow = &raw.narrow[i];
        const Elf64_Phdr *wide = &raw.wide[i];
        elf->segments[i] = header->is_64 ? (Segment){wide->p_type,   wide->p_offset, wide->p_paddr,
                                                     wide->p_filesz, wide->p_memsz,  wide->p_align}
                                         : (Segment){narrow->p_type,   narrow->p_offset, narrow->p_paddr,
                                                     narrow->p_filesz, narrow->p_memsz,  narrow->p_align};
    }
    elf->n_segments = header->n_headers;
    return true;
}

/* Every loadable segment is in the file, at most as long there as in memory, and apart from the others. */
static bool
check_segments(const BootFile *file, const Elf *elf, GError **error)
{
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const Segment *one = &elf->segments[i];
        if (one->type != PT_LOAD)
            continue;
        if (one->file_size > one->memory_size)
            return malformed(file, error, "a segment is longer in the file than in memory");
        if (one->offset > file->size || one->file_size > file->size - one->offset) {
            g_set_error(error, BOOT_ERROR, BOOT_ERROR_TRUNCATED, "%s is truncated: a segment lies beyond its end",
                        file->name);
            return false;
        }
        if (one->gpa + one->memory_size < one->gpa)
            return malformed(file, error, "a segment wraps around");
        for (unsigned j = 0; j < i; j++) {
            const Segment *other = &elf->segments[j];
            if (other->type == PT_LOAD && one->gpa < other->gpa + other->memory_size &&
                other->gpa < one->gpa + one->memory_size)
                return malformed(file, error, "two segments overlap");
        }
    }
    return true;
}

static uint64_t
get_little(const uint8_t *from, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, from, size);
    return GUINT64_FROM_LE(value);
}

/* Looks for the entry among the notes; @align is 4, or 8 where the segment says so (gABI, "Note Section"). */
static bool
find_entry(const uint8_t *notes, size_t len, size_t align, uint64_t *entry)
{
    size_t at = 0;

    while (len - at >= 12) {
        uint64_t name_size = get_little(notes + at, 4);
        uint64_t value_size = get_little(notes + at + 4, 4);
        uint64_t type = get_little(notes + at + 8, 4);
        uint64_t value = (at + 12 + name_size + align - 1) & ~(align - 1); /* 32-bit sizes: no wrap */
        uint64_t next = (value + value_size + align - 1) & ~(align - 1);
        if (value + value_size > len)
            return false;
        if (type == XEN_ELFNOTE_PHYS32_ENTRY && name_size == 4 && memcmp(notes + at + 12, "Xen", 4) == 0 &&
            (value_size == 4 || value_size == 8)) {
            *entry = get_little(notes + value, value_size);
            return true;
        }
        at = MIN(next, len);
    }
    return false;
}

static bool
read_entry(const BootFile *file, Elf *elf, GError **error)
{
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const Segment *segment = &elf->segments[i];
        if (segment->type != PT_NOTE || segment->file_size > NOTES_SIZE_MAX)
            continue;
        g_autofree uint8_t *notes = g_malloc(segment->file_size + 1);
        if (!boot_file_read(file, segment->offset, notes, segment->file_size, error))
            return false;
        if (find_entry(notes, segment->file_size, segment->align == 8 ? 8 : 4, &elf->entry))
            return true;
    }
    return unfit(file, error, "an ELF without a PVH entry (a Linux kernel needs CONFIG_PVH)");
}

static bool
entry_is_loaded(const Elf *elf)
{
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const Segment *segment = &elf->segments[i];
        if (segment->type == PT_LOAD && elf->entry >= segment->gpa && elf->entry - segment->gpa < segment->file_size)
            return elf->entry <= UINT32_MAX; /* it is entered in 32-bit mode */
    }
    return false;
}

static bool
elf_read(const BootFile *file, Elf *elf, GError **error)
{
    Header header;

    if (!read_header(file, &header, error) || !read_segments(file, &header, elf, error) ||
        !check_segments(file, elf, error) || !read_entry(file, elf, error))
        return false;
    return entry_is_loaded(elf) || malformed(file, error, "the PVH entry is outside of what is loaded");
}

static bool
load_segment(const BootJob *job, const Segment *segment, GError **error)
{
    if (!segment->memory_size)
        return true;
    if (!loader_is_kernel_ram(job->memory, segment->gpa, segment->memory_size)) {
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM,
                    "%s does not fit: it wants %" G_GUINT64_FORMAT " bytes at 0x%" G_GINT64_MODIFIER
                    "x, where this desktop has no free memory",
                    job->kernel.name, segment->memory_size, segment->gpa);
        return false;
    }
    if (!boot_file_load(&job->kernel, segment->offset, segment->file_size, job->memory, segment->gpa, error))
        return false;
    uint64_t rest = segment->memory_size - segment->file_size;
    if (rest && !job->fresh) {
        uint8_t *zero = guest_memory_at(job->memory, segment->gpa + segment->file_size, rest);
        memset(zero, 0, rest);
        guest_memory_dirty(job->memory, zero, rest);
    }
    return true;
}

static bool
load_segments(const BootJob *job, const Elf *elf, uint64_t *low_end, GError **error)
{
    *low_end = BOARD_KERNEL_BASE;
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const Segment *segment = &elf->segments[i];
        if (segment->type != PT_LOAD)
            continue;
        if (!load_segment(job, segment, error))
            return false;
        if (segment->gpa < GUEST_LOW_RAM_MAX)
            *low_end = MAX(*low_end, segment->gpa + segment->memory_size);
    }
    return true;
}

/* The start info, then the module and the memory map it points to. */
static bool
place_start_info(const BootJob *job, const BootInitrd *initrd, GError **error)
{
    g_autoptr(GByteArray) page = g_byte_array_new();
    MemoryList list;
    memory_list_init(&list, job->memory);
    unsigned n_modules = initrd->size != 0;
    uint64_t modules = BOARD_BOOT_ZERO_PAGE + START_INFO_SIZE;
    uint64_t map = modules + n_modules * START_MODULE_SIZE;

    bytes_put(page, START_MAGIC, 4);
    bytes_put(page, 1, 4); /* version */
    bytes_put(page, 0, 4); /* flags: not the control domain */
    bytes_put(page, n_modules, 4);
    bytes_put(page, n_modules ? modules : 0, 8);
    bytes_put(page, BOARD_BOOT_COMMAND_LINE, 8);
    bytes_put(page, job->rsdp, 8);
    bytes_put(page, map, 8);
    bytes_put(page, list.n, 4);
    bytes_put(page, 0, 4);
    if (n_modules) {
        bytes_put(page, initrd->gpa, 8);
        bytes_put(page, initrd->size, 8);
        bytes_put(page, 0, 8); /* no command line of its own */
        bytes_put(page, 0, 8);
    }
    g_assert(page->len == map - BOARD_BOOT_ZERO_PAGE);
    for (unsigned i = 0; i < list.n; i++) {
        bytes_put(page, list.entries[i].gpa, 8);
        bytes_put(page, list.entries[i].size, 8);
        bytes_put(page, list.entries[i].type, 4);
        bytes_put(page, 0, 4);
    }
    if (guest_memory_write(job->memory, BOARD_BOOT_ZERO_PAGE, page->data, page->len))
        return true;
    g_set_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM, "no memory for the start info");
    return false;
}

static bool
elf_recognises(const uint8_t *head, size_t len)
{
    return len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static bool
elf_check(const BootFile *file, GError **error)
{
    Elf elf = {0};
    return elf_read(file, &elf, error);
}

static bool
elf_load(const BootJob *job, BootState *state, GError **error)
{
    Elf elf = {0};
    BootInitrd initrd;
    uint64_t low_end;

    if (!elf_read(&job->kernel, &elf, error) || !load_segments(job, &elf, &low_end, error))
        return false;
    if (!loader_place_initrd(job, low_end, UINT64_MAX, &initrd, error) ||
        !loader_place_command_line(job, SIZE_MAX, error) || !place_start_info(job, &initrd, error))
        return false;
    *state = (BootState){.mode = BOOT_MODE_PROTECTED, .rip = elf.entry, .rbx = BOARD_BOOT_ZERO_PAGE};
    return true;
}

const KernelLoader elf_loader = {.name = "PVH ELF", .recognises = elf_recognises, .check = elf_check, .load = elf_load};
