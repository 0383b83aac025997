# SPDX-License-Identifier: Apache-2.0
"""
Firmware that nobody here wrote, Debian's OVMF with Secure Boot and SeaBIOS, and the installed desktop booted by it from its disk.

A boot of the desktop takes a minute in an emulated host, so each is asked for all it can show; where nothing of the desktop
is needed the disk has only a loader on it that says so.
"""

import re

import pytest
from rig import loader, rooms
from rig.desktop import Desktop

PATIENCE = 420
SOON = 180  # seconds to firmware's loader
STARTING = "BdsDxe: starting Boot"
VARIABLES = "/sys/firmware/efi/efivars"
MOUNTED = f"mountpoint -q {VARIABLES} || mount -t efivarfs efivarfs {VARIABLES}"


@pytest.fixture
def boot(room):
    """boot(firmware) starts a desktop with that firmware; the one that ran before is ended."""
    started = []

    def start(firmware, **more):
        if room.desktop:
            room.desktop.end()
        desktop = Desktop(room.host, room.vmm, rooms.images()[1].cmdline, name=firmware, firmware=firmware,
                          emulated=rooms.chosen_accelerator().emulated, spice_host_port=5901, **more)
        started.append(desktop)
        return desktop.start()

    yield start
    for desktop in started:
        desktop.end()


@pytest.fixture
def disk(room):
    """A disk with nothing but a loader on it, which nobody signed."""
    loader.install(room.host, room.build)
    return loader.DISK


def wait_for_console(desktop, words, count=1):
    desktop.host.wait_until(lambda: desktop.console().count(words) >= count or not desktop.alive(), f"“{words}” on the console",
                            SOON)
    assert desktop.console().count(words) >= count, desktop.words()


def check_board(room, desktop):
    """What the tables that firmware handed over made of the machine."""
    if room.vmm.name == "carrel":
        maker = desktop.run("cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name", "root")
        assert maker.splitlines() == ["Carrel", "Carrel Desktop"]
    said = desktop.run("dmesg", "root")
    assert re.search(r"PCI: (MMCONFIG|ECAM) .*\[mem 0x[0-9a-f]+-0x[0-9a-f]+\]", said)
    assert not re.search(r"can't claim BAR|no compatible bridge window|failed to assign|\[Firmware Bug\]", said)
    assert desktop.run("nproc").strip() == str(desktop.vcpus)


def reboot(desktop):
    """From within, up to the loader."""
    starts = desktop.console().count(STARTING)
    desktop.run("nohup sh -c 'sleep 1; systemctl reboot' >/dev/null 2>&1 &", "root")
    wait_for_console(desktop, STARTING, starts + 1)


@pytest.mark.ends_desktop
def test_secure_boot(room, boot, disk):
    """What nobody signed is not started; Debian is, and knows."""
    desktop = boot("secure", disk=disk)
    wait_for_console(desktop, "Access Denied")
    assert loader.WORD not in desktop.console()
    desktop.end()

    desktop = boot("secure")
    desktop.wait_for_agent(PATIENCE)
    assert desktop.run(f"{MOUNTED}; mokutil --sb-state", "root").startswith("SecureBoot enabled")
    assert "Kernel is locked down from EFI Secure Boot" in desktop.run("dmesg", "root")
    check_board(room, desktop)
    reboot(desktop)


@pytest.mark.ends_desktop
def test_bios(room, boot):
    desktop = boot("bios")
    desktop.wait_for_agent(PATIENCE)
    assert desktop.run("test -d /sys/firmware/efi && echo efi || echo none", "root").strip() == "none"
    check_board(room, desktop)
