# SPDX-License-Identifier: Apache-2.0
"""
A whole host in a temporary folder: a real carreld, and whoever calls it. What tests ask for:

    carreld         the running daemon: .start(), .stop(), .kill(), .restart(), .log(), .connect()
    console         a Session at the host's own console
    web             a carrel-web beside it: .browser(), .signed_in(NAME, PASSWORD)
    visit(NAME)     a user's Caller of its API, made on first use, in a role as sign_in()
    sign_in(NAME)   a Session of a user, made on first use: "anna"; sign_in("olga", "operator"), sign_in("ada", "admin")
"""
import configparser
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from host import Connection, HostError, Session  # noqa: E402
from web import Web  # noqa: E402

BUILD = pathlib.Path(os.environ.get("CARREL_BUILD", HERE.parents[1] / "build"))
PASSWORD = "a carrel of one's own"


def config_text(groups):
    """{group: {key: value}} as a key file."""
    return "".join(f"[{group}]\n" + "".join(f"{key}={value}\n" for key, value in keys.items()) + "\n"
                   for group, keys in groups.items())


class Carreld:
    """A daemon whose host is a folder. The groups of its configuration may be changed before a start."""

    def __init__(self, folder):
        self.folder = folder
        self.state, self.runtime = folder / "state", folder / "run"
        self.socket = self.runtime / "carreld.socket"
        self.config = folder / "carreld.conf"
        self.groups = {
            "host": {"name": "desk1", "state": self.state, "runtime": self.runtime},
            "sign-in": {"password-cost": 3},
        }
        self.process = None
        self.connections = []

    def start(self):
        self.config.write_text(config_text(self.groups))
        with open(self.folder / "carreld.log", "ab") as log:
            self.process = subprocess.Popen([BUILD / "appliance/daemon/carreld", "--config", self.config],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until_it_serves()
        return self

    def _wait_until_it_serves(self):
        end = time.monotonic() + 60
        while True:
            try:
                Connection(self.socket).close()
                return
            except Exception:  # whatever a socket that is not there yet, or was another daemon's, says
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"carreld does not serve:\n{self.log()}") from None
                time.sleep(0.01)

    def log(self):
        return (self.folder / "carreld.log").read_text(errors="replace")

    def connect(self):
        self.connections.append(Connection(self.socket))
        return self.connections[-1]

    def console(self):
        return Session(self.connect())

    def first_password(self):
        parser = configparser.ConfigParser(interpolation=None, delimiters=["="])
        parser.read(self.state / "first-password")
        return parser["first administrator"]["password"]

    def signed_in(self, name, password=PASSWORD, **client):
        connection = self.connect()
        token, step = connection.SignIn(name, password, {"address": "192.0.2.7", "kind": "web", **client})
        assert step == ""
        return Session(connection, token)

    def stop(self):
        """Asks it to end; its exit status."""
        self.process.terminate()
        return self.process.wait(60)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def restart(self):
        assert self.stop() == 0
        return self.start()

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()


@pytest.fixture
def new_carreld(tmp_path):
    """One that is not started yet."""
    daemon = Carreld(tmp_path / "host")
    daemon.folder.mkdir()
    yield daemon
    daemon.end()


@pytest.fixture
def carreld(new_carreld):
    return new_carreld.start()


@pytest.fixture
def console(carreld):
    return carreld.console()


@pytest.fixture
def sign_in(carreld, console):
    def signed_in(name, role="user", **client):
        try:
            console.find("user", name)
        except HostError:
            console.make("user", name=name, role=role, password=PASSWORD)
        return carreld.signed_in(name, **client)
    return signed_in


@pytest.fixture
def new_web(new_carreld, tmp_path):
    """One that is not started yet."""
    folder = tmp_path / "web"
    folder.mkdir()
    web = Web(folder, BUILD / "web-ui/carrel-web", new_carreld.socket)
    yield web
    web.end()


@pytest.fixture
def web(carreld, new_web):
    return new_web.start()


@pytest.fixture
def visit(web, console):
    def visited(name, role="user", client="web"):
        try:
            console.find("user", name)
        except HostError:
            console.make("user", name=name, role=role, password=PASSWORD)
        return web.signed_in(name, PASSWORD, client)
    return visited


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With a test that failed, what the daemon said."""
    outcome = yield
    report = outcome.get_result()
    daemon = getattr(item, "funcargs", {}).get("new_carreld")
    if report.when == "call" and report.failed and daemon and (daemon.folder / "carreld.log").exists():
        report.sections.append(("carreld", daemon.log()[-8000:]))
    web = getattr(item, "funcargs", {}).get("new_web")
    if report.when == "call" and report.failed and web and web.process:
        report.sections.append(("carrel-web", web.log()[-8000:]))
