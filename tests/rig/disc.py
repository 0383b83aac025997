# SPDX-License-Identifier: Apache-2.0
"""
A desktop in the host that has nothing but a disc to start from, and the firmware that looks for it.

Its keyboard is whichever a driver runs: in firmware and installers that is USB's. Keys go over SPICE, pictures come over control.
"""

import contextlib
import io
import pathlib
import shlex
import subprocess
import time

import numpy
from PIL import Image

from . import spice_client
from .image import SOURCE

FOLDER = pathlib.PurePosixPath("/srv/discs")


def installer():
    """The path of Debian's installer, as a disc; made now where it is not there."""
    made = subprocess.run([SOURCE / "image-build/installer"], stdout=subprocess.PIPE, text=True, check=True)
    return made.stdout.strip()


def bring(host, path):
    """Copies a disc into the host, if it is not there, and returns its path there."""
    path = pathlib.Path(path)
    there = FOLDER / path.name
    if not host.succeeds(f"test -e {there}"):
        host.write(f"{there}.partial", path.read_bytes())
        host.run(f"mv {there}.partial {there}")
    return there


class Disc:
    """A desktop that begins with firmware ("bios" or "uefi"), a disc of the host's in its drive. Usable as a context manager."""

    def __init__(self, host, disc, firmware, memory_mib=1024, spice_host_port=5901):
        self.host = host
        self.folder = pathlib.PurePosixPath("/run/desktop/disc")
        self._port = spice_host_port
        self.client = None
        host.run(f"rm -rf {self.folder} && mkdir -p {self.folder} && chmod 0777 {self.folder}")
        variables = [f"variables={self.folder}/variables"] if firmware == "uefi" else []
        host.write(f"{self.folder}/desktop.conf", "\n".join(
            ["[desktop]", "name=disc", f"memory={memory_mib}M", "vcpus=1", "[boot]", f"firmware={firmware}", *variables, "[usb]",
             "[cdrom installer]", f"path={disc}", "boot-index=1",
             "[spice]", f"socket={self.folder}/spice", "no-ticket=true", "[control]", f"socket={self.folder}/control"]) + "\n")
        host.run(f"systemd-run --quiet --unit=desktop-disc --collect -p StandardOutput=append:{self.folder}/vmm.log"
                 f" -p StandardError=append:{self.folder}/vmm.log carrel-vmm run {self.folder}/desktop.conf")
        host.wait_until(lambda: host.succeeds(f"test -S {self.folder}/control") or not self.alive(), "its control socket", 60)
        if not self.alive():
            raise RuntimeError(f"the VMM ended at once: {self.words()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def alive(self):
        return self.host.succeeds("systemctl is-active -q desktop-disc")

    def words(self):
        """What the VMM printed."""
        return self.host.run(f"cat {self.folder}/vmm.log", check=False)

    def ctl(self, *words):
        return self.host.run(shlex.join(["carrel-vmm", "ctl", f"{self.folder}/control", *words]))

    def picture(self):
        """What is on the screen: an array of height x width x (red, green, blue); None where it shows nothing."""
        path = f"{self.folder}/screen.png"
        if not self.host.succeeds(f"carrel-vmm ctl {self.folder}/control screenshot {path}"):
            assert self.alive(), f"the VMM ended: {self.words()}"
            return None
        return numpy.asarray(Image.open(io.BytesIO(self.host.read(path))).convert("RGB"))

    def keys(self):
        """A SPICE client, to type with."""
        if not self.client:
            self.host.run(f"systemd-run --quiet --unit=spice-disc --collect socat TCP-LISTEN:{self._port},bind=10.0.2.15,reuseaddr,"
                          f"fork,nodelay UNIX-CONNECT:{self.folder}/spice")
            self.host.wait_until(lambda: self.host.succeeds(f"grep -q ':{self._port:04X} ' /proc/net/tcp"), "socat's port", 30)
            self.client = spice_client.Client(self.host.forward(self._port)).wait_for_inputs()
        return self.client

    def press(self, *names):
        """Keys together, held as long as a finger does: firmware looks at its keyboard now and then."""
        client = self.keys()
        codes = [spice_client.scancode(name) for name in names]
        for code in codes:
            client.key(code, True)
            time.sleep(0.1)
        for code in reversed(codes):
            client.key(code, False)
            time.sleep(0.1)

    def end(self):
        if self.client:
            self.client.close()
            self.client = None
        with contextlib.suppress(Exception):
            self.host.run("systemctl stop spice-disc; systemctl stop desktop-disc; true", timeout=60)
