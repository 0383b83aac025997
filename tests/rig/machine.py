# SPDX-License-Identifier: Apache-2.0
"""
The emulator that a rig host runs in.

A machine lives in a folder of its own: an overlay for each disk (the images are never written), its control socket, its
serial log. It can be saved, with everything that runs inside it, and restored in seconds as often as wanted: a saved state
is a folder with the memory and the overlays as they were, and a restored machine puts new overlays on top of those.
"""

import dataclasses
import json
import pathlib
import shutil
import socket
import subprocess
import time

from . import mend, process, qmp
from .accelerator import QEMU


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a saved state must agree on with the machine that restores it."""

    accelerator: object
    kernel: pathlib.Path
    initrd: pathlib.Path
    cmdline: str
    disks: tuple  # of raw image files, /dev/vda on
    memory_mib: int = 4096
    cpus: int = 2

    def arguments(self):
        return ["-M", "q35", *self.accelerator.arguments, "-smp", self.cpus, "-m", self.memory_mib, "-nodefaults",
                "-no-user-config", "-display", "none", "-no-reboot",
                "-kernel", self.kernel, "-initrd", self.initrd, "-append", self.cmdline,
                "-device", "virtio-rng-pci", "-device", "virtio-net-pci,netdev=net,romfile=,mac=52:54:00:ca:44:01",
                "-device", "qemu-xhci,id=usb"]


def free_port():
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_free(port):
    """Whether nobody listens on a loopback port now."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def overlay(path, backing, backing_format):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", backing_format, "-b", backing, path], check=True)


class Machine:
    """One run of the emulator. forwards: {port inside: port on our loopback}; outside: may reach the real network."""

    def __init__(self, shape, folder, forwards, outside=False, state=None):
        self.shape, self.folder, self.forwards = shape, folder, forwards
        self._outside = outside
        self._disks = []
        for number, disk in enumerate(shape.disks):
            mine = folder / f"disk{number}.qcow2"
            if state:
                overlay(mine, state / f"disk{number}.qcow2", "qcow2")
            else:
                overlay(mine, disk, "raw")
            self._disks.append(mine)
        self._child = process.spawn(self._command(state), self.log)
        try:
            self.monitor = qmp.connect(folder / "qmp", self._child)
            if shape.accelerator.emulated:
                mend.mend(self._child.pid)
            if state:
                self._load(state)
            self.monitor.execute("cont")
        except (OSError, qmp.Error) as error:
            self.stop()
            raise qmp.Error(f"{error}\n{self.log.read_text()}") from None
        except BaseException:
            self.stop()
            raise

    @property
    def log(self):
        return self.folder / "emulator.log"

    @property
    def _played(self):
        return self.folder / "played.wav"

    @property
    def serial(self):
        return self.folder / "serial.log"

    def _command(self, state):
        network = "user,id=net" + ("" if self._outside else ",restrict=on")
        for inside, mine in self.forwards.items():
            network += f",hostfwd=tcp:127.0.0.1:{mine}-10.0.2.15:{inside}"
        command = [QEMU, *self.shape.arguments(), "-netdev", network, "-serial", f"file:{self.serial}",
                   "-qmp", f"unix:{self.folder / 'qmp'},server=on,wait=off",
                   "-audiodev", f"wav,id=speaker,path={self._played},out.mixing-engine=off,out.fixed-settings=off"]
        for number, disk in enumerate(self._disks):
            command += ["-blockdev", f"driver=qcow2,node-name=disk{number},discard=unmap,detect-zeroes=unmap,"
                        f"file.driver=file,file.filename={disk},cache.no-flush=on",
                        "-device", f"virtio-blk-pci,drive=disk{number},id=vd{number}"]
        return command + (["-incoming", "defer"] if state else ["-S"])

    def alive(self):
        return self._child.poll() is None

    def _capable(self):
        self.monitor.execute("migrate-set-capabilities",
                             capabilities=[{"capability": name, "state": True} for name in ("mapped-ram", "multifd")])
        self.monitor.execute("migrate-set-parameters", **{"multifd-channels": 2})

    def _settle(self, wanted, timeout=120):
        """Waits until a migration is done."""
        deadline = time.monotonic() + timeout
        while True:
            status = self.monitor.execute("query-migrate").get("status")
            if status == wanted:
                return
            if status in ("failed", "cancelled") or time.monotonic() > deadline:
                raise qmp.Error(f"the emulator's state could not be carried over ({status})")
            time.sleep(0.05)

    def save(self, state):
        """Stops the machine for good and leaves it, with its disks, in the new folder `state`."""
        partial = state.with_name(state.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self.monitor.execute("stop")
        self._capable()
        self.monitor.execute("migrate", uri=f"file:{partial / 'memory'}")
        self._settle("completed")
        self.stop()
        for disk, image in zip(self._disks, self.shape.disks):
            # A state stands on the images alone, not on the state it may have begun from.
            subprocess.run(["qemu-img", "rebase", "-q", "-f", "qcow2", "-F", "raw", "-b", image, disk], check=True)
            shutil.move(disk, partial / disk.name)
        partial.rename(state)

    def _load(self, state):
        self._capable()
        self.monitor.execute("migrate-incoming", uri=f"file:{state / 'memory'}")
        self._settle("completed")

    def plug_stick(self, name, image, serial):
        """A USB stick, which holds the raw image file, is plugged into the host."""
        self.monitor.execute("blockdev-add", **{"driver": "raw", "node-name": name,
                                                "file": {"driver": "file", "filename": str(image)}})
        self.monitor.execute("device_add", driver="usb-storage", id=name, bus="usb.0", drive=name, serial=serial)

    def plug_speaker(self, name):
        """A USB sound card: what is played comes as a WAV file, whose path is returned."""
        self.monitor.execute("device_add", driver="usb-audio", id=name, bus="usb.0", audiodev="speaker")
        return self._played

    def plug_remote(self, name):
        """A USB device that is a program of ours: returns the path of the Unix socket at which it is to say what it is
        (usbredir). The socket goes with the device."""
        path = self.folder / name
        self.monitor.execute("chardev-add", id=name, backend={"type": "socket", "data": {
            "addr": {"type": "unix", "data": {"path": str(path)}}, "server": True, "wait": False}})
        self.monitor.execute("device_add", driver="usb-redir", id=name, bus="usb.0", chardev=name)
        return path

    def unplug(self, name):
        """Takes it out, as one does: without a word before."""
        self.monitor.execute("device_del", id=name)

    def forget_stick(self, name):
        """Once it is unplugged and the host has let go of it: its image is the caller's again."""
        deadline = time.monotonic() + 30
        while True:
            try:
                self.monitor.execute("blockdev-del", **{"node-name": name})
                return
            except qmp.Error:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def stop(self):
        """Ends the emulator as a power cut would. The folder stays."""
        process.end(self._child)

    def __repr__(self):
        return f"Machine({json.dumps(str(self.folder))})"
