# SPDX-License-Identifier: Apache-2.0
"""Who may connect, how often they are told of, and what they may ask for."""

import os
import re
import socket
import stat
import subprocess
import time

import gi

gi.require_version("SpiceClientGLib", "2.0")
from gi.repository import SpiceClientGLib  # noqa: E402

CLOSED = SpiceClientGLib.ChannelEvent.CLOSED
AUTH_ERROR = SpiceClientGLib.ChannelEvent.ERROR_AUTH


def outcome(client):
    client.until(lambda: client.main_events, "an answer")
    return client.main_events[0]


def test_each_client_is_told_of_once(serve, connect):
    producer = serve()
    producer.do("surface 0 640 480")
    client = connect(producer)
    client.until_shows(producer.drawn())
    client.until(lambda: client.inputs and client.cursor, "all channels")
    client.turn(0.2)
    assert len([event for event in producer.poll() if event.startswith("connected")]) == 1
    connected = producer.wait_event("connected")
    assert re.fullmatch(rf"connected \d+ local process {os.getpid()} of user {os.getuid()}", connected)
    client.close()
    assert producer.wait_event("disconnected") == "dis" + connected
    client.turn(0.1)
    assert not producer.poll()
    producer.do("clients")
    assert producer.wait_event("clients") == "clients 0"


def test_tcp_peer_has_an_address(serve, connect, free_port):
    producer = serve("--port", free_port)
    producer.do("surface 0 640 480")
    client = connect(producer)
    client.until_shows(producer.drawn())
    assert re.fullmatch(r"connected \d+ 127\.0\.0\.1:\d+", producer.wait_event("connected"))


def test_socket_is_for_its_owner_alone(serve):
    producer = serve()
    assert stat.S_IMODE(os.stat(producer.path).st_mode) == 0o600


def test_right_ticket(serve, connect):
    producer = serve("--ticket", "sesame")
    assert connect(producer, ticket="sesame").opened


def test_wrong_ticket(serve, connect):
    producer = serve("--ticket", "sesame")
    assert outcome(connect(producer, ticket="mustard", wait=False)) == AUTH_ERROR
    assert connect(producer, ticket="sesame").opened


def test_no_ticket_lets_nobody_in(serve, connect):
    producer = serve("--no-first-ticket")
    assert outcome(connect(producer, ticket="", wait=False)) == AUTH_ERROR
    producer.do("ticket open")
    assert connect(producer, ticket="open").opened
    producer.do("ticket none")
    assert outcome(connect(producer, ticket="open", wait=False)) == AUTH_ERROR


def test_ticket_expires(serve, connect):
    producer = serve("--ticket", "first")
    producer.do("ticket short 2")
    assert connect(producer, ticket="short").opened
    time.sleep(3)
    assert outcome(connect(producer, ticket="short", wait=False)) == AUTH_ERROR


def test_a_second_client_displaces_the_first(serve, connect):
    producer = serve()
    producer.do("surface 0 640 480")
    first = connect(producer)
    first.until_shows(producer.drawn())
    second = connect(producer)
    second.until_shows(producer.drawn())
    first.until(lambda: CLOSED in first.main_events, "the first to be dropped")


def test_several_clients(serve, connect):
    producer = serve("--several")
    producer.do("surface 0 640 480")
    clients = [connect(producer) for _ in range(3)]
    for client in clients:
        client.until_shows(producer.drawn())
    producer.do("picture 0 gradient 3")
    for client in clients:
        client.until_shows(producer.drawn())
    producer.do("clients")
    assert producer.wait_event("clients") == "clients 3"
    clients[0].close()
    producer.wait_event("disconnected")
    producer.do("surface 0 700 500")
    for client in clients[1:]:
        client.until_shows(producer.drawn())


def test_monitors_are_asked_for(serve, connect):
    producer = serve("--scanouts", 2)
    producer.do("surface 0 640 480")
    producer.do("agent open")
    client = connect(producer)
    client.until_shows(producer.drawn())
    client.until(lambda: client.main.get_property("agent-connected"), "the agent, without which spice-gtk does not ask")
    client.main.update_display_enabled(0, True, False)
    client.main.update_display(0, 0, 0, 1440, 900, True)
    client.main.update_display_enabled(1, True, False)
    client.main.update_display(1, 1440, 0, 800, 600, True)
    assert client.main.send_monitor_config()
    client.turn(0.1)
    assert producer.wait_event("monitors 1440x900") == "monitors 1440x900+0+0 800x600+1440+0"


def test_unknown_address_is_refused(serve, tmp_path):
    program = serve().process.args[0]
    done = subprocess.run([program, "--port", "0", "--no-ticket", "--compression", "zip"], capture_output=True, text=True)
    assert done.returncode == 2


def test_port_in_use_is_one_line(serve, free_port):
    producer = serve("--port", free_port)
    done = subprocess.run([producer.process.args[0], "--port", str(free_port)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().count("\n") == 0 and str(free_port) in done.stderr


def test_socket_in_use_is_one_line(serve):
    producer = serve()
    done = subprocess.run([producer.process.args[0], "--unix", producer.path], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().count("\n") == 0 and producer.path in done.stderr
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(producer.path)


def test_no_wake_ups_without_a_client(serve, connect):
    producer = serve()
    producer.do("surface 0 640 480")
    client = connect(producer)
    client.until_shows(producer.drawn())
    client.close()
    producer.wait_event("disconnected")
    time.sleep(3)  # spice-server looks after a client's lock keys two seconds later
    before = producer.switches()
    time.sleep(3)
    assert producer.switches() == before
    assert len(producer.threads()) <= 4  # main, display, one worker, and GLib's for the producer's signal handler


def test_client_leaves_while_a_frame_is_under_way(serve, connect):
    """What spice-server gives back while it is taking a client's channels down must not be answered with a call to it."""
    producer = serve()
    producer.do("surface 0 1280 800")
    for _ in range(3):
        client = connect(producer)
        client.until_shows(producer.drawn())
        producer.do("animate 0 60")
        time.sleep(1)  # the client's loop does not turn meanwhile: a frame waits for it, and changes for the frame
        client.close()
        producer.do("animate 0 0")
        producer.do("clients")
        producer.wait_event("clients")
    last = connect(producer)
    last.until_shows(producer.drawn())
