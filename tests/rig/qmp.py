# SPDX-License-Identifier: Apache-2.0
"""The emulator's control connection: one JSON object a line, in both directions."""

import json
import socket
import time


class Error(RuntimeError):
    """The emulator refused a command, or is gone."""


class Monitor:
    """An open connection, given as two text streams; events are dropped."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._read()
        self.execute("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._reader.close()
        self._writer.close()

    def _read(self):
        line = self._reader.readline()
        if not line:
            raise Error("the emulator closed its control connection")
        return json.loads(line)

    def execute(self, command, **arguments):
        """Runs one command and returns its value."""
        self._writer.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._writer.flush()
        while "event" in (answer := self._read()):
            pass
        if "error" in answer:
            raise Error(f"{command}: {answer['error']['desc']}")
        return answer["return"]


def connect(path, child, timeout=30):
    """Connects as soon as the emulator listens; raises Error when it ends or stays silent."""
    deadline = time.monotonic() + timeout
    while True:
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(timeout)
        try:
            stream.connect(str(path))
            return Monitor(stream.makefile("r"), stream.makefile("w"))
        except (FileNotFoundError, ConnectionRefusedError):
            if child.poll() is not None:
                raise Error(f"the emulator ended with status {child.returncode}") from None
            if time.monotonic() > deadline:
                raise Error(f"the emulator did not open {path} within {timeout} s") from None
            time.sleep(0.02)
