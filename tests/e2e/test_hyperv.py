# SPDX-License-Identifier: Apache-2.0
"""Hyper-V's interface, which only hosts with a whole KVM offer."""

import pathlib

import pytest


def test_hyperv(room):
    """The guest of tests/guest for Hyper-V's interface, on this host's KVM, which has it."""
    if room.vmm.name == "qemu":
        pytest.skip("a test of carrel-vmm")
    host, folder = room.host, "/run/hyperv"
    host.run(f"mkdir -p {folder}")
    host.write(f"{folder}/guest.elf", pathlib.Path(room.build / "tests/guest/guest-hyperv.elf").read_bytes())
    host.write(f"{folder}/conf", "[desktop]\nname=hyperv\nmemory=64M\nvcpus=2\nguest-os=windows\n"
               f"[boot]\nkernel={folder}/guest.elf\ncommand-line=vmm=carrel\n[display]\nscanouts=0\n"
               f"[serial]\noutput=file:{folder}/said\n")
    host.run(f"carrel-vmm run {folder}/conf", timeout=120)
    said = host.run(f"cat {folder}/said")
    assert "ok 1 - leaves: the signature is Microsoft" in said and "not ok" not in said, said
