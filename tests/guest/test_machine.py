# SPDX-License-Identifier: Apache-2.0
"""The board: processors, PCI, clock, serial port, power."""

import time

import pytest
from vmm import Disk, Machine


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.raw"
    path.write_bytes(bytes(1 << 20))
    return Disk(path)


@pytest.mark.parametrize("cpus", [1, 2, 5])
def test_cpu(run, cpus):
    run("cpu", Machine(cpus=cpus), f"cpus={cpus}")


def test_pci(run, disk):
    run("pci", Machine(rng=True, disks=[disk]))


def test_uart(run):
    run("uart")


def test_rtc(run):
    run("rtc", append=f"epoch={int(time.time())}")


@pytest.mark.parametrize("end", ["s5", "reset", "keyboard", "triple"])
def test_end(run, end):
    """S5 ends the machine; the others start it again, with every device reset."""
    run("power", Machine(rng=True, reboots=True), f"end={end}")


def test_power_button(run):
    run("power", append="end=button", actions={"press-power": lambda session, _: session.control("power_button")})
