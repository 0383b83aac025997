# SPDX-License-Identifier: Apache-2.0
"""SeaBIOS, which nobody here wrote, boots the installed desktop from its disk."""

import re

import pytest
from rig import rooms
from rig.desktop import Desktop

PATIENCE = 420


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


def check_board(room, desktop):
    """What the tables that firmware handed over made of the machine."""
    if room.vmm.name == "carrel":
        maker = desktop.run("cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name", "root")
        assert maker.splitlines() == ["Carrel", "Carrel Desktop"]
    said = desktop.run("dmesg", "root")
    assert re.search(r"PCI: (MMCONFIG|ECAM) .*\[mem 0x[0-9a-f]+-0x[0-9a-f]+\]", said)
    assert not re.search(r"can't claim BAR|no compatible bridge window|failed to assign|\[Firmware Bug\]", said)
    assert desktop.run("nproc").strip() == str(desktop.vcpus)


@pytest.mark.ends_desktop
def test_bios(room, boot):
    desktop = boot("bios")
    desktop.wait_for_agent(PATIENCE)
    assert desktop.run("test -d /sys/firmware/efi && echo efi || echo none", "root").strip() == "none"
    check_board(room, desktop)
