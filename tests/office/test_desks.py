# SPDX-License-Identifier: Apache-2.0
"""
An office at work, through the daemon: an image comes, desktops are made of it and given to people, who sit down at them. The
desktop is the echo disk.
"""
import hashlib
import json
import os
import socket
import struct
import subprocess
import time

import pytest
from carreld import BUILD, PASSWORD, is_there
from host import HostError, Session
from sit import Seat

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="no /dev/kvm")

ECHO = (BUILD / "tests/office/echo.raw").read_bytes().ljust(1 << 20, b"\0")
CLIENT = {"address": "192.0.2.7", "kind": "web"}


def refused(call, *arguments, **more):
    with pytest.raises(HostError) as failure:
        call(*arguments, **more)
    return failure.value.code


def wait_job(session, job):
    """The job, when it has ended."""
    def ended():
        return next(each for each in session.ListJobs() if each["id"] == job and each["state"] != "running")
    return session.connection.wait(lambda: next(
        (each for each in session.ListJobs() if each["id"] == job and each["state"] != "running"), None), f"an end of {job}")


def send(session, image, content, announced=None):
    """Uploads; the job's end."""
    sink, job = session.Upload(image, len(content) if announced is None else announced)
    try:
        with os.fdopen(sink, "wb") as pipe:
            pipe.write(content)
    except BrokenPipeError:
        pass
    return wait_job(session, job)


def upload(session, name="Echo", content=ECHO):
    image = session.make("image", name=name, type="disk")
    assert send(session, image, content)["state"] == "done"
    session.connection.wait(lambda: session.Get("image", image)["state"] == "ready", "the image in the store")
    return image


def state(session, desktop):
    return session.GetLive([desktop]).get(desktop, {}).get("state", "stopped")


def wait_state(session, desktop, *wanted):
    return session.connection.wait(lambda: state(session, desktop) in wanted and state(session, desktop), f"{desktop} {wanted}")


@pytest.fixture
def office(console, sign_in):
    class Office:
        anna, bert, olga, ada = sign_in("anna"), sign_in("bert"), sign_in("olga", "operator"), sign_in("ada", "admin")
        image = upload(ada)
        machine = {"memory": 64, "vcpus": 1, "firmware": "bios", "disks": [{"type": "disk", "image": image}]}
        annas = olga.make("desktop", name="Anna's", **machine)
    office = Office()
    office.user = {name: getattr(office, name).GetSession()["user"] for name in ("anna", "bert", "olga", "ada")}
    console.make("assignment", user=office.user["anna"], desktop=office.annas)
    return office


def speaks_spice(fd):
    """Whether whoever is at the other end answers a SPICE client's first words."""
    with socket.socket(fileno=fd) as stream:
        words = struct.pack("<IBBIII", 0, 1, 0, 1, 0, 18) + struct.pack("<I", 0)
        stream.sendall(b"REDQ" + struct.pack("<III", 2, 2, len(words)) + words)
        stream.settimeout(60)
        answer = stream.recv(4)
        stream.shutdown(socket.SHUT_RDWR)
    return answer == b"REDQ"


def picture(session, desktop):
    """A PNG, once the desktop shows anything."""
    def look():
        try:
            return session.read("Screenshot", desktop, 0)
        except HostError as error:
            assert error.code == "Busy"
            return None
    return session.connection.wait(look, "a picture")


def test_an_image_comes(office):
    image = office.ada.Get("image", office.image)
    assert image["size"] == len(ECHO)
    assert refused(office.ada.Upload, office.image, 1) == "InUse"
    assert [job["state"] for job in office.ada.ListJobs()] == ["done"]
    assert office.anna.ListJobs() == [] and len(office.olga.ListJobs()) == 1


def test_sum_of_an_image_is_that_of_the_file_that_came(console, tmp_path):
    """Which somebody can compare with theirs; what is kept of it was converted."""
    raw, packed = tmp_path / "raw", tmp_path / "qcow2"
    raw.write_bytes(ECHO)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, packed], check=True)
    image = console.Get("image", upload(console, "Packed", packed.read_bytes()))
    assert image["sha256"] == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert image["size"] == len(ECHO)


def test_images_that_do_not_come(office):
    for content, announced in ((b"", 0), (ECHO, len(ECHO) + 1), (b"QFI\xfb" + b"\0" * 600, 0)):
        image = office.ada.make("image", name=f"Broken {announced} {len(content)}", type="disk")
        job = send(office.ada, image, content, announced)
        assert job["state"] == "failed" and job["error"]
        office.ada.connection.wait(lambda: office.ada.Get("image", image)["state"] == "failed", "the end of it")
        office.ada.do("image.delete", image=image)
    assert office.ada.ListOrphans() == []


def test_an_upload_is_called_off(office):
    image = office.ada.make("image", name="Never", type="disk")
    sink, job = office.ada.Upload(image, len(ECHO))
    assert refused(office.anna.CancelJob, job) == "NotFound"
    office.ada.CancelJob(job)
    assert wait_job(office.ada, job)["state"] == "failed"
    os.close(sink)


def test_anna_sits_down(office, console):
    anna = office.anna
    mine = anna.ListMine()
    assert [(each["kind"], each["name"], each["state"]) for each in mine] == [("desktop", "Anna's", "stopped")]
    anna.Subscribe(0)
    office.bert.Subscribe(0)
    ticket, password, expires = anna.Connect(office.annas, {})
    assert len(ticket) == 32 and password and expires > time.time() * 1e6
    assert speaks_spice(anna.connection.OpenTunnel(ticket, CLIENT))
    assert state(anna, office.annas) == "running"
    anna.connection.wait_event("desktop", lambda data: data.get("state") == "running")
    assert picture(anna, office.annas)[:4] == b"\x89PNG"
    for strangers in (office.bert,):
        assert refused(strangers.Connect, office.annas, {}) == "NotFound"
        assert refused(strangers.Screenshot, office.annas, 0) == "NotFound"
        assert strangers.GetLive([office.annas]) == {}
    assert [event for event in office.bert.connection.events if event[1] == "desktop"] == []
    assert refused(office.bert.connection.OpenTunnel, "0" * 32, CLIENT) == "NotFound"
    console.connection.wait(lambda: [line for line in console.ListAudit({"column": "command", "value": "audit.note"})
                                     if '"connected"' in line["details"] and office.annas in line["details"]],
                            "a line in the audit trail")
    anna.Control(office.annas, "stop", {})
    wait_state(anna, office.annas, "stopped")


def test_who_looks_on(office):
    """Somebody's screen is theirs, also from administrators, until they agree."""
    anna, olga = office.anna, office.olga
    assert refused(olga.Connect, office.annas, {}) == "Forbidden"
    assert refused(olga.Connect, office.annas, {"watch": True}) == "Unavailable"
    anna.Subscribe(0)
    ticket, _, _ = anna.Connect(office.annas, {})
    seat = socket.socket(fileno=anna.connection.OpenTunnel(ticket, CLIENT))
    assert refused(olga.Screenshot, office.annas, 0) == "Forbidden"
    for agreed in (False, True):
        answers = []
        olga.connection.call_later("Connect", answers.append, olga.token, office.annas, {"watch": True})
        asked = anna.connection.wait_event("watch", lambda data: "who" in data)
        assert (asked["desktop"], asked["who"]) == (office.annas, "olga")
        assert refused(olga.Connect, office.annas, {"watch": True}) == "Busy", "nobody is asked twice at a time"
        assert refused(office.bert.AnswerWatch, asked["request"], True) == "NotFound"
        anna.AnswerWatch(asked["request"], agreed)
        olga.connection.wait(lambda: answers, "an answer")
        if agreed:
            assert answers[0][:2] == (asked["request"], "") and answers[0][2] > time.time() * 1e6
            assert anna.connection.wait_event("watching") == {"desktop": office.annas, "who": [(asked["request"], "olga")]}
        else:
            assert answers[0].code == "Forbidden" and refused(olga.Screenshot, office.annas, 0) == "Forbidden"
    assert picture(olga, office.annas)[:4] == b"\x89PNG"
    assert refused(office.ada.Screenshot, office.annas, 0) == "Forbidden"
    seat.shutdown(socket.SHUT_RDWR)
    seat.close()
    olga.connection.wait(lambda: may_not_look(olga, office.annas), "the end of looking on")


def may_not_look(session, desktop):
    try:
        session.read("Screenshot", desktop, 0)
    except HostError as error:
        return error.code == "Forbidden"
    return False


@pytest.fixture
def seated(office):
    """Anna at her desktop, and how olga comes to look on there: the request."""
    office.anna.Subscribe(0)
    ticket, password, _ = office.anna.Connect(office.annas, {})
    seat = Seat(lambda: socket.socket(fileno=office.anna.connection.OpenTunnel(ticket, CLIENT)), password)
    seat.until(lambda: seat.display, "a screen", 60)

    def look_on():
        answers = []
        office.olga.connection.call_later("Connect", answers.append, office.olga.token, office.annas, {"watch": True})
        asked = office.anna.connection.wait_event("watch")
        office.anna.AnswerWatch(asked["request"], True)
        office.olga.connection.wait(lambda: answers, "an answer")
        assert watchers(office) == ["olga"]
        return asked["request"]
    yield look_on
    seat.close()


def watchers(office):
    """Who looks on by now, as those who sit there are told."""
    return [name for _, name in office.anna.connection.wait_event("watching")["who"]]


@pytest.mark.parametrize("who", ["anna", "olga"])
def test_either_ends_it(office, seated, who):
    request = seated()
    picture(office.olga, office.annas)
    assert refused(office.bert.EndWatch, request) == "NotFound"
    assert refused(office.ada.EndWatch, request) == "NotFound"
    getattr(office, who).EndWatch(request)
    assert may_not_look(office.olga, office.annas)
    assert watchers(office) == []
    assert refused(office.olga.EndWatch, request) == "NotFound"


def test_who_does_not_look_is_gone(office, seated):
    seated()
    assert watchers(office) == []
    assert may_not_look(office.olga, office.annas)


def test_who_signs_out_is_gone(office, seated):
    seated()
    office.olga.SignOut()
    assert watchers(office) == []


def test_who_comes_later_is_told_who_looks_on(office, seated):
    seated()
    office.anna.Subscribe(0)
    assert watchers(office) == ["olga"]


def test_a_question_is_taken_back(office, seated):
    answers = []
    office.olga.connection.call_later("Connect", answers.append, office.olga.token, office.annas, {"watch": True})
    asked = office.anna.connection.wait_event("watch")
    office.olga.EndWatch(asked["request"])
    ended = office.anna.connection.wait_event("watch")
    assert ended == {"request": asked["request"], "desktop": office.annas, "ended": True}
    office.olga.connection.wait(lambda: answers, "an answer")
    assert answers[0].code == "Forbidden"
    assert refused(office.anna.AnswerWatch, asked["request"], True) == "NotFound"


def test_a_picture_that_was_seen_is_not_sent(office, seated):
    picture(office.anna, office.annas)

    def look(seen):
        file, number = office.anna.Screenshot(office.annas, seen)
        with os.fdopen(file, "rb") as bytes:
            return bytes.read(), number
    bytes, number = office.anna.connection.wait(lambda: (now := look(0)) == look(0) and now, "rest")
    assert bytes.startswith(b"\x89PNG") and number
    assert look(number) == (b"", number)
    assert look(number ^ 1) == (bytes, number)


def test_a_pool(office, console):
    template = office.ada.make("template", name="Echo PC", **office.machine)
    pool = office.ada.make("pool", name="Classroom", template=template, type="persistent", size=2, spares=1)
    assert office.anna.ListMine()[1:] == []
    console.make("assignment", user=office.user["anna"], pool=pool)
    console.make("assignment", user=office.user["bert"], pool=pool)
    assert [each["kind"] for each in office.anna.ListMine()] == ["desktop", "pool"]
    console.connection.wait(lambda: console.list("desktop", filter="pool", value=pool), "a spare")
    theirs = office.anna.connection.wait(lambda: take(office.anna, pool, office.user["anna"]), "a desktop of the pool")
    assert take(office.anna, pool, office.user["anna"]) == theirs
    assert [each["kind"] for each in office.anna.ListMine()] == ["desktop", "desktop"]
    ticket, _, _ = office.anna.Connect(theirs, {})
    assert speaks_spice(office.anna.connection.OpenTunnel(ticket, CLIENT))
    berts = office.bert.connection.wait(lambda: take(office.bert, pool, office.user["bert"]), "another")
    assert berts != theirs
    assert refused(office.bert.Connect, theirs, {}) == "NotFound"


def take(session, pool, user):
    """A pool's desktop, when there is one that is free."""
    try:
        return session.do("pool.take", pool=pool, user=user)
    except HostError as error:
        assert error.code == "Full"
        return None


def test_rights_that_are_taken(office, console):
    """Whoever may no more is cut off, at once."""
    ticket, _, _ = office.anna.Connect(office.annas, {})
    seat = socket.socket(fileno=office.anna.connection.OpenTunnel(ticket, CLIENT))
    late, _, _ = office.anna.Connect(office.annas, {})
    assignment = console.list("assignment", filter="user", value=office.user["anna"])[0]["id"]
    console.do("assignment.delete", assignment=assignment)
    seat.settimeout(60)
    assert seat.recv(1) == b""
    assert refused(office.anna.connection.OpenTunnel, late, CLIENT) == "NotFound"
    assert refused(office.anna.Connect, office.annas, {}) == "NotFound"


def noted(console, event, desktop):
    """How often the audit trail has it of that desktop."""
    lines = console.ListAudit({"column": "command", "value": "audit.note"})
    return len([line for line in lines if f'"{event}"' in str(line) and desktop in str(line)])


def test_rights_that_are_taken_after_the_daemon_was_killed(office, console, carreld):
    """A real client, whose connection an earlier daemon made."""
    ticket, password, _ = office.anna.Connect(office.annas, {})
    seat = Seat(lambda: socket.socket(fileno=office.anna.connection.OpenTunnel(ticket, CLIENT)), password)
    seat.until(lambda: seat.opened and seat.display and seat.display.pixels() is not None, "the picture", 90)
    for end in (carreld.kill, carreld.stop):
        end()
        carreld.start()
        console = carreld.console()
        console.connection.wait(lambda: console.GetLive([office.annas])[office.annas].get("clients") == ["192.0.2.7"],
                                "who is connected")
    seat.turn(0.5)
    assert len(seat.main_events) == 1, "it was cut without a reason"
    console.do("assignment.delete", assignment=console.list("assignment", filter="user", value=office.user["anna"])[0]["id"])
    seat.until(lambda: len(seat.main_events) > 1, "the end of the main channel")
    console.connection.wait(lambda: noted(console, "disconnected", office.annas) == 1, "a line of the audit trail")
    assert noted(console, "connected", office.annas) == 1


def test_a_session_that_is_taken_away_takes_its_connections_along(office, carreld):
    """A stolen one, say: whoever has it is out of the desktop as well. One's own new password leaves one's own alone."""
    def sits_down(session):
        ticket, _, _ = session.Connect(office.annas, {})
        return socket.socket(fileno=session.connection.OpenTunnel(ticket, CLIENT))

    def is_cut(seat):
        seat.settimeout(60)
        return seat.recv(1) == b""

    stolen, third = carreld.signed_in("anna"), carreld.signed_in("anna")
    own, thief, other = sits_down(office.anna), sits_down(stolen), sits_down(third)
    office.anna.EndSession(stolen.GetSession()["id"])
    assert is_cut(thief)
    office.anna.SetPassword(office.user["anna"], PASSWORD, "another carrel of one's own")
    assert is_cut(other)
    own.settimeout(0.5)
    with pytest.raises(TimeoutError):
        own.recv(1)


def test_desktops_outlive_the_daemon(office, carreld):
    office.anna.do("desktop.want", desktop=office.annas, wanted="running")
    wait_state(office.anna, office.annas, "running")
    before = carreld.vmms()
    for end in (carreld.stop, carreld.kill):
        end()
        assert carreld.vmms() == before
        carreld.start()
        anna = Session(carreld.connect(), office.anna.token)
        wait_state(anna, office.annas, "running")
    assert carreld.vmms() == before
    ticket, _, _ = anna.Connect(office.annas, {})
    assert speaks_spice(anna.connection.OpenTunnel(ticket, CLIENT))


def test_what_leaves_no_command_leaves_a_line(office, console):
    """Of a snapshot, and of going back to one, which loses what was done since."""
    office.anna.do("desktop.want", desktop=office.annas, wanted="running")
    wait_state(office.anna, office.annas, "running")
    office.olga.Control(office.annas, "stop", {})
    wait_state(office.anna, office.annas, "stopped")
    wait_job(office.olga, office.olga.Control(office.annas, "snapshot", {"name": "Before"}))
    snapshot = office.olga.ListSnapshots(office.annas)[0]["id"]
    wait_job(office.olga, office.olga.Control(office.annas, "revert", {"snapshot": snapshot}))
    said = [json.loads(line["details"]) for line in console.ListAudit({"column": "command", "value": "audit.note"})]
    done = [(line["name"], line["desktop"], line["detail"]) for line in said if line["event"] == "controlled"]
    assert done == [("olga", office.annas, f"revert {snapshot}"), ("olga", office.annas, "snapshot Before")]


def test_what_was_somebodys_is_given_to_nobody(office, console):
    """Neither is it copied by who runs desktops, which would be sitting down at it, nor found by the next one of a pool."""
    copy = {"name": "Copy", "id": "00000000-0000-4000-8000-0000000000c0"}
    for action in ("clone", "make-template"):
        assert refused(office.olga.Control, office.annas, action, copy) == "Forbidden"
    template = office.ada.make("template", name="Echo PC", **office.machine)
    pool = office.ada.make("pool", name="Classroom", template=template, type="persistent", size=3)
    office.olga.make("desktop", name="Classroom 2", **office.machine)
    for user in ("anna", "bert"):
        console.make("assignment", user=office.user[user], pool=pool)
    annas = office.anna.connection.wait(lambda: take(office.anna, pool, office.user["anna"]), "a desktop of the pool")
    assert refused(office.olga.do, "desktop.release", desktop=annas) == "Forbidden"
    office.ada.do("desktop.release", desktop=annas)
    berts = office.bert.connection.wait(lambda: take(office.bert, pool, office.user["bert"]), "another, by a name that is free")
    assert berts != annas and "pool" not in console.Get("desktop", annas)
    assert refused(office.anna.Connect, annas, {}) == "NotFound"


def test_deleting(office, carreld, console):
    """What is in use stays; what goes leaves nothing behind."""
    assert refused(office.ada.do, "image.delete", image=office.image) == "InUse"
    assert refused(office.olga.do, "desktop.delete", desktop=office.annas) == "InUse"
    office.anna.do("desktop.want", desktop=office.annas, wanted="running")
    wait_state(office.anna, office.annas, "running")
    pid = carreld.vmms()[office.annas]
    assignment = console.list("assignment", filter="user", value=office.user["anna"])[0]["id"]
    console.do("assignment.delete", assignment=assignment)
    office.olga.do("desktop.delete", desktop=office.annas)
    console.connection.wait(lambda: not is_there(pid), "the end of its VMM")
    office.ada.do("image.delete", image=office.image)
    console.connection.wait(lambda: not [file for file in (carreld.state / "storage").rglob("*")
                                         if office.annas in file.name or office.image in file.name], "an empty storage")
    assert console.ListOrphans() == []


def test_the_host(office, carreld):
    host = office.olga.GetHost()
    assert host["name"] == "desk1" and host["kvm"] is True and host["cpus"] >= 1
    assert host["memory"] > host["memory_free"] > 0 and host["storage_bytes"] >= host["storage_free"] > 0
    assert any("first administrator" in warning for warning in host["warnings"])
    office.anna.do("desktop.want", desktop=office.annas, wanted="running")
    wait_state(office.anna, office.annas, "running")
    text = office.olga.GetMetrics()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(lines['carrel_desktops{state="running"}']) == 1
    assert float(lines[f'carrel_desktop_clients{{desktop="{office.annas}",name="Anna\'s"}}']) == 0
    assert float(lines["carrel_daemon_memory_bytes"]) > 0
    for line in text.splitlines():
        assert line.startswith(("# HELP carrel_", "# TYPE carrel_", "carrel_")), line
