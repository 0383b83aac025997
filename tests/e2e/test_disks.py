# SPDX-License-Identifier: Apache-2.0
"""
The disks of desktops as LVM keeps them, in a host whose kernel has device mapper: the unit tests of appliance/storage/ that are
run against each back end, here with thin volumes on a loop device. These need no booted desktop, and have a host of their own.
"""

import pathlib
import subprocess
import tempfile

import pytest

from rig import rooms

FOLDER = "/usr/local/storage"  # carrel-confine shows /usr to what it runs, and nothing else
PROGRAMS = {"storage": "tests/unit/appliance_storage_test_storage", "upload": "tests/unit/appliance_storage_test_upload",
            "carrel-confine": "appliance/storage/carrel-confine"}
PATIENCE = 600  # seconds, in an emulated host

# Those that show what is LVM's own; all of them, where commands take seconds each, would be half an hour.
CASES = {"storage": ["from-image", "snapshot-while-open"], "upload": ["raw", "whose-it-is"]}


@pytest.fixture(scope="module")
def host(request):
    if request.config.getoption("--vmm") == "qemu":
        pytest.skip("a test of carreld's storage")
    build = pathlib.Path(request.config.getoption("--build"))
    with rooms.host() as host:
        for name, path in PROGRAMS.items():
            with tempfile.NamedTemporaryFile() as small:
                subprocess.run(["strip", "-o", small.name, build / path], check=True)
                host.write(f"{FOLDER}/{name}", pathlib.Path(small.name).read_bytes(), 0o755)
        yield host


@pytest.mark.parametrize("program", sorted(CASES))
def test_thin_volumes(host, out, program):
    chosen = " ".join(f"-p /{program}/lvm/{case}" for case in CASES[program])
    said = host.run(f"CARREL_CONFINE={FOLDER}/carrel-confine {FOLDER}/{program} {chosen} 2>&1; echo status $?",
                    timeout=PATIENCE)
    (out / "logs").mkdir(parents=True, exist_ok=True)
    (out / "logs" / f"disks-{program}.log").write_text(said)
    assert said.rstrip().endswith("status 0"), said[-4000:]
    assert said.count("\nok ") == len(CASES[program]) and "# SKIP" not in said
