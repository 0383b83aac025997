# SPDX-License-Identifier: Apache-2.0
"""The firmware's screen: Debian's SeaBIOS draws into ramfb, which a screenshot, and so every viewer, shows."""

import os

import numpy
import pytest
from behaviour import wait_until
from PIL import Image

ROM = "/usr/share/seabios/vgabios-ramfb.bin"
PATIENCE = 90  # seconds: where the kernel's part of a guest is emulated SeaBIOS takes some


@pytest.fixture
def groups(bench, tmp_path):
    if not os.path.exists(ROM):
        pytest.skip("no seabios")
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    return bench.groups(boot={"kernel": None, "command-line": None, "firmware": "bios"}, display={"scanouts": 1},
                        disk_a={"path": tmp_path / "disk"})


def picture(desktop, path):
    """The pixels that are shown, or None."""
    done = desktop.ctl("screenshot", path)
    if done.returncode:
        assert "shows nothing" in done.stderr, done.stderr
        return None
    return numpy.asarray(Image.open(path).convert("RGB"))


def has_text(pixels):
    """SeaBIOS's first line: bright on black, at the top left."""
    return pixels is not None and pixels[:16, :320].max() > 128 and pixels[400:].max() == 0


def wait_for_text(desktop, path):
    wait_until(lambda: desktop.process.poll() is not None or has_text(picture(desktop, path)), "SeaBIOS's words", PATIENCE)
    assert desktop.process.poll() is None, desktop.said()


def test_seabios(bench, groups, tmp_path):
    """Seen from the first words on; the same after a save and a restore; gone with a reset, and there again."""
    shot = tmp_path / "shot.png"
    desktop = bench.start(groups)
    assert desktop.state() == "running"
    wait_for_text(desktop, shot)
    desktop.do("pause")
    before = picture(desktop, shot)
    desktop.do("save", tmp_path / "saved")
    assert desktop.wait() == 0

    desktop = bench.start("--restore", tmp_path / "saved")
    assert desktop.state() == "paused (user)"
    assert (picture(desktop, shot) == before).all()
    desktop.do("reset")
    assert picture(desktop, shot) is None
    desktop.do("resume")
    wait_for_text(desktop, shot)
    desktop.do("stop")
    assert desktop.wait() == 0


def test_refused(bench, groups, tmp_path):
    (tmp_path / "large").write_bytes(bytes((256 << 10) + 1))
    (tmp_path / "empty").write_bytes(b"")
    for name, says in ("none", "No such file"), ("large", "larger than 256 KiB"), ("empty", "empty"):
        bench.refused({**groups, "boot": {**groups["boot"], "vga-rom": tmp_path / name}}, says=rf"\[boot\] vga-rom: .*{says}")
    bench.refused({**groups, "display": {"scanouts": 0}, "boot": {**groups["boot"], "vga-rom": ROM}}, says="and a display")
