# SPDX-License-Identifier: Apache-2.0
"""
A desktop on a network of the host's, with the daemon in a network namespace of its own. What networks do to frames is tried in
tests/services/test_networks.py; this is that the daemon gives desktops their cards, and what becomes of them when it ends.
"""
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time

import pytest
from carreld import Carreld
from test_desks import upload, wait_state

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "services"))
from wires import Namespace  # noqa: E402

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/kvm"), reason="no /dev/kvm")


@pytest.fixture
def place():
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def host(place):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="carrel-office-"))
    folder.chmod(0o755)  # dnsmasq reads below it
    daemon = Carreld(folder)
    daemon.within = ["nsenter", f"--net=/proc/{place.holder.pid}/ns/net"]
    daemon.groups["network"] = {"manage": "true", "host-ports": "443;8443"}
    yield daemon.start()
    daemon.end()
    shutil.rmtree(folder)


def ours(place):
    links = json.loads(place.run("ip -j -d address show"))
    return {link["ifname"]: link for link in links if link.get("ifalias", "").startswith("carrel ")}


def make(console, name, **more):
    network = console.find("network", "Office")["id"]
    image = upload(console, name)
    desktop = console.make("desktop", name=name, memory=64, vcpus=1, firmware="bios", disks=[{"type": "disk", "image": image}],
                           nics=[{"network": network}], **more)
    return desktop, network


def wait_until(wanted, what):
    end = time.monotonic() + 60
    while not wanted():
        assert time.monotonic() < end, f"{what} never"
        time.sleep(0.05)


def test_a_desktop_is_plugged_in_and_stays_so(place, host):
    console = host.console()
    before = place.run("nft list ruleset")
    desktop, network = make(console, "Desk")
    assert not ours(place)
    console.Control(desktop, "start", {})
    wait_state(console, desktop, "running")
    links = ours(place)
    (tap,) = [name for name, link in links.items() if link["linkinfo"]["info_kind"] == "tun"]
    (bridge,) = [name for name, link in links.items() if link["linkinfo"]["info_kind"] == "bridge"]
    assert links[tap]["master"] == bridge and links[bridge]["ifalias"] == f"carrel network {network}"
    assert links[tap]["ifalias"] == f"carrel card {desktop} 0" and "UP" in links[tap]["flags"]
    rules = place.run("nft list ruleset")
    assert tap in rules and bridge in rules
    assert re.search(r"tcp dport \{ 443, 8443 \} accept", rules)

    host.kill()
    assert ours(place).keys() == links.keys()
    host.start()
    console = host.console()
    wait_state(console, desktop, "running")
    assert ours(place).keys() == links.keys() and place.run("nft list ruleset") == rules

    console.Control(desktop, "stop", {})
    wait_state(console, desktop, "stopped")
    wait_until(lambda: not ours(place), "cleared away")
    wait_until(lambda: place.run("nft list ruleset") == before, "without rules")


def test_what_ended_with_the_daemon_away_is_cleared_away(place, host):
    console = host.console()
    desktop, _ = make(console, "Desk")
    console.Control(desktop, "start", {})
    wait_state(console, desktop, "running")
    host.kill()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if desktop.encode() in words and b"carrel-vmm" in words:
            os.kill(int(pid), 9)
    wait_until(lambda: not any(link["linkinfo"]["info_kind"] == "tun" for link in ours(place).values()), "ended")
    host.start()
    # It is wanted still, so it is plugged in anew; never twice.
    console = host.console()
    wait_state(console, desktop, "running")
    assert len([1 for link in ours(place).values() if link["linkinfo"]["info_kind"] == "tun"]) == 1
    console.Control(desktop, "stop", {})
    wait_state(console, desktop, "stopped")
    wait_until(lambda: not ours(place), "cleared away")
