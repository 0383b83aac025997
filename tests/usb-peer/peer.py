# SPDX-License-Identifier: Apache-2.0
"""A redirecting SPICE client with a device made of software: usb-peer, steered from a test."""

import queue
import subprocess
import threading

USBREDIR = 9  # spice-protocol's channel type


class Peer:
    """sock: a channel of that type, opened, signed in, with short headers. kind and arguments: as in usb-peer.c."""

    def __init__(self, build, sock, kind, **arguments):
        command = [build / "tests/usb-peer/usb-peer", sock.fileno(), kind]
        command += [f"{key}={value}" for key, value in arguments.items()]
        sock.settimeout(None)
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, pass_fds=[sock.fileno()])
        sock.close()  # the process has it: nobody else keeps the channel open
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def said(self, timeout=20):
        """The next line it says; None: it has ended."""
        return self.lines.get(timeout=timeout)

    def do(self, word):
        """plug or unplug."""
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def vanish(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """Ends it; returns what it streamed, {"sent": N, …}."""
        self.process.stdin.close()
        self.process.wait(20)
        found = {}
        while (line := self.said()) is not None:
            words = line.split()
            if words[0] == "sent":
                found = {key: int(value) for key, value in zip(words[::2], words[1::2], strict=True)}
        return found
