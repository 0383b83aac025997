# SPDX-License-Identifier: Apache-2.0
"""
A stick in the host's port, and a small guest that reads it: plugged in and pulled out, given and given back, whatever becomes of
the VMM; and a sound card that is streamed to. These need no booted desktop, and have a host of their own.
"""

import contextlib
import os
import re
import subprocess
import sys
import zlib

import pytest
from conftest import HERE

sys.path[:0] = [str(HERE.parent / "guest")]

import in_host  # noqa: E402
import vmm  # noqa: E402
from rig import rooms  # noqa: E402
from rig.stick import Stick  # noqa: E402

STICK, SPEAKER = "46f4:0001", "46f4:0002"  # the emulator's
SERIAL = "CARREL-STICK"
NAME = "QEMU USB HARDDRIVE"
MIB = 1
FRAMES = 48  # of a packet


@pytest.fixture(scope="module")
def host(request):
    if request.config.getoption("--vmm") == "qemu":
        pytest.skip("a test of carrel-vmm")
    with rooms.host() as host:
        yield host


@pytest.fixture
def stick(host, tmp_path):
    image = tmp_path / "stick.raw"
    image.write_bytes(os.urandom(MIB << 20))
    stick = Stick(host.machine, image, SERIAL)
    yield stick
    stick.pull()


class Desktop:
    """carrel-vmm in the host, its guest waiting for the device."""

    def __init__(self, host, build, folder, device, options):
        self._host, self.folder = host, folder
        self.log = f"{folder}/watch.log"
        adapter = in_host.InHost(vmm.ADAPTERS["carrel"](build), host, device)
        self.session = vmm.Session(adapter, build / "tests/bench/bench-usb.elf", vmm.Machine(memory_mib=64, usb=True), folder,
                                   options)
        self._lines = self.session.serial_lines(120)
        self.until("@ plug")
        host.run(f"systemd-run --quiet --unit=watch --collect -p StandardOutput=truncate:{self.log}"
                 f" carrel-vmm ctl {folder}/control watch")
        self.told("state running")

    def until(self, start):
        """The guest's next line that begins so."""
        for line in self._lines:
            assert not line.startswith(("Bail out!", "not ok")), self.session.story(line)
            if line.startswith(start):
                return line
        raise AssertionError(self.session.story(f"the guest never said “{start}”"))

    def answer(self):
        self.session.answer()

    def ctl(self, *words):
        """What a verb prints; its error where it fails."""
        done = subprocess.run([str(word) for word in self._host.command(
            f"carrel-vmm ctl {self.folder}/control {' '.join(words)} 2>&1")], capture_output=True, text=True, timeout=30)
        return done.stdout.strip()

    def told(self, words, times=1):
        """Waits until ctl watch has said so."""
        self._host.wait_until(lambda: self._host.run(f"cat {self.log}", check=False).count(words) >= times, f"“{words}”", 30)

    def end(self):
        self._host.run("systemctl stop watch; kill $(pgrep -x carrel-keeper)", check=False)
        self.session.end()


@pytest.fixture
def start(host, request, tmp_path):
    with contextlib.ExitStack() as stack:
        def start(options=f"mode=sum size={MIB}", device=STICK):
            desktop = Desktop(host, HERE.parents[1] / request.config.getoption("--build"), tmp_path, device, options)
            stack.callback(desktop.end)
            return desktop

        yield start


def hosts(host):
    """Whether a driver of the host's runs the stick."""
    return host.succeeds("ls /sys/bus/usb/drivers/usb-storage 2>/dev/null | grep -q :")


def wait_until_hosts(host):
    host.wait_until(lambda: hosts(host), "the stick at the host's driver", 30)


def sum_of(stick):
    return f"sum {zlib.crc32(stick.content):x}"


def test_read_and_pulled_out(host, stick, start):
    """Every byte comes; pulled out in the middle it is an error in the guest, and nothing worse."""
    desktop = start(f"mode=sum size={MIB} passes=1000")
    stick.plug()
    desktop.told(f"usb attached device “{NAME}”: the host gives it to the desktop")
    assert not hosts(host)
    assert re.search(rf"^port 3: device \(host, \w+ speed\): {NAME}$", desktop.ctl("usb"), re.M)
    desktop.answer()
    assert desktop.until("sum ") == sum_of(stick)
    stick.pull()
    assert desktop.until("lost ")
    desktop.told(f"usb detached device “{NAME}”: it was unplugged from the host")


def test_comes_back(host, stick, start):
    """Unplugged and plugged in again, and there from the start the next time."""
    desktop = start()
    stick.plug()
    desktop.told("usb attached device")
    stick.pull()
    desktop.told("usb detached device")
    assert f"not there: device (host): waits for {STICK}" in desktop.ctl("usb")
    stick.plug()
    desktop.told("usb attached device", times=2)
    desktop.answer()
    assert desktop.until("sum ") == sum_of(stick)


def test_given_and_given_back(host, stick, start):
    """By control: detached it is the host's, by name it is the desktop's again; somebody else's it cannot be."""
    stick.plug()
    wait_until_hosts(host)
    desktop = start()
    desktop.told("state running")
    host.wait_until(lambda: not hosts(host), "the stick at the desktop", 30)
    assert desktop.ctl("detach", "device") == ""
    wait_until_hosts(host)
    assert re.fullmatch(rf"port \d-\d: {STICK} \(\d+ Mbit/s\): {NAME}, serial number {SERIAL}", desktop.ctl("host-usb"))
    assert desktop.ctl("attach", "other", f"serial={SERIAL}") == ""
    assert "uses it" in desktop.ctl("attach", "twice", f"id={STICK}")
    desktop.answer()
    assert desktop.until("sum ") == sum_of(stick)


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_goes_back_at_the_end(host, stick, start, signal):
    """The host's driver has it again after the desktop, however that ended."""
    stick.plug()
    start()
    host.wait_until(lambda: not hosts(host), "the stick at the desktop", 30)
    host.run(f"kill -{signal} $(pgrep -x carrel-vmm | head -n 1)")
    wait_until_hosts(host)
    host.wait_until(lambda: not host.succeeds("pgrep -x 'carrel-(usb|keeper)'"), "the end of the other processes", 30)


def test_stream(host, start):
    """An isochronous stream: packets arrive whole and in order, one a millisecond."""
    desktop = start("mode=play seconds=3", SPEAKER)
    wav = host.machine.plug_speaker("speaker")
    try:
        desktop.told("usb attached device")
        desktop.answer()
        desktop.until("@ end")
    finally:
        host.machine.unplug("speaker")
    desktop.told("usb detached device")
    frames = memoryview(wav.read_bytes()[44:]).cast("I")  # left and right of 16 bits: a packet's number, then silence
    numbers = [(place, number) for place, number in enumerate(frames) if number]
    best = run = 0
    for (place, number), (next_place, next_number) in zip(numbers, numbers[1:]):
        run = run + 1 if next_number == number + 1 and next_place == place + FRAMES else 0
        best = max(best, run)
    assert best > 200, f"{len(numbers)} packets came, {best} of them in a row as they were sent"
