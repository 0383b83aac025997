# SPDX-License-Identifier: Apache-2.0
"""Saving and restoring a whole desktop that works on everything at once (load.c), and what becomes of the file."""

import hashlib
import os
import random
import re
import signal
import socket
import struct
import subprocess
import time

import pytest
from behaviour import wait_until
from load import BLOCK, SLOTS, check_disk, check_serial, finish, wait_alive


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.raw"
    with open(path, "wb") as file:
        file.truncate(SLOTS * BLOCK)
    return path


@pytest.fixture
def groups(bench, tmp_path, disk):
    def make(cpus=1, ring=0, memory=2, **more):
        options = f"slots={SLOTS} ring={ring} gpu=1 port=test memory={memory}"
        return bench.groups("load", options, **{
            "disk_a": {"path": disk}, "port_test": {"socket": tmp_path / "port"}, "display": {"scanouts": 1},
            "input": {"keyboard": True, "tablet": True, "mouse": True}, "spice": {"socket": tmp_path / "spice", "no-ticket": True},
            "desktop": {"vcpus": cpus, "memory": "48M", "balloon": True}, **more})

    return make


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_port(path):
    """The guest sends back what it gets."""
    with socket.socket(socket.AF_UNIX) as port:
        port.settimeout(20)
        port.connect(str(path))
        # What is sent before the guest knows of us is lost, as on a cable.
        word = b"carrel"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            port.sendall(word)
            port.settimeout(0.2)
            try:
                if word in port.recv(4096):
                    return
            except TimeoutError:
                pass
    raise AssertionError("nothing comes back from the port")


@pytest.mark.parametrize("cpus, ring", [(1, 0), (4, 7), (2, 4), (1, 3)])
def test_generations(bench, groups, disk, tmp_path, cpus, ring):
    """Saved at moments nobody chose, restored, saved again, with and without its configuration given anew."""
    saved = tmp_path / "saved"
    dice = random.Random(ring)
    path = bench.write(groups(cpus, ring))
    desktop = bench.start(path)
    wait_alive(desktop)
    said = b""
    for generation in range(5):
        time.sleep(dice.uniform(0, 0.08))
        desktop.do("screenshot", tmp_path / "before.png")
        desktop.do("save", saved)
        assert desktop.wait() == 0 and desktop.said() == ""
        said += desktop.printed()
        before = digest(saved)
        desktop = bench.start("--restore", saved, *([path] if generation % 2 else []))
        if generation == 2:
            continue  # saved as soon as it can be
        wait_alive(desktop)
        desktop.do("screenshot", tmp_path / "after.png")
        assert digest(tmp_path / "before.png") == digest(tmp_path / "after.png")
        check_port(tmp_path / "port")
        assert desktop.state() == "running"
        assert digest(saved) == before, "the saved file was changed"
    wait_alive(desktop)
    finish(desktop)
    assert digest(saved) == before, "the saved file was changed"
    check_disk(disk, check_serial(said + desktop.printed()))


def test_at_random_moments(bench, groups, disk, tmp_path):
    """Many times, from the first instruction on."""
    saved = tmp_path / "saved"
    dice = random.Random(5)
    desktop = bench.start(groups(2, 5))
    said = b""
    for _ in range(12):
        wait_until(lambda: desktop.control.exists(), "its control socket")
        time.sleep(dice.uniform(0, 0.05))
        desktop.do("save", saved)
        assert desktop.wait() == 0 and desktop.said() == ""
        said += desktop.printed()
        desktop = bench.start("--restore", saved)
    wait_alive(desktop)
    finish(desktop)
    check_disk(disk, check_serial(said + desktop.printed()))


def test_paused_desktop_comes_back_paused(bench, groups, tmp_path):
    saved = tmp_path / "saved"
    desktop = bench.start(groups())
    wait_alive(desktop)
    desktop.do("pause")
    desktop.do("save", saved)
    assert desktop.wait() == 0
    said = desktop.printed()
    desktop = bench.start("--restore", saved)
    desktop.wait_state("paused (user)")
    time.sleep(0.1)
    assert desktop.printed() == b""
    desktop.do("resume")
    wait_alive(desktop)
    finish(desktop)
    check_serial(said + desktop.printed())


# ---- a saving that fails, or is not wanted any more ----

@pytest.fixture
def tiny(tmp_path):
    """A file system with less room than any desktop takes, however little its guest has touched of its memory yet."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_no_room(bench, groups, disk, tiny):
    desktop = bench.start(groups())
    wait_alive(desktop)
    for _ in range(2):
        done = desktop.ctl("save", tiny / "saved")
        assert done.returncode == 1
        assert re.fullmatch(r"carrel-vmm: [^\n]*No space left on device\n", done.stderr), done.stderr
        assert not list(tiny.iterdir())
        assert desktop.state() == "running"
        wait_alive(desktop)
    finish(desktop)
    check_disk(disk, check_serial(desktop.printed()))


def test_no_such_folder(bench, groups, tmp_path):
    desktop = bench.start(groups())
    wait_alive(desktop)
    done = desktop.ctl("save", tmp_path / "no" / "saved")
    assert done.returncode == 1 and "/no/saved" in done.stderr and done.stderr.count("\n") == 1
    assert desktop.state() == "running"


def test_replaces_only_when_whole(bench, groups, tmp_path, tiny):
    """What stood at the path stays until the new file is whole."""
    for folder, works in (tiny, False), (tmp_path, True):
        place = folder / "saved"
        place.write_text("an older one")
        desktop = bench.start(groups())
        wait_alive(desktop)
        assert (desktop.ctl("save", place).returncode == 0) == works
        assert (place.read_bytes()[:6] == b"CARREL") == works
        if not works:
            assert place.read_text() == "an older one"
            desktop.signal()
        assert desktop.wait() == 0


def start_save(desktop, path):
    return subprocess.Popen([desktop.program, "ctl", desktop.control, "save", path], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


LARGE = {"desktop": {"vcpus": 1, "memory": "320M", "balloon": False}}  # with most of it in use, a saving takes a while


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_save_interrupted(bench, groups, tmp_path, number):
    """Whoever saves loses interest: there is a whole file and no desktop, or a desktop and no file."""
    saved = tmp_path / "saved"
    dice = random.Random(number)
    desktop = bench.start(groups(memory=256, **LARGE))
    wait_alive(desktop, 5)
    for _ in range(6):
        saver = start_save(desktop, saved)
        time.sleep(dice.uniform(0, 0.15))
        saver.send_signal(number)
        _, words = saver.communicate(timeout=20)
        partial = [] if number == signal.SIGKILL else list(tmp_path.glob("saved.*"))
        if number == signal.SIGKILL:
            # Nobody was there to remove it; what the VMM wrote into it is given back, unless it is whole.
            wait_until(lambda: desktop.process.poll() is not None or "running" in desktop.ctl("status").stdout, "an outcome")
            partial = list(tmp_path.glob("saved.*"))
            if desktop.process.poll() is not None:
                assert (partial or [saved])[0].read_bytes()[:6] == b"CARREL"
            else:
                assert all(path.stat().st_size == 0 for path in partial)
            for path in partial:
                path.rename(saved) if path.stat().st_size else path.unlink()
        else:
            assert not partial
            assert saver.returncode in (0, 1, -number), words
            assert saved.exists() == (saver.returncode == 0)
        if saved.exists():
            assert desktop.wait() == 0
            desktop = bench.start("--restore", saved)
            wait_alive(desktop)
            saved.unlink()
        assert desktop.state() == "running"
        wait_alive(desktop)
    finish(desktop)


def test_ended_while_saving(bench, groups, tmp_path):
    """SIGTERM at a moment of the saving, once or twice: it ends in order, and the file is whole or not there."""
    saved = tmp_path / "saved"
    dice = random.Random(3)
    for i in range(6):
        desktop = bench.start(groups(memory=256, **LARGE))
        wait_alive(desktop, 3)
        saver = start_save(desktop, saved)
        time.sleep(dice.uniform(0, 0.15))
        desktop.signal()
        if i % 2:
            time.sleep(0.01)
            desktop.signal()
        assert desktop.wait() == 0 and desktop.said() == ""
        _, words = saver.communicate(timeout=20)
        assert saver.returncode in (0, 1) and words.count("\n") == saver.returncode, words
        assert saved.exists() == (saver.returncode == 0)
        assert not list(tmp_path.glob("saved.*"))
        if saved.exists():
            desktop = bench.start("--restore", saved)
            wait_alive(desktop)
            finish(desktop)
            saved.unlink()


def test_saved_twice_at_once(bench, groups, tmp_path):
    desktop = bench.start(groups(memory=256, **LARGE))
    wait_alive(desktop, 3)
    savers = [start_save(desktop, tmp_path / name) for name in ("one", "two")]
    words = [saver.communicate(timeout=30)[1] for saver in savers]
    assert desktop.wait() == 0
    assert sorted(saver.returncode for saver in savers) == [0, 1]
    assert [text for text in words if text][0].count("\n") == 1
    assert len([name for name in ("one", "two") if (tmp_path / name).exists()]) == 1


# ---- files that are not what they should be ----

@pytest.fixture
def saved(bench, groups, tmp_path):
    """A saved desktop, and the configuration it had."""
    path = tmp_path / "saved"
    desktop = bench.start(groups())
    wait_alive(desktop)
    desktop.do("save", path)
    assert desktop.wait() == 0
    return path


def test_damaged_files(bench, saved, tmp_path):
    whole = saved.read_bytes()
    ram = 2 << 20
    version = whole[:16] + struct.pack("<I", 99) + whole[20:]
    changed = bytearray(whole)
    changed[-1000] ^= 1
    cases = {
        "not a saved desktop": [b"", b"CARREL DESK", b"hello\n" * 1000, bytes(4096), bytes(len(whole))],
        "cut short": [whole[:60], whole[:4096], whole[:ram], whole[:ram + 12345], whole[:-1]],
        "newer Carrel": [version],
        "changed or damaged": [bytes(changed)],
        "contradicts itself": [whole + b"more"],
    }
    for says, contents in cases.items():
        for content in contents:
            saved.write_bytes(content)
            bench.refused("--restore", saved, says=f"/saved: .*{says}")
            assert saved.read_bytes() == content
    bench.refused("--restore", tmp_path / "missing", says="/missing: No such file")
    bench.refused("--restore", tmp_path, says="not a saved desktop|Is a directory")
    # Every header a hostile file may have: never a crash, never a start.
    dice = random.Random(9)
    for _ in range(30):
        hostile = bytearray(whole[:ram])
        for _ in range(dice.randint(1, 8)):
            hostile[dice.randrange(0, 96)] = dice.choice([0, 1, 0x7F, 0x80, 0xFF])
        if hostile == whole[:ram]:
            continue
        saved.write_bytes(hostile + whole[ram:])
        bench.refused("--restore", saved, says="/saved: ")


def test_names_are_free(bench, groups, tmp_path):
    """Disks and cards may have each other's names, and those of devices that nobody names."""
    for name in "rng0", "gpu0":
        (tmp_path / name).write_bytes(bytes(1 << 20))
    more = groups(disk_rng0={"path": tmp_path / "rng0"}, disk_gpu0={"path": tmp_path / "gpu0"},
                  net_a={"backend": "none"}, net_pci={"backend": "none"})
    desktop = bench.start(more)
    wait_alive(desktop)
    desktop.do("resize", "rng0")
    desktop.do("save", tmp_path / "saved")
    assert desktop.wait() == 0
    desktop = bench.start("--restore", tmp_path / "saved")
    wait_alive(desktop)
    finish(desktop)


@pytest.mark.parametrize("owner, mode, says", [
    (12345, 0o600, "belongs to another user"), (0, 0o620, "others may write to it"), (0, 0o602, "others may write to it"),
])
def test_saved_by_somebody_else(bench, groups, saved, owner, mode, says):
    """The configuration within is not for us to obey: it could name any file. With one of our own it may go on."""
    os.chown(saved, owner, 0)
    os.chmod(saved, mode)
    bench.refused("--restore", saved, says=f"/saved: {says}.*name the desktop's configuration")
    desktop = bench.start("--restore", saved, groups())
    wait_alive(desktop)
    finish(desktop)


def test_saved_is_a_fifo(bench, tmp_path):
    os.mkfifo(tmp_path / "fifo", 0o600)
    bench.refused("--restore", tmp_path / "fifo", says="/fifo: this is not a saved desktop")


@pytest.mark.parametrize("change, says", [
    ({"desktop": {"memory": "64M"}}, "saved desktop has 48 MiB of memory, this one 64"),
    ({"desktop": {"vcpus": 2}}, "this desktop has vcpu1 .*saved one had not"),
    ({"disk_a": None}, "saved desktop had disk a .*this one has not"),
    ({"disk_b": {"path": "spare"}}, "this desktop has disk b .*saved one had not"),
    ({"display": {"scanouts": 0}, "spice": None}, "saved desktop had gpu0"),
    ({"display": {"scanouts": 2}}, "gpu0.* 1 scanouts, this one has 2"),
    ({"desktop": {"balloon": False}}, "saved desktop had balloon0"),
    ({"input": {"mouse": False}}, "saved desktop had mouse0"),
    ({"port_test": None}, "console0: "),
    ({"port_other": {"socket": "other"}}, "console0"),
    ({"disk_a": {"read-only": True}}, "a: .*other queues or features"),
    ({"disk_a": {"queues": 3}}, "a: state of .* of another device"),
])
def test_another_shape(bench, groups, saved, tmp_path, change, says):
    """The saved one goes on only in a desktop of the same shape."""
    before = digest(saved)
    (tmp_path / "spare").write_bytes(bytes(1 << 20))
    more = groups()
    for name, keys in change.items():
        name = name.replace("_", " ", 1)
        if keys is None:
            del more[name]
        else:
            paths = {key: tmp_path / value if key in ("path", "socket") else value for key, value in keys.items()}
            more[name] = {**more.get(name, {}), **paths}
    bench.refused("--restore", saved, more, says=says)
    assert digest(saved) == before


def test_a_file_that_is_gone(bench, groups, saved, disk):
    """The desktop's own disk is missing now."""
    disk.unlink()
    bench.refused("--restore", saved, says=r"\[disk a\] path: .*disk.raw.*No such file")


def test_a_file_cut_short_meanwhile(bench, saved, tmp_path):
    """Memory that is not there any more cannot be made up for: the desktop says why, and does not go on as if."""
    desktop = bench.start("--restore", saved)
    wait_alive(desktop)
    os.truncate(saved, 4096)
    wait_until(lambda: "which it is read from, was cut short" in desktop.said(), "a word about the file")
    assert str(saved) in desktop.said()
    wait_until(lambda: desktop.process.poll() is not None or "paused (error)" in desktop.ctl("status").stdout, "its end")
    if desktop.process.poll() is not None:
        assert desktop.wait() == 128 + signal.SIGBUS and desktop.said().count(str(saved)) == 1


def test_a_file_replaced_meanwhile(bench, groups, saved, tmp_path):
    """Renaming another over it, as ctl save does, or removing it, is nothing to the desktop that runs from it."""
    desktop = bench.start("--restore", saved)
    wait_alive(desktop)
    (tmp_path / "other").write_bytes(b"another")
    (tmp_path / "other").rename(saved)
    wait_alive(desktop, 5)
    saved.unlink()
    wait_alive(desktop, 5)
    finish(desktop)
