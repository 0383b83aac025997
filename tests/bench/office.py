# SPDX-License-Identifier: Apache-2.0
"""
The figures of a whole host: a real carreld in a folder of its own, called over its socket. There is no QEMU beside it.

A measurement gets the folder, and returns {figure name: samples}.
"""
import os
import pathlib
import sys
import time
import uuid

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "office"))

from carreld import Carreld  # noqa: E402
from host import GLib, u  # noqa: E402

MS, MIB = 1e3, 1 << 20
DESKTOPS, STARTED = 100, 20
HOUSE_DESKTOPS, HOUSE_USERS, READS = 10_000, 5_000, 500


class Host:
    """A daemon that has the echo disk as an image."""

    def __init__(self, folder):
        self.daemon = Carreld(folder)

    def __enter__(self):
        self.console = self.daemon.start().console()
        return self

    def __exit__(self, *_):
        self.daemon.end()

    def upload(self):
        echo = (pathlib.Path(os.environ["CARREL_BUILD"]) / "tests/office/echo.raw").read_bytes().ljust(MIB, b"\0")
        image = self.console.make("image", name="Echo", type="disk")
        sink, _ = self.console.Upload(image, len(echo))
        with os.fdopen(sink, "wb") as pipe:
            pipe.write(echo)
        self.until(lambda: self.console.Get("image", image)["state"] == "ready", "the image")
        return {"memory": 32, "vcpus": 1, "firmware": "bios", "disks": [{"type": "disk", "image": image}]}

    def until(self, wanted, what):
        self.console.connection.wait(wanted, what, 120)

    def run(self, desktops):
        """Seconds until all of them run; they are told by events, so nobody asks and is in the way."""
        running = set()
        began = time.perf_counter()
        for desktop in desktops:
            self.later("desktop.want", desktop=desktop, wanted="running")

        def all_run():
            for _, topic, data in self.console.connection.events:
                if topic == "desktop" and data.get("state") == "running":
                    running.add(data["desktop"])
                assert data.get("state") != "failed", data
            self.console.connection.events.clear()
            return running >= set(desktops)
        self.until(all_run, "the last desktop")
        return time.perf_counter() - began

    def later(self, command, answered=lambda answer: None, **values):
        self.console.connection.call_later("Submit", answered, "", str(uuid.uuid4()), command, 0, values)

    def memory(self):
        """Bytes of the daemon's, those it shares with others included."""
        pages = int(pathlib.Path(f"/proc/{self.daemon.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")


def many(folder):
    """100 desktops, 20 of them started at once."""
    with Host(folder) as host:
        machine = host.upload()
        desktops = [host.console.make("desktop", name=f"Desk {i}", **machine) for i in range(DESKTOPS)]
        host.console.Subscribe(0)
        seconds = host.run(desktops[:STARTED])
        for _ in range(5):
            host.console.GetLive(desktops)
            host.console.List("desktop", {})
        return {"office_start_20": [seconds], "office_memory": [host.memory() / MIB]}


def clone(folder):
    """From the order for a new desktop, made from an image, to its VMM's running."""
    with Host(folder) as host:
        machine = host.upload()
        host.console.Subscribe(0)
        samples = []
        for i in range(10):
            desktop = str(uuid.uuid4())
            began = time.perf_counter()
            host.later("desktop.create", desktop=desktop, name=f"Desk {i}", **machine)
            host.run([desktop])
            samples.append((time.perf_counter() - began) * MS)
            host.console.Control(desktop, "stop", {})
            host.until(lambda: host.console.GetLive([desktop]).get(desktop, {}).get("state", "stopped") == "stopped", "its end")
        return {"office_clone": samples}


def fill(host):
    """A house of 5,000 users and 10,000 desktops."""
    answers = []
    orders = [("user.create", {"user": str(uuid.uuid4()), "name": f"user {i}"}) for i in range(HOUSE_USERS)]
    orders += [("desktop.create", {"desktop": str(uuid.uuid4()), "name": f"desk {i}", "memory": 2048, "vcpus": 2})
               for i in range(HOUSE_DESKTOPS)]
    for i, (command, values) in enumerate(orders):
        host.later(command, answers.append, **values)
        if i - len(answers) > 500:
            host.until(lambda: i - len(answers) < 100, "an answer")
    host.until(lambda: len(answers) == len(orders), "the last answer")
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    return [values["desktop"] for command, values in orders if command == "desktop.create"]


def timed(connection, method, *arguments):
    """Milliseconds of one call, without what the caller does with the answer."""
    _, packed = connection._pack(method, arguments)
    began = time.perf_counter()
    connection.bus.call_sync(None, "/org/carrel/Host1", "org.carrel.Host1", method, packed, None, 0, -1, None)
    return (time.perf_counter() - began) * MS


def reads(folder):
    """One caller, one call at a time."""
    with Host(folder) as host:
        desktops = fill(host)
        connection = host.console.connection
        page = [timed(connection, "List", "", "desktop", {"limit": u(100)}) for _ in range(READS)]
        one = [timed(connection, "Get", "", "desktop", desktop) for desktop in desktops[:READS]]
        found = [timed(connection, "List", "", "desktop", {"limit": u(100), "search": f"SK {i}"}) for i in range(READS)]
        while GLib.MainContext.default().iteration(False):
            pass
        return {"office_page": page, "office_thing": one, "office_search": found}
