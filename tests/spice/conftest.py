# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the SPICE tests: the server under test, and clients that are closed when a test ends."""

import os
import pathlib
import socket
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from client import Client  # noqa: E402
from producer import Producer  # noqa: E402


@pytest.fixture
def serve(tmp_path):
    """serve(option, …): starts a server; its socket, unless --port is given, is in the test's folder."""
    build = pathlib.Path(os.environ.get("CARREL_BUILD", HERE.parents[1] / "build"))
    started = []

    def start(*options):
        producer = Producer(build / "tests/spice/spice-producer", tmp_path, options)
        started.append(producer)
        return producer

    yield start
    for producer in started:
        producer.close()


@pytest.fixture
def connect():
    """connect(producer, ticket=…): a client with its channels open."""
    clients = []

    def start(producer, **more):
        client = Client(producer, **more)
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.close()


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
