# SPDX-License-Identifier: Apache-2.0
"""virtio-input: what a SPICE client does arrives as events, each once and in order."""

import re

import pytest
import spice
from vmm import Machine

KEY, REL, ABS = 1, 2, 3
BUTTON_LEFT = 0x110


@pytest.fixture
def client(tmp_path):
    """One client for the run, connected when it is first wanted."""

    class Lazy:
        def __init__(self):
            self.client = self.inputs = None

        def connect(self, session):
            if not self.client:
                self.client = spice.Client(session.machine.spice)
                self.inputs = spice.Inputs(self.client)
            return self.inputs

    lazy = Lazy()
    yield lazy
    if lazy.client:
        lazy.client.close()


def events(session, name):
    found = (re.fullmatch(rf"# {name} (\d+) (\d+) (-?\d+)", line) for line in session.lines)
    return [tuple(map(int, match.groups())) for match in found if match]


def test_input(run, tmp_path, client):
    def keys(session, _):
        inputs = client.connect(session)
        for scancode in 0x1E, 0xE05B, 0x39:  # a, left meta, space
            inputs.key(scancode, True)
            inputs.key(scancode, False)

    def pointer(session, _):
        inputs = client.connect(session)
        client.client.set_mouse_mode(spice.MOUSE_MODE_CLIENT)
        inputs.position(0, 0)
        inputs.position(1279, 799)

    def clicks(session, _):
        inputs = client.connect(session)
        inputs.button(1, True)
        inputs.button(1, False)

    def motion(session, _):
        inputs = client.connect(session)
        client.client.set_mouse_mode(spice.MOUSE_MODE_SERVER)
        inputs.motion(7, -3)

    def flood(session, _):
        inputs = client.connect(session)
        for scancode in list(range(2, 0x32)) * 10:
            inputs.key(scancode, True)
            inputs.key(scancode, False)

    machine = Machine(keyboard=True, tablet=True, mouse=True, gpu=True, spice=tmp_path / "spice")
    session = run("input", machine,
                  actions={"keys": keys, "pointer": pointer, "clicks": clicks, "motion": motion, "flood": flood})

    assert events(session, "keys") == [(KEY, 30, 1), (KEY, 30, 0), (KEY, 125, 1), (KEY, 125, 0), (KEY, 57, 1), (KEY, 57, 0)]
    pointer_events = events(session, "pointer")
    assert pointer_events[:2] == [(ABS, 0, 0), (ABS, 1, 0)]
    assert [event[:2] for event in pointer_events[2:]] == [(ABS, 0), (ABS, 1)]
    assert all(value > 32700 for _, _, value in pointer_events[2:])
    assert [event for event in events(session, "clicks") if event[0] == KEY] == [(KEY, BUTTON_LEFT, 1), (KEY, BUTTON_LEFT, 0)]
    assert events(session, "motion") == [(REL, 0, 7), (REL, 1, -3)]
