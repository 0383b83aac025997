# SPDX-License-Identifier: Apache-2.0
"""The kernel's own software stick (dummy_hcd, g_mass_storage) in the rig's host, and how fast the host itself reads it."""

import re

from rig import rooms

ID = "0525:a4a5"  # as lsusb prints it
MIB = 64
COMMAND_KIB = 64

PLUG = f"""
set -e
head -c {MIB}M /dev/urandom >/dev/shm/stick
modprobe -a dummy_hcd usb-storage
modprobe g_mass_storage file=/dev/shm/stick stall=0
until lsblk -dno TRAN | grep -q usb; do sleep 0.1; done
"""
READ = ("dd if=$(lsblk -dpno NAME,TRAN | awk '$2 == \"usb\" {print $1}') of=/dev/null "
        f"bs={COMMAND_KIB}k count={(16 << 10) // COMMAND_KIB} iflag=direct 2>&1")


def host_with_stick():
    host = rooms.host()
    host.run(PLUG, timeout=120)
    return host


def native_speed(host):
    """Bytes a second that the host reads, one command after the other."""
    copied, seconds = re.search(r"^(\d+) bytes .* copied, ([\d.]+) s", host.run(READ, timeout=120), re.M).groups()
    return int(copied) / float(seconds)
