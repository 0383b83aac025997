# SPDX-License-Identifier: Apache-2.0
"""
Killing at random: a VMM, the owner, or both, at any moment of anything that is done with desktops. Whatever happened, each desktop that
is wanted to run does in the end, each other one does not, no VMM is left that nobody knows, and no disk was lost.

CARREL_KILL_ROUNDS says how often (20), CARREL_KILL_SEED repeats a run.
"""
import os
import random
import signal
import time

import pytest

from rooms import ECHO, Rooms
from test_desktops import command_line, end_all, parent

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="no /dev/kvm")

DESKTOPS = 3
ROUNDS = int(os.environ.get("CARREL_KILL_ROUNDS", "20"))
SEED = int(os.environ.get("CARREL_KILL_SEED", str(time.time_ns())))


@pytest.fixture
def rooms(tmp_path):
    house = Rooms(tmp_path / "house")
    yield house
    end_all(house)


def vmms_of(rooms, desk):
    """Pids of its keepers."""
    place = f"{rooms.folder}/run/{desk}/conf"
    mine = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if place in command_line(pid)]
    return [int(pid) for pid in mine if parent(pid) not in mine]


def do_something(rooms, desk, dice):
    wanted = dice.choice(["running", "running", "stopped", "suspended"])
    if wanted == "stopped":
        rooms.rows["desktop", desk]["wanted"] = wanted
        rooms.say(f"control {desk} stop {{}}".replace("{}", "@a{sv} {}"))
    elif wanted == "suspended" and rooms.states.get(desk) != "running":
        return
    else:
        rooms.want(desk, wanted)


def kill_something(rooms, desks, dice):
    victim = dice.choice(["vmm", "owner", "both"])
    if victim != "owner":
        for pid in vmms_of(rooms, dice.choice(desks)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    if victim != "vmm":
        rooms.kill()
        rooms.start()


def settle(rooms, desks):
    """Everything is as it is wanted: asked for once more, so that nobody waits for a failure's time."""
    for desk in desks:
        wanted = rooms.rows["desktop", desk]["wanted"]
        if wanted == "suspended":  # a VMM that was killed on its way there is not to be had back
            wanted = "stopped"
        rooms.want(desk, wanted)
    for desk in desks:
        if rooms.rows["desktop", desk]["wanted"] == "running":
            rooms.control(desk, "start")
            wait_for(rooms, desk, "running", 1)
        else:
            rooms.control(desk, "stop")
            wait_for(rooms, desk, "stopped", 0)


def wait_for(rooms, desk, state, n_vmms):
    deadline = time.monotonic() + 20
    while f"'{state}'" not in rooms.live(desk) or len(vmms_of(rooms, desk)) != n_vmms:
        if time.monotonic() > deadline:
            last = "\n".join([line for line in rooms.lines if not line.startswith("live")][-40:])
            pytest.fail(f"{desk} is not {state}: {rooms.live(desk)}, {vmms_of(rooms, desk)}\n{last}")
        time.sleep(0.02)


def test_killed_at_random(rooms):
    print(f"CARREL_KILL_SEED={SEED}")
    dice = random.Random(SEED)
    desks = [rooms.desktop() for _ in range(DESKTOPS)]
    for _ in range(ROUNDS):
        for desk in dice.sample(desks, 2):
            do_something(rooms, desk, dice)
        time.sleep(dice.choice([0, 0.005, 0.02, 0.1, 0.3]))
        kill_something(rooms, desks, dice)
        settle(rooms, desks)
        for desk in desks:
            disk = rooms.folder / "storage/disks" / f"disk-{desk}-0"
            assert disk.read_bytes()[:512] == ECHO.read_bytes()[:512]
