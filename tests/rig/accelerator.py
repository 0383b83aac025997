# SPDX-License-Identifier: Apache-2.0
"""
Which way the host is run: hardware KVM that can nest another KVM, else full emulation.

A /dev/kvm alone proves nothing: it may be one that cannot nest, or one without hardware assistance at all. So the processor's
flags and the module's parameter are read, and then KVM itself is asked what a machine made with it would have.
"""

import dataclasses
import os
import pathlib
import re
import tempfile

from . import process, qmp

QEMU = "qemu-system-x86_64"
EMULATED = ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max,+svm,+npt"]
HARDWARE = ["-accel", "kvm", "-cpu", "host"]


@dataclasses.dataclass(frozen=True)
class Accelerator:
    name: str  # "kvm" or "tcg"
    arguments: list
    why: str  # a sentence for people

    @property
    def emulated(self):
        return self.name == "tcg"


def choose():
    """The accelerator to use. CARREL_RIG_ACCEL=kvm or tcg overrules the probe."""
    forced = os.environ.get("CARREL_RIG_ACCEL")
    if forced not in (None, "", "kvm", "tcg"):
        raise ValueError(f"CARREL_RIG_ACCEL is '{forced}'; it can be kvm or tcg")
    if forced:
        return make(forced == "kvm", f"CARREL_RIG_ACCEL={forced} says so")
    obstacle = obstacle_to_kvm()
    return make(obstacle is None, obstacle or "this machine's KVM can nest another")


def make(hardware, why):
    if hardware:
        return Accelerator("kvm", HARDWARE, f"hardware virtualization: {why}")
    return Accelerator("tcg", EMULATED, f"emulation, which is many times slower: {why}")


def obstacle_to_kvm():
    """Why nested hardware KVM cannot be had here, or None."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "there is no usable /dev/kvm"
    flags = set(re.findall(r"\b(?:svm|vmx)\b", pathlib.Path("/proc/cpuinfo").read_text()))
    if not flags:
        return "the processor shows neither svm nor vmx, so its /dev/kvm cannot nest"
    vendor = "kvm_amd" if "svm" in flags else "kvm_intel"
    nested = pathlib.Path(f"/sys/module/{vendor}/parameters/nested")
    if not nested.exists() or nested.read_text().strip() not in ("1", "Y"):
        return f"{vendor} was loaded without nested=1"
    return obstacle_in_practice()


def obstacle_in_practice():
    """Makes an empty machine with KVM and asks whether its processor would have svm or vmx."""
    with tempfile.TemporaryDirectory() as folder:
        control = pathlib.Path(folder, "qmp")
        child = process.spawn([QEMU, "-M", "q35", *HARDWARE, "-S", "-nodefaults", "-no-user-config", "-display", "none",
                               "-qmp", f"unix:{control},server=on,wait=off"],
                              pathlib.Path(folder, "log"))
        try:
            with qmp.connect(control, child) as monitor:
                expanded = monitor.execute("query-cpu-model-expansion", type="full", model={"name": "host"})
        except (OSError, qmp.Error) as error:
            said = pathlib.Path(folder, "log").read_text().strip().splitlines()
            return f"a machine cannot be made with it ({said[-1] if said else error})"
        finally:
            process.end(child)
    offered = expanded["model"]["props"]
    return None if offered.get("svm") or offered.get("vmx") else "KVM here offers its machines neither svm nor vmx"
