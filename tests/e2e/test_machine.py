# SPDX-License-Identifier: Apache-2.0
"""The virtual PC under the desktop: its processors, its network, its reset."""

import pytest

from conftest import connect, panel_is_shown
from rig.agent import Failed
from rig.desktop import ADDRESS


def works_on(desktop, cpu):
    """Whether a program can be put on this processor and runs there."""
    return desktop.run(f"taskset -c {cpu} sh -c 'for i in $(seq 2000); do :; done; cut -d\" \" -f39 /proc/$$/stat'").strip() == str(cpu)


def test_both_processors_work(desktop):
    """And one can be taken out and put back, which starts it as the guest's boot does."""
    assert desktop.vcpus == 2
    try:
        assert desktop.run("nproc").strip() == "2"
        assert works_on(desktop, 0) and works_on(desktop, 1)
        assert desktop.run("echo 0 >/sys/devices/system/cpu/cpu1/online; nproc", "root").strip() == "1"
    finally:
        desktop.run("echo 1 >/sys/devices/system/cpu/cpu1/online", "root")
    assert desktop.run("nproc").strip() == "2" and works_on(desktop, 1)


def test_network(desktop, echo):
    """The card has an address without anybody's doing, and what is sent and received is whole."""
    desktop.run(ADDRESS)
    echo(desktop)


@pytest.mark.changes_desktop
def test_reboot_from_inside(room, desktop):
    """The guest starts itself anew and comes back to the desktop; the client stays connected all the time."""
    def boot():
        return desktop.run("cat /proc/sys/kernel/random/boot_id", timeout=10)

    def booted_anew():
        try:
            return boot() != before
        except Failed:
            return False  # nobody answers in between

    before = boot()
    with connect(desktop) as client:
        desktop.run("nohup sh -c 'sleep 1; systemctl reboot' >/dev/null 2>&1 &", "root")
        room.host.wait_until(booted_anew, "the guest's next boot", 420)
        desktop.wait_until_usable()
        client.wait(lambda: panel_is_shown(client), "the panel")
        assert not client.closed
