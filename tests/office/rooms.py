# SPDX-License-Identifier: Apache-2.0
"""
appliance/desktops without the daemon: a Rooms is a desktops-host (desktops-host.c says what it takes and prints) in a folder, with
rows like the store's, and the disks of its desktops made of the echo disk.
"""
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("CARREL_BUILD", HERE.parents[1] / "build"))
ECHO = BUILD / "tests/office/echo.raw"
SOON = 60  # seconds; SeaBIOS takes some of them on a slow KVM


class Failure(AssertionError):
    pass


def variant(value):
    """As GVariant's text format, with the types that the store's rows have."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"int64 {value}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "@aa{sv} [" + ", ".join(variant(one) for one in value) + "]"
    return "@a{sv} {" + ", ".join(f"'{key}': <{variant(one)}>" for key, one in value.items()) + "}"


class Rooms:
    def __init__(self, folder, *settings):
        self.folder, self.settings = folder, settings
        folder.mkdir(exist_ok=True)
        self.process = None
        self.lines = []
        self.states = {}  # desktop → the last that was told
        self.rows = {}
        self.start()

    # ---- the program ----

    def start(self, tell=True):
        self.pending = b""
        self.process = subprocess.Popen(
            [BUILD / "tests/office/desktops-host", self.folder, BUILD / "carrel-vmm", *self.settings],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.folder / "log", "ab"))
        self.wait("ready")
        if tell:
            self.tell()

    def tell(self):
        for (kind, name), row in self.rows.items():
            self.say(f"thing {kind} {name} {variant(row)}")
        self.say("look")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.states.clear()

    def end(self):
        """In order; desktops run on."""
        self.say("end")
        self.wait("ended")
        assert self.process.wait(SOON) == 0

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def _read(self, deadline):
        while b"\n" not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return None
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Failure(f"desktops-host ended:\n{self.story()}")
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        text = line.decode()
        self.lines.append(text)
        self._note(text)
        return text

    def _note(self, line):
        words = line.split(" ", 2)
        if words[0] == "change" and "'state'" in words[2]:
            self.states[words[1]] = words[2].split("'state': <'")[1].split("'")[0]
        if words[0] != "submit" or "'desktop': <'" not in words[2]:
            return
        name = words[2].split("'desktop': <'")[1].split("'")[0]
        if words[1] == "desktop.want":
            self.rows["desktop", name]["wanted"] = words[2].split("'wanted': <'")[1].split("'")[0]
        elif words[1] == "desktop.create":
            self.rows["desktop", name] = {"name": words[2].split("'name': <'")[1].split("'")[0], "wanted": "stopped"}
        elif words[1] == "desktop.delete":
            del self.rows["desktop", name]

    def story(self):
        logs = "".join(f"--- {log}\n{log.read_text(errors='replace')}" for log in self.folder.glob("run/*/log"))
        return "\n".join(self.lines[-40:]) + "\n" + (self.folder / "log").read_text(errors="replace")[-4000:] + logs

    def wait(self, beginning, timeout=SOON):
        """The next line that begins so, without that."""
        deadline = time.monotonic() + timeout
        while (line := self._read(deadline)) is not None:
            if line.split(" ")[:len(beginning.split(" "))] == beginning.split(" "):
                return line[len(beginning):].strip()
        raise Failure(f"no “{beginning}” within {timeout} s:\n{self.story()}")

    def wait_state(self, desktop, *states, timeout=SOON):
        deadline = time.monotonic() + timeout
        while self.states.get(desktop) not in states:
            if self._read(deadline) is None:
                raise Failure(f"{desktop} is {self.states.get(desktop)}, not {states}:\n{self.story()}")
        return self.states[desktop]

    # ---- rows ----

    def thing(self, kind, name, row):
        self.rows[kind, name] = row
        self.say(f"thing {kind} {name} {variant(row)}")

    def look(self, kind, name):
        self.say(f"look {kind} {name}")

    def desktop(self, wanted="running", disk=True, **more):
        """A new one, as wanted; its id."""
        name = str(uuid.uuid4())
        row = {"id": name, "name": f"desk {name[:4]}", "wanted": wanted, "memory": 64, "vcpus": 1, "firmware": "bios",
               "disks": [{"type": "disk", "size": ECHO.stat().st_size}] if disk else [], **more}
        self.thing("desktop", name, row)
        if disk:
            self.make_disk(name)
        self.look("desktop", name)
        return name

    def make_disk(self, desktop):
        """The echo disk, where the library would make an empty one."""
        target = self.folder / "storage/disks" / f"disk-{desktop}-0"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ECHO, target)

    def want(self, desktop, wanted):
        self.rows["desktop", desktop]["wanted"] = wanted
        self.thing("desktop", desktop, self.rows["desktop", desktop])
        self.look("desktop", desktop)

    def control(self, desktop, action, options=None):
        self.say(f"control {desktop} {action} {variant(options or {})}")
        while True:
            line = self._read(time.monotonic() + SOON)
            if line is None:
                raise Failure(f"no answer to {action}:\n{self.story()}")
            words = line.split(" ", 2)
            if words[0] in ("done", "failed") and words[1] == action:
                return words[0] == "done", words[2] if len(words) > 2 else ""

    def live(self, desktop):
        self.say(f"live {desktop}")
        return self.wait(f"live {desktop}")

    def picture(self, desktop):
        """A PNG of what it shows, once it shows something."""
        deadline = time.monotonic() + SOON
        while time.monotonic() < deadline:
            self.say(f"picture {desktop}")
            while not (line := self._read(deadline) or "picture 0").startswith(("picture ", "failed picture ")):
                pass
            if line.startswith("picture "):
                return (self.folder / "picture.png").read_bytes()
            time.sleep(0.1)
        raise Failure(f"{desktop} shows nothing:\n{self.story()}")

    # ---- pools ----

    def pool(self, **more):
        """A new one, of desktops without disks; its id."""
        template, name = str(uuid.uuid4()), str(uuid.uuid4())
        self.thing("template", template, {"id": template, "name": "Plain", "memory": 64, "vcpus": 1, "firmware": "bios"})
        self.thing("pool", name, {"id": name, "name": "Class", "template": template, "type": "disposable", "size": 5,
                                  "spares": 2, **more})
        self.look("pool", name)
        return name

    def take(self, desktop, user):
        """What the store does where somebody takes one."""
        self.say(f"take {desktop} {user}")

    # ---- processes ----

    def record(self, desktop):
        """What is written down of its run: {key: text}."""
        lines = (self.folder / "run" / desktop / "record").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def pid(self, desktop):
        return int(self.record(desktop)["pid"])

    # ---- connections ----

    def connect(self, desktop, session="session", user="anna"):
        self.say(f"connect {desktop} {session} {user}")
        return self.wait("ticket").split(" ")

    def tunnel(self, ticket):
        """A connected socket."""
        door = self.folder / "door"
        door.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(door))
            listener.listen()
            self.say(f"tunnel {ticket}")
            self.wait("tunnel")
            peer, _ = listener.accept()
            with peer:
                _, fds, _, _ = socket.recv_fds(peer, 1, 1)
                return socket.socket(fileno=fds[0])


def process_is_there(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
