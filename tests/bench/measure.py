# SPDX-License-Identifier: Apache-2.0
"""What a process costs, from outside: processor time, wake-ups, memory. Every figure is of the whole process tree."""

import pathlib
import re
import time

from vmm import process_tree as tree

VCPU_NAMES = re.compile(r"CPU \d+/KVM|vcpu")


def threads(pid):
    """(name, folder) of every thread of the tree."""
    for process in tree(pid):
        for task in pathlib.Path(f"/proc/{process}/task").iterdir():
            try:
                yield (task / "comm").read_text().strip(), task
            except OSError:
                continue


def vcpu_seconds(pid):
    """Processor time of the threads that run the guest."""
    nanoseconds = 0
    for name, task in threads(pid):
        if VCPU_NAMES.match(name):
            nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def vmm_seconds(pid):
    """Processor time of everything but the guest's own threads, threads that have ended included."""
    # The clock of another process, clock_getcpuclockid(3): its threads' run time added up, in nanoseconds.
    total = sum(time.clock_gettime((~process << 3) | 2) for process in tree(pid))
    return total - vcpu_seconds(pid)


def wakeups(pid):
    """Times any thread was put on a processor after it had waited or been displaced."""
    count = 0
    for _name, task in threads(pid):
        status = (task / "status").read_text()
        count += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", status)))
    return count


def mappings(pid):
    """(size, private dirty, proportional) in bytes of every mapping, and its name."""
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    for block in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.M)[1:]:
        first = block.split("\n", 1)[0].split(maxsplit=5)
        field = {key: int(value) * 1024 for key, value in re.findall(r"^(\w+):\s+(\d+) kB", block, re.M)}
        yield field["Size"], field["Private_Dirty"], field["Pss"], first[5] if len(first) > 5 else ""


def memory_beyond_guest(pid, guest_bytes):
    """
    (private dirty, proportional) bytes less the guest's own memory. The guest's memory is the largest mapping, or those
    of one name next to it, that together are as large as the guest.
    """
    private = proportional = 0
    for process in tree(pid):
        rest = guest_bytes
        for size, dirty, pss, _name in sorted(mappings(process), reverse=True):
            if 16 << 20 <= size <= rest:
                rest -= size
                continue
            private += dirty
            proportional += pss
    return private, proportional
