# SPDX-License-Identifier: Apache-2.0
"""
An office at work, through the page alone: from an empty host to a user's desktop in the browser, where somebody types. The
desktop is the echo disk, which shows what is typed.
"""
import base64
import io
import os
import time

import numpy
import pytest
from carreld import BUILD
from conftest import PASSWORD
from page import Page, start_chromium
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from sit import GREETING, Seat

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="no /dev/kvm")

BOOT_SECONDS = 120  # SeaBIOS takes many of them on a slow KVM, and so does a busy machine


class Screen(Seat):
    """The characters of an echo disk's screen, as the canvas in a page shows them."""
    CANVAS = ".viewer-screen canvas"

    def __init__(self, page):
        self.page = page

    @property
    def display(self):
        return self

    def pixels(self):
        url = self.page.run("return document.querySelector(arguments[0])?.toDataURL('image/png') || ''", self.CANVAS)
        return numpy.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L")) if url else None

    def wait(self, wanted, what):
        end = time.monotonic() + BOOT_SECONDS
        while not wanted():
            if time.monotonic() > end:
                self.page.shot("failed")
                raise AssertionError(f"{what} does not come")
            time.sleep(0.2)

    def greets(self):
        rows = self.greeting()
        return rows and rows[0][len(GREETING) - 1] != rows[0][-1]


class Watched(Screen):
    """The same for who looks on."""
    CANVAS = ".viewer-picture"


SEEN = "return document.querySelector('.viewer-picture:not([hidden])')?.width"


def types(page, text):
    """Types something that is not there yet, and waits until it is seen."""
    screen = Screen(page)
    screen.wait(screen.greets, "the echo disk's greeting")
    before = {character: screen.count(character) for character in set(text)}
    page.run("document.querySelector('.viewer-screen').focus()")
    ActionChains(page.driver).send_keys(text).perform()
    screen.wait(lambda: all(screen.count(one) == before[one] + text.count(one) for one in before), f"“{text}” on the screen")


@pytest.fixture
def echo(tmp_path):
    """The echo disk as a file to upload."""
    path = tmp_path / "echo.raw"
    path.write_bytes((BUILD / "tests/office/echo.raw").read_bytes().ljust(1 << 20, b"\0"))
    return path


def upload(page, path, name):
    page.go("images")
    page.press("Upload")
    page.until("return document.querySelector('dialog input[type=file]')", what="the place for a file").send_keys(str(path))
    page.fill("Name", name)
    page.press("Upload")
    page.no_dialog()
    page.until("return [...document.querySelectorAll('tr')].some((row) => row.innerText.includes(arguments[0]) && row.innerText.includes('Ready'))", name, what=f"{name} to be ready")


def make_desktop(page, name, image):
    """Of a disk that is ready, by BIOS; it starts, and its screen is shown."""
    page.go("desktops")
    page.press("New desktop")
    page.fill("Name", name)
    page.press("A disk that is ready")
    page.choose("Disk", image)
    page.fill("Memory", "0.25")
    page.fill("Processors", "1")
    page.choose("Network", "None")
    page.press("More settings")
    page.choose("Starts by", "BIOS")
    page.press("Make it")
    page.until("return document.querySelector('.viewer-screen canvas') && !document.querySelector('.viewer-cover')", what="the desktop's screen")


def sits_down(page, name):
    page.until("return [...document.querySelectorAll('a.desk-screen')].find((one) => one.getAttribute('aria-label') === arguments[0])", f"Open {name}", what=name).click()
    page.until("return document.querySelector('.viewer-screen canvas') && !document.querySelector('.viewer-cover')", what="the desktop's screen")


def test_from_an_empty_host_to_a_users_desktop(sign_in_at_page, echo, console):
    page = sign_in_at_page("ada", "admin")
    page.go("overview")
    page.sees("Four steps to the first user's desktop")
    page.look("office-1-first-steps")
    upload(page, echo, "Echo")
    page.look("office-2-images")
    make_desktop(page, "Model", "Echo")
    page.shot("office-3-model")
    page.go("desktops")
    page.press("Model")
    page.until("return document.querySelector('img.picture')?.naturalWidth", what="its picture")
    page.look("office-3-desktop")
    page.menu("What to do", "Switch off at once")
    page.press("Switch off")
    page.until("return [...document.querySelectorAll('.page-head .state')].some((one) => one.innerText === 'Off')", what="it to be off")

    page.menu("What to do", "Turn it into a template")
    page.fill("The template's name", "Echo desk")
    page.press("Make a template")
    page.no_dialog()
    page.make_pool("Echo desks", "Echo desk", 3)
    page.make_user("anna", PASSWORD)
    page.give_pool("anna", "Echo desks")
    page.look("office-4-given")
    page.menu("Your account", "Sign out")

    page.sign_in("anna", PASSWORD)
    page.press("Get a desktop of Echo desks")
    page.shot("office-5-starting")
    page.until("return document.querySelector('.viewer-screen canvas') && !document.querySelector('.viewer-cover')", what="the desktop's screen")
    types(page, "carrel")
    page.shot("office-6-typed")
    page.press("Back")
    page.sees("On")
    page.until("return document.querySelector('a.desk-screen img')?.naturalWidth", what="its picture")
    page.look("office-7-my-desktops")


@pytest.fixture
def desk(console, sign_in_at_page, echo):
    """Somebody at the page who has a desktop of their own, “Desk”, which is off."""
    from test_desks import upload as bring
    console.make("user", name="anna", password=PASSWORD)
    image = bring(console, content=echo.read_bytes())
    desktop = console.make("desktop", name="Desk", memory=64, vcpus=1, firmware="bios", disks=[{"type": "disk", "image": image}])
    console.make("assignment", user=console.find("user", "anna")["id"], desktop=desktop)
    return sign_in_at_page("anna"), desktop


def test_a_desktop_starts_when_somebody_comes(desk):
    page, _ = desk
    page.sees("Off")
    page.look("my-off")
    sits_down(page, "Desk")
    types(page, "aae")


def test_the_web_server_is_started_anew(desk, web):
    page, _ = desk
    sits_down(page, "Desk")
    types(page, "a")
    web.stop()
    page.sees("Reconnecting")
    page.shot("viewer-reconnecting")
    web.keys["listen"] = f"127.0.0.1:{web.port}"
    web.start()
    page.until("return !document.querySelector('.viewer-cover')", what="the screen again")
    types(page, "ab")


def test_a_text_is_typed_key_by_key(desk):
    """Longer than the keys that a PC's BIOS keeps; in full screen, where the desktop is asked for all keys."""
    page, _ = desk
    sits_down(page, "Desk")
    types(page, "a")
    page.run("navigator.keyboard.lock = async (...keys) => { window.locked = keys; }")
    page.press("Full screen")
    page.until("return Boolean(document.fullscreenElement && window.locked)", what="the keyboard")
    page.shot("viewer-full-screen")
    page.press("Leave full screen")
    page.press("Text")
    page.fill("Text", "bell" * 12)
    page.press("Type it, key by key")
    screen = Screen(page)
    screen.wait(lambda: screen.count("b") == 12 and screen.count("l") == 24, "the text on the screen")


def test_a_desktop_that_is_switched_off_stays_off(desk, console):
    page, desktop = desk
    sits_down(page, "Desk")
    console.Control(desktop, "stop", {})
    page.sees("Desk is off")
    page.shot("viewer-off")
    page.press("Start it")
    page.until("return !document.querySelector('.viewer-cover')", what="the screen again")


def test_the_file_for_a_viewer(desk):
    page, desktop = desk
    page.press("More for Desk")
    address = page.until("return [...document.querySelectorAll('[role=menuitem]')].find((one) => one.innerText.includes('viewer'))?.href", what="the file")
    text = page.driver.execute_async_script("const done = arguments[1]; fetch(arguments[0]).then((r) => r.text()).then(done)", address)
    assert text.startswith("[virt-viewer]") and "tls-port=" in text


def test_the_log_tells_who_was_where(desk, console):
    page, desktop = desk
    sits_down(page, "Desk")
    page.press("Back")
    page.menu("Your account", "Sign out")
    console.Control(desktop, "reset", {})
    console.make("user", name="ada", role="admin", password=PASSWORD)
    page.sign_in("ada", PASSWORD)
    page.go("audit")
    rows = "return [...document.querySelectorAll('tbody tr')].map((row) => [...row.cells].slice(1, 3).map((cell) => cell.innerText.replace(/\\s+/g, ' ')).join(' '))"
    for line in ("anna opened “Desk” 127.0.0.1", "The host's console restarted hard “Desk”", "The host's console gave “anna” “Desk”"):
        page.until(f"{rows}.includes(arguments[0])", line, what=f"“{line}” in the log")
    page.look("log")


@pytest.fixture
def another_window(web):
    """A second browser, in which somebody else may be signed in."""
    driver = start_chromium()
    window = Page(driver, web.url)
    window.open()
    yield window
    driver.quit()


def test_somebody_looks_on(desk, console, another_window):
    """An operator asks; the user agrees in their own window; the operator sees the screen until the user leaves."""
    page, desktop = desk
    console.make("user", name="olga", role="operator", password=PASSWORD)
    another_window.sign_in("olga", PASSWORD)
    another_window.sees("Overview")
    another_window.go(f"view/{desktop}")
    another_window.sees("It is somebody's")
    another_window.shot("viewer-forbidden")
    another_window.press("Ask to look on")
    another_window.sees("You are not looking on")  # nobody sits there

    sits_down(page, "Desk")
    another_window.press("Ask again")
    page.sees("May somebody look on?")
    page.shot("watch-asked")
    page.press("No")
    another_window.sees("did not agree")
    another_window.press("Ask again")
    page.sees("May somebody look on?")
    page.press("Yes, they may look")
    page.no_dialog()
    another_window.until(SEEN, what="the screen in the operator's window")
    page.sees("olga is watching")
    page.shot("watched")
    types(page, "abc")
    seen = Watched(another_window)
    seen.wait(lambda: seen.greets() and seen.count("b") == 1, "what the user typed in the operator's window")
    another_window.shot("watching")
    another_window.press("Full size")
    another_window.shot("watching-full-size")
    page.press("Back")
    another_window.sees("You are not looking on")
    page.sees_no("olga is watching")

    sits_down(page, "Desk")
    another_window.press("Ask again")
    page.press("Yes, they may look")
    another_window.until(SEEN, what="the screen in the operator's window")
    page.press("End it")
    another_window.sees("You are not looking on")
    page.sees_no("olga is watching")
    another_window.press("Ask again")
    page.press("Yes, they may look")
    page.sees("olga is watching")
    another_window.press("Back")
    page.sees_no("olga is watching")


def test_live_states_and_what_an_operator_does(desk, console, web):
    page, desktop = desk
    page.menu("Your account", "Sign out")
    console.make("user", name="olga", role="operator", password=PASSWORD)
    page.sign_in("olga", PASSWORD)
    page.sees("My desktops")
    page.go("desktops")
    page.sees("Off")
    page.menu("What to do with Desk", "Start")
    page.until("return document.querySelector('tbody .state.good')", what="it to be on")
    page.look("desktops-one")
    page.press("Desk")
    page.until("return document.querySelector('.spark')", what="its figures")
    page.sees("It is somebody's.")
    page.look("desktop-running")
    page.menu("What to do", "Switch off at once")
    page.press("Switch off")
    page.until("return [...document.querySelectorAll('.page-head .state')].some((one) => one.innerText === 'Off')", what="it to be off")
    page.menu("What to do", "Take a snapshot")
    page.fill("What to call it", "Before")
    page.press("Take it")
    page.no_dialog()
    page.sees("Go back to it")
    page.press("Larger")
    page.fill("New size", "1")
    page.press("Make it larger")
    page.no_dialog()
    page.sees("1 GiB")
