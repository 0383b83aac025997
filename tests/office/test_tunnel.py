# SPDX-License-Identifier: Apache-2.0
"""Tunnels through the port: a SPICE client's CONNECT with TLS inside, a browser's WebSocket. The desktop is a socket of the test's."""
import os
import socket
import threading

import pytest

from fake import Refusal
from ways import TICKET, ask_for_websocket, connect, raw_websocket, read, read_head, tunnel


@pytest.fixture
def desktops(fake):
    """The desktop's ends of the tunnels that were opened with TICKET."""
    opened = []

    def open_tunnel(ticket, client):
        if ticket != TICKET:
            raise Refusal("NotFound", "that ticket is not good")
        ours, theirs = socket.socketpair()
        ours.settimeout(60)
        opened.append(ours)
        return (theirs.detach(),)
    fake.answers["OpenTunnel"] = open_tunnel
    yield opened
    for each in opened:
        each.close()


def echo(desktop):
    def run():
        try:
            while data := desktop.recv(65536):
                desktop.sendall(data)
        except OSError:
            pass
    threading.Thread(target=run, daemon=True).start()


def is_closed(raw):
    try:
        return raw.recv(1) == b""
    except (ConnectionError, OSError):
        return True


def test_spice_client_through_connect(fake, desktops):
    with tunnel(fake.web) as client:
        assert client.version() in ("TLSv1.2", "TLSv1.3")
        client.sendall(b"REDQ")
        assert read(desktops[0], 4) == b"REDQ"
        desktops[0].sendall(b"answer")
        assert read(client, 6) == b"answer"
    assert desktops[0].recv(1) == b""
    assert ("OpenTunnel", (TICKET, {"address": "127.0.0.1", "kind": "spice"})) in fake.calls


def frame(payload):
    """As a browser sends it."""
    mask = os.urandom(4)
    size = len(payload)
    head = bytes([0x82, 0x80 | size]) if size < 126 else b"\x82\xfe" + size.to_bytes(2) if size < 1 << 16 else \
        b"\x82\xff" + size.to_bytes(8)
    key = (mask * (size // 4 + 1))[:size]
    return head + mask + (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


def read_frames(client, count):
    """The payload of unmasked binary frames, until there is so much."""
    data = b""
    while len(data) < count:
        kind, size = read(client, 2)
        assert kind == 0x82 and size < 128
        if size > 125:
            size = int.from_bytes(read(client, 2 if size == 126 else 8))
        data += read(client, size)
    return data


@pytest.mark.parametrize("piece", [1, 125, 126, 16384, 65536, 200_000])
def test_every_byte_arrives_both_ways(fake, desktops, piece):
    with tunnel(fake.web) as client, raw_websocket(fake.web) as browser:
        for desktop in desktops:
            echo(desktop)
        for _ in range(20):
            data = os.urandom(piece)
            client.sendall(data)
            assert read(client, piece) == data
            browser.sendall(frame(data))
            assert read_frames(browser, piece) == data


def test_desktop_that_ends_ends_the_tunnel(fake, desktops):
    with tunnel(fake.web) as client:
        desktops[0].sendall(b"last words")
        desktops[0].close()
        assert read(client, 10) == b"last words"
        assert client.recv(1) == b""
    with raw_websocket(fake.web) as browser:
        desktops[1].close()
        assert read(browser, 4) == b"\x88\x02\x03\xe8"
        assert browser.recv(1) == b""


@pytest.mark.parametrize("head", [
    "CONNECT example.com:443 HTTP/1.1\r\n\r\n",
    "CONNECT 127.0.0.1:22 HTTP/1.1\r\n\r\n",
    "CONNECT .carrel:1 HTTP/1.1\r\n\r\n",
    f"CONNECT {TICKET}.carrel.example.com:1 HTTP/1.1\r\n\r\n",
    f"CONNECT {TICKET}.carrel HTTP/1.1\r\n\r\n",
    f"CONNECT {TICKET}.carrel:0 HTTP/1.1\r\n\r\n",
    f"CONNECT {TICKET}.carrel:99999 HTTP/1.1\r\n\r\n",
    f"CONNECT  {TICKET}.carrel:1 HTTP/1.1\r\n\r\n",
    f"CONNECT {TICKET}.carrel:1 HTTP/2.0\r\n\r\n",
    f"CONNECT {TICKET}.carrel:1 HTTP/1.1\r\nbad field\r\n\r\n",
    f"CONNECT {TICKET}.carrel:1 HTTP/1.1\r\nX: \x01\r\n\r\n",
    f"CONNECT {'f' * 32}.carrel:1 HTTP/1.1\r\n\r\n",
    f"COPY {TICKET}.carrel:1 HTTP/1.1\r\n\r\n",
])
def test_connect_to_anything_else_is_refused(fake, desktops, head):
    raw = connect(fake.web, head)
    assert read_head(raw).startswith(b"HTTP/1.1 403 ")
    assert is_closed(raw)
    assert not desktops


@pytest.mark.parametrize("bytes_", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00\x01\x02", b"SSH-2.0-x\r\n", b"REDQ", b"C" * 10_000,
    f"CONNECT {TICKET}.carrel:1 HTTP/1.1\r\n\r\n\x16\x03\x01".encode(),
    b"\x16" * 100, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
])
def test_whatever_else_comes_is_closed(fake, desktops, bytes_):
    assert is_closed(connect(fake.web, bytes_))
    assert not desktops
    assert fake.web.browser().get("//").status_code == 200


def test_client_that_does_not_read_costs_little(fake, desktops):
    with tunnel(fake.web) as client:
        before = fake.web.memory()
        desktops[0].settimeout(1)
        sent = 0
        try:
            while sent < 256 << 20:
                sent += desktops[0].send(bytes(1 << 20))
        except TimeoutError:
            pass
        assert sent < 256 << 20, "it swallowed everything"
        assert fake.web.memory() - before < 4 << 20
        desktops[0].settimeout(60)
        assert read(client, sent) == bytes(sent)


def test_websocket_is_checked(fake, desktops):
    def status(**more):
        answered, client = ask_for_websocket(fake.web, **more)
        client.close()
        return answered
    assert status(ticket="f" * 32) == 403
    assert status(ticket="short") == 404
    assert status(ticket="..%2f..%2fmetrics") == 404
    assert status(origin="https://elsewhere.example") == 403
    assert status(origin=fake.web.url.replace("https", "http")) == 403
    assert status(protocol="chat") == 400
    assert fake.web.browser().get(f"//tunnel/{TICKET}").status_code == 400
    assert not desktops
    assert status(origin=fake.web.url) == 101


@pytest.mark.parametrize("frame", [
    b"\x82\x01x",                                    # not masked
    b"\x81\x81\0\0\0\0x",                            # text
    b"\xc2\x81\0\0\0\0x",                            # a bit that nobody agreed on
    b"\x80\x81\0\0\0\0x",                            # goes on with nothing
    b"\x83\x80\0\0\0\0",                             # no such frame
    b"\x09\x80\0\0\0\0",                             # a ping in parts
    b"\x89\xfe\x00\x7e\0\0\0\0" + bytes(126),        # a ping too long
    b"\x82\xff" + b"\xff" * 8 + bytes(4),            # longer than there are bytes
    pytest.param(os.urandom(4096), id="noise"),
])
def test_websocket_that_sends_garbage_is_closed(fake, desktops, frame):
    with raw_websocket(fake.web) as client, tunnel(fake.web) as other:
        client.sendall(frame)
        while client.recv(4096):
            pass
        desktops[1].sendall(b"unharmed")
        assert read(other, 8) == b"unharmed"


def test_websocket_in_fragments_with_ping_between(fake, desktops):
    with raw_websocket(fake.web) as client:
        client.sendall(b"\x02\x83\1\1\1\1" + bytes(c ^ 1 for c in b"abc") + b"\x89\x82\0\0\0\0hi" + b"\x80\x83\0\0\0\0def")
        assert read(desktops[0], 6) == b"abcdef"
        assert read(client, 4) == b"\x8a\x02hi"


def test_desktop_that_cannot_start(fake):
    def refuse(ticket, client):
        raise Refusal("Unavailable", "the desktop does not start: its disk is gone")
    fake.answers["OpenTunnel"] = refuse
    assert read_head(connect(fake.web)).startswith(b"HTTP/1.1 503 ")
    assert ask_for_websocket(fake.web)[0] == 503
