/* SPDX-License-Identifier: Apache-2.0 */
/* DESKTOP.conf: what is accepted and what it means; what is refused and what is said. */
#include "vmm/config/config.h"

#include <string.h>

#define MINIMAL "[desktop]\nname=one\n[boot]\nkernel=/k\n"

static DesktopConfig *
accept(const char *text)
{
    g_autoptr(GError) error = NULL;
    DesktopConfig *config = config_parse("d.conf", text, -1, &error);
    g_assert_no_error(error);
    g_assert_nonnull(config);
    return config;
}

/* The message must begin with file, group and key, and hold @says. */
static void
refuse(const char *text, ConfigError code, const char *begins, const char *says)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(config_parse("d.conf", text, -1, &error));
    g_assert_error(error, CONFIG_ERROR, (int)code);
    if (!g_str_has_prefix(error->message, begins) || !strstr(error->message, says))
        g_error("wanted “%s…%s”, got “%s”", begins, says, error->message);
    g_assert_null(strchr(error->message, '\n'));
}

static void
test_defaults(void)
{
    g_autoptr(DesktopConfig) config = accept(MINIMAL);
    g_assert_cmpuint(config->memory, ==, 2ull << 30);
    g_assert_cmpuint(config->vcpus, ==, 2);
    g_assert_cmpstr(config->cpu, ==, "host");
    g_assert_true(config->balloon && config->keyboard && config->tablet && config->mouse);
    g_assert_false(config->hugepages || config->merge || config->pmu || config->spice || config->paused);
    g_assert_cmpuint(config->scanouts, ==, 1);
    g_assert_cmpuint(config->width, ==, 1280);
    g_assert_cmpuint(config->height, ==, 800);
    g_assert_cmpuint(config->sandbox_uid, ==, 65534);
    g_assert_cmpstr(config->serial, ==, "none");
    g_assert_true(g_uuid_string_is_valid(config->uuid));
    g_autoptr(DesktopConfig) again = accept(MINIMAL);
    g_assert_cmpstr(config->uuid, ==, again->uuid);
}

/* What guest-os stands for, and that the keys below it overrule it. */
static void
test_guest_os(void)
{
    static const struct {
        const char *keys;
        bool hyperv, local;
    } cases[] = {
        {"", false, false},
        {"guest-os=linux\n", false, false},
        {"guest-os=other\n", false, false},
        {"guest-os=windows\n", true, true},
        {"guest-os=windows\nhyperv=off\nrtc=utc\n", false, false},
        {"guest-os=linux\nhyperv=on\nrtc=local\n", true, true},
        {"guest-os=windows\nhyperv=auto\nrtc=auto\n", true, true},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strconcat("[desktop]\nname=one\n", cases[i].keys, "[boot]\nkernel=/k\n", NULL);
        g_autoptr(DesktopConfig) config = accept(text);
        g_assert_true(config_shows_hyperv(config) == cases[i].hyperv);
        g_assert_true(config_rtc_is_local(config) == cases[i].local);
    }
    refuse("[desktop]\nname=one\nguest-os=dos\n", CONFIG_ERROR_VALUE,
           "d.conf: [desktop] guest-os:", "linux, windows, other");
}

static void
test_guest_agent(void)
{
    g_autoptr(DesktopConfig) config = accept(MINIMAL);
    g_assert_true(config->guest_agent);
    refuse(MINIMAL "[port org.qemu.guest_agent.0]\nsocket=/p\n", CONFIG_ERROR_VALUE,
           "d.conf: [port org.qemu.guest_agent.0]:", "guest-agent=false");
    g_autoptr(DesktopConfig) without = accept("[desktop]\nname=one\nguest-agent=false\n[boot]\nkernel=/k\n"
                                              "[port org.qemu.guest_agent.0]\nsocket=/p\n");
    g_assert_false(without->guest_agent);
}

static void
test_vga_rom(void)
{
    g_autoptr(DesktopConfig) bios = accept("[desktop]\nname=one\n[boot]\nfirmware=bios\n");
    g_autoptr(DesktopConfig) blind = accept("[desktop]\nname=one\n[boot]\nfirmware=bios\n[display]\nscanouts=0\n");
    g_autoptr(DesktopConfig) inherited = accept("[desktop]\nname=one\n[boot]\nfirmware=bios\nvga-rom-fd=v\n");

    g_assert_cmpstr(bios->vga_rom.path, ==, "/usr/share/seabios/vgabios-ramfb.bin");
    g_assert_null(blind->vga_rom.path);
    g_assert_null(inherited->vga_rom.path);
    g_assert_cmpstr(inherited->vga_rom.fd_name, ==, "v");
    refuse("[desktop]\nname=one\n[boot]\nfirmware=uefi\nvariables=/v\nvga-rom=/r\n", CONFIG_ERROR_VALUE,
           "d.conf: [boot] vga-rom:", "firmware=bios");
}

static void
test_tpm(void)
{
    g_autoptr(DesktopConfig) without = accept(MINIMAL);
    g_autoptr(DesktopConfig) by_path = accept(MINIMAL "[tpm]\nsocket=/t\n");
    g_autoptr(DesktopConfig) by_fd = accept(MINIMAL "[tpm]\nfd=t\n");

    g_assert_false(without->tpm);
    g_assert_cmpstr(by_path->tpm_socket, ==, "/t");
    g_assert_cmpstr(by_fd->tpm_fd_name, ==, "t");
    refuse(MINIMAL "[tpm]\nsocket=/t\nfd=t\n", CONFIG_ERROR_MISSING, "d.conf: [tpm] socket:", "one of");
    refuse(MINIMAL "[tpm]\n", CONFIG_ERROR_MISSING, "d.conf: [tpm] socket:", "one of");
}

static void
test_everything(void)
{
    g_autoptr(DesktopConfig) config = accept(
        "[desktop]\nname=Anna’s desk\nuuid=6BA7B810-9DAD-41D1-80B4-00C04FD430C8\nmemory=1GiB\nvcpus=64\ncpu=x86-64-v3\n"
        "[boot]\nkernel-fd=k\ninitrd=/i\ncommand-line=root=/dev/vda quiet\n"
        "[disk sys]\npath=/d.raw\nserial=ABC\ncache=none\non-error=report\nqueues=3\n"
        "[disk cd]\nfd=cd\nread-only=true\ndiscard=false\n"
        "[net lan]\nbackend=tap\ntap=tap7\nmac=52:54:00:Ab:cd:ef\nqueues=2\nvhost=false\nmtu=9000\n"
        "[net out]\nbackend=passt\n"
        "[port org.carrel.test]\nsocket=/p\n"
        "[display]\nscanouts=4\nsize=1920x1080\n"
        "[spice]\naddress=127.0.0.1\nport=5930\nticket=geheim\nseveral-clients=true\ncompression=lz4\n"
        "[serial]\noutput=file:/log\n[control]\nsocket=/c\n[sandbox]\nuid=100007\n");
    g_assert_cmpstr(config->uuid, ==, "6ba7b810-9dad-41d1-80b4-00c04fd430c8");
    g_assert_cmpuint(config->memory, ==, 1ull << 30);
    g_assert_cmpstr(config->kernel.fd_name, ==, "k");
    g_assert_cmpuint(config->disks->len, ==, 2);
    const ConfigDisk *sys = config->disks->pdata[0], *cd = config->disks->pdata[1];
    g_assert_cmpstr(sys->id, ==, "sys");
    g_assert_cmpint(sys->cache, ==, DISK_CACHE_NONE);
    g_assert_cmpint(sys->on_error, ==, DISK_ON_ERROR_REPORT);
    g_assert_true(sys->discard && !sys->read_only);
    g_assert_true(cd->read_only && !cd->discard);
    const ConfigNet *lan = config->nets->pdata[0], *out = config->nets->pdata[1];
    g_assert_cmpmem(lan->mac, 6, "\x52\x54\x00\xab\xcd\xef", 6);
    g_assert_cmpuint(lan->mtu, ==, 9000);
    g_assert_false(lan->vhost);
    g_assert_cmpint(out->backend, ==, NET_BACKEND_PASST);
    g_assert_cmpuint(out->queues, ==, 1);
    g_assert_cmpuint(config->height, ==, 1080);
    g_assert_true(config->spice && config->spice_several_clients);
    g_assert_cmpuint(config->spice_port, ==, 5930);
    g_assert_cmpuint(config->sandbox_uid, ==, 100007);
}

static void
test_firmware(void)
{
    static const struct {
        const char *keys, *code, *template;
        ConfigFirmware firmware;
    } cases[] = {
        {"variables=/v\n", "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd", FIRMWARE_UEFI},
        {"variables-fd=v\nsecure-boot=true\n", "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
         "/usr/share/OVMF/OVMF_VARS_4M.ms.fd", FIRMWARE_UEFI},
        {"firmware=uefi\nfirmware-code=/c\nvariables=/v\nvariables-template=/t\n", "/c", "/t", FIRMWARE_UEFI},
        {"firmware=bios\n", "/usr/share/seabios/bios-256k.bin", NULL, FIRMWARE_BIOS},
        {"firmware=bios\nfirmware-code-fd=c\n", NULL, NULL, FIRMWARE_BIOS},
        {"kernel=/k\n", NULL, NULL, FIRMWARE_NONE},
        {"firmware=none\nkernel-fd=k\n", NULL, NULL, FIRMWARE_NONE},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strconcat("[desktop]\nname=one\n[boot]\n", cases[i].keys, NULL);
        g_autoptr(DesktopConfig) config = accept(text);
        g_assert_cmpint(config->firmware, ==, cases[i].firmware);
        g_assert_cmpstr(config->firmware_code.path, ==, cases[i].code);
        g_assert_cmpstr(config->variables_template, ==, cases[i].template);
    }
    refuse("[desktop]\nname=x\n[boot]\nkernel=/k\nmenu-wait=3\n", CONFIG_ERROR_VALUE,
           "d.conf: [boot] menu-wait:", "no firmware");
    refuse("[desktop]\nname=x\n[boot]\nfirmware=bios\nmenu-wait=61\n", CONFIG_ERROR_VALUE,
           "d.conf: [boot] menu-wait:", "60");
    refuse("[desktop]\nname=x\n[boot]\nkernel=/k\nfirmware-log=/l\n", CONFIG_ERROR_VALUE,
           "d.conf: [boot] firmware-log:", "no firmware");
    refuse("[desktop]\nname=x\n[boot]\nfirmware=bios\nsecure-boot=true\n", CONFIG_ERROR_VALUE,
           "d.conf: [boot] secure-boot: ", "firmware=uefi");
    refuse("[desktop]\nname=x\n[boot]\nfirmware=bios\nvariables=/v\n", CONFIG_ERROR_VALUE,
           "d.conf: [boot] variables: ", "firmware=uefi");
    refuse("[desktop]\nname=x\n[boot]\nvariables=/v\nvariables-fd=v\n", CONFIG_ERROR_VALUE,
           "d.conf: [boot] variables: ", "not both");
    refuse("[desktop]\nname=x\n[boot]\nfirmware=bios\n[disk a]\npath=/d\nboot-index=2\n"
           "[net n]\nbackend=none\nboot-index=2\n",
           CONFIG_ERROR_VALUE, "d.conf: [net n] boot-index: ", "used twice");
    refuse("[desktop]\nname=x\n[boot]\nfirmware=bios\n[usb]\n[cdrom c]\nboot-index=2\n"
           "[disk a]\npath=/d\nboot-index=2\n",
           CONFIG_ERROR_VALUE, "d.conf: [cdrom c] boot-index: ", "used twice");
    refuse("[desktop]\nname=x\n[boot]\nvariables=/v\n[usb]\n[hub h]\n[cdrom c]\nport=h.1\nboot-index=2\n",
           CONFIG_ERROR_VALUE, "d.conf: [cdrom c] boot-index: ", "not behind a hub");
}

static void
test_smbios(void)
{
    g_autoptr(DesktopConfig) config = accept(MINIMAL "[smbios]\nserial=S 1\nproduct=Desk\n");
    g_assert_cmpstr(config->smbios_manufacturer, ==, "Carrel");
    g_assert_cmpstr(config->smbios_product, ==, "Desk");
    g_assert_cmpstr(config->smbios_serial, ==, "S 1");
    g_assert_cmpstr(config->smbios_sku, ==, NULL);
}

static void
test_unknown(void)
{
    refuse(MINIMAL "[dsk a]\npath=/d\n", CONFIG_ERROR_UNKNOWN, "d.conf: [dsk a]: ", "[disk NAME]");
    refuse(MINIMAL "[disk]\npath=/d\n", CONFIG_ERROR_UNKNOWN, "d.conf: [disk]: ", "no such group");
    refuse(MINIMAL "[boot x]\n", CONFIG_ERROR_UNKNOWN, "d.conf: [boot x]: ", "no such group");
    refuse(MINIMAL "initd=/i\n", CONFIG_ERROR_UNKNOWN, "d.conf: [boot] initd: ", "no such key");
    refuse("[desktop]\nname=\n", CONFIG_ERROR_VALUE, "d.conf: [desktop] name: ", "not empty");
    refuse(MINIMAL "kernel[de]=/k\n", CONFIG_ERROR_UNKNOWN, "d.conf: [boot] kernel[de]: ", "no such key");
    refuse("not a key file", CONFIG_ERROR_SYNTAX, "d.conf: ", "");
    refuse("", CONFIG_ERROR_SYNTAX, "d.conf: ", "empty");
}

static void
test_twice(void)
{
    g_autoptr(DesktopConfig) in_parts = accept(MINIMAL "# kernel=/other\n[desktop]\nvcpus=3\n");
    g_assert_cmpuint(in_parts->vcpus, ==, 3);
    refuse(MINIMAL " kernel = /other\n", CONFIG_ERROR_VALUE, "d.conf: [boot] kernel: ", "second time in line 5");
    refuse(MINIMAL "[desktop]\nname=two\n", CONFIG_ERROR_VALUE, "d.conf: [desktop] name: ", "second time in line 6");
    refuse(MINIMAL "[disk a]\npath=/a\n[disk a]\nserial=b\n", CONFIG_ERROR_VALUE,
           "d.conf: [disk a]: ", "second time in line 7");
}

static void
test_values(void)
{
    static const struct {
        const char *lines, *where, *says;
    } bad[] = {
        {"[desktop]\nmemory=2048\n", "[desktop] memory: ", "512M"},
        {"[desktop]\nmemory=2X\n", "[desktop] memory: ", "512M"},
        {"[desktop]\nmemory=-1G\n", "[desktop] memory: ", "512M"},
        {"[desktop]\nmemory=513G\n", "[desktop] memory: ", "512"},
        {"[desktop]\nmemory=99999999999999999999G\n", "[desktop] memory: ", "between"},
        {"[desktop]\nmemory=16385K\n", "[desktop] memory: ", "multiple of 1M"},
        {"[desktop]\nmemory=33M\nhugepages=true\n", "[desktop] memory: ", "multiple of 2M"},
        {"[desktop]\nhugepages=true\nmerge=true\n", "[desktop] merge: ", "huge"},
        {"[desktop]\nvcpus=65\n", "[desktop] vcpus: ", "from 1 to 64"},
        {"[desktop]\nvcpus=two\n", "[desktop] vcpus: ", "whole number"},
        {"[desktop]\ncpu=pentium\n", "[desktop] cpu: ", "x86-64-v2"},
        {"[desktop]\npmu=yes\n", "[desktop] pmu: ", "neither true nor false"},
        {"[desktop]\nuuid=123\n", "[desktop] uuid: ", "not a UUID"},
        {"[boot]\ninitrd=initrd\n", "[boot] initrd: ", "absolute"},
        {"[boot]\nkernel-fd=k\n", "[boot] kernel: ", "not both"},
        {"[boot]\nfirmware=efi\n", "[boot] firmware: ", "none, uefi, bios"},
        {"[boot]\nfirmware=uefi\n", "[boot] firmware: ", "firmware=none"},
        {"[boot]\nvariables=v\n", "[boot] variables: ", "absolute"},
        {"[disk a]\npath=/d\nboot-index=1\n", "[disk a] boot-index: ", "no firmware"},
        {"[disk a]\npath=/d\nboot-index=65\n", "[disk a] boot-index: ", "from 1 to 64"},
        {"[cdrom c]\npath=/d\n", "[cdrom c]: ", "add the group [usb]"},
        {"[usb]\n[cdrom c]\npath=/d\nfd=d\n", "[cdrom c] path: ", "not both"},
        {"[usb-host k]\nid=1:2\n", "[usb-host k]: ", "add the group [usb]"},
        {"[usb]\n[usb-host usb-tablet]\nserial=1\n", "[usb-host usb-tablet]: ", "choose another"},
        {"[usb]\n[usb-host client3]\nserial=1\n", "[usb-host client3]: ", "choose another"},
        {"[usb]\n[usb-host c]\nserial=1\n[cdrom c]\n", "[usb-host c]: ", "choose another"},
        {"[usb]\nports=32\n", "[usb] ports: ", "from 1 to 31"},
        {"[disk a b]\npath=/d\n", "[disk a b]: ", "letters"},
        {"[disk a]\n", "[disk a] path: ", "must be given"},
        {"[disk a]\npath=/d\nserial=123456789012345678901\n", "[disk a] serial: ", "20 bytes"},
        {"[disk a]\npath=/d\ncache=fast\n", "[disk a] cache: ", "writeback, none"},
        {"[disk a]\npath=/d\nbus=scsi\n", "[disk a] bus: ", "virtio, usb"},
        {"[disk a]\npath=/d\nbus=usb\n", "[disk a]: ", "add the group [usb]"},
        {"[usb]\n[disk a]\npath=/d\nbus=usb\ncache=none\n", "[disk a] cache: ", "bus=virtio"},
        {"[usb]\n[disk a]\npath=/d\nbus=usb\nqueues=2\n", "[disk a] queues: ", "bus=virtio"},
        {"[disk a]\npath=/d\nport=2\n", "[disk a] port: ", "bus=usb"},
        {"[usb]\n[cdrom c]\nport=17\n", "[cdrom c] port: ", "not so many"},
        {"[usb]\n[cdrom c]\nport=0\n", "[cdrom c] port: ", "is not a USB port"},
        {"[usb]\n[cdrom c]\nport=.1\n", "[cdrom c] port: ", "is not a USB port"},
        {"[usb]\n[cdrom c]\nport=h.\n", "[cdrom c] port: ", "is not a USB port"},
        {"[usb]\n[cdrom c]\nport=h.1x\n", "[cdrom c] port: ", "is not a USB port"},
        {"[usb]\n[cdrom c]\nport=h.1\n", "[cdrom c] port: ", "no such [hub]"},
        {"[usb]\n[cdrom c]\nport=h.5\n[hub h]\n", "[cdrom c] port: ", "not so many"},
        {"[usb]\n[hub h]\nport=h.1\n", "[hub h] port: ", "further up"},
        {"[usb]\n[hub h]\nports=16\n", "[hub h] ports: ", "from 1 to 15"},
        {"[hub h]\n", "[hub h]: ", "add the group [usb]"},
        {"[net n]\nbackend=tap\n", "[net n] tap: ", "either tap or fd"},
        {"[net n]\nbackend=passt\ntap=t\n", "[net n] backend: ", "backend=tap"},
        {"[net n]\nbackend=passt\nqueues=2\n", "[net n] queues: ", "one queue pair"},
        {"[net n]\nbackend=none\nmac=01:00:00:00:00:01\n", "[net n] mac: ", "one network card"},
        {"[net n]\nbackend=none\nmac=52-54-00-00-00-01\n", "[net n] mac: ", "one network card"},
        {"[display]\nsize=1920\n", "[display] size: ", "1920x1080"},
        {"[display]\nsize=99999x1\n", "[display] size: ", "1920x1080"},
        {"[display]\nscanouts=5\n", "[display] scanouts: ", "from 0 to 4"},
        {"[spice]\n", "[spice] socket: ", "one of"},
        {"[spice]\nsocket=/s\nfd=s\n", "[spice] socket: ", "one of"},
        {"[spice]\naddress=127.0.0.1\n", "[spice] port: ", "wants a port"},
        {"[spice]\nsocket=/s\nport=5900\n", "[spice] port: ", "with an address"},
        {"[spice]\naddress=0.0.0.0\nport=5900\n", "[spice] address: ", "loopback"},
        {"[spice]\nsocket=/s\n[display]\nscanouts=0\n", "[display] scanouts: ", "nothing to show"},
        {"[spice]\nsocket=/s\nticket=a\nno-ticket=true\n", "[spice] ticket: ", "no-ticket"},
        {"[port a]\n", "[port a] socket: ", "must be given"},
        {"[port com.redhat.spice.0]\nsocket=/p\n[spice]\nsocket=/s\n", "[port com.redhat.spice.0]: ", "SPICE's own"},
        {"[serial]\noutput=tcp:1\n", "[serial] output: ", "socket:/PATH"},
        {"[control]\nsocket=/a\nfd=b\n", "[control] socket: ", "not both"},
        {"[sandbox]\nuid=0\n", "[sandbox] uid: ", "from 1"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *text = g_strconcat(MINIMAL, bad[i].lines, NULL);
        g_autofree char *begins = g_strconcat("d.conf: ", bad[i].where, NULL);
        g_autoptr(GError) error = NULL;
        g_assert_null(config_parse("d.conf", text, -1, &error));
        if (!g_str_has_prefix(error->message, begins) || !strstr(error->message, bad[i].says))
            g_error("case %zu: wanted “%s…%s”, got “%s”", i, begins, bad[i].says, error->message);
    }
}

static void
test_missing_and_many(void)
{
    refuse("[boot]\nkernel=/k\n", CONFIG_ERROR_MISSING, "d.conf: [desktop] name: ", "must be given");
    refuse("[desktop]\nname=x\n", CONFIG_ERROR_MISSING, "d.conf: [boot] variables: ", "must be given");
    g_autoptr(GString) many = g_string_new(MINIMAL);
    for (int i = 0; i <= CONFIG_DISKS_MAX; i++)
        g_string_append_printf(many, "[disk d%d]\npath=/d\n", i);
    refuse(many->str, CONFIG_ERROR_VALUE, "d.conf: [disk d16]: ", "at most 16");
}

/* What the parser would not see must not be in the file, which is kept as it is with a saved desktop. */
static void
test_zero_bytes(void)
{
    static const char text[] = MINIMAL "vcpus=1\0\n[disk a]\npath=/d\n";
    g_autoptr(GError) error = NULL;

    g_assert_null(config_parse("d.conf", text, sizeof(text) - 1, &error));
    g_assert_error(error, CONFIG_ERROR, CONFIG_ERROR_SYNTAX);
}

static void
test_files(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *kernel = g_build_filename(g_get_tmp_dir(), "carrel-no-such-kernel", NULL);
    g_autofree char *text = g_strdup_printf("[desktop]\nname=a\n[boot]\nkernel=%s\n", kernel);
    g_autoptr(DesktopConfig) config = accept(text);
    g_assert_false(config_check_files(config, &error));
    g_assert_error(error, CONFIG_ERROR, CONFIG_ERROR_MISSING);
    g_assert_true(g_str_has_prefix(error->message, "d.conf: [boot] kernel: cannot open "));
    g_clear_error(&error);

    g_autoptr(DesktopConfig) folder = accept("[desktop]\nname=a\n[boot]\nkernel=/\n");
    g_assert_false(config_check_files(folder, &error));
    g_assert_error(error, CONFIG_ERROR, CONFIG_ERROR_VALUE);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/vga-rom", test_vga_rom);
    g_test_add_func("/config/tpm", test_tpm);
    g_test_add_func("/config/guest-agent", test_guest_agent);
    g_test_add_func("/config/guest-os", test_guest_os);
    g_test_add_func("/config/defaults", test_defaults);
    g_test_add_func("/config/everything", test_everything);
    g_test_add_func("/config/unknown", test_unknown);
    g_test_add_func("/config/twice", test_twice);
    g_test_add_func("/config/firmware", test_firmware);
    g_test_add_func("/config/smbios", test_smbios);
    g_test_add_func("/config/values", test_values);
    g_test_add_func("/config/missing-and-many", test_missing_and_many);
    g_test_add_func("/config/zero-bytes", test_zero_bytes);
    g_test_add_func("/config/files", test_files);
    return g_test_run();
}
