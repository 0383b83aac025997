# SPDX-License-Identifier: Apache-2.0
"""
Discs that nobody here made, started by firmware from the CD-ROM drive: each shows its first screen, and keys on USB change it.

A screen is known by a few of its words, kept as pictures in pictures/.
"""

import pathlib
import time

import numpy
import pytest
from PIL import Image

from rig import pictures
from rig.disc import Disc, bring, installer

PICTURES = pathlib.Path(__file__).resolve().parent / "pictures"
PATIENCE = 240  # seconds, in an emulated host
BAR = (170, 0, 0)  # what is selected in the installer's menu


def words(name):
    return numpy.asarray(Image.open(PICTURES / f"{name}.png").convert("RGB"))


@pytest.fixture
def start(room, out):
    """start("ipxe.iso's path", "bios") is a desktop with the disc in its drive. Its last picture is kept."""
    if room.vmm.name == "qemu":
        pytest.skip("a test of carrel-vmm")
    discs = []

    def run(disc, firmware):
        discs.append(Screen(Disc(room.host, bring(room.host, disc), firmware), out / f"{pathlib.Path(disc).stem}-{firmware}.png"))
        return discs[-1]

    yield run
    for disc in discs:
        disc.disc.end()


class Screen:
    """What a disc shows."""

    def __init__(self, disc, kept):
        self.disc, self._kept = disc, kept

    def picture(self):
        picture = self.disc.picture()
        if picture is not None:
            Image.fromarray(picture).save(self._kept)
        return picture

    def wait(self, condition, what, press=None):
        """Waits until condition(picture) is true, and returns what it is. press: keys to press again and again meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while True:
            if press:
                self.disc.press(*press)
            picture = self.picture()
            if picture is not None and (value := condition(picture)):
                return value
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s; its screen is in {self._kept}"

    def wait_for(self, name, times=1, press=None):
        self.wait(lambda picture: len(pictures.find(picture, words(name))) >= times, f"“{name}”", press)


def test_memtest(start):
    """By UEFI, since it writes into the text memory of a graphics card that is not there where a BIOS starts it."""
    screen = start("/usr/lib/memtest86+/memtest86+x64.iso", "uefi")
    screen.wait_for("memtest")
    screen.disc.press("f1")
    screen.wait_for("memtest-settings")


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_ipxe(start, firmware):
    screen = start("/usr/lib/ipxe/ipxe.iso", firmware)
    screen.disc.keys()  # connected before it asks for a key, which it does not for long
    screen.wait_for(f"ipxe-{firmware}")
    screen.wait_for(f"ipxe-prompt-{firmware}", press=("ctrl", "b"))
    screen.disc.press("enter")
    screen.wait_for(f"ipxe-prompt-{firmware}", times=2)


def bar(picture):
    """Where the selected line is: its first row; 0: there is none."""
    rows = numpy.nonzero((picture == BAR).all(axis=2).sum(axis=1) > 100)[0]
    return int(rows[0]) if len(rows) else 0


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_installer(start, firmware):
    """Debian's installer asks for a language; the arrows move the selection up, and back."""
    screen = start(installer(), firmware)
    screen.wait_for("installer")
    first = screen.wait(bar, "a selected line")
    screen.disc.press("up")
    screen.wait(lambda picture: 0 < bar(picture) < first, "the line above")
    screen.disc.press("down")
    screen.wait(lambda picture: bar(picture) == first, "the line that was selected first")
