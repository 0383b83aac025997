# SPDX-License-Identifier: Apache-2.0
"""Keys, pointer and buttons reach the guest's devices as evdev reports."""

import pytest

EV_KEY, EV_REL, EV_ABS = 1, 2, 3
ABS_X, ABS_Y, REL_WHEEL = 0, 1, 8
BTN_LEFT, BTN_RIGHT, BTN_MIDDLE = 0x110, 0x111, 0x112
LEFT, MIDDLE, RIGHT, UP, DOWN = 1, 2, 3, 4, 5
MASK = {LEFT: 1, MIDDLE: 2, RIGHT: 4}


@pytest.fixture
def session(serve, connect):
    producer = serve()
    producer.do("surface 0 1001 501")
    client = connect(producer)
    client.until_shows(producer.drawn())
    client.until(lambda: client.inputs, "the inputs channel")
    client.until(lambda: client.main.get_property("mouse-mode") == 2, "client mouse mode")
    return producer, client


def reports(session, device, n, places=True):
    """The next @n reports of a device, each a list of (type, code, value). Without @places, what they say of places is left out."""
    producer, client = session
    found = []

    def collect():
        producer.poll()
        for event in [event for event in producer.events if event.startswith(device + " ")]:
            producer.events.remove(event)
            report = [tuple(map(int, part.split(":"))) for part in event.split()[1:]]
            if not places:
                report = [part for part in report if part[0] != EV_ABS]
            if report:
                found.append(report)
        return len(found) >= n

    client.until(collect, f"{n} reports of the {device}")
    client.turn(0.05)
    collect()
    assert len(found) == n, found
    return found


# What spice-gtk sends for a key: its scan code, 0x100 more after 0xe0.
KEYS = [
    (0x01, 1), (0x1e, 30), (0x39, 57), (0x58, 88), (0x45, 69), (0x46, 70), (0x56, 86),
    (0x11c, 96), (0x11d, 97), (0x138, 100), (0x148, 103), (0x14b, 105), (0x153, 111), (0x15b, 125), (0x15d, 127),
    (0x135, 98), (0x137, 99), (0x73, 89), (0x7d, 124), (0x120, 113),
]


@pytest.mark.parametrize("scan, key", KEYS)
def test_key(session, scan, key):
    _, client = session
    client.inputs.key_press(scan)
    client.inputs.key_release(scan)
    assert reports(session, "keyboard", 2) == [[(EV_KEY, key, 1)], [(EV_KEY, key, 0)]]


def test_repeated_presses_are_one(session):
    _, client = session
    for _ in range(5):
        client.inputs.key_press(0x1e)
    client.inputs.key_release(0x1e)
    assert reports(session, "keyboard", 2) == [[(EV_KEY, 30, 1)], [(EV_KEY, 30, 0)]]


def test_pointer_covers_the_tablet(session):
    _, client = session
    for place, expected in [((0, 0), (0, 0)), ((1000, 500), (0x7FFF, 0x7FFF)), ((500, 250), (0x3FFF, 0x3FFF))]:
        client.inputs.position(*place, 0, 0)
        assert reports(session, "tablet", 1) == [[(EV_ABS, ABS_X, expected[0]), (EV_ABS, ABS_Y, expected[1])]]


@pytest.mark.parametrize("button, code", [(LEFT, BTN_LEFT), (MIDDLE, BTN_MIDDLE), (RIGHT, BTN_RIGHT)])
def test_button(session, button, code):
    _, client = session
    client.inputs.button_press(button, MASK[button])
    client.inputs.button_release(button, 0)
    assert reports(session, "tablet", 2, places=False) == [[(EV_KEY, code, 1)], [(EV_KEY, code, 0)]]


@pytest.mark.parametrize("button, value", [(UP, 1), (DOWN, -1)])
def test_wheel(session, button, value):
    _, client = session
    client.inputs.button_press(button, 0)
    client.inputs.button_release(button, 0)
    assert reports(session, "tablet", 1, places=False) == [[(EV_REL, REL_WHEEL, value)]]


def test_relative_mouse(session):
    producer, client = session
    client.main.request_mouse_mode(1)
    client.until(lambda: client.main.get_property("mouse-mode") == 1, "server mouse mode")
    client.inputs.motion(5, -7, 0)
    assert reports(session, "mouse", 1) == [[(EV_REL, 0, 5), (EV_REL, 1, -7)]]


def test_drag_is_one_report(session):
    _, client = session
    client.inputs.position(500, 250, 0, MASK[LEFT])
    assert reports(session, "tablet", 1) == [[(EV_ABS, ABS_X, 0x3FFF), (EV_ABS, ABS_Y, 0x3FFF), (EV_KEY, BTN_LEFT, 1)]]


def test_a_client_that_vanishes_lets_go(session):
    producer, client = session
    client.inputs.key_press(0x1d)
    client.inputs.key_press(0x153)
    client.inputs.button_press(LEFT, MASK[LEFT])
    assert len(reports(session, "keyboard", 2)) == 2
    client.close()
    assert sorted(reports(session, "keyboard", 2)) == [[(EV_KEY, 29, 0)], [(EV_KEY, 111, 0)]]
    producer.do("clients")
    assert f"tablet {EV_KEY}:{BTN_LEFT}:0" in producer.events


def test_nothing_while_paused_and_nothing_stuck_afterwards(session):
    producer, client = session
    client.inputs.key_press(0x1e)
    client.inputs.key_press(0x1f)
    assert len(reports(session, "keyboard", 2)) == 2
    producer.do("running 0")
    client.inputs.key_release(0x1e)
    client.inputs.key_press(0x20)
    client.inputs.position(10, 10, 0, 0)
    client.turn(0.2)
    assert not [event for event in producer.poll() if event.startswith(("keyboard", "tablet"))]
    producer.do("running 1")
    assert reports(session, "keyboard", 1) == [[(EV_KEY, 30, 0)]]
    client.inputs.key_release(0x1f)
    client.inputs.key_release(0x20)
    assert reports(session, "keyboard", 1) == [[(EV_KEY, 31, 0)]]


@pytest.mark.parametrize("bits, flags", [(1, 2), (2, 4), (4, 1), (7, 7), (0, 0)])
def test_leds_reach_the_client(session, bits, flags):
    producer, client = session
    producer.do(f"leds {7 if bits != 7 else 0}")
    producer.do(f"leds {bits}")
    client.until(lambda: client.inputs.get_property("key-modifiers") == flags, "the LEDs")
