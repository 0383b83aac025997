# SPDX-License-Identifier: Apache-2.0
"""The server under test: a spice-producer process, spoken to over its standard input and output."""

import os
import queue
import subprocess
import threading

import numpy

TIMEOUT = 20


class Producer:
    def __init__(self, program, folder, options):
        self.folder = folder
        self.path = None
        self.port = None
        options = [str(option) for option in options]
        if "--port" in options:
            self.port = int(options[options.index("--port") + 1])
        else:
            self.path = str(folder / f"spice-{os.urandom(4).hex()}.sock")
            options += ["--unix", self.path]
        if "--ticket" not in options and "--no-ticket" not in options and "--no-first-ticket" not in options:
            options.append("--no-ticket")
        options = [option for option in options if option != "--no-first-ticket"]
        self.process = subprocess.Popen([str(program), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.events = []
        self.errors = []
        self._readers = [threading.Thread(target=self._read, daemon=True),
                         threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self._readers:
            reader.start()
        self.wait_event("ready")

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.rstrip("\n"))

    def _next(self, timeout=TIMEOUT):
        line = self.lines.get(timeout=timeout)
        if line is None:
            raise AssertionError("the server ended: " + "\n".join(self.errors[-5:]))
        return line

    def do(self, command):
        """Has a command carried out; what happens meanwhile goes to events."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        while True:
            line = self._next()
            if line == "ok":
                return
            assert not line.startswith("error:"), f"{command}: {line}"
            self.events.append(line)

    def poll(self):
        """Takes what was printed up to now."""
        while not self.lines.empty():
            self.events.append(self._next())
        return self.events

    def wait_event(self, start, timeout=TIMEOUT):
        """The first event that begins so, and the end of those before it."""
        while True:
            for i, event in enumerate(self.events):
                if event.startswith(start):
                    del self.events[: i + 1]
                    return event
            self.events.append(self._next(timeout))

    def drawn(self, scanout=0):
        """What was drawn: an array of rows of 0xrrggbb."""
        path = self.folder / "drawn.ppm"
        self.do(f"dump {scanout} {path}")
        return read_ppm(path)

    def memory(self):
        """Kilobytes of memory that are this process's alone."""
        with open(f"/proc/{self.process.pid}/smaps_rollup") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith(("Private_Dirty", "Private_Clean")))

    def threads(self):
        return os.listdir(f"/proc/{self.process.pid}/task")

    def switches(self):
        """How often its threads were woken, all together."""
        total = 0
        for thread in self.threads():
            with open(f"/proc/{self.process.pid}/task/{thread}/status") as file:
                total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        return total

    def alive(self):
        return self.process.poll() is None

    def close(self):
        if self.alive():
            self.process.stdin.close()
            try:
                self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for reader in self._readers:
            reader.join(TIMEOUT)
        assert self.process.returncode == 0, f"exit {self.process.returncode}\n" + "\n".join(self.errors[-20:])


def read_ppm(path):
    with open(path, "rb") as file:
        fields, rest = [], file.read()
    while len(fields) < 4:
        field, rest = rest.split(None, 1) if len(fields) < 3 else (rest[: len(rest.split(b"\n", 1)[0])], rest)
        if len(fields) == 3:
            rest = rest[len(field) + 1:]
        fields.append(field)
    width, height = int(fields[1]), int(fields[2])
    bytes_ = numpy.frombuffer(rest, dtype=numpy.uint8).reshape(height, width, 3).astype(numpy.uint32)
    return bytes_[:, :, 0] << 16 | bytes_[:, :, 1] << 8 | bytes_[:, :, 2]
