# SPDX-License-Identifier: Apache-2.0
"""
A fault of the emulator mended in the emulator that runs.

QEMU's emulation of SVM (11.1, as all before it) ends by an assertion when a nested guest writes CR8 while an interrupt waits
for it: helper_write_crN() calls cpu_interrupt() without the lock that it wants to see held. UEFI firmware writes CR8 at the
end of each interrupt, so every few boots the whole host would be gone. What cpu_interrupt() does beyond its assertion is to
call tcg_handle_interrupt(), whose part that matters here, for the calling processor itself, is one atomic operation; so it is
made to jump there.
"""

import struct
import subprocess

FAULTY, SOUND = "cpu_interrupt", "tcg_handle_interrupt"


def _addresses(pid):
    """Where the two functions are in the process, by name; an emulator without them is another one than is meant here."""
    program = f"/proc/{pid}/exe"
    listed = subprocess.run(["nm", "--dynamic", "--defined-only", program], stdout=subprocess.PIPE, text=True, check=True)
    found = {words[2].split("@")[0]: int(words[0], 16) for line in listed.stdout.splitlines()
             if len(words := line.split()) == 3}
    if FAULTY not in found or SOUND not in found:
        return None
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        base = int(maps.readline().split("-")[0], 16)  # the program comes first
    return base + found[FAULTY], base + found[SOUND]


def mend(pid):
    """For an emulator (TCG) whose processors do not run yet."""
    if not (addresses := _addresses(pid)):
        return
    faulty, sound = addresses
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(faulty)
        memory.write(b"\xe9" + struct.pack("<i", sound - (faulty + 5)))  # jmp
