# SPDX-License-Identifier: Apache-2.0
"""The page's own SPICE client, in Chromium."""

import signal
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


@pytest.mark.parametrize("ratio, sharp, shown", [(1, False, 1), (1.25, True, 1), (2, False, 2), (2, True, 1)])
def test_fine_screens(chromium, open_desktop, ratio, sharp, shown):
    """One of the desktop's pixels takes as many of the screen's: only whole numbers keep letters as they are."""
    metrics = {"width": 1280, "height": 860, "deviceScaleFactor": ratio, "mobile": False}
    chromium.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        producer = open_desktop()
        if sharp != (ratio % 1 != 0):
            chromium.run("screens.sharp = arguments[0]; screens.resized()", sharp)
        chromium.until("return screens.screens[0].canvas")
        assert chromium.run("return devicePixelRatio") == ratio
        box = "const canvas = screens.screens[0].canvas; return canvas.getBoundingClientRect().width * devicePixelRatio / canvas.width"
        assert chromium.run(box) == pytest.approx(shown)
        assert chromium.run("return screens.screens[0].canvas.style.imageRendering") == "pixelated"
        producer.do("cursor 0 30 50 ff0000")
        at = (30 / ratio, 50 / ratio) if sharp else (30, 50)
        chromium.until(f"return screens.screens[0].element.style.cursor.endsWith(') {int(at[0])} {int(at[1])}, default')")
    finally:
        chromium.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


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


def test_a_long_text(chromium, open_desktop):
    """At the pace of a keyboard; behind it comes what is typed meanwhile."""
    producer = open_desktop()
    chromium.until("return session.inputs?.linked")
    assert chromium.run("return session.inputs.typeText(arguments[0])", "ab" * 100 + "é") == ["é"]
    assert chromium.run("return session.inputs.typing.length") > 150  # not all at once
    assert chromium.run("return session.inputs.typeText('\\b')") == []
    expected = [f"keyboard 1:{key}:{down}" for key in [30, 48] * 100 + [14] for down in (1, 0)]
    assert key_events(producer, len(expected)) == expected


KEYBOARD_OF = """
const { Keyboard } = await import("/js/viewer/keyboard.js");
screens.keyboard = new Keyboard({ inputs: () => screens.inputs, onKey: () => {}, onLeave: () => {}, system: arguments[0] });
"""
PRESS = """
for (const [type, code, more] of arguments)
  screens.screens[0].element.dispatchEvent(new KeyboardEvent(`key${type}`, { code, cancelable: true, ...more }));
"""


@pytest.fixture
def keyboard_of(chromium, open_desktop):
    """keyboard_of(SYSTEM): a producer, before which somebody types as that system tells of it."""
    def start(system):
        producer = open_desktop()
        chromium.until("return session.inputs?.linked")
        chromium.driver.execute_async_script(f"const done = arguments[1]; (async () => {{ {KEYBOARD_OF} }})().then(done)", system)
        return producer
    return start


def test_alt_gr_of_windows(chromium, keyboard_of):
    producer = keyboard_of("windows")
    chromium.run(PRESS, ("down", "ControlLeft"), ("down", "AltRight"), ("down", "KeyQ"), ("up", "KeyQ"), ("up", "ControlLeft"), ("up", "AltRight"))
    assert key_events(producer, 4) == ["keyboard 1:100:1", "keyboard 1:16:1", "keyboard 1:16:0", "keyboard 1:100:0"]


def test_control_of_windows(chromium, keyboard_of):
    producer = keyboard_of("windows")
    chromium.run(PRESS, ("down", "ControlLeft"), ("down", "KeyQ"), ("up", "KeyQ"), ("up", "ControlLeft"))
    assert key_events(producer, 4) == ["keyboard 1:29:1", "keyboard 1:16:1", "keyboard 1:16:0", "keyboard 1:29:0"]
    chromium.run(PRESS, ("down", "ControlLeft"))  # by itself
    assert key_events(producer, 1) == ["keyboard 1:29:1"]


def test_command_of_a_mac(chromium, keyboard_of):
    """It is Ctrl, and other keys do not stay down, whose coming up a Mac does not tell of."""
    producer = keyboard_of("mac")
    chromium.run(PRESS, ("down", "MetaLeft", {"metaKey": True}), ("down", "KeyC", {"metaKey": True}), ("up", "MetaLeft"))
    assert key_events(producer, 4) == ["keyboard 1:29:1", "keyboard 1:46:1", "keyboard 1:46:0", "keyboard 1:29:0"]


def test_a_key_that_waits_for_the_clipboard_does_not_stick(chromium, open_desktop):
    producer = open_desktop()
    chromium.until("return session.inputs?.linked")
    chromium.run("screens.focus()")
    chromium.run(PRESS + "document.activeElement.blur()", ("down", "ControlLeft", {"ctrlKey": True}), ("down", "KeyV", {"ctrlKey": True}))
    chromium.run("screens.focus()")
    chromium.run(PRESS, ("down", "KeyA"))
    assert key_events(producer, 3) == ["keyboard 1:29:1", "keyboard 1:29:0", "keyboard 1:30:1"]


def test_words_in_the_making(chromium, open_desktop):
    """As keyboards on glass tell of them: the word so far, again and again."""
    producer = open_desktop()
    chromium.until("return session.inputs?.linked")
    chromium.run("screens.showKeyboard()")
    for word in ("h", "hi", "he"):
        chromium.driver.execute_cdp_cmd("Input.imeSetComposition", {"text": word, "selectionStart": len(word), "selectionEnd": len(word)})
    keys = [35, 23, 14, 18]  # h, i, back, e
    assert key_events(producer, 8) == [f"keyboard 1:{key}:{down}" for key in keys for down in (1, 0)]


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
    chromium.run("screens.screens[0].element.dispatchEvent(new WheelEvent('wheel', { deltaY: -100, cancelable: true }))")
    assert producer.wait_event("tablet 2:8:1")


TOUCH = """
const [type, id, x, y] = arguments;
const box = screens.screens[0].canvas.getBoundingClientRect();
screens.screens[0].element.dispatchEvent(new PointerEvent(type, { pointerId: id, pointerType: "touch", clientX: box.left + x, clientY: box.top + y,
  bubbles: true, cancelable: true }));
"""
LEFT, RIGHT, WHEEL = "tablet 1:272", "tablet 1:273", "tablet 2:8"


@pytest.fixture
def glass(chromium, open_desktop):
    """touch(type, finger, x, y), before a producer."""
    producer = open_desktop()
    chromium.until("return session.absolute && session.inputs?.linked && screens.screens[0].canvas")
    chromium.run("Element.prototype.setPointerCapture = () => {}")  # which knows real fingers alone
    return producer, lambda *what: chromium.run(TOUCH, *what)


def pointer_events(producer, n):
    """Buttons and wheel."""
    found = []
    while len(found) < n:
        event = producer.wait_event("tablet")
        found += [event] if not event.startswith("tablet 3:") else []
    return found


def test_a_tap_and_a_long_touch(glass):
    producer, touch = glass
    touch("pointerdown", 1, 100, 100)
    touch("pointermove", 1, 103, 100)
    touch("pointerup", 1, 103, 100)
    assert pointer_events(producer, 2) == [f"{LEFT}:1", f"{LEFT}:0"]
    touch("pointerdown", 1, 100, 100)
    assert pointer_events(producer, 2) == [f"{RIGHT}:1", f"{RIGHT}:0"]
    touch("pointerup", 1, 100, 100)
    touch("pointerdown", 1, 200, 100)
    touch("pointermove", 1, 250, 100)
    assert pointer_events(producer, 1) == [f"{LEFT}:1"]  # and nothing came of the finger's leaving before
    touch("pointerup", 1, 250, 100)
    assert pointer_events(producer, 1) == [f"{LEFT}:0"]


def test_two_fingers(glass):
    producer, touch = glass
    touch("pointerdown", 1, 100, 100)
    touch("pointerdown", 2, 200, 100)
    for step in range(1, 5):
        for finger in (1, 2):
            touch("pointermove", finger, 100 * finger, 100 - 20 * step)
    touch("pointerup", 1, 100, 20)
    touch("pointerup", 2, 200, 20)
    assert pointer_events(producer, 2) == [f"{WHEEL}:-1", f"{WHEEL}:-1"]
    touch("pointerdown", 1, 100, 100)
    touch("pointerup", 1, 100, 100)
    assert pointer_events(producer, 2) == [f"{LEFT}:1", f"{LEFT}:0"]


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


WATCH = """
const done = arguments[0];
import("/js/viewer/pulse.js").then(({ Pulse }) => {
  window.dead = "";
  new Pulse({ waitsSince: () => session.inputs.waitsSince(), onDead: (error) => { window.dead = error.message; } }).start();
}).then(done);
"""


@pytest.fixture
def watched(chromium, open_desktop):
    """A producer whose connection is looked after."""
    producer = open_desktop()
    chromium.until("return session.absolute && session.inputs?.linked && screens.screens[0].canvas")
    chromium.driver.execute_async_script(WATCH)
    return producer


def test_a_host_that_is_silent_is_noticed(chromium, watched):
    """Its connection stands, as that of a network that went away does."""
    move = "for (let i = 0; i < 8; i++) session.inputs.position(i, i, 0)"
    chromium.run(move)
    chromium.until("return session.inputs.waitsSince() === 0")
    watched.process.send_signal(signal.SIGSTOP)
    chromium.run(move)
    chromium.until("return window.dead.includes('does not answer')")
    watched.process.send_signal(signal.SIGCONT)


def test_a_computer_that_slept_is_noticed(chromium, watched):
    chromium.run("const now = Date.now; Date.now = () => now() + 60000")
    chromium.until("return window.dead.includes('slept')")


def test_a_network_that_comes_back_is_noticed(chromium, watched):
    chromium.run("dispatchEvent(new Event('online'))")
    chromium.until("return window.dead")


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
