# SPDX-License-Identifier: Apache-2.0
"""A desktop is saved while it works and restored: to itself nothing happened, but for the clock."""

import time

import pytest

from conftest import connect, crc

SAVED = "/srv/saved/desk"

# Numbered records straight to the disk. A number is told only after its record is on stable storage.
WRITER = """
nohup bash -c '
    for ((i = 1; ; i++)); do
        printf "%-511d\\n" $i | dd of=/dev/vdb bs=512 seek=$i oflag=direct,dsync conv=notrunc status=none || break
        echo $i >/dev/shm/next && mv /dev/shm/next /dev/shm/acknowledged # never seen half written
    done' >/dev/shm/writer.log 2>&1 &
"""
ACKNOWLEDGED = "cat /dev/shm/acknowledged"
# Prints the numbers of all records that are not what they should be.
VERIFY = """
dd if=/dev/vdb bs=512 skip=1 count=%d iflag=direct status=none | awk '$1 != NR { print NR }' | head
"""


def acknowledged(desktop):
    return int(desktop.run(f"until [ -s /dev/shm/acknowledged ]; do sleep 0.1; done; {ACKNOWLEDGED}", "root"))


def clock_error(desktop):
    """Seconds between the guest's clock and ours."""
    before = time.time()
    guest = float(desktop.run("date +%s.%N"))
    after = time.time()
    return 0 if before <= guest <= after else min(abs(guest - before), abs(guest - after))


@pytest.mark.changes_desktop
def test_saved_under_load_and_restored(room, desktop, screen, echo, host_stick):
    host = room.host
    if room.vmm.name == "carrel":
        host_stick.plug()
        assert host_stick.checksum_in(desktop) == host_stick.checksum
    host.run("mkdir -p /srv/saved && chmod 0777 /srv/saved && rm -f /srv/saved/*")
    size, checksum = screen("pattern", "13").drawn()
    desktop.run(f"date -s @{time.time():.3f}; {WRITER}", "root")
    before = acknowledged(desktop)

    with connect(desktop) as client:
        room.vmm.save(desktop, SAVED)
        host.wait_until(lambda: not desktop.alive(), "the VMM's end after saving", 60)
        client.wait(lambda: client.closed or "closed" in dict(client.events).values(), "the client's being told")

    time.sleep(5)  # time that the saved desktop does not see pass
    desktop.start(restore=SAVED)
    desktop.wait_for_agent()
    with connect(desktop) as client:
        client.wait(lambda: client.size() == size and crc(client.frame()) == checksum, "the same picture as before")
    at_once = acknowledged(desktop)
    assert at_once >= before
    desktop.run(f"until [ $({ACKNOWLEDGED}) -gt {at_once + 5} ]; do sleep 0.2; done", "root")
    desktop.run("pkill -f seek=; sleep 1", "root", check=False)
    assert desktop.run(VERIFY % acknowledged(desktop), "root").strip() == "", "records that were lost"
    if room.vmm.keeps_the_clock:
        assert clock_error(desktop) < 2, "the guest's clock after the restore"
    assert desktop.run("systemctl --failed --plain --no-legend", "root").strip() == ""
    echo(desktop)
    if room.vmm.name == "carrel":
        assert "USB disconnect" in desktop.run("journalctl -k -b --no-pager | tail -50", "root")
        assert host_stick.checksum_in(desktop) == host_stick.checksum, "the stick, given to the restored desktop anew"
