# SPDX-License-Identifier: Apache-2.0
"""Pools on a host, without the daemon: spares that run before anybody comes, and desktops that nobody else ever gets."""
import os
import socket
import time

import pytest

from rooms import SOON, Rooms
from test_desktops import end_all

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="no /dev/kvm")


@pytest.fixture
def rooms(tmp_path):
    house = Rooms(tmp_path / "house")
    yield house
    end_all(house)


def running(rooms):
    return {desk for (kind, desk) in rooms.rows if kind == "desktop" and rooms.states.get(desk) == "running"}


def until(rooms, condition, what):
    deadline = time.monotonic() + SOON
    while not condition():
        assert rooms._read(deadline) is not None, f"no {what}:\n{rooms.story()}"


def test_spares_run_before_anybody_comes(rooms):
    rooms.pool()
    until(rooms, lambda: len(running(rooms)) == 2, "two spares")
    names = {row["name"] for (kind, _), row in rooms.rows.items() if kind == "desktop"}
    assert names == {"Class 1", "Class 2"}


def test_spare_that_is_taken_has_a_successor(rooms):
    rooms.pool()
    until(rooms, lambda: len(running(rooms)) == 2, "two spares")
    first = min(running(rooms))
    rooms.take(first, "anna")
    until(rooms, lambda: len(running(rooms)) == 3, "a third")
    assert first in running(rooms)


def test_disposable_desktop_is_gone_when_its_user_signs_out(rooms):
    rooms.pool(spares=1)
    until(rooms, lambda: running(rooms), "a spare")
    desk = running(rooms).pop()
    rooms.take(desk, "anna")
    stream = rooms.tunnel(rooms.connect(desk)[0])
    rooms.say("over session")
    rooms.say("left anna")
    time.sleep(0.5)
    assert "'running'" in rooms.live(desk), "somebody is connected still"
    stream.shutdown(socket.SHUT_RDWR)
    rooms.wait("submit desktop.release")
    assert desk in rooms.wait("submit desktop.delete")
    until(rooms, lambda: running(rooms) and desk not in running(rooms), "a fresh spare")


def test_template_that_changes_replaces_what_nobody_has(rooms):
    pool = rooms.pool(spares=2)
    until(rooms, lambda: len(running(rooms)) == 2, "two spares")
    taken, spare = sorted(running(rooms))
    rooms.take(taken, "anna")
    until(rooms, lambda: len(running(rooms)) == 3, "another spare")
    template = rooms.rows["pool", pool]["template"]
    rooms.thing("template", template, {**rooms.rows["template", template], "memory": 80})
    rooms.look("template", template)
    until(rooms, lambda: ("desktop", spare) not in rooms.rows and len(running(rooms) - {taken}) == 2, "new spares")
    assert "'running'" in rooms.live(taken), "whoever has one keeps it"
    made = [line for line in rooms.lines if line.startswith("submit desktop.create")]
    assert len(made) == 5 and all("'memory': <int64 80>" in line for line in made[3:])
    rooms.thing("template", template, {**rooms.rows["template", template], "name": "Another name"})
    rooms.look("template", template)
    time.sleep(0.5)
    rooms.live(taken)
    assert len([line for line in rooms.lines if line.startswith("submit desktop.create")]) == 5


def test_persistent_desktop_stays(rooms):
    rooms.pool(type="persistent", spares=1)
    until(rooms, lambda: running(rooms), "a spare")
    desk = running(rooms).pop()
    rooms.take(desk, "anna")
    until(rooms, lambda: len(running(rooms)) == 2, "another spare")
    rooms.say("left anna")
    time.sleep(0.5)
    assert "'running'" in rooms.live(desk)
