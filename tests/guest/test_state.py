# SPDX-License-Identifier: Apache-2.0
"""A desktop saved and restored: the guest goes on, and the file is what it should be."""

import pytest
from vmm import Disk, Machine


@pytest.fixture
def machine(tmp_path):
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(1 << 20))
    return Machine(cpus=2, rng=True, gpu=True, balloon=True, keyboard=True, disks=[Disk(disk, queues=2)],
                   spice=tmp_path / "spice", memory_mib=64)


def test_restored(run, machine, tmp_path):
    screens = []

    def screen(session, _):
        path = tmp_path / "screen.png"
        path.unlink(missing_ok=True)
        session.control("screenshot", path=path)
        screens.append(path.read_bytes())

    def save(session, _):
        session.save_and_restore(tmp_path / "saved")

    run("state", machine, actions={"save": save, "screen": screen})
    before, after, changed = screens
    assert before == after, "another picture after the restore"
    assert changed != after
