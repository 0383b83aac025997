# SPDX-License-Identifier: Apache-2.0
"""What the guest of load.c must have said and written, however often it was paused, saved or short of room meanwhile."""

import re
import struct

from behaviour import wait_until

BLOCK = 4096
SLOTS = 512
MIX = 0x9E3779B97F4A7C15
WORD = (1 << 64) - 1


def check_serial(text, ended=True):
    """Nothing of what the guest said is lost or said twice, over all the processes it lived in; nothing was wrong."""
    lines = text.decode().splitlines()
    assert not [line for line in lines if line.startswith("wrong")], lines[-5:]
    assert lines[0].startswith("load on")
    body = lines[1:-1] if ended else lines[1:]
    found = [re.fullmatch(r"alive (\d+) written (\d+) at (\d+)", line) for line in body]
    assert all(found), [line for line, match in zip(body, found) if not match]
    numbers, written, clock = zip(*[map(int, match.groups()) for match in found])
    assert list(numbers) == list(range(1, len(numbers) + 1))
    assert list(written) == sorted(written) and list(clock) == sorted(clock)
    if ended:
        assert re.fullmatch(r"end \d+", lines[-1])
        return int(lines[-1].split()[1])


def check_disk(path, end):
    """Every block holds the last number that belongs there, whole."""
    with open(path, "rb") as file:
        for slot in range(SLOTS):
            words = struct.unpack("<512Q", file.read(BLOCK))
            number = (end - 1 - slot) // SLOTS * SLOTS + slot
            if number <= 0:
                continue
            assert words[0] == number, f"block {slot} holds write {words[0]}, not {number}"
            assert all(word == (number * MIX + i) & WORD for i, word in enumerate(words) if i), f"block {slot} is mixed"


def alive(desktop):
    """How many lines of life it has printed."""
    return desktop.printed().count(b"\nalive") + desktop.printed().startswith(b"alive")


def wait_alive(desktop, more=2):
    before = alive(desktop)
    wait_until(lambda: alive(desktop) >= before + more or desktop.process.poll() is not None, "life")
    assert desktop.process.poll() is None, f"it ended: {desktop.said()} {desktop.printed()[-300:]}"


def finish(desktop):
    """Has the guest read all it wrote, and end."""
    desktop.type(b"q")
    assert desktop.wait() == 0, desktop.said()
    assert desktop.said() == ""
