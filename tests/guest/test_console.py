# SPDX-License-Identifier: Apache-2.0
"""virtio-console: a named port is a Unix socket outside; what comes out is sent back in."""

import socket
import threading

import pytest
from vmm import Machine

NAME = "org.carrel.test"


@pytest.fixture
def peer(tmp_path):
    """The outer end of the port: open(), close(), and an echo while open."""

    class Peer:
        path = tmp_path / "port"
        connection = None

        def open(self):
            self.close()
            self.connection = socket.socket(socket.AF_UNIX)
            self.connection.connect(str(self.path))
            threading.Thread(target=self.echo, args=[self.connection], daemon=True).start()

        def close(self):
            if self.connection:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.connection.close()
                self.connection = None

        @staticmethod
        def echo(connection):
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                pass  # closed from either side

    peer = Peer()
    yield peer
    peer.close()


def test_console(run, peer):
    run("console", Machine(ports={NAME: peer.path}), f"port={NAME}",
        actions={"open": lambda *_: peer.open(), "close": lambda *_: peer.close()})
