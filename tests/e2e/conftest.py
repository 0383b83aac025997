# SPDX-License-Identifier: Apache-2.0
"""
Fixtures of the end-to-end tests: one host and one desktop in it for the whole run.

A test gets the desktop running and usable; one that ends it is marked `ends_desktop` and comes last, since a new one takes
minutes to boot in an emulated host; just before it come those marked `changes_desktop`. Those marked `monitors(N)` have a
desktop of their own. Tests that want no desktop come first, before there is one. With --keep the state after the first boot is
kept in the cache for the next run with the same carrel-vmm, for those who work on the tests.
"""

import base64
import gzip
import hashlib
import os
import pathlib
import subprocess
import sys
import time
import zlib

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from rig import process, rooms, spice_client, vmm  # noqa: E402
from rig.desktop import Desktop  # noqa: E402
from rig.stick import Stick  # noqa: E402

# A data disk whose host storage can be filled up: a sparse image on a small file system of its own.
DATA_FOLDER = "/run/desktop/data"
DATA_DISK = f"{DATA_FOLDER}/data.raw"
DATA_MIB = 256
DATA_ROOM_MIB = 64

# A machine of its own to the guest, though it is only one more address of the rig's host.
PEER = "192.0.2.1"
SENT_MIB = 4

# A hub, and behind it an empty CD-ROM drive and a disk; and what tests plug into the host.
USB_FOLDER = "/run/desktop/usb"
USB_DISK_MIB = 8
HOST_STICK = "CARREL-STICK"  # its serial number
USB = f"""[hub hub]
[cdrom drive]
port=hub.3
[disk behind]
bus=usb
port=hub.1
path={USB_FOLDER}/behind.raw
[usb-host stick]
serial={HOST_STICK}
[usb-host gadget]
id=0525:a4a5
[usb-host speaker]
id=46f4:0002
[usb-host microphone]
id=1209:0005
"""

PANEL_COLOUR = (0x0D, 0x26, 0x2C)
TICKET = "until a test sets another"


def pytest_addoption(parser):
    parser.addoption("--vmm", choices=["carrel", "qemu"], default="carrel",
                     help="which VMM runs the desktop; qemu proves the tests themselves")
    parser.addoption("--build", default=os.environ.get("CARREL_BUILD", str(HERE.parents[1] / "build")),
                     help="the Meson build folder")
    parser.addoption("--keep", action="store_true", help="keep the booted desktop for the next run with the same VMM")


def pytest_configure(config):
    config.addinivalue_line("markers", "changes_desktop: the desktop is usable but not the same after this test")
    config.addinivalue_line("markers", "ends_desktop: there is no desktop after this test")
    config.addinivalue_line("markers", "monitors(count): needs a desktop that can have so many")
    process.raise_on_signals()


def monitors_of(item):
    marker = item.get_closest_marker("monitors")
    return marker.args[0] if marker else 1


def pytest_collection_modifyitems(items):
    # First those with a host of their own, while there is no other; then those that want no desktop in it.
    items.sort(key=lambda item: ("room" in item.fixturenames, "desktop" in item.fixturenames, monitors_of(item),
                                 item.get_closest_marker("ends_desktop") is not None,
                                 item.get_closest_marker("changes_desktop") is not None))


@pytest.fixture(scope="session")
def out():
    folder = pathlib.Path(os.environ.get("CARREL_OUT", HERE.parent / "out")) / "e2e"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Room:
    """The host, and the desktop in it."""

    tests = HERE.parent  # where the package rig lies

    def __init__(self, chosen, build, keep, logs, monitors):
        self.vmm, self.build, self._logs = chosen, pathlib.Path(build), logs
        chosen.usb = USB
        self.desktop = None
        kept = rooms.kept(f"e2e-{chosen.name}-{monitors}", chosen.key(), self._program())
        if keep and kept.exists():
            self.host = rooms.restore(kept)
            self.desktop = self._new_desktop(monitors)
            self.desktop.move(self.host)
            return
        self.host = rooms.host()
        try:
            self.vmm.install(self.host)
            if keep:
                self._boot(monitors)
                self.desktop.agent.close()
                self.host = rooms.keep(kept, self.host)
                self.desktop.move(self.host)
        except BaseException:
            self.close()
            raise

    def close(self):
        """Ends it all; what the host and the desktop have to say is kept."""
        if self.desktop:
            self.desktop.logs(self._logs)
        self.host.logs(self._logs)
        self.host.close()

    def _program(self):
        """desk-screen, in a form that fits on a command line."""
        program = (self.build / "tests/e2e/desk-screen").read_bytes()
        return base64.b64encode(gzip.compress(program, mtime=0)).decode()

    def _new_desktop(self, monitors):
        return Desktop(self.host, self.vmm, rooms.images()[1].cmdline, data_disk=DATA_DISK, ticket=TICKET, network=True,
                       tpm=True, monitors=monitors, emulated=rooms.chosen_accelerator().emulated)

    def _boot(self, monitors):
        started = time.monotonic()
        self.host.run(f"mkdir -p {DATA_FOLDER}; mountpoint -q {DATA_FOLDER} || "
                      f"mount -t tmpfs -o size={DATA_ROOM_MIB}M tmpfs {DATA_FOLDER}; truncate -s {DATA_MIB}M {DATA_DISK}; "
                      f"chmod 0777 {DATA_FOLDER} {DATA_DISK}; mkdir -p {USB_FOLDER};"
                      f" truncate -s {USB_DISK_MIB}M {USB_FOLDER}/behind.raw")
        self.desktop = desktop = self._new_desktop(monitors)
        desktop.boot()
        rooms.say(f"desktop usable after {time.monotonic() - started:.0f} s")
        desktop.run(f"base64 -d <<<{self._program()} | gzip -d >/usr/local/bin/desk-screen; "
                    "chmod +x /usr/local/bin/desk-screen", "root")

    def running_desktop(self, monitors):
        """The desktop, booted when the first test wants it, and anew when one ended it or needs another."""
        if self.desktop and (self.desktop.monitors != monitors or not self.desktop.alive()):
            self.desktop.end()
            self.desktop = None
        if not self.desktop:
            self._boot(monitors)
        return self.desktop


@pytest.fixture(scope="session")
def room(request, out):
    chosen = vmm.ADAPTERS[request.config.getoption("--vmm")](request.config.getoption("--build"))
    room = Room(chosen, request.config.getoption("--build"), request.config.getoption("--keep"), out / "logs",
                monitors_of(request.session.items[0]))
    yield room
    room.close()


@pytest.fixture
def desktop(room, request):
    """A running, usable desktop, with nothing of an earlier test on its screen."""
    desktop = room.running_desktop(monitors_of(request.node))
    try:
        desktop.run("pkill desk-screen; pkill lxterminal; pkill xterm; true")
    except RuntimeError as error:  # one test fails of it, and the next gets another desktop
        said = desktop.console()[-2000:]
        try:
            desktop.look_into_silence()
        finally:
            desktop.end()
        raise RuntimeError(f"the desktop does not answer any more: {error}\nits console ends:\n{said}") from None
    return desktop


def connect(desktop, **more):
    """A SPICE client that sees the desktop; usable as a context manager."""
    return spice_client.Client(desktop.spice_port, password=desktop.ticket, **more).wait_for_picture()


@pytest.fixture
def client(desktop):
    """A SPICE client that sees the desktop."""
    with connect(desktop) as client:
        yield client


def crc(picture):
    """What desk-screen prints of the same picture."""
    return f"{zlib.crc32(picture.tobytes()):08x}"


def panel_is_shown(client):
    """At the bottom of the screen, in its colour."""
    frame = client.frame()
    return tuple(frame[-20, frame.shape[1] // 2]) == PANEL_COLOUR


class Screen:
    """desk-screen at work in the desktop."""

    LOG = "/tmp/desk-screen.log"

    def __init__(self, desktop, *words):
        self._desktop = desktop
        desktop.run(f"pkill desk-screen; rm -f {self.LOG}; desk-screen {' '.join(words)} >{self.LOG} 2>&1 & "
                    f"until [ -s {self.LOG} ]; do sleep 0.1; done")

    def lines(self):
        return self._desktop.run(f"cat {self.LOG}").splitlines()

    def drawn(self):
        """Of a pattern: its size and the guest's own checksum of it."""
        word, width, height, checksum = self.lines()[-1].split()
        assert word == "drawn"
        return (int(width), int(height)), checksum

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


def usb_drive(kind):
    """A shell command that waits for a drive on USB ("disk" or "rom", with a medium) that is not emulated here, and prints its node."""
    ours = "/Carrel +(Disk|CD-ROM)/"
    found = f"$(lsblk -dpno NAME,TYPE,TRAN,VENDOR,MODEL | awk '$2 == \"{kind}\" && $3 == \"usb\" && !{ours} {{print $1; exit}}')"
    return f"for i in $(seq 300); do DRIVE={found}; [ -n \"$DRIVE\" ] && echo $DRIVE && break; sleep 0.2; done; [ -n \"$DRIVE\" ]"


def without_drive(node):
    """A shell command that waits until it is gone."""
    return f"for i in $(seq 300); do [ -b {node} ] || break; sleep 0.2; done; [ ! -b {node} ]"


class HostStick(Stick):
    """With the file "data" on it. checksum: that file's, SHA-256."""

    checksum = None

    def checksum_in(self, desktop):
        """As the desktop reads it; waits until it is there."""
        return desktop.run(f"{usb_drive('disk')} && mount -o ro $DRIVE /mnt && sha256sum </mnt/data; umount /mnt", "root",
                           timeout=120).split()[-2]


@pytest.fixture
def host_stick(room, tmp_path):
    """For a port of the host: not plugged in yet, out at the end."""
    content = os.urandom(2 << 20)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "data").write_bytes(content)
    image = tmp_path / "stick.raw"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tmp_path / "files", image, "8M"], check=True)
    stick = HostStick(room.host.machine, image, HOST_STICK)
    stick.checksum = hashlib.sha256(content).hexdigest()
    yield stick
    stick.pull()


@pytest.fixture
def echo(room):
    """echo(desktop) sends bytes to a TCP service beyond the desktop's host, and has them all back."""
    size = SENT_MIB << 20

    def exchange(desktop):
        sent, received = desktop.run(f"head -c {size} /dev/urandom >/tmp/sent; exec 3<>/dev/tcp/{PEER}/7;"
                                     f"cat /tmp/sent >&3 & head -c {size} <&3 | sha256sum; sha256sum </tmp/sent;"
                                     " rm /tmp/sent").splitlines()
        assert sent == received

    room.host.run(f"ip address replace {PEER}/32 dev lo; systemd-run --quiet --unit=echo --collect socat"
                  f" TCP-LISTEN:7,bind={PEER},reuseaddr,fork EXEC:cat")
    yield exchange
    room.host.run(f"systemctl stop echo; ip address delete {PEER}/32 dev lo")


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
