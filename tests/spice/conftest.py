# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the SPICE tests: the server under test, and clients that are closed when a test ends."""

import os
import pathlib
import socket
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("CARREL_BUILD", HERE.parents[1] / "build"))
sys.path[:0] = [str(HERE), str(HERE.parent / "usb-peer")]

from client import Client  # noqa: E402
from peer import USBREDIR, Peer  # noqa: E402
from producer import Producer  # noqa: E402
from raw import MAIN, RawClient  # noqa: E402


@pytest.fixture
def serve(tmp_path):
    """serve(option, …): starts a server; its socket, unless --port is given, is in the test's folder."""
    started = []

    def start(*options):
        producer = Producer(BUILD / "tests/spice/spice-producer", tmp_path, options)
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
def plug_in():
    """plug_in(producer, kind, …): a client of its own, or of the one given, plugs in a device of tests/usb-peer."""
    clients, peers = [], []

    def start(producer, kind, number=0, client=None, **arguments):
        if not client:
            client = RawClient(producer, MAIN)
            clients.append(client)
        peer = Peer(BUILD, client.open(USBREDIR, number=number).socket.socket, kind, **arguments)
        peer.client = client
        peers.append(peer)
        return peer

    yield start
    for peer in peers:
        peer.vanish()
    for client in clients:
        client.close()


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
