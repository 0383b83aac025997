# SPDX-License-Identifier: Apache-2.0
"""A real SPICE client (spice-gtk's SpiceClientGLib) whose pictures, cursors and state a test can look at."""

import ctypes
import time

import gi
import numpy

gi.require_version("SpiceClientGLib", "2.0")
from gi.repository import GLib, GObject, SpiceClientGLib  # noqa: E402

TIMEOUT = 20


def on(source, signal, handler):
    """Connects to a signal: the classes here have a connect() of their own, which does something else."""
    GObject.Object.connect(source, signal, handler)


class Display:
    """One display channel: its primary surface, read where spice-gtk keeps it."""

    def __init__(self, channel):
        self.channel = channel
        self.address = None
        self.width = self.height = self.stride = 0
        self.creates = 0
        self.invalidated = []
        self.marked = False
        on(channel, "display-primary-create", self._create)
        on(channel, "display-primary-destroy", self._destroy)
        on(channel, "display-invalidate", lambda _, *box: self.invalidated.append(box))
        on(channel, "display-mark", self._mark)

    def _create(self, channel, format_, width, height, stride, shmid, address):
        self.width, self.height, self.stride, self.address = width, height, stride, address
        self.creates += 1

    def _destroy(self, channel):
        self.address = None
        self.width = self.height = 0

    def _mark(self, channel, mark):
        self.marked = mark

    def pixels(self):
        """The picture as the client has it: rows of 0xrrggbb."""
        if not self.address:
            return None
        raw = ctypes.string_at(self.address, self.stride * self.height)
        rows = numpy.frombuffer(raw, dtype=numpy.uint32).reshape(self.height, self.stride // 4)
        return rows[:, : self.width] & 0xFFFFFF


class Cursor:
    def __init__(self, channel):
        self.picture = None  # rows of 0xaabbggrr, as spice-gtk gives it
        self.hot = None
        self.place = None
        self.hidden = False
        on(channel, "cursor-set", self._set)
        on(channel, "cursor-move", self._move)
        on(channel, "cursor-hide", self._hide)
        on(channel, "cursor-reset", self._hide)

    def _set(self, channel, width, height, hot_x, hot_y, rgba):
        raw = ctypes.string_at(rgba, width * height * 4)
        self.picture = numpy.frombuffer(raw, dtype=numpy.uint32).reshape(height, width)
        self.hot = (hot_x, hot_y)
        self.hidden = False

    def _move(self, channel, x, y):
        self.place = (x, y)

    def _hide(self, channel):
        self.hidden = True


class Client:
    def __init__(self, producer, ticket=None, wait=True, **properties):
        self.session = SpiceClientGLib.Session()
        if producer.path:
            self.session.set_property("unix-path", producer.path)
        else:
            self.session.set_property("host", "127.0.0.1")
            self.session.set_property("port", str(producer.port))
        if ticket is not None:
            self.session.set_property("password", ticket)
        for name, value in properties.items():
            self.session.set_property(name.replace("_", "-"), value)
        self.displays = {}
        self.cursors = {}
        self.inputs = None  # once it is open, as the keys pressed before are lost
        self.main = None
        self.main_events = []
        self.gone = False
        on(self.session, "channel-new", self._channel)
        on(self.session, "disconnected", self._disconnected)
        self.session.connect()
        if wait:
            self.until(lambda: self.main_events, "the main channel to open")
            assert self.opened, f"refused: {self.main_events}"

    @property
    def opened(self):
        return SpiceClientGLib.ChannelEvent.OPENED in self.main_events

    def _channel(self, session, channel):
        number = channel.get_property("channel-id")
        if isinstance(channel, SpiceClientGLib.MainChannel):
            self.main = channel
            on(channel, "channel-event", lambda _, event: self.main_events.append(event))
            return
        if isinstance(channel, SpiceClientGLib.DisplayChannel):
            self.displays[number] = Display(channel)
        elif isinstance(channel, SpiceClientGLib.CursorChannel):
            self.cursors[number] = Cursor(channel)
        elif isinstance(channel, SpiceClientGLib.InputsChannel):
            on(channel, "channel-event", self._inputs_event)
        elif isinstance(channel, SpiceClientGLib.UsbredirChannel):
            return  # opened by whoever redirects a device
        SpiceClientGLib.Channel.connect(channel)

    def _inputs_event(self, channel, event):
        if event == SpiceClientGLib.ChannelEvent.OPENED:
            self.inputs = channel

    def _disconnected(self, session):
        self.gone = True

    @property
    def display(self):
        return self.displays.get(0)

    @property
    def cursor(self):
        return self.cursors.get(0)

    @staticmethod
    def turn(seconds=0.0):
        """Lets clients work for so long, and at least once."""
        context = GLib.MainContext.default()
        end = time.monotonic() + seconds
        while context.iteration(False) or time.monotonic() < end:
            if not context.pending():
                time.sleep(0.001)

    @classmethod
    def until(cls, condition, what, timeout=TIMEOUT):
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"waited {timeout} s for {what}"
            cls.turn(0.005)

    def until_shows(self, expected, scanout=0):
        """Waits until the picture is the one given, pixel for pixel."""

        def same():
            display = self.displays.get(scanout)
            pixels = display.pixels() if display else None
            return pixels is not None and pixels.shape == expected.shape and (pixels == expected).all()

        try:
            self.until(same, "the picture")
        except AssertionError:
            pixels = self.displays[scanout].pixels()
            if pixels is None or pixels.shape != expected.shape:
                raise
            rows, columns = numpy.nonzero(pixels != expected)
            raise AssertionError(f"{len(rows)} wrong pixels between ({columns.min()}, {rows.min()}) and "
                                 f"({columns.max()}, {rows.max()})") from None

    def close(self):
        self.session.disconnect()
        self.turn(0.02)
