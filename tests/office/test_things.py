# SPDX-License-Identifier: Apache-2.0
"""What the store keeps, read and changed over D-Bus; who sees what of it; and what they are told when it changes."""
import subprocess
import uuid

import pytest
from carreld import PASSWORD
from host import Connection, GLib, HostError, Session, u
from test_desks import upload


def refused(call, *arguments, **more):
    with pytest.raises(HostError) as failure:
        call(*arguments, **more)
    return failure.value.code


@pytest.fixture
def house(console, sign_in):
    """Two users, each with a desktop, and a pool for one of them."""
    class House:
        anna, bert, olga, ada = sign_in("anna"), sign_in("bert"), sign_in("olga", "operator"), sign_in("ada", "admin")
        template = console.make("template", name="Office PC", memory=64, vcpus=1)
        annas = console.make("desktop", name="Anna's", memory=64, vcpus=1)
        berts = console.make("desktop", name="Bert's", memory=64, vcpus=1)
        pool = console.make("pool", name="Classroom", template=template, type="persistent", size=1)
    house = House()
    house.room = console.connection.wait(lambda: console.list("desktop", filter="pool", value=house.pool),
                                         "the pool's desktop")[0]["id"]
    house.user = {name: getattr(house, name).GetSession()["user"] for name in ("anna", "bert", "olga", "ada")}
    house.assigned = console.make("assignment", user=house.user["anna"], desktop=house.annas)
    console.make("assignment", user=house.user["bert"], desktop=house.berts)
    console.make("assignment", user=house.user["bert"], pool=house.pool)
    return house


def test_what_a_user_sees(house):
    assert [each["name"] for each in house.anna.list("desktop")] == ["Anna's"]
    assert house.anna.list("pool") == [] and [each["name"] for each in house.bert.list("pool")] == ["Classroom"]
    assert [each["name"] for each in house.anna.list("user")] == ["anna"]
    for kind in ("host", "setting", "group", "network", "image", "policy", "template", "assignment"):
        assert house.anna.list(kind) == []
    assert refused(house.anna.Get, "network", "name:Office") == "NotFound"
    assert house.anna.Get("desktop", house.annas)["name"] == "Anna's"
    nobody = str(uuid.uuid4())
    for kind, theirs in (("desktop", house.berts), ("pool", house.pool), ("user", house.user["bert"]),
                         ("template", house.template)):
        said = []
        for thing in (theirs, nobody):
            with pytest.raises(HostError) as failure:
                house.anna.Get(kind, thing)
            said.append(repr(failure.value))
        assert said[0] == said[1] and said[0].startswith("NotFound")
    assert refused(house.anna.Get, "desktop", "name:Bert's") == "NotFound"


def test_what_operators_and_admins_see(house):
    for session in (house.olga, house.ada):
        assert len(session.list("desktop")) == 3 and len(session.list("user")) == 5
        things, following, count = session.List("desktop", {"limit": u(2)})
        assert (len(things), count) == (2, 3)
        assert [each["name"] for each in session.List("desktop", {"after": following})[0]] == ["Classroom 1"]
    assert "totp_step" in house.ada.Get("user", house.user["anna"])
    shown = house.olga.Get("user", house.user["anna"])
    assert "totp_step" not in shown and "recovery" not in shown
    assert all("password" not in each and "totp" not in each for each in house.ada.list("user"))


def test_who_searches_finds_what_they_see(house):
    assert [each["name"] for each in house.ada.list("desktop", search="'S")] == ["Anna's", "Bert's"]
    assert [each["name"] for each in house.anna.list("desktop", search="'S")] == ["Anna's"]
    assert house.anna.List("desktop", {"search": "bert"}) == ([], "", 0)
    assert house.anna.List("desktop", {"ids": GLib.Variant("as", [house.berts])}) == ([], "", 0)
    assert [each["id"] for each in house.anna.List("desktop", {"ids": GLib.Variant("as", [house.berts, house.annas])})[0]] == [house.annas]
    assert refused(house.ada.List, "desktop", {"search": "x" * 10_240}) == "Invalid"
    assert refused(house.anna.List, "desktop", {"search": "x" * 10_240}) == "Invalid"
    assert house.ada.List("desktop", {"search": "\x07%"}) == ([], "", 0)


def test_a_user_may_want_only_their_own(house, console):
    house.anna.do("desktop.want", desktop=house.annas, wanted="stopped")
    nobody = str(uuid.uuid4())
    for thing in (house.berts, nobody):
        assert refused(house.anna.do, "desktop.want", desktop=thing, wanted="running") == "NotFound"
    assert console.Get("desktop", house.berts)["wanted"] == "stopped"
    assert refused(house.anna.do, "pool.take", pool=house.pool, user=house.user["anna"]) == "NotFound"
    assert refused(house.bert.do, "pool.take", pool=house.pool, user=house.user["anna"]) == "NotFound"
    assert house.bert.do("pool.take", pool=house.pool, user=house.user["bert"]) == house.room
    assert refused(house.anna.do, "user.delete", user=house.user["bert"]) == "Forbidden"
    assert refused(house.olga.do, "user.change", user=house.user["bert"], role="admin") == "Forbidden"
    assert refused(house.ada.do, "desktop.place", desktop=house.annas, host="desk1") == "Forbidden"


def test_refusals(house):
    assert refused(house.ada.do, "group.paint") == "Invalid"
    assert refused(house.ada.do, "group.create", name="x") == "Invalid"
    assert refused(house.ada.make, "group", name="a/b\n") == "Invalid"
    assert refused(house.ada.make, "group", name="fdp‮exe") == "Invalid"
    assert refused(house.ada.make, "group", name="x" * 10_000) == "Invalid"
    assert refused(house.ada.make, "desktop", name="Anna's", memory=64, vcpus=1) == "InUse"
    assert refused(house.ada.do, "template.delete", template=house.template) == "InUse"
    seen = house.ada.Get("template", house.template)["revision"]
    house.olga.token, token = house.ada.token, house.olga.token
    house.ada.do("template.change", template=house.template, memory=128)
    with pytest.raises(HostError, match="ada") as failure:
        house.ada.do("template.change", seen=seen, template=house.template, memory=256)
    assert failure.value.code == "Changed"


def test_a_request_sent_again(house, carreld):
    """Also to a daemon that was killed before its answer was read."""
    request, user = str(uuid.uuid4()), str(uuid.uuid4())
    values = {"user": user, "name": "carla", "password": PASSWORD}
    first, _ = house.ada.Submit(request, "user.create", 0, values)
    carreld.restart()
    ada = Session(carreld.connect(), house.ada.token)
    again, result = ada.Submit(request, "user.create", 0, values)
    assert again == first and result["repeated"] is True
    assert refused(ada.Submit, request, "user.create", 0, {**values, "name": "carlo"}) == "Invalid"


def test_audit_is_for_admins(house):
    for session in (house.anna, house.olga):
        assert refused(session.ListAudit, {}) == "Forbidden"
    line = house.ada.ListAudit({"column": "thing", "value": house.assigned})[0]
    assert (line["command"], line["actor"], line["origin"]) == ("assignment.create", "console", "desk1")


def test_events(house, console):
    """Each is told of what they see: of others' things, a user is told nothing."""
    for session in (house.anna, house.olga):
        session.Subscribe(0)
    console.do("desktop.change", desktop=house.berts, description="moved to room 7")
    console.do("desktop.change", desktop=house.annas, description="moved to room 8")
    told = house.olga.connection.wait_event("things")
    assert told["changes"] == [("desktop", house.berts, "changed")] and "anew" not in told
    assert house.anna.connection.wait_event("things")["changes"] == [("desktop", house.annas, "changed")]


def test_what_is_given_and_taken(house, console):
    house.anna.Subscribe(0)
    room = console.make("assignment", user=house.user["anna"], pool=house.pool)
    assert house.anna.connection.wait_event("things")["changes"] == [("pool", house.pool, "made")]
    house.anna.do("pool.take", pool=house.pool, user=house.user["anna"])
    assert house.anna.connection.wait_event("things")["changes"] == [("desktop", house.room, "made")]
    console.do("assignment.delete", assignment=room)
    assert set(house.anna.connection.wait_event("things")["changes"]) == {
        ("pool", house.pool, "removed"), ("desktop", house.room, "removed")}
    assert refused(house.anna.Get, "desktop", house.room) == "NotFound"
    console.do("assignment.delete", assignment=house.assigned)
    console.do("desktop.delete", desktop=house.annas)
    assert house.anna.connection.wait_event("things")["changes"] == [("desktop", house.annas, "removed")]


def test_events_that_were_missed(house, console):
    before = console.Submit("", "group.create", 0, {"group": str(uuid.uuid4()), "name": "A"})[0]
    group = console.make("group", name="B")
    house.ada.Subscribe(before)
    assert house.ada.connection.wait_event("things")["changes"] == [("group", group, "made")]
    house.anna.Subscribe(before)
    assert house.anna.connection.wait_event("things")["anew"] is True
    house.olga.Subscribe(1_000_000_000)
    assert house.olga.connection.wait_event("things")["anew"] is True


def test_subscriptions_are_the_peers(house, carreld, console):
    mine = house.ada.Subscribe(0)
    Session(carreld.connect()).connection.Unsubscribe(mine)
    console.make("group", name="A")
    house.ada.connection.wait_event("things")
    for _ in range(31):
        house.ada.Subscribe(0)
    assert refused(house.ada.Subscribe, 0) == "Busy"


def test_pool_follows_its_template(console):
    """The store's rows of what was made are as the template's, so nothing is made twice; what nobody has follows a change."""
    def in_pool():
        return {each["id"] for each in console.list("desktop", filter="pool", value=pool)}

    network = console.make("network", name="Behind", type="nat")
    old, new = upload(console, "As it was"), upload(console, "As it is")
    parts = {"disks": [{"type": "disk", "image": old}, {"type": "disk", "size": 1 << 30}, {"type": "cdrom"}],
             "nics": [{"network": network}]}
    template = console.make("template", name="PC", memory=64, vcpus=1, firmware="bios", monitors=2, **parts)
    pool = console.make("pool", name="Class", template=template, type="persistent", size=3)
    first = console.connection.wait(in_pool, "a desktop")
    user = console.make("user", name="ute", password=PASSWORD)
    console.make("assignment", user=user, pool=pool)
    taken = console.do("pool.take", pool=pool, user=user)
    assert taken in first
    console.connection.wait(lambda: len(in_pool()) == 2, "a free one")
    before, was = in_pool(), console.Get("desktop", taken)
    console.do("template.change", template=template, name="Personal computer")
    console.do("template.change", template=template, memory=96, disks=[{"type": "disk", "image": new}])
    console.connection.wait(lambda: len(in_pool()) == 2 and in_pool() != before, "another one")
    assert console.Get("desktop", taken) == was, "whoever has one keeps it"
    fresh, = in_pool() - {taken}
    made = console.Get("desktop", fresh)
    assert made["memory"] == 96 and [disk["image"] for disk in made["disks"]] == [new]
    made = console.ListAudit({"column": "command", "value": "desktop.create"})
    assert len(made) == 3, "one was made that was not as its template"


def submit_group(session):
    return session.Submit("", "group.create", 0, {"group": str(uuid.uuid4()), "name": str(uuid.uuid4())})


def test_nobody_floods_the_store(house, carreld, console):
    """What is too much is refused before it leaves a trace, in all of a user's sessions; others go on."""
    codes = [refused(submit_group, house.anna) for _ in range(400)]
    assert codes[:120] == ["Forbidden"] * 120, "so many are anybody's"
    assert codes[-1] == "Busy"
    assert refused(submit_group, carreld.signed_in("anna")) == "Busy"
    assert refused(house.anna.Control, house.annas, "start", {}) == "Busy"
    assert house.anna.Get("desktop", house.annas), "who may not change anything may look"
    assert refused(submit_group, house.bert) == "Forbidden"
    lines = console.ListAudit({"column": "actor", "value": house.user["anna"], "limit": u(1000)})
    assert len(lines) == codes.count("Forbidden"), "what was refused so is in the audit trail"
    submit_group(house.ada)


def test_scripts_of_those_who_run_the_host_are_no_flood(house, console):
    for number in range(1000):
        house.ada.make("desktop", name=f"Desk {number}", memory=64, vcpus=1)
    for number in range(200):
        submit_group(console)


def test_strangers_are_turned_away(carreld):
    """The kernel says who a peer is; others than root and the web server's user do not come in, though they may connect."""
    script = ("import gi; gi.require_version('Gio', '2.0'); from gi.repository import Gio\n"
              f"Gio.DBusConnection.new_for_address_sync('unix:path={carreld.socket}',"
              " Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None, None)")
    for folder in [carreld.folder, *carreld.folder.parents][:-1]:
        folder.chmod(folder.stat().st_mode | 0o111)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "python3", "-c", script],
                          capture_output=True, text=True)
    assert done.returncode and "GLib.GError" in done.stderr, done.stderr
    assert "of the user 65534 was turned away" in carreld.log()


def test_no_session_is_none(carreld):
    connection = carreld.connect()
    assert refused(connection.GetSession, "x") == "NotSignedIn"
    assert refused(connection.List, "not a token at all", "desktop", {}) == "NotSignedIn"


def test_a_caller_that_is_gone(carreld, house):
    """Whoever hangs up in the middle harms nobody."""
    for _ in range(20):
        connection = Connection(carreld.socket)
        Session(connection, house.ada.token).Subscribe(0)
        connection.bus.call(None, "/org/carrel/Host1", "org.carrel.Host1", "SignIn", None, None, 0, -1, None, None)
        connection.close()
    house.ada.make("group", name="A")
    assert house.ada.find("group", "A")
