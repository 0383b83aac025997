# SPDX-License-Identifier: Apache-2.0
"""
Runs commands inside a desktop, through its port org.carrel.test (image-build's carrel-test-agent answers there).

The port is a Unix socket in the host; a socat there, started over ssh, is our end of it.
"""

import base64
import os
import selectors
import subprocess
import time
import uuid


class Failed(RuntimeError):
    """A command in the guest did not exit 0, or there was no answer."""


class Agent:
    """One connection to the guest's agent."""

    def __init__(self, host, socket_path):
        self._child = subprocess.Popen([str(a) for a in host.command(f"exec socat - UNIX-CONNECT:{socket_path}")],
                                       bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self._child.stdout.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._child.stdout, selectors.EVENT_READ)
        self._pending = b""

    def close(self):
        self._selector.close()
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            stream.close()

    def _send(self, *words):
        try:
            self._child.stdin.write(" ".join(words).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"the desktop's test port is gone: {self._child.stderr.read().decode()}") from None

    def _answer(self, verb, name, timeout):
        """The words after `verb name` of the answer, or None when it does not come in time. Others are dropped."""
        deadline = time.monotonic() + timeout
        while True:
            while b"\n" in self._pending:
                line, self._pending = self._pending.split(b"\n", 1)
                words = line.decode(errors="replace").split()
                if words[:2] == [verb, name]:
                    return words[2:]
            left = deadline - time.monotonic()
            if left <= 0 or not self._selector.select(left):
                return None
            data = os.read(self._child.stdout.fileno(), 1 << 20)
            if not data:
                raise Failed(f"the desktop's test port is gone: {self._child.stderr.read().decode()}")
            self._pending += data

    def wait(self, timeout):
        """Waits until the guest's agent answers."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            name = uuid.uuid4().hex
            self._send("ping", name)
            if self._answer("pong", name, 2) is not None:
                return
        raise Failed(f"no word from the agent in the guest within {timeout} s")

    def run(self, script, user="desk", timeout=60, check=True):
        """Runs a bash script in the guest, as desk within its X session or as root; returns what it printed."""
        name = uuid.uuid4().hex
        self._send("run", name, user, base64.b64encode(script.encode()).decode())
        answer = self._answer("done", name, timeout)
        if answer is None:
            raise Failed(f"in the guest: {script}\nno answer within {timeout} s")
        output = base64.b64decode(answer[1]).decode(errors="replace") if len(answer) > 1 else ""
        if check and answer[0] != "0":
            raise Failed(f"in the guest: {script}\nexit status {answer[0]}\n{output}")
        return output
