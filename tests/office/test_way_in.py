# SPDX-License-Identifier: Apache-2.0
"""
A user's way to a desktop from outside: the file of the API, spice-gtk with the proxy, the certificate and the subject that the
file names, CONNECT, TLS inside, and a real desktop.
"""
import configparser
import socket
import subprocess
import tempfile

import pytest

from test_desks import office, pytestmark  # noqa: F401
import sit
from carreld import PASSWORD
from gi.repository import SpiceClientGLib


class Viewer(sit.Seat):
    """As remote-viewer opens a file."""

    def __init__(self, text):
        parser = configparser.ConfigParser(interpolation=None, delimiters=["="])
        parser.read_string(text)
        self.file = {key: value.replace("\\n", "\n") for key, value in parser["virt-viewer"].items()}
        self.session = SpiceClientGLib.Session()
        self.displays, self.cursors, self.main_events, self.errors = {}, {}, [], []
        self.inputs = self.main = None
        self.gone = False

    def open(self):
        for name, key in (("host", "host"), ("tls-port", "tls-port"), ("password", "password"), ("proxy", "proxy"),
                          ("cert-subject", "host-subject")):
            self.session.set_property(name, self.file[key])
        self.authority = tempfile.NamedTemporaryFile()  # the property "ca" takes no Python bytes
        self.authority.write(self.file["ca"].encode())
        self.authority.flush()
        self.session.set_property("ca-file", self.authority.name)
        self.session.set_property("verify", SpiceClientGLib.SessionVerify.SUBJECT)
        self.session.set_property("secure-channels", ["all"])
        self.session.set_property("enable-usbredir", False)
        sit.spice.on(self.session, "channel-new", self._channel)
        sit.spice.on(self.session, "disconnected", self._disconnected)
        self.session.connect()
        return self

    def _channel(self, session, channel):
        sit.spice.on(channel, "channel-event", lambda _, event: self.errors.append(event))
        if isinstance(channel, SpiceClientGLib.MainChannel):
            self.main = channel
            sit.spice.on(channel, "channel-event", lambda _, event: self.main_events.append(event))
        elif isinstance(channel, SpiceClientGLib.DisplayChannel):
            self.displays[channel.get_property("channel-id")] = sit.spice.Display(channel)
            channel.connect()
        elif isinstance(channel, SpiceClientGLib.InputsChannel):
            sit.spice.on(channel, "channel-event", self._inputs_event)
            channel.connect()


@pytest.fixture
def anna(office, web):  # noqa: F811
    browser = web.signed_in("anna", PASSWORD, "api")
    browser.desktop = office.annas
    return browser


def test_viewer_of_a_host_that_listens_at_one_of_its_addresses(anna):
    """The page is at "localhost", which is ::1 for some, where nobody listens."""
    viewer = Viewer(anna.get(f"/desktops/{anna.desktop}/desktop.vv").text)
    assert viewer.file["proxy"] == f"http://127.0.0.1:{anna.web.port}"


@pytest.mark.parametrize("address, host, proxy", [("::1", "localhost", "[::1]"), ("127.0.0.1", "localhost", "127.0.0.1"),
                                                  ("127.0.0.1", "127.0.0.1", "127.0.0.1"), ("::1", "[::1]", "[::1]")])
def test_viewer_of_a_host_at_all_addresses(office, new_web, address, host, proxy):  # noqa: F811
    new_web.keys["listen"] = "0"
    new_web.start()
    with socket.create_connection((address, new_web.port), 60) as raw:
        token = new_web.signed_in("anna", PASSWORD, "api").headers["Authorization"]
        stream = new_web.tls(raw)
        stream.sendall(f"GET /api/v1/desktops/{office.annas}/desktop.vv HTTP/1.1\r\nHost: {host}:{new_web.port}\r\n"
                       f"Authorization: {token}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: stream.recv(65536), b"")).decode()
    viewer = Viewer(answer.partition("\r\n\r\n")[2])
    assert viewer.file["proxy"] == f"http://{proxy}:{new_web.port}"
    viewer.open()
    viewer.until(lambda: viewer.main and viewer.main_events, "the desktop's answer", 60)
    assert viewer.main_events[0] == SpiceClientGLib.ChannelEvent.OPENED


def test_viewer_opens_the_file(anna):
    answer = anna.get(f"/desktops/{anna.desktop}/desktop.vv")
    assert answer.status_code == 200, answer.text
    viewer = Viewer(answer.text).open()
    viewer.sit_down()
    viewer.press("a")
    viewer.until(lambda: viewer.count("a") == 1, "the a that was typed", 60)
    assert anna.get("/desktops/live", params={"id": anna.desktop}).json()[anna.desktop]["state"] == "running"


@pytest.mark.parametrize("key, value", [("host-subject", "CN=somebody else"), ("ca", None), ("host", "f" * 32 + ".carrel")])
def test_viewer_that_expects_another_host_goes(anna, key, value, tmp_path):
    viewer = Viewer(anna.get(f"/desktops/{anna.desktop}/desktop.vv").text)
    if value is None:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        tmp_path / "key", "-out", tmp_path / "other.pem", "-subj", "/CN=other"], check=True,
                       capture_output=True)
        value = (tmp_path / "other.pem").read_text()
    viewer.file[key] = value
    viewer.open()
    viewer.until(lambda: viewer.errors, "an end", 60)
    assert viewer.errors[0] != SpiceClientGLib.ChannelEvent.OPENED
