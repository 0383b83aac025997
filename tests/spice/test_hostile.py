# SPDX-License-Identifier: Apache-2.0
"""Peers that send garbage, stall, or vanish in the middle of a message: only they are dropped."""

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

from raw import CURSOR, DISPLAY, INPUTS, MAIN, Plain, RawClient, Web, link_message

GARBAGE = {
    "nothing": b"",
    "a byte": b"R",
    "magic alone": b"REDQ",
    "wrong magic": b"QDER" * 8,
    "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "http without end": b"GET /" + b"a" * 5000,
    "half a header": b"REDQ" + struct.pack("<II", 2, 2),
    "old version": b"REDQ" + struct.pack("<III", 1, 0, 40),
    "huge link": b"REDQ" + struct.pack("<III", 2, 2, 0xFFFFFFFF),
    "empty link": b"REDQ" + struct.pack("<III", 2, 2, 0),
    "caps outside": b"REDQ" + struct.pack("<III", 2, 2, 18) + struct.pack("<IBBIII", 0, 1, 0, 0xFFFF, 0xFFFF, 18),
    "no such channel": link_message(200, 0, 0),
    "no such client": link_message(DISPLAY, 0, 12345),
    "noise": random.Random(5).randbytes(4096),
}


@pytest.fixture
def watched(serve, connect):
    """A server with a well-behaved client."""
    producer = serve("--several")
    producer.do("surface 0 800 600")
    client = connect(producer)
    client.until_shows(producer.drawn())
    return producer, client


def works(producer, client, frame):
    producer.do(f"picture 0 gradient {frame}")
    client.until_shows(producer.drawn())


@pytest.mark.parametrize("name", GARBAGE)
@pytest.mark.parametrize("vanish", [True, False])
def test_garbage_instead_of_a_link(watched, name, vanish):
    producer, client = watched
    peers = []
    for _ in range(5):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(producer.path)
        peer.sendall(GARBAGE[name])
        peers.append(peer)
        if vanish:
            peer.close()
    works(producer, client, 1)
    for peer in peers:
        peer.close()


def test_half_open_connections_are_bounded(watched, connect):
    producer, client = watched
    descriptors = lambda: len(os.listdir(f"/proc/{producer.process.pid}/fd"))
    before = descriptors()
    peers = []
    for _ in range(200):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(producer.path)
        peers.append(peer)
        client.turn()
    client.turn(0.3)
    assert descriptors() - before < 80
    works(producer, client, 2)
    late = connect(producer)
    late.until_shows(producer.drawn())
    for peer in peers:
        peer.close()


def test_a_stalled_link_is_closed(serve):
    producer = serve()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(producer.path)
        peer.sendall(b"REDQ")
        peer.settimeout(15)
        assert peer.recv(1) == b""


@pytest.mark.parametrize("type_", [1, 3, 101, 102, 104, 110, 9999])
@pytest.mark.parametrize("size", [0, 3, 4000, 0x7FFFFFFF])
def test_garbage_on_the_main_channel(watched, type_, size):
    producer, client = watched
    raw = RawClient(producer, MAIN)
    raw.send(type_, size, os.urandom(min(size, 4000)))
    works(producer, client, 3)
    raw.close()
    works(producer, client, 4)


@pytest.mark.parametrize("type_", [1, 3, 101, 102, 103, 104, 105, 9999])
@pytest.mark.parametrize("size", [0, 3, 14, 900, 0x7FFFFFFF])
def test_garbage_on_the_display_channel(watched, type_, size):
    producer, client = watched
    raw = RawClient(producer, MAIN)
    display = raw.open(DISPLAY)
    display.send(type_, size, os.urandom(min(size, 900)))
    works(producer, client, 5)
    display.close()
    raw.close()
    works(producer, client, 6)


@pytest.mark.parametrize("channel", [3, 4])
def test_garbage_on_the_other_channels(watched, channel):
    producer, client = watched
    raw = RawClient(producer, MAIN)
    other = raw.open(channel)
    for type_ in (1, 3, 101, 102, 103, 110, 111, 112, 113, 114, 500):
        try:
            other.send(type_, 8, os.urandom(8))
        except OSError:
            other = raw.open(channel)
    works(producer, client, 7)
    raw.close()


FLUSH_MARK, DO_SEAMLESS, DISPLAY_INIT = 4, 110, 101
INIT_BODY = struct.pack("<BqBI", 1, 1 << 20, 1, 1 << 20)
# What spice-server ends the process for: messages of a migration that is not under way, and a channel that begins twice.
DEADLY = {
    "flush mark on main": (MAIN, [(FLUSH_MARK, b"")]),
    "flush mark on display": (DISPLAY, [(DISPLAY_INIT, INIT_BODY), (FLUSH_MARK, b"")]),
    "flush mark before display begins": (DISPLAY, [(FLUSH_MARK, b"")]),
    "flush mark on inputs": (INPUTS, [(FLUSH_MARK, b"")]),
    "flush mark on cursor": (CURSOR, [(FLUSH_MARK, b"")]),
    "seamless migration": (MAIN, [(DO_SEAMLESS, bytes(4))]),
    "display begins twice": (DISPLAY, [(DISPLAY_INIT, INIT_BODY), (DISPLAY_INIT, INIT_BODY)]),
}


@pytest.mark.parametrize("name", DEADLY)
@pytest.mark.parametrize("transport", [Plain, Web])
@pytest.mark.parametrize("at_once", [False, True])
def test_messages_that_spice_server_would_end_for(watched, name, transport, at_once):
    producer, client = watched
    number, messages = DEADLY[name]
    raw = RawClient(producer, MAIN, transport)
    channel = raw if number == MAIN else raw.open(number)
    if at_once:
        channel.socket.sendall(b"".join(struct.pack("<HI", type_, len(body)) + body for type_, body in messages))
    else:
        for type_, body in messages:
            channel.send(type_, len(body), body)
            client.turn(0.2)
    works(producer, client, 9)
    with contextlib.suppress(OSError):
        channel.close()
        raw.close()
    works(producer, client, 10)


def test_a_display_channel_that_never_begins(watched):
    producer, client = watched
    raw = RawClient(producer, MAIN)
    raw.open(DISPLAY)
    works(producer, client, 8)
    raw.close()


STALLED = """
import sys, time
sys.path.insert(0, {folder!r})
from client import Client
class Server: path, port = {path!r}, None
client = Client(Server)
client.until(lambda: client.display and client.display.pixels() is not None, "a picture")
print("there", flush=True)
while True: client.turn(0.1)
"""


@pytest.fixture
def stalling(watched):
    """stalling(): a second client, in a process of its own, that has stopped."""
    producer, client = watched
    processes = []

    def start():
        script = STALLED.format(folder=os.path.dirname(__file__), path=producer.path)
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGSTOP)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_a_stalled_client_is_dropped_and_others_go_on(watched, stalling):
    producer, client = watched
    stalling()
    producer.poll()
    producer.events.clear()
    for frame in range(10):
        producer.do(f"picture 0 noise {frame}")
        client.turn(0.02)
    producer.wait_event("disconnected", timeout=30)
    client.until_shows(producer.drawn())
    producer.do("clients")
    assert producer.wait_event("clients") == "clients 1"


def test_memory_is_bounded_with_a_stalled_client(watched, stalling):
    producer, client = watched
    client.close()
    producer.wait_event("disconnected")
    stalling()
    before = producer.memory()
    for frame in range(100):
        producer.do(f"picture 0 noise {frame}")
    assert producer.memory() - before < 20000


def test_a_client_killed_in_the_middle_of_a_frame(watched, stalling):
    producer, client = watched
    for frame in range(5):
        process = stalling()
        producer.do(f"picture 0 noise {frame}")
        time.sleep(0.05)
        process.kill()
        process.wait()
        works(producer, client, 20 + frame)


def test_resizing_with_a_stalled_client(watched, stalling):
    producer, client = watched
    stalling()
    for frame in range(5):
        producer.do(f"picture 0 noise {frame}")
    producer.poll()
    producer.events.clear()
    producer.do("surface 0 640 480")
    producer.do("clients")
    gone = [event for event in producer.events if event.startswith("disconnected")]
    assert not gone, "the main loop waited until the client was dropped"
    client.until(lambda: client.display.width == 640, "the new size", timeout=60)
    client.until_shows(producer.drawn())
