# SPDX-License-Identifier: Apache-2.0
"""
carreld is killed at any moment of what it does, again and again, on one host; whoever comes after it finds everything whole.

CARREL_KILL_ROUNDS says how often (5), CARREL_KILL_SEED repeats a run. What must hold after each kill, once the next daemon has done
what is left to do:

  - every command that was answered is in the store, and nothing is half done;
  - each desktop is what it is wanted to be, and has one VMM if it runs, else none;
  - the storage has what the store knows of, all of it, and nothing else.
"""
import os
import pathlib
import random
import time
import uuid

import pytest
from carreld import is_there
from host import GLib, HostError
from test_desks import ECHO, send, state, upload

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="no /dev/kvm")

ROUNDS = int(os.environ.get("CARREL_KILL_ROUNDS", 5))
SEED = int(os.environ.get("CARREL_KILL_SEED", 0)) or random.randrange(1, 1 << 30)
DESKTOPS = 4  # at most, so that the machine has room for them


class Orders:
    """Things done to a host at random, without waiting for answers; and what was answered."""

    def __init__(self, luck, image):
        self.luck, self.image = luck, image
        self.there, self.gone = set(), set()  # (kind, id) of what an answer said; of the others nobody knows
        self.wanted = {}                      # desktop → what the answer to the last order said
        self.last = {}                        # desktop → the last order, answered or not

    def use(self, session):
        self.session = session

    def submit(self, command, then, **values):
        def answered(answer):
            if not isinstance(answer, (HostError, GLib.Error)):
                then()
        self.session.connection.call_later("Submit", answered, "", str(uuid.uuid4()), command, 0, values)

    def some(self, kind):
        return self.luck.choice(sorted(thing for is_kind, thing in self.there if is_kind == kind) or [None])

    # each is one order

    def make_group(self):
        group = str(uuid.uuid4())
        self.submit("group.create", lambda: self.there.add(("group", group)), group=group, name=f"Group {group}")

    def make_desktop(self):
        if len([1 for kind, _ in self.there if kind == "desktop"]) >= DESKTOPS:
            return
        desktop = str(uuid.uuid4())
        self.submit("desktop.create", lambda: self.there.add(("desktop", desktop)), desktop=desktop,
                    name=f"Desk {desktop}", memory=32, vcpus=1, firmware="bios",
                    disks=[{"type": "disk", "image": self.image}])

    def order(self, desktop):
        self.wanted.pop(desktop, None)
        self.last[desktop] = object()
        return self.last[desktop]

    def want(self, wanted):
        desktop = self.some("desktop")
        if not desktop:
            return
        order = self.order(desktop)

        def done():
            if self.last[desktop] is order:
                self.wanted[desktop] = wanted
        self.submit("desktop.want", done, desktop=desktop, wanted=wanted)

    def start(self):
        self.want("running")

    def stop(self):
        self.want("stopped")

    def control(self, action, **options):
        desktop = self.some("desktop")
        if desktop:
            self.order(desktop)
            self.session.connection.call_later("Control", lambda answer: None, "", desktop, action, options)

    def switch_off(self):
        self.control("stop")

    def snapshot(self):
        self.control("snapshot", name="a moment")

    def clone(self):
        if len([1 for kind, _ in self.there if kind == "desktop"]) < DESKTOPS:
            self.control("clone", name=f"Copy {uuid.uuid4()}", id=str(uuid.uuid4()))

    def forget_desktop(self):
        desktop = self.some("desktop")
        if desktop:
            self.there.discard(("desktop", desktop))
            self.order(desktop)
            self.submit("desktop.delete", lambda: self.gone.add(("desktop", desktop)), desktop=desktop)

    def bring_image(self):
        """Half of it before the kill, if the kill comes soon."""
        image = str(uuid.uuid4())

        def made():
            self.there.add(("image", image))
            self.session.connection.call_later("Upload", came, "", image, len(ECHO))

        def came(answer):
            if isinstance(answer, tuple):
                with os.fdopen(answer[0], "wb") as sink:
                    try:
                        sink.write(ECHO)
                    except OSError:
                        pass
        self.submit("image.create", made, image=image, name=f"Image {image}", type="disk")

    def forget_image(self):
        image = self.some("image")
        if image:
            self.there.discard(("image", image))
            self.submit("image.delete", lambda: self.gone.add(("image", image)), image=image)

    ALL = (make_group, make_desktop, make_desktop, start, start, stop, switch_off, snapshot, clone, forget_desktop,
           bring_image, forget_image)

    def give_some(self):
        for _ in range(self.luck.randrange(1, 12)):
            self.luck.choice(self.ALL)(self)


def vmms_of(carreld):
    """{desktop: how many VMMs are there}, by what the kernel says of processes, not by what anybody wrote down."""
    found = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        ours = [word for word in words if word.startswith(str(carreld.runtime / "desktops"))]
        if words[0].endswith("carrel-vmm") and ours and is_there(process.name):
            desktop = pathlib.Path(ours[0]).relative_to(carreld.runtime / "desktops").parts[0]
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            found.setdefault(desktop, set()).add((process.name, parent))
    # A VMM and the keeper it forked are one.
    return {desktop: len([1 for _, parent in processes if parent not in {name for name, _ in processes}])
            for desktop, processes in found.items()}


def is_settled(console, carreld):
    """Each desktop is what it is wanted to be, and nothing goes on."""
    vmms = vmms_of(carreld)
    if any(job["state"] == "running" for job in console.ListJobs()):
        return False
    known = {desktop["id"]: desktop["wanted"] for desktop in console.list("desktop")}
    return all(state(console, desktop) == wanted and vmms.get(desktop, 0) == (wanted == "running")
               for desktop, wanted in known.items()) and not set(vmms) - set(known)


def unrest(console, carreld):
    desktops = {desktop["id"]: desktop["wanted"] for desktop in console.list("desktop")}
    running = [job["what"] for job in console.ListJobs() if job["state"] == "running"]
    return f"rest; wanted {desktops}, is {console.GetLive(list(desktops))}, VMMs {vmms_of(carreld)}, jobs {running}: it"


def check(console, carreld, orders):
    console.connection.wait(lambda: is_settled(console, carreld), lambda: unrest(console, carreld), 120)
    for kind, thing in orders.there:
        assert console.Get(kind, thing)["id"] == thing
    for kind, thing in orders.gone:
        with pytest.raises(HostError):
            console.Get(kind, thing)
    for desktop, wanted in orders.wanted.items():
        assert console.Get("desktop", desktop)["wanted"] == wanted
    check_storage(console, carreld)


def check_storage(console, carreld):
    console.connection.wait(lambda: console.ListOrphans() == [], lambda: f"no orphans: {console.ListOrphans()}")
    files = {file.name for file in (carreld.state / "storage").rglob("*") if file.is_file()}
    for image in console.list("image"):
        has = any(image["id"] in name for name in files)
        assert has == (image["state"] == "ready"), (image, files)


def test_a_clone_that_the_store_never_heard_of(carreld):
    """Its disks and what was noted of it go; of what nothing was noted, nobody but an administrator says that it is not wanted."""
    begun, found = str(uuid.uuid4()), str(uuid.uuid4())
    carreld.stop()
    for desktop in (begun, found):
        (carreld.state / "storage/disks" / f"disk-{desktop}-0").write_bytes(bytes(4096))
    note = carreld.state / "desktops" / begun / "begun"
    note.parent.mkdir()
    note.touch()
    carreld.start()
    console = carreld.console()
    console.connection.wait(lambda: not note.parent.exists(), lambda: "the note is there still")
    assert [orphan["name"] for orphan in console.ListOrphans()] == [f"disk-{found}-0"]


def test_killed_at_any_moment(carreld, tmp_path):
    print(f"CARREL_KILL_SEED={SEED}")
    luck = random.Random(SEED)
    orders = Orders(luck, upload(carreld.console(), "The first"))
    carreld.console().do("setting.change", setting="desktops.shut-down-seconds", value=1)  # the echo disk hears no button
    for round_number in range(ROUNDS):
        console = carreld.console()
        orders.use(console)
        orders.give_some()
        end = time.monotonic() + luck.choice((0.002, 0.02, 0.2, 1)) * luck.random()
        context = GLib.MainContext.default()
        while time.monotonic() < end:
            if not context.iteration(False):
                time.sleep(0.0005)
        carreld.kill()
        while context.iteration(False):  # answers that had come
            pass
        carreld.start()
        print(f"round {round_number}: {len(orders.there)} things known, {len(vmms_of(carreld))} VMMs")
        check(carreld.console(), carreld, orders)


def test_killed_while_it_begins(carreld):
    """Also before it serves: the first thing a daemon does is to mend."""
    luck = random.Random(SEED)
    console = carreld.console()
    image = upload(console)
    desktop = console.make("desktop", name="Desk", memory=32, vcpus=1, firmware="bios",
                           disks=[{"type": "disk", "image": image}])
    console.do("desktop.want", desktop=desktop, wanted="running")
    carreld.kill()
    for _ in range(ROUNDS):
        carreld.start_only()
        time.sleep(luck.random() * 0.15)
        carreld.kill()
    carreld.start()
    console = carreld.console()
    console.connection.wait(lambda: is_settled(console, carreld), lambda: unrest(console, carreld))
    assert vmms_of(carreld) == {desktop: 1}
    send(console, console.make("image", name="Another", type="disk"), ECHO)
