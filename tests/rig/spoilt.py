# SPDX-License-Identifier: Apache-2.0
"""
Recognises a guest that the emulator has spoilt (tests/README.md, "A fault of the emulator").

Such a guest stands at the instruction behind the host kernel's VMRUN with the host's page tables, and faults there for ever:
the host's KVM sees one and the same nested page fault thousands of times a second, at an address of its own code. Nothing that
a guest or a VMM does looks like that.
"""

import collections
import re

# One second of what the host's KVM does, in a trace of our own. Its nested page faults are printed, after the symbols of its module
# kvm_amd; its beginning is kept in the file {kept}.
LOOK = """
grep -w kvm_amd /proc/kallsyms | sort
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
trace=/sys/kernel/tracing/instances/spoilt
mkdir $trace && echo 1 >$trace/events/kvm/enable && sleep 1 && echo 0 >$trace/tracing_on && cat $trace/trace >{kept}.whole
rmdir $trace
head -n 5000 {kept}.whole >{kept}
grep kvm_page_fault: {kept}.whole
rm {kept}.whole
"""

ENTRY = "__svm_vcpu_run"  # holds the VMRUN
ENOUGH = 100  # times within that second; a healthy guest does not fault twice at the same place


class Spoilt(RuntimeError):
    """The emulator has overwritten a guest's registers with its host's."""


def entry_code(symbols):
    """[start, end) of the host's code around VMRUN, from lines of /proc/kallsyms sorted by address; empty when unknown."""
    lines = [line.split() for line in symbols]
    for this, following in zip(lines, lines[1:]):
        if this[2] == ENTRY:
            return range(int(this[0], 16), int(following[0], 16))
    return range(0)


def judge(text):
    """The number of a virtual processor that is spoilt, from what LOOK printed, or None."""
    lines = text.splitlines()
    inside = entry_code([line for line in lines if line.endswith("[kvm_amd]")])
    places = collections.Counter(re.findall(r"kvm_page_fault: vcpu (\d+) rip 0x([0-9a-f]+) address 0x([0-9a-f]+)", text))
    for (vcpu, rip, _address), count in places.items():
        if count >= ENOUGH and int(rip, 16) in inside:
            return int(vcpu)
    return None


def check(host, kept):
    """
    Raises Spoilt when a guest of the emulated host is. What KVM did with its guests meanwhile is in the host's file `kept` then, for
    whoever wants to know why one is silent.
    """
    vcpu = judge(host.run(LOOK.format(kept=kept), timeout=120, check=False))
    if vcpu is not None:
        raise Spoilt(f"the emulator has put its host's registers into the guest's processor {vcpu}: the guest stands for ever")
