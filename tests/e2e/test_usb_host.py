# SPDX-License-Identifier: Apache-2.0
"""
What is plugged into the host is in the desktop, and Debian's drivers use it: a stick, pulled out in the middle of it all; the
kernel's own software stick; a loudspeaker and a microphone.
"""

import re
import socket
import sys

import pytest
from conftest import HERE, usb_drive, without_drive

sys.path += [str(HERE.parent / "usb-peer")]

from peer import Peer  # noqa: E402

# A copy that goes on until it fails.
COPY = "(while dd if=%s of=/dev/null bs=64k iflag=direct; do :; done; echo over) >/tmp/copy 2>&1 & sleep 1; ! grep over /tmp/copy"
COPIED = "until grep -qx over /tmp/copy; do sleep 0.2; done; cat /tmp/copy"

# Frames of sound, 16 bits left and 16 bits right, that are numbered from 1 on; and how many came in a row at most.
RATE = 48000
FRAMES = f"perl -e 'print pack \"V*\", 1..{2 * RATE}'"
IN_A_ROW = ("perl -e 'local $/; @frames = unpack \"V*\", <STDIN>; for (1..$#frames) "
            "{ $run = $frames[$_] == $frames[$_ - 1] + 1 ? $run + 1 : 0; $best = $run if $run > $best } print $best'")
CARD = "CARD=$(%s -l 2>/dev/null | sed -n 's/^card \\([0-9]*\\):.*USB Audio.*/\\1/p' | head -n 1)"


@pytest.fixture(autouse=True)
def only_carrel(room):
    if room.vmm.name == "qemu":
        pytest.skip("a test of carrel-vmm")


class Watch:
    """What carrel-vmm ctl watch says."""

    def __init__(self, room, desktop):
        self._host, self._log = room.host, f"{desktop.folder}/watch.log"
        self._host.run(f"systemd-run --quiet --unit=watch --collect -p StandardOutput=truncate:{self._log}"
                       f" carrel-vmm ctl {desktop.folder}/control watch")
        self.wait("state running")

    def wait(self, words):
        self._host.wait_until(lambda: words in self._host.run(f"cat {self._log}", check=False), f"“{words}”", 60)


@pytest.fixture
def watch(room, desktop):
    yield Watch(room, desktop)
    room.host.run("systemctl stop watch", check=False)


def assert_well(desktop):
    """The desktop goes on, and its own disk is read."""
    assert desktop.run("dd if=/dev/vda of=/dev/null bs=1M count=4 iflag=direct 2>&1", "root").startswith("4+0 ")
    assert desktop.alive()


def assert_copy_failed(desktop):
    assert re.search("Input/output error|No such|No medium", desktop.run(COPIED, "root")), "no program heard of it"


def test_stick(room, desktop, watch, host_stick):
    """A file is copied from it; pulled out in the middle of a copy it is an error and nothing worse, and it comes back."""
    host_stick.plug()
    watch.wait("usb attached stick")
    assert host_stick.checksum_in(desktop) == host_stick.checksum
    assert "46f4:0001" in desktop.run("lsusb")
    assert re.search(r"^port \d+: stick \(host, (high|super) speed\): QEMU", room.vmm.ctl(desktop, "usb"), re.M)

    disk = desktop.run(usb_drive("disk"), "root").strip()
    desktop.run(COPY % disk, "root")
    host_stick.pull()
    watch.wait("usb detached stick “QEMU USB HARDDRIVE”: it was unplugged from the host")
    assert_copy_failed(desktop)
    desktop.run(without_drive(disk), "root", timeout=90)
    assert_well(desktop)

    host_stick.plug()
    assert host_stick.checksum_in(desktop) == host_stick.checksum


def test_gadget(room, desktop, watch):
    """The kernel's software stick, whose every byte is read, and which vanishes in the middle of the next copy."""
    room.host.run("head -c 4M /dev/urandom >/dev/shm/stick; modprobe dummy_hcd; modprobe g_mass_storage file=/dev/shm/stick stall=0")
    try:
        watch.wait("usb attached gadget")
        disk = desktop.run(usb_drive("disk"), "root", timeout=90).strip()
        assert desktop.run(f"sha256sum <{disk}", "root") == room.host.run("sha256sum </dev/shm/stick")
        desktop.run(COPY % disk, "root")
    finally:
        room.host.run("rmmod g_mass_storage dummy_hcd; rm /dev/shm/stick")
    watch.wait("usb detached gadget")
    assert_copy_failed(desktop)
    desktop.run(without_drive(disk), "root", timeout=90)
    assert_well(desktop)


def test_loudspeaker(room, desktop, watch):
    """What the guest plays is what the sound card gets: an isochronous stream."""
    wav = room.host.machine.plug_speaker("speaker")
    try:
        watch.wait("usb attached speaker")
        card = CARD % "aplay"
        desktop.run(f"until {card}; [ -n \"$CARD\" ]; do sleep 0.2; done; amixer -q -c $CARD sset 'Audio Output Volume Control' 100% unmute;"
                    f"{FRAMES} | aplay -q -t raw -D hw:$CARD -f S16_LE -c 2 -r {RATE}", "root", timeout=120)
    finally:
        room.host.machine.unplug("speaker")
    watch.wait("usb detached speaker")
    frames = memoryview(wav.read_bytes()[44:]).cast("I")
    best = run = 0
    for before, after in zip(frames, frames[1:]):
        run = run + 1 if after == before + 1 else 0
        best = max(best, run)
    assert best > RATE // 50, "frames that came as they were sent, in a row"


def test_microphone(room, desktop, watch):
    """What the microphone hears is what the guest records: an isochronous stream the other way."""
    machine = room.host.machine
    path = machine.plug_remote("microphone")
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(path))
        peer = Peer(room.build, link, "microphone", link="bytes")
    try:
        watch.wait("usb attached microphone")
        card = CARD % "arecord"
        # The kernel gives a reader up who has waited for as long as the buffer is: in an emulated host a stream begins slowly.
        best = desktop.run(f"until {card}; [ -n \"$CARD\" ]; do sleep 0.2; done; for try in 1 2 3; do "
                           f"arecord -q -t raw -D hw:$CARD -f S16_LE -c 2 -r {RATE} -d 2 --buffer-time=4000000 --period-time=500000 >/tmp/heard 2>/tmp/said && break; done; "
                           f"{IN_A_ROW} </tmp/heard", "root", timeout=120)
        story = desktop.run("ls -l /tmp/heard; cat /tmp/said; dmesg | tail -20", "root")
    finally:
        machine.unplug("microphone")
        peer.vanish()
    watch.wait("usb detached microphone")
    assert best and int(best) > RATE // 50, f"frames that were recorded as they were sent, in a row; the guest says:\n{story}"
