# SPDX-License-Identifier: Apache-2.0
"""
Carrel as it is installed, on a host with systemd, nftables and VLANs: it starts by its units, desktops outlive the daemon, and
nothing of the hardening is in anybody's way. The desktop is the echo disk: its screen and keys are others' to test.
"""
import json
import os
import pathlib
import time

import pytest
import requests
import urllib3
from rig import office, rooms

BUILD = pathlib.Path(os.environ.get("CARREL_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
SOON = 90


class House:
    """A host with Carrel installed on it."""

    def __init__(self):
        self.host = rooms.host()
        office.install(self.host, BUILD)

    def run(self, script, **more):
        return self.host.run(script, **{"timeout": SOON, **more})

    def carrel(self, words, data=None):
        return self.run(f"carrel {words}", data=data)

    def json(self, words):
        return json.loads(self.carrel(f"--json {words}"))

    def property(self, unit, name):
        return self.run(f"systemctl show -P {name} {unit}").strip()

    def links(self):
        links = json.loads(self.run("ip -j -d link"))
        return {link["ifname"]: link for link in links if link.get("ifalias", "").startswith("carrel ")}

    def desktop(self, name, network):
        if not self.json("image list"):
            self.carrel("image upload Echo -", data=(BUILD / "tests/office/echo.raw").read_bytes().ljust(1 << 20, b"\0"))
        self.carrel(f"desktop create {name} 64M 1 --firmware bios --disk image=Echo --nic network={network}")
        self.carrel(f"desktop start {name}")
        self.wait(name, "running")

    def wait(self, desktop, state):
        self.until(lambda: self.json(f"desktop show {desktop}")["state"] == state, f"{desktop} {state}")

    def until(self, condition, what):
        end = time.monotonic() + SOON
        while not condition():
            assert time.monotonic() < end, f"{what}: never"
            time.sleep(0.3)

    def end_desktop(self, name):
        self.carrel(f"desktop stop {name}")
        self.wait(name, "stopped")
        self.carrel(f"desktop delete {name}")


@pytest.fixture(scope="module")
def house(out):
    house = House()
    try:
        house.run("systemctl start carrel-web.socket carreld carrel-web")
        yield house
    finally:
        house.host.logs(out / "logs-host")
        house.host.close()


def test_everything_starts_by_its_units(house):
    for unit in ("carreld.service", "carrel-web.service", "carrel-web.socket"):
        assert house.property(unit, "ActiveState") == "active"
    status = dict(line.split(":", 1) for line in house.run(
        f"cat /proc/{house.property('carrel-web.service', 'MainPID')}/status").splitlines())
    assert status["Uid"].split()[0] == house.run("id -u carrel-web").strip() and int(status["CapBnd"], 16) == 0
    port = house.host.forward(443)
    urllib3.disable_warnings()
    page = requests.get(f"https://127.0.0.1:{port}/", verify=False, timeout=SOON)
    assert page.status_code == 200 and "<html" in page.text
    assert requests.get(f"https://127.0.0.1:{port}/api/v1/desktops", verify=False, timeout=SOON).status_code == 401
    (password,) = [line.split("=", 1)[1] for line in house.run("cat /var/lib/carrel/first-password").splitlines()
                   if line.startswith("password=")]
    session = requests.post(f"https://127.0.0.1:{port}/api/v1/session", verify=False, timeout=SOON,
                            json={"name": "admin", "password": password})
    assert session.status_code == 201, session.text
    assert "no such user" not in house.run("journalctl -u carreld -u carrel-web --no-pager")


def test_the_doctor_runs_a_guest(house):
    findings = {each["what"]: each for each in house.json("doctor")}
    assert findings["KVM"]["found"] == "a guest ran"
    assert findings["port 443"]["grade"] == "fine" and "listens" in findings["port 443"]["found"]


def test_desktops_outlive_the_daemon(house):
    house.desktop("Desk", "Office")
    links = house.links()
    assert sorted(link["linkinfo"]["info_kind"] for link in links.values()) == ["bridge", "tun"]
    scope = house.run("systemctl list-units --plain --no-legend 'carrel-desktop-*.scope'").split()[0]
    before = house.run("pgrep -x carrel-vmm")
    for how in ("systemctl restart carreld", "systemctl kill -s KILL carreld"):
        daemon = house.property("carreld.service", "MainPID")
        house.run(how)
        house.until(lambda: house.property("carreld.service", "MainPID") not in ("0", daemon) and
                    house.property("carreld.service", "ActiveState") == "active", how)
        house.wait("Desk", "running")
        assert house.run("pgrep -x carrel-vmm") == before
        assert house.property(scope, "ActiveState") == "active"
        assert house.links().keys() == links.keys()
        house.run("nft list table inet carrel; nft list table bridge carrel")
    house.until(lambda: len(house.run("pgrep -x dnsmasq").split()) == 1, "DHCP")
    house.end_desktop("Desk")
    house.until(lambda: not house.links(), "cleared away")
    assert "carrel" not in house.run("nft list tables")


def test_a_vlan_of_a_bridge(house):
    house.run("ip link add lan0 type bridge && ip link set lan0 up")
    house.carrel("network create Lab vlan --bridge lan0 --vlan 20")
    house.desktop("Tagged", "Lab")
    links = house.links()
    (uplink,) = [link for link in links.values() if link["linkinfo"]["info_kind"] == "vlan"]
    (tap,) = [link for link in links.values() if link["linkinfo"]["info_kind"] == "tun"]
    assert uplink["link"] == "lan0" and uplink["linkinfo"]["info_data"]["id"] == 20
    assert uplink["master"] == tap["master"] and tap["linkinfo"]["info_slave_data"]["isolated"]
    house.end_desktop("Tagged")
    house.until(lambda: not house.links(), "cleared away")
    house.carrel("network delete Lab")
    house.run("ip link delete lan0")
