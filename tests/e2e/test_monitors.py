# SPDX-License-Identifier: Apache-2.0
"""A client with several windows gives its desktop as many monitors."""

import pytest

from conftest import crc

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
