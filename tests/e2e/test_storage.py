# SPDX-License-Identifier: Apache-2.0
"""When the host's storage fills up, the desktop waits, and nothing is lost."""

import hashlib

from conftest import DATA_DISK, DATA_FOLDER, DATA_MIB, DATA_ROOM_MIB

# More than the host has room for, and reproducible: each line its own number.
WRITE_MIB = DATA_ROOM_MIB + 16
LINE = 64


def content():
    return b"".join(b"%-63d\n" % number for number in range(WRITE_MIB * 1024 * 1024 // LINE))


def test_disk_full_and_freed_again(room, desktop, client):
    """Writing more than there is room for pauses the desktop visibly; with room it goes on, and every byte is there."""
    try:
        desktop.run(f"seq -f '%-63.0f' 0 {WRITE_MIB * 1024 * 1024 // LINE - 1} >/tmp/content")
        desktop.run("(dd if=/tmp/content of=/dev/vdb bs=1M oflag=direct; echo $? >/tmp/written) >/tmp/dd.log 2>&1 &", "root")
        room.host.wait_until(lambda: room.vmm.state(desktop)[0] == "paused", "the pause for want of room", 60)
        assert room.vmm.state(desktop)[1], "a reason is given"
        assert not client.closed, "the client stays"

        room.host.run(f"mount -o remount,size={2 * DATA_MIB}M {DATA_FOLDER}")
        if not room.vmm.resumes_by_itself:
            room.vmm.resume(desktop)
        room.host.wait_until(lambda: room.vmm.state(desktop)[0] == "running", "going on once there is room", 60)
        assert desktop.run("until [ -s /tmp/written ]; do sleep 0.2; done; cat /tmp/written", "root").strip() == "0"
        stored = room.host.run(f"head -c {WRITE_MIB}M {DATA_DISK} | sha256sum").split()[0]
        assert stored == hashlib.sha256(content()).hexdigest()
    finally:
        desktop.run("rm -f /tmp/content /tmp/written; blkdiscard /dev/vdb", "root", check=False)
        room.host.run(f"truncate -s 0 {DATA_DISK}; truncate -s {DATA_MIB}M {DATA_DISK}; "
                      f"mount -o remount,size={DATA_ROOM_MIB}M {DATA_FOLDER}")


def test_disk_grows_under_the_guest(room, desktop):
    """A bigger image is a bigger disk as soon as the VMM is told, and the new part can be used."""
    def resize(mib):
        room.host.run(f"truncate -s {mib}M {DATA_DISK}")
        room.vmm.resize_disk(desktop, mib << 20)
        desktop.run(f"until [ $(blockdev --getsize64 /dev/vdb) = {mib << 20} ]; do sleep 0.1; done", "root")

    try:
        resize(DATA_MIB + 64)
        desktop.run(f"echo beyond | dd of=/dev/vdb bs=512 conv=sync,notrunc seek={(DATA_MIB + 32) << 11} oflag=direct",
                    "root")
        assert room.host.run(f"tail -c {32 << 20} {DATA_DISK} | head -c 6") == "beyond"
    finally:
        resize(DATA_MIB)
