# SPDX-License-Identifier: Apache-2.0
"""
A disk for UEFI with nothing on it but a loader that says so on the serial port (tests/bench/guests/loader.c): a start up to
the operating system, without one.
"""

import pathlib
import subprocess
import tempfile

DISK = "/srv/loader.raw"  # in the host
WORD = "@loader"  # what it says, on a line of its own


def install(host, build):
    """Puts the disk into the host."""
    with tempfile.TemporaryDirectory() as folder:
        image = pathlib.Path(folder, "disk")
        for command in (["truncate", "-s", "4M", image], ["mformat", "-i", image, "::"],
                        ["mmd", "-i", image, "::/EFI", "::/EFI/BOOT"],
                        ["mcopy", "-i", image, pathlib.Path(build, "tests/bench/loader.efi"), "::/EFI/BOOT/BOOTX64.EFI"]):
            subprocess.run(command, check=True)
        host.write(DISK, image.read_bytes(), 0o666)
