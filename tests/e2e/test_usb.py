# SPDX-License-Identifier: Apache-2.0
"""The USB bus as Debian's drivers see it: a hub, a disk and a CD-ROM drive behind it, discs that change, a disk pulled out."""

import hashlib
import os
import re
import subprocess

import pytest
from conftest import USB_DISK_MIB, USB_FOLDER

# As eject(1) does: opened without locking the door (O_NONBLOCK), unlocked (CDROM_LOCKDOOR), ejected (CDROMEJECT). Kernels answer with
# the drive's own status where it refuses.
TAKE_OUT = """perl -e 'sysopen(D, "/dev/sr0", 04000) || die $!; ioctl(D, 0x5329, 0) || die $!; print ioctl(D, 0x5309, 0) || die $!'"""


@pytest.fixture(autouse=True)
def only_carrel(room):
    if room.vmm.name == "qemu":
        pytest.skip("a test of carrel-vmm")


@pytest.fixture
def disc(room, tmp_path):
    """disc("LABEL") is a disc in the host, and the checksum of the file "data" on it."""
    def make(label):
        folder, image = tmp_path / label, tmp_path / f"{label}.iso"
        folder.mkdir()
        content = os.urandom(2 << 20)
        (folder / "data").write_bytes(content)
        subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-V", label, "-o", image, folder], check=True)
        there = f"{USB_FOLDER}/{label}.iso"
        room.host.write(there, image.read_bytes())
        return there, hashlib.sha256(content).hexdigest()

    return make


def read_disc(desktop, label):
    """Waits until the guest sees this disc, and mounts it; the checksum of the file on it."""
    return desktop.run(f"until [ \"$(blkid -p -o value -s LABEL /dev/sr0)\" = {label} ]; do sleep 0.2; done; mkdir -p /run/disc;"
                       "mount -o ro /dev/sr0 /run/disc; sha256sum </run/disc/data", "root").split()[0]


def test_tree(desktop):
    """Both drives are behind the hub, at its speed."""
    tree = desktop.run("until lsusb -t | grep -c Driver=usb-storage | grep -qx 2; do sleep 0.2; done; lsusb -t")
    assert re.search(r"Class=Hub, Driver=hub/4p, 480M\n +\|__ Port 0*1: .*Driver=usb-storage, 480M\n"
                     r" +\|__ Port 0*3: .*Driver=usb-storage, 480M", tree), tree
    assert re.findall("ID (1209:000[34])", desktop.run("lsusb | sort -k6")) == ["1209:0003", "1209:0003", "1209:0004"]


def test_discs(desktop, room, disc):
    """Put in, read, held while it is mounted, taken out by the host, and the next by the guest."""
    first, first_sum = disc("FIRST")
    second, second_sum = disc("SECOND")
    room.vmm.ctl(desktop, "insert", "drive", first)
    assert read_disc(desktop, "FIRST") == first_sum
    said = room.host.run(f"carrel-vmm ctl {desktop.folder}/control eject drive 2>&1 || true")
    assert "the guest has locked “drive”" in said
    # It was asked to let go, and udev does; a second try now could be made just before that, and the next disc be let go.
    room.host.wait_until(lambda: ".iso" not in room.vmm.ctl(desktop, "usb"), "the guest's letting go", 60)
    desktop.run("umount /run/disc", "root")
    desktop.run("while blkid -p /dev/sr0; do sleep 0.2; done", "root")

    room.vmm.ctl(desktop, "insert", "drive", second)
    assert read_disc(desktop, "SECOND") == second_sum
    desktop.run(f"umount /run/disc; {TAKE_OUT}", "root")
    room.host.wait_until(lambda: ".iso" not in room.vmm.ctl(desktop, "usb"), "the empty drive", 30)
    room.vmm.ctl(desktop, "insert", "drive", first)
    assert read_disc(desktop, "FIRST") == first_sum
    desktop.run("umount /run/disc", "root")


def test_disk_behind_a_hub(desktop, room):
    """What is written to it is in its image; pulled out, it is gone, and the hub goes on."""
    disk = desktop.run("until readlink -e /dev/disk/by-id/usb-*behind-0:0; do sleep 0.2; done").strip()
    sent = desktop.run(f"head -c {USB_DISK_MIB << 20} /dev/urandom >/run/written; dd if=/run/written of={disk} bs=1M oflag=direct;"
                       " sha256sum </run/written; rm /run/written", "root").splitlines()[-1]
    assert room.host.run(f"sha256sum <{USB_FOLDER}/behind.raw").strip() == sent.strip()
    # A drive at work stays, and udev looks at what was written.
    room.host.wait_until(lambda: room.host.succeeds(f"carrel-vmm ctl {desktop.folder}/control detach behind"), "a drive at rest", 30)
    desktop.run(f"while [ -e {disk} ]; do sleep 0.2; done; [ $(lsusb | grep -c 1209:0003) = 1 ]; lsusb | grep 1209:0004")
