/* SPDX-License-Identifier: Apache-2.0 */
/* Direct boot: telling what a file is, and what both kinds of kernel need. */
#include "vmm/firmware/kernel.h"

#include "vmm/board/memory_map.h"
#include "vmm/firmware/loader.h"

#include <glib/gstdio.h>
#include <string.h>

struct Kernel {
    GuestMemory *memory;
    int kernel_fd, initrd_fd;
    char *kernel_name, *initrd_name, *command_line;
    const AcpiTables *acpi;
    bool fresh; /* until the first load */
};

static const KernelLoader *const loaders[] = {&bzimage_loader, &elf_loader};

static bool
not_a_kernel(const BootFile *file, const uint8_t *head, size_t len, GError **error)
{
    const char *looks = "";
    if (len >= 2 && memcmp(head, "\x1f\x8b", 2) == 0)
        looks = " (it is compressed by gzip: unpack it)";
    else if (len >= 4 && memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0)
        looks = " (it is compressed by zstd: unpack it)";
    g_set_error(error, BOOT_ERROR, BOOT_ERROR_NOT_A_KERNEL,
                "%s is not a kernel Carrel can boot (wants bzImage or a PVH ELF)%s", file->name, looks);
    return false;
}

static const KernelLoader *
find_loader(const BootFile *file, GError **error)
{
    uint8_t head[LOADER_HEAD_SIZE];
    size_t len = MIN(file->size, sizeof(head));

    if (!boot_file_read(file, 0, head, len, error))
        return NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(loaders); i++)
        if (loaders[i]->recognises(head, len))
            return loaders[i];
    not_a_kernel(file, head, len, error);
    return NULL;
}

static bool
place_acpi(const Kernel *kernel, uint64_t *rsdp, GError **error)
{
    *rsdp = 0;
    if (!kernel->acpi)
        return true;
    g_autoptr(GByteArray) image = acpi_tables_link(kernel->acpi, BOARD_ACPI_BASE);
    if (image->len > BOARD_ACPI_END - BOARD_ACPI_BASE ||
        !guest_memory_write(kernel->memory, BOARD_ACPI_BASE, image->data, image->len)) {
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM, "no room for %u bytes of ACPI tables", image->len);
        return false;
    }
    *rsdp = BOARD_ACPI_BASE; /* the root comes first */
    return true;
}

bool
kernel_check(int fd, const char *name, GError **error)
{
    BootFile file;

    if (!boot_file_init(&file, fd, name, error))
        return false;
    const KernelLoader *loader = find_loader(&file, error);
    return loader && loader->check(&file, error);
}

Kernel *
kernel_new(const KernelOptions *options, GuestMemory *memory, GError **error)
{
    g_autoptr(Kernel) kernel = g_new0(Kernel, 1);
    kernel->memory = memory;
    kernel->kernel_fd = options->kernel_fd;
    kernel->initrd_fd = options->initrd_fd;
    kernel->kernel_name = g_strdup(options->kernel_name);
    kernel->initrd_name = g_strdup(options->initrd_name);
    kernel->command_line = g_strdup(options->command_line ? options->command_line : "");
    kernel->acpi = options->acpi;
    kernel->fresh = options->fresh_memory;
    return kernel_check(kernel->kernel_fd, kernel->kernel_name, error) ? g_steal_pointer(&kernel) : NULL;
}

void
kernel_free(Kernel *kernel)
{
    if (!kernel)
        return;
    g_clear_fd(&kernel->kernel_fd, NULL);
    g_clear_fd(&kernel->initrd_fd, NULL);
    g_free(kernel->kernel_name);
    g_free(kernel->initrd_name);
    g_free(kernel->command_line);
    g_free(kernel);
}

bool
kernel_load(void *opaque, BootState *state, GError **error)
{
    Kernel *kernel = opaque;
    BootJob job = {
        .memory = kernel->memory, .initrd.fd = -1, .command_line = kernel->command_line, .fresh = kernel->fresh};

    kernel->fresh = false;
    if (!boot_file_init(&job.kernel, kernel->kernel_fd, kernel->kernel_name, error))
        return false;
    if (kernel->initrd_fd >= 0 && !boot_file_init(&job.initrd, kernel->initrd_fd, kernel->initrd_name, error))
        return false;
    const KernelLoader *loader = find_loader(&job.kernel, error);
    return loader && place_acpi(kernel, &job.rsdp, error) && loader->load(&job, state, error);
}

bool
loader_is_kernel_ram(const GuestMemory *memory, uint64_t gpa, uint64_t size)
{
    return gpa >= BOARD_KERNEL_BASE && guest_memory_at(memory, gpa, size);
}

bool
loader_place_initrd(const BootJob *job, uint64_t kernel_end, uint64_t limit, BootInitrd *initrd, GError **error)
{
    *initrd = (BootInitrd){0, 0};
    if (job->initrd.fd < 0)
        return true;
    uint64_t top = MIN(limit, memory_low_end(job->memory));
    uint64_t size = job->initrd.size;
    if (kernel_end > top || size > top - kernel_end || ((top - size) & ~0xfffull) < kernel_end) {
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM,
                    "%s (%" G_GUINT64_FORMAT " MiB) does not fit beside the kernel: give the desktop more memory",
                    job->initrd.name, (size >> 20) + 1);
        return false;
    }
    *initrd = (BootInitrd){(top - size) & ~0xfffull, size};
    return boot_file_load(&job->initrd, 0, size, job->memory, initrd->gpa, error);
}

bool
loader_place_command_line(const BootJob *job, size_t max, GError **error)
{
    size_t len = strlen(job->command_line);

    max = MIN(max, BOARD_BOOT_COMMAND_LINE_END - BOARD_BOOT_COMMAND_LINE - 1);
    if (len > max) {
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_COMMAND_LINE, "the command line has %zu bytes, %s takes at most %zu",
                    len, job->kernel.name, max);
        return false;
    }
    if (!guest_memory_write(job->memory, BOARD_BOOT_COMMAND_LINE, job->command_line, len + 1)) {
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM, "no memory for the command line");
        return false;
    }
    return true;
}
