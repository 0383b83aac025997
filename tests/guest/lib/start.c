/* SPDX-License-Identifier: Apache-2.0 */
/* From boot.S to the test: copies the start info, sets the processor up, runs guest_main() and ends the guest. */
#include "start.h"
#include "acpi.h"
#include "apic.h"
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "interrupt.h"
#include "power.h"
#include "text.h"

/* xen/include/public/arch-x86/hvm/start_info.h */
#define HVM_START_MAGIC 0x336ec578

typedef struct HvmStart {
    uint32_t magic, version, flags, n_modules;
    uint64_t modules, command_line, root_pointer;
    uint64_t memory_map; /* from here on: version 1 */
    uint32_t n_memory_map, reserved;
} HvmStart;

typedef struct HvmModule {
    uint64_t address, size, command_line, reserved;
} HvmModule;

typedef struct HvmRegion {
    uint64_t address, size;
    uint32_t type, reserved;
} HvmRegion;

extern const HvmStart *boot_start_info;
extern char image_end[];
void boot_main(void);

StartInfo start_info;
static uint64_t next_page;

static void
start_read(const HvmStart *hvm)
{
    if (hvm->magic != HVM_START_MAGIC)
        panic("start info at %p has magic %x", hvm, hvm->magic);

    start_info.version = hvm->version;
    start_info.root_pointer = hvm->root_pointer;
    if (hvm->n_modules > 0) {
        const HvmModule *module = (const HvmModule *)hvm->modules;
        start_info.module = module->address;
        start_info.module_size = module->size;
    }

    const char *from = (const char *)hvm->command_line;
    for (size_t i = 0; from && from[i] && i < sizeof(start_info.command_line) - 1; i++)
        start_info.command_line[i] = from[i];

    const HvmRegion *map = (const HvmRegion *)hvm->memory_map;
    for (unsigned i = 0; hvm->version >= 1 && i < hvm->n_memory_map && i < START_REGIONS_MAX; i++)
        start_info.regions[start_info.n_regions++] = (StartRegion){map[i].address, map[i].size, map[i].type};
}

const char *
start_option(const char *key, const char *fallback)
{
    static char value[128];
    size_t length = strlen(key);

    for (const char *at = start_info.command_line; *at; at++) {
        if ((at == start_info.command_line || at[-1] == ' ') && strncmp(at, key, length) == 0 && at[length] == '=') {
            size_t n = 0;
            for (at += length + 1; *at && *at != ' ' && n < sizeof(value) - 1; at++)
                value[n++] = *at;
            value[n] = '\0';
            return value;
        }
    }
    return fallback;
}

uint64_t
start_option_number(const char *key, uint64_t fallback)
{
    const char *text = start_option(key, NULL);

    return text ? text_number(text) : fallback;
}

bool
start_on_qemu(void)
{
    return strcmp(start_option("vmm", ""), "qemu") == 0;
}

void *
pages_allocate(size_t n)
{
    if (!next_page)
        next_page = (uint64_t)image_end;

    /* Memory is zero when a guest starts, and no page is given out twice. */
    void *pages = (void *)next_page;
    next_page += n * PAGE_SIZE;
    for (unsigned i = 0; i < start_info.n_regions; i++) {
        const StartRegion *region = &start_info.regions[i];
        bool holds = region->address <= (uint64_t)pages && next_page <= region->address + region->size;
        if (holds && region->type == START_REGION_RAM)
            return pages;
    }
    panic("no memory for %lu pages at %p", n, pages);
}

uint64_t
start_ram_end(bool below_4g)
{
    uint64_t end = 0;

    for (unsigned i = 0; i < start_info.n_regions; i++) {
        uint64_t past = start_info.regions[i].address + start_info.regions[i].size;
        if (start_info.regions[i].type == START_REGION_RAM && past > end && (!below_4g || past <= 1ul << 32))
            end = past;
    }
    return end;
}

void
boot_main(void)
{
    console_init();
    interrupt_init();
    interrupt_init_cpu(0);
    start_read(boot_start_info);
    local_apic_init();
    clock_init();
    acpi_init();
    guest_main();
    power_end();
}
