# SPDX-License-Identifier: Apache-2.0
"""Options and fixtures of the guest tests: which VMM, which build, and the reasons to skip."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "usb-peer")]

import behaviour  # noqa: E402
import vmm  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--vmm", choices=["carrel", "qemu"], default="carrel",
                     help="which VMM runs the guests; qemu cross-checks the guests themselves")
    parser.addoption("--no-sandbox", action="store_true", help="run carrel-vmm without its sandbox, to tell faults apart")
    parser.addoption("--program", help="another carrel-vmm than the build's: one with the sanitizers, without its sandbox")
    parser.addoption("--build", default=os.environ.get("CARREL_BUILD", str(HERE.parents[1] / "build")),
                     help="the Meson build folder with carrel-vmm and the guests")


@pytest.fixture(scope="session")
def kind(request):
    name = request.config.getoption("--vmm")
    build = pathlib.Path(request.config.getoption("--build")).resolve()
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        pytest.skip("no access to /dev/kvm on this machine")
    if not (build / "tests/guest/guest-rng.elf").exists():
        pytest.fail(f"no guests in {build}: build them first (meson compile -C {build})")
    adapter = vmm.ADAPTERS[name](build)
    if request.config.getoption("--no-sandbox"):
        adapter.options = ["--no-sandbox"]
    if request.config.getoption("--program"):
        adapter.program = pathlib.Path(request.config.getoption("--program")).resolve()
    reason = adapter.missing()
    if reason:
        pytest.skip(reason)
    return adapter


@pytest.fixture
def run(kind, tmp_path):
    """run(guest, machine, …): boots a guest, checks its results, returns the finished session."""

    def start(guest, machine=None, append="", **options):
        return vmm.run(kind, guest, machine or vmm.Machine(), tmp_path, append, **options)

    return start


@pytest.fixture
def bench(kind, tmp_path):
    """A behaviour.Bench: for tests of carrel-vmm itself."""
    if kind.name != "carrel":
        pytest.skip("a test of carrel-vmm")
    bench = behaviour.Bench(kind.program, kind.build / "tests/guest", tmp_path, kind.options)
    yield bench
    bench.finish()
