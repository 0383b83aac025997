# SPDX-License-Identifier: Apache-2.0
"""
The plugin vmrun.c, which keeps the emulator from injecting an interrupt twice: compiled on first use, and tried.

An emulator that does not take it is used as it is: most desktops live, and spoilt.py recognises some that do not.
"""

import hashlib
import os
import pathlib
import subprocess

from .accelerator import QEMU
from .host import CACHE

SOURCE = pathlib.Path(__file__).with_name("vmrun.c")
LEAVE = b'{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n'


def compiled():
    source = SOURCE.read_bytes()
    library = CACHE / f"vmrun-{hashlib.sha256(source).hexdigest()[:12]}.so"
    if not library.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = library.with_name(f"{library.name}.{os.getpid()}")
        subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-fPIC", "-shared", "-o", partial, SOURCE], check=True)
        partial.rename(library)
    return library


def arguments(say):
    """What the emulator's command line needs for it; nothing when the emulator does not take it, and then it is said why."""
    wanted = ["-plugin", f"file={compiled()}"]
    tried = subprocess.run([QEMU, "-M", "none", "-accel", "tcg", "-nodefaults", "-no-user-config", "-display", "none",
                            "-qmp", "stdio", *wanted],
                           input=LEAVE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60, check=False)
    if tried.returncode == 0:
        return wanted
    say(f"the emulator's VMRUN stays unmended, a desktop may hang: {tried.stderr.decode(errors='replace').strip()}")
    return []
