# SPDX-License-Identifier: Apache-2.0
"""
A SPICE client of the smallest kind: it links channels, keeps the server's flow control going, counts what comes, and
sends keys and pointer events. It draws nothing, so that a measurement of a server measures the server.

The protocol is spice-protocol's (spice/protocol.h, spice/enums.h); messages have the short header throughout.
"""

import hashlib
import os
import socket
import struct
import threading
import time

MAIN, DISPLAY, INPUTS, CURSOR = 1, 2, 3, 4

SET_ACK, PING = 3, 4  # from every server channel
ACK_SYNC, ACK, PONG = 1, 2, 3  # the answers

MAIN_INIT, MAIN_MOUSE_MODE = 103, 105
MAIN_ATTACH_CHANNELS, MAIN_MOUSE_MODE_REQUEST = 104, 105
MOUSE_MODE_SERVER, MOUSE_MODE_CLIENT = 1, 2

DISPLAY_INIT = 101
DISPLAY_DRAW_FIRST, DISPLAY_DRAW_LAST = 302, 313  # from FILL to ALPHA_BLEND

KEY_DOWN, KEY_UP = 101, 102
MOUSE_MOTION, MOUSE_POSITION, MOUSE_PRESS, MOUSE_RELEASE = 111, 112, 113, 114

COMMON_CAPS = 1 << 0 | 1 << 1 | 1 << 3  # choose the way to sign in; by ticket; short headers
AUTH_TICKET = 1
TICKET_BYTES = 128
KEY_BYTES = 162


def sealed(ticket, public_key):
    """The ticket as the server wants it: RSA with OAEP and SHA-1 (RFC 8017, 7.1.1), by the key of its link message."""
    # SubjectPublicKeyInfo of a 1024-bit key: the modulus is 128 bytes before the exponent, 65537, at the very end.
    modulus = int.from_bytes(public_key[29:157], "big")
    exponent = int.from_bytes(public_key[159:162], "big")
    message = ticket.encode() + b"\0"
    hash_of = lambda data: hashlib.sha1(data).digest()  # noqa: E731
    mask = lambda seed, n: b"".join(hash_of(seed + struct.pack(">I", i)) for i in range(n // 20 + 1))[:n]  # noqa: E731
    xor = lambda a, b: bytes(x ^ y for x, y in zip(a, b))  # noqa: E731

    data = hash_of(b"") + bytes(TICKET_BYTES - len(message) - 42) + b"\1" + message
    seed = os.urandom(20)
    masked = xor(data, mask(seed, len(data)))
    block = b"\0" + xor(seed, mask(masked, 20)) + masked
    return pow(int.from_bytes(block, "big"), exponent, modulus).to_bytes(TICKET_BYTES, "big")


class Refused(ConnectionError):
    """The server does not let us in."""


class Channel:
    """One connection, to a Unix socket's path or (address, port). After start() a thread of its own answers the server and hands each message to on_message."""

    def __init__(self, path, kind, session=0, number=0, caps=0, ticket=""):
        self.kind = kind
        self.bytes = 0  # received, headers included
        self.messages = 0
        self.counts = {}  # by message type
        self.last_time = 0.0  # monotonic, when the last message was whole
        self.on_message = None  # (type, body, seconds) on the channel's thread; of a display: (type, bytes, seconds)
        self.scratch = memoryview(bytearray(1 << 20))
        self.closed = threading.Event()
        self.window = self.unacknowledged = 0
        self.lock = threading.Lock()
        tcp = isinstance(path, tuple)
        self.socket = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path if tcp else str(path))
        self.link(session, number, caps, ticket)
        self.socket.settimeout(None)
        self.thread = threading.Thread(target=self.listen, daemon=True)

    def exactly(self, length):
        data = bytearray(length)
        view = memoryview(data)
        while view:
            got = self.socket.recv_into(view)
            if not got:
                raise ConnectionError("the server closed the channel")
            view = view[got:]
        return bytes(data)

    def drain(self, length):
        """Receives bytes nobody looks at, without keeping them; returns how many."""
        rest = length
        while rest:
            got = self.socket.recv_into(self.scratch[:min(rest, len(self.scratch))])
            if not got:
                raise ConnectionError("the server closed the channel")
            rest -= got
        return length

    def link(self, session, number, caps, ticket):
        body = struct.pack("<IBBIII", session, self.kind, number, 1, 1, 18) + struct.pack("<II", COMMON_CAPS, caps)
        self.socket.sendall(struct.pack("<4sIII", b"REDQ", 2, 2, len(body)) + body)
        magic, _major, _minor, size = struct.unpack("<4sIII", self.exactly(16))
        if magic != b"REDQ":
            raise Refused(f"not a SPICE server: it answers {magic}")
        answer = self.exactly(size)
        error, = struct.unpack_from("<I", answer)
        if error:
            raise Refused(f"link error {error}")
        self.socket.sendall(struct.pack("<I", AUTH_TICKET) + sealed(ticket, answer[4:4 + KEY_BYTES]))
        result, = struct.unpack("<I", self.exactly(4))
        if result:
            raise Refused(f"sign-in error {result}")

    def send(self, kind, body=b""):
        with self.lock:
            self.socket.sendall(struct.pack("<HI", kind, len(body)) + body)

    def start(self):
        self.thread.start()
        return self

    def receive(self):
        """The next message: its type and body. Answers flow control by itself."""
        kind, size = struct.unpack("<HI", self.exactly(6))
        if self.kind == DISPLAY and kind not in (SET_ACK, PING):
            body = self.drain(size)
        else:
            body = self.exactly(size)
        self.last_time = time.monotonic()
        self.bytes += 6 + size
        self.messages += 1
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == SET_ACK:
            generation, self.window = struct.unpack("<II", body[:8])
            self.unacknowledged = 0
            self.send(ACK_SYNC, struct.pack("<I", generation))
            return kind, body
        self.unacknowledged += 1
        if self.window and self.unacknowledged >= self.window:
            self.unacknowledged = 0
            self.send(ACK)
        if kind == PING:
            self.send(PONG, body[:12])
        return kind, body

    def listen(self):
        try:
            while True:
                kind, body = self.receive()
                if self.on_message:
                    self.on_message(kind, body, self.last_time)
        except OSError:
            self.closed.set()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class Client:
    """A session: the main channel, and whichever others are asked for."""

    def __init__(self, path, timeout=20, ticket=""):
        self.path = path
        self.ticket = ticket
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.main = Channel(path, MAIN, caps=0, ticket=ticket)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        kind = None
        while kind != MAIN_INIT:
            kind, body = self.main.receive()
        self.session, _hint, self.mouse_modes, self.mouse_mode = struct.unpack_from("<IIII", body)
        self.channels = [self.main]
        self.main.on_message = self.main_message
        self.mouse_mode_changed = threading.Event()
        self.main.start()
        self.main.send(MAIN_ATTACH_CHANNELS)

    def main_message(self, kind, body, _seconds):
        if kind == MAIN_MOUSE_MODE:
            _supported, self.mouse_mode = struct.unpack_from("<HH", body)
            self.mouse_mode_changed.set()

    def set_mouse_mode(self, mode, timeout=10):
        deadline = time.monotonic() + timeout
        while self.mouse_mode != mode:
            self.main.send(MAIN_MOUSE_MODE_REQUEST, struct.pack("<H", mode))
            self.mouse_mode_changed.wait(0.2)
            if time.monotonic() > deadline:
                raise TimeoutError(f"mouse mode stays {self.mouse_mode}")

    def open(self, kind, number=0, caps=0, on_message=None):
        channel = Channel(self.path, kind, self.session, number, caps, self.ticket)
        channel.on_message = on_message
        self.channels.append(channel)
        channel.start()
        if kind == DISPLAY:
            # caches of our own: pictures 8 Mpixel, dictionary 1 Mpixel; nothing is kept here, the server only counts
            channel.send(DISPLAY_INIT, struct.pack("<BqBi", 1, 8 << 20, 1, 1 << 20))
        return channel

    def link(self, kind, number=0):
        """A channel's socket, for somebody else to speak and listen on."""
        return Channel(self.path, kind, self.session, number, ticket=self.ticket).socket

    def close(self):
        for channel in reversed(self.channels):
            channel.close()


class Inputs:
    """Keys by their PC/AT set 1 scan code, and the pointer."""

    def __init__(self, client):
        self.channel = client.open(INPUTS)
        self.buttons = 0

    def key(self, scancode, down):
        """scancode: one byte, or 0xe0xx for the extended ones."""
        code = scancode if scancode < 0x100 else 0xE0 | (scancode & 0xFF) << 8
        if not down:
            code |= 0x80 if scancode < 0x100 else 0x8000
        self.channel.send(KEY_DOWN if down else KEY_UP, struct.pack("<I", code))

    def position(self, x, y, display=0):
        self.channel.send(MOUSE_POSITION, struct.pack("<IIHB", x, y, self.buttons, display))

    def motion(self, dx, dy):
        self.channel.send(MOUSE_MOTION, struct.pack("<iiH", dx, dy, self.buttons))

    def button(self, number, down):
        """1 left, 2 middle, 3 right, 4 wheel up, 5 wheel down."""
        bit = 1 << (number - 1)
        self.buttons = self.buttons | bit if down else self.buttons & ~bit
        kind = MOUSE_PRESS if down else MOUSE_RELEASE
        self.channel.send(kind, struct.pack("<BH", number, self.buttons))
