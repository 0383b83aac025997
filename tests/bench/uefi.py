# SPDX-License-Identifier: Apache-2.0
"""
What UEFI firmware costs, taken in the rig's host: firmware needs a KVM that runs kernel mode as it is.

Timed inside the host, by its clock: from just before the VMM's process is made to the first word of the loader on the serial
port. The desktop has what one has that boots by firmware; its disk holds nothing but the loader. Variables are kept from a
first start that is not timed, as those of a desktop are.
"""

import atexit
import functools

from rig import loader, rooms
from rig import vmm as rig_vmm
from rig.desktop import Desktop

PATIENCE = 120  # seconds; an emulated host's firmware takes some ten

# Starts the VMM of the file `start`, and prints how long its guest took to say the word.
TIMED = """
cd %s
rm -f spice test control serial.log
mkfifo serial.log
exec 3<>serial.log
before=$(date +%%s%%N)
sh ./start >vmm.log 2>&1 </dev/null 3>&- &
timeout %d grep -a -m 1 -q '^%s' <&3 || { cat vmm.log >&2; kill $!; exit 1; }
echo $(($(date +%%s%%N) - before))
kill $!
wait
"""


@functools.cache
def host(build):
    """The rig's host, one for all measurements, with both VMMs and the disk in it."""
    running = rooms.host()
    atexit.register(running.close)
    rig_vmm.Carrel(build).install(running)
    loader.install(running, build)
    return running


@functools.cache
def desktop(name, build):
    """A desktop that boots the loader under one of the VMMs, with variables that have been through a start."""
    made = Desktop(host(build), rig_vmm.ADAPTERS[name](build), "", name=f"loader-{name}", disk=loader.DISK, firmware="uefi",
                   emulated=rooms.chosen_accelerator().emulated)
    made.host.run(f"mkdir -p {made.folder} && chmod 0777 {made.folder}")
    made.host.write(f"{made.folder}/start", f"exec {made.vmm.command(made)}\n")
    seconds(made)
    return made


def seconds(made):
    return int(made.host.run(TIMED % (made.folder, PATIENCE, loader.WORD), timeout=PATIENCE + 60)) / 1e9


def to_loader(name, build):
    """Seconds from the start of the VMM called `name` to its guest's loader."""
    return seconds(desktop(name, build))
