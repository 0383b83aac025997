# SPDX-License-Identifier: Apache-2.0
"""
Fixtures of the end-to-end tests: one host and one desktop in it for the whole run.

A test gets the desktop running and usable; one that ends it is marked `ends_desktop` and comes last, since a new one takes
a minute to boot in an emulated host. With --keep the state after boot is kept in the cache for the next run with the same
carrel-vmm, for those who work on the tests.
"""

import base64
import gzip
import os
import pathlib
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from rig import process, rooms, spice_client, vmm  # noqa: E402
from rig.desktop import Desktop  # noqa: E402

# A data disk whose host storage can be filled up: a sparse image on a small file system of its own.
DATA_FOLDER = "/run/desktop/data"
DATA_DISK = f"{DATA_FOLDER}/data.raw"
DATA_MIB = 256
DATA_ROOM_MIB = 64


def pytest_addoption(parser):
    parser.addoption("--vmm", choices=["carrel", "qemu"], default="carrel",
                     help="which VMM runs the desktop; qemu proves the tests themselves")
    parser.addoption("--build", default=os.environ.get("CARREL_BUILD", str(HERE.parents[1] / "build")),
                     help="the Meson build folder")
    parser.addoption("--keep", action="store_true", help="keep the booted desktop for the next run with the same VMM")


def pytest_configure(config):
    config.addinivalue_line("markers", "ends_desktop: the desktop does not live on after this test")
    process.raise_on_signals()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("ends_desktop") is not None)


@pytest.fixture(scope="session")
def out():
    folder = pathlib.Path(os.environ.get("CARREL_OUT", HERE.parent / "out")) / "e2e"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Room:
    """The host, and the desktop in it."""

    tests = HERE.parent  # where the package rig lies

    def __init__(self, chosen, build, keep):
        self.vmm, self.build = chosen, pathlib.Path(build)
        kept = rooms.kept(f"e2e-{chosen.name}", chosen.key(), self._program())
        if keep and kept.exists():
            self.host = rooms.restore(kept)
            self.desktop = self._new_desktop()
            self.desktop.move(self.host)
            return
        self.host = rooms.host()
        try:
            self.vmm.install(self.host)
            self.desktop = self._boot()
            if keep:
                self.desktop.agent.close()
                self.host = rooms.keep(kept, self.host)
                self.desktop.move(self.host)
        except BaseException:
            self.host.logs(pathlib.Path(os.environ.get("CARREL_OUT", HERE.parent / "out")) / "e2e" / "logs")
            self.host.close()
            raise

    def _program(self):
        """desk-screen, in a form that fits on a command line."""
        program = (self.build / "tests/e2e/desk-screen").read_bytes()
        return base64.b64encode(gzip.compress(program, mtime=0)).decode()

    def _new_desktop(self):
        return Desktop(self.host, self.vmm, rooms.images()[1].cmdline, data_disk=DATA_DISK,
                       emulated=rooms.chosen_accelerator().emulated)

    def _boot(self):
        started = time.monotonic()
        self.host.run(f"mkdir -p {DATA_FOLDER}; mountpoint -q {DATA_FOLDER} || "
                      f"mount -t tmpfs -o size={DATA_ROOM_MIB}M tmpfs {DATA_FOLDER}; truncate -s {DATA_MIB}M {DATA_DISK}; "
                      f"chmod 0777 {DATA_FOLDER} {DATA_DISK}")
        desktop = self._new_desktop()
        desktop.start()
        desktop.wait_until_usable()
        rooms.say(f"desktop usable after {time.monotonic() - started:.0f} s")
        desktop.run(f"base64 -d <<<{self._program()} | gzip -d >/usr/local/bin/desk-screen; "
                    "chmod +x /usr/local/bin/desk-screen", "root")
        return desktop

    def running_desktop(self):
        """The desktop, booted anew when a test ended it."""
        if not self.desktop.alive():
            self.desktop.end()
            self.desktop = self._boot()
        return self.desktop


@pytest.fixture(scope="session")
def room(request, out):
    chosen = vmm.ADAPTERS[request.config.getoption("--vmm")](request.config.getoption("--build"))
    room = Room(chosen, request.config.getoption("--build"), request.config.getoption("--keep"))
    yield room
    room.host.logs(out / "logs")
    room.host.close()


@pytest.fixture
def desktop(room):
    """A running, usable desktop, with nothing of an earlier test on its screen."""
    desktop = room.running_desktop()
    desktop.run("pkill desk-screen; pkill lxterminal; pkill xterm; true")
    return desktop


@pytest.fixture
def client(desktop):
    """A SPICE client that sees the desktop."""
    with spice_client.Client(desktop.spice_port) as client:
        yield client.wait_for_picture()


class Screen:
    """desk-screen at work in the desktop."""

    LOG = "/tmp/desk-screen.log"

    def __init__(self, desktop, *words):
        self._desktop = desktop
        desktop.run(f"pkill desk-screen; rm -f {self.LOG}; desk-screen {' '.join(words)} >{self.LOG} 2>&1 & "
                    f"until [ -s {self.LOG} ]; do sleep 0.1; done")

    def lines(self):
        return self._desktop.run(f"cat {self.LOG}").splitlines()

    def wait_for(self, *wanted, timeout=30):
        """Waits until all these lines were printed."""
        deadline = time.monotonic() + timeout
        while missing := [line for line in wanted if line not in (lines := self.lines())]:
            assert time.monotonic() < deadline, f"{missing} did not come; what came: {lines[-40:]}"
            time.sleep(0.2)


@pytest.fixture
def screen(desktop):
    """screen("pattern", "7") starts desk-screen in the desktop; it ends with the test."""
    yield lambda *words: Screen(desktop, *words)
    if desktop.alive():
        desktop.run("pkill desk-screen; true")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """After a failure: what the client saw."""
    outcome = yield
    report = outcome.get_result()
    client = getattr(item, "funcargs", {}).get("client")
    if report.when == "call" and report.failed and client is not None and client.size():
        folder = item.funcargs["out"] if "out" in item.funcargs else HERE.parent / "out" / "e2e"
        folder.mkdir(parents=True, exist_ok=True)
        client.screenshot(folder / f"failed-{item.name}.png")
