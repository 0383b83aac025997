# SPDX-License-Identifier: Apache-2.0
"""virtio-blk, and what its requests leave in the file."""

import os
import struct
import subprocess
import threading
import time

import pytest
from vmm import Disk, Machine, Session

MIB = 1 << 20
SECTOR = 512


@pytest.fixture
def zeroes(tmp_path):
    path = tmp_path / "zeroes.raw"
    with open(path, "wb") as file:
        file.truncate(4 * MIB)
    return Disk(path, serial="carrel-disk")


def pattern(seed, words):
    """What blk.c's fill() writes."""
    return b"".join(struct.pack("<Q", (seed + i) * 0x9E3779B97F4A7C15 & (1 << 64) - 1) for i in range(words))


def test_requests(run, zeroes, tmp_path):
    numbered = tmp_path / "numbered.raw"
    numbered.write_bytes(b"".join(bytes([i]) * SECTOR for i in range(64)))
    run("blk", Machine(disks=[zeroes, Disk(numbered, read_only=True)]), f"test=requests sectors={4 * MIB // SECTOR}")

    content = zeroes.path.read_bytes()
    for i in range(8):
        sector = 8 + 4 * i
        assert content[sector * SECTOR:(sector + 2) * SECTOR] == pattern(sector, 128)
    assert content[64 * SECTOR:66 * SECTOR] == bytes(2 * SECTOR)
    assert content[66 * SECTOR:68 * SECTOR] == pattern(64, 256)[2 * SECTOR:]
    assert content[1024 * SECTOR:1152 * SECTOR] == bytes(128 * SECTOR)
    assert zeroes.path.stat().st_blocks * 512 < 64 * 1024, "discarded blocks were not given back"
    assert numbered.read_bytes() == b"".join(bytes([i]) * SECTOR for i in range(64))


def test_queues(run, zeroes):
    zeroes.queues = 4
    run("blk", Machine(disks=[zeroes]), "test=queues queues=4")


def test_resize(run, zeroes):
    def resize(session, size):
        session.control("resize_disk", index=0, size=int(size))

    run("blk", Machine(disks=[zeroes]), f"test=resize sectors={4 * MIB // SECTOR}", actions={"resize": resize})
    assert zeroes.path.stat().st_size == 8 * MIB
    assert zeroes.path.read_bytes()[-SECTOR:] == pattern(7, 64)


@pytest.fixture
def crowded(tmp_path, kind):
    """A disk of 4 MiB on a file system with 2 MiB left, and the file that takes the rest."""
    if kind.name != "carrel":
        pytest.skip("QEMU is not told to pause")
    if os.geteuid() != 0:
        pytest.skip("a file system of its own needs root")
    folder = tmp_path / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=True)
    filler = folder / "filler"
    filler.write_bytes(bytes(4 * MIB))
    path = folder / "disk.raw"
    with open(path, "wb") as file:
        file.truncate(4 * MIB)
    yield Disk(path), filler
    subprocess.run(["umount", "-l", folder], check=True)


def test_full(run, crowded):
    """The host's storage is full: the desktop pauses and says so, and goes on when there is room."""
    disk, filler = crowded
    seen = []

    def make_room(session):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                seen.append(session.control("status"))
            except AssertionError:
                pass  # not listening yet
            if seen and "storage" in seen[-1]:
                break
            time.sleep(0.1)
        time.sleep(0.5)
        seen.append(session.control("status"))
        filler.unlink()

    def watch(session):
        threading.Thread(target=make_room, args=[session]).start()

    run("blk", Machine(disks=[disk]), f"test=fill sectors={4 * MIB // SECTOR}", during=watch)
    assert "paused (storage)" in seen[-1] and "disk0" in seen[-1], seen[-1]
    content = disk.path.read_bytes()
    assert content == b"".join(pattern(i, 1024) for i in range(512))


def test_full_reported(run, crowded):
    disk, _ = crowded
    disk.on_error = "report"
    run("blk", Machine(disks=[disk]), f"test=report sectors={4 * MIB // SECTOR}")


@pytest.mark.parametrize("after", [1, 7, 30])
def test_terminated(kind, zeroes, tmp_path, after):
    """SIGTERM while the guest writes: the VMM ends in order, and every write that was answered is in the file."""
    elf = kind.build / "tests/guest/guest-blk.elf"
    session = Session(kind, elf, Machine(disks=[zeroes]), tmp_path, f"test=endless sectors={4 * MIB // SECTOR}")
    answered = 0
    try:
        for count, line in enumerate(session.serial_lines(60)):
            assert line.startswith("wrote "), session.story(line)
            answered = int(line.split()[1])
            if count == after:
                session.process.terminate()
        assert session.process.wait(20) == 0, session.story("not ended in order")
    finally:
        session.end()
    content = zeroes.path.read_bytes()
    numbers = [struct.unpack_from("<Q", content, n * SECTOR)[0] for n in range(answered + 1)]
    assert numbers == list(range(answered + 1))
