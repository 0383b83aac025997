# SPDX-License-Identifier: Apache-2.0
"""A client with several windows gives its desktop as many monitors."""

import pytest

from conftest import crc
from rig import spice_client

pytestmark = pytest.mark.monitors(2)

SIZES = (1024, 768), (800, 768)


@pytest.fixture
def second_monitor(client):
    """A client that has opened a second window."""
    before = client.size()
    client.wait_for_agent()
    try:
        client.arrange(*SIZES)
        yield client.wait(lambda: client.sizes() == list(SIZES), "surfaces of both windows' sizes", 60)
    finally:
        client.arrange(before)
        client.wait(lambda: client.sizes() == [before], "one monitor of the old size", 60)


def test_two_monitors(desktop, second_monitor, screen):
    """The guest has them side by side, and each shows its part of the picture."""
    client = second_monitor
    (left, height), (right, _) = SIZES
    size, checksum = screen("pattern", "14").drawn()
    assert size == (left + right, height)
    client.wait(lambda: crc(client.frames()) == checksum, "both monitors' pictures")
    seen = [line.split()[2] for line in desktop.run("xrandr --listmonitors").splitlines()[1:]]
    places = [place.replace("/", "x").replace("+", "x").split("x") for place in seen]
    assert [(int(width), int(height), int(x), int(y)) for width, _, height, _, x, y in places] == [
        (left, height, 0, 0), (right, height, left, 0)]


def test_pointer_on_each_monitor(second_monitor, screen):
    """
    The agent moves the pointer: it knows the monitors, which a tablet does not. It makes itself a new pointing device when the
    monitors change; what it does before the X server has found that is lost, as the first of a person's many motions are.
    """
    (left, _), _ = SIZES
    events = screen("input")

    def there(x, y, number):
        second_monitor.move(x - 1, y, number)
        second_monitor.move(x, y, number)
        return f"move {x + left * number} {y}" in events.lines()

    second_monitor.wait(lambda: there(300, 200, 1), "the pointer on the second monitor")
    second_monitor.wait(lambda: there(50, 60, 0), "the pointer on the first monitor")


def test_mouse_where_there_is_no_agent(desktop, client, screen):
    """Without the agent, which alone could place the pointer on one of several monitors, the client's mouse moves it."""
    def moved_to():
        return [tuple(map(int, line.split()[1:])) for line in events.lines() if line.startswith("move")]

    desktop.run("systemctl stop spice-vdagentd.socket spice-vdagentd", "root")
    try:
        client.wait(lambda: client.mouse_mode == spice_client.SERVER_MOUSE, "the guest's own pointer")
        events = screen("input")
        client.motion(1, 1)  # from wherever the X server takes up a pointer whose last device is gone
        client.wait(moved_to, "a motion")
        x, y = moved_to()[-1]
        client.motion(-100, -50)
        client.wait(lambda: moved_to()[-1][0] < x and moved_to()[-1][1] < y, "the pointer's going left and up")
        x, y = moved_to()[-1]
        client.click(3)
        events.wait_for(f"button 3 down {x} {y}", f"button 3 up {x} {y}")
    finally:
        desktop.run("systemctl start spice-vdagentd.socket", "root")
