# SPDX-License-Identifier: Apache-2.0
"""
A SPICE client that tests can steer and question, on spice-gtk's client library.

The library lives on a main loop in a thread of its own, which drains the server at all times as a real client does; a test's
thread asks it to do things with call(), and looks at what has arrived so far. Needs no display of its own.

Run as a program it only stays connected, to be killed:  python3 -m rig.spice_client HOST PORT [PASSWORD]
"""

import ctypes
import dataclasses
import sys
import threading
import time

import gi
import numpy

gi.require_version("SpiceClientGLib", "2.0")
from gi.repository import Gio, GLib, GObject, SpiceClientGLib  # noqa: E402

MONITORS_MAX = 4  # that a desktop can have
FORMAT_32 = 32  # xRGB, a 32-bit word a pixel: blue first in memory
SERVER_MOUSE = 1  # SPICE_MOUSE_MODE_SERVER: the client says how far the pointer moves
CLIENT_MOUSE = 2  # SPICE_MOUSE_MODE_CLIENT: the pointer is where the client says
CLIPBOARD = 0  # VD_AGENT_CLIPBOARD_SELECTION_CLIPBOARD
TEXT = 1  # VD_AGENT_CLIPBOARD_UTF8_TEXT

# A US keyboard: character -> (PC set 1 scan code, with shift).
_ROWS = ((0x02, "1234567890-=", "!@#$%^&*()_+"), (0x10, "qwertyuiop[]", "QWERTYUIOP{}"),
         (0x1E, "asdfghjkl;'`", 'ASDFGHJKL:"~'), (0x2B, "\\zxcvbnm,./", "|ZXCVBNM<>?"))
SCANCODES = {" ": (0x39, False), "\n": (0x1C, False), "\t": (0x0F, False)}
for _first, _plain, _shifted in _ROWS:
    for _step, (_low, _high) in enumerate(zip(_plain, _shifted)):
        SCANCODES[_low] = (_first + _step, False)
        SCANCODES[_high] = (_first + _step, True)
KEYS = {"ctrl": 0x1D, "shift": 0x2A, "alt": 0x38, "escape": 0x01, "enter": 0x1C, "super": 0x15B, "up": 0x148,
        "down": 0x150, "f1": 0x3B}


def scancode(key):
    """Of a key by its name or character."""
    return KEYS[key] if key in KEYS else SCANCODES[key][0]


# The library wants to follow the guest's volume, finds no sound here and says so with every client.
for _domain in ("GSpice", "GLib-GObject"):
    GLib.log_set_handler(_domain, GLib.LogLevelFlags.LEVEL_WARNING | GLib.LogLevelFlags.LEVEL_CRITICAL, lambda *_: None)

# The library's own connect() hides GObject's.
listen = GObject.Object.connect


class Timeout(AssertionError):
    """What a test waited for did not come."""


@dataclasses.dataclass
class Surface:
    """A primary surface as the library keeps it; address is its memory, valid until it is destroyed."""

    width: int
    height: int
    stride: int
    address: int
    marked: bool = False
    updates: int = 0  # areas drawn since it was made


@dataclasses.dataclass(frozen=True)
class Cursor:
    """A cursor's picture: RGBA bytes, row by row."""

    width: int
    height: int
    hot_x: int
    hot_y: int
    rgba: bytes


class Loop(threading.Thread):
    """The one main loop that every client of this process shares."""

    _instance = None

    @classmethod
    def get(cls):
        if cls._instance is None:
            cls._instance = cls(daemon=True)
            cls._instance.start()
        return cls._instance

    def run(self):
        GLib.MainLoop().run()

    @staticmethod
    def call(function, *arguments):
        """Runs function in the loop's thread and returns what it returns."""
        done = threading.Event()
        result = []

        def invoke():
            try:
                result.append((True, function(*arguments)))
            except Exception as error:  # carried over to the caller, whatever it is
                result.append((False, error))
            done.set()
            return GLib.SOURCE_REMOVE

        GLib.idle_add(invoke)
        if not done.wait(60):
            raise Timeout("the client's loop does not answer")
        fine, value = result[0]
        if not fine:
            raise value
        return value


class Client:
    """One connection to a desktop: all its channels but sound; with usb, discs of files can be plugged in."""

    def __init__(self, port, host="127.0.0.1", password=None, usb=False):
        self.surfaces = {}  # display channel number -> Surface
        self.cursor = None
        self.cursor_hidden = False
        self.agent = False
        self.mouse_mode = 0
        self.events = []  # (channel name, event) of channels, as they came
        self.guest_clipboard = []  # types that the guest offers
        self._offered = None  # text that we offer the guest
        self._pasted = []  # texts that the guest gave us
        self._main = self._inputs = self._display = None
        self._buttons = 0
        self.closed = False
        self.usb_errors = []  # what its user is told of devices
        self._devices = []
        Loop.get().call(self._open, host, port, password, usb)

    def _open(self, host, port, password, usb):
        session = SpiceClientGLib.Session()
        session.set_property("host", host)
        session.set_property("port", str(port))
        session.set_property("enable-audio", False)
        session.set_property("enable-usbredir", usb)
        session.set_property("enable-smartcard", False)
        if password is not None:
            session.set_property("password", password)
        listen(session, "channel-new", self._on_channel)
        listen(session, "disconnected", self._on_disconnected)
        self._session = session
        if usb:
            self._usb = SpiceClientGLib.UsbDeviceManager.get(session)
            listen(self._usb, "device-added", lambda _, device: self._devices.append(device))
            listen(self._usb, "device-error", lambda _, _device, error: self.usb_errors.append(error.message))
        session.connect()

    # Signals; all in the loop's thread.

    def _on_disconnected(self, _session):
        self.closed = True

    def _on_channel(self, _session, channel):
        name = SpiceClientGLib.Channel.type_to_string(channel.get_property("channel-type"))
        listen(channel, "channel-event", lambda _channel, event: self.events.append((name, event.value_nick)))
        if isinstance(channel, SpiceClientGLib.MainChannel):
            self._main = channel
            listen(channel, "notify::agent-connected", self._on_agent)
            listen(channel, "main-mouse-update", self._on_mouse_mode)
            listen(channel, "main-clipboard-selection-grab", self._on_grab)
            listen(channel, "main-clipboard-selection-request", self._on_request)
            listen(channel, "main-clipboard-selection", self._on_clipboard)
        elif isinstance(channel, SpiceClientGLib.DisplayChannel):
            number = channel.get_property("channel-id")
            self._display = channel
            listen(channel, "display-primary-create", self._on_primary, number)
            listen(channel, "display-primary-destroy", self._on_primary_gone, number)
            listen(channel, "display-invalidate", self._on_invalidate, number)
            listen(channel, "display-mark", self._on_mark, number)
        elif isinstance(channel, SpiceClientGLib.CursorChannel):
            listen(channel, "cursor-set", self._on_cursor)
            listen(channel, "cursor-hide", self._on_cursor_hide)
        elif isinstance(channel, SpiceClientGLib.InputsChannel):
            self._inputs = channel
        else:
            return
        if not isinstance(channel, SpiceClientGLib.MainChannel):  # which the session connects by itself
            channel.connect()

    def _on_agent(self, channel, _property):
        self.agent = channel.get_property("agent-connected")

    def _on_mouse_mode(self, channel):
        self.mouse_mode = channel.get_property("mouse-mode")

    def _on_primary(self, _channel, surface_format, width, height, stride, _shmid, address, number):
        if surface_format == FORMAT_32:
            self.surfaces[number] = Surface(width, height, stride, address)

    def _on_primary_gone(self, _channel, number):
        self.surfaces.pop(number, None)

    def _on_invalidate(self, _channel, _x, _y, _width, _height, number):
        if number in self.surfaces:
            self.surfaces[number].updates += 1

    def _on_mark(self, _channel, marked, number):
        if number in self.surfaces:
            self.surfaces[number].marked = bool(marked)

    def _on_cursor(self, _channel, width, height, hot_x, hot_y, address):
        self.cursor_hidden = False
        if address:
            self.cursor = Cursor(width, height, hot_x, hot_y, ctypes.string_at(address, width * height * 4))

    def _on_cursor_hide(self, _channel):
        self.cursor_hidden = True

    def _on_grab(self, channel, selection, types, count):
        if selection == CLIPBOARD:
            pointer = ctypes.cast(types, ctypes.POINTER(ctypes.c_uint32)) if isinstance(types, int) else types
            self.guest_clipboard = [pointer[i] for i in range(count)]
        return True

    def _on_request(self, channel, selection, kind):
        if selection != CLIPBOARD or kind != TEXT or self._offered is None:
            return False
        channel.clipboard_selection_notify(CLIPBOARD, TEXT, list(self._offered.encode()))
        return True

    def _on_clipboard(self, _channel, selection, kind, address, size):
        if selection == CLIPBOARD and kind == TEXT:
            self._pasted.append(ctypes.string_at(address, size).decode(errors="replace"))

    # For tests; from any thread but the loop's.

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Disconnects in order. Closed already is fine."""

        def leave():
            self._main = self._inputs = self._display = None
            self._session.disconnect()

        Loop.get().call(leave)

    def wait(self, condition, what, timeout=30):
        """Waits until condition() is true; `what` says in an error what did not come."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise Timeout(f"{what}: not within {timeout} s; channels said {self.events[-12:]}")
            time.sleep(0.02)
        return self

    def wait_for_inputs(self, timeout=30):
        """Waits until keys can be sent."""
        return self.wait(lambda: self._inputs is not None and ("inputs", "opened") in self.events, "a keyboard", timeout)

    def wait_for_picture(self, timeout=30):
        """Waits for the first monitor's surface with its contents, and for inputs."""
        self.wait(lambda: 0 in self.surfaces and self.surfaces[0].updates > 0, "a picture", timeout)
        return self.wait_for_inputs(timeout)

    def wait_for_agent(self, timeout=60):
        return self.wait(lambda: self.agent, "the agent in the guest", timeout)

    def wait_for_refusal(self, timeout=30):
        """Waits until the server has said that the password is not the one."""
        return self.wait(lambda: ("main", "error-auth") in self.events, "the server's refusal", timeout)

    def size(self, number=0):
        """(width, height) of a monitor's surface now, or None."""
        surface = self.surfaces.get(number)
        return (surface.width, surface.height) if surface else None

    def sizes(self):
        """The sizes of all monitors, the first first."""
        return [self.size(number) for number in sorted(self.surfaces)]

    def frame(self, number=0):
        """The picture now: an array of height x width x (red, green, blue)."""

        def copy():
            surface = self.surfaces[number]
            raw = ctypes.string_at(surface.address, surface.stride * surface.height)
            rows = numpy.frombuffer(raw, "uint8").reshape(surface.height, surface.stride)
            pixels = rows[:, :surface.width * 4].reshape(surface.height, surface.width, 4)
            return pixels[:, :, 2::-1].copy()

        return Loop.get().call(copy)

    def frames(self):
        """The pictures of all monitors, which have one height, side by side."""
        return numpy.hstack([self.frame(number) for number in sorted(self.surfaces)])

    def screenshot(self, path, number=0):
        """Writes the picture to a PNG file."""
        from PIL import Image

        Image.fromarray(self.frame(number), "RGB").save(path)

    def key(self, scancode, down):
        press = self._inputs.key_press if down else self._inputs.key_release
        Loop.get().call(press, scancode)

    def chord(self, *keys):
        """Presses keys together: chord("ctrl", "alt", "t")."""
        codes = [scancode(key) for key in keys]
        for code in codes:
            self.key(code, True)
        for code in reversed(codes):
            self.key(code, False)

    def type(self, text, pause=0.03):
        """Types text on a US keyboard, no faster than a fast typist: the guest has room for 64 events at once."""
        for character in text:
            code, shift = SCANCODES[character]
            if shift:
                self.key(KEYS["shift"], True)
            self.key(code, True)
            self.key(code, False)
            if shift:
                self.key(KEYS["shift"], False)
            if pause:
                time.sleep(pause)

    def move(self, x, y, number=0):
        """Puts the pointer at a place of a monitor (client mouse mode)."""
        Loop.get().call(self._inputs.position, x, y, number, self._buttons)

    def motion(self, right, down):
        """Moves the mouse so far (server mouse mode)."""
        Loop.get().call(self._inputs.motion, right, down, self._buttons)

    def button(self, number, down):
        """Presses or lets go: 1 left, 2 middle, 3 right, 4 and 5 the wheel up and down."""
        bit = 1 << (number - 1)
        self._buttons = self._buttons | bit if down else self._buttons & ~bit
        press = self._inputs.button_press if down else self._inputs.button_release
        Loop.get().call(press, number, self._buttons)

    def click(self, number=1, pause=0.05):
        """
        As long as a finger takes: what is quicker than 25 ms the guest's libinput takes for a contact that bounces, and
        holds the release back until something else happens.
        """
        self.button(number, True)
        time.sleep(pause)
        self.button(number, False)
        time.sleep(pause)

    def arrange(self, *sizes):
        """Says that our windows are so many, of these sizes side by side, as a viewer does when a person opens or drags one."""

        def ask():
            left = 0
            for number in range(MONITORS_MAX):
                self._main.update_display_enabled(number, number < len(sizes), False)
                if number < len(sizes):
                    width, height = sizes[number]
                    self._main.update_display(number, left, 0, width, height, False)
                    left += width
            self._main.send_monitor_config()

        Loop.get().call(ask)

    def offer_text(self, text):
        """Puts text on our clipboard, for the guest to paste."""
        self._offered = text
        Loop.get().call(self._main.clipboard_selection_grab, CLIPBOARD, [TEXT])

    def paste_text(self, timeout=30):
        """Asks the guest for the text on its clipboard."""
        self.wait(lambda: TEXT in self.guest_clipboard, "an offer of text from the guest", timeout)
        before = len(self._pasted)
        Loop.get().call(self._main.clipboard_selection_request, CLIPBOARD, TEXT)
        self.wait(lambda: len(self._pasted) > before, "the guest's clipboard", timeout)
        return self._pasted[-1]

    def plug_in_disc(self, path, timeout=30):
        """Makes a disc of a file, in an emulated drive, and redirects it; returns what take_out() wants."""
        outcome = []

        def connected(manager, result):
            try:
                manager.connect_device_finish(result)
                outcome.append(None)
            except GLib.Error as error:
                outcome.append(error.message)

        self.wait(lambda: self._usb.get_property("free-channels"), "a channel for USB", timeout)
        known = len(self._devices)
        assert Loop.get().call(self._usb.create_shared_cd_device, str(path)), f"{path} makes no disc"
        self.wait(lambda: len(self._devices) > known, "the drive in the client", timeout)
        device = self._devices[-1]
        Loop.get().call(self._usb.connect_device_async, device, None, connected)
        self.wait(lambda: outcome, "the end of redirecting", timeout)
        assert outcome[0] is None, outcome[0]
        return device

    def take_out(self, device):
        Loop.get().call(self._usb.disconnect_device_async, device, None, None)

    def send_file(self, path, timeout=60):
        """Sends a file to the guest, as a viewer does when a person drops it there; waits until the guest has it."""
        results = []

        def ended(channel, result):
            try:
                results.append(channel.file_copy_finish(result))
            except GLib.Error as error:
                results.append(error)

        def send():
            files = [Gio.File.new_for_path(str(path))]
            self._main.file_copy_async(files, Gio.FileCopyFlags.NONE, None, None, None, ended)

        Loop.get().call(send)
        self.wait(lambda: results, "the end of a file's transfer", timeout)
        if results[0] is not True:
            raise AssertionError(f"the file did not arrive: {results[0]}")


def main():
    client = Client(int(sys.argv[2]), sys.argv[1], *sys.argv[3:])
    client.wait_for_picture()
    print("connected", flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
