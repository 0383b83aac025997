/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting a desktop together: the board first, then its devices. The only place that knows every device, and the order in
 * which they stand in the machine's table.
 */
#include "vmm/desktop/desktop_private.h"
#include "vmm/desktop/socket_port.h"
#include "vmm/board/memory_map.h"
#include "vmm/board/uart.h"
#include "vmm/kvm/memory_fault.h"
#include "vmm/kvm/host.h"
#include "vmm/sandbox/sandbox.h"
#include "vmm/virtio/input.h"
#include "vmm/virtio/pci.h"
#include "vmm/virtio/rng.h"

#include <string.h>
#include <time.h>

static void
confine_vcpu(void *user)
{
    sandbox_filter_thread(SANDBOX_ROLE_VCPU);
}

static void
confine_io(void *user)
{
    sandbox_filter_thread(SANDBOX_ROLE_IO);
}

static void
confine_display(void *user)
{
    sandbox_filter_thread(SANDBOX_ROLE_DISPLAY);
}

static void
confine_usb(void *user)
{
    sandbox_filter_thread(SANDBOX_ROLE_USB);
}

/* ---- the board ---- */

static bool
map_saved(Desktop *desktop, const Resources *resources, const SavedFile *saved, GError **error)
{
    uint64_t size = guest_memory_size(desktop->memory);

    if (saved->ram_len == size)
        return guest_memory_map_saved(desktop->memory, resources->saved, saved->ram_offset, error);
    g_set_error(error, STATE_ERROR, STATE_ERROR_FOREIGN,
                "%s: the saved desktop has %" G_GUINT64_FORMAT " MiB of memory, this one %" G_GUINT64_FORMAT,
                saved->path, saved->ram_len >> 20, size >> 20);
    return false;
}

static bool
make_memory(Desktop *desktop, const Resources *resources, const SavedFile *saved, GError **error)
{
    const GuestMemoryOptions options = {
        .size = desktop->config->memory,
        .hugetlb = desktop->config->hugepages,
        .merge = desktop->config->merge,
    };

    desktop->memory = guest_memory_new(&options, error);
    if (!desktop->memory)
        g_prefix_error(error, "%s: [desktop] %s: ", desktop->config->path, options.hugetlb ? "hugepages" : "memory");
    if (!desktop->memory || (saved && !map_saved(desktop, resources, saved, error)))
        return false;
    memory_fault_watch(desktop->memory, saved ? saved->path : NULL);
    return true;
}

static bool
make_vm(Desktop *desktop, Resources *resources, GError **error)
{
    desktop->vm = vm_new(resources->kvm, desktop->memory, error);
    if (!desktop->vm)
        return false;
    desktop->irq = vm_irq_controller(desktop->vm);
    desktop->ports = bus_new(true, &vm_bus_ops, desktop->vm);
    desktop->addresses = bus_new(false, &vm_bus_ops, desktop->vm);
    if (desktop->config->secure_boot)
        desktop->smm_addresses = bus_new(false, &vm_bus_ops, desktop->vm);
    desktop->machine = machine_new();
    return true;
}

static bool
make_vcpus(Desktop *desktop, GError **error)
{
    const VcpusOptions options = {
        .count = desktop->config->vcpus,
        .cpuid = {.model = desktop->config->cpu,
                  .pmu = desktop->config->pmu,
                  .mce = desktop->config->mce,
                  .hyperv = config_shows_hyperv(desktop->config),
                  .memory = desktop->config->memory},
        .ports = desktop->ports,
        .addresses = desktop->addresses,
        .smm = desktop->smm_addresses,
        .machine = desktop->machine,
        .thread_begin = confine_vcpu,
    };

    desktop->vcpus = vcpus_new(desktop->vm, &options, error);
    if (!desktop->vcpus && strcmp(options.cpuid.model, "host") && g_error_matches(*error, KVM_ERROR, KVM_ERROR_LACKING))
        g_prefix_error(error, "%s: [desktop] cpu: ", desktop->config->path);
    if (desktop->vcpus && options.cpuid.hyperv && !vcpus_show_hyperv(desktop->vcpus))
        g_message("this host's KVM offers none of Hyper-V's interface: the guest does without it, and is slower");
    return desktop->vcpus != NULL;
}

static BoardWindow
pci64_window(const Desktop *desktop)
{
    return board_pci64_window(desktop->config->memory, vcpus_physical_bits(desktop->vcpus));
}

static void
make_acpi(Desktop *desktop)
{
    uint32_t apic_ids[VCPUS_MAX];

    for (unsigned i = 0; i < desktop->config->vcpus; i++)
        apic_ids[i] = i;
    const AcpiOptions options = {
        .apic_ids = apic_ids,
        .n_cpus = desktop->config->vcpus,
        .pci64 = pci64_window(desktop),
        .com1 = true,
        .tpm = desktop->config->tpm,
    };
    desktop->acpi = acpi_tables_new(&options);
}

static const char *
source_name(const ConfigSource *source)
{
    return source->path ? source->path : source->fd_name;
}

static bool
make_kernel(Desktop *desktop, Resources *resources, bool fresh, GError **error)
{
    const KernelOptions options = {
        .kernel_fd = g_steal_fd(&resources->kernel),
        .initrd_fd = resources->initrd >= 0 ? g_steal_fd(&resources->initrd) : -1,
        .kernel_name = source_name(&desktop->config->kernel),
        .initrd_name = source_name(&desktop->config->initrd),
        .command_line = desktop->config->command_line,
        .acpi = desktop->acpi,
        .fresh_memory = fresh,
    };

    desktop->kernel = kernel_new(&options, desktop->memory, error);
    if (!desktop->kernel) {
        g_prefix_error(error, "%s: [boot] kernel: ", desktop->config->path);
        return false;
    }
    const BootLoader loader = {.load = kernel_load, .loader = desktop->kernel};
    vcpus_set_loader(desktop->vcpus, &loader);
    return true;
}

static void
on_pm_request(void *user, MachineRequest request)
{
    machine_request(user, request, request == MACHINE_REQUEST_SHUTDOWN ? "the guest powered off" : NULL);
}

/* Seconds that the host's local time is ahead of UTC now. */
static int
local_offset(void)
{
    time_t now = time(NULL);
    struct tm local;

    return localtime_r(&now, &local) ? local.tm_gmtoff : 0;
}

/* The board's own devices, in table order. */
static void
make_board_devices(Desktop *desktop, Resources *resources)
{
    Machine *machine = desktop->machine;
    Clock *clock = desktop->clock = clock_new(NULL);

    machine_add(machine, "clock", &clock_device_ops, clock);
    vcpus_add_to_machine(desktop->vcpus);

    desktop->pci = pci_bus_new(desktop->ports, desktop->addresses, &desktop->irq);
    machine_add(machine, "pci", &pci_bus_ops, desktop->pci);

    desktop->pm = pm_new(clock, &desktop->irq, on_pm_request, machine);
    bus_map(desktop->ports, BOARD_PORT_PM, BOARD_PORT_PM_SIZE, &pm_bus_ops, desktop->pm);
    bus_map(desktop->ports, BOARD_PORT_KEYBOARD, 1, &pm_keyboard_bus_ops, desktop->pm);
    pci_bus_set_reset_port(desktop->pci, &pm_reset_bus_ops, desktop->pm);
    machine_add(machine, "pm", &pm_device_ops, desktop->pm);

    Rtc *rtc = rtc_new(clock, &desktop->irq, config_rtc_is_local(desktop->config) ? local_offset() : 0);
    bus_map(desktop->ports, BOARD_PORT_RTC, RTC_PORTS, &rtc_bus_ops, rtc);
    machine_add(machine, "rtc", &rtc_device_ops, rtc);
    desktop_add_firmware_devices(desktop, rtc);

    Stream *serial = g_steal_pointer(&resources->serial_stream);
    if (resources->serial >= 0)
        serial = stream_new_listener(g_steal_fd(&resources->serial), NULL);
    Uart *uart = uart_new(&desktop->irq, BOARD_GSI_COM1, serial);
    bus_map(desktop->ports, BOARD_PORT_COM1, UART_PORTS, &uart_bus_ops, uart);
    machine_add(machine, "com1", &uart_device_ops, uart);
}

static void
report_tpm(void *user, const char *message)
{
    g_message("%s", message);
}

static bool
make_tpm(Desktop *desktop, Resources *resources, GError **error)
{
    if (!desktop->config->tpm)
        return true;
    desktop->tpm = crb_new(g_steal_fd(&resources->tpm), report_tpm, NULL, error);
    if (!desktop->tpm) {
        g_prefix_error(error, "%s: [tpm]: ", desktop->config->path);
        return false;
    }
    bus_map(desktop->addresses, BOARD_TPM_BASE, CRB_SIZE, &crb_bus_ops, desktop->tpm);
    machine_add(desktop->machine, "tpm", &crb_device_ops, desktop->tpm);
    return true;
}

bool
desktop_make_board(Desktop *desktop, Resources *resources, const SavedFile *saved, GError **error)
{
    if (!make_memory(desktop, resources, saved, error) || !make_vm(desktop, resources, error) ||
        !make_vcpus(desktop, error))
        return false;
    if (desktop->config->firmware == FIRMWARE_NONE)
        make_acpi(desktop);
    if (desktop->config->firmware == FIRMWARE_NONE ? !make_kernel(desktop, resources, !saved, error)
                                                   : !desktop_make_firmware(desktop, resources, error))
        return false;
    make_board_devices(desktop, resources);
    return make_tpm(desktop, resources, error);
}

/* ---- devices ---- */

/*
 * Gives a virtio device a slot and the place @name in the table, which owns it from here. NULL passes through. A device that
 * people name stands there under its group, "disk NAME": a network card may have the same name, and a disk may be called rng0.
 */
static VirtioDevice *
plug_in_as(Desktop *desktop, const char *name, VirtioDevice *device, GError **error)
{
    VirtioPci *function = device ? virtio_pci_new(device, desktop->pci, PCI_SLOT_ANY, error) : NULL;

    if (!function)
        return NULL;
    machine_add(desktop->machine, name, &virtio_pci_ops, function);
    return device;
}

/* The same where the device's id is of our choice. */
static VirtioDevice *
plug_in(Desktop *desktop, VirtioDevice *device, GError **error)
{
    return plug_in_as(desktop, device ? device->id : NULL, device, error);
}

static bool
make_display(Desktop *desktop, Resources *resources, GError **error)
{
    const DesktopConfig *config = desktop->config;
    const VirtioGpuOptions options = {
        .n_scanouts = config->scanouts,
        .width = config->width,
        .height = config->height,
        .max_host_memory = config->display_memory,
    };

    if (!config->scanouts)
        return true;
    desktop->screen = screen_new(config->scanouts);
    desktop->display_thread = loop_thread_new("display", confine_display, NULL);
    GMainContext *context = loop_thread_context(desktop->display_thread);
    VirtioDevice *gpu = virtio_gpu_new("gpu0", desktop->memory, context, desktop->screen, &options);
    desktop->gpu = plug_in(desktop, gpu, error);
    return desktop->gpu && desktop_make_firmware_screen(desktop, resources, error);
}

static bool
make_input(Desktop *desktop, bool wanted, VirtioInputKind kind, const char *id, VirtioDevice **place, GError **error)
{
    if (wanted)
        *place = plug_in(desktop, virtio_input_new(kind, id, desktop->memory, desktop->clock), error);
    return !wanted || *place;
}

static bool
make_inputs(Desktop *desktop, GError **error)
{
    const DesktopConfig *config = desktop->config;

    return make_input(desktop, config->keyboard, VIRTIO_INPUT_KEYBOARD, "keyboard0", &desktop->keyboard, error) &&
           make_input(desktop, config->tablet, VIRTIO_INPUT_TABLET, "tablet0", &desktop->tablet, error) &&
           make_input(desktop, config->mouse, VIRTIO_INPUT_MOUSE, "mouse0", &desktop->mouse, error);
}

static bool
make_disks(Desktop *desktop, Resources *resources, GError **error)
{
    for (guint i = 0; i < desktop->config->disks->len; i++) {
        const ConfigDisk *disk = desktop->config->disks->pdata[i];
        if (disk->bus != DISK_BUS_VIRTIO)
            continue;
        const VirtioBlkOptions options = {
            .fd = g_steal_fd(&resources->disks[i]),
            .path = source_name(&disk->source),
            .serial = disk->serial,
            .read_only = disk->read_only,
            .direct = disk->cache == DISK_CACHE_NONE,
            .discard = disk->discard,
            .n_queues = disk->queues ? disk->queues : MIN(desktop->config->vcpus, 4),
            .on_error = disk->on_error == DISK_ON_ERROR_PAUSE ? BLK_ON_ERROR_PAUSE : BLK_ON_ERROR_REPORT,
            .thread = desktop->io_thread,
            .machine = desktop->machine,
        };
        g_autofree char *name = g_strdup_printf("disk %s", disk->id);
        VirtioDevice *blk = virtio_blk_new(disk->id, desktop->memory, &options, error);
        VirtioDevice *device = plug_in_as(desktop, name, blk, error);
        if (!device) {
            g_prefix_error(error, "%s: [%s] %s: ", desktop->config->path, name, disk->source.path ? "path" : "fd");
            return false;
        }
        g_ptr_array_add(desktop->disks, device);
    }
    return true;
}

/* An address that stays the same as long as the desktop's UUID and the card's name do. */
static void
choose_mac(const DesktopConfig *config, const ConfigNet *net, uint8_t *mac)
{
    static const uint8_t unset[6];
    g_autofree char *text = g_strdup_printf("%s %s", config->uuid, net->id);
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);

    memcpy(mac, net->mac, 6);
    if (memcmp(mac, unset, 6))
        return;
    for (int i = 0; i < 6; i++)
        mac[i] = g_ascii_xdigit_value(digest[2 * i]) << 4 | g_ascii_xdigit_value(digest[2 * i + 1]);
    mac[0] = (mac[0] & 0xfc) | 0x02; /* locally administered, of one card (IEEE 802, 8.2) */
}

static void
report_net(void *user, const char *message)
{
    g_message("%s", message);
}

static bool
make_nets(Desktop *desktop, Resources *resources, GError **error)
{
    for (guint i = 0; i < desktop->config->nets->len; i++) {
        const ConfigNet *net = desktop->config->nets->pdata[i];
        VirtioNetOptions options = {
            .backend = g_steal_pointer(&resources->nets[i]),
            .mtu = net->mtu,
            .n_pairs = net->queues,
            .thread = desktop->io_thread,
            .report = report_net,
        };
        choose_mac(desktop->config, net, options.mac);
        g_autofree char *name = g_strdup_printf("net %s", net->id);
        VirtioDevice *card = virtio_net_new(net->id, desktop->memory, &options, error);
        VirtioDevice *device = plug_in_as(desktop, name, card, error);
        if (!device) {
            g_prefix_error(error, "%s: [%s] %s: ", desktop->config->path, name,
                           net->tap       ? "tap"
                           : net->fd_name ? "fd"
                                          : "backend");
            return false;
        }
        g_ptr_array_add(desktop->nets, device);
    }
    return true;
}

/* A console only where something uses one of its ports. */
static void
make_console(Desktop *desktop, Resources *resources)
{
    const DesktopConfig *config = desktop->config;

    unsigned n_ports = config->ports->len + config->spice + config->guest_agent;
    if (!n_ports)
        return;
    desktop->console = virtio_console_new("console0", desktop->memory, n_ports);
    for (guint i = 0; i < config->ports->len; i++) {
        const ConfigPort *port = config->ports->pdata[i];
        int listener = g_steal_fd(&resources->ports[i]);
        g_ptr_array_add(desktop->ports_of_guest, socket_port_new(desktop->console, port->id, listener));
    }
}

void
desktop_uuid_bytes(const char *text, uint8_t bytes[16])
{
    for (int i = 0; i < 16; i++, text += 2) {
        text += *text == '-';
        bytes[i] = g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]);
    }
}

/* A person's keys and pointer go to virtio's devices while the guest drives them, else to those on USB. */
static void
make_routes(Desktop *desktop)
{
    const InputSink keyboards[] = {virtio_input_sink(desktop->keyboard), desktop_usb_keyboard(desktop->usb)};
    const InputSink pointers[] = {virtio_input_sink(desktop->tablet), desktop_usb_tablet(desktop->usb)};

    desktop->keyboard_route = input_route_new(keyboards, G_N_ELEMENTS(keyboards));
    desktop->pointer_route = input_route_new(pointers, G_N_ELEMENTS(pointers));
}

static bool
make_usb(Desktop *desktop, Resources *resources, GError **error)
{
    if (!desktop->config->usb)
        return true;
    desktop->usb =
        desktop_usb_new(desktop->config, desktop->pci, desktop->memory, desktop->machine, confine_usb, error);
    return desktop->usb &&
           desktop_usb_host(desktop->usb, desktop->config, g_steal_fd(&resources->usb_watcher), confine_usb, error) &&
           desktop_usb_plug_in(desktop->usb, desktop->config, resources, desktop->io_thread, error);
}

static const SpiceClipboard clipboards[] = {
    [CLIPBOARD_BOTH] = SPICE_CLIPBOARD_BOTH,
    [CLIPBOARD_TO_DESKTOP] = SPICE_CLIPBOARD_TO_DESKTOP,
    [CLIPBOARD_FROM_DESKTOP] = SPICE_CLIPBOARD_FROM_DESKTOP,
    [CLIPBOARD_NONE] = SPICE_CLIPBOARD_NONE,
};

static bool
make_spice(Desktop *desktop, Resources *resources, GError **error)
{
    const DesktopConfig *config = desktop->config;
    uint8_t uuid[16];
    g_autofree char *gpu = NULL;

    if (!config->spice)
        return true;
    if (desktop->gpu)
        gpu = g_strdup_printf("pci/0000/%02x.0", virtio_pci_slot(desktop->gpu->transport));
    desktop_uuid_bytes(config->uuid, uuid);
    make_routes(desktop);
    const SpiceDisplayInputs inputs = {
        .keyboard = input_route_sink(desktop->keyboard_route),
        .tablet = input_route_sink(desktop->pointer_route),
        .mouse = virtio_input_sink(desktop->mouse),
    };
    SpiceDisplayOptions options = {
        .listen_fd = g_steal_fd(&resources->spice),
        .ticket = config->spice_ticket,
        .no_ticket = config->spice_no_ticket,
        .several_clients = config->spice_several_clients,
        .name = config->name,
        .uuid = uuid,
        .gpu = gpu,
        .clipboard = clipboards[config->spice_clipboard],
        .no_file_transfer = !config->spice_file_transfer,
    };
    g_assert(spice_compression_parse(config->spice_compression, &options.compression));
    desktop->spice = spice_display_new(&options, desktop->screen, &inputs, &desktop_spice_events, desktop, error);
    if (!desktop->spice)
        return false;
    spice_display_attach_agent(desktop->spice, desktop->console);
    if (desktop->usb)
        desktop_usb_redirect(desktop->usb, spice_display_server(desktop->spice), config);
    return true;
}

static bool
make_io_thread(Desktop *desktop, GError **error)
{
    if (!desktop->config->disks->len && !desktop->config->nets->len && !desktop->config->cdroms->len)
        return true;
    desktop->io_thread = io_thread_new("io", error);
    if (desktop->io_thread)
        io_thread_call(desktop->io_thread, confine_io, NULL);
    return desktop->io_thread != NULL;
}

/* What has no life outside the guest. */
static bool
make_helpers(Desktop *desktop, GError **error)
{
    if (!plug_in(desktop, virtio_rng_new("rng0", desktop->memory), error))
        return false;
    if (desktop->config->balloon)
        desktop->balloon = plug_in(desktop, virtio_balloon_new("balloon0", desktop->memory), error);
    return !desktop->config->balloon || desktop->balloon;
}

bool
desktop_make_devices(Desktop *desktop, Resources *resources, GError **error)
{
    const BoardWindow low = {BOARD_PCI32_BASE, BOARD_PCI32_SIZE}, high = pci64_window(desktop);

    if (!make_io_thread(desktop, error) || !make_display(desktop, resources, error) || !make_inputs(desktop, error) ||
        !make_disks(desktop, resources, error) || !make_nets(desktop, resources, error))
        return false;
    /* Nothing that follows asks the kernel for anything new, and the threads that libraries start inherit this. */
    sandbox_filter_thread(SANDBOX_ROLE_MAIN);
    make_console(desktop, resources);
    if (!make_usb(desktop, resources, error) || !make_spice(desktop, resources, error))
        return false;
    if (desktop->config->guest_agent)
        desktop->agent = guest_agent_new(desktop->console, desktop->clock, desktop_agent_changed, desktop);
    /* only now, when all its ports are there */
    if (desktop->console && !plug_in(desktop, desktop->console, error))
        return false;
    if (desktop->agent)
        machine_add(desktop->machine, "guest-agent", &guest_agent_device_ops, desktop->agent);
    if (!make_helpers(desktop, error))
        return false;
    desktop_tell_firmware(desktop);
    /* firmware gives addresses itself */
    return desktop->config->firmware != FIRMWARE_NONE || pci_bus_assign(desktop->pci, &low, &high, error);
}
