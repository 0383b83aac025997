# SPDX-License-Identifier: Apache-2.0
"""Debian's own qemu-guest-agent answers over its port: addresses, the clock, frozen file systems, shutting down."""

import time

import pytest


@pytest.fixture
def ctl(room, desktop):
    """ctl("thaw") runs a verb that must succeed; the agent is there."""
    if room.vmm.name == "qemu":
        pytest.skip("a test of carrel-vmm")
    desktop.run("systemctl start qemu-guest-agent", "root")
    room.host.wait_until(lambda: "agent:   there" in room.vmm.ctl(desktop, "status"), "the agent's opening its port", 60)
    return lambda *words: room.vmm.ctl(desktop, *words)


def test_addresses(ctl):
    said = ctl("addresses")
    assert "lo 00:00:00:00:00:00\n  127.0.0.1/8\n" in said


def test_time(desktop, ctl):
    """A clock that is off is put right when asked, and after a pause unasked."""
    for verbs in [["set-time"]], [["pause"], ["resume"]]:
        desktop.run("date -s '2001-02-03 04:05:06'", "root")
        for verb in verbs:
            ctl(*verb)
            time.sleep(2 if verb == ["pause"] else 0)
        desktop.run("until [ $(date +%Y) -gt 2001 ]; do sleep 0.2; done", timeout=30)
        assert abs(float(desktop.run("date +%s.%N")) - time.time()) < 5


def test_frozen_file_systems(room, desktop, ctl):
    """What is written meanwhile waits, until the thaw."""
    assert "file systems are frozen for 60 seconds" in ctl("freeze", "60")
    assert "(file systems frozen)" in ctl("status")
    desktop.run("rm -f /dev/shm/written; (echo x >/root/frozen && echo x >/dev/shm/written) & sleep 2; "
                "! [ -e /dev/shm/written ]", "root")
    assert "file systems were frozen" in ctl("thaw")
    desktop.run("until [ -e /dev/shm/written ]; do sleep 0.2; done", "root")

    # Nobody thaws them: they are thawed all the same, and whoever comes too late is told.
    ctl("freeze", "2")
    room.host.wait_until(lambda: "frozen" not in ctl("status"), "the end of the freeze", 60)
    said = room.host.run(f"carrel-vmm ctl {desktop.folder}/control thaw 2>&1 || true")
    assert "no file system of the guest is frozen" in said
    desktop.run("echo y >/root/frozen; sync", "root")


@pytest.mark.monitors(2)  # another desktop than the power button's, so that one boot fewer is needed
@pytest.mark.ends_desktop
def test_shut_down(room, desktop, ctl):
    ctl("shut-down")
    room.host.wait_until(lambda: not desktop.alive(), "the desktop's end", 120)
    assert "Power down" in desktop.console() or "reboot: " in desktop.console()
