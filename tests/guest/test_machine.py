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


WORD = "".join(chr(ord("a") + i % 26) for i in range(100))


@pytest.mark.parametrize("memory", [16, 64, 2048, 2049, 5120, 65536])
def test_memory(run, kind, memory):
    """Sizes around the hole below 4 GiB, and one larger than the host's own memory may be."""
    if kind.name == "qemu" and memory > 8192:
        pytest.skip("QEMU asks the host for all of it at once")
    run("boot", Machine(rng=True, memory_mib=memory), f"memory={memory} word={WORD}")


def test_initrd(run, tmp_path):
    path = tmp_path / "initrd"
    path.write_bytes(bytes(i * 7 & 0xFF for i in range(100_001)))
    run("boot", Machine(rng=True, memory_mib=64, initrd=path), f"memory=64 initrd=100001 word={WORD}")


@pytest.mark.parametrize("cpus", [1, 2, 5, 64])
def test_cpu(run, cpus):
    run("cpu", Machine(cpus=cpus), f"cpus={cpus}")


def test_pci(run, disk):
    run("pci", Machine(rng=True, disks=[disk]))


def test_uart(run):
    run("uart")


def test_rtc(run):
    run("rtc", append=f"epoch={int(time.time())}")


def test_hyperv(run, kind):
    if kind.name == "qemu":
        pytest.skip("a test of carrel-vmm")
    run("hyperv", Machine(cpus=2, guest_os="windows"))


def test_local_time(run, kind, monkeypatch):
    """Windows keeps its clock in local time."""
    if kind.name == "qemu":
        pytest.skip("a test of carrel-vmm")
    monkeypatch.setenv("TZ", "XYZ-5:30")
    run("rtc", Machine(guest_os="windows"), append=f"epoch={int(time.time()) + 5 * 3600 + 1800}")


@pytest.mark.parametrize("end", ["s5", "reset", "keyboard", "triple"])
def test_end(run, end):
    """S5 ends the machine; the others start it again, with every device reset."""
    session = run("power", Machine(rng=True, reboots=True), f"end={end}")
    if session.adapter.name == "carrel":
        assert ("triple fault" in (session.folder / "vmm.log").read_text()) == (end == "triple")


def test_power_button(run):
    run("power", append="end=button", actions={"press-power": lambda session, _: session.control("power_button")})
