/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop that boots by firmware: its code and variables in the address map, and what it is told through fw_cfg and CMOS.
 */
#include "vmm/desktop/desktop_private.h"
#include "display/ramfb.h"
#include "vmm/board/bytes.h"
#include "vmm/firmware/boot_file.h"
#include "vmm/firmware/debug_port.h"
#include "vmm/firmware/memory_list.h"
#include "vmm/firmware/smbios.h"
#include "vmm/firmware/table_loader.h"
#include "vmm/virtio/pci.h"

#include <linux/qemu_fw_cfg.h>

#define MIB (1ull << 20)
#define TPM_LOG_SIZE (64 * 1024) /* as much as the TCG asks for at least (PC Client Firmware Profile) */
#define KVM_PAGES 0x4000         /* from BOARD_KVM_IDENTITY_MAP */

static const char *
source_name(const ConfigSource *source)
{
    return source->path ? source->path : source->fd_name;
}

/* --- the board's part ---------------------------------------------------------------------------------------------- */

bool
desktop_make_firmware(Desktop *desktop, Resources *resources, GError **error)
{
    const DesktopConfig *config = desktop->config;

    if (!rom_init(&desktop->rom, resources->firmware, source_name(&config->firmware_code), error)) {
        g_prefix_error(error, "%s: [boot] firmware-code: ", config->path);
        return false;
    }
    if (config->firmware == FIRMWARE_UEFI) {
        desktop->flash = flash_new(g_steal_fd(&resources->variables), source_name(&config->variables), error);
        if (!desktop->flash)
            return false;
        machine_add(desktop->machine, "flash", &flash_device_ops, desktop->flash);
        /* with Secure Boot nobody changes variables but firmware in system management mode */
        bus_map(config->secure_boot ? desktop->smm_addresses : desktop->addresses,
                BOARD_FLASH_END - desktop->rom.size - flash_size(desktop->flash), flash_size(desktop->flash),
                &flash_bus_ops, desktop->flash);
    }
    if (resources->firmware_log) {
        DebugPort *port = debug_port_new(g_steal_pointer(&resources->firmware_log));
        machine_add(desktop->machine, "debug-port", &debug_port_device_ops, port);
        bus_map(desktop->ports, BOARD_PORT_DEBUG, 1, &debug_port_bus_ops, port);
    }
    const AddressMapOptions options = {
        .slots = vm_slots(desktop->vm),
        .memory = desktop->memory,
        .rom = &desktop->rom,
        .flash = desktop->flash,
        .smm = config->secure_boot,
        .machine = desktop->machine,
    };
    desktop->address_map = address_map_new(&options, error);
    return desktop->address_map != NULL;
}

/* Sizes of memory and processors where firmware has looked for them since there were PCs. */
static void
fill_cmos(const Desktop *desktop, Rtc *rtc)
{
    uint64_t size = guest_memory_size(desktop->memory), low = memory_low_end(desktop->memory);
    uint64_t base_kib = 640, extended_kib = MIN((low - MIB) / 1024, 0xffff);
    uint64_t above_16m = low > 16 * MIB ? MIN((low - 16 * MIB) >> 16, 0xffff) : 0;
    uint64_t above_4g = (size - low) >> 16;
    const struct {
        uint8_t index;
        unsigned n_bytes;
        uint64_t value;
    } numbers[] = {
        {0x15, 2, base_kib},  {0x17, 2, extended_kib}, {0x30, 2, extended_kib},
        {0x34, 2, above_16m}, {0x5b, 3, above_4g},     {0x5f, 1, desktop->config->vcpus - 1},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        for (unsigned k = 0; k < numbers[i].n_bytes; k++)
            rtc_set_memory(rtc, numbers[i].index + k, numbers[i].value >> 8 * k);
}

/* On the thread of the processor that raised it. */
static void
raise_smi(void *user)
{
    const Desktop *desktop = user;

    if (smi_features_agreed(desktop->smi_features) & SMI_FEATURE_BROADCAST)
        vcpus_broadcast_smi(desktop->vcpus);
    else
        vcpus_raise_smi(desktop->vcpus);
}

void
desktop_add_firmware_devices(Desktop *desktop, Rtc *rtc)
{
    if (desktop->config->firmware == FIRMWARE_NONE)
        return;
    pci_bus_set_memory_control(desktop->pci, address_map_control, desktop->address_map);
    desktop->fw_cfg = fw_cfg_new(desktop->memory);
    bus_map(desktop->ports, BOARD_PORT_FW_CFG, FW_CFG_PORTS, &fw_cfg_bus_ops, desktop->fw_cfg);
    if (desktop->config->secure_boot) {
        desktop->smi_features = smi_features_new(desktop->fw_cfg);
        machine_add(desktop->machine, "smi-features", &smi_features_device_ops, desktop->smi_features);
        pm_set_smi(desktop->pm, raise_smi, desktop);
        pci_bus_set_smi_lock(desktop->pci, pm_set_smi_lock, desktop->pm);
    }
    bus_map(desktop->ports, BOARD_PORT_APM, BOARD_PORTS_APM, &pm_apm_bus_ops, desktop->pm);
    machine_add(desktop->machine, "fw_cfg", &fw_cfg_device_ops, desktop->fw_cfg);
    fill_cmos(desktop, rtc);
}

/* --- the screen ---------------------------------------------------------------------------------------------------- */

#define VGA_ROM_MAX (256 * 1024) /* what lies below 1 MiB */
#define VGA_ROM_FILE "vgaroms/vgabios-ramfb.bin"

/* SeaBIOS draws by means of a VGA BIOS, and looks for that in files of this kind. */
static bool
tell_vga_rom(Desktop *desktop, int fd, GError **error)
{
    const char *name = source_name(&desktop->config->vga_rom);
    g_autofree uint8_t *bytes = NULL;
    BootFile file;
    bool read = boot_file_init(&file, fd, name, error);

    if (read && file.size > VGA_ROM_MAX) {
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_MALFORMED, "%s: not a VGA BIOS: it is larger than 256 KiB", name);
        read = false;
    }
    if (read) {
        bytes = g_malloc(file.size);
        read = boot_file_read(&file, 0, bytes, file.size, error);
    }
    if (!read) {
        g_prefix_error(error, "%s: [boot] vga-rom: ", desktop->config->path);
        return false;
    }
    fw_cfg_add_file(desktop->fw_cfg, VGA_ROM_FILE, bytes, file.size);
    return true;
}

bool
desktop_make_firmware_screen(Desktop *desktop, Resources *resources, GError **error)
{
    if (!desktop->fw_cfg)
        return true;
    GMainContext *context = loop_thread_context(desktop->display_thread);
    Ramfb *ramfb = ramfb_new(desktop->fw_cfg, desktop->memory, desktop->screen, context);
    machine_add(desktop->machine, "ramfb", &ramfb_device_ops, ramfb);
    return resources->vga_rom < 0 || tell_vga_rom(desktop, resources->vga_rom, error);
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static AcpiTables *
make_tables(const Desktop *desktop)
{
    uint32_t apic_ids[VCPUS_MAX];

    for (unsigned i = 0; i < desktop->config->vcpus; i++)
        apic_ids[i] = i;
    const AcpiOptions options = {
        .apic_ids = apic_ids,
        .n_cpus = desktop->config->vcpus,
        .pci64 = pci_bus_high_window(
            desktop->pci, board_pci64_window(guest_memory_size(desktop->memory), vcpus_physical_bits(desktop->vcpus))),
        .ecam = pci_bus_ecam(desktop->pci),
        .com1 = true,
        .tpm = desktop->config->tpm,
        .tpm_log = desktop->config->tpm ? TPM_LOG_SIZE : 0,
    };
    return acpi_tables_new(&options);
}

/* Firmware reads the tables when it has given every device its place: only now is it known what they have to say. */
static void
refresh_tables(void *user, uint8_t *bytes, size_t len)
{
    g_autoptr(AcpiTables) tables = make_tables(user);
    const GByteArray *now = acpi_tables_file(tables, ACPI_FILE_TABLES);

    g_assert(now->len == len);
    memcpy(bytes, now->data, len);
}

static void
tell_tables(Desktop *desktop)
{
    static const FwCfgOps live = {.selected = refresh_tables};
    g_autoptr(AcpiTables) tables = make_tables(desktop);
    g_autoptr(GByteArray) script = table_loader_script(tables);
    const GByteArray *rsdp = acpi_tables_file(tables, ACPI_FILE_RSDP),
                     *rest = acpi_tables_file(tables, ACPI_FILE_TABLES),
                     *log = acpi_tables_file(tables, ACPI_FILE_TPM_LOG);

    fw_cfg_add_file(desktop->fw_cfg, table_loader_file_names[ACPI_FILE_RSDP], rsdp->data, rsdp->len);
    if (log->len)
        fw_cfg_add_file(desktop->fw_cfg, table_loader_file_names[ACPI_FILE_TPM_LOG], log->data, log->len);
    fw_cfg_add_live(desktop->fw_cfg, table_loader_file_names[ACPI_FILE_TABLES], rest->data, rest->len, &live, desktop);
    fw_cfg_add_file(desktop->fw_cfg, TABLE_LOADER_FILE, script->data, script->len);
}

static void
tell_smbios(Desktop *desktop, const uint8_t uuid[16])
{
    const DesktopConfig *config = desktop->config;
    SmbiosOptions options = {
        .manufacturer = config->smbios_manufacturer,
        .product = config->smbios_product,
        .version = config->smbios_version,
        .serial = config->smbios_serial,
        .sku = config->smbios_sku,
        .family = config->smbios_family,
        .asset_tag = config->smbios_asset_tag,
        .n_cpus = config->vcpus,
        .memory_size = config->memory,
    };
    memcpy(options.uuid, uuid, sizeof(options.uuid));
    g_autoptr(GByteArray) tables = smbios_tables(&options);
    g_autoptr(GByteArray) entry = smbios_entry_point(tables);

    fw_cfg_add_file(desktop->fw_cfg, SMBIOS_ENTRY_FILE, entry->data, entry->len);
    fw_cfg_add_file(desktop->fw_cfg, SMBIOS_TABLES_FILE, tables->data, tables->len);
}

/* --- the rest ------------------------------------------------------------------------------------------------------ */

static void
put_e820(GByteArray *out, uint64_t gpa, uint64_t size, MemoryType type)
{
    bytes_put(out, gpa, 8);
    bytes_put(out, size, 8);
    bytes_put(out, type, 4);
}

/* RAM and what is not to be used; firmware takes from it what it needs, and makes the list that the guest sees. */
static void
tell_memory(Desktop *desktop)
{
    g_autoptr(GByteArray) list = g_byte_array_new();
    size_t n;
    const GuestRegion *regions = guest_memory_regions(desktop->memory, &n);

    for (size_t i = 0; i < n; i++)
        put_e820(list, regions[i].gpa, regions[i].size, MEMORY_RAM);
    put_e820(list, BOARD_KVM_IDENTITY_MAP, KVM_PAGES, MEMORY_RESERVED);
    fw_cfg_add_file(desktop->fw_cfg, "etc/e820", list->data, list->len);
    fw_cfg_add_number(desktop->fw_cfg, FW_CFG_RAM_SIZE, guest_memory_size(desktop->memory), 8);
}

/* @path, which becomes the list's, in its place. */
static void
put_boot_path(GPtrArray *order, uint64_t index, char *path)
{
    if (order->len < index)
        g_ptr_array_set_size(order, index);
    order->pdata[index - 1] = path;
}

/* One line of the boot order: where OpenFirmware would have the device, which is how QEMU names it. */
static void
add_boot_path(GPtrArray *order, uint64_t index, const VirtioDevice *device, const char *kind, const char *below)
{
    if (index)
        put_boot_path(order, index,
                      g_strdup_printf("/pci@i0cf8/%s@%x/%s", kind, virtio_pci_slot(device->transport), below));
}

static void
add_usb_boot_path(GPtrArray *order, uint64_t index, const Desktop *desktop, const char *id)
{
    if (index)
        put_boot_path(order, index, desktop_usb_boot_path(desktop->usb, id));
}

static void
tell_boot_order(Desktop *desktop)
{
    g_autoptr(GPtrArray) order = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0, n_virtio = 0; i < desktop->config->disks->len; i++) {
        const ConfigDisk *disk = desktop->config->disks->pdata[i];
        if (disk->bus == DISK_BUS_USB)
            add_usb_boot_path(order, disk->boot_index, desktop, disk->id);
        else
            add_boot_path(order, disk->boot_index, desktop->disks->pdata[n_virtio++], "scsi", "disk@0,0");
    }
    for (guint i = 0; i < desktop->config->cdroms->len; i++) {
        const ConfigCdrom *cdrom = desktop->config->cdroms->pdata[i];
        add_usb_boot_path(order, cdrom->boot_index, desktop, cdrom->id);
    }
    for (guint i = 0; i < desktop->nets->len; i++) {
        const ConfigNet *net = desktop->config->nets->pdata[i];
        add_boot_path(order, net->boot_index, desktop->nets->pdata[i], "ethernet", "ethernet-phy@0");
    }
    for (guint i = 0; i < order->len; i++)
        if (order->pdata[i])
            g_string_append_printf(text, "%s%s", text->len ? "\n" : "", (char *)order->pdata[i]);
    if (text->len)
        fw_cfg_add_file(desktop->fw_cfg, "bootorder", text->str, text->len + 1);
}

static void
add_file_number(FwCfg *fw_cfg, const char *name, uint64_t value, unsigned size)
{
    uint64_t little = GUINT64_TO_LE(value);
    fw_cfg_add_file(fw_cfg, name, &little, size);
}

/* OVMF reads the number, SeaBIOS the file; both read for how long, in milliseconds. */
static void
tell_menu(FwCfg *fw_cfg, unsigned seconds)
{
    fw_cfg_add_number(fw_cfg, FW_CFG_BOOT_MENU, seconds > 0, 2);
    add_file_number(fw_cfg, "etc/show-boot-menu", seconds > 0, 2);
    if (seconds)
        add_file_number(fw_cfg, "etc/boot-menu-wait", seconds * 1000, 2);
}

void
desktop_tell_firmware(Desktop *desktop)
{
    FwCfg *fw_cfg = desktop->fw_cfg;
    uint8_t uuid[16];

    if (!fw_cfg)
        return;
    desktop_uuid_bytes(desktop->config->uuid, uuid);
    fw_cfg_add_item(fw_cfg, FW_CFG_UUID, uuid, sizeof(uuid));
    fw_cfg_add_number(fw_cfg, FW_CFG_NB_CPUS, desktop->config->vcpus, 2);
    fw_cfg_add_number(fw_cfg, FW_CFG_MAX_CPUS, desktop->config->vcpus, 2);
    fw_cfg_add_number(fw_cfg, FW_CFG_NOGRAPHIC, !desktop->config->scanouts, 2);
    fw_cfg_add_number(fw_cfg, FW_CFG_ARCH_LOCAL | 2, 1, 1); /* the PIT arrives on IOAPIC pin 2 */
    if (!desktop->config->scanouts)
        add_file_number(fw_cfg, "etc/sercon-port", BOARD_PORT_COM1, 2); /* SeaBIOS shows its screen there */
    tell_menu(fw_cfg, desktop->config->menu_wait);
    tell_memory(desktop);
    tell_smbios(desktop, uuid);
    tell_boot_order(desktop);
    tell_tables(desktop);
}
