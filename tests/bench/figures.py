# SPDX-License-Identifier: Apache-2.0
"""
The figures: what is measured, in which unit, and what is to be reached.

A figure's function starts a VMM through its adapter, and returns the samples of one run: a number, or a list of them.
Functions that give several figures at once return a dict by figure name.
"""

import dataclasses
import os
import pathlib
import socket
import statistics
import time

import gadget
import in_host
import measure
import office
import peer
import port
import spice
import uefi
import vmm

GUEST_MIB = 1024
RESTORE_MIB = 2048
MS, US, MIB = 1e3, 1e6, 1 << 20


@dataclasses.dataclass
class Figure:
    name: str
    unit: str
    target: str = None  # in words
    met: callable = None  # (carrel, qemu) -> bool
    reduce: callable = statistics.median
    alone: bool = False  # it has a target though there is nothing of QEMU's to hold it against


def p99(samples):
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * 0.99))]


def below(ratio, limit=None):
    return lambda carrel, qemu: carrel <= ratio * qemu and (limit is None or carrel <= limit)


def above(ratio):
    return lambda carrel, qemu: carrel >= ratio * qemu


class Run:
    """One VMM for one measurement, in a folder of its own. QEMU gets the firmware that is fastest for a direct boot."""

    def __init__(self, adapter, guest, machine, folder, append="", **options):
        machine.firmware = "qboot.rom"
        self.elf = adapter.build / "tests/bench" / f"bench-{guest}.elf"
        self.session = vmm.Session(adapter, self.elf, machine, folder, append, **options)
        self.pid = self.session.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.end()

    def first_byte(self, timeout=60):
        """Seconds from the process's start to the guest's first byte."""
        stdout = self.session.process.stdout.fileno()
        os.set_blocking(stdout, True)
        if not os.read(stdout, 1):
            raise vmm.Failure(self.session.story("it ended before its guest said anything"))
        return time.monotonic() - self.session.started

    def until(self, word, timeout=120):
        """Reads the guest's lines up to "@ word"; the guest waits until answer()."""
        for line in self.session.serial_lines(timeout):
            if line == f"@ {word}":
                return
            if line.startswith("Bail out!"):
                break
        raise vmm.Failure(self.session.story(f"the guest never said '{word}'"))

    def answer(self):
        self.session.answer()

    def numbers(self, word, timeout=60):
        """The numbers of every later line "word N …", up to the guest's end."""
        found = []
        for line in self.session.serial_lines(timeout):
            if line.startswith(word + " "):
                found.append(list(map(int, line.split()[1:])))
            if line.startswith(("Bail out!", "not ok")):
                break
            if line.startswith("1.."):
                return found
        raise vmm.Failure(self.session.story("the guest did not finish"))


def desktop(folder):
    """The hardware of a desktop, as both VMMs are given it."""
    disk = folder / "disk.raw"
    if not disk.exists():
        disk.write_bytes(bytes(1 << 20))
    return vmm.Machine(memory_mib=GUEST_MIB, rng=True, balloon=True, keyboard=True, tablet=True, mouse=True, gpu=True,
                       disks=[vmm.Disk(disk)], spice=folder / "spice")


# --- the measurements ---


def start(adapter, folder):
    with Run(adapter, "start", vmm.Machine(memory_mib=GUEST_MIB), folder) as run:
        return run.first_byte() * MS


def start_microvm(adapter, folder):
    with Run(adapter, "start", vmm.Machine(memory_mib=GUEST_MIB, minimal=True), folder) as run:
        return run.first_byte() * MS


def idle(adapter, folder):
    """Memory and wake-ups of a desktop that is up, halted, with SPICE listening and nobody there."""
    with Run(adapter, "idle", desktop(folder), folder) as run:
        run.until("ready")
        run.answer()
        time.sleep(2)
        before, began = measure.wakeups(run.pid), time.monotonic()
        time.sleep(5)
        rate = (measure.wakeups(run.pid) - before) / (time.monotonic() - began)
        private, proportional = measure.memory_beyond_guest(run.pid, GUEST_MIB * MIB)
    return {"memory_private": private / MIB, "memory_proportional": proportional / MIB, "wakeups": rate}


def draw(adapter, folder, append, tcp=False):
    """Runs the drawing guest with a client that drains; returns what the frames cost, and when what happened."""
    machine = desktop(folder)
    if tcp:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            machine.spice = free.getsockname()
    arrivals = []
    with Run(adapter, "draw", machine, folder, append) as run:
        run.until("begin")
        client = spice.Client(machine.spice)
        clock = time.time() - time.monotonic()
        display = client.open(spice.DISPLAY, on_message=lambda kind, size, at: arrivals.append((at + clock, kind, size)))
        client.open(spice.CURSOR)
        time.sleep(1)  # the first picture is drawn and gone
        arrivals.clear()
        seconds, count = measure.vmm_seconds(run.pid), display.bytes
        run.answer()
        run.until("end")
        time.sleep(0.2)  # the last one
        seconds, count = measure.vmm_seconds(run.pid) - seconds, display.bytes - count
        run.answer()
        flushes = [line[0] / 1e9 for line in run.numbers("flush")]
        client.close()
    drawings = [at for at, kind, _size in arrivals if spice.DISPLAY_DRAW_FIRST <= kind <= spice.DISPLAY_DRAW_LAST]
    return {"seconds": seconds, "bytes": count, "flushes": flushes, "drawings": drawings}


def delivered(seen):
    """How many flushes were followed by a drawing before the next: on a busy machine some are merged into another."""
    limits = seen["flushes"][1:] + [float("inf")]
    count = sum(any(here <= at < there for at in seen["drawings"])
                for here, there in zip(seen["flushes"], limits, strict=True))
    if count * 2 < len(seen["flushes"]):
        raise vmm.Failure(f"only {count} of {len(seen['flushes'])} updates came to the client each by itself")
    return count


def updates(adapter, folder):
    """Every pixel of 1920 × 1080 changes, ten times a second. On a Unix socket spice-server sends pictures raw."""
    seen = draw(adapter, folder, "mode=full frames=40 interval=100000 content=noise")
    return delivered(seen) / seen["seconds"]


def updates_compressed(adapter, folder):
    """The same with pages of text over TCP, where spice-server compresses as it does by default."""
    seen = draw(adapter, folder, "mode=full frames=20 interval=300000 content=text", tcp=True)
    count = delivered(seen)
    return {"updates_compressed": count / seen["seconds"], "update_bytes": seen["bytes"] / count / MIB}


def latency(adapter, folder):
    """Milliseconds from the guest's flush to the whole drawing at the client, for a box of 64 × 64."""
    seen = draw(adapter, folder, "mode=box frames=80 interval=90000 jitter=60000")
    samples = []
    for flush in seen["flushes"]:
        first = next((at for at in seen["drawings"] if at >= flush), None)
        if first is None:
            raise vmm.Failure("an update never came to the client")
        samples.append((first - flush) * MS)
    return {"flush_latency_median": samples, "flush_latency_p99": samples}


def reads(adapter, folder, depth):
    disk = pathlib.Path("/dev/shm") / f"carrel-bench-{os.getpid()}.raw"
    try:
        with open(disk, "wb") as file:
            for _ in range(256):
                file.write(os.urandom(MIB))
        machine = vmm.Machine(memory_mib=GUEST_MIB, disks=[vmm.Disk(disk, queues=1)])
        with Run(adapter, "reads", machine, folder, f"depth={depth} seconds=3") as run:
            run.until("begin")
            seconds = measure.vmm_seconds(run.pid)
            run.answer()
            run.until("end")
            seconds = measure.vmm_seconds(run.pid) - seconds
            run.answer()
            (count, nanoseconds), = run.numbers("reads")
    finally:
        disk.unlink(missing_ok=True)
    return {f"reads_{depth}_iops": count / nanoseconds * 1e9, f"reads_{depth}_cpu": seconds / count * US}


def reads_1(adapter, folder):
    return reads(adapter, folder, 1)


def reads_32(adapter, folder):
    return reads(adapter, folder, 32)


def key(adapter, folder):
    """Milliseconds from the client's sending a key to the event in the guest's queue."""
    machine = desktop(folder)
    keys, sent = 60, []
    with Run(adapter, "keys", machine, folder, f"keys={keys}") as run:
        run.until("ready")
        client = spice.Client(machine.spice)
        inputs = spice.Inputs(client)
        run.answer()
        time.sleep(1)
        for i in range(keys):
            time.sleep(0.03 + 0.001 * (i * 7 % 20))
            sent.append(time.time_ns())
            inputs.key(0x1E, True)
            time.sleep(0.005)
            inputs.key(0x1E, False)
        seen = [line[0] for line in run.numbers("key")]
        client.close()
    return [(there - here) / 1e6 for here, there in zip(sent, seen, strict=True)]


def restore(adapter, folder):
    """Milliseconds from the process's start to the restored guest's next byte; 1.5 of its 2 GiB are in use."""
    saved = folder / "saved"
    machine = desktop(folder)
    machine.memory_mib = RESTORE_MIB
    with Run(adapter, "running", machine, folder, "fill=1536") as run:
        run.until("ready")
        run.answer()
        run.first_byte()
        run.session.control("save", path=saved)
        run.session.process.wait(30)
    machine.spice.unlink(missing_ok=True)
    try:
        with Run(adapter, "running", machine, folder, "fill=1536", restore=saved) as run:
            return run.first_byte() * MS
    finally:
        saved.unlink()


def usb_desktop(folder, redirect=0):
    """A controller with keyboard and tablet; clients may redirect devices where there is SPICE."""
    return vmm.Machine(memory_mib=GUEST_MIB, gpu=True, usb=True, redirect=redirect, spice=folder / "spice")


def usb_idle(adapter, folder):
    """Wake-ups while the guest's driver waits for keys and nobody types."""
    with Run(adapter, "usb", usb_desktop(folder), folder, "mode=idle") as run:
        run.until("ready")
        run.answer()
        time.sleep(2)
        before, began = measure.wakeups(run.pid), time.monotonic()
        time.sleep(5)
        return (measure.wakeups(run.pid) - before) / (time.monotonic() - began)


def usb_redirect(adapter, folder):
    """Bulk reads of a disk at a client: 64 KiB at a time, one command after the other."""
    size = 64
    image = folder / "disk.img"
    image.write_bytes(os.urandom(size * MIB))
    machine = usb_desktop(folder, redirect=1)
    with Run(adapter, "usb", machine, folder, f"mode=read size={size} blocks=128 seconds=3") as run:
        run.until("plug")
        client = spice.Client(machine.spice)
        disk = peer.Peer(adapter.build, client.link(peer.USBREDIR), "disk", file=image)
        run.answer()
        run.until("begin")
        seconds = measure.vmm_seconds(run.pid)
        run.answer()
        run.until("end")
        seconds = measure.vmm_seconds(run.pid) - seconds
        run.answer()
        (count, nanoseconds), = run.numbers("read")
        disk.end()
        client.close()
    return {"usb_redirect": count / nanoseconds * 1e9 / MIB, "usb_redirect_cpu": seconds / (count / MIB) * MS}


def usb_stream(adapter, folder):
    """Packets lost of a camera's and a headset's streams, both ways."""
    seconds = 60 if adapter.name == "carrel" else 20
    machine = usb_desktop(folder, redirect=2)
    with Run(adapter, "usb", machine, folder, f"mode=stream seconds={seconds}") as run:
        run.until("plug")
        client = spice.Client(machine.spice)
        peers = [peer.Peer(adapter.build, client.link(peer.USBREDIR, number), kind)
                 for number, kind in enumerate(("camera", "headset"))]
        run.answer()
        run.until("end", timeout=seconds + 60)
        run.answer()
        streamed = {}
        for line in run.session.serial_lines(20):
            words = line.split()
            if words and words[0] in ("camera", "microphone", "speaker"):
                streamed[words[0]] = dict(zip(("packets", "lost", "empty", "wrong"), map(int, words[1:]), strict=True))
            if line.startswith("1.."):
                break
        told = [one.end() for one in peers]
        client.close()
    for name in "camera", "microphone":
        if streamed[name]["packets"] < seconds * (7500 if name == "camera" else 900):
            raise vmm.Failure(f"the {name} did not stream: {streamed[name]}")
    return sum(streamed[name]["lost"] for name in ("camera", "microphone")) + told[1]["lost"]


def usb_host(adapter, folder):
    """Bulk reads of a stick in a port of the host, 64 KiB at a time, and how that compares to what the host itself reads."""
    options = f"mode=read size={gadget.MIB} blocks={gadget.COMMAND_KIB * 2} seconds=3"
    with gadget.host_with_stick() as host:
        native = gadget.native_speed(host)
        in_rig = in_host.InHost(adapter, host, gadget.ID)
        with Run(in_rig, "usb", vmm.Machine(memory_mib=256, usb=True), folder, options) as run:
            for word in "plug", "begin", "end":
                run.until(word)
                run.answer()
            (count, nanoseconds), = run.numbers("read")
    speed = count / nanoseconds * 1e9
    return {"usb_host": speed / MIB, "usb_host_share": speed / native}


def firmware(adapter, _folder):
    """Seconds from the process's start to the loader that UEFI finds on the disk, in the rig's host."""
    return uefi.to_loader(adapter.name, adapter.build)


# --- the table: measurement, runs of each VMM, and the figures it gives ---

NO_WAKEUPS = "0"

MEASUREMENTS = [
    (start, 9, [Figure("start", "ms", "≤ 0.2 × QEMU q35", below(0.2))]),
    (start_microvm, 9, [Figure("start_microvm", "ms", "≤ QEMU microvm", below(1))]),
    (idle, 3, [
        Figure("memory_private", "MiB", "≤ 0.25 × QEMU and ≤ 6 MiB", below(0.25, 6)),
        Figure("memory_proportional", "MiB", "≤ 0.4 × QEMU", below(0.4)),
        Figure("wakeups", "1/s", NO_WAKEUPS, lambda carrel, _qemu: carrel == 0),
    ]),
    (updates, 3, [Figure("updates", "1/CPU-s", "≥ 2 × QEMU", above(2))]),
    (updates_compressed, 3, [Figure("updates_compressed", "1/CPU-s"), Figure("update_bytes", "MiB")]),
    (latency, 3, [
        Figure("flush_latency_median", "ms", "≤ 0.25 × QEMU", below(0.25)),
        Figure("flush_latency_p99", "ms", "≤ 0.25 × QEMU", below(0.25), p99),
    ]),
    (reads_1, 3, [
        Figure("reads_1_iops", "1/s", "≥ 1.2 × QEMU", above(1.2)),
        Figure("reads_1_cpu", "µs", "≤ QEMU / 1.2", below(1 / 1.2)),
    ]),
    (reads_32, 3, [
        Figure("reads_32_iops", "1/s", "≥ 1.2 × QEMU", above(1.2)),
        Figure("reads_32_cpu", "µs", "≤ QEMU / 1.2", below(1 / 1.2)),
    ]),
    (key, 3, [Figure("key", "ms", "≤ QEMU", below(1))]),
    (usb_idle, 3, [Figure("usb_idle", "1/s", NO_WAKEUPS, lambda carrel, _qemu: carrel == 0)]),
    (usb_redirect, 3, [
        Figure("usb_redirect", "MiB/s", "≥ 1.5 × QEMU", above(1.5)),
        Figure("usb_redirect_cpu", "ms/MiB"),
    ]),
    (usb_stream, 1, [Figure("usb_stream", "packets", "0 lost", lambda carrel, _qemu: carrel == 0)]),
    (usb_host, 3, [
        Figure("usb_host", "MiB/s", "≥ 1.2 × QEMU", above(1.2)),
        Figure("usb_host_share", "× native", "≥ 0.9", lambda carrel, _qemu: carrel >= 0.9),
    ]),
    (firmware, 5, [Figure("firmware", "s", "≤ 0.8 × QEMU", below(0.8))]),
    (restore, 5, [Figure("restore", "ms", "≤ 50 ms and ≤ 0.2 × QEMU", below(0.2, 50))]),
]


def at_most(limit):
    return lambda carrel, _qemu: carrel <= limit


def at_least(limit):
    return lambda carrel, _qemu: carrel >= limit


OF_A_HOST = [
    (office.many, 3, [
        Figure("office_start_20", "s", "≤ 10 s", at_most(10), alone=True),
        Figure("office_memory", "MiB", "≤ 30 MiB", at_most(30), alone=True),
    ]),
    (office.clone, 1, [Figure("office_clone", "ms", "≤ 1000 ms", at_most(1000), alone=True)]),
    (office.reads, 1, [
        Figure("office_page", "ms", "≤ 20 ms (p99)", at_most(20), p99, alone=True),
        Figure("office_thing", "ms", "≤ 20 ms (p99)", at_most(20), p99, alone=True),
        Figure("office_search", "ms", "≤ 20 ms (p99)", at_most(20), p99, alone=True),
    ]),
    (port.throughput, 1, [
        Figure("tunnel_down", "GB/CPU-s", "≥ 1", at_least(1), alone=True),
        Figure("tunnel_up", "GB/CPU-s", "≥ 1", at_least(1), alone=True),
        Figure("tunnel_websocket", "GB/CPU-s", "≥ 1", at_least(1), alone=True),
        Figure("cipher", "GB/s"),
    ]),
    (port.latency, 3, [Figure("tunnel_latency", "ms", "≤ 0.2 ms", at_most(0.2), alone=True)]),
    (port.memory, 1, [Figure("web_memory", "MiB", "≤ 30 MiB", at_most(30), alone=True)]),
    (port.page, 1, [
        Figure("page_size", "kB", "≤ 200 kB", at_most(200), alone=True),
        Figure("page_usable", "ms", "≤ 1000 ms", at_most(1000), alone=True),
    ]),
    (port.reads, 1, [
        Figure("api_page", "ms", "≤ 20 ms (p99)", at_most(20), p99, alone=True),
        Figure("api_thing", "ms", "≤ 20 ms (p99)", at_most(20), p99, alone=True),
        Figure("api_search", "ms", "≤ 20 ms (p99)", at_most(20), p99, alone=True),
    ]),
]
