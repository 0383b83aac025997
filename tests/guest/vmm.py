# SPDX-License-Identifier: Apache-2.0
"""
Runs a micro guest in a VMM and judges what it said.

A Machine says what hardware the guest wants; an adapter turns that into a command for one VMM. The guest prints TAP on
its first serial port. Lines that begin with "@ " ask the harness to do something (press the power button, send a key);
the test gives a function for each, and the guest is sent a line end once it has run. A run passes when every result is ok, the plan is whole, the VMM ends with status 0
in time, and its memory stayed below the limit.
"""

import dataclasses
import json
import os
import pathlib
import re
import select
import socket
import subprocess
import time

QEMU = "qemu-system-x86_64"


@dataclasses.dataclass
class Disk:
    path: pathlib.Path
    read_only: bool = False
    serial: str = ""
    queues: int = 1
    on_error: str = "pause"  # or "report"; carrel alone


@dataclasses.dataclass
class Machine:
    memory_mib: int = 64
    cpus: int = 1
    cpu: str = "host"  # or a baseline; QEMU is always given the host's
    guest_os: str = None  # carrel alone
    tpm: object = None  # the path of swtpm's control socket; carrel alone
    rng: bool = False
    disks: list = dataclasses.field(default_factory=list)
    tap: str = None  # the name of a tap interface
    balloon: bool = False
    free_page_reporting: bool = False
    ports: dict = dataclasses.field(default_factory=dict)  # console port name -> a Unix socket the VMM listens on
    keyboard: bool = False
    tablet: bool = False
    mouse: bool = False
    usb: bool = False  # a controller, a keyboard and a tablet
    cdrom: pathlib.Path = None  # with usb: the image in a drive
    redirect: int = 0  # with usb and spice: channels for clients' devices
    gpu: bool = False
    gpu_outputs: int = 1
    spice: object = None  # the path of the Unix socket to listen on, or (loopback address, port)
    initrd: pathlib.Path = None
    minimal: bool = False  # QEMU's microvm, which has no PCI; nothing else for the others
    firmware: str = None  # QEMU's, instead of SeaBIOS
    reboots: bool = False  # a reset starts the guest again; otherwise it ends the run


class Failure(AssertionError):
    """A guest's run that did not pass, with all the guest said."""


def process_tree(pid):
    """The process and all its descendants: a sandboxed carrel-vmm is a keeper and, below it, the desktop."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        try:
            for task in pathlib.Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
            found.append(one)
        except OSError:
            continue  # it has just ended
    return found


class Session:
    """One running VMM: its serial lines, its control connection, and its end."""

    def __init__(self, adapter, guest, machine, folder, append, restore=None):
        """restore: a file that control("save") wrote, to go on from."""
        self.adapter, self.machine, self.folder = adapter, machine, folder
        self.lines = []
        self.peak_kib = 0
        self.guest, self.append = guest, append
        self.started = 0.0  # monotonic, just before the process
        self.process = adapter.start(self, guest, append, restore)

    def control(self, command, **arguments):
        """A control command in the adapter's own words; see the adapters' methods."""
        return getattr(self.adapter, command)(self, **arguments)

    def extra_memory_mib(self):
        """The largest resident size so far less the guest's own memory."""
        return self.peak_kib / 1024 - self.machine.memory_mib

    def sample_memory(self):
        peak = 0
        for pid in process_tree(self.process.pid):
            try:
                found = re.search(r"^VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
            except OSError:
                continue
            peak += int(found[1]) if found else 0
        self.peak_kib = max(self.peak_kib, peak)

    def resident_kib(self):
        """What is in memory now, the guest's included."""
        return sum(int(re.search(r"^Rss:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
                   for pid in process_tree(self.process.pid))

    def serial_lines(self, timeout):
        """Yields each line as it is complete, until the VMM closes its end or the time is up."""
        deadline = time.monotonic() + timeout
        pending = b""
        while True:
            self.sample_memory()
            if time.monotonic() > deadline:
                raise Failure(self.story(f"not finished after {timeout} s"))
            output = self.process.stdout  # another one after a restore
            if not select.select([output], [], [], 0.1)[0]:
                continue
            data = os.read(output.fileno(), 65536)
            if not data:
                return
            *whole, pending = (pending + data).split(b"\n")
            for line in whole:
                text = line.decode("utf-8", "replace").rstrip("\r")
                self.lines.append(text)
                yield text

    def save_and_restore(self, path, between=None):
        """
        Saves the desktop, sees the VMM end, calls between(), and goes on with a restored one. The guest must be waiting for
        an answer.
        """
        self.control("save", path=path)
        if self.process.wait(20):
            raise Failure(self.story(f"the saved VMM ended with status {self.process.returncode}"))
        self.process.stdin.close()
        self.process.stdout.close()
        if between:
            between()
        self.process = self.adapter.start(self, self.guest, self.append, path)
        self.adapter.wait_running(self)

    def answer(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def story(self, reason):
        log = self.folder / "vmm.log"
        said = log.read_text(errors="replace")[-4000:] if log.exists() else ""
        return "\n".join([reason, *self.lines[-200:], "-- the VMM's own words:", said])

    def end(self):
        try:
            self.process.terminate()
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def spawn(arguments, session, pass_fds=()):
    with open(session.folder / "vmm.log", "ab") as log:
        session.started = time.monotonic()
        return subprocess.Popen([str(a) for a in arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=log, pass_fds=pass_fds)


class Qemu:
    """Debian's QEMU, to prove the guests and to compare with."""

    name = "qemu"

    def __init__(self, build):
        self.build = build

    def missing(self):
        found = subprocess.run(["which", QEMU], stdout=subprocess.DEVNULL)
        return None if found.returncode == 0 else f"{QEMU} is not installed"

    def arguments(self, session, guest, append):
        m, folder = session.machine, session.folder
        a = [QEMU, "-M", "microvm" if m.minimal else "q35", "-accel", "kvm", "-cpu", "host", "-m", m.memory_mib, "-smp", m.cpus, "-nodefaults",
             "-no-user-config", "-display", "none", "-serial", "stdio", "-name", "guest,debug-threads=on",
             "-qmp", f"unix:{folder}/control,server=on,wait=off", "-kernel", guest, "-append", append]
        if not m.reboots:
            a += ["-no-reboot"]
        if m.firmware:
            a += ["-bios", m.firmware]
        virtio = "disable-legacy=on,packed=on"
        if m.initrd:
            a += ["-initrd", m.initrd]
        if m.rng:
            a += ["-device", f"virtio-rng-pci,{virtio}"]
        for i, disk in enumerate(m.disks):
            read_only = "on" if disk.read_only else "off"
            a += ["-object", f"iothread,id=io{i}", "-blockdev",
                  f"driver=raw,node-name=disk{i},read-only={read_only},discard=unmap,"
                  f"file.driver=file,file.filename={disk.path},file.aio=io_uring",
                  "-device", f"virtio-blk-pci,{virtio},drive=disk{i},id=dev{i},iothread=io{i},serial={disk.serial},"
                  f"num-queues={disk.queues}"]
        if m.tap:
            a += ["-netdev", f"tap,id=net0,ifname={m.tap},script=no,downscript=no,vhost=off",
                  "-device", f"virtio-net-pci,{virtio},netdev=net0,mac=52:54:00:12:34:56"]
        if m.balloon:
            reporting = "on" if m.free_page_reporting else "off"
            a += ["-device", f"virtio-balloon-pci,{virtio},id=balloon,free-page-reporting={reporting}"]
        if m.ports:
            a += ["-device", f"virtio-serial-pci,{virtio},max_ports=8"]
            for i, (name, path) in enumerate(m.ports.items()):
                a += ["-chardev", f"socket,id=port{i},path={path},server=on,wait=off",
                      "-device", f"virtserialport,chardev=port{i},name={name}"]
        for wanted, device in (m.keyboard, "keyboard"), (m.tablet, "tablet"), (m.mouse, "mouse"):
            if wanted:
                a += ["-device", f"virtio-{device}-pci,{virtio}"]
        if m.gpu:
            a += ["-device", f"virtio-gpu-pci,{virtio},id=gpu,max_outputs={m.gpu_outputs},edid=on"]
        if m.usb:
            a += ["-device", "qemu-xhci,id=xhci,p2=8,p3=8", "-device", "usb-kbd,bus=xhci.0", "-device", "usb-tablet,bus=xhci.0"]
        for i in range(m.redirect):
            a += ["-chardev", f"spicevmc,name=usbredir,id=redirect{i}", "-device", f"usb-redir,bus=xhci.0,chardev=redirect{i}"]
        if m.cdrom:
            a += ["-blockdev", f"driver=raw,node-name=cd,read-only=on,file.driver=file,file.filename={m.cdrom}",
                  "-device", "usb-bot,id=bot,bus=xhci.0", "-device", "scsi-cd,bus=bot.0,drive=cd"]
        if m.spice:
            tcp = isinstance(m.spice, tuple)
            where = f"addr={m.spice[0]},port={m.spice[1]}" if tcp else f"unix=on,addr={m.spice}"
            a += ["-spice", f"{where},disable-ticketing=on"]
        return a

    def start(self, session, guest, append, restore=None):
        incoming = ["-global", "migration.mapped-ram=on", "-incoming", f"file:{restore}"] if restore else []
        return spawn(self.arguments(session, guest, append) + incoming, session)

    def qmp(self, session, command, **arguments):
        """One QMP command on a connection of its own; returns its value."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            control.connect(str(session.folder / "control"))
            stream = control.makefile("rw")
            stream.readline()
            for request in {"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}:
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                while "event" in (answer := json.loads(stream.readline())):
                    pass
            if "error" in answer:
                raise Failure(f"{command}: {answer['error']['desc']}")
            return answer["return"]

    def save(self, session, path):
        capability = {"capability": "mapped-ram", "state": True}
        self.qmp(session, "migrate-set-capabilities", capabilities=[capability])
        self.qmp(session, "migrate", uri=f"file:{path}")
        while (state := self.qmp(session, "query-migrate").get("status")) != "completed":
            if state == "failed":
                raise Failure(session.story("QEMU could not save the guest"))
            time.sleep(0.05)
        self.qmp(session, "quit")

    def wait_running(self, session):
        """QEMU reads its serial port's input before the restored port is there to take it."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if self.qmp(session, "query-status")["running"]:
                    return
            except OSError:
                pass  # its socket is not there yet
            time.sleep(0.05)
        raise Failure(session.story("the restored QEMU does not run"))

    def power_button(self, session):
        self.qmp(session, "system_powerdown")

    def balloon(self, session, mib):
        self.qmp(session, "balloon", value=mib << 20)

    def resize_disk(self, session, index, size):
        self.qmp(session, "block_resize", **{"node-name": f"disk{index}", "size": size})

    def screenshot(self, session, path, monitor=0):
        self.qmp(session, "screendump", filename=str(path), format="png", device="gpu", head=monitor)


class Carrel:
    """carrel-vmm, from a configuration file made for the run."""

    name = "carrel"
    options = ()  # of carrel-vmm run

    def __init__(self, build):
        self.build = build
        self.program = build / "carrel-vmm"

    def missing(self):
        return None if self.program.exists() else f"carrel-vmm is not built in {self.program.parent}"

    def configuration(self, session, guest, append):
        m = session.machine
        groups = {
            "desktop": {"name": "guest test", "memory": f"{m.memory_mib}M", "vcpus": m.cpus, "cpu": m.cpu,
                        "balloon": m.balloon},
            "boot": {"kernel": guest},
            "input": {"keyboard": m.keyboard, "tablet": m.tablet, "mouse": m.mouse},
            "display": {"scanouts": m.gpu_outputs if m.gpu else 0},
            "serial": {"output": "stdio"},
            "control": {"socket": session.folder / "control"},
        }
        if m.guest_os:
            groups["desktop"]["guest-os"] = m.guest_os
        if append:
            groups["boot"]["command-line"] = append
        if m.initrd:
            groups["boot"]["initrd"] = m.initrd
        for i, disk in enumerate(m.disks):
            group = groups[f"disk disk{i}"] = {"path": disk.path, "read-only": disk.read_only, "queues": disk.queues}
            if disk.on_error != "pause":
                group["on-error"] = disk.on_error
            if disk.serial:
                group["serial"] = disk.serial
        if m.tap:
            groups["net net0"] = {"backend": "tap", "tap": m.tap, "vhost": False, "mac": "52:54:00:12:34:56"}
        if m.tpm:
            groups["tpm"] = {"socket": m.tpm}
        for name, path in m.ports.items():
            groups[f"port {name}"] = {"socket": path}
        if m.usb:
            groups["usb"] = {"redirect": m.redirect}
        if m.cdrom:
            groups["cdrom cd0"] = {"path": m.cdrom}
        if m.spice:
            tcp = isinstance(m.spice, tuple)
            where = {"address": m.spice[0], "port": m.spice[1]} if tcp else {"socket": m.spice}
            groups["spice"] = {**where, "no-ticket": True}
        return groups

    def start(self, session, guest, append, restore=None):
        if restore:
            return spawn([self.program, "run", *self.options, "--restore", restore], session)
        path = session.folder / "desktop.conf"
        with open(path, "w") as file:
            for name, keys in self.configuration(session, guest, append).items():
                file.write(f"[{name}]\n")
                for key, value in keys.items():
                    file.write(f"{key}={str(value).lower() if isinstance(value, bool) else value}\n")
        return spawn([self.program, "run", *self.options, path], session)

    def ctl(self, session, *verb):
        done = subprocess.run([self.program, "ctl", session.folder / "control", *map(str, verb)],
                              capture_output=True, text=True, timeout=30)
        if done.returncode:
            raise Failure(session.story(f"ctl {verb}: {done.stderr}"))
        return done.stdout

    def save(self, session, path):
        self.ctl(session, "save", path)

    def wait_running(self, session):
        """Nothing is lost before it runs."""

    def power_button(self, session):
        self.ctl(session, "power-button")

    def status(self, session):
        return self.ctl(session, "status")

    def balloon(self, session, mib):
        self.ctl(session, "balloon", mib)

    def stats(self, session):
        return self.ctl(session, "stats")

    def resize_disk(self, session, index, size):
        os.truncate(session.machine.disks[index].path, size)
        self.ctl(session, "resize", f"disk{index}")

    def screenshot(self, session, path, monitor=0):
        self.ctl(session, "screenshot", path, monitor)


ADAPTERS = {"qemu": Qemu, "carrel": Carrel}


def judge(session, limit_mib):
    """Raises Failure unless the run passed."""
    lines = session.lines
    failed = [line for line in lines if line.startswith(("not ok", "Bail out!"))]
    results = [line for line in lines if re.match(r"(not )?ok \d", line)]
    plans = [line for line in lines if re.fullmatch(r"1\.\.\d+", line)]
    if failed:
        raise Failure(session.story(failed[0]))
    if not plans:
        raise Failure(session.story("the guest ended without its plan"))
    if len(plans) > 1 or int(plans[0][3:]) != len(results):
        raise Failure(session.story(f"plan {plans} and {len(results)} results"))
    if session.process.returncode != 0:
        raise Failure(session.story(f"the VMM ended with status {session.process.returncode}"))
    if session.extra_memory_mib() > limit_mib:
        raise Failure(session.story(f"the VMM took {session.extra_memory_mib():.0f} MiB beyond the guest's memory"))


def run(adapter, guest, machine, folder, append="", timeout=60, limit_mib=256, actions=None, during=None):
    """
    Boots guest (a name as in tests/guest/meson.build) and returns the session once it has passed.

    actions: {"word": function(session, rest of the line)} for the guest's "@ word …" lines. during(session) is called
    once the VMM runs.
    """
    elf = adapter.build / "tests/guest" / f"guest-{guest}.elf"
    folder = pathlib.Path(folder)
    session = Session(adapter, elf, machine, folder, f"vmm={adapter.name} {append}")
    try:
        if during:
            during(session)
        for line in session.serial_lines(timeout):
            if line.startswith("@ "):
                word, _, rest = line[2:].partition(" ")
                if word not in (actions or {}):
                    raise Failure(session.story(f"the guest asks for '{word}', which this test does not offer"))
                actions[word](session, rest)
                session.answer()
        try:
            session.process.wait(10)
        except subprocess.TimeoutExpired:
            raise Failure(session.story("the serial port closed, the VMM lives on")) from None
        judge(session, limit_mib)
        return session
    finally:
        session.end()
