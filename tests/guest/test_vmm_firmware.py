# SPDX-License-Identifier: Apache-2.0
"""
Desktops that begin with firmware: Debian's SeaBIOS runs up to a boot sector of ours, and what Secure Boot and UEFI's
variables ask of the host. Whole systems, and OVMF, are too much for every KVM this runs on: tests/e2e boots those.
"""

import fcntl
import os
import shutil
import struct
import subprocess

import pytest

VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM = 0xAE03, 117
SECTOR = 512
FIRMWARE_SOON = 120  # seconds; SeaBIOS is some ten million instructions of real mode


def boot_sector(words):
    """Prints `words` on the serial port, then powers off: at 0x7c00, in real mode."""
    code = bytes([
        0xFA, 0xFC,  # cli (SeaBIOS still prints, by the timer's interrupt); cld
        0x31, 0xC0, 0x8E, 0xD8,  # xor ax, ax; mov ds, ax
        0xBA, 0xF8, 0x03,  # mov dx, 0x3f8
        0xBE, 0x1E, 0x7C,  # mov si, the words
        0xAC, 0x84, 0xC0, 0x74, 0x03, 0xEE, 0xEB, 0xF8,  # each, up to the zero: out dx, al
        0xBA, 0x04, 0x06, 0xB8, 0x00, 0x20, 0xEF,  # PM1 control: S5
        0xF4, 0xEB, 0xFD,  # hlt, for ever
    ])
    assert len(code) == 0x1E
    return (code + words + b"\0").ljust(SECTOR - 2, b"\0") + b"\x55\xaa"


@pytest.fixture
def disks(tmp_path):
    """Two that each say which they are."""
    paths = []
    for name in (b"first", b"second"):
        paths.append(tmp_path / f"{name.decode()}.raw")
        paths[-1].write_bytes(boot_sector(b"booted from the %s disk\n" % name).ljust(1 << 20, b"\0"))
    return paths


def configuration(bench, disks, order, **more):
    groups = bench.groups("load", "", **more)
    groups["boot"] = {"firmware": "bios"}
    groups["desktop"] |= {"memory": "64M", "vcpus": 1}
    for path, index in zip(disks, order):
        groups[f"disk {path.stem}"] = {"path": path, "boot-index": index}
    return groups


@pytest.mark.parametrize(("order", "expected"), [((1, 2), b"first"), ((2, 1), b"second")])
def test_seabios_boots_from_disk(bench, disks, order, expected, tmp_path):
    groups = configuration(bench, disks, order)
    groups["boot"]["firmware-log"] = tmp_path / "log"
    desktop = bench.start(bench.write(groups))
    assert desktop.wait(FIRMWARE_SOON) == 0, desktop.said()
    log = (tmp_path / "log").read_bytes()
    assert b"SeaBIOS (version" in log and b"boot menu" not in log
    printed = desktop.printed()
    assert b"booted from the %s disk\n" % expected in printed, printed
    assert printed.count(b"booted from") == 1


def test_seabios_waits_for_a_key(bench, disks, tmp_path):
    groups = configuration(bench, disks, (1, 2))
    groups["boot"] |= {"firmware-log": tmp_path / "log", "menu-wait": 1}
    desktop = bench.start(bench.write(groups))
    assert desktop.wait(FIRMWARE_SOON) == 0, desktop.said()
    assert b"ESC for boot menu" in (tmp_path / "log").read_bytes()
    assert b"booted from the first disk" in desktop.printed()


@pytest.fixture
def usb_places(disks, tmp_path):
    """What a system can be started from: a virtio disk, a stick, and a disc (El Torito), as configuration groups."""
    folder = tmp_path / "disc"
    folder.mkdir()
    (folder / "boot.bin").write_bytes(boot_sector(b"booted from the disc\n"))
    disc = tmp_path / "disc.iso"
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-b", "boot.bin", "-no-emul-boot", "-boot-load-size", "1",
                    "-o", disc, folder], check=True, capture_output=True)
    return {"disk first": {"path": disks[0]}, "disk second": {"path": disks[1], "bus": "usb"}, "cdrom disc": {"path": disc},
            "hub near": {"port": 12}, "hub far": {"port": "near.3"}}


@pytest.mark.parametrize(("place", "port", "expected"), [
    ("disk second", None, b"second disk"),
    ("cdrom disc", 11, b"disc"),
    ("cdrom disc", "near.2", b"disc"),
    ("disk second", "far.4", b"second disk"),
])
def test_seabios_boots_over_usb(bench, usb_places, place, port, expected):
    """By the boot order, which is where the firmware's own USB driver must find what the configuration means."""
    groups = configuration(bench, [], [], usb={"keyboard": False, "tablet": False}) | usb_places
    groups[place] = groups[place] | {"port": port}
    others = [name for name in usb_places if name != place and not name.startswith("hub")]
    for index, name in enumerate([place, *others]):
        groups[name] = groups[name] | {"boot-index": index + 1}
    desktop = bench.start(bench.write(groups))
    assert desktop.wait(FIRMWARE_SOON) == 0, desktop.said()
    assert b"booted from the %s\n" % expected in desktop.printed(), desktop.printed()


def test_seabios_passes_over_an_empty_drive(bench, disks):
    groups = configuration(bench, [disks[0]], [2], usb={"keyboard": False, "tablet": False})
    desktop = bench.start(bench.write(groups | {"cdrom empty": {"boot-index": 1}}))
    assert desktop.wait(FIRMWARE_SOON) == 0, desktop.said()
    assert b"booted from the first disk\n" in desktop.printed(), desktop.printed()


@pytest.mark.parametrize(("drive", "content", "words"), [
    ("cdrom a", "text", "this is no CD or DVD image"),
    ("cdrom a", "empty", "it is empty"),
    ("disk a", "empty", "it is empty"),
    ("cdrom b", "disc", "there is a USB device “b” already"),
    ("cdrom c", "disc", "USB port 2 does not take"),
])
def test_bad_usb_drives(bench, tmp_path, drive, content, words):
    """One error that names the group, and the file or what else is wrong."""
    (tmp_path / "good").write_bytes(bytes(1 << 20))
    (tmp_path / "text").write_bytes(b"not a disc\n" * 4001)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "disc").write_bytes(bytes(16 * 2048) + b"\1CD001\1".ljust(2048, b"\0"))
    groups = bench.groups("load", "", usb={}) | {"disk b": {"path": tmp_path / "good", "bus": "usb", "port": 2}}
    groups[drive] = {"path": tmp_path / content, "bus": "usb" if drive.startswith("disk") else None,
                     "port": 2 if drive == "cdrom c" else None}
    bench.refused(groups, says=rf"\[{drive}\].*: .*{words}")


def test_stick_pulled_out(bench, tmp_path):
    """From behind a hub, and the desktop goes on."""
    (tmp_path / "stick").write_bytes(bytes(1 << 20))
    groups = bench.groups("idle", "", usb={}, hub_hub={}) | {"disk a": {"path": tmp_path / "stick", "bus": "usb", "port": "hub.2"}}
    desktop = bench.start(groups)
    assert "a (disk, high speed)" in desktop.do("usb")
    desktop.do("detach", "a")
    assert "a (disk, high speed)" not in desktop.do("usb") and "hub (hub, high speed)" in desktop.do("usb")
    assert desktop.state() == "running"
    desktop.do("stop")
    assert desktop.wait() == 0


def has_smm():
    kvm = os.open("/dev/kvm", os.O_RDWR)
    try:
        return fcntl.ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) > 0
    finally:
        os.close(kvm)


@pytest.mark.skipif(not os.path.exists("/dev/kvm") or has_smm(), reason="this KVM has system management mode")
def test_secure_boot_without_smm_is_refused(bench, tmp_path):
    groups = bench.groups("load", "")
    groups["boot"] = {"secure-boot": True, "variables": tmp_path / "vars.fd"}
    bench.refused(groups, says=r"\[boot\] secure-boot: .*no system management mode \(KVM_CAP_X86_SMM\)")


def damaged(path):
    path.write_bytes(b"\xff" * os.path.getsize(VARIABLES))


def short(path):
    shutil.copy(VARIABLES, path)
    os.truncate(path, 4096)


def in_use(path):
    shutil.copy(VARIABLES, path)
    file = open(path, "r+b")
    fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))  # F_OFD_SETLK
    return file


@pytest.mark.parametrize(("spoil", "words"), [(damaged, "damaged one: remove it"), (short, "its size is not"),
                                              (in_use, "in use by another desktop")])
def test_variables_that_cannot_be_used(bench, tmp_path, spoil, words):
    path = tmp_path / "vars.fd"
    held = spoil(path)
    before = path.read_bytes()
    groups = bench.groups("load", "")
    groups["boot"] = {"variables": path}
    bench.refused(groups, says=rf"\[boot\] variables: .*{words}")
    assert path.read_bytes() == before
    if held:
        held.close()


@pytest.mark.parametrize("firmware", ["uefi", "bios"])
def test_saved_before_the_first_instruction(bench, tmp_path, firmware):
    """Made, saved, restored with other variables in the file, and run: the saved ones are in the file again."""
    variables = tmp_path / "vars.fd"
    groups = bench.groups("load", "")
    groups["boot"] = {"firmware": firmware, "variables": variables if firmware == "uefi" else None}
    groups["desktop"] |= {"paused": True}
    desktop = bench.start(bench.write(groups))
    desktop.do("save", tmp_path / "saved")
    assert desktop.wait() == 0, desktop.said()
    with open(VARIABLES, "rb") as file:
        original = file.read()
    if firmware == "uefi":
        assert variables.read_bytes() == original
        variables.write_bytes(original[:-1] + b"\0")
    desktop = bench.start("--restore", tmp_path / "saved")
    assert desktop.state() == "paused (user)"
    desktop.do("resume")
    desktop.do("stop")
    assert desktop.wait() == 0, desktop.said()
    if firmware == "uefi":
        assert variables.read_bytes() == original
