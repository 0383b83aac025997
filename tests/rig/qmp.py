# SPDX-License-Identifier: Apache-2.0
"""The emulator's control connection: one JSON object a line, in both directions."""

import json
import socket
import time


class Error(RuntimeError):
    """The emulator refused a command, or is gone."""


class Monitor:
    """An open connection; events are dropped."""

    def __init__(self, path, timeout):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._stream = self._socket.makefile("rw")
        self._read()
        self.execute("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stream.close()
        self._socket.close()

    def _read(self):
        line = self._stream.readline()
        if not line:
            raise Error("the emulator closed its control connection")
        return json.loads(line)

    def execute(self, command, **arguments):
        """Runs one command and returns its value."""
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._stream.flush()
        while "event" in (answer := self._read()):
            pass
        if "error" in answer:
            raise Error(f"{command}: {answer['error']['desc']}")
        return answer["return"]


def connect(path, child, timeout=30):
    """Connects as soon as the emulator listens; raises Error when it ends or stays silent."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return Monitor(path, timeout)
        except (FileNotFoundError, ConnectionRefusedError):
            if child.poll() is not None:
                raise Error(f"the emulator ended with status {child.returncode}") from None
            if time.monotonic() > deadline:
                raise Error(f"the emulator did not open {path} within {timeout} s") from None
            time.sleep(0.02)
