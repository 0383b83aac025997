# SPDX-License-Identifier: Apache-2.0
"""
The whole way, as people go it: an administrator makes a pool and gives it to a user, the user signs in, opens the desktop in
the browser, types and sees it; then the same with remote-viewer, by the file that the page gives.

What is typed makes the desktop's terminal all of one colour, which nothing else on the screen has.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

from . import process, rooms
from .image import SOURCE

sys.path.append(str(SOURCE / "tests/office/browser"))

import page as office_page  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

PASSWORD = "a carrel of one's own"
PINK, GREEN = (255, 0, 128), (0, 160, 64)
BOOT_SECONDS = 400  # of a desktop in an emulated host

SHOWN = "return Boolean(document.querySelector('.viewer-screen canvas') && !document.querySelector('.viewer-cover'))"
# How many points of the desktop's screen have about that colour.
POINTS = """
const canvas = document.querySelector(".viewer-screen canvas");
if (!canvas) return 0;
const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
let points = 0;
for (let i = 0; i < data.length; i += 4)
    if ([...arguments].every((wanted, of) => Math.abs(data[i + of] - wanted) < 12)) points++;
return points;
"""
# Different colours on the screen: a desktop with its wallpaper has many, firmware and consoles have few.
COLOURS = """
const canvas = document.querySelector(".viewer-screen canvas");
if (!canvas) return 0;
const data = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
return new Set(data.filter((_, i) => i % 7 === 0)).size;
"""


class Failed(RuntimeError):
    """A desktop is not what it should be."""


def wait(condition, what, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.5)


def paint(colour):
    """What a shell is told to make its terminal all of a colour: by keys that need no shift, which chromedriver presses for none."""
    return f"printf '\\e[48;2;{colour[0]};{colour[1]};{colour[2]}m'; clear; sleep 999\n"


def type_in_browser(page, text):
    page.run("document.querySelector('.viewer-screen').focus()")
    for character in text:  # at a person's pace: an emulated guest sleeps longer than its keyboard remembers
        ActionChains(page.driver).send_keys(character).perform()
        time.sleep(0.15)


def work_in_browser(page, shot):
    """A terminal is opened and painted, by keys alone."""
    page.run("document.querySelector('.viewer-screen').focus()")
    ActionChains(page.driver).key_down(Keys.CONTROL).key_down(Keys.ALT).send_keys("t").key_up(Keys.ALT).key_up(Keys.CONTROL).perform()
    time.sleep(15)  # the shell's first word: nothing in the desktop tells us
    shot("terminal")
    type_in_browser(page, paint(PINK).replace("\n", Keys.ENTER))
    wait(lambda: page.run(POINTS, *PINK) > 20_000, "what was typed in the browser on the desktop's screen", 60)
    shot("typed-in-browser")


@contextlib.contextmanager
def screen(folder):
    """An X server without a screen, for a viewer."""
    read, write = os.pipe()
    server = process.spawn(["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x860x24", "-nolisten", "tcp"],
                           folder / "xvfb.log", pass_fds=[write])
    os.close(write)
    try:
        with os.fdopen(read) as said:
            yield {**os.environ, "DISPLAY": f":{said.readline().strip()}", "NO_AT_BRIDGE": "1"}
    finally:
        process.end(server)


def points_in_picture(path, colour):
    import numpy
    from PIL import Image

    with Image.open(path) as picture:
        return int((abs(numpy.asarray(picture.convert("RGB")).astype(int) - colour) < 12).all(axis=2).sum())


def work_in_viewer(vv, out):
    """The same with remote-viewer: the terminal that is there still is painted in another colour."""
    with screen(out) as environment:
        viewer = process.spawn(["remote-viewer", "--full-screen", vv], out / "remote-viewer.log", env=environment)
        try:
            def shot(name="typed-in-viewer"):
                path = out / f"{name}.png"
                subprocess.run(["import", "-window", "root", path], env=environment, check=True, timeout=60)
                return path

            wait(lambda: points_in_picture(shot(), PINK) > 20_000 or viewer.poll() is not None,
                 "the desktop in remote-viewer", 90)
            if viewer.poll() is not None:
                raise Failed(f"remote-viewer ended: {(out / 'remote-viewer.log').read_text()}")
            tell = ["xdotool", "key", "--clearmodifiers", "ctrl+c"]
            subprocess.run(tell, env=environment, check=True, timeout=60)
            time.sleep(2)
            subprocess.run(["xdotool", "type", "--delay", "120", paint(GREEN)], env=environment, check=True, timeout=120)
            wait(lambda: points_in_picture(shot(), GREEN) > 20_000, "what was typed in remote-viewer on the desktop's screen", 60)
        finally:
            process.end(viewer)


def all_the_way(host, out, step):
    office_page.OUT = out
    out.mkdir(parents=True, exist_ok=True)
    driver = office_page.start_chromium()
    page = office_page.Page(driver, host.url)
    try:
        page.open()
        with step("an administrator makes a pool and gives it to a user"):
            page.sign_in("admin", host.first_password)
            page.until("return document.querySelector('.top')", what="the page behind the door")
            page.make_pool("Office desktops", "Debian desktop", 5)
            page.make_user("anna", PASSWORD)
            page.give_pool("anna", "Office desktops")
            page.shot("given")
            page.menu("Your account", "Sign out")
        with step("the user's desktop, from the click to its panel"):
            page.sign_in("anna", PASSWORD)
            page.press("Get a desktop of Office desktops")
            wait(lambda: page.run(SHOWN), "the desktop's first picture", BOOT_SECONDS)
            page.shot("starting")
            wait(lambda: page.run(COLOURS) > 300, "the desktop's wallpaper", BOOT_SECONDS)
            time.sleep(10)  # the panel and the keyboard's bindings come behind the wallpaper
            page.shot("desktop")
        with step("the user works in the browser"):
            work_in_browser(page, page.shot)
        page.press("Back")
        page.sees("On")
        page.shot("my-desktops")
        with step("the user works with remote-viewer"):
            work_in_viewer(fetch_vv(page, out), out)
        page.menu("Your account", "Sign out")
        page.sign_in("admin", host.first_password)
        page.go("overview")
        page.sees("Office desktops 1")
        page.settle()
        page.shot("overview")
        rooms.say(f"pictures: {', '.join(str(out / f'{name}.png') for name in ('overview', 'desktop', 'typed-in-browser', 'typed-in-viewer'))}")
    except Exception:
        page.shot("failed")
        raise
    finally:
        driver.quit()


def fetch_vv(page, out):
    """The file that the page's menu offers, as the browser would save it."""
    page.press("More for")
    address = page.until("return [...document.querySelectorAll('[role=menuitem]')].find((one) => one.innerText.includes('viewer'))?.href",
                         what="the file for a viewer")
    text = page.driver.execute_async_script(
        "const done = arguments[1]; fetch(arguments[0]).then((answer) => answer.text()).then(done, (e) => done(String(e)))", address)
    if not text.startswith("[virt-viewer]"):
        raise Failed(f"the file for a viewer is none: {text[:300]}")
    path = out / "desktop.vv"
    path.write_text(text.replace("delete-this-file=1", "delete-this-file=0"))
    return path
