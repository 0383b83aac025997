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
        on(self.manager, "device-added", lambda _, device: self.devices.append(device))

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

    def take_back(self, device):
        done = []
        self.manager.disconnect_device_async(device, None, lambda *_: done.append(True))
        self.client.until(lambda: done, "the end of taking it back")


@pytest.fixture
def start(serve, connect):
    """A server with redirection, a client with its channels open."""

    def start(channels=2, rules=""):
        producer = serve()
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


def test_refused_by_policy(start, image):
    """The client knows the rules, and does not even try."""
    producer, usb = start(1, "0x08,-1,-1,-1,0|-1,-1,-1,-1,1")
    device = usb.share(image)
    usb.client.until(lambda: not usb.manager.can_redirect_device(device) or usb.redirect(device), "a refusal")
    assert usb_events(producer) == []


def usb_events(producer):
    return [event for event in producer.poll() if event.startswith("usb attached")]


def test_client_vanishes_while_read(start, image):
    producer, usb = start()
    usb.redirect(usb.share(image))
    usb.event("usb attached")
    producer.do("usb-read client0 100000")
    usb.client.turn(0.2)
    usb.client.close()
    assert usb.event("usb detached") == "usb detached client0: its client went away"
    assert usb.event("usb failed") == "usb failed: not read"
