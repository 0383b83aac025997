# SPDX-License-Identifier: Apache-2.0
"""The USB controller: a guest's own driver finds keyboard, tablet and CD-ROM drive, reads a disc, and then misbehaves."""

import re

import pytest
import spice
from peer import USBREDIR, Peer
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


def test_redirected_disk_after_a_restore(run, kind, tmp_path):
    """A client's disk is unplugged for the guest that was restored, and there again once a client offers it."""
    if kind.name == "qemu":
        pytest.skip("QEMU wants the same device back when it restores")
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(i % 251 for i in range(64 * 512)))
    clients, peers = [], []

    def plug(session, _rest):
        clients.append(spice.Client(session.machine.spice))
        peers.append(Peer(session.adapter.build, clients[-1].link(USBREDIR), "disk", file=image))

    def save(session, _rest):
        session.save_and_restore(tmp_path / "saved", between=lambda: peers[0].said() == "ended" or peers[0].vanish())

    def unplug(_session, _rest):
        peers[-1].do("unplug")

    try:
        run("xhci", Machine(usb=True, redirect=1, gpu=True, spice=tmp_path / "spice"), "test=redirect",
            actions={"plug": plug, "save": save, "unplug": unplug})
    finally:
        for peer in peers:
            peer.vanish()
        for client in clients:
            client.close()
