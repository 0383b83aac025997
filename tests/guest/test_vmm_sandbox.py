# SPDX-License-Identifier: Apache-2.0
"""What a running desktop's process is left with: looked at from outside, as /proc tells it."""

import os
import pathlib
import re

import pytest
from behaviour import wait_until


@pytest.fixture
def inner(kind, bench, tmp_path):
    """The process of a desktop with one of everything, its guest running."""
    if "--no-sandbox" in bench.options:
        pytest.skip("there is no sandbox")
    (tmp_path / "disk").write_bytes(bytes(4 << 20))
    desktop = bench.start(bench.groups(
        "load", "slots=1024 gpu=1 port=test", disk_a={"path": tmp_path / "disk"}, spice={"socket": tmp_path / "spice", "no-ticket": True},
        port_test={"socket": tmp_path / "port"}, display={"scanouts": 1}, input={"keyboard": True}, desktop={"vcpus": 2, "balloon": True}))
    desktop.wait_printed(b"alive 2 ")
    desktop.do("status")  # and with the threads that serve control
    return pathlib.Path("/proc") / str(desktop.inner())


def status(folder):
    return dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())


def test_every_thread_is_filtered(inner):
    """Those of libraries by what is left to the main thread, the others by their own list besides."""
    seen = {}
    for task in inner.glob("task/*"):
        of_task = status(task)
        assert of_task["Seccomp"] == "2" and of_task["NoNewPrivs"] == "1", of_task
        seen[of_task["Name"]] = int(of_task["Seccomp_filters"])
    assert seen["vcpu0"] == seen["vcpu1"] == 3, seen
    assert all(count >= 2 for count in seen.values()), seen


def test_nobody_without_anything(inner):
    if os.geteuid():
        pytest.skip("an ordinary user stays who it was")
    of_process = status(inner)
    assert of_process["Uid"].split() == of_process["Gid"].split() == ["65534"] * 4
    assert of_process["Groups"].strip() == ""
    assert all(int(of_process[name], 16) == 0 for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
    assert list((inner / "root").iterdir()) == []
    for space in "pid", "net", "ipc", "uts", "mnt":
        assert os.readlink(inner / "ns" / space) != os.readlink(f"/proc/self/ns/{space}"), space
    limits = (inner / "limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M), limits


def test_nothing_leaks_in(bench, tmp_path):
    """Descriptors that whoever started it forgot to close are not the desktop's, and no file takes a standard one's place."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "disk").write_bytes(bytes(4 << 20))
    groups = bench.groups("load", "slots=1024", disk_a={"path": tmp_path / "disk"}, serial={"output": f"file:{tmp_path}/serial"})
    desktop = bench.start(groups, before=f"exec 9<{tmp_path}/secret 77<{tmp_path}/secret 0<&- 1<&- 2<&-")
    wait_until(lambda: b"alive 2 " in (tmp_path / "serial").read_bytes() if (tmp_path / "serial").exists() else False, "life")
    for pid in desktop.process.pid, desktop.inner() or desktop.process.pid:
        links = {number: os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
        assert not any(link.endswith("/secret") for link in links.values()), links
        assert [links[number] for number in "012"] == ["/dev/null"] * 3
    desktop.do("stop")
    assert desktop.wait() == 0
