# SPDX-License-Identifier: Apache-2.0
"""Every verb of carrel-vmm ctl against a live guest, and the descriptors that may be inherited instead of opened."""

import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time

import numpy
import pytest
import spice
from behaviour import SOON, wait_until
from load import BLOCK, SLOTS, alive
from PIL import Image


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.raw"
    with open(path, "wb") as file:
        file.truncate(SLOTS * BLOCK)
    return path


@pytest.fixture
def groups(bench, tmp_path, disk):
    return bench.groups("load", f"slots={SLOTS} gpu=1 port=test memory=1", disk_a={"path": disk},
                        port_test={"socket": tmp_path / "port"}, display={"scanouts": 2}, desktop={"vcpus": 2, "balloon": True},
                        spice={"socket": tmp_path / "spice"}, input={"keyboard": True})


@pytest.fixture
def desktop(bench, groups):
    desktop = bench.start(groups)
    desktop.wait_printed(b"alive 2 ")
    return desktop


def reports(desktop):
    """(number, all writes before are stable, kvmclock in ns) of every line."""
    return [tuple(map(int, found)) for found in
            re.findall(rb"^alive (\d+) written (\d+) at (\d+)\r?\n", desktop.printed(), re.M)]


def stats(desktop):
    return {name: int(value) for name, value in (line.split() for line in desktop.do("stats").splitlines())}


def refused(desktop, *verb, says, **more):
    done = desktop.ctl(*verb, **more)
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(r"carrel-vmm: [^\n]+\n", done.stderr) and re.search(says, done.stderr), done.stderr
    assert desktop.state() == "running"


class Watch:
    """carrel-vmm ctl watch, and what it has said so far."""

    def __init__(self, desktop):
        self.process = subprocess.Popen([desktop.program, "ctl", desktop.control, "watch"], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ""
        self.wait("state ")

    def lines(self):
        self.text += (self.process.stdout.read() or b"").decode()
        return self.text.splitlines()

    def wait(self, start):
        """Takes the lines up to one that begins so, and returns it."""
        wait_until(lambda: any(line.startswith(start) for line in self.lines()), f"a line {start!r} in {self.text!r}")
        lines = self.lines()
        at = next(i for i, line in enumerate(lines) if line.startswith(start))
        self.text = "".join(line + "\n" for line in lines[at + 1:])
        return lines[at]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def watch():
    made = []

    def start(desktop):
        made.append(Watch(desktop))
        return made[-1]

    yield start
    for one in made:
        one.end()


def test_status(desktop):
    text = desktop.do("status")
    assert re.fullmatch(r"name:    test\nuuid:    [0-9a-f-]{36}\nstate:   running\nclients: 0\nagent:   (none|there)\n"
                        r"version: [0-9.]+\n", text), text


def test_statistics(desktop, tmp_path):
    first = stats(desktop)
    for name in ("vcpu0.exits.memory-write", "vcpu1.exits.kick", "a.reads", "a.writes", "a.read-bytes", "a.write-bytes", "a.flushes",
                 "a.discards", "a.errors", "a.in-flight", "a.parked", "display0.frames", "display0.damaged-pixels",
                 "display1.frames", "gpu0.control-commands", "gpu0.resources", "spice.clients", "memory.bytes",
                 "memory.balloon-bytes"):
        assert name in first, name
    before = alive(desktop)
    wait_until(lambda: alive(desktop) > before + 5, "more life")
    second = stats(desktop)
    assert all(second[name] >= first[name] for name in first if not name.endswith(("in-flight", "parked")))
    for name in "vcpu0.exits.port-write", "a.writes", "a.write-bytes", "a.flushes":
        assert second[name] > first[name], name
    assert second["a.write-bytes"] == second["a.writes"] * BLOCK
    assert second["display0.frames"] == 1 and second["display0.damaged-pixels"] == 320 * 200
    assert second["display1.frames"] == 0
    assert second["gpu0.resources"] == 1 and second["gpu0.failed-commands"] == 0
    assert second["memory.bytes"] == 32 << 20 and second["a.errors"] == second["a.parked"] == 0
    assert 0 <= second["a.in-flight"] <= 12


def test_watch(desktop, watch, tmp_path):
    desktop.do("ticket", input="secret\n")
    seen = watch(desktop)
    also = watch(desktop)
    desktop.do("pause")
    desktop.do("resume")
    for one in seen, also:
        assert one.wait("state paused") == "state paused user"
        assert one.wait("state") == "state running"
    client = spice.Channel(tmp_path / "spice", spice.MAIN, ticket="secret")
    number = re.fullmatch(r"client (\d+) connected (.*)", seen.wait("client "))[1]
    wait_until(lambda: "clients: 1" in desktop.do("status"), "a client in the status")
    client.close()
    assert re.fullmatch(rf"client {number} disconnected .*", seen.wait("client "))
    again = spice.Channel(tmp_path / "spice", spice.MAIN, ticket="secret")
    assert re.fullmatch(r"client (\d+) connected .*", seen.wait("client "))[1] != number
    desktop.do("stop")
    assert desktop.wait() == 0
    assert seen.wait("state stopped") == "state stopped: stopped over the control socket"
    assert seen.process.wait(SOON) == 0
    again.close()


def test_pause_and_resume(desktop):
    desktop.do("pause")
    assert desktop.state() == "paused (user)"
    time.sleep(0.05)  # what the serial port still had to say
    still = desktop.printed(), {name: value for name, value in stats(desktop).items() if "exits" in name or name.startswith("a.")}
    desktop.do("pause")
    time.sleep(0.3)
    assert desktop.printed() == still[0]
    now = stats(desktop)
    assert {name: now[name] for name in still[1]} == still[1]
    desktop.do("resume")
    before = alive(desktop)
    wait_until(lambda: alive(desktop) > before + 2, "life after the pause")
    desktop.do("resume")
    assert desktop.state() == "running"
    numbers, _, clock = zip(*reports(desktop))
    assert list(numbers) == list(range(1, len(numbers) + 1)) and list(clock) == sorted(clock)
    assert max(b - a for a, b in zip(clock, clock[1:])) >= 300e6, "the guest's clock did not see the pause"
    desktop.type(b"q")
    assert desktop.wait() == 0
    assert b"wrong" not in desktop.printed()


def test_many_pauses(desktop):
    """In quick succession, while everything works; nothing is lost or doubled (load.c looks)."""
    for _ in range(40):
        desktop.do("pause")
        desktop.do("resume")
    before = alive(desktop)
    wait_until(lambda: alive(desktop) > before + 2, "life after the pauses")
    desktop.type(b"q")
    assert desktop.wait() == 0
    assert b"wrong" not in desktop.printed() and b"end " in desktop.printed()


def test_reset(desktop):
    """The guest starts again: its first word comes a second time; also while it is paused."""
    desktop.do("reset")
    wait_until(lambda: desktop.printed().count(b"load on 2") == 2, "a second start")
    before = alive(desktop)
    wait_until(lambda: alive(desktop) > before + 2, "life after the reset")
    desktop.do("pause")
    desktop.do("reset")
    assert desktop.state() == "paused (user)"
    time.sleep(0.1)
    assert desktop.printed().count(b"load on 2") == 2
    desktop.do("resume")
    wait_until(lambda: desktop.printed().count(b"load on 2") == 3, "a third start")
    for _ in range(10):
        desktop.do("reset")
    desktop.do("pause")
    desktop.do("reset")
    before = desktop.printed().count(b"load on 2")  # so that what is seen next is the last start's, and it takes the key
    desktop.do("resume")
    wait_until(lambda: desktop.printed().count(b"load on 2") == before + 1, "the last start")
    wait_until(lambda: b"alive 3 " in desktop.printed().rpartition(b"load on 2")[2], "life after many resets")
    desktop.type(b"q")
    assert desktop.wait() == 0 and b"wrong" not in desktop.printed()


def test_stop(desktop):
    desktop.do("stop")
    assert desktop.wait() == 0 and desktop.said() == ""
    done = desktop.ctl("status")
    assert done.returncode == 1 and "cannot reach the desktop" in done.stderr and done.stderr.count("\n") == 1


def test_power_button(bench):
    """What follows is up to the guest: one that heeds it ends, one that does not goes on."""
    desktop = bench.start(bench.groups("power", "end=button"))
    desktop.wait_printed(b"@ press-power")
    desktop.do("power-button")
    desktop.type(b"\n")
    assert desktop.wait() == 0 and b"not ok" not in desktop.printed()
    deaf = bench.start(bench.groups("idle"))
    deaf.wait_printed(b"idle")
    deaf.do("power-button")
    assert deaf.state() == "running"
    deaf.do("stop")
    assert deaf.wait() == 0


def drawn():
    """What load.c draws: 640 coloured pixels in every seventh place."""
    pixels = numpy.zeros(320 * 200, numpy.uint32)
    i = numpy.arange(640, dtype=numpy.uint64)
    pixels[7 * i] = (i * 0x010305) & 0xFFFFFF
    return numpy.stack([pixels >> 16 & 255, pixels >> 8 & 255, pixels & 255], -1).astype(numpy.uint8).reshape(200, 320, 3)


def test_screenshot(desktop, tmp_path):
    path = tmp_path / "picture.png"
    for _ in range(2):  # over an older one as well
        desktop.do("screenshot", path)
        image = Image.open(path)
        image.load()
        assert image.format == "PNG" and (numpy.asarray(image.convert("RGB")) == drawn()).all()
    assert path.stat().st_mode & 0o777 == 0o600
    desktop.do("pause")
    desktop.do("screenshot", path)
    desktop.do("resume")
    before = sorted(tmp_path.iterdir())
    refused(desktop, "screenshot", path, 2, says="no such monitor")
    refused(desktop, "screenshot", tmp_path / "no" / "folder.png", says="No such file")
    refused(desktop, "screenshot", path, "first", says="monitor: ")
    assert sorted(tmp_path.iterdir()) == before, "something was left behind"
    refused(desktop, "screenshot", path, 1, says="shows nothing now: the guest has not started its display")


def enter(path, ticket):
    try:
        spice.Channel(path, spice.MAIN, ticket=ticket).close()
    except spice.Refused:
        return False
    return True


def picture(path, ticket):
    """A real client: spicy-screenshot takes a picture, or does not."""
    out = path.parent / "client.png"
    out.unlink(missing_ok=True)
    done = subprocess.run(["timeout", "20", "spicy-screenshot", f"--uri=spice+unix://{path}", f"--password={ticket}",
                           f"--out-file={out}"], capture_output=True, text=True)
    return done.returncode == 0 and out.exists() and out.stat().st_size > 0


def test_ticket(desktop, tmp_path):
    path = tmp_path / "spice"
    assert not enter(path, "") and not enter(path, "secret"), "before a ticket was set nobody may enter"
    desktop.do("ticket", input="secret\n")
    assert enter(path, "secret") and not enter(path, "other") and not enter(path, "")
    desktop.do("ticket", 1, input="short\n")
    assert not enter(path, "secret") and enter(path, "short")
    wait_until(lambda: not enter(path, "short"), "the ticket's end")
    desktop.do("ticket", input="again")
    assert enter(path, "again")
    desktop.do("ticket", input="\n")
    assert not enter(path, "again") and not enter(path, "")
    refused(desktop, "ticket", "soon", input="x\n", says="seconds: ")
    refused(desktop, "ticket", input="x" * 100 + "\n", says="ticket|password")


def test_ticket_and_a_real_client(desktop, tmp_path):
    path = tmp_path / "spice"
    assert not picture(path, "wrong")
    desktop.do("ticket", input="secret\n")
    assert picture(path, "secret")
    assert not picture(path, "wrong")


def test_resize(desktop, disk):
    os.truncate(disk, (SLOTS + 100) * BLOCK)
    assert desktop.do("resize", "a") == f"a has {(SLOTS + 100) * BLOCK} bytes\n"
    refused(desktop, "resize", "b", says="no such disk")
    desktop.do("pause")
    assert desktop.do("resize", "a").startswith("a has")


def test_balloon(desktop):
    desktop.do("balloon", 16)
    desktop.do("balloon", 32)
    refused(desktop, "balloon", 64, says="less memory")
    refused(desktop, "balloon", "half", says="MiB: ")
    refused(desktop, "balloon", -1, says="MiB: ")


def test_what_the_desktop_has_not(bench):
    desktop = bench.start(bench.groups("idle"))
    desktop.wait_printed(b"idle")
    refused(desktop, "balloon", 16, says="no balloon")
    refused(desktop, "ticket", input="x\n", says=r"no SPICE server.*\[spice\]")
    refused(desktop, "screenshot", bench.folder / "x.png", says="no such monitor")
    refused(desktop, "resize", "a", says="no such disk")


def watchers(desktop):
    """The processes outside the sandbox that watch for USB devices."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            number, name, state, parent = re.match(r"(\d+) \((.*)\) (\w) (\d+)", stat.read_text()).groups()
        except (OSError, AttributeError):
            continue
        if name == "carrel-usb" and int(parent) == desktop.process.pid and state != "Z":
            found.append(int(number))
    return found


def test_usb(bench):
    """What is plugged in, what is waited for, and what cannot be given."""
    desktop = bench.start(bench.groups("idle", usb={}, **{"usb-host_dongle": {"id": "0529:0001", "port": "1-2.3"}}))
    desktop.wait_printed(b"idle")
    listed = ["port 1: usb-keyboard (keyboard, full speed): Carrel keyboard", "port 2: usb-tablet (tablet, full speed): Carrel tablet"]
    missing = "not there: dongle (host): waits for 0529:0001 at port 1-2.3"
    assert desktop.do("usb").splitlines() == [*listed, missing]
    assert all(re.fullmatch(r"port \d+-[\d.]+: [0-9a-f]{4}:[0-9a-f]{4} \(.* Mbit/s\): .+", line)
               for line in desktop.do("host-usb").splitlines())
    refused(desktop, "attach", "key", "/dev/null", says="/dev/null is not the node of a USB device")
    refused(desktop, "attach", "key", "/dev/bus/usb/none", says="cannot open /dev/bus/usb/none: ")
    refused(desktop, "attach", "key", "id=ffff:0000", says="no device of the host is ffff:0000")
    refused(desktop, "attach", "key", "id=ffff", says="VENDOR:PRODUCT")
    refused(desktop, "attach", "key", "vendor=1", says="say id=")
    refused(desktop, "attach", "key", says="the configuration names no such device")
    refused(desktop, "detach", "key", says="no USB device “key”")
    refused(desktop, "detach", "usb-tablet", says="belongs to the desktop")
    desktop.do("detach", "dongle")
    desktop.do("attach", "dongle")
    assert desktop.do("usb").splitlines() == [*listed, missing]
    desktop.do("stop")
    assert desktop.wait() == 0


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_usb_watcher_ends_with_the_desktop(bench, end):
    desktop = bench.start(bench.groups("idle", usb={}, **{"usb-host_dongle": {"serial": "none has it"}}))
    desktop.wait_printed(b"idle")
    watcher, = watchers(desktop)
    desktop.signal(end)
    desktop.process.wait(SOON)
    wait_until(lambda: not pathlib.Path(f"/proc/{watcher}").exists(), "the watcher's end")


def test_no_watcher_without_need(bench):
    desktop = bench.start(bench.groups("idle", usb={}))
    desktop.wait_printed(b"idle")
    assert not watchers(desktop)
    refused(desktop, "attach", "key", says="the configuration names no such device")


def test_nobody_there(bench, tmp_path):
    for path in tmp_path / "missing", tmp_path:
        done = subprocess.run([bench.program, "ctl", path, "status"], capture_output=True, text=True, timeout=SOON)
        assert done.returncode == 1 and re.fullmatch(r"carrel-vmm: [^\n]*cannot reach the desktop: [^\n]+\n", done.stderr)
    with socket.socket(socket.AF_UNIX) as mute:  # somebody who says nothing
        mute.bind(str(tmp_path / "mute"))
        mute.listen()
        with subprocess.Popen([bench.program, "ctl", tmp_path / "mute", "status"], stderr=subprocess.PIPE, text=True) as process:
            connection, _ = mute.accept()
            connection.close()
            assert process.wait(SOON) == 1 and process.stderr.read().count("\n") == 1


def test_bad_peers(desktop):
    """Garbage, silence and sudden ends on the control socket harm nobody else."""
    peers = []
    for text in b"", b"\0", b"hello\n" * 1000, b"\0AUTH EXTERNAL\r\n", b"\0AUTH ANONYMOUS\r\nBEGIN\r\n" + b"\xff" * 4096:
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(desktop.control))
        peer.sendall(text)
        peers.append(peer)
    assert desktop.state() == "running"
    for peer in peers:
        peer.close()
    for _ in range(30):  # more than may be connected at a time
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(desktop.control))
        peers.append(peer)
    for peer in peers:
        peer.close()
    wait_until(lambda: desktop.ctl("status").returncode == 0, "an answer after the flood")
    before = alive(desktop)
    wait_until(lambda: alive(desktop) > before, "life")


def raw_peer(desktop, descriptors=False):
    """A connection that has shaken hands, without a library."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(SOON)
    peer.connect(str(desktop.control))
    peer.sendall(b"\0AUTH ANONYMOUS\r\n")
    assert peer.recv(4096).startswith(b"OK ")
    if descriptors:
        peer.sendall(b"NEGOTIATE_UNIX_FD\r\n")
        assert peer.recv(4096).startswith(b"AGREE_UNIX_FD")
    peer.sendall(b"BEGIN\r\n")
    return peer


def test_peer_that_does_not_read(desktop):
    """It keeps nobody from ending the desktop."""
    peer = raw_peer(desktop)
    for _ in range(3000):
        peer.sendall(call("GetStatistics"))
    wait_until(lambda: desktop.state() == "running", "an answer for somebody else")
    desktop.signal()
    assert desktop.wait() == 0 and desktop.said() == ""
    peer.close()


def test_silent_peers(desktop):
    """As many as there may be, who connect and say nothing: others are kept waiting for a moment only."""
    silent = []
    for _ in range(16):
        silent.append(socket.socket(socket.AF_UNIX))
        silent[-1].connect(str(desktop.control))
    wait_until(lambda: desktop.ctl("status").returncode == 0, "a place for somebody who speaks")
    for peer in silent:
        peer.close()


@pytest.fixture
def files(tmp_path):
    """Descriptors that neither a picture nor a desktop can be written to, by name."""
    reader, writer = os.pipe()
    (tmp_path / "empty").touch()
    (tmp_path / "full").write_text("precious")
    opened = {"pipe": writer, "pipe-end": reader, "null": os.open("/dev/null", os.O_RDWR), "folder": os.open(tmp_path, os.O_RDONLY),
              "reading": os.open(tmp_path / "empty", os.O_RDONLY), "appending": os.open(tmp_path / "empty", os.O_RDWR | os.O_APPEND),
              "full": os.open(tmp_path / "full", os.O_RDWR)}
    yield opened
    for fd in opened.values():
        os.close(fd)
    assert (tmp_path / "full").read_text() == "precious" and (tmp_path / "empty").read_bytes() == b""


@pytest.mark.parametrize("method, kinds", [
    ("Save", ["pipe", "pipe-end", "null", "folder", "reading", "appending", "full"]),
    ("Screenshot", ["pipe", "pipe-end", "null", "folder", "reading"]),
])
def test_descriptors_of_the_wrong_kind(desktop, files, method, kinds):
    peer = raw_peer(desktop, descriptors=True)
    number = struct.pack("<I", 0)
    signature, body = (b"h", number) if method == "Save" else (b"uh", number * 2)
    peer.sendall(call(method, signature, body))  # a handle of none
    assert not wait_for_reply(peer)
    for kind in kinds:
        socket.send_fds(peer, [call(method, signature, body, 1)], [files[kind]])
        assert not wait_for_reply(peer), kind
        assert desktop.state() == "running"
    before = alive(desktop)
    wait_until(lambda: alive(desktop) > before + 2, "life")
    peer.close()


# ---- inherited descriptors ----

def test_everything_inherited(bench, groups, disk, tmp_path):
    """Kernel, KVM, disk and sockets come as descriptors; started by a user who could open none of them."""
    groups["disk a"] = {"fd": "system"}
    groups["boot"]["kernel-fd"] = "linux"
    del groups["boot"]["kernel"], groups["port test"]
    groups["boot"]["command-line"] = f"slots={SLOTS} gpu=1"
    groups["spice"] = {"fd": "viewers", "no-ticket": True}
    groups["control"] = {"fd": "boss"}
    files = [open("/dev/kvm", "r+b", buffering=0), open(disk, "r+b"), open(bench.guests / "guest-load.elf", "rb")]
    viewers, boss = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    for place, one in (tmp_path / "spice", viewers), (tmp_path / "control", boss):
        one.bind(str(place))
        one.listen()
    named = list(zip(["kvm", "system", "linux", "viewers", "boss"], [one.fileno() for one in [*files, viewers, boss]]))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        script = os.path.join(folder, "carrel-vmm")
        path = os.path.join(folder, "desktop.conf")
        bench.write(groups).replace(path) if os.stat(folder).st_dev == os.stat(tmp_path).st_dev else None
        os.chmod(path, 0o644)
        with open(script, "w") as file:
            file.write(f'#!/bin/sh\nexec setpriv --reuid 65533 --regid 65533 --clear-groups {bench.program} "$@"\n')
        os.chmod(script, 0o755)
        bench.program, real = script, bench.program
        desktop = bench.start(path, fds=named)
        desktop.program = bench.program = real
        for one in [*files, viewers, boss]:
            one.close()
        desktop.wait_printed(b"alive 3 ")
        assert desktop.state() == "running"
        spice.Channel(tmp_path / "spice", spice.MAIN).close()
        desktop.do("screenshot", tmp_path / "x.png")
        desktop.type(b"q")
        assert desktop.wait() == 0, desktop.said()
        assert desktop.said() == ""
    assert (tmp_path / "control").exists(), "a socket that somebody else made is not ours to remove"


def test_connected_control_socket(bench, groups, tmp_path):
    """The supervisor keeps one end of a pair: no path, no other peer."""
    ours, theirs = socket.socketpair()
    groups["control"] = {"fd": "boss"}
    desktop = bench.start(groups, fds=[("boss", theirs.fileno())])
    theirs.close()
    desktop.wait_printed(b"alive 2 ")
    ours.settimeout(SOON)
    ours.sendall(b"\0AUTH ANONYMOUS\r\n")
    assert ours.recv(4096).startswith(b"OK ")
    ours.sendall(b"BEGIN\r\n")
    ours.sendall(call("Pause"))
    assert wait_for_reply(ours)
    time.sleep(0.05)
    before = desktop.printed()
    time.sleep(0.2)
    assert desktop.printed() == before
    ours.sendall(call("Stop"))
    assert desktop.wait() == 0, desktop.said()


def field(code, kind, value):
    """A header field: text, a signature or a number, padded for the next."""
    body = struct.pack("<BBcB", code, 1, kind, 0)
    if kind == b"u":
        body += struct.pack("<I", value)
    else:
        body += (bytes([len(value)]) if kind == b"g" else struct.pack("<I", len(value))) + value + b"\0"
    return body + bytes(-len(body) % 8)


def call(method, signature=b"", body=b"", descriptors=0):
    """A D-Bus method call of the desktop's interface (D-Bus specification, message protocol)."""
    fields = field(1, b"o", b"/org/carrel/Vmm1") + field(2, b"s", b"org.carrel.Vmm1")
    if signature:
        fields += field(8, b"g", signature)
    if descriptors:
        fields += field(9, b"u", descriptors)
    name = method.encode()
    fields += struct.pack("<BBcBI", 3, 1, b"s", 0, len(name)) + name + b"\0"
    return struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), 7, len(fields)) + fields + bytes(-len(fields) % 8) + body


def wait_for_reply(connection):
    """Whether a method's return comes; signals may come before."""
    text = b""
    while True:
        text += connection.recv(65536)
        at = 0
        while len(text) - at >= 16:
            body, _, fields = struct.unpack_from("<III", text, at + 4)
            length = 16 + fields + -fields % 8 + body
            if len(text) - at < length:
                break
            if text[at + 1] in (2, 3):
                return text[at + 1] == 2
            at += length


def test_supervisor_goes(bench, groups):
    """The only peer of a connected control socket hangs up: the desktop goes on."""
    ours, theirs = socket.socketpair()
    groups["control"] = {"fd": "boss"}
    desktop = bench.start(groups, fds=[("boss", theirs.fileno())])
    theirs.close()
    desktop.wait_printed(b"alive 2 ")
    ours.close()
    before = alive(desktop)
    wait_until(lambda: alive(desktop) > before + 3, "life without a supervisor")
    desktop.signal(signal.SIGTERM)
    assert desktop.wait() == 0 and desktop.said() == ""


def test_unused_descriptor_is_told(bench, groups, disk):
    with open(disk, "rb") as spare:
        desktop = bench.start(groups, fds=[("spare", spare.fileno())])
    desktop.wait_printed(b"alive")
    assert desktop.said() == "carrel-vmm: the inherited descriptor “spare” is not used: no key names it\n"
    desktop.signal()
    assert desktop.wait() == 0


def test_silent_agent(desktop):
    """This guest opens every port there is and says nothing on it."""
    wait_until(lambda: "agent:   there" in desktop.do("status"), "the port's being open")
    refused(desktop, "addresses", says="does not answer")


def test_no_agent_in_the_guest(bench):
    """Each verb that asks it says so, and what it may not be asked."""
    desktop = bench.start(bench.groups("load", "memory=1"))
    desktop.wait_printed(b"alive 2 ")
    for verb in ["addresses"], ["set-time"], ["freeze"], ["shut-down"], ["shut-down", "restart"]:
        refused(desktop, *verb, says="no agent runs in the guest")
    refused(desktop, "thaw", says="no file system of the guest is frozen")
    refused(desktop, "freeze", "601", says="from 1 to 600 seconds")
    refused(desktop, "shut-down", "now", says="“now” is not restart")
    assert "agent:   none" in desktop.do("status")


def test_no_port_for_an_agent(bench, groups):
    groups["desktop"]["guest-agent"] = False
    desktop = bench.start(groups)
    desktop.wait_printed(b"alive 2 ")
    refused(desktop, "addresses", says="guest-agent=false")
