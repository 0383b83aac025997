# SPDX-License-Identifier: Apache-2.0
"""
Small guests in the rig's host, where there is hardware that this machine has not: a USB bus. The adapters, sessions and guests
are those of vmm.py; only where the VMM runs is another.
"""

import shlex

import rig.vmm
import vmm

FOLDER = "/run/guest"


class InHost:
    """An adapter whose VMMs run in the host. device: what they have of its USB devices, the id as lsusb prints it."""

    def __init__(self, adapter, host, device):
        self.adapter, self.host, self.build = adapter, host, adapter.build
        self._device = device

    def _carrel(self, session, guest, append):
        groups = self.adapter.configuration(session, guest, append)
        groups["usb-host device"] = {"id": self._device}
        text = "".join(f"[{name}]\n" + "".join(f"{key}={str(value).lower() if isinstance(value, bool) else value}\n"
                                               for key, value in keys.items()) for name, keys in groups.items())
        self.host.write(f"{FOLDER}/desktop.conf", text)
        rig.vmm.Carrel(self.build).install(self.host)
        return ["carrel-vmm", "run", f"{FOLDER}/desktop.conf"]

    def _qemu(self, session, guest, append):
        vendor, product = self._device.split(":")
        return [*self.adapter.arguments(session, guest, append),
                "-device", f"usb-host,bus=xhci.0,vendorid=0x{vendor},productid=0x{product}"]

    def start(self, session, guest, append, _restore=None):
        self.host.run(f"mkdir -p {session.folder}")
        self.host.write(f"{FOLDER}/{guest.name}", guest.read_bytes())
        own = self._carrel if isinstance(self.adapter, vmm.Carrel) else self._qemu
        command = shlex.join(map(str, own(session, f"{FOLDER}/{guest.name}", append)))
        return vmm.spawn(self.host.command(f"exec {command}"), session)
