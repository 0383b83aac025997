# SPDX-License-Identifier: Apache-2.0
"""How carrel-vmm ends: on signals at any moment, by itself, by violence; and that nothing of it stays."""

import fcntl
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest
from behaviour import SOON, wait_until

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.raw"
    with open(path, "wb") as file:
        file.truncate(4 * MIB)
    return path


def is_locked(path):
    """Whether somebody holds a lock on the file, as a VMM does on its disks."""
    with open(path, "r+b") as file:
        flock = "hhqqi4x"
        answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, struct.pack(flock, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        return struct.unpack(flock, answer)[0] != fcntl.F_UNLCK


def listens(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture
def groups(bench, tmp_path, disk):
    """A desktop with one of everything that could be left behind."""
    return bench.groups("load", "slots=1024 gpu=1 port=test", disk_a={"path": disk}, spice={"socket": tmp_path / "spice", "no-ticket": True},
                        port_test={"socket": tmp_path / "port"}, display={"scanouts": 1}, input={"keyboard": True},
                        desktop={"vcpus": 2, "balloon": True})


def assert_nothing_left(bench, disk, before):
    assert bench.files() == before
    # A killed process's requests to the disk are let go of by the kernel, soon after the process itself is gone.
    wait_until(lambda: not is_locked(disk), "the disk's being free")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_at_any_moment(bench, groups, disk, number):
    """From before main() to a busy guest. Before main() there is nothing to leave behind, and the signal kills."""
    path = bench.write(groups)
    before = bench.files()
    dice = random.Random(number)
    ends = []
    for i in range(25):
        desktop = bench.start(path)
        time.sleep(dice.uniform(0, 0.004 if i % 2 else 0.12))
        desktop.signal(number)
        ends.append(desktop.wait())
        assert ends[-1] in (0, -number) and desktop.said() == "", f"status {ends[-1]}: {desktop.said()}"
        assert ends[-1] == 0 or not desktop.printed()
        assert_nothing_left(bench, disk, before)
    assert 0 in ends


def test_signals_to_both_processes_over_and_over(bench, groups, disk):
    """What a terminal does at Ctrl-C: the whole process group gets it; and an impatient person presses it again."""
    path = bench.write(groups)
    before = bench.files()
    desktop = bench.start(path, before="set -m")
    desktop.wait_printed(b"load")
    inner = desktop.inner()
    for _ in range(5):
        for pid in desktop.process.pid, inner:
            if pid:
                try:
                    os.kill(pid, signal.SIGINT)
                except ProcessLookupError:
                    pass
    assert desktop.wait() == 0, desktop.said()
    assert desktop.said() == ""
    assert_nothing_left(bench, disk, before)


def test_signal_while_saving(bench, groups, tmp_path):
    """The desktop ends once its file is whole: what is being written from is not taken away."""
    # Merged memory has no holes to pass over, so there is time to be in the middle of it.
    groups["desktop"] |= {"memory": "4G", "merge": True}
    path = bench.write(groups)
    saved = tmp_path / "saved"
    desktop = bench.start(path)
    desktop.wait_printed(b"load")
    with subprocess.Popen([desktop.program, "ctl", desktop.control, "save", saved]) as saving:
        desktop.wait_state("paused (save)")
        desktop.signal()
        assert desktop.wait() == 0 and desktop.said() == "", desktop.said()
        assert saving.wait() == 0
    with open(saved, "rb") as file:
        assert file.read(11) == b"CARREL DESK"


def test_keeper_killed(bench, groups, disk):
    """The desktop does not outlive its keeper, whenever that dies."""
    path = bench.write(groups)
    dice = random.Random(1)
    for i in range(15):
        desktop = bench.start(path)
        if i:
            time.sleep(dice.uniform(0, 0.1))
        else:
            desktop.wait_printed(b"load")
        desktop.others()
        desktop.signal(signal.SIGKILL)
        desktop.process.wait()
        wait_until(lambda: not desktop.others(), "the end of the desktop")
        wait_until(lambda: not listens(desktop.control), "the end of its sockets")
    # What the killed one could not remove is no obstacle.
    desktop = bench.start(path)
    desktop.wait_printed(b"alive")
    desktop.signal()
    assert desktop.wait() == 0 and desktop.said() == ""


def test_ignored_signals_stay_ignored(bench, groups, disk):
    """Started by nohup, or in a script's background: what it was told to ignore does not end it."""
    before = bench.files()
    for number in "HUP", "INT":
        desktop = bench.start(groups, before=f"trap '' {number} CHLD")
        desktop.wait_printed(b"alive 2 ")
        for pid in desktop.process.pid, desktop.inner() or desktop.process.pid:
            os.kill(pid, getattr(signal, f"SIG{number}"))
        count = desktop.printed().count(b"alive")
        wait_until(lambda: desktop.printed().count(b"alive") > count + 2, "life after the signal")
        desktop.signal()
        assert desktop.wait() == 0 and desktop.said() == ""
        os.unlink(bench.folder / "desktop.conf")
        assert_nothing_left(bench, disk, before)


def test_no_second_process(bench, tmp_path):
    """The host has no room for another process: told, and the sockets are gone."""
    if bench.options:
        pytest.skip("there is no second process")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        bench.folder = pathlib.Path(folder)
        bench.program, real = bench.folder / "alone", bench.program
        bench.program.write_text(f'#!/bin/sh\nexec setpriv --reuid 65531 --regid 65531 --clear-groups prlimit --nproc=1 {real} "$@"\n')
        bench.program.chmod(0o755)
        bench.refused(bench.groups(), says="cannot start the desktop process: Resource temporarily unavailable")


@pytest.mark.parametrize("number, name", [(signal.SIGKILL, "Killed"), (signal.SIGABRT, "Aborted")])
def test_desktop_crashes(bench, groups, disk, number, name):
    path = bench.write(groups)
    before = bench.files()
    desktop = bench.start(path)
    desktop.wait_printed(b"load")
    os.kill(desktop.inner(), number)
    assert desktop.wait() == 128 + number
    assert desktop.said() == f"carrel-vmm: the desktop process was ended by signal {int(number)} ({name})\n"
    assert_nothing_left(bench, disk, before)


def test_flushed_when_ended(bench, groups, disk):
    """Whatever the guest was told is written is in the file, and nothing that it was not told comes later."""
    for _ in range(4):
        disk.write_bytes(bytes(4 * MIB))
        desktop = bench.start(groups)
        desktop.wait_printed(b"alive 5 ")
        desktop.signal()
        assert desktop.wait() == 0
        whole, _, _cut_short = desktop.printed().rpartition(b"\n")
        told = [int(line.split()[3]) for line in whole.splitlines() if line.startswith(b"alive ")]
        with open(disk, "rb") as file:
            found = [struct.unpack("<Q", file.read(4096)[:8])[0] for _ in range(1024)]
        stable = told[-1]
        for number in range(max(1, stable - 1024), stable):
            assert found[number % 1024] >= number, f"write {number} is lost, {stable} was told"


@pytest.fixture
def device(disk):
    """
    A block device with the disk's file below it. What is written to the device stays in the host's page cache, and comes to
    the file when somebody flushes the device; not when it is closed, since it is held open here.
    """
    made = subprocess.run(["losetup", "--find", "--show", disk], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no loop device to be had: {made.stderr}")
    path = pathlib.Path(made.stdout.strip())
    with open(path, "rb"):
        yield path
    subprocess.run(["losetup", "--detach", path], check=True)


@pytest.mark.parametrize("end", ["signal", "stop", "crash"])
def test_on_stable_storage_when_ended(bench, groups, disk, device, end):
    """Ended at any moment of its writing, all it wrote is below the host's cache; ended by violence it need not be."""
    groups["disk a"]["path"] = device
    dice = random.Random(7)
    different = []
    for _ in range(12):
        desktop = bench.start(groups)
        desktop.wait_printed(b"load")
        time.sleep(dice.uniform(0, 0.15))
        if end == "stop":
            desktop.do("stop")
        elif end == "signal":
            desktop.signal()
        else:
            os.kill(desktop.inner() or desktop.process.pid, signal.SIGKILL)
        assert abs(desktop.wait()) % 128 == (signal.SIGKILL if end == "crash" else 0)
        different.append(device.read_bytes() != disk.read_bytes())
    assert any(different) if end == "crash" else not any(different), different


def test_guest_powers_off(bench, groups, disk):
    path = bench.write({**groups, "boot": bench.groups("power", "end=s5")["boot"]})
    before = bench.files()
    desktop = bench.start(path)
    assert desktop.wait() == 0 and desktop.said() == ""
    assert_nothing_left(bench, disk, before)


def test_terminal_of_others(bench, groups, tmp_path):
    """Started in the background of a shell, it leaves the terminal alone, and is not stopped for touching it."""
    import pty
    import termios

    outer, inner = pty.openpty()
    before = termios.tcgetattr(inner)
    pid_file = tmp_path / "pid"
    # the shell keeps the foreground; set -m gives the job a process group of its own
    desktop = bench.start(groups, terminal=inner, before=f'set -m; "$@" & echo $! >{pid_file}; set +m; wait $!; exit')
    wait_until(lambda: desktop.control.exists() and desktop.ctl("status").returncode == 0, "life")
    job = int(pid_file.read_text())
    assert "T" not in pathlib.Path(f"/proc/{job}/stat").read_text().rpartition(")")[2].split()[0]
    assert termios.tcgetattr(inner) == before
    os.kill(job, signal.SIGTERM)
    assert desktop.wait() == 0
    assert termios.tcgetattr(inner) == before
    os.close(outer)
    os.close(inner)


def test_terminal_is_put_back(bench, groups):
    """The serial port on a terminal takes it over; it is as before when the desktop has ended, even by a crash."""
    import pty
    import termios

    for end in signal.SIGTERM, signal.SIGKILL:
        outer, inner = pty.openpty()
        before = termios.tcgetattr(inner)
        desktop = bench.start(groups, terminal=inner)
        wait_until(lambda: termios.tcgetattr(inner) != before, "a raw terminal")
        if end == signal.SIGTERM:
            desktop.signal()
        else:
            os.kill(desktop.inner(), end)
        desktop.wait()
        assert termios.tcgetattr(inner) == before
        os.close(outer)
        os.close(inner)


def test_more_descriptors_than_usual(bench, tmp_path):
    """The soft limit is for programs that select(); a desktop with many queues takes what the hard one allows."""
    disks = {}
    for i in range(6):
        path = tmp_path / f"disk{i}.raw"
        path.write_bytes(bytes(MIB))
        disks[f"disk_d{i}"] = {"path": path, "queues": 64}
    real, bench.program = bench.program, tmp_path / "limited"
    bench.program.write_text(f'#!/bin/sh\nulimit -S -n 256\nexec {real} "$@"\n')
    bench.program.chmod(0o755)
    desktop = bench.start(bench.groups("idle", **disks))
    desktop.wait_printed(b"idle")
    desktop.do("stop")
    assert desktop.wait() == 0 and desktop.said() == ""
