# SPDX-License-Identifier: Apache-2.0
"""Browsers: SPICE in a WebSocket, over the same socket as everybody else."""

import socket
import struct

import numpy
import pytest

from raw import DISPLAY, INPUTS, MAIN, RawClient, Web

INIT = 101
INIT_BODY = struct.pack("<BqBi", 1, 1 << 20, 1, 1 << 20)
DRAW_COPY = 304
KEY_DOWN = 101


@pytest.fixture
def producer(serve):
    producer = serve("--compression", "off")
    producer.do("surface 0 320 200")
    return producer


def test_a_picture(producer):
    client = RawClient(producer, MAIN, Web)
    display = client.open(DISPLAY)
    display.send(INIT, len(INIT_BODY), INIT_BODY)
    pixels = None
    while pixels is None:
        type_, data = display.receive()
        if type_ == DRAW_COPY:
            # an uncompressed picture is the message's end
            pixels = numpy.frombuffer(data[-320 * 200 * 4:], dtype=numpy.uint32).reshape(200, 320) & 0xFFFFFF
    assert (pixels == producer.drawn()).all()
    client.close()
    producer.wait_event("disconnected")


def test_a_key(producer):
    client = RawClient(producer, MAIN, Web)
    inputs = client.open(INPUTS)
    inputs.send(KEY_DOWN, 4, struct.pack("<I", 0x1E))
    assert producer.wait_event("keyboard") == "keyboard 1:30:1"
    client.close()


@pytest.mark.parametrize("sent", [b"", struct.pack("<HI", INIT, 14), struct.pack("<HI", 9999, 14) + INIT_BODY])
def test_vanishing_before_the_display_begins(producer, connect, sent):
    for _ in range(3):
        client = RawClient(producer, MAIN, Web)
        display = client.open(DISPLAY)
        if sent:
            display.socket.sendall(sent)
        display.close()
        client.close()
    other = connect(producer)
    other.until_shows(producer.drawn())


@pytest.mark.parametrize("request_", [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\n\r\n" + b"\xff" * 500,
])
def test_no_websocket_at_all(producer, connect, request_):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(producer.path)
        peer.sendall(request_)
        client = connect(producer)
        client.until_shows(producer.drawn())
