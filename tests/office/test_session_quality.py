# SPDX-License-Identifier: Apache-2.0
"""How good a session is, as an administrator sees it: somebody sits at an echo disk and types; what is counted of that, and where."""
import re
import socket

import pytest

from test_desks import CLIENT, office, pytestmark  # noqa: F401
from sit import Seat

LINE = re.compile(r'carrel_(?P<name>\w+)\{(?P<labels>.*)\} (?P<number>\S+)')
TIMINGS = ("frame_age_seconds", "input_seconds")


class Annas(Seat):
    """Anna's, who leaves as a tunnel's end does: its keeper has the socket too, so it is to be shut down, not only closed."""

    def __init__(self, office):  # noqa: F811
        self.ends = []
        ticket, password, _ = office.anna.Connect(office.annas, {})
        super().__init__(lambda: self.keep(office.anna.connection.OpenTunnel(ticket, CLIENT)), password)

    def keep(self, fd):
        tunnel = socket.socket(fileno=fd)
        self.ends.append(tunnel.dup())
        return tunnel

    def leave(self):
        while self.ends:
            end = self.ends.pop()
            end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.close()


@pytest.fixture
def seat(office):  # noqa: F811
    seat = Annas(office)
    seat.sit_down()
    yield seat
    seat.leave()


def metrics(office):  # noqa: F811
    return numbers_of(office.olga)


def numbers_of(session):
    """Numbers by name and labels, of those about a desktop or a session."""
    found = {}
    for line in session.GetMetrics().splitlines():
        if match := LINE.fullmatch(line):
            labels = tuple(sorted(re.findall(r'(\w+)="([^"]*)"', match["labels"])))
            assert (match["name"], labels) not in found, f"twice: {line}"
            found[match["name"], labels] = float(match["number"])
    return found


def of_desktop(office, numbers, name):  # noqa: F811
    return numbers["desktop_" + name, (("desktop", office.annas), ("name", "Anna's"))]


def of_sessions(numbers, name):
    return {dict(labels)["session"]: number for (each, labels), number in numbers.items() if each == "session_" + name}


def type_until_counted(office, seat, keys="bcbc"):  # noqa: F811
    before = of_desktop(office, metrics(office), "input_seconds_count")
    for key in keys:
        seen = seat.count(key)
        seat.press(key)
        seat.until(lambda: seat.count(key) > seen, "the key to be seen")
    numbers = {}

    def counted():
        numbers.update(metrics(office))
        return of_desktop(office, numbers, "input_seconds_count") >= before + 1

    seat.until(counted, "an input to be counted")
    return numbers


def test_what_is_counted_of_typing(office, seat):  # noqa: F811
    numbers = type_until_counted(office, seat)
    for timing in TIMINGS:
        count = of_desktop(office, numbers, f"{timing}_count")
        within = sorted((float(dict(labels)["le"]), number) for (name, labels), number in numbers.items()
                        if name == f"desktop_{timing}_bucket")
        assert len(within) > 4 and within[-1] == (float("inf"), count) and count >= 1
        assert within == sorted(within, key=lambda bound: bound[1]), "a higher bound holds the lower ones'"
        assert of_desktop(office, numbers, f"{timing}_sum") > 0
    assert of_desktop(office, numbers, "client_sent_bytes_total") > of_desktop(office, numbers, "client_received_bytes_total") > 0


def test_a_session_is_counted_from_its_beginning(office, seat):  # noqa: F811
    numbers = type_until_counted(office, seat)
    (session, inputs), = of_sessions(numbers, "input_seconds_count").items()
    assert inputs >= 1 and of_sessions(numbers, "sent_bytes_total")[session] > 0
    assert of_sessions(numbers, "usb_errors_total") == {session: 0}
    line, = [each for each in office.ada.ListSessions() if each.get("desktop")]
    assert line["id"] == session and line["name"] == "anna" and line["desktop"] == office.annas
    assert line["input_us"] > 0 and line["frame_age_us"] > 0 and line["client_sent"] > 0

    # the desktop goes on counting, the next session begins with nothing
    seat.leave()
    seat.until(lambda: not of_sessions(metrics(office), "input_seconds_count"), "the session's end")
    after = Annas(office)
    after.sit_down()
    numbers = metrics(office)
    assert of_desktop(office, numbers, "input_seconds_count") >= inputs
    assert list(of_sessions(numbers, "input_seconds_count").values()) == [0]
    after.leave()


def test_whom_another_daemon_finds_there(office, carreld, seat):  # noqa: F811
    """The desktop has all that it counted, the session what came since that daemon knew of it."""
    before = type_until_counted(office, seat)
    (session,) = of_sessions(before, "sent_bytes_total")
    carreld.kill()
    carreld.start()
    console = carreld.console()
    numbers = {}

    def is_known():
        numbers.clear()
        numbers.update(numbers_of(console))
        return of_sessions(numbers, "input_seconds_count")

    seat.until(is_known, "the session")
    assert of_sessions(numbers, "input_seconds_count") == {session: 0}
    assert of_desktop(office, numbers, "input_seconds_count") >= of_desktop(office, before, "input_seconds_count")
    seat.press("b")
    seat.until(lambda: is_known()[session] >= 1, "an input to be counted")


def test_how_it_is_now(office, seat):  # noqa: F811
    """The mean of the last moments is there while somebody is, and only once something happened."""
    def live():
        return office.anna.GetLive([office.annas])[office.annas]

    office.anna.Subscribe(0)
    seat.until(lambda: "client_sent" in live(), "the first figures")
    type_until_counted(office, seat)
    seat.until(lambda: live().get("input_us", 0) > 0 and live().get("frame_age_us", 0) > 0, "the means")
    seat.leave()
    seat.until(lambda: "input_us" not in live() and "frame_age_us" not in live(), "nothing to tell any more")
