# SPDX-License-Identifier: Apache-2.0
"""
A whole host in a temporary folder: a real carreld, and whoever calls it. What tests ask for:

    carreld         the running daemon: .start(), .stop(), .kill(), .restart(), .log(), .connect()
    console         a Session at the host's own console
    web             a carrel-web beside it: .browser(), .signed_in(NAME, PASSWORD)
    fake            a carreld that says what a test wants, and its .web
    visit(NAME)     a user's Caller of its API, made on first use, in a role as sign_in()
    sign_in(NAME)   a Session of a user, made on first use: "anna"; sign_in("olga", "operator"), sign_in("ada", "admin")
"""
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from carreld import BUILD, PASSWORD, Carreld  # noqa: E402
from fake import FakeCarreld  # noqa: E402
from host import HostError  # noqa: E402
from web import Web  # noqa: E402


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


@pytest.fixture
def fake(tmp_path):
    """A FakeCarreld (fake.py) and a carrel-web that knows no other: .web; what it answers is fake.answers."""
    folder = tmp_path / "web"
    folder.mkdir()
    daemon = FakeCarreld(tmp_path / "carreld.socket")
    daemon.web = Web(folder, BUILD / "web-ui/carrel-web", tmp_path / "carreld.socket").start()
    yield daemon
    daemon.web.end()
    daemon.end()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With a test that failed, what the daemon said."""
    outcome = yield
    report = outcome.get_result()
    daemon = getattr(item, "funcargs", {}).get("new_carreld")
    if report.when == "call" and report.failed and daemon and (daemon.folder / "carreld.log").exists():
        report.sections.append(("carreld", daemon.log()[-8000:]))
    arguments = getattr(item, "funcargs", {})
    web = arguments.get("new_web") or getattr(arguments.get("fake"), "web", None)
    if report.when == "call" and report.failed and web and web.process:
        report.sections.append(("carrel-web", web.log()[-8000:]))
