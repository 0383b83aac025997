# SPDX-License-Identifier: Apache-2.0
"""
The end of image-build/demo: the host, a desktop in it run by carrel-vmm, and what a person (or --smoke) does with it.

usage: image-build/demo [--smoke [--out DIR]]
"""

import argparse
import contextlib
import pathlib
import subprocess
import sys
import threading
import time
import uuid

from . import process, rooms, vmm
from .desktop import ADDRESS, TERMINAL, Desktop
from .image import SOURCE


class Failed(RuntimeError):
    """The desktop is not what it should be."""


@contextlib.contextmanager
def step(label):
    """Shows the seconds going by on a terminal, and at the end how many it took."""
    started = time.monotonic()
    over = threading.Event()

    def show():
        while not over.wait(0.5):
            print(f"\r==> {label} … {time.monotonic() - started:.0f}s ", end="", file=sys.stderr, flush=True)

    ticker = threading.Thread(target=show, daemon=True)
    if sys.stderr.isatty():
        ticker.start()
    try:
        yield
    finally:
        over.set()
        if ticker.is_alive():
            ticker.join()
            print("\r\033[K", end="", file=sys.stderr)
    rooms.say(f"{label}: {time.monotonic() - started:.0f} s")


def furnish(host):
    """A desktop in the host, not yet started: with UEFI and a keyboard and a tablet on USB, as any operating system knows them."""
    emulated = rooms.chosen_accelerator().emulated
    program = vmm.Carrel(SOURCE / "build")
    program.install(host)
    return Desktop(host, program, rooms.images()[1].cmdline, memory_mib=1024 if emulated else 2048,
                   network=True, emulated=emulated, firmware="uefi", usb_input=True)


def see_firmware(desktop, out):
    """The picture before there is an operating system."""
    from . import spice_client

    out.mkdir(parents=True, exist_ok=True)
    with spice_client.Client(desktop.spice_port) as client:
        client.wait_for_picture(60)
        client.wait(lambda: client.size() and client.frame().max() > 128, "the firmware's picture", 60)
        client.screenshot(out / "firmware.png")
    rooms.say("a SPICE client sees the firmware's screen")


def start(desktop, out=None):
    """out: a folder for a picture of the firmware."""
    with step("desktop, from carrel-vmm's start by UEFI to the panel on the screen"):
        desktop.boot((lambda: see_firmware(desktop, out)) if out else None)


def invite(desktop):
    port = desktop.spice_port
    print(f"""
A desktop is running. Its SPICE server is at 127.0.0.1:{port}. To sit down at it:

    remote-viewer spice://127.0.0.1:{port}

Ctrl-Alt-T opens a terminal, the right mouse button a menu. Ctrl-C here ends everything.
""", flush=True)


def sit(host, desktop):
    """Until Ctrl-C, or until the person shuts the desktop down."""
    while host.machine.alive() and desktop.alive():
        time.sleep(2)
    print("The desktop was shut down.", flush=True)


def spicy_screenshot(desktop, path):
    """The picture as a client of its own takes it, written to a PNG file; returns it."""
    from PIL import Image

    raw = path.with_suffix(".ppm")
    raw.unlink(missing_ok=True)
    done = subprocess.run(["spicy-screenshot", "-h", "127.0.0.1", "-p", str(desktop.spice_port), "-o", raw],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    if done.returncode != 0 or not raw.exists():
        raise Failed(f"spicy-screenshot took no picture: {done.stdout}")
    with Image.open(raw) as picture:
        picture = picture.convert("RGB")
    picture.save(path)
    raw.unlink()
    return picture


def try_out(desktop, out):
    """Looks at the desktop, types into a terminal, and asks the guest what it received."""
    from . import spice_client

    out.mkdir(parents=True, exist_ok=True)
    picture = spicy_screenshot(desktop, out / "desktop.png")
    count = len(picture.getcolors(1 << 24))
    if count < 50:
        raise Failed(f"the desktop's picture {out / 'desktop.png'} has {count} colours: there is no wallpaper on it")
    rooms.say(f"spicy-screenshot sees a desktop of {picture.width}x{picture.height}")

    word = uuid.uuid4().hex[:8]
    with spice_client.Client(desktop.spice_port) as client:
        client.wait_for_picture()
        client.chord("ctrl", "alt", "t")
        desktop.run(TERMINAL, timeout=120)
        client.type(f"echo {word}-$((6 * 7)) | tee /tmp/{word}\n")
        received = desktop.run(f"until [ -s /tmp/{word} ]; do sleep 0.2; done; cat /tmp/{word}", timeout=60).strip()
        if received != f"{word}-42":
            raise Failed(f"typed {word}-$((6 * 7)) into a terminal; the guest received '{received}'")
        time.sleep(1)  # for the picture's sake: the shell's answer is drawn
    spicy_screenshot(desktop, out / "terminal.png")
    rooms.say("the guest received what was typed into its terminal")
    rooms.say(f"its network address is {desktop.run(ADDRESS).strip()}")
    rooms.say(f"pictures: {out / 'firmware.png'} {out / 'desktop.png'} {out / 'terminal.png'}")


def main():
    parser = argparse.ArgumentParser(prog="image-build/demo")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--out", type=pathlib.Path, default=SOURCE / "tests/out/demo")
    options = parser.parse_args()
    process.raise_on_signals()
    with rooms.host(outside=not options.smoke) as host:
        desktop = furnish(host)
        try:
            start(desktop, options.out if options.smoke else None)
            if options.smoke:
                try_out(desktop, options.out)
            else:
                invite(desktop)
                sit(host, desktop)
            desktop.end()
        except Exception:
            desktop.logs(options.out / "logs")
            host.logs(options.out / "logs")
            rooms.say(f"what the host and the desktop said is in {options.out / 'logs'}")
            raise
    return 0


try:
    sys.exit(main())
except KeyboardInterrupt:
    print("\nEverything is ended.", file=sys.stderr)
    sys.exit(130)
except (Failed, RuntimeError, subprocess.SubprocessError) as error:
    print(f"carrel: {error}", file=sys.stderr)
    sys.exit(1)
