# SPDX-License-Identifier: Apache-2.0
"""
Carrel as it is installed, on a host with systemd, AppArmor, nftables, VLANs and LVM: it starts by its units, desktops outlive the
daemon and keep to their limits, disks are thin volumes, and nothing of the hardening is in anybody's way. Desktops are echo disks:
their screen and keys are others' to test. The last is a Debian, whose agent the daemon calls.
"""
import json
import os
import pathlib
import time
import uuid

import pytest
import requests
import urllib3
from rig import office, rooms
from rig.stick import Stick

BUILD = pathlib.Path(os.environ.get("CARREL_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
SOON = 90
GROUP, POOL = "desks", "pool"  # of volumes
GUEST, ROOT_AT_MIB = "guest", 34  # the guest image as a volume; where its root file system begins
LONG = 400  # seconds: a Debian in an emulated host
AWAY = 26 * 3600  # seconds that a suspended desktop is away

# Under a profile of Carrel's, whatever the shell is told: to see that what is not allowed is refused, and told.
CONFINED = "bash -c 'echo -n exec {profile} >/proc/thread-self/attr/apparmor/exec; exec {command}' 2>&1 || true"


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

    def sets(self):
        """What the firewall knows of desktops' cards: the elements of each set."""
        rules = json.loads(self.run("nft -j list table bridge carrel"))["nftables"]
        return {each["set"]["name"]: each["set"].get("elem", []) for each in rules if "set" in each}

    def upload_echo(self):
        self.carrel("image upload Echo -", data=(BUILD / "tests/office/echo.raw").read_bytes().ljust(1 << 20, b"\0"))

    def desktop(self, name, network, more=""):
        """Its id; it runs."""
        if not self.json("image list"):
            self.upload_echo()
        self.carrel(f"desktop create {name} 64M 1 --firmware bios --disk image=Echo --nic network={network} {more}")
        self.start(name)
        return self.json(f"desktop show {name}")["id"]

    def start(self, name):
        self.carrel(f"desktop start {name}")
        self.wait(name, "running")

    def stop(self, name):
        self.carrel(f"desktop stop {name}")
        self.wait(name, "stopped")

    def vmm(self, desktop, verb):
        """What carrel-vmm ctl prints of a desktop that runs."""
        return self.run(f"carrel-vmm ctl /run/carrel/desktops/{desktop}/control {verb}")

    def confinement(self, program):
        """The AppArmor labels of all processes of a name."""
        return set(self.run(f"for pid in $(pgrep -x {program}); do cat /proc/$pid/attr/apparmor/current; done").splitlines())

    def denials(self):
        """What AppArmor refused since the host started."""
        return [line for line in self.run("dmesg").splitlines() if 'apparmor="DENIED"' in line]

    def wait(self, desktop, state, seconds=SOON):
        self.until(lambda: self.json(f"desktop show {desktop}")["state"] == state, f"{desktop} {state}", seconds)

    def until(self, condition, what, seconds=SOON):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{what}: never"
            time.sleep(0.3)

    def end_desktop(self, name):
        self.stop(name)
        self.carrel(f"desktop delete {name}")


@pytest.fixture
def stick(house, tmp_path):
    image = tmp_path / "stick.raw"
    image.write_bytes(os.urandom(1 << 20))
    stick = Stick(house.host.machine, image, "CARREL-STICK")
    yield stick
    stick.pull()


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
    assert house.confinement("carrel-web") == {"carrel-web (enforce)"}
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
    assert findings["AppArmor"]["grade"] == "fine"
    assert findings["port 443"]["grade"] == "fine" and "listens" in findings["port 443"]["found"]


def check_limits(house, desktop):
    """What systemd put into the kernel for a desktop of 64 MiB and one processor."""
    group = f"/sys/fs/cgroup{house.property(f'carrel-desktop-{desktop}.scope', 'ControlGroup')}"
    limits = dict(line.split(":", 1) for line in house.run(f"cd {group} && grep -H . memory.max cpu.weight pids.max").splitlines())
    assert limits == {"memory.max": str((64 + 1024 + 256) << 20), "cpu.weight": "50", "pids.max": "512"}
    assert house.run("pgrep -x carrel-vmm").split()[0] in house.run(f"cat {group}/cgroup.procs").split()


def check_apart(house, desktops):
    """Two cards of a nat network: neither bridge nor firewall lets one reach the other, and each has its own address and name."""
    taps = {f"ct{desktop.rpartition('-')[2]}0" for desktop in desktops}
    links = house.links()
    assert taps == {name for name, link in links.items() if link["linkinfo"]["info_kind"] == "tun"}
    assert len({links[tap]["master"] for tap in taps}) == 1
    assert all(links[tap]["linkinfo"]["info_slave_data"]["isolated"] for tap in taps)
    sets = house.sets()
    assert all(set(sets[name]) == taps for name in ("cards", "nat_cards", "isolated_cards"))
    for name in ("macs", "addresses"):
        pairs = dict(element["concat"] for element in sets[name])
        assert pairs.keys() == taps and len(set(pairs.values())) == len(taps)
    assert 'iifname @isolated_cards oifname @isolated_cards drop' in house.run("nft list chain bridge carrel between")


def check_held_by_apparmor(house, desktop, stick):
    """The desktop's processes, also when it is given what its host has."""
    assert house.confinement("carrel-vmm") == {"carrel-vmm (enforce)"}
    assert house.confinement("swtpm") == {"carrel-tpm (enforce)"}
    stick.plug()
    house.until(lambda: stick.serial in house.vmm(desktop, "host-usb"), "the stick")
    house.vmm(desktop, f"attach stick serial={stick.serial}")
    assert "stick (host" in house.vmm(desktop, "usb")
    house.vmm(desktop, "detach stick")
    stick.pull()
    assert house.denials() == []
    assert "root:" not in house.run(CONFINED.format(profile="carrel-import", command="/usr/bin/cat /etc/passwd"))
    assert all('profile="carrel-import"' in line for line in house.denials()) and "/etc/passwd" in house.denials()[-1]
    house.run("dmesg --clear")


def check_outlives_the_daemon(house, desktop):
    before, links = house.run("pgrep -x carrel-vmm"), house.links()
    for how in ("systemctl restart carreld", "systemctl kill -s KILL carreld"):
        daemon = house.property("carreld.service", "MainPID")
        house.run(how)
        house.until(lambda: house.property("carreld.service", "MainPID") not in ("0", daemon) and
                    house.property("carreld.service", "ActiveState") == "active", how)
        house.wait("Desk", "running")
        assert house.run("pgrep -x carrel-vmm") == before
        assert house.property(f"carrel-desktop-{desktop}.scope", "ActiveState") == "active"
        assert house.links().keys() == links.keys()
        house.run("nft list table inet carrel; nft list table bridge carrel")
    house.until(lambda: len(house.run("pgrep -x dnsmasq").split()) == 1, "DHCP")


def test_two_desktops_at_the_office(house, stick):
    desk = house.desktop("Desk", "Office", "--tpm")
    other = house.desktop("Other", "Office")
    assert sorted(link["linkinfo"]["info_kind"] for link in house.links().values()) == ["bridge", "tun", "tun"]
    check_limits(house, desk)
    check_apart(house, [desk, other])
    check_held_by_apparmor(house, desk, stick)
    check_outlives_the_daemon(house, desk)
    house.end_desktop("Desk")
    house.end_desktop("Other")
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


def limits_of_the_desktop(house):
    """Of the only one that runs, as the kernel has them: the words of its cgroup's files."""
    scope = house.run("systemctl list-units --plain --no-legend 'carrel-desktop-*.scope'").split()[0]
    group = "/sys/fs/cgroup" + house.property(scope, "ControlGroup")
    return dict(line.split(":", 1) for line in house.run(f"cd {group} && grep -H . cpu.max cpu.weight io.max").splitlines())


def test_what_a_desktop_may_take(house):
    """As the kernel has it, and as the host tells."""
    house.desktop("Limited", "Office", "--cpu-percent 50 --cpu-weight 30 --disk-read-mib 20 --disk-write-ops 300")
    limits = limits_of_the_desktop(house)
    assert limits["cpu.max"] == "50000 100000" and limits["cpu.weight"] == "30"
    assert limits["io.max"].split()[1:] == ["rbps=20971520", "wbps=max", "riops=max", "wiops=300"]
    house.until(lambda: "cpu_limit" in house.json("desktop show Limited"), "figures")
    told = house.json("desktop show Limited")
    assert told["cpu_limit"] == 0.5 and told["disk_read_limit"] == 20 << 20 and told["disk_write_ops_limit"] == 300
    assert told["memory_limit"] == (64 + 1024 + 256) << 20 and told["unlimited"] == []
    house.carrel("desktop change Limited --cpu-percent 40")
    house.until(lambda: house.json("desktop show Limited")["unlimited"] == ["cpu"], "what holds from the next start on")
    house.end_desktop("Limited")


@pytest.fixture(scope="module")
def thin(house):
    """The house with its disks on thin volumes: a pool of its own, and the daemon started anew with it."""
    if house.json("image list"):
        house.carrel("image delete Echo")
    house.run(f"truncate -s 16G /srv/volumes.raw && vgcreate -q --physicalextentsize 1M {GROUP} $(losetup --find --show /srv/volumes.raw) &&"
              f" lvcreate -q --type thin-pool --size 12G --name {POOL} {GROUP}")
    house.host.write("/etc/carrel/carreld.conf", f"[storage]\nbackend=lvm\nvolume-group={GROUP}\nthin-pool={POOL}\n")
    house.run("systemctl restart carreld")
    return house


def volumes(house):
    """Those of Carrel's in the pool, and from which each was taken."""
    rows = json.loads(house.run(f"lvs --reportformat json -o lv_name,origin {GROUP}"))["report"][0]["lv"]
    return {row["lv_name"]: row["origin"] for row in rows if row["lv_name"] != POOL}


def mapped(volume):
    """What device mapper calls it."""
    return f"{GROUP}-{volume.replace('-', '--')}"


def test_thin_volumes(thin):
    """From an image to a template, a desktop, a snapshot and back, a clone; what nobody knows is found."""
    thin.upload_echo()
    (image,) = volumes(thin)
    thin.carrel("template create Echoes 64M 1 --firmware bios --disk image=Echo")
    thin.carrel("desktop create One --template Echoes")
    thin.start("One")
    one = thin.json("desktop show One")["id"]
    disk = f"disk-{one}-0"
    assert volumes(thin) == {image: "", disk: image}
    assert thin.run(f"dmsetup info --columns --noheadings -o open {mapped(disk)}").strip() == "1"
    thin.carrel("desktop snapshot One Monday")
    assert sorted(volumes(thin).values()) == sorted(["", image, disk])
    thin.stop("One")
    seen = f"head -c 1M /dev/{GROUP}/{disk} | sha256sum"
    before = thin.run(seen)
    thin.run(f"head -c 4096 /dev/urandom | dd of=/dev/{GROUP}/{disk} seek=64 conv=notrunc,fsync status=none")
    assert thin.run(seen) != before
    thin.carrel("desktop revert One Monday")
    assert thin.run(seen) == before
    thin.carrel("desktop clone One Two")
    thin.start("Two")
    thin.end_desktop("Two")
    thin.carrel("desktop delete One")
    thin.until(lambda: volumes(thin) == {image: ""}, "volumes deleted")

    lost = f"disk-{uuid.uuid4()}-0"
    thin.run(f"lvcreate -q --type thin --virtualsize 1M --thinpool {POOL} --name {lost} --addtag carrel {GROUP}")
    assert [each["name"] for each in thin.json("host orphans")] == [lost]
    thin.run(f"lvremove -q --yes {GROUP}/{lost}")
    thin.carrel("template delete Echoes")
    thin.carrel("image delete Echo")


def test_thin_volumes_are_limited_at_their_pool(thin):
    """The device that all of a desktop's volumes go through."""
    thin.desktop("Limited", "Office", "--disk-write-mib 10")
    device, *words = limits_of_the_desktop(thin)["io.max"].split()
    assert words == ["rbps=max", "wbps=10485760", "riops=max", "wiops=max"]
    assert thin.run(f"cat /sys/dev/block/{device}/dm/name").strip() == f"{GROUP}-{POOL}-tpool"
    thin.end_desktop("Limited")
    thin.carrel("image delete Echo")


@pytest.fixture(scope="module")
def guest(thin):
    """
    The guest image as a volume that thin ones may stand on, without a byte being copied: device mapper puts a few MiB for LVM's own
    before it, from the middle of a file, so that LVM does not see them twice.
    """
    thin.run("truncate -s 8M /srv/before.raw && before=$(losetup --find --show /srv/before.raw) && image=$(blockdev --getsz /dev/vdb) &&"
             " printf '0 8192 linear %s 8192\\n8192 %s linear /dev/vdb 0\\n' $before $image | dmsetup create joined")
    thin.run(f"pvcreate -q --dataalignment 4M /dev/mapper/joined && vgextend -q {GROUP} /dev/mapper/joined &&"
             f" lvcreate -q --extents 100%PVS --zero n --wipesignatures n --name {GUEST} {GROUP} /dev/mapper/joined &&"
             f" lvchange -q --permission r {GROUP}/{GUEST} && lvchange -q --activate n {GROUP}/{GUEST}")
    return thin


def file_system(house, volume):
    """The superblock of the guest's root file system, as it is on the volume now."""
    device = f"/dev/{GROUP}/{volume}"
    said = house.run(f"lvchange --activate y --ignoreactivationskip {GROUP}/{volume} && blockdev --flushbufs {device} &&"
                     f" part=$(losetup --find --show --read-only --offset $(({ROOT_AT_MIB} << 20)) {device}) &&"
                     " dumpe2fs -h $part 2>/dev/null; losetup --detach $part")
    return {name: value.strip() for name, value in (line.split(":", 1) for line in said.splitlines() if ":" in line)}


def frozen_file_system(house, name):
    """The same of a snapshot, for which the guest stopped writing: one that still starts may refuse to."""
    def taken():
        house.carrel(f"desktop snapshot {name} Frozen")
        (kept,) = house.json(f"desktop snapshots {name}")
        if not kept["frozen"]:
            house.carrel(f"desktop forget {name} Frozen")
        return kept["frozen"]

    house.until(taken, "file systems frozen by the agent")
    (volume,) = [volume for volume in volumes(house) if volume.startswith("kept-")]
    found = file_system(house, volume)
    house.carrel(f"desktop forget {name} Frozen")
    return found


def seconds_off(house, found):
    """How far the clock was off, by which the guest wrote last."""
    return abs(int(house.run(f"echo $(($(date +%s) - $(date -d '{found['Last write time']}' +%s)))")))


def test_the_agent_of_a_debian(guest):
    """The daemon has the guest's file systems frozen for a snapshot, its clock put right when it was away, and itself shut down."""
    guest.carrel("desktop create Debian 768M 2 --firmware bios --guest-os linux --tpm --disk size=6179M --nic network=Office")
    desktop = guest.json("desktop show Debian")["id"]
    disk = f"disk-{desktop}-0"
    guest.run(f"lvcreate -q --type thin --thinpool {POOL} --name {disk} --addtag carrel --setactivationskip n {GROUP}/{GUEST}")
    guest.start("Debian")
    guest.until(lambda: "agent:   there" in guest.vmm(desktop, "status"), "the guest's agent", LONG)
    ((_, address),) = (each["concat"] for each in guest.sets()["addresses"])
    guest.until(lambda: f" {address} " in guest.run("cat /run/carrel/network/*/leases"), "the guest's address from the host")

    assert "needs_recovery" not in frozen_file_system(guest, "Debian")["Filesystem features"]
    assert "needs_recovery" in file_system(guest, disk)["Filesystem features"]

    guest.carrel("desktop suspend Debian")
    guest.wait("Debian", "suspended")
    guest.run(f"date -s @$(($(date +%s) + {AWAY}))")
    guest.start("Debian")
    guest.until(lambda: "agent:   there" in guest.vmm(desktop, "status"), "the guest's agent again")
    guest.until(lambda: seconds_off(guest, frozen_file_system(guest, "Debian")) < AWAY / 2, "the guest's clock put right")
    guest.carrel("desktop shut-down Debian")
    guest.wait("Debian", "stopped", LONG)
    after = file_system(guest, disk)
    assert after["Filesystem state"] == "clean" and "needs_recovery" not in after["Filesystem features"]
    guest.carrel("desktop delete Debian")
    guest.until(lambda: volumes(guest).keys() == {GUEST}, "volumes deleted")


def test_apparmor_had_nothing_to_refuse(house):
    assert house.denials() == []
