# SPDX-License-Identifier: Apache-2.0
"""
The life of desktops on a host, without the daemon: real carrel-vmms on the real /dev/kvm, and what becomes of them when
processes are killed at any time.
"""
import os
import signal
import time

import pytest

from rooms import Rooms, process_is_there

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="no /dev/kvm")


def end_all(house):
    """First whoever would start them again."""
    if house.process.poll() is None:
        house.kill()
    for record in (house.folder / "run").glob("*/record"):
        pid = int(dict(line.split("=", 1) for line in record.read_text().splitlines() if "=" in line)["pid"])
        if process_is_there(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def rooms(tmp_path):
    house = Rooms(tmp_path / "house")
    yield house
    end_all(house)


def wait_until_gone(pid):
    deadline = time.monotonic() + 30
    while process_is_there(pid):
        assert time.monotonic() < deadline, f"process {pid} is there still"
        time.sleep(0.01)


def test_starts_and_stops(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    pid = rooms.pid(desk)
    assert process_is_there(pid)
    assert rooms.control(desk, "stop") == (True, "")
    rooms.wait_state(desk, "stopped")
    assert not process_is_there(pid)
    assert not (rooms.folder / "run" / desk / "record").exists()
    assert rooms.control(desk, "start") == (True, "")
    rooms.wait_state(desk, "running")


@pytest.mark.skipif(not os.path.exists("/usr/bin/swtpm"), reason="no swtpm")
def test_uefi_and_tpm(rooms):
    """What they remember is the desktop's own, and is there at its next start."""
    desk = rooms.desktop(firmware="uefi", tpm=True, guest_os="windows", monitors=2)
    rooms.wait_state(desk, "running")
    tpm = int(rooms.record(desk)["tpm-pid"])
    assert "swtpm" in command_line(tpm)
    keep = rooms.folder / "desktops" / desk
    assert (keep / "variables").stat().st_size > 0
    rooms.control(desk, "stop")
    rooms.wait_state(desk, "stopped")
    wait_until_gone(tpm)
    rooms.control(desk, "start")
    rooms.wait_state(desk, "running")
    rooms.control(desk, "suspend")
    rooms.wait_state(desk, "suspended")
    rooms.control(desk, "start")
    rooms.wait_state(desk, "running", "paused")  # not every KVM can go on with whatever OVMF was at
    assert list((keep / "tpm").iterdir())


def test_many_at_once(rooms):
    desks = [rooms.desktop() for _ in range(8)]
    for desk in desks:
        rooms.wait_state(desk, "running")
    pids = {rooms.pid(desk) for desk in desks}
    uids = {rooms.record(desk)["uid"] for desk in desks}
    assert len(pids) == 8
    assert len(uids) == (8 if os.geteuid() == 0 else 1)


def test_unknown_action(rooms):
    desk = rooms.desktop(wanted="stopped")
    done, why = rooms.control(desk, "explode")
    assert not done and "explode" in why


def test_killed_vmm_is_started_again(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    pid = rooms.pid(desk)
    os.kill(pid, signal.SIGKILL)
    rooms.wait_state(desk, "failed")
    assert "signal 9" in rooms.live(desk)
    rooms.wait_state(desk, "running")
    assert rooms.pid(desk) != pid


def test_owner_is_killed_and_desktops_stay(rooms):
    desks = [rooms.desktop() for _ in range(3)]
    for desk in desks:
        rooms.wait_state(desk, "running")
    pids = [rooms.pid(desk) for desk in desks]
    rooms.kill()
    assert all(process_is_there(pid) for pid in pids)
    rooms.start()
    for desk in desks:
        rooms.wait_state(desk, "running")
    assert [rooms.pid(desk) for desk in desks] == pids
    rooms.control(desks[0], "stop")
    rooms.wait_state(desks[0], "stopped")
    wait_until_gone(pids[0])
    assert process_is_there(pids[1])


def test_owner_that_knows_nothing_yet_ends_nothing(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    pid = rooms.pid(desk)
    rooms.kill()
    rooms.start(tell=False)
    rooms.wait_state(desk, "running")
    rooms.live(desk)  # its answer comes after whatever was begun before
    rooms.tell()
    assert "'running'" in rooms.live(desk)
    assert process_is_there(pid) and rooms.pid(desk) == pid


def test_owner_ends_and_desktops_stay(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    pid = rooms.pid(desk)
    rooms.end()
    assert process_is_there(pid)
    rooms.start()
    rooms.wait_state(desk, "running")
    assert rooms.pid(desk) == pid


def test_vmm_ends_while_nobody_looks(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    pid = rooms.pid(desk)
    rooms.kill()
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    rooms.start()
    rooms.wait_state(desk, "running")
    assert rooms.pid(desk) != pid


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.02, 0.05, 0.1, 0.2])
def test_owner_is_killed_while_it_starts_desktops(rooms, delay):
    """Whatever was under way, there is one VMM for each desktop afterwards."""
    desks = [rooms.desktop() for _ in range(4)]
    time.sleep(delay)
    rooms.kill()
    rooms.start()
    for desk in desks:
        rooms.wait_state(desk, "running")
    pids = {rooms.pid(desk) for desk in desks}
    mine = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if f"{rooms.folder}/run/" in command_line(pid)]
    assert {int(pid) for pid in mine if parent(pid) not in mine} == pids  # each is a keeper with a desktop below it


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[1]
    except OSError:
        return ""


def test_memory_is_promised_once(tmp_path):
    house = Rooms(tmp_path / "house", "memory=250")
    first, second = house.desktop(), house.desktop()
    house.wait_state(first, "running")
    house.wait_state(second, "running")
    third = house.desktop()
    house.wait_state(third, "failed")
    why = house.live(third).replace("\N{NO-BREAK SPACE}", " ")
    assert "needs 112.0 MiB" in why and "26.0 MiB are left" in why
    house.control(first, "stop")
    house.wait_state(first, "stopped")
    house.wait_state(third, "running")
    for desk in (second, third):
        house.control(desk, "stop")
        house.wait_state(desk, "stopped")
    house.end()


def test_more_memory_may_be_promised(tmp_path):
    house = Rooms(tmp_path / "house", "memory=120")
    first, second = house.desktop(), house.desktop()
    house.wait_state(first, "running", "failed")
    house.wait_state(second, "running", "failed")
    assert {house.states[first], house.states[second]} == {"running", "failed"}
    house.thing("setting", "memory.overcommit-percent", {"value": 200})
    house.look("setting", "memory.overcommit-percent")
    for desk in (first, second):
        house.wait_state(desk, "running")
        house.control(desk, "stop")
        house.wait_state(desk, "stopped")
    house.end()


def test_suspends_and_goes_on(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    assert rooms.control(desk, "suspend") == (True, "")
    rooms.wait_state(desk, "suspended")
    saved = rooms.folder / "desktops" / desk / "suspended"
    assert saved.stat().st_size > 0
    rooms.end()
    rooms.start()
    assert "'suspended'" in rooms.live(desk)
    rooms.control(desk, "start")
    rooms.wait_state(desk, "running")
    assert not saved.exists()
    assert not (saved.parent / "restoring").exists()


def test_spoilt_file_of_a_suspended_desktop(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    rooms.control(desk, "suspend")
    rooms.wait_state(desk, "suspended")
    saved = rooms.folder / "desktops" / desk / "suspended"
    os.truncate(saved, 1000)
    rooms.control(desk, "start")
    rooms.wait_state(desk, "failed")
    assert saved.exists()
    rooms.control(desk, "stop")
    rooms.wait_state(desk, "suspended", "stopped")
    rooms.wait_state(desk, "stopped")
    assert not saved.exists()
    rooms.control(desk, "start")
    rooms.wait_state(desk, "running")


def test_removed_desktop_leaves_nothing(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    pid = rooms.pid(desk)
    rooms.say(f"no-thing desktop {desk}")
    rooms.say(f"removed {desk}")
    wait_until_gone(pid)
    deadline = time.monotonic() + 20
    places = [rooms.folder / "run" / desk, rooms.folder / "desktops" / desk, rooms.folder / "storage/disks" / f"disk-{desk}-0"]
    while any(place.exists() for place in places):
        assert time.monotonic() < deadline, [place for place in places if place.exists()]
        time.sleep(0.01)


def test_figures_while_somebody_looks(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    assert "'memory'" not in rooms.live(desk)
    rooms.say("follow")
    while "'cpu'" not in (line := rooms.wait(f"change {desk}")):
        pass
    assert "'memory': <uint64" in line and "'frames': <uint64" in line
    rooms.say("unfollow")


def test_picture(rooms):
    desk = rooms.desktop()
    rooms.wait_state(desk, "running")
    picture = rooms.picture(desk)
    assert picture.startswith(b"\x89PNG")
    rooms.control(desk, "stop")
    rooms.wait_state(desk, "stopped")
    rooms.end()
    rooms.start()
    assert rooms.picture(desk).startswith(b"\x89PNG")


def test_no_picture_of_what_was_never_seen(rooms):
    desk = rooms.desktop(wanted="stopped")
    rooms.say(f"picture {desk}")
    assert "never seen" in rooms.wait("failed picture")
