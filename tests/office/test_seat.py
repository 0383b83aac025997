# SPDX-License-Identifier: Apache-2.0
"""Connecting to desktops by tickets: a real client sits down at an echo disk, types, and sees it."""
import os
import socket
import time

import pytest

from rooms import Failure, Rooms
from sit import Seat
from test_desktops import end_all, wait_until_gone

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="no /dev/kvm")


@pytest.fixture
def rooms(tmp_path):
    house = Rooms(tmp_path / "house")
    yield house
    end_all(house)


def seat_at(rooms, desk, **who):
    ticket, password = rooms.connect(desk, **who)
    return Seat(lambda: rooms.tunnel(ticket), password)


def test_sits_down_types_and_switches_off(rooms):
    """From a desktop that is switched off to one that its user has switched off."""
    desk = rooms.desktop(wanted="stopped")
    seat = seat_at(rooms, desk)
    seat.sit_down()
    assert seat.count("b") == 0
    seat.press("b")
    seat.until(lambda: seat.count("b") == 1, "the key to be seen")
    assert "192.0.2.7" in rooms.live(desk)
    seat.press("escape")
    rooms.wait("submit desktop.want")
    assert rooms.rows["desktop", desk]["wanted"] == "stopped"
    rooms.wait_state(desk, "stopped")
    seat.until(lambda: len(seat.main_events) > 1, "the end of the main channel", 90)


def test_what_is_switched_off_while_nobody_looks_stays_off(rooms):
    desk = rooms.desktop()
    seat = seat_at(rooms, desk)
    seat.sit_down()
    pid = rooms.pid(desk)
    rooms.kill()
    seat.press("escape")
    wait_until_gone(pid)
    rooms.start()
    rooms.wait("submit desktop.want")
    assert rooms.rows["desktop", desk]["wanted"] == "stopped"
    assert "'stopped'" in rooms.live(desk)
    assert not (rooms.folder / "run" / desk / "record").exists()
    rooms.control(desk, "start")
    rooms.wait_state(desk, "running")


def test_what_is_switched_off_under_a_later_owner_stays_off(rooms):
    """Who is not the VMM's parent is told no exit status."""
    desk = rooms.desktop()
    seat = seat_at(rooms, desk)
    seat.sit_down()
    rooms.kill()
    rooms.start()
    rooms.wait_state(desk, "running")
    seat.press("escape")
    rooms.wait("submit desktop.want")
    assert rooms.rows["desktop", desk]["wanted"] == "stopped"
    rooms.wait_state(desk, "stopped")


def test_what_was_saved_is_there_after_a_stop_and_after_suspending(rooms):
    desk = rooms.desktop()
    seat = seat_at(rooms, desk)
    seat.sit_down()
    seat.press("c")
    seat.press("tab")
    seat.until(lambda: seat.count("c") == 1 and seat.count("e") == 1, "“c saved”")
    seat.press("b")
    seat.until(lambda: seat.count("b") == 1, "the other")
    rooms.control(desk, "suspend")
    rooms.wait_state(desk, "suspended")
    rooms.control(desk, "start")
    rooms.wait_state(desk, "running")
    seat = seat_at(rooms, desk)
    seat.sit_down()
    assert seat.count("b") == 1, "what stood on the screen before it was suspended"
    rooms.control(desk, "stop")
    rooms.wait_state(desk, "stopped")
    seat = seat_at(rooms, desk)
    seat.sit_down()
    seat.until(lambda: seat.count("c") == 1, "what was saved")
    assert seat.count("b") == 0


def test_one_who_helps_displaces_nobody(rooms):
    desk = rooms.desktop()
    seat, helper = seat_at(rooms, desk), seat_at(rooms, desk, session="two", user="ben")
    for one in (seat, helper):
        one.until(lambda: one.opened and one.display and one.display.pixels() is not None, "the picture")
    assert len(seat.main_events) == len(helper.main_events) == 1


def is_closed(stream, timeout=10):
    stream.settimeout(timeout)
    try:
        while stream.recv(4096):
            pass
        return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_ticket_that_nobody_gave(rooms):
    rooms.desktop()
    rooms.say("tunnel 00112233445566778899aabbccddeeff")
    assert "not good" in rooms.wait("failed tunnel")


def test_desktop_that_is_not_there(rooms):
    rooms.say("connect 6a0f4c34-70ee-4f6e-8d5e-3b8a3ad2f6f1 session anna")
    assert "no such desktop" in rooms.wait("failed connect")


def test_right_that_ends_cuts_the_connection(rooms):
    desk, other = rooms.desktop(), rooms.desktop()
    annas = rooms.tunnel(rooms.connect(desk, user="anna")[0])
    bens = rooms.tunnel(rooms.connect(other, session="two", user="ben")[0])
    unused, _ = rooms.connect(desk, user="anna")
    rooms.say("disallow anna")
    assert rooms.wait(f"client {desk} 0").startswith("tester 192.0.2.7")
    assert is_closed(annas)
    rooms.say(f"tunnel {unused}")
    assert "not good" in rooms.wait("failed tunnel")
    assert not is_closed(bens, 0.5)


def is_connected(seat):
    seat.until(lambda: seat.opened and seat.display and seat.display.pixels() is not None, "the picture", 90)


def another_owner(rooms, *desks):
    """The one before is killed, and connections are as they were."""
    rooms.kill()
    rooms.start()
    for desk in desks:
        rooms.wait_state(desk, "running")


def test_right_that_ends_cuts_what_an_earlier_owner_opened(rooms):
    desk = rooms.desktop()
    seat, helper = seat_at(rooms, desk), seat_at(rooms, desk, session="two", user="ben")
    is_connected(seat)
    is_connected(helper)
    unused, _ = rooms.connect(desk, user="anna")
    another_owner(rooms, desk)
    rooms.wait(f"client {desk} 2")
    rooms.wait(f"client {desk} 2")
    assert "192.0.2.7" in rooms.live(desk)
    rooms.say("disallow anna")
    rooms.wait(f"client {desk} 0")
    seat.until(lambda: len(seat.main_events) > 1, "the end of the main channel", 90)
    rooms.say(f"tunnel {unused}")
    assert "not good" in rooms.wait("failed tunnel")
    helper.turn(0.5)
    assert len(helper.main_events) == 1, "who has a right to it is cut too"


def test_right_that_ends_before_the_vmm_answers(rooms):
    """What the owner cannot cut yet it must not forget to."""
    desk = rooms.desktop()
    seat = seat_at(rooms, desk)
    is_connected(seat)
    rooms.kill()
    rooms.start()
    rooms.say("disallow anna")
    rooms.wait(f"client {desk} 0")
    seat.until(lambda: len(seat.main_events) > 1, "the end of the main channel", 90)


def test_connection_that_nobody_wrote_down_is_cut(rooms):
    desk = rooms.desktop()
    seat = seat_at(rooms, desk)
    is_connected(seat)
    rooms.kill()
    (rooms.folder / "run" / desk / "tickets").unlink()
    rooms.start()
    seat.until(lambda: len(seat.main_events) > 1, "the end of the main channel", 90)


def test_ticket_of_an_earlier_owner_is_good(rooms):
    desk = rooms.desktop(wanted="stopped")
    ticket, password = rooms.connect(desk)
    another_owner(rooms, desk)
    seat = Seat(lambda: rooms.tunnel(ticket), password)
    is_connected(seat)
    another_owner(rooms, desk)
    assert rooms.connect(desk)[1] == password, "who comes later would not be let in beside them"


def test_ticket_of_a_session_that_ended_stays_void(rooms):
    desk = rooms.desktop()
    ticket, _ = rooms.connect(desk)
    rooms.say("over session")
    rooms.live(desk)  # an answer: that was done
    another_owner(rooms, desk)
    rooms.say(f"tunnel {ticket}")
    assert "not good" in rooms.wait("failed tunnel")


def test_end_of_what_an_earlier_owner_opened_is_heard_of(rooms):
    desk = rooms.desktop()
    seat = seat_at(rooms, desk)
    is_connected(seat)
    another_owner(rooms, desk)
    rooms.wait(f"client {desk} 2")
    seat.close()
    seat.until(lambda: "192.0.2.7" not in rooms.live(desk), "the end of its channels", 90)  # which the library comes to one by one
    assert any(line.startswith(f"client {desk} 0") for line in rooms.lines)


def test_session_that_ends_leaves_the_connection(rooms):
    desk = rooms.desktop()
    used, _ = rooms.connect(desk)
    stream = rooms.tunnel(used)
    unused, _ = rooms.connect(desk)
    rooms.say("over session")
    rooms.say(f"tunnel {unused}")
    assert "not good" in rooms.wait("failed tunnel")
    assert not is_closed(stream, 0.5)
    rooms.tunnel(used).close()  # another channel of the same client


def test_carrier_that_goes_takes_its_connections_along(rooms):
    desk = rooms.desktop()
    stream = rooms.tunnel(rooms.connect(desk)[0])
    rooms.say("gone carrier")
    assert is_closed(stream)


def test_end_of_a_connection_is_heard_of(rooms):
    desk = rooms.desktop()
    stream = rooms.tunnel(rooms.connect(desk)[0])
    assert any(line.startswith(f"client {desk} 1") for line in rooms.lines)
    stream.shutdown(socket.SHUT_RDWR)
    stream.close()
    rooms.wait(f"client {desk} 0")


def test_password_is_another_when_nobody_is_there(rooms):
    desk = rooms.desktop()
    ticket, first = rooms.connect(desk)
    stream = rooms.tunnel(ticket)
    assert rooms.connect(desk)[1] == first, "whose channels would come too late with the old one"
    stream.shutdown(socket.SHUT_RDWR)
    rooms.wait(f"client {desk} 0")
    rooms.control(desk, "stop")
    rooms.wait_state(desk, "stopped")
    assert rooms.connect(desk)[1] != first


def test_wrong_password_is_refused(rooms):
    desk = rooms.desktop()
    ticket, _ = rooms.connect(desk)
    seat = Seat(lambda: rooms.tunnel(ticket), "wrong")
    seat.until(lambda: seat.main_events, "an answer")
    assert not seat.opened


def test_start_that_fails_is_told_to_who_waits(tmp_path):
    house = Rooms(tmp_path / "house", "memory=50")
    desk = house.desktop(wanted="stopped")
    house.say(f"connect {desk} session anna")
    ticket, _ = house.wait("ticket").split(" ")
    house.say(f"tunnel {ticket}")
    assert "memory" in house.wait("failed tunnel")
    house.end()


def test_ticket_that_is_used_again_and_again(rooms):
    """Whose every use goes into the audit trail."""
    desk = rooms.desktop()
    ticket, _ = rooms.connect(desk)
    for _ in range(8):
        rooms.tunnel(ticket).shutdown(socket.SHUT_RDWR)
        rooms.wait(f"client {desk} 0")
    rooms.say(f"tunnel {ticket}")
    assert "not good" in rooms.wait("failed tunnel")


def test_too_many_tickets(rooms):
    desk = rooms.desktop()
    with pytest.raises(Failure):
        for _ in range(33):
            rooms.say(f"connect {desk} session anna")
            rooms.wait("ticket", 2)
    assert any("connections of this session" in line for line in rooms.lines[-3:])
