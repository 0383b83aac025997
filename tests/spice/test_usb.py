# SPDX-License-Identifier: Apache-2.0
"""USB redirection with a real client: spice-gtk offers a CD made of a file, as it would a stick in its port."""

import hashlib
import os

import gi
import pytest
from client import on

gi.require_version("SpiceClientGLib", "2.0")
from gi.repository import SpiceClientGLib  # noqa: E402

BLOCK = 2048


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "disc.iso"
    path.write_bytes(os.urandom(700 * BLOCK))
    return path


class Usb:
    """The client's devices."""

    def __init__(self, producer, client):
        self.producer = producer
        self.client = client
        self.manager = SpiceClientGLib.UsbDeviceManager.get(client.session)
        self.outcome = []
        self.devices = []
        self.errors = []
        on(self.manager, "device-added", lambda _, device: self.devices.append(device))
        on(self.manager, "device-error", lambda _, device, error: self.errors.append(error.message))

    def share(self, image):
        n = len(self.devices)
        assert self.manager.create_shared_cd_device(str(image))
        self.client.until(lambda: len(self.devices) > n, "the disc in the client")
        return self.devices[-1]

    def redirect(self, device):
        """Returns None, or what the client's user is told."""
        self.outcome.clear()
        self.manager.connect_device_async(device, None, self._connected)
        self.client.until(lambda: self.outcome, "the end of redirecting")
        return self.outcome[0]

    def _connected(self, manager, result):
        try:
            manager.connect_device_finish(result)
            self.outcome.append(None)
        except gi.repository.GLib.Error as error:
            self.outcome.append(error.message)

    def event(self, start):
        """The next event at the desktop's end that begins so; the client works meanwhile."""
        self.client.until(lambda: any(event.startswith(start) for event in self.producer.poll()), start)
        return self.producer.wait_event(start)

    def wait_for_cut(self):
        """A read is cut off, wherever it was: the bus and the reader are told, in either order."""
        wanted = "usb detached client0: its client went away", "usb failed: "
        self.client.until(lambda: all(any(event.startswith(start) for event in self.producer.poll()) for start in wanted),
                          "both ends' being told")
        self.producer.events.clear()

    def take_back(self, device):
        done = []
        self.manager.disconnect_device_async(device, None, lambda *_: done.append(True))
        self.client.until(lambda: done, "the end of taking it back")


@pytest.fixture
def start(serve, connect):
    """A server with redirection, a client with its channels open."""

    def start(channels=2, rules="", *options):
        producer = serve(*options)
        producer.do(f"usb {channels} {rules}".strip())
        usb = Usb(producer, connect(producer))
        usb.client.until(lambda: usb.manager.get_property("free-channels") == channels, "the channels")
        return producer, usb

    return start


def test_disc_is_read(start, image):
    producer, usb = start()
    assert usb.redirect(usb.share(image)) is None
    assert usb.event("usb attached") == "usb attached client0: its client redirects it"
    producer.do("usb-read client0 3")
    content = hashlib.sha256(image.read_bytes() * 3).hexdigest()
    assert usb.event("usb ") == f"usb read {3 * 700 * BLOCK} {content}"


def test_taken_back_and_given_again(start, image):
    producer, usb = start()
    device = usb.share(image)
    for _ in range(3):
        assert usb.redirect(device) is None
        usb.event("usb attached client0")
        usb.take_back(device)
        assert usb.event("usb detached") == "usb detached client0: its client took it back"


def test_two_at_a_time_and_no_more(start, image, tmp_path):
    """Whoever plugs in the last that fits is told, here; the client tells its user of the one that does not."""
    producer, usb = start(2)
    other = tmp_path / "other.iso"
    other.write_bytes(os.urandom(50 * BLOCK))
    for number, path in enumerate((image, other)):
        assert usb.redirect(usb.share(path)) is None
        usb.event(f"usb attached client{number}")
    assert usb.event("usb refused").startswith("usb refused -: all 2 redirection channels are in use")
    assert usb.manager.get_property("free-channels") == 0
    producer.do("usb-read client1")
    assert usb.event("usb read").split()[-1] == hashlib.sha256(other.read_bytes()).hexdigest()


def test_the_ninth_is_refused(start, tmp_path):
    """Eight channels, as a desktop has them: who plugs in one more is told, and so is the desktop's log."""
    _producer, usb = start(8)
    devices = []
    for number in range(9):
        path = tmp_path / f"{number}.iso"
        path.write_bytes(os.urandom(20 * BLOCK))
        devices.append(usb.share(path))
    for number in range(8):
        assert usb.redirect(devices[number]) is None
        usb.event(f"usb attached client{number}")
    assert usb.event("usb refused").startswith("usb refused -: all 8 redirection channels are in use")
    assert "channel" in usb.redirect(devices[8]).lower()
    usb.take_back(devices[3])
    usb.event("usb detached client3")
    assert usb.redirect(devices[8]) is None
    usb.event("usb attached client3")


def test_refused_by_policy(start, image):
    """The client is told the rules, and tells its user that they are the reason."""
    producer, usb = start(1, "0x08,-1,-1,-1,0|-1,-1,-1,-1,1")
    device = usb.share(image)
    assert usb.redirect(device) or not usb.client.until(lambda: usb.errors, "a word for the user")
    assert [event for event in producer.poll() if event.startswith("usb attached")] == []


def test_refused_by_policy_in_spite(start, plug_in, image):
    """One that does not keep to the rules is told that its device was refused; the next one is taken."""
    producer, usb = start(1, "0x08,-1,-1,-1,0|-1,-1,-1,-1,1", "--several")
    peer = plug_in(producer, "disk", file=image)
    assert peer.said() == "refused"
    assert usb.event("usb refused") == "usb refused client0: the desktop's USB policy does not allow it"
    peer.vanish()
    plug_in(producer, "camera")
    usb.event("usb attached client0")


def test_client_vanishes_while_read(start, image):
    producer, usb = start()
    usb.redirect(usb.share(image))
    usb.event("usb attached")
    producer.do("usb-read client0 100000")
    usb.client.turn(0.2)
    usb.client.close()
    usb.wait_for_cut()


def test_device_vanishes_while_read(start, plug_in, image):
    """Its process is killed with transfers under way: they fail, and a new device finds everything in order."""
    producer, usb = start(1, "", "--several")
    peer = plug_in(producer, "disk", file=image)
    usb.event("usb attached client0")
    producer.do("usb-read client0 100000")
    usb.client.turn(0.2)
    peer.vanish()
    usb.wait_for_cut()
    plug_in(producer, "disk", file=image)
    usb.event("usb attached client0")
    producer.do("usb-read client0")
    size = image.stat().st_size
    assert usb.event("usb read") == f"usb read {size} {hashlib.sha256(image.read_bytes()).hexdigest()}"


def test_two_clients(start, connect, image, tmp_path):
    """The channels are the first client's (spice-server offers them to nobody else); what it has stays, whoever comes and goes."""
    producer, first = start(1, "", "--several")
    assert first.redirect(first.share(image)) is None
    first.event("usb attached client0")
    second = Usb(producer, connect(producer))
    second.client.turn(0.5)
    other = tmp_path / "other.iso"
    other.write_bytes(os.urandom(50 * BLOCK))
    device = second.share(other)
    assert "channel" in second.redirect(device).lower()
    producer.do("usb-read client0")
    assert first.event("usb read").split()[-1] == hashlib.sha256(image.read_bytes()).hexdigest()
    second.client.close()
    first.client.turn(0.5)
    assert not [event for event in producer.poll() if event.startswith("usb detached")]
    first.client.close()
    first.event("usb detached client0")
    third = Usb(producer, connect(producer))
    third.client.until(lambda: third.manager.get_property("free-channels") == 1, "the channel")
    assert third.redirect(third.share(other)) is None
    third.event("usb attached client0")


@pytest.mark.parametrize("jitter", [0, 50])
def test_streams(start, plug_in, jitter):
    """A camera and a headset at once, over a network that is late by up to 50 ms: nothing is lost, in or out."""
    producer, usb = start(2, "", "--several")
    camera = plug_in(producer, "camera", jitter=jitter)
    headset = plug_in(producer, "headset", number=1, client=camera.client, jitter=jitter)
    for number in range(2):
        usb.event(f"usb attached client{number}")
        producer.do(f"usb-stream client{number} 5")
    streamed = sorted(list(map(int, usb.event("usb streamed").split()[2::2])) for _ in range(2))
    (packets, lost, _empty, sent), (frames, frames_lost, _frames_empty, _) = streamed
    assert packets > 4000 and frames > 8 * 4000, streamed
    assert (lost, frames_lost) == (0, 0), streamed
    told = headset.end()
    assert told["received"] > sent / 2 and told["lost"] == 0, (told, sent)
