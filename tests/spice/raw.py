# SPDX-License-Identifier: Apache-2.0
"""The SPICE protocol by hand (spice-protocol's protocol.h), to say what no client would."""

import hashlib
import os
import socket
import struct

import websockets.sync.client

MAIN, DISPLAY, INPUTS, CURSOR = 1, 2, 3, 4
TICKET_BYTES = 128
AUTH_SELECTION, AUTH_SPICE, MINI_HEADER = 0, 1, 3
CAPABILITIES = 1 << AUTH_SELECTION | 1 << AUTH_SPICE | 1 << MINI_HEADER


def link_message(channel, number, connection, capabilities=()):
    """capabilities: of the channel, by number."""
    own = sum(1 << capability for capability in capabilities)
    body = struct.pack("<IBBIII", connection, channel, number, 1, 1, 18) + struct.pack("<II", CAPABILITIES, own)
    return b"REDQ" + struct.pack("<III", 2, 2, len(body)) + body


def mask(seed, size):
    """MGF1 with SHA-1 (PKCS #1 2.2, B.2.1)."""
    blocks = (hashlib.sha1(seed + struct.pack(">I", i)).digest() for i in range(-(-size // 20)))
    return b"".join(blocks)[:size]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def seal(key, ticket):
    """The ticket as the server wants it: RSA with OAEP and SHA-1 (PKCS #1 2.2, 7.1). The key is 1024 bits in DER."""
    modulus = int.from_bytes(key[29:29 + TICKET_BYTES], "big")
    text = ticket + b"\0"
    padding = bytes(TICKET_BYTES - len(text) - 2 * 20 - 2)
    block, seed = hashlib.sha1(b"").digest() + padding + b"\1" + text, os.urandom(20)
    masked = xor(block, mask(seed, len(block)))
    whole = b"\0" + xor(seed, mask(masked, 20)) + masked
    return pow(int.from_bytes(whole, "big"), 65537, modulus).to_bytes(TICKET_BYTES, "big")


class Plain:
    """Bytes over a Unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(20)
        self.sendall = self.socket.sendall
        self.recv = self.socket.recv
        self.close = self.socket.close


class Web:
    """Bytes in a WebSocket's messages, as a browser sends them."""

    def __init__(self, path):
        self.socket = websockets.sync.client.unix_connect(path, "ws://localhost/", subprotocols=["binary"], max_size=None)
        self.rest = b""
        self.sendall = self.socket.send

    def recv(self, size):
        if not self.rest:
            self.rest = self.socket.recv(20)
        piece, self.rest = self.rest[:size], self.rest[size:]
        return piece

    def close(self):
        self.socket.socket.shutdown(socket.SHUT_RDWR)  # without the closing handshake: it vanishes


class Channel:
    def __init__(self, path, channel, number, connection, ticket=b"", transport=Plain, capabilities=()):
        self.socket = transport(path)
        self.socket.sendall(link_message(channel, number, connection, capabilities))
        magic, _, _, size = struct.unpack("<4sIII", self.read(16))
        assert magic == b"REDQ"
        reply = self.read(size)
        assert struct.unpack_from("<I", reply)[0] == 0
        self.socket.sendall(struct.pack("<I", AUTH_SPICE))
        self.socket.sendall(seal(reply[4:4 + 162], ticket))
        assert struct.unpack("<I", self.read(4))[0] == 0

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            assert piece, "the server hung up"
            data += piece
        return data

    def send(self, type_, size, data):
        self.socket.sendall(struct.pack("<HI", type_, size) + data)

    def receive(self):
        type_, size = struct.unpack("<HI", self.read(6))
        return type_, self.read(size)

    def close(self):
        self.socket.close()


class RawClient(Channel):
    """The main channel, and others of the same client."""

    MAIN_INIT = 103

    def __init__(self, producer, channel, transport=Plain):
        super().__init__(producer.path, channel, 0, 0, transport=transport)
        self.path = producer.path
        self.transport = transport
        type_, data = self.receive()
        while type_ != self.MAIN_INIT:
            type_, data = self.receive()
        self.connection = struct.unpack_from("<I", data)[0]

    def open(self, channel, capabilities=(), number=0):
        return Channel(self.path, channel, number, self.connection, transport=self.transport, capabilities=capabilities)
