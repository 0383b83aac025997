# SPDX-License-Identifier: Apache-2.0
"""The host has no room for what the guest writes: the desktop waits, says why, and goes on by itself; nothing is lost."""

import os
import re
import subprocess
import time

import pytest
from behaviour import wait_until
from load import BLOCK, SLOTS, alive, check_disk, check_serial, finish, wait_alive

ROOM = SLOTS * BLOCK // 2  # half of what the guest will write


class Place:
    """A file system of its own for the disk, with less room than the guest wants."""

    def __init__(self, folder):
        self.folder, self.disk, self.filler = folder, folder / "disk.raw", folder / "filler"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={2 * SLOTS * BLOCK}", "tmpfs", folder], check=True)
        with open(self.disk, "wb") as file:
            file.truncate(SLOTS * BLOCK)
        self.fill()

    def fill(self):
        """Leaves the disk ROOM to grow."""
        with open(self.filler, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 2 * SLOTS * BLOCK - ROOM - 8192)

    def free(self):
        self.filler.unlink()

    def free_a_little(self):
        os.truncate(self.filler, self.filler.stat().st_size - 40 * BLOCK)

    def is_full(self):
        return os.statvfs(self.folder).f_bavail < 12


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "place")
    yield place
    subprocess.run(["umount", "-l", place.folder], check=True)


@pytest.fixture
def start(bench, place):
    """A desktop that has filled its storage, and waits."""

    def start(ring=0, **more):
        desktop = bench.start(bench.groups("load", f"slots={SLOTS} ring={ring}", disk_a={"path": place.disk}, **more))
        desktop.wait_state("paused (storage)")
        assert place.is_full()
        return desktop

    return start


def stands_still(desktop):
    time.sleep(0.05)  # what the serial port still had to say
    before = alive(desktop)
    time.sleep(0.2)
    assert alive(desktop) == before


def complaint(place):
    return f"carrel-vmm: paused: a: No space left on device on {place.disk}\n"


@pytest.mark.parametrize("ring", [0, 7])
def test_waits_and_goes_on_by_itself(start, place, ring):
    desktop = start(ring)
    status = desktop.do("status")
    assert f"reason:  a: No space left on device on {place.disk}\n" in status, status
    assert desktop.said() == complaint(place)
    stands_still(desktop)
    place.free()
    desktop.wait_state("running")
    assert "reason" not in desktop.do("status")
    wait_alive(desktop, 5)
    finish_after_storage(desktop, place)


def finish_after_storage(desktop, place, times=None):
    """Everything the guest wrote is there."""
    desktop.type(b"q")
    assert desktop.wait() == 0
    said = desktop.said()
    assert said == complaint(place) * (said.count("\n") if times is None else times), said
    check_disk(place.disk, check_serial(desktop.printed()))


def test_several_times(start, place):
    """A little room at a time: it goes on for a little, and waits again."""
    desktop = start()
    for _ in range(3):
        before = alive(desktop), place.disk.stat().st_blocks
        place.free_a_little()
        wait_until(lambda: place.disk.stat().st_blocks > before[1], "the use of a little room")
        wait_until(lambda: desktop.state() == "paused (storage)" and place.is_full(), "a pause for want of more")
    place.free()
    desktop.wait_state("running")
    wait_alive(desktop)
    finish_after_storage(desktop, place)


def test_watched(bench, start, place):
    desktop = start()
    watch = subprocess.Popen([desktop.program, "ctl", desktop.control, "watch"], stdout=subprocess.PIPE, text=True)
    assert watch.stdout.readline() == f"state paused storage: a: No space left on device on {place.disk}\n"
    desktop.do("pause")
    assert watch.stdout.readline().startswith("state paused user,storage: a: No space")
    place.free()
    assert watch.stdout.readline() == "state paused user\n"
    desktop.do("resume")
    assert watch.stdout.readline() == "state running\n"
    wait_alive(desktop)
    desktop.do("stop")
    assert desktop.wait() == 0
    assert watch.stdout.read() == "state stopped: stopped over the control socket\n"
    assert watch.wait(10) == 0
    watch.stdout.close()


def test_resumed_while_still_full(start, place):
    """Somebody resumes although nothing has changed: it is paused anew, with its reason, and nothing is lost."""
    desktop = start()
    for _ in range(5):
        desktop.do("resume")
        wait_until(lambda: desktop.state() == "paused (storage)", "the pause again")
        assert "reason:  a: No space left" in desktop.do("status")
    place.free()
    desktop.wait_state("running")
    wait_alive(desktop)
    finish_after_storage(desktop, place)


def test_ended_while_full(bench, start, place):
    desktop = start()
    desktop.signal()
    assert desktop.wait() == 0 and desktop.said() == complaint(place)
    assert not desktop.control.exists()
    # What the guest was told is stable is there, also of the last moments.
    stable = int(re.findall(rb"written (\d+) at \d+\n", desktop.printed())[-1])
    content = place.disk.read_bytes()
    for number in range(1, stable):
        assert int.from_bytes(content[number % SLOTS * BLOCK:][:8], "little") >= number


def test_reset_while_full(start, place):
    """The guest starts again, and meets the same want of room."""
    desktop = start()
    desktop.do("reset")
    wait_until(lambda: desktop.printed().count(b"load on 1") == 2, "a second start")
    desktop.wait_state("paused (storage)")
    place.free()
    desktop.wait_state("running")
    desktop.type(b"q")
    assert desktop.wait() == 0 and b"wrong" not in desktop.printed()


def test_saved_while_full(bench, start, place, tmp_path):
    """The requests that wait are saved with the desktop, and wait on."""
    saved = tmp_path / "saved"
    desktop = start(7)
    said = b""
    for _ in range(2):
        desktop.do("save", saved)
        assert desktop.wait() == 0
        said += desktop.printed()
        desktop = bench.start("--restore", saved)
        desktop.wait_state("paused (storage)")
        stands_still(desktop)
    place.free()
    desktop.wait_state("running")
    wait_alive(desktop)
    desktop.type(b"q")
    assert desktop.wait() == 0
    check_disk(place.disk, check_serial(said + desktop.printed()))


def test_reported_where_so_configured(bench, place):
    """on-error=report: the guest is told, and decides; the desktop does not pause."""
    groups = bench.groups("load", f"slots={SLOTS}", disk_a={"path": place.disk, "on-error": "report"})
    desktop = bench.start(groups)
    assert desktop.wait() == 0
    assert re.search(rb"wrong: request 1 of block \d+: status 1", desktop.printed()), desktop.printed()[-300:]
    assert desktop.said() == ""
