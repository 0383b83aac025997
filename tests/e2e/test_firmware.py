# SPDX-License-Identifier: Apache-2.0
"""
Firmware that nobody here wrote, Debian's OVMF and SeaBIOS: its menu and keys, its variables, Secure Boot, and the installed
desktop booted by it from its disk.

A boot of the desktop takes a minute in an emulated host, so each is asked for all it can show; where nothing of the desktop
is needed the disk has only a loader on it that says so.
"""

import re
import time

import pytest
from conftest import connect
from rig import loader, rooms
from rig.desktop import Desktop
from rig.spice_client import KEYS

SAVED = "/srv/saved/firmware"
PATIENCE = 420  # seconds, in an emulated host on a machine that has other things to do
MENU_WAIT = 10  # seconds of the guest's, in which firmware takes Escape
MENU = "Boot Maintenance Manager"  # is a line of it; the serial port shows all that the screen does
STARTING = "BdsDxe: starting Boot"
LANGUAGE_TO_CONTINUE = 4  # lines
KEPT = b"carrel"
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"  # the GUID of the variables that UEFI itself knows
OWN = "6ca7fb34-7d0b-4d9c-8a58-6f60ad1f5a11"
VARIABLES = "/sys/firmware/efi/efivars"
MOUNTED = f"mountpoint -q {VARIABLES} || mount -t efivarfs efivarfs {VARIABLES}"


@pytest.fixture
def boot(room):
    """boot(firmware) starts a desktop with that firmware, up to some words on its console, or to the guest's agent."""
    started = []

    def start(firmware, up_to=None, **more):
        if room.desktop:
            room.desktop.end()
        desktop = Desktop(room.host, room.vmm, rooms.images()[1].cmdline, name=firmware, firmware=firmware,
                          emulated=rooms.chosen_accelerator().emulated, spice_host_port=5901, **more)
        started.append(desktop)
        return desktop.boot(until=lambda: wait_for(desktop, up_to))

    yield start
    for desktop in started:
        desktop.end()


def wait_for(desktop, up_to=None):
    if up_to:
        desktop.wait_for_console(up_to, PATIENCE)
    else:
        desktop.wait_for_agent(PATIENCE)


@pytest.fixture
def disk(room):
    """A disk with nothing but a loader on it, which nobody signed."""
    loader.install(room.host, room.build)
    return loader.DISK


def press(client, key, pause=0.3):
    client.key(KEYS[key], True)
    time.sleep(0.08)
    client.key(KEYS[key], False)
    time.sleep(pause)


def call_menu(desktop, client):
    """Presses Escape until the firmware's menu is there."""
    deadline = time.monotonic() + PATIENCE
    while MENU not in desktop.console():
        assert time.monotonic() < deadline and desktop.alive(), f"no menu; {desktop.words()} {desktop.console()[-1000:]}"
        press(client, "escape")


def resting_picture(client):
    """The picture once it stays the same for a second."""
    last = client.frame()
    while True:
        time.sleep(1)
        now = client.frame()
        if now.shape == last.shape and (now == last).all():
            return now
        last = now


def leave_menu(client):
    """Chooses to go on."""
    for _ in range(LANGUAGE_TO_CONTINUE):
        press(client, "down")
    press(client, "enter")


def set_variable(desktop, name, guid, value):
    """Writes a variable that lasts (attributes: non-volatile, boot services, run time)."""
    content = "".join(f"\\{byte:03o}" for byte in bytes([7, 0, 0, 0]) + value)
    # in one write, as efivarfs wants it
    desktop.run(f"{MOUNTED}; printf '{content}' >/tmp/variable && dd if=/tmp/variable of={VARIABLES}/{name}-{guid} bs=4096", "root")


def variable(desktop, name, guid):
    return bytes.fromhex(desktop.run(f"{MOUNTED}; od -An -v -tx1 -j4 {VARIABLES}/{name}-{guid}", "root"))


def check_board(room, desktop):
    """What the tables that firmware handed over made of the machine, and that nothing of its memory was lost on the way."""
    if room.vmm.name == "carrel":
        maker = desktop.run("cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name", "root")
        assert maker.splitlines() == ["Carrel", "Carrel Desktop"]
    said = desktop.run("dmesg", "root")
    assert re.search(r"PCI: (MMCONFIG|ECAM) .*\[mem 0x[0-9a-f]+-0x[0-9a-f]+\]", said)
    assert not re.search(r"can't claim BAR|no compatible bridge window|failed to assign|\[Firmware Bug\]", said)
    assert not re.search(r"BUG: (Bad|unable)|Oops|general protection|corrupt", said)
    assert desktop.run("nproc").strip() == str(desktop.vcpus)


def reboot(desktop):
    """From within, up to the loader; at once, since how services end has nothing to do with firmware."""
    starts = desktop.console().count(STARTING)
    desktop.run("nohup sh -c 'sleep 1; systemctl reboot --force --force' >/dev/null 2>&1 &", "root")
    desktop.wait_for_console(STARTING, PATIENCE, starts + 1)


@pytest.mark.ends_desktop
def test_menu(room, boot, disk):
    """A client's Escape calls the firmware's menu; a desktop saved there goes on from there, by its keys, to the loader."""
    desktop = boot("uefi", up_to="\x1b", disk=disk, menu_wait=MENU_WAIT)
    with connect(desktop) as client:
        call_menu(desktop, client)
        menu = resting_picture(client)
        if room.vmm.name == "carrel":
            room.host.run("mkdir -p /srv/saved && chmod 0777 /srv/saved && rm -f /srv/saved/*")
            room.vmm.save(desktop, SAVED)
            room.host.wait_until(lambda: not desktop.alive(), "the VMM's end after saving", 60)
    if room.vmm.name == "carrel":
        desktop.start(restore=SAVED)
    with connect(desktop) as client:
        client.wait(lambda: client.frame().shape == menu.shape and (client.frame() == menu).all(), "the menu as it was")
        leave_menu(client)
        desktop.wait_for_console(loader.WORD, PATIENCE)


@pytest.mark.ends_desktop
def test_secure_boot(room, boot, disk):
    """What nobody signed is not started; Debian is, and knows."""
    desktop = boot("secure", up_to="Access Denied", disk=disk)
    assert loader.WORD not in desktop.console()
    desktop.end()

    desktop = boot("secure")
    assert desktop.run(f"{MOUNTED}; mokutil --sb-state", "root").startswith("SecureBoot enabled")
    assert "Kernel is locked down from EFI Secure Boot" in desktop.run("dmesg", "root")
    check_board(room, desktop)
    reboot(desktop)


@pytest.mark.ends_desktop
def test_uefi(room, boot):
    """
    The desktop from its disk: the boot is measured, and what the guest writes among the firmware's variables is there after a
    stop and a start. A reset brings the firmware back.
    """
    desktop = boot("uefi", tpm=room.vmm.name == "carrel")
    check_board(room, desktop)
    if desktop.tpm:
        registers = re.findall(r"(\d+) *: 0x([0-9A-F]{64})", desktop.run("tpm2_pcrread sha256:0,4,16", "root"))
        assert [number for number, value in registers if int(value, 16)] == ["0", "4"], "firmware and loader are measured"
    set_variable(desktop, "CarrelTest", OWN, KEPT)
    set_variable(desktop, "OsIndications", GLOBAL, (1).to_bytes(8, "little"))  # the next start is to stop in the menu
    room.vmm.stop(desktop)
    room.host.wait_until(lambda: not desktop.alive(), "the VMM's end", 60)

    desktop.start(again=True)
    desktop.wait_for_console(MENU, PATIENCE)
    with connect(desktop) as client:
        leave_menu(client)
        desktop.wait_for_agent(PATIENCE)
        assert variable(desktop, "CarrelTest", OWN) == KEPT
        reboot(desktop)
        assert not client.closed


@pytest.mark.ends_desktop
def test_bios(room, boot):
    desktop = boot("bios")
    assert desktop.run("test -d /sys/firmware/efi && echo efi || echo none", "root").strip() == "none"
    check_board(room, desktop)
