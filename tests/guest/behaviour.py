# SPDX-License-Identifier: Apache-2.0
"""
carrel-vmm as whoever starts it sees it: a configuration goes in, words, an exit status and files come out.

A Desktop is one process started from a configuration of the test's own. Whatever it starts inherits a mark in its
environment, by which what it leaves running is found. refused() is for all that must be turned down in one line.
"""

import os
import pathlib
import re
import signal
import subprocess
import time
import uuid

MARK = "CARREL_TEST_MARK"
SOON = 20  # seconds that anything here may take on a busy machine; what takes as long has failed


def wait_until(condition, what, timeout=SOON):
    """The first true value of condition()."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(0.01)
    return value


def runs(pid):
    """Whether any thread of the process still does."""
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        try:
            if (task / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                return True
        except OSError:
            continue
    return False


def configuration(groups):
    """A configuration's text; keys whose value is None are left out."""
    lines = []
    for name, keys in groups.items():
        lines.append(f"[{name}]")
        for key, value in keys.items():
            if value is not None:
                lines.append(f"{key}={str(value).lower() if isinstance(value, bool) else value}")
    return "\n".join(lines) + "\n"


class Desktop:
    """A running carrel-vmm, or one that has ended."""

    def __init__(self, program, arguments, folder, fds=None, before="", terminal=None):
        """
        fds: (name, descriptor) pairs to inherit (sd_listen_fds(3)). before: shell commands that run first, in the
        process that becomes carrel-vmm. terminal: what it gets as its controlling terminal, in a session of its own.
        """
        self.program, self.folder = program, folder
        self.mark = uuid.uuid4().hex
        self.started = {}
        self.control = folder / "control"
        self.errors = open(folder / f"stderr-{self.mark}", "w+")
        os.unlink(self.errors.name)
        self.output = open(folder / f"stdout-{self.mark}", "w+b")
        os.unlink(self.output.name)
        script, inherited = before, [fd for _, fd in fds or []]
        environment = {**os.environ, MARK: self.mark}
        if fds is not None:
            # The numbers are from 3 on, in this order; over a range of their own, so that none is overwritten first.
            high = [f"{200 + i}<&{fd}" for i, fd in enumerate(inherited)]
            low = [f"{3 + i}<&{200 + i} {200 + i}<&-" for i in range(len(inherited))]
            script += f"\nexec {' '.join(high + low)}\nexport LISTEN_PID=$$" if fds else "\nexport LISTEN_PID=$$"
            environment |= {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(name for name, _ in fds)}
        command = ["bash", "-ec", script + '\nexec "$@"', "bash"] if script else []
        if terminal:
            command = ["setsid", "--ctty", *command]
        self.process = subprocess.Popen(
            [*command, program, *map(str, arguments)], stdin=terminal or subprocess.PIPE, stdout=terminal or self.output,
            stderr=self.errors, env=environment, pass_fds=inherited)

    def said(self):
        """What it said on standard error, less what it says of a host that allows no namespaces."""
        text = os.pread(self.errors.fileno(), 1 << 20, 0).decode()
        return re.sub(r"^carrel-vmm: sandbox: this host does not allow: .*\n", "", text, flags=re.M)

    def printed(self):
        return os.pread(self.output.fileno(), 1 << 24, 0)

    def wait(self, timeout=SOON):
        """Its exit status. What it started must have ended too."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it goes on after {timeout} s; it said: {self.said()}") from None
        left = self.others()
        assert not left, f"it left running: {left}"
        return status

    def others(self):
        """{pid: command line} of what it started and still runs, itself left out."""
        mark = f"{MARK}={self.mark}".encode()
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if int(folder.name) != self.process.pid and mark in (folder / "environ").read_bytes().split(b"\0"):
                    self.started[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it has just ended
        # A process that ends loses its environment first, and its files and sockets later.
        return {pid: command for pid, command in self.started.items() if runs(pid)}

    def inner(self):
        """The desktop process, below its keeper."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None

    def ctl(self, *verb, **more):
        """A verb of carrel-vmm ctl, as a finished process."""
        return subprocess.run([self.program, "ctl", self.control, *map(str, verb)], text=True, capture_output=True,
                              timeout=SOON, **more)

    def do(self, *verb, **more):
        """What a verb that must succeed prints."""
        wait_until(lambda: self.control.exists() or self.process.poll() is not None, "its control socket")
        done = self.ctl(*verb, **more)
        assert done.returncode == 0 and done.stderr == "", f"ctl {verb}: {done.stderr}; the VMM said: {self.said()}"
        return done.stdout

    def state(self):
        """The state line of ctl status: "running", "paused (user)"."""
        return re.search(r"^state: +(.*)$", self.do("status"), re.M)[1]

    def wait_state(self, state):
        wait_until(lambda: self.state() == state, f"state {state}")

    def wait_printed(self, text):
        wait_until(lambda: text in self.printed() or self.process.poll() is not None, f"{text} on the serial port")
        assert text in self.printed(), f"it ended before it printed {text}: {self.said()}"

    def type(self, text):
        """Bytes for the serial port."""
        os.write(self.process.stdin.fileno(), text)

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def finish(self):
        """Ends whatever is left, for a test that failed."""
        for pid in [*self.others(), *([self.process.pid] if self.process.poll() is None else [])]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.errors.close()
        self.output.close()


class Bench:
    """Where a test makes its desktops: their files, and what is known of a healthy one."""

    def __init__(self, program, guests, folder, options=()):
        self.program, self.guests, self.folder, self.options = program, guests, folder, list(options)
        self.desktops = []

    def groups(self, guest="rng", append="", **more):
        """A small desktop with a control socket; keywords change groups ("disk_a" is [disk a]), None takes one away."""
        groups = {
            "desktop": {"name": "test", "memory": "32M", "vcpus": 1, "balloon": False},
            "boot": {"kernel": self.guests / f"guest-{guest}.elf", "command-line": f"vmm=carrel {append}"},
            "input": {"keyboard": False, "tablet": False, "mouse": False},
            "display": {"scanouts": 1 if "spice" in more else 0},
            "serial": {"output": "stdio"},
            "control": {"socket": self.folder / "control"},
        }
        for name, keys in more.items():
            name = name.replace("_", " ", 1)
            if keys is None:
                groups.pop(name, None)
            else:
                groups[name] = {**groups.get(name, {}), **keys}
        return groups

    def write(self, groups, name="desktop.conf"):
        path = self.folder / name
        path.write_text(groups if isinstance(groups, str) else configuration(groups))
        return path

    def start(self, *arguments, **more):
        """carrel-vmm run with these arguments (a configuration's groups are written to a file first)."""
        arguments = [self.write(argument) if isinstance(argument, dict) else argument for argument in arguments]
        desktop = Desktop(self.program, ["run", *self.options, *arguments], self.folder, **more)
        self.desktops.append(desktop)
        return desktop

    def files(self):
        return sorted(path.name for path in self.folder.iterdir())

    def refused(self, *arguments, says, **more):
        """Must end by itself with status 1 and one line that matches `says`, and leave everything as it was."""
        arguments = [self.write(argument) if isinstance(argument, dict) else argument for argument in arguments]
        before = self.files()
        desktop = self.start(*arguments, **more)
        status = desktop.wait()
        said = desktop.said()
        assert re.fullmatch(r"carrel-vmm: [^\n]+\n", said), f"not one line: {said!r}"
        assert re.search(says, said), f"{says!r} is not in {said!r}"
        assert status == 1, f"status {status}"
        assert self.files() == before, "it left files behind"
        return said

    def finish(self):
        for desktop in self.desktops:
            desktop.finish()
