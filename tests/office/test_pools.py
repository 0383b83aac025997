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


def test_persistent_desktop_stays(rooms):
    rooms.pool(type="persistent", spares=1)
    until(rooms, lambda: running(rooms), "a spare")
    desk = running(rooms).pop()
    rooms.take(desk, "anna")
    until(rooms, lambda: len(running(rooms)) == 2, "another spare")
    rooms.say("left anna")
    time.sleep(0.5)
    assert "'running'" in rooms.live(desk)
