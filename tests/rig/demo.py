# SPDX-License-Identifier: Apache-2.0
"""
The end of image-build/demo: a whole host of Carrel, and what an administrator and a user (or --smoke) do with it.

usage: image-build/demo [--smoke [--out DIR]]
"""

import argparse
import contextlib
import pathlib
import subprocess
import sys
import threading
import time

from . import office, process, rooms
from .image import SOURCE

PORT = 8443  # where the host is found, if nobody else is there


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


def invite(host):
    print(f"""
Carrel is running. Its page is at

    {host.url}/

and the administrator's first sign-in is

    name      admin
    password  {host.first_password}

The browser will say that it does not know who made the certificate: the host did, itself. There is a template, "Debian
desktop": make a pool from it, give the pool to a user, and sign in as that user. Ctrl-C here ends everything.
""", flush=True)


def sit(host):
    """Until Ctrl-C."""
    while host.host.machine.alive():
        time.sleep(2)
    print("The host has ended.", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="image-build/demo")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--out", type=pathlib.Path, default=SOURCE / "tests/out/demo")
    options = parser.parse_args()
    process.raise_on_signals()
    with contextlib.ExitStack() as stack:
        with step("a host of Carrel, with a template in it"):
            host = stack.enter_context(office.office(SOURCE / "build", options.out / "logs", not options.smoke, PORT))
        try:
            if options.smoke:
                from . import smoke  # Chromium is loaded for nobody else

                smoke.all_the_way(host, options.out, step)
            else:
                invite(host)
                sit(host)
        except Exception:
            host.host.logs(options.out / "logs")
            rooms.say(f"what the host and its desktops said is in {options.out / 'logs'}")
            raise
    return 0


try:
    sys.exit(main())
except KeyboardInterrupt:
    print("\nEverything is ended.", file=sys.stderr)
    sys.exit(130)
except (AssertionError, RuntimeError, subprocess.SubprocessError) as error:
    print(f"carrel: {error}", file=sys.stderr)
    sys.exit(1)
