# SPDX-License-Identifier: Apache-2.0
"""The USB controller: a guest's own driver finds keyboard, tablet and CD-ROM drive, reads a disc, and then misbehaves."""

import re

import pytest
from vmm import Machine

BLOCKS = 64


@pytest.fixture
def disc(tmp_path):
    """What xhci.c looks for: a volume descriptor in block 16, a pattern everywhere."""
    content = bytearray()
    for block in range(BLOCKS):
        content += bytes((block + (2048 * (block - 16) + i) % 251) % 256 for i in range(2048))
    content[16 * 2048:16 * 2048 + 7] = b"\1CD001\1"
    path = tmp_path / "disc.iso"
    path.write_bytes(content)
    return path


def test_devices(run, disc):
    session = run("xhci", Machine(usb=True, cdrom=disc), "test=devices")
    classes = [int(match[1]) for line in session.lines if (match := re.fullmatch(r"# class (\d+)", line))]
    assert sorted(classes) == [3, 3, 8]


def test_hostile(run, disc):
    run("xhci", Machine(usb=True, cdrom=disc), "test=hostile")
