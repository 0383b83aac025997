# SPDX-License-Identifier: Apache-2.0
"""Films go out as a stream, which takes a fraction of the bytes and spoils the picture; nothing else does."""

import collections
import struct
import time

import pytest

from raw import DISPLAY, MAIN, RawClient

CAP_SIZED_STREAM, CAP_MULTI_CODEC, CAP_CODEC_MJPEG = 0, 8, 9
DISPLAY_INIT = 101
SET_ACK, PING = 3, 4
ACK_SYNC, ACK, PONG = 1, 2, 3
STREAM_CREATE, STREAM_DATA, STREAM_DESTROY, STREAM_DATA_SIZED = 122, 123, 125, 316
DRAW_FIRST, DRAW_LAST = 302, 313


class Watcher:
    """A client by hand, which counts what its display channel is sent: bytes by kind of message."""

    def __init__(self, producer):
        self.main = RawClient(producer, MAIN)
        self.display = self.main.open(DISPLAY, [CAP_SIZED_STREAM, CAP_MULTI_CODEC, CAP_CODEC_MJPEG])
        self.display.send(DISPLAY_INIT, 14, struct.pack("<BqBI", 1, 1 << 20, 1, 1 << 20))
        self.window = self.unacknowledged = 0
        self.messages = collections.Counter()
        self.bytes = collections.Counter()

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            piece = self.display.socket.recv(min(size - len(data), 1 << 20))
            assert piece, "the server hung up"
            data += piece
        return data

    def one(self):
        kind, size = struct.unpack("<HI", self.read(6))
        body = self.read(size)
        self.messages[kind] += 1
        self.bytes[kind] += size
        if kind == SET_ACK:
            generation, self.window = struct.unpack_from("<II", body)
            self.display.send(ACK_SYNC, 4, struct.pack("<I", generation))
            return kind
        self.unacknowledged += 1
        if self.unacknowledged == self.window:
            self.unacknowledged = 0
            self.display.send(ACK, 0, b"")
        if kind == PING:
            self.display.send(PONG, 12, bytes(body[:12]))
        return kind

    def watch(self, seconds):
        """What comes in so many seconds; something must come at least every 20."""
        self.messages.clear()
        self.bytes.clear()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.one()

    def until(self, kind, timeout=20):
        end = time.monotonic() + timeout
        while self.one() != kind:
            assert time.monotonic() < end, f"no message {kind} in {timeout} s: {self.messages}"

    @property
    def frames(self):
        return self.messages[STREAM_DATA] + self.messages[STREAM_DATA_SIZED]

    @property
    def frame_bytes(self):
        return (self.bytes[STREAM_DATA] + self.bytes[STREAM_DATA_SIZED]) / max(1, self.frames)

    @property
    def drawn_bytes(self):
        return sum(size for kind, size in self.bytes.items() if DRAW_FIRST <= kind <= DRAW_LAST)

    def close(self):
        self.display.close()
        self.main.close()


@pytest.fixture
def watch(serve):
    """watch(kind, option, …): a server whose desktop is full of text, one picture of @kind to come, and who watches it."""
    watchers = []

    def start(kind, *options):
        producer = serve(*options)
        producer.do("surface 0 1280 720")
        producer.do("picture 0 text 1")
        producer.do(f"kind 0 {kind}")
        watchers.append(Watcher(producer))
        return producer, watchers[-1]

    yield start
    for watcher in watchers:
        watcher.close()


@pytest.mark.parametrize("compression", ["auto", "lz4", "off"])
def test_a_film_becomes_a_stream(watch, compression):
    producer, watcher = watch("gradient", "--compression", compression)
    producer.do("animate 0 25 128 96 640 480")
    watcher.until(STREAM_CREATE)
    watcher.until(STREAM_DATA)
    watcher.watch(0)
    while watcher.frames < 10:
        watcher.one()
    assert watcher.frame_bytes < 640 * 480 * 4 / 8
    assert watcher.drawn_bytes < 640 * 480 * 4, "the film is drawn as well"


@pytest.mark.parametrize("kind", ["text", "noise", "flat"])
def test_nothing_else_becomes_one(watch, kind):
    producer, watcher = watch(kind)
    producer.do("animate 0 25 128 96 640 480")
    watcher.watch(4)
    assert watcher.messages[STREAM_CREATE] == 0
    assert watcher.drawn_bytes > 0


def test_a_stream_ends_with_the_film(watch):
    producer, watcher = watch("gradient")
    producer.do("animate 0 25 128 96 640 480")
    watcher.until(STREAM_DATA)
    producer.do("animate 0 0")
    watcher.until(STREAM_DESTROY)
    producer.do("kind 0 text")
    producer.do("animate 0 25 128 96 640 480")
    watcher.watch(4)
    assert watcher.messages[STREAM_CREATE] == 0


def test_text_in_a_films_place_is_sharp_again(watch):
    producer, watcher = watch("gradient")
    producer.do("animate 0 25 128 96 640 480")
    watcher.until(STREAM_DATA)
    producer.do("kind 0 text")
    watcher.until(STREAM_DESTROY)
    watcher.watch(3)
    assert watcher.frames == 0 and watcher.messages[STREAM_CREATE] == 0


def test_a_film_that_stops_is_shown_as_it_was_drawn(serve, connect):
    producer = serve()
    producer.do("surface 0 1280 720")
    client = connect(producer)
    client.until_shows(producer.drawn())
    producer.do("kind 0 gradient")
    producer.do("animate 0 25 128 96 640 480")
    client.turn(3)
    producer.do("fill 0 0 0 40 40 ff0000")
    producer.do("animate 0 0")
    client.until_shows(producer.drawn())
