# SPDX-License-Identifier: Apache-2.0
"""
A whole host of Carrel in the rig, as an administrator has it: everything installed as `meson install` lays it out, carreld and
carrel-web under systemd, disks on an XFS of their own, and the guest image as a template that desktops are made from.

It is furnished once and kept from then on, under a name made of what it was made from.
"""

import contextlib
import hashlib
import os
import re
import subprocess
import tempfile

from . import rooms
from .host import CACHE

DISK_BYTES = 24 << 30  # for desktops; only what is written takes room
HTTPS = 443

FURNISH = """
set -e
mkfs.xfs -q -m reflink=1 /dev/vdc
mkdir -p /var/lib/carrel
echo '/dev/vdc /var/lib/carrel xfs noatime 0 0' >>/etc/fstab
mount /var/lib/carrel
"""


def blank_disk():
    """The disk of the host's that desktops lie on, as it comes from the shop."""
    disk = CACHE / "blank.raw"
    CACHE.mkdir(parents=True, exist_ok=True)
    if not disk.exists():
        with open(disk, "wb") as file:
            file.truncate(DISK_BYTES)
    return disk


def small_image(disk):
    """The guest image as a file that holds no more than was written to it, as images are handed around."""
    path = CACHE / f"debian-{disk.parent.name}.qcow2"
    if not path.exists():
        for old in CACHE.glob("debian-*"):
            old.unlink()
        partial = path.with_suffix(".partial")
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", disk, partial], check=True)
        partial.rename(path)
    return path


def install(host, build):
    """What `meson install` installs, over what there may be, and the users and folders it wants; nothing is started."""
    with tempfile.TemporaryDirectory() as root:
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--strip", "--quiet", "--destdir", root],
                       check=True, stdout=subprocess.DEVNULL)
        archive = subprocess.run(["tar", "-C", root, "-c", "usr", "etc"], stdout=subprocess.PIPE, check=True).stdout
    host.run("tar -C / -x --no-same-owner", data=archive, timeout=120)
    host.run("systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload", timeout=120)


class Office:
    """The running host. .url, .first_password."""

    def __init__(self, host, port=None):
        """port: of our loopback, where that is free."""
        self.host = host
        # Not "localhost": GLib's proxy client takes the first address that a name has, perhaps ::1, and no other.
        self.url = f"https://127.0.0.1:{host.forward(HTTPS, port)}"

    @property
    def first_password(self):
        """Of the user admin, as carreld left it for root."""
        found = re.search(r"^password=(.*)$", self.host.read("/var/lib/carrel/first-password").decode(), re.M)
        return found[1]


def start(host, build):
    """What was built, installed and running."""
    install(host, build)
    host.run("systemctl enable -q carreld carrel-web && systemctl restart carrel-apparmor carreld carrel-web", timeout=120)


def make_template(host, bytes_of_image, memory_mib):
    """The guest image, which is on the disk behind, brought in as an administrator would, and a template made of it."""
    host.run(f"head -c {bytes_of_image} /dev/vdd | carrel image upload 'Debian 13' - --type disk", timeout=600)
    host.run(f"carrel template create 'Debian desktop' --description 'A light Debian 13' --memory {memory_mib}M --vcpus 2"
             " --firmware uefi --guest-os linux --disk image='Debian 13' --nic network=Office")


@contextlib.contextmanager
def office(build, logs, outside=False, port=None):
    """
    The host with a template in it, running what is in `build`. logs: a folder for what it says where it cannot be made. The rest: see
    Office and rooms.host().
    """
    guest = rooms.images()[1]
    emulated = rooms.chosen_accelerator().emulated
    image = small_image(guest.disk)
    wanted = rooms.shape((blank_disk(), image))
    key = hashlib.sha256(f"{FURNISH}{os.stat(guest.disk).st_mtime_ns}{guest.disk}".encode()).hexdigest()
    state = rooms.kept("office", key, wanted=wanted)
    with rooms.locked("office"):
        if emulated and state.exists():
            host = rooms.restore(state, outside, wanted=wanted)
        else:
            host = furnished(wanted, build, logs, image.stat().st_size, emulated, outside)
            if emulated:
                host = rooms.keep(state, host, outside, wanted=wanted)
    with host:
        start(host, build)
        yield Office(host, port)


def furnished(wanted, build, logs, bytes_of_image, emulated, outside):
    host = rooms.boot(wanted, outside)
    try:
        host.run(FURNISH, timeout=120)
        start(host, build)
        make_template(host, bytes_of_image, 1024 if emulated else 2048)
    except BaseException:
        host.logs(logs)
        host.close()
        raise
    return host
