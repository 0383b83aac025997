# SPDX-License-Identifier: Apache-2.0
"""The two ways into a tunnel, by hand: a SPICE client's CONNECT with TLS inside, and a browser's WebSocket."""
TICKET = "0123456789abcdef0123456789abcdef"


def connect(web, head=f"CONNECT {TICKET}.carrel:1 HTTP/1.0\r\nHost: {TICKET}.carrel:1\r\n\r\n"):
    raw = web.raw()
    raw.sendall(head if isinstance(head, bytes) else head.encode())
    return raw


def read_head(raw):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = raw.recv(1)
        if not byte:
            break
        head += byte
    return head


def tunnel(web):
    raw = connect(web)
    assert read_head(raw).startswith(b"HTTP/1.1 200 ")
    return web.tls(raw)


def ask_for_websocket(web, ticket=TICKET, origin=None, protocol="binary"):
    client = web.tls()
    origin = f"Origin: {origin}\r\n" if origin else ""
    client.sendall(f"GET /tunnel/{ticket} HTTP/1.1\r\nHost: localhost:{web.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
                   f"Sec-WebSocket-Protocol: {protocol}\r\n{origin}\r\n".encode())
    return int(read_head(client).split()[1]), client


def raw_websocket(web):
    status, client = ask_for_websocket(web)
    assert status == 101
    return client


def read(sock, count):
    data = bytearray()
    while len(data) < count:
        part = sock.recv(min(65536, count - len(data)))
        assert part, "it ended early"
        data += part
    return bytes(data)
