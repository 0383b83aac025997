# SPDX-License-Identifier: Apache-2.0
"""What people have done to desktops, without the daemon: snapshots, copies, templates, discs, larger disks."""
import os
import uuid

import pytest

from rooms import ECHO, SOON, Rooms
from test_desktops import end_all

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="no /dev/kvm")

MARK = b"written into the disk"


@pytest.fixture
def rooms(tmp_path):
    house = Rooms(tmp_path / "house")
    yield house
    end_all(house)


def disk_of(rooms, desk):
    return rooms.folder / "storage/disks" / f"disk-{desk}-0"


def write_mark(rooms, desk, mark=MARK):
    with open(disk_of(rooms, desk), "r+b") as disk:
        disk.seek(4096)
        disk.write(mark)


def mark_of(rooms, desk):
    with open(disk_of(rooms, desk), "rb") as disk:
        disk.seek(4096)
        return disk.read(len(MARK))


def job(rooms, desk, action, options):
    """Runs it to its end; the job's error, or ""."""
    done, answer = rooms.control(desk, action, options)
    assert done, answer
    return rooms.wait(f"job-end {answer}") if answer else ""


def snapshots(rooms, desk):
    rooms.say(f"snapshots {desk}")
    return rooms.wait("snapshots")


def test_snapshot_and_back(rooms):
    desk = rooms.desktop(wanted="stopped")
    write_mark(rooms, desk)
    assert job(rooms, desk, "snapshot", {"name": "before"}) == ""
    listed = snapshots(rooms, desk)
    assert "'before'" in listed
    write_mark(rooms, desk, b"x" * len(MARK))
    snapshot = listed.split("'id': <'")[1].split("'")[0]
    assert job(rooms, desk, "revert", {"snapshot": snapshot}) == ""
    assert mark_of(rooms, desk) == MARK
    assert job(rooms, desk, "forget", {"snapshot": snapshot}) == ""
    assert "'before'" not in snapshots(rooms, desk)


def test_snapshot_of_a_desktop_that_runs_leaves_it_running(rooms):
    """Taken where blocks can be shared, refused elsewhere; either way it goes on."""
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    pid = rooms.pid(desk)
    job(rooms, desk, "snapshot", {"name": "live"})
    rooms.wait_state(desk, "running")
    assert rooms.pid(desk) == pid


def test_going_back_wants_a_stopped_desktop(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    done, why = rooms.control(desk, "revert", {"snapshot": str(uuid.uuid4())})
    assert not done and "stopped first" in why


def test_clone(rooms):
    desk = rooms.desktop(wanted="stopped")
    write_mark(rooms, desk)
    copy = str(uuid.uuid4())
    assert job(rooms, desk, "clone", {"name": "the copy", "id": copy}) == ""
    assert mark_of(rooms, copy) == MARK
    assert any(line.startswith("submit desktop.create") and copy in line and "the copy" in line for line in rooms.lines)
    rooms.control(copy, "start")
    rooms.wait_state(copy, "running")


def test_template(rooms):
    desk = rooms.desktop(wanted="stopped")
    write_mark(rooms, desk)
    template = str(uuid.uuid4())
    assert job(rooms, desk, "make-template", {"name": "Plain", "id": template}) == ""
    created = [line for line in rooms.lines if line.startswith("submit template.create")]
    assert len(created) == 1 and template in created[0] and f"'size': <int64 {ECHO.stat().st_size}>" in created[0]
    image = created[0].split("'image': <'")[1].split("'")[0]
    assert any(line.startswith("submit image.settle") and image in line and "'ready'" in line for line in rooms.lines)
    # What is made from it begins as it was.
    fresh = rooms.desktop(disk=False, disks=[{"type": "disk", "image": image, "size": 2 * ECHO.stat().st_size}])
    rooms.wait_state(fresh, "running")
    assert mark_of(rooms, fresh) == MARK
    assert disk_of(rooms, fresh).stat().st_size == 2 * ECHO.stat().st_size


def test_larger_disk_while_it_runs(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    assert rooms.control(desk, "resize", {"disk": 0, "bytes": 4 << 20}) == (True, "")
    assert disk_of(rooms, desk).stat().st_size == 4 << 20
    assert any(line.startswith("submit desktop.change") and "4194304" in line for line in rooms.lines)
    done, why = rooms.control(desk, "resize", {"disk": 0, "bytes": 1 << 20})
    assert not done, why
    done, why = rooms.control(desk, "resize", {"disk": 5, "bytes": 8 << 20})
    assert not done and why.startswith("disk: ")


def test_discs(rooms):
    disc = str(uuid.uuid4())
    place = rooms.folder / "storage/discs" / f"iso-{disc}"
    place.write_bytes(bytes(16 * 2048) + b"\1CD001\1".ljust(2048, b"\0") + bytes(1 << 19))  # ISO 9660, 7.1.1: all it takes
    desk = rooms.desktop(disk=False, disks=[{"type": "cdrom"}])
    rooms.wait_state(desk, "running")
    assert rooms.control(desk, "insert", {"drive": 0, "image": disc}) == (True, "")
    assert any(line.startswith("submit desktop.change") and disc in line for line in rooms.lines)
    done, why = rooms.control(desk, "insert", {"drive": 0, "image": disc})
    assert not done, "there is one in it already"
    assert rooms.control(desk, "eject", {"drive": 0, "force": True}) == (True, "")
    done, why = rooms.control(desk, "insert", {"drive": 0, "image": str(uuid.uuid4())})
    assert not done and why.startswith("image: ")


def test_options_that_are_missing(rooms):
    desk = rooms.desktop(wanted="stopped")
    for action, option in (("snapshot", "name"), ("clone", "name"), ("revert", "snapshot"), ("resize", "disk"),
                           ("insert", "drive")):
        done, why = rooms.control(desk, action)
        assert not done and why.startswith(f"{option}: "), why
