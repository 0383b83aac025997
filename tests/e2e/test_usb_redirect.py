# SPDX-License-Identifier: Apache-2.0
"""What a person has in the thin client's ports: a disc, a stick that is pulled out, seen by Debian's drivers."""

import hashlib
import os
import subprocess
import sys

import pytest
from conftest import HERE, connect, usb_drive, without_drive

sys.path += [str(HERE.parent / "usb-peer"), str(HERE.parent / "guest")]

import spice  # noqa: E402
from peer import USBREDIR, Peer  # noqa: E402

FILE_MIB = 4
STICK_MIB = 16


@pytest.fixture
def client(desktop):
    with connect(desktop, usb=True) as client:
        yield client


@pytest.fixture
def stick(room, desktop, tmp_path):
    """A client of its own whose device is a stick full of noise: (the peer, the noise's checksum)."""
    image = tmp_path / "stick.img"
    image.write_bytes(os.urandom(STICK_MIB << 20))
    session = spice.Client(("127.0.0.1", desktop.spice_port), ticket=desktop.ticket)
    peer = Peer(room.build, session.link(USBREDIR), "disk", file=image)
    yield peer, hashlib.sha256(image.read_bytes()).hexdigest()
    peer.vanish()
    session.close()


def test_a_file_is_copied_from_a_disc(desktop, client, tmp_path):
    """spice-gtk's drive in the client, Debian's in the desktop: the file is the same on both sides."""
    content = os.urandom(FILE_MIB << 20)
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "report.pdf").write_bytes(content)
    disc = tmp_path / "disc.iso"
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", disc, folder], check=True)

    device = client.plug_in_disc(disc)
    drive = desktop.run(usb_drive("rom"), "root", timeout=90).strip()
    assert "2b23:cdcd" in desktop.run("lsusb", "root")
    copied = desktop.run(f"mount -o ro {drive} /mnt && cp /mnt/report.pdf /tmp/ && umount /mnt && sha256sum /tmp/report.pdf;"
                         " rm -f /tmp/report.pdf", "root", timeout=180)
    assert copied.split()[0] == hashlib.sha256(content).hexdigest()
    client.take_out(device)
    desktop.run(without_drive(drive), "root", timeout=90)


def test_a_stick_is_pulled_out_while_it_is_read(desktop, stick):
    """The program that reads it is told of an error, and nothing else happens; plugged in again, all of it is there."""
    peer, checksum = stick
    disk = desktop.run(usb_drive("disk"), "root", timeout=90).strip()
    desktop.run(f"(while cat {disk} >/dev/null; do :; done) 2>/tmp/reader & sleep 1; cat /tmp/reader", "root")
    peer.do("unplug")
    desktop.run(without_drive(disk), "root", timeout=90)
    told = desktop.run("for i in $(seq 100); do [ -s /tmp/reader ] && break; sleep 0.1; done; cat /tmp/reader", "root")
    assert "Input/output error" in told or "No such" in told, told
    assert "USB disconnect" in desktop.run("journalctl -k -b --no-pager | tail -50", "root")

    peer.do("plug")
    disk = desktop.run(usb_drive("disk"), "root", timeout=90).strip()
    assert desktop.run(f"sha256sum {disk}", "root", timeout=240).split()[0] == checksum
    assert desktop.alive()
