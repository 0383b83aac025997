# SPDX-License-Identifier: Apache-2.0
"""The page's own SPICE client, in Chromium."""

import struct

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from browser import Browser

ANNOUNCE, MONITORS_CONFIG, CLIPBOARD, GRAB, REQUEST = 6, 2, 4, 7, 8
CAPABILITIES = sum(1 << bit for bit in (1, 2, 5, 6, 12))  # monitors, replies, clipboard by demand, selections, positions
TEXT = 1


@pytest.fixture(scope="module")
def chromium():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def open_desktop(chromium, serve):
    """open_desktop(option, …, size=…): a server, and the browser connected to it."""
    def start(*options, size=(640, 400), picture="text"):
        producer = serve(*options)
        producer.do(f"surface 0 {size[0]} {size[1]}")
        producer.do(f"picture 0 {picture} 0")
        assert chromium.connect(producer) == ""
        return producer

    yield start
    chromium.run("window.session?.close()")
    assert chromium.complaints() == []


# What the client does not ask for, but a server that compresses otherwise may send first, is not in this list: quic, glz, lz.
@pytest.mark.parametrize("compression", ["auto", "off", "lz4"])
@pytest.mark.parametrize("picture", ["text", "gradient", "noise", "flat"])
def test_a_picture(chromium, open_desktop, compression, picture):
    producer = open_desktop("--compression", compression, picture=picture)
    chromium.until_shows(producer.drawn())


@pytest.mark.parametrize("size", [(1, 1), (333, 77), (1919, 1081), (3840, 2160)])
def test_sizes(chromium, open_desktop, size):
    producer = open_desktop("--compression", "lz4", size=size)
    chromium.until_shows(producer.drawn())


def test_what_changes(chromium, open_desktop):
    producer = open_desktop()
    chromium.until_shows(producer.drawn())
    producer.do("fill 0 10 20 100 50 ff8000")
    producer.do("fill 0 0 399 640 1 0000ff")
    chromium.until_shows(producer.drawn())
    producer.do("surface 0 800 600")
    producer.do("picture 0 gradient 3")
    chromium.until_shows(producer.drawn())


def test_a_film(chromium, serve):
    producer = serve()
    producer.do("surface 0 1280 720")
    producer.do("picture 0 text 1")
    producer.do("kind 0 gradient")
    assert chromium.connect(producer) == ""
    producer.do("animate 0 25 128 96 640 480")
    chromium.until("return session.displays.get(0)?.streams.size")
    producer.do("animate 0 0")
    chromium.until("return session.displays.get(0).streams.size === 0")
    chromium.until_shows(producer.drawn())
    chromium.run("session.close()")


def test_two_monitors(chromium, open_desktop):
    producer = open_desktop("--scanouts", "2")
    producer.do("surface 1 500 300")
    producer.do("picture 1 gradient 1")
    chromium.until_shows(producer.drawn(0), 0)
    chromium.until_shows(producer.drawn(1), 1)


def key_events(producer, n):
    return [producer.wait_event("keyboard") for _ in range(n)]


def test_keys(chromium, open_desktop):
    producer = open_desktop()
    chromium.until("return session.inputs?.linked")
    chromium.run("screens.focus()")
    ActionChains(chromium.driver).key_down("a").key_up("a").key_down(Keys.ARROW_LEFT).key_up(Keys.ARROW_LEFT).perform()
    assert key_events(producer, 4) == ["keyboard 1:30:1", "keyboard 1:30:0", "keyboard 1:105:1", "keyboard 1:105:0"]


# (KeyboardEvent.code, evdev): the place on the keyboard decides, whatever the layout says that the key means.
@pytest.mark.parametrize("code,key", [
    ("KeyZ", 44), ("KeyY", 21), ("KeyQ", 16), ("Semicolon", 39), ("IntlBackslash", 86), ("IntlRo", 89), ("IntlYen", 124), ("AltRight", 100),
    ("NumpadEnter", 96), ("NumpadDivide", 98), ("MetaLeft", 125), ("ContextMenu", 127), ("PrintScreen", 99), ("Delete", 111),
    ("Pause", 119), ("F11", 87), ("F12", 88), ("Lang1", 122), ("Lang2", 123), ("Convert", 92), ("NonConvert", 94), ("KanaMode", 93),
    ("AudioVolumeUp", 115), ("NumpadComma", 121),
])
def test_keys_by_their_place(chromium, open_desktop, code, key):
    producer = open_desktop()
    chromium.until("return session.inputs?.linked")
    chromium.run("for (const type of ['keydown', 'keyup']) screens.screens[0].element.dispatchEvent("
                 "new KeyboardEvent(type, { code: arguments[0], key: 'ß', cancelable: true }))", code)
    assert key_events(producer, 2) == [f"keyboard 1:{key}:1", f"keyboard 1:{key}:0"]


def test_a_combination(chromium, open_desktop):
    producer = open_desktop()
    chromium.until("return session.inputs?.linked")
    chromium.run("session.inputs.combination(['ControlLeft', 'AltLeft', 'Delete'])")
    assert key_events(producer, 6) == [f"keyboard 1:{key}:{down}" for down, keys in ((1, (29, 56, 111)), (0, (111, 56, 29))) for key in keys]


def test_what_is_held_is_let_go(chromium, open_desktop):
    producer = open_desktop()
    chromium.until("return session.inputs?.linked")
    chromium.run("screens.focus()")
    ActionChains(chromium.driver).key_down(Keys.SHIFT).perform()
    assert key_events(producer, 1) == ["keyboard 1:42:1"]
    chromium.run("document.activeElement.blur()")
    assert key_events(producer, 1) == ["keyboard 1:42:0"]
    ActionChains(chromium.driver).key_up(Keys.SHIFT).perform()


def test_text_without_keys(chromium, open_desktop):
    producer = open_desktop()
    chromium.until("return session.inputs?.linked")
    chromium.run("session.inputs.typeText('a?')")
    assert key_events(producer, 6) == ["keyboard 1:30:1", "keyboard 1:30:0", "keyboard 1:42:1", "keyboard 1:53:1", "keyboard 1:53:0", "keyboard 1:42:0"]


def test_a_keyboard_of_glass(chromium, open_desktop):
    producer = open_desktop()
    chromium.run("screens.showKeyboard(); const field = document.activeElement;"
                 "const happen = (inputType, data) => field.dispatchEvent(new InputEvent('beforeinput', { inputType, data, cancelable: true }));"
                 "happen('insertText', 'a'); happen('deleteContentBackward'); happen('insertLineBreak')")
    assert key_events(producer, 6) == [f"keyboard 1:{key}:{down}" for key in (30, 14, 28) for down in (1, 0)]


def test_leaving_by_keyboard(chromium, open_desktop):
    open_desktop()
    chromium.until("return session.inputs?.linked")
    chromium.run("screens.focus()")
    ActionChains(chromium.driver).key_down(Keys.SHIFT).send_keys(Keys.F12).key_up(Keys.SHIFT).perform()
    chromium.told("left")


def test_the_pointer(chromium, open_desktop):
    producer = open_desktop()
    chromium.until("return session.absolute && session.inputs?.linked && screens.screens[0].canvas")
    canvas = chromium.run("return screens.screens[0].canvas")
    ActionChains(chromium.driver).move_to_element_with_offset(canvas, 0, 0).click().perform()
    assert producer.wait_event("tablet 1:272:1")
    assert producer.wait_event("tablet 1:272:0")
    x = [event for event in producer.poll() if event.startswith("tablet 3:0:")]
    assert x == []  # nothing moved after the click


def test_the_wheel(chromium, open_desktop):
    producer = open_desktop()
    chromium.until("return session.absolute && session.inputs?.linked && screens.screens[0].canvas")
    chromium.run("screens.screens[0].element.dispatchEvent(new WheelEvent('wheel', { deltaY: -60, cancelable: true }))")
    assert producer.wait_event("tablet 2:8:1")


def test_the_cursor(chromium, open_desktop):
    producer = open_desktop()
    producer.do("cursor 0 3 5 ff0000")
    shape = None
    while not shape:
        shape = chromium.told("cursor")[1]
    assert (shape["x"], shape["y"]) == (3, 5)
    assert "data:image/png" in chromium.run("return screens.screens[0].element.style.cursor")
    producer.do("cursor 0 hide")
    chromium.until("return screens.screens[0].element.style.cursor === 'none'")


def test_the_password(chromium, serve):
    producer = serve("--ticket", "sesame")
    producer.do("surface 0 64 64")
    assert chromium.connect(producer, "wrong") != ""
    assert chromium.connect(producer, "sesame") == ""
    chromium.until_shows(producer.drawn())
    chromium.run("session.close()")


def test_a_lost_server_is_told(chromium, serve):
    producer = serve()
    producer.do("surface 0 64 64")
    assert chromium.connect(producer) == ""
    chromium.until_shows(producer.drawn())
    producer.do("quit")
    chromium.told("ended")


class GuestAgent:
    """The guest's side of the agent's port, by hand."""

    def __init__(self, producer):
        self.producer = producer
        self.bytes = b""
        producer.do("agent open")
        producer.do("agent take 1000000")

    def write(self, type_, body):
        message = struct.pack("<IIQI", 1, type_, 0, len(body)) + body
        self.producer.do("agent write " + (struct.pack("<II", 1, len(message)) + message).hex())

    def read(self, type_):
        """The next message of the type."""
        data = b""
        while True:
            while len(self.bytes) >= 8:
                size = struct.unpack_from("<I", self.bytes, 4)[0]
                if len(self.bytes) < 8 + size:
                    break
                data += self.bytes[8:8 + size]
                self.bytes = self.bytes[8 + size:]
                if len(data) >= 20 and len(data) >= 20 + struct.unpack_from("<I", data, 16)[0]:
                    got, data = data, b""
                    if struct.unpack_from("<I", got, 4)[0] == type_:
                        return got[20:]
            event = self.producer.wait_event("agent got")
            self.bytes += bytes.fromhex(event.split()[2])


@pytest.fixture
def with_agent(chromium, open_desktop):
    producer = open_desktop()
    agent = GuestAgent(producer)
    agent.read(ANNOUNCE)
    agent.write(ANNOUNCE, struct.pack("<II", 0, CAPABILITIES))
    chromium.told("ready")
    return producer, agent


def test_the_window_decides_the_size(chromium, with_agent):
    producer, _ = with_agent
    width, height = chromium.run("return [document.getElementById('screens').clientWidth & ~1, document.getElementById('screens').clientHeight & ~1]")
    assert producer.wait_event("monitors").split()[1] == f"{width}x{height}+0+0"


def test_the_clipboard_from_the_guest(chromium, with_agent):
    _, agent = with_agent
    agent.write(GRAB, struct.pack("<II", 0, TEXT))
    assert agent.read(REQUEST) == struct.pack("<II", 0, TEXT)
    agent.write(CLIPBOARD, struct.pack("<II", 0, TEXT) + "grüß Gott".encode())
    assert chromium.told("clipboard") == ["clipboard", "grüß Gott"]


def test_the_clipboard_to_the_guest(chromium, with_agent):
    _, agent = with_agent
    text = "naïve " * 1000  # more than one piece
    assert chromium.run("return session.agent.offer(arguments[0])", text)
    assert agent.read(GRAB) == struct.pack("<II", 0, TEXT)
    agent.write(REQUEST, struct.pack("<II", 0, TEXT))
    assert agent.read(CLIPBOARD) == struct.pack("<II", 0, TEXT) + text.encode()


def test_pasting_by_key(chromium, with_agent):
    producer, agent = with_agent
    chromium.until("return session.inputs?.linked")
    chromium.run("screens.focus()")
    chromium.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    chromium.driver.execute_async_script("navigator.clipboard.writeText('pasted').then(arguments[0])")
    ActionChains(chromium.driver).key_down(Keys.CONTROL).send_keys("v").key_up(Keys.CONTROL).perform()
    assert agent.read(GRAB) == struct.pack("<II", 0, TEXT)
    assert producer.wait_event("keyboard 1:47:1")
    agent.write(REQUEST, struct.pack("<II", 0, TEXT))
    assert agent.read(CLIPBOARD) == struct.pack("<II", 0, TEXT) + b"pasted"
