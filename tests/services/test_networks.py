# SPDX-License-Identifier: Apache-2.0
"""
Desktops' networks on a host of namespaces: who reaches whom, what is dropped, what a restart finds and leaves.

Whether something does *not* come is told by what was sent behind it: frames keep their order, so once the later one is
there, the earlier one was dropped.
"""
import json
import os
import pathlib
import shutil
import socket
import struct
import tempfile
import time

import pytest

from wires import (ARP, BROADCAST, IP, IP6, PATIENCE, Daemon, Namespace, Refused, arp, ethernet, flags_of, has, join, mac_bytes,
                   router_advertisement, syn, udp)

PROBE = pathlib.Path(os.environ.get("CARREL_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")) / "tests/services/network-probe"
NAT, OPEN, BRIDGED, TAGGED, PLAIN = (f"6f1d3c52-4b5e-4d0a-9d0c-0000000000{i}" for i in ("a1", "a2", "b1", "c1", "d1"))
ANNA, BERT, CARL = (f"0b64d9d1-8f5a-4c3e-8a11-0000000000{i}" for i in ("01", "02", "03"))
ROWS = [(NAT, "nat", None, None, True), (OPEN, "nat", None, None, False), (BRIDGED, "bridge", "lan0", None, True),
        (PLAIN, "passt", None, None, True)]
HOST, OUTSIDE, PRINTER = "192.0.2.1", "192.0.2.2", "198.51.100.9"


class World:
    """A host with an uplink to the outside, and a bridge of its own with an office behind it."""

    def __init__(self):
        self.host, self.outside, self.office = Namespace(), Namespace(), Namespace()
        join(self.host, "up0", self.outside, "net0")
        self.host.run(f"ip address add {HOST}/24 dev up0")
        self.outside.run(f"ip address add {OUTSIDE}/24 dev net0")
        self.host.run(f"ip route add default via {OUTSIDE}")
        join(self.host, "port0", self.office, "desk0")
        self.office.run(f"ip address add {PRINTER}/24 dev desk0")
        self.host.run("ip link add lan0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        self.host.run("ip link set port0 master lan0")
        self.host.run("ip address add 198.51.100.1/24 dev lan0")
        self.host.run("ip link set lan0 up")
        # What is others', and has to stay as it is.
        self.host.run("ip link add cn00000000ffff type bridge")
        self.host.run(["nft", "add table inet theirs; add chain inet theirs c { type filter hook forward priority 5; }; "
                              "add rule inet theirs c ip daddr 203.0.113.7 counter drop"])
        self.folder = tempfile.mkdtemp(prefix="carrel-networks-")
        os.chmod(self.folder, 0o755)  # dnsmasq, nobody in particular, reads below it
        self.daemon = None
        self.cards = []

    def start(self, rows=ROWS, cards=(), ports=()):
        self.daemon = Daemon(PROBE, self.host, self.folder, ports)
        self.daemon.rows(*rows)
        self.daemon.adopt(*cards)
        return self.daemon

    def plug(self, desktop, network, **more):
        card = self.daemon.plug(desktop, network, **more)
        self.cards.append(card)
        return card

    def links(self):
        return {link["ifname"]: link for link in json.loads(self.host.run("ip -j -d address show"))}

    def ours(self):
        return {name for name, link in self.links().items() if link.get("ifalias", "").startswith("carrel ")}

    def rules(self):
        return self.host.run("nft list ruleset")

    def forwarding(self, interface):
        return self.host.read(f"/proc/sys/net/ipv4/conf/{interface}/forwarding")

    def close(self):
        for card in self.cards:
            card.close()
        if self.daemon and self.daemon.process.poll() is None:
            self.daemon.kill()
        for namespace in (self.host, self.outside, self.office):
            namespace.close()
        shutil.rmtree(self.folder)


@pytest.fixture
def world():
    made = World()
    yield made
    made.close()


def gateway_of(card):
    """The gateway's address; and its MAC address, for which the card has to ask."""
    number = struct.unpack("!I", socket.inet_aton(card.address))[0] & ~0xFFF
    address = socket.inet_ntoa(struct.pack("!I", number + 1))
    return address, card.resolve(address)


def listener(namespace, port=0, address="0.0.0.0"):
    made = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    return made


def sniffer(namespace, interface):
    made = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.bind((interface, 3))
    return made


def until(sniffed, last, never):
    """Reads frames up to the one that has `last` in it; none of them has any of `never`."""
    while True:
        frame = sniffed.recv(70000)
        for data in never:
            assert data not in frame, f"{data} came through"
        if last in frame:
            return frame


def test_nat_gives_an_address_and_the_outside(world):
    world.start()
    anna = world.plug(ANNA, NAT, name="Anna’s PC", mac="52:54:00:00:00:01")
    assert (anna.backend, anna.mac, anna.mtu) == ("tap", "52:54:00:00:00:01", 1500)
    address, options = anna.ask_dhcp()
    gateway, mac = gateway_of(anna)
    assert address == anna.address and options[1] == b"\xff\xff\xf0\0"
    assert options[3] == options[6] == socket.inet_aton(gateway)
    assert 12 not in options  # an isolated network has no names

    outside = listener(world.outside, 7)
    anna.say(mac, IP, udp(anna.address, 5000, OUTSIDE, 7, b"good morning"))
    data, peer = outside.recvfrom(100)
    assert data == b"good morning" and peer[0] == HOST
    outside.sendto(b"and to you", peer)
    anna.expect(has(b"and to you"))


def test_no_mac_given_is_always_the_same_one(world):
    world.start()
    first = world.plug(ANNA, NAT)
    assert int(first.mac[:2], 16) & 3 == 2  # locally administered, one card's
    world.daemon.unplug(ANNA)
    again = world.plug(ANNA, NAT)
    assert (again.mac, again.address) == (first.mac, first.address)
    assert world.plug(BERT, NAT).mac != first.mac


def test_names_on_an_open_network(world):
    world.start()
    anna, bert = world.plug(ANNA, OPEN, name="Anna’s PC"), world.plug(BERT, OPEN, name="Bert")
    assert anna.ask_dhcp()[1][12] == b"annas-pc"
    assert bert.ask_dhcp()[1][12] == b"bert"
    gateway, mac = gateway_of(anna)
    question = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\4bert\0" + struct.pack("!HH", 1, 1)

    def ask():
        anna.say(mac, IP, udp(anna.address, 5353, gateway, 53, question))
    ask()
    anna.expect(lambda f: struct.pack("!HH", 53, 5353) in f and socket.inet_aton(bert.address) in f[42:], again=ask)


def test_nobody_else_is_answered_names(world):
    world.start([(OPEN, "nat", None, None, False)])
    anna = world.plug(ANNA, OPEN, name="Anna")
    anna.ask_dhcp()
    gateway, mac = gateway_of(anna)
    question = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\4anna\0" + struct.pack("!HH", 1, 1)
    world.outside.run(f"ip route add {gateway} via {HOST}")
    outside = listener(world.outside, 0)
    outside.sendto(question, (gateway, 53))

    def ask():
        anna.say(mac, IP, udp(anna.address, 5353, gateway, 53, question))
    ask()
    anna.expect(lambda f: struct.pack("!HH", 53, 5353) in f and socket.inet_aton(anna.address) in f[42:], again=ask)
    # Hers came behind the other, and was answered.
    outside.setblocking(False)
    with pytest.raises(BlockingIOError):
        outside.recv(1000)


def test_isolated_desktops_do_not_reach_each_other(world):
    world.start()
    anna, bert = world.plug(ANNA, NAT), world.plug(BERT, NAT)
    gateway, mac = gateway_of(anna)
    _, bert_hears = gateway_of(bert), bert.expect
    anna.say(bert.mac, IP, udp(anna.address, 1, bert.address, 1, b"straight"))
    anna.say(BROADCAST, IP, udp(anna.address, 1, "255.255.255.255", 1, b"to all"))
    anna.say(BROADCAST, ARP, arp(1, anna.mac, anna.address, "00:00:00:00:00:00", bert.address))
    anna.say(mac, IP, udp(anna.address, 1, bert.address, 1, b"by the gateway"))
    # The host tells Bert something behind all that.
    outside = listener(world.outside, 7)
    anna.say(mac, IP, udp(anna.address, 1, OUTSIDE, 7, b"last"))
    assert outside.recvfrom(100)[0] == b"last"
    bert.say(gateway_of(bert)[1], IP, udp(bert.address, 1, OUTSIDE, 7, b"hello"))
    _, peer = outside.recvfrom(100)
    outside.sendto(b"behind it", peer)
    bert_hears(has(b"behind it"), never=lambda f: any(w in f for w in (b"straight", b"to all", b"by the gateway", mac_bytes(anna.mac))))


def test_desktops_of_an_open_network_reach_each_other_until_it_is_isolated(world):
    world.start()
    anna, bert = world.plug(ANNA, OPEN), world.plug(BERT, OPEN)

    def answer_arp():
        bert.expect(lambda f: f[12:14] == b"\x08\x06" and f[38:42] == socket.inet_aton(bert.address))
        bert.say(anna.mac, ARP, arp(2, bert.mac, bert.address, anna.mac, anna.address))
    anna.say(BROADCAST, ARP, arp(1, anna.mac, anna.address, "00:00:00:00:00:00", bert.address))
    answer_arp()
    anna.expect(lambda f: f[12:14] == b"\x08\x06" and f[22:28] == mac_bytes(bert.mac))
    anna.say(bert.mac, IP, udp(anna.address, 1, bert.address, 1, b"before"))
    bert.expect(has(b"before"))

    world.daemon.rows(*[(i, t, b, v, True) for i, t, b, v, _ in ROWS])
    anna.say(bert.mac, IP, udp(anna.address, 1, bert.address, 1, b"after"))
    bert.resolve(gateway_of(bert)[0], never=has(b"after"))
    world.daemon.rows(*ROWS)
    anna.say(bert.mac, IP, udp(anna.address, 1, bert.address, 1, b"again"))
    bert.expect(has(b"again"), never=has(b"after"))


def test_the_host_is_out_of_reach(world):
    world.start(ports=[8443])
    anna = world.plug(ANNA, NAT)
    gateway, mac = gateway_of(anna)
    heard = listener(world.host, 9)
    doors = []
    for port in (22, 8443):
        door = world.host.socket(socket.AF_INET, socket.SOCK_STREAM)
        door.bind(("0.0.0.0", port))
        door.listen()
        doors.append(door)
    for address in (gateway, HOST, "198.51.100.1"):
        anna.say(mac, IP, udp(anna.address, 1, address, 9, b"knock"))
        anna.say(mac, IP, syn(anna.address, 1000, address, 22))
    anna.say(mac, IP, syn(anna.address, 1001, gateway, 8443))
    # The one door that was opened answers, the others have not.
    anna.expect(lambda f: f[23] == 6 and f[34:36] == struct.pack("!H", 8443) and f[47] == 0x12,
                never=lambda f: f[12:14] == b"\x08\0" and f[23] == 6 and f[34:36] == struct.pack("!H", 22))
    heard.setblocking(False)
    with pytest.raises(BlockingIOError):
        heard.recv(100)


def test_the_outside_does_not_come_in_and_the_host_routes_for_nobody_else(world):
    world.start()
    anna = world.plug(ANNA, NAT)
    gateway, mac = gateway_of(anna)
    outside = listener(world.outside, 7)
    world.outside.run(f"ip route add 100.64.0.0/10 via {HOST}")
    world.outside.run(f"ip route add 198.51.100.0/24 via {HOST}")
    printer = sniffer(world.office, "desk0")
    outside.sendto(b"intruder", (anna.address, 1))
    outside.sendto(b"through the host", (PRINTER, 1))
    anna.say(mac, IP, udp(anna.address, 1, PRINTER, 1, b"to the host's other network"))
    anna.say(mac, IP, udp(anna.address, 1, OUTSIDE, 7, b"hello"))
    _, peer = outside.recvfrom(100)
    outside.sendto(b"answer", peer)
    anna.expect(has(b"answer"), never=has(b"intruder"))
    world.host.run("ip neigh flush dev lan0")
    host = listener(world.host, 0)
    host.sendto(b"from the host", (PRINTER, 1))
    until(printer, b"from the host", [b"through the host", b"to the host's other network"])


@pytest.mark.parametrize("network, segment", [(NAT, "up0"), (BRIDGED, "lan0")])
def test_forged_frames_are_dropped(world, network, segment):
    world.start()
    anna = world.plug(ANNA, network)
    anna.address = anna.address or "198.51.100.50"
    other = "52:54:00:66:66:66"
    if network == NAT:
        _, to = gateway_of(anna)
        sniffed, target = sniffer(world.outside, "net0"), OUTSIDE
    else:
        to, sniffed, target = BROADCAST, sniffer(world.office, "desk0"), PRINTER
    good = udp(anna.address, 1, target, 9, b"mac forged")
    forged = {
        b"mac forged": ethernet(to, other, IP, good),
        b"arp mac" + bytes(7): ethernet(to, anna.mac, ARP, arp(2, other, anna.address, anna.mac, anna.address) + b"arp mac" + bytes(7)),
        b"tagged": ethernet(to, anna.mac, 0x8100, struct.pack("!HH", 20, IP) + udp(anna.address, 1, target, 9, b"tagged")),
        b"tagged twice": ethernet(to, anna.mac, 0x88A8, struct.pack("!HHHH", 1, 0x8100, 20, IP) + udp(anna.address, 1, target, 9, b"tagged twice")),
        b"dhcp server": ethernet(BROADCAST, anna.mac, IP, udp(anna.address, 67, "255.255.255.255", 68, b"dhcp server")),
        b"\x01\x01" + mac_bytes(anna.mac): ethernet("33:33:00:00:00:01", anna.mac, IP6, router_advertisement(anna.mac)),
        b"spanning tree": ethernet("01:80:c2:00:00:00", anna.mac, 38, b"\x42\x42\x03" + b"spanning tree" + bytes(22)),
        b"odd protocol": ethernet(to, anna.mac, 0x88CC, b"odd protocol" + bytes(40)),
    }
    if network == NAT:
        forged[b"ip forged"] = ethernet(to, anna.mac, IP, udp("100.64.77.7", 1, target, 9, b"ip forged"))
        forged[b"ip of the outside"] = ethernet(to, anna.mac, IP, udp("203.0.113.1", 1, target, 9, b"ip of the outside"))
    for frame in forged.values():
        anna.send(frame)
    anna.say(to, IP, udp(anna.address, 1, target, 9, b"honest"))
    frame = until(sniffed, b"honest", list(forged))
    assert network == NAT or frame[6:12] == mac_bytes(anna.mac)
    # Nor has the bridge learned of it.
    assert other not in world.host.run("bridge fdb show")


def test_arp_for_anothers_address_is_dropped(world):
    world.start()
    anna = world.plug(ANNA, NAT)
    gateway, _ = gateway_of(anna)
    interface = world.daemon.states()[NAT][0]
    sniffed = sniffer(world.host, interface)
    anna.say(BROADCAST, ARP, arp(2, anna.mac, gateway, BROADCAST, gateway))
    anna.say(BROADCAST, ARP, arp(1, anna.mac, "0.0.0.0", "00:00:00:00:00:00", anna.address))  # a probe may be
    until(sniffed, socket.inet_aton("0.0.0.0") + bytes(6) + socket.inet_aton(anna.address), [mac_bytes(anna.mac) + socket.inet_aton(gateway)])


def test_a_bridge_of_the_hosts(world):
    world.start()
    before = world.links()["lan0"]["address"]
    anna = world.plug(ANNA, BRIDGED)
    assert anna.address is None
    anna.address = "198.51.100.50"
    assert world.links()["lan0"]["address"] == before

    def from_host(frame):  # who multicasts to all on the bridge, but does not answer
        return frame[6:12] == mac_bytes(before) and frame[12:14] in (b"\x08\x06", b"\x08\0")
    mac = anna.resolve(PRINTER, never=from_host)
    printer = listener(world.office, 7)
    anna.say(BROADCAST, ARP, arp(1, anna.mac, anna.address, "00:00:00:00:00:00", "198.51.100.1"))  # the host
    anna.say(mac, IP, udp(anna.address, 1, PRINTER, 7, b"print this"))
    data, peer = printer.recvfrom(100)
    assert data == b"print this" and peer[0] == anna.address
    anna.say(mac, ARP, arp(2, anna.mac, anna.address, mac, PRINTER))
    printer.sendto(b"printed", peer)
    anna.expect(has(b"printed"), never=from_host)
    assert world.links()["lan0"]["address"] == before and world.ours() == {flags_of(anna.fds[0])[0]}
    assert world.forwarding("up0") == "0"


def test_a_bridge_is_there_or_it_is_said(world):
    world.start([(BRIDGED, "bridge", "lan7", None, True), (TAGGED, "bridge", "up0", None, True)])
    with pytest.raises(Refused, match="no bridge “lan7”") as refused:
        world.plug(ANNA, BRIDGED)
    assert refused.value.code == "unavailable"
    with pytest.raises(Refused, match="no bridge “up0”.*is no bridge"):
        world.plug(ANNA, TAGGED)
    assert "lan7" in world.daemon.states()[BRIDGED][3]
    with pytest.raises(Refused) as refused:
        world.plug(ANNA, NAT)
    assert refused.value.code == "unknown"
    assert not world.ours() and "carrel" not in world.rules()


def test_a_vlan_of_a_bridge(world):
    try:
        world.office.run("ip link add link desk0 name desk0.20 type vlan id 20")
    except AssertionError as error:
        pytest.skip(f"this kernel has no VLANs: {error}")
    world.office.run("ip address add 203.0.113.9/24 dev desk0.20")
    world.office.run("ip link set desk0.20 up")
    world.start([(TAGGED, "vlan", "lan0", 20, True)])
    anna = world.plug(ANNA, TAGGED)
    anna.address = "203.0.113.50"
    anna.resolve("203.0.113.9")
    world.daemon.unplug(ANNA)
    assert not world.ours()


def test_passt_needs_nothing_of_the_host(world):
    before = world.rules(), world.links().keys()
    world.start()
    anna = world.plug(ANNA, PLAIN)
    assert (anna.backend, anna.fds, anna.address) == ("passt", [], None)
    assert (world.rules(), world.links().keys()) == before
    assert not os.path.exists(f"{world.folder}/run")


def test_as_many_queues_as_wanted(world):
    world.start()
    anna = world.plug(ANNA, NAT, queues=4)
    names = {flags_of(fd) for fd in anna.fds}
    assert len(anna.fds) == 4 and len(names) == 1
    name, flags = names.pop()
    assert flags & 0x5102 == 0x5102 and len(name) == 15  # IFF_VNET_HDR | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_TAP
    assert not any(os.get_inheritable(fd) for fd in anna.fds)


def test_what_is_plugged_in_is_taken(world):
    world.start()
    anna = world.plug(ANNA, NAT)
    for desktop, mac in ((ANNA, None), (BERT, anna.mac)):
        with pytest.raises(Refused) as refused:
            world.plug(desktop, NAT, mac=mac)
        assert refused.value.code == "taken"
    assert world.daemon.states()[NAT][2] == 1
    anna.resolve(gateway_of(anna)[0])


def test_figures(world):
    world.start()
    anna = world.plug(ANNA, NAT)
    assert world.daemon.counters(BERT) is None
    anna.resolve(gateway_of(anna)[0])
    received, sent = world.daemon.counters(ANNA)
    anna.say(gateway_of(anna)[1], IP, udp(anna.address, 1, OUTSIDE, 7, bytes(1000)))
    listener(world.outside, 7)
    anna.resolve(gateway_of(anna)[0])
    more_received, more_sent = world.daemon.counters(ANNA)
    assert more_sent - sent >= 1000 and 28 <= more_received - received < 1000


def test_nothing_is_left_and_nothing_of_others_is_touched(world):
    theirs = world.rules()
    links = {name: (link["address"], link.get("master"), link["mtu"]) for name, link in world.links().items()}
    forwarding = {name: world.forwarding(name) for name in links}
    world.start()
    anna, bert = world.plug(ANNA, NAT), world.plug(BERT, BRIDGED)
    assert world.forwarding("up0") == "1" and world.host.read("/proc/sys/net/ipv4/ip_forward") == "0"
    assert theirs in world.rules() and "table inet carrel" in world.rules()
    anna.close()
    world.daemon.unplug(ANNA)
    assert world.forwarding("up0") == "0" and "table inet carrel" not in world.rules()
    assert "table bridge carrel" in world.rules()
    world.daemon.unplug(BERT)  # who never ran: the descriptor is still here
    assert world.rules() == theirs
    assert {name: (link["address"], link.get("master"), link["mtu"]) for name, link in world.links().items()} == links
    assert {name: world.forwarding(name) for name in links} == forwarding
    bert.close()


def test_forwarding_that_was_on_stays_on(world):
    world.host.run("sysctl -q -w net.ipv4.conf.up0.forwarding=1") if shutil.which("sysctl") else world.host.run(
        ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/up0/forwarding"])
    world.start()
    world.plug(ANNA, NAT)
    assert "up0" not in world.rules().split("set routers")[1].split("}")[0]
    world.daemon.unplug(ANNA)
    assert world.forwarding("up0") == "1"


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def card_words(card, network, name=None):
    return card.desktop, 0, network, card.mac, name


def test_a_new_daemon_goes_on(world):
    world.start()
    anna, bert, carl = world.plug(ANNA, NAT, name="Anna"), world.plug(BERT, NAT), world.plug(CARL, BRIDGED)
    gateway_of(anna)
    before, rules = world.ours(), world.rules()
    world.daemon.kill()
    gateway_of(anna)  # nobody is needed for what is plugged in

    carl_tap = flags_of(carl.fds[0])[0]
    world.start(cards=[card_words(anna, NAT), card_words(bert, NAT)])  # Carl's desktop is not known any more
    assert world.ours() == before - {carl_tap}
    assert f"{carl_tap} (carrel card {CARL} 0) belonged to nothing" in world.daemon.said()
    assert carl_tap not in world.rules() and carl_tap in rules
    assert anna.ask_dhcp()[0] == anna.address
    gateway, mac = gateway_of(anna)
    outside = listener(world.outside, 7)
    anna.say(mac, IP, udp(anna.address, 1, OUTSIDE, 7, b"still here"))
    assert outside.recvfrom(100)[0] == b"still here"
    again = world.plug(CARL, NAT)
    assert again.address not in (anna.address, bert.address)


def test_adopting_twice_is_adopting_once(world):
    world.start()
    anna, carl = world.plug(ANNA, NAT), world.plug(CARL, BRIDGED)
    cards = [card_words(anna, NAT), card_words(carl, BRIDGED)]
    state = world.rules(), {n: (l["address"], l.get("master"), l.get("ifalias"), l["flags"]) for n, l in world.links().items()}
    for _ in range(2):
        world.daemon.kill()
        world.start(cards=cards)
        world.daemon.adopt(*cards)
        assert (world.rules(), {n: (l["address"], l.get("master"), l.get("ifalias"), l["flags"]) for n, l in world.links().items()}) == state
        assert world.daemon.states()[NAT][2] == 1


def test_a_desktop_that_ended_meanwhile_is_cleared_away(world):
    theirs = world.rules()
    world.start()
    anna = world.plug(ANNA, NAT)
    world.daemon.kill()
    anna.close()
    world.start(cards=[card_words(anna, NAT)])
    assert not world.ours() and world.rules() == theirs and world.forwarding("up0") == "0"


def test_rules_that_somebody_flushed_come_back(world):
    world.start()
    anna = world.plug(ANNA, NAT)
    rules = world.rules()
    world.host.run("nft flush ruleset")
    wait_until(lambda: "table bridge carrel" in world.rules() and "table inet carrel" in world.rules())
    assert world.rules() in rules  # without the others' table, which is for the others to bring back
    gateway_of(anna)
    wait_until(lambda: "they are there again" in world.daemon.said())


def test_flushed_while_nobody_looked(world):
    world.start()
    anna = world.plug(ANNA, NAT)
    rules = world.rules()
    tap = flags_of(anna.fds[0])[0]
    world.daemon.kill()
    world.host.run("nft flush ruleset")
    world.host.run(f"ip link set {tap} nomaster")
    world.start(cards=[card_words(anna, NAT)])
    assert "table inet carrel" in world.rules() and world.rules() in rules
    gateway_of(anna)


def test_a_default_route_that_moves_is_followed(world):
    world.start()
    anna = world.plug(ANNA, NAT)
    gateway, mac = gateway_of(anna)
    join(world.host, "up1", world.outside, "net1")
    world.host.run("ip address add 203.0.113.1/24 dev up1")
    world.outside.run("ip address add 203.0.113.2/24 dev net1")
    world.host.run("ip route replace default via 203.0.113.2")
    wait_until(lambda: world.forwarding("up1") == "1" and world.forwarding("up0") == "0")
    wait_until(lambda: '"up1"' in world.rules())
    outside = listener(world.outside, 7)
    anna.say(mac, IP, udp(anna.address, 1, "203.0.113.2", 7, b"the other way"))
    data, peer = outside.recvfrom(100)
    assert data == b"the other way" and peer[0] == "203.0.113.1"
    outside.sendto(b"and back", peer)
    anna.expect(has(b"and back"))


def test_a_subnet_that_is_reached_elsewhere_is_left_alone(world):
    world.start()
    first = world.plug(ANNA, NAT)
    subnet = world.daemon.states()[NAT][1]
    world.daemon.unplug(ANNA)
    world.host.run(f"ip route add {subnet} via {OUTSIDE}")
    second = world.plug(ANNA, NAT)
    assert world.daemon.states()[NAT][1] != subnet and second.address != first.address
    assert second.ask_dhcp()[0] == second.address
    world.daemon.unplug(ANNA)
    world.host.run(f"ip route add 100.64.0.0/10 via {OUTSIDE}")
    with pytest.raises(Refused, match="no range of addresses is free") as refused:
        world.plug(ANNA, NAT)
    assert refused.value.code == "taken" and not world.ours()


def test_an_interface_of_somebody_else_is_not_taken(world):
    name = f"cn{NAT[-12:]}"
    world.host.run(f"ip link add {name} type bridge")
    world.start()
    with pytest.raises(Refused, match=f"{name} is not Carrel's") as refused:
        world.plug(ANNA, NAT)
    assert refused.value.code == "taken" and name in world.links()


def test_dhcp_that_dies_comes_back(world):
    world.start()
    anna = world.plug(ANNA, NAT)
    anna.ask_dhcp()
    pids = [int(p) for p in os.listdir("/proc") if p.isdigit() and is_dnsmasq(p, world.folder)]
    assert len(pids) == 1
    with open(f"/proc/{pids[0]}/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    assert lines["Uid"].split()[0] != "0" and int(lines["CapEff"], 16) == 1 << 10 | 1 << 12 | 1 << 13
    os.kill(pids[0], 9)
    assert anna.ask_dhcp()[0] == anna.address
    assert "dnsmasq ended" in world.daemon.said()


def is_dnsmasq(pid, folder):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as words:
            return folder.encode() in words.read() and os.readlink(f"/proc/{pid}/exe").endswith("/dnsmasq")
    except OSError:
        return False


def test_address_books_go_with_their_networks(world):
    world.start()
    world.plug(ANNA, NAT)
    assert os.listdir(f"{world.folder}/state") == [NAT]
    world.daemon.rows(*ROWS[1:])
    assert os.listdir(f"{world.folder}/state") == [NAT]  # there are cards
    world.daemon.unplug(ANNA)
    world.daemon.rows(*ROWS[1:])
    assert os.listdir(f"{world.folder}/state") == [] and not world.ours()
