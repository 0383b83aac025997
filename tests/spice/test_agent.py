# SPDX-License-Identifier: Apache-2.0
"""The agent's wire: VDAgent messages between the guest's port and a real client, with flow control both ways."""

import struct

import pytest

CLIENT_PORT = 1
PROTOCOL = 1
ANNOUNCE_CAPABILITIES, CLIPBOARD, CLIPBOARD_GRAB, CLIPBOARD_REQUEST = 6, 4, 7, 8
CAP_CLIPBOARD_BY_DEMAND, CAP_CLIPBOARD_SELECTION = 5, 6
UTF8 = 1


def message(type_, data):
    """A VDAgentMessage in VDIChunks of at most 2 KiB, as an agent writes it."""
    whole = struct.pack("<IIQI", PROTOCOL, type_, 0, len(data)) + data
    chunks = [whole[i:i + 2048] for i in range(0, len(whole), 2048)]
    return b"".join(struct.pack("<II", CLIENT_PORT, len(chunk)) + chunk for chunk in chunks)


class Guest:
    """The agent in the guest."""

    def __init__(self, producer):
        self.producer = producer
        self.stream = b""
        self.payload = b""

    def write(self, data):
        for i in range(0, len(data), 20000):
            self.producer.do(f"agent write {data[i:i + 20000].hex()}")

    def read(self):
        """Takes what came from the host, out of its chunks."""
        for event in list(self.producer.poll()):
            if event.startswith("agent got "):
                self.producer.events.remove(event)
                self.stream += bytes.fromhex(event.split()[2])
        while len(self.stream) >= 8:
            _, size = struct.unpack_from("<II", self.stream)
            if len(self.stream) < 8 + size:
                break
            self.payload += self.stream[8:8 + size]
            self.stream = self.stream[8 + size:]

    def messages(self):
        """Whole messages so far, as (type, data)."""
        self.read()
        found, at = [], 0
        while len(self.payload) - at >= 20:
            _, type_, _, size = struct.unpack_from("<IIQI", self.payload, at)
            if len(self.payload) - at < 20 + size:
                break
            found.append((type_, self.payload[at + 20:at + 20 + size]))
            at += 20 + size
        return found

    def announce(self):
        caps = 1 << CAP_CLIPBOARD_BY_DEMAND | 1 << CAP_CLIPBOARD_SELECTION
        self.write(message(ANNOUNCE_CAPABILITIES, struct.pack("<II", 1, caps)))


@pytest.fixture
def session(serve, connect):
    producer = serve()
    producer.do("surface 0 640 480")
    client = connect(producer)
    client.until_shows(producer.drawn())
    return producer, client, Guest(producer)


def agent_connected(client):
    return client.main.get_property("agent-connected")


def with_agent(producer, client):
    """An agent that has answered the client's question what it can; before that one, the server passes nothing on."""
    guest = Guest(producer)
    producer.do("agent take 100000")
    producer.do("agent open")
    client.until(lambda: ANNOUNCE_CAPABILITIES in [type_ for type_, _ in guest.messages()], "the client's question")
    guest.announce()
    client.until(lambda: client.main.agent_test_capability(CAP_CLIPBOARD_SELECTION), "what the agent can")
    return guest


def test_clients_are_told_of_the_agent(session):
    producer, client, guest = session
    client.turn(0.1)
    assert not agent_connected(client)
    producer.do("agent open")
    client.until(lambda: agent_connected(client), "the agent")
    producer.do("agent close")
    client.until(lambda: not agent_connected(client), "the agent to go")
    producer.do("agent open")
    client.until(lambda: agent_connected(client), "the agent again")


def test_the_guest_is_told_of_the_host(session):
    producer, client, guest = session
    producer.do("agent open")
    assert producer.wait_event("agent host") == "agent host open"
    producer.do("agent close")
    assert producer.wait_event("agent host") == "agent host closed"


def test_clipboard_from_the_guest(session):
    from client import on
    producer, client, _ = session
    grabs, texts = [], []
    on(client.main, "main-clipboard-selection-grab", lambda *call: grabs.append(call[1:]) or True)
    on(client.main, "main-clipboard-selection", lambda *call: texts.append(call))
    guest = with_agent(producer, client)
    guest.write(message(CLIPBOARD_GRAB, struct.pack("<BxxxI", 0, UTF8)))
    client.until(lambda: grabs, "the grab")
    client.main.clipboard_selection_request(0, UTF8)
    client.until(lambda: CLIPBOARD_REQUEST in [type_ for type_, _ in guest.messages()], "the request")


def test_clipboard_to_the_guest_waits_for_room(session):
    producer, client, guest = session
    producer.do("agent open")
    client.until(lambda: agent_connected(client), "the agent")
    guest.announce()
    client.until(lambda: client.main.agent_test_capability(CAP_CLIPBOARD_SELECTION), "what the agent can")
    text = bytes(range(32, 127)) * 300
    client.main.clipboard_selection_grab(0, [UTF8])
    client.main.clipboard_selection_notify(0, UTF8, text)
    client.turn(0.2)
    guest.read()
    assert not guest.payload
    for _ in range(200):
        producer.do("agent take 700")
        client.turn(0.002)
        if any(type_ == CLIPBOARD for type_, _ in guest.messages()):
            break
    data = [data for type_, data in guest.messages() if type_ == CLIPBOARD]
    assert data and data[0][8:] == text


def test_clipboard_to_the_desktop_only(serve, connect):
    from client import on
    producer = serve("--clipboard", 1)
    client = connect(producer)
    guest = with_agent(producer, client)
    grabs = []
    on(client.main, "main-clipboard-selection-grab", lambda *call: grabs.append(call) or True)
    guest.write(message(CLIPBOARD_GRAB, struct.pack("<BxxxI", 0, UTF8)))
    client.main.clipboard_selection_grab(0, [UTF8])
    client.main.clipboard_selection_notify(0, UTF8, b"from the client")
    client.until(lambda: any(type_ == CLIPBOARD for type_, _ in guest.messages()), "the text")
    assert [data[8:] for type_, data in guest.messages() if type_ == CLIPBOARD] == [b"from the client"]
    client.turn(0.2)
    assert not grabs


def test_clipboard_from_the_desktop_only(serve, connect):
    from client import on
    producer = serve("--clipboard", 2)
    client = connect(producer)
    guest = with_agent(producer, client)
    grabs = []
    on(client.main, "main-clipboard-selection-grab", lambda *call: grabs.append(call) or True)
    client.main.clipboard_selection_grab(0, [UTF8])
    client.main.clipboard_selection_notify(0, UTF8, b"from the client")
    guest.write(message(CLIPBOARD_GRAB, struct.pack("<BxxxI", 0, UTF8)))
    client.until(lambda: grabs, "the grab")
    client.main.clipboard_selection_request(0, UTF8)
    client.until(lambda: CLIPBOARD_REQUEST in [type_ for type_, _ in guest.messages()], "the request")
    assert not {CLIPBOARD, CLIPBOARD_GRAB} & {type_ for type_, _ in guest.messages()}
    assert b"from the client" not in guest.payload


def test_a_flood_from_the_guest_waits_and_is_whole(session):
    from client import on
    producer, client, guest = session
    texts = []
    on(client.main, "main-clipboard-selection", lambda main, selection, type_, data, size: texts.append(size))
    producer.do("agent take 100000")
    producer.do("agent open")
    client.until(lambda: agent_connected(client), "the agent")
    guest.announce()
    sizes = [10, 5000, 100000, 300000]
    for size in sizes:
        guest.write(message(CLIPBOARD, struct.pack("<BxxxI", 0, UTF8) + b"x" * size))
    client.until(lambda: texts == sizes, "all of it")


def test_an_agent_that_talks_nonsense_is_dropped_alone(session):
    producer, client, guest = session
    producer.do("agent open")
    client.until(lambda: agent_connected(client), "the agent")
    guest.write(b"\xff" * 4096)
    client.until(lambda: not agent_connected(client), "the agent to go")
    assert producer.wait_event("agent host closed")
    producer.do("picture 0 gradient 1")
    client.until_shows(producer.drawn())
    producer.do("agent close")
    producer.do("agent open")
    client.until(lambda: agent_connected(client), "the agent again")


def test_the_wire_is_still_while_paused(session):
    producer, client, guest = session
    producer.do("agent open")
    client.until(lambda: agent_connected(client), "the agent")
    guest.announce()
    client.until(lambda: client.main.agent_test_capability(CAP_CLIPBOARD_SELECTION), "what the agent can")
    producer.do("running 0")
    producer.do("agent take 100000")
    client.main.clipboard_selection_grab(0, [UTF8])
    client.turn(0.2)
    guest.read()
    assert CLIPBOARD_GRAB not in [type_ for type_, _ in guest.messages()]
    producer.do("running 1")
    client.until(lambda: CLIPBOARD_GRAB in [type_ for type_, _ in guest.messages()], "the grab")
