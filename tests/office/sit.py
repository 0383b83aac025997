# SPDX-License-Identifier: Apache-2.0
"""Sitting at an echo disk: a real SPICE client over tunnels, and the characters it sees."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "spice"))

import client as spice  # noqa: E402
from gi.repository import SpiceClientGLib  # noqa: E402

WIDTH, HEIGHT = 8, 16  # of a character, in pixels
KEYS = {"a": 0x1E, "b": 0x30, "c": 0x2E, "e": 0x12, "l": 0x26, "r": 0x13, "escape": 0x01, "tab": 0x0F, "enter": 0x1C}
GREETING = "Carrel echo. Type; Tab saves, Esc switches off."


class Seat(spice.Client):
    """A client each of whose channels is a socket that open_tunnel() gives."""

    def __init__(self, open_tunnel, password):
        self.open_tunnel = open_tunnel
        self.session = SpiceClientGLib.Session()
        self.session.set_property("password", password)
        self.session.set_property("enable-usbredir", False)
        self.displays, self.cursors, self.main_events = {}, {}, []
        self.inputs = self.main = None
        self.gone = False
        spice.on(self.session, "channel-new", self._channel)
        spice.on(self.session, "disconnected", self._disconnected)
        self.session.open_fd(self.take())

    def take(self):
        return self.open_tunnel().detach()  # the library closes it

    def _channel(self, session, channel):
        if isinstance(channel, SpiceClientGLib.MainChannel):
            self.main = channel
            spice.on(channel, "channel-event", lambda _, event: self.main_events.append(event))
            return
        if isinstance(channel, SpiceClientGLib.DisplayChannel):
            self.displays[channel.get_property("channel-id")] = spice.Display(channel)
        elif isinstance(channel, SpiceClientGLib.InputsChannel):
            spice.on(channel, "channel-event", self._inputs_event)
        else:
            return
        channel.open_fd(self.take())

    # ---- characters ----

    def screen(self):
        """Rows of cells, each of which is a character's pixels."""
        pixels = self.display.pixels() if self.display else None
        if pixels is None:
            return []
        rows, columns = pixels.shape[0] // HEIGHT, pixels.shape[1] // WIDTH
        cells = pixels[:rows * HEIGHT, :columns * WIDTH].reshape(rows, HEIGHT, columns, WIDTH).swapaxes(1, 2)
        return [[cell.tobytes() for cell in row] for row in cells]

    def greeting(self):
        """The greeting's row and all below; its third and fourth characters are the same, and no others of the first ones are."""
        rows = self.screen()
        for number, row in enumerate(rows):
            if row[2] == row[3] and len(set(row[:7])) == 6:
                return rows[number:]
        return None

    def count(self, character):
        """How often it stands below the greeting, which shows how it looks."""
        rows = self.greeting()
        looks = rows[0][GREETING.index(character)]
        return sum(row.count(looks) for row in rows[1:])

    def sit_down(self):
        """Waits for the last of the greeting, too."""
        self.until(lambda: self.inputs and (rows := self.greeting()) and rows[0][len(GREETING) - 1] != rows[0][-1],
                   "the echo disk's greeting", 90)

    def press(self, key):
        self.inputs.key_press_and_release(KEYS[key])
        self.turn(0.1)
