# SPDX-License-Identifier: Apache-2.0
"""virtio-blk, and what its requests leave in the file."""

import struct

import pytest
from vmm import Disk, Machine

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
