# SPDX-License-Identifier: Apache-2.0
"""The TPM, with swtpm behind it; and swtpm as it should not be."""

import os
import re
import shutil
import signal
import socket
import subprocess

import pytest
from behaviour import wait_until
from vmm import Machine

PATIENCE = 90  # seconds: where the kernel's part of a guest is emulated SeaBIOS takes some


@pytest.fixture
def swtpm(kind, tmp_path):
    """swtpm(): starts one, with the same socket and a fresh folder; returns its process."""
    if kind.name == "qemu":
        pytest.skip("a test of carrel-vmm")
    if not shutil.which("swtpm"):
        pytest.skip("swtpm is not installed")
    started = []

    def start():
        folder = tmp_path / f"tpm{len(started)}"
        folder.mkdir()
        path = tmp_path / "swtpm"
        path.unlink(missing_ok=True)
        process = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--terminate",
                                    "--ctrl", f"type=unixio,path={path}", "--log", f"file={folder}/log,level=20"], stderr=subprocess.DEVNULL)
        started.append(process)
        wait_until(path.exists, "swtpm's socket")
        process.path, process.log = path, folder / "log"
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_tpm(run, swtpm, tmp_path):
    """Driven, saved and restored: with another swtpm, whose own state is empty."""
    first = swtpm()
    others = []

    def another():
        assert first.wait(20) == 0  # it ends with the desktop
        others.append(swtpm())

    run("tpm", Machine(tpm=first.path),
        actions={"save": lambda session, _: session.save_and_restore(tmp_path / "saved", another)})
    assert others[0].wait(20) == 0


def test_seabios_measures(bench, swtpm, tmp_path):
    """Debian's SeaBIOS starts the TPM and extends registers 0 to 7 with what it is about to run: it found device and log."""
    if not os.path.exists("/usr/share/seabios/bios-256k.bin"):
        pytest.skip("no seabios")
    process = swtpm()
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    desktop = bench.start(bench.groups(boot={"kernel": None, "command-line": None, "firmware": "bios"},
                                       disk_a={"path": tmp_path / "disk"}, tpm={"socket": process.path}))

    def commands():
        """(code, first word of arguments) of each."""
        return re.findall(r"SWTPM_IO_Read: length \d+\n 80 0[12] (?:\w\w ){4}00 00 (\w\w \w\w) 00 00(?: 00 (\w\w))?",
                          process.log.read_text())

    wait_until(lambda: ("01 82", "07") in commands(), "the last register's being extended", PATIENCE)
    assert commands()[0][0] == "01 44"  # TPM2_Startup
    assert {register for code, register in commands() if code == "01 82"} == {f"{n:02X}" for n in range(8)}
    desktop.do("stop")
    assert desktop.wait() == 0


def test_inherited(bench, swtpm):
    process = swtpm()
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(process.path))
        desktop = bench.start(bench.groups("load", "memory=1", tpm={"fd": "tpm"}), fds=[("tpm", control.fileno())])
        desktop.wait_printed(b"alive 2 ")
    desktop.do("stop")
    assert desktop.wait() == 0
    assert process.wait(20) == 0


def test_lost(bench, swtpm):
    """swtpm dies under a running desktop: one line, and the desktop lives, is reset and ends in order."""
    process = swtpm()
    desktop = bench.start(bench.groups("load", "memory=1", tpm={"socket": process.path}))
    desktop.wait_printed(b"alive 2 ")
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: "TPM is lost" in desktop.said(), "its being told")
    desktop.do("reset")
    wait_until(lambda: desktop.printed().count(b"load on") == 2, "a second start")
    desktop.do("stop")
    assert desktop.wait() == 0
    assert desktop.said().count("\n") == 1


def test_refused(bench, tmp_path):
    """Whatever is not swtpm's control socket is one error."""
    groups = bench.groups()
    bench.refused({**groups, "tpm": {"socket": tmp_path / "nobody"}}, says="cannot reach swtpm: No such file")
    bench.refused({**groups, "tpm": {}}, says=r"\[tpm\] socket: give one of")
    bench.refused({**groups, "tpm": {"fd": "tpm"}}, fds=[], says="tpm")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(bytes(8))
        bench.refused({**groups, "tpm": {"fd": "tpm"}}, fds=[("tpm", ours.fileno())], says="something else")
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        bench.refused({**groups, "tpm": {"fd": "tpm"}}, fds=[("tpm", ours.fileno())], says="does not answer")
    with open(os.devnull) as nothing:
        bench.refused({**groups, "tpm": {"fd": "tpm"}}, fds=[("tpm", nothing.fileno())], says="not a connected stream")
