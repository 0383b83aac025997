# SPDX-License-Identifier: Apache-2.0
"""
Network namespaces to try networks in, and desktops that are nothing but their cards: frames are made here, byte for byte,
and go through the descriptors that a VMM would be given.
"""
import array
import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import time

HEADER = bytes(10)  # a virtio_net_hdr of nothing to say, as a tap has it by default
BROADCAST = "ff:ff:ff:ff:ff:ff"
ARP, IP, IP6 = 0x0806, 0x0800, 0x86DD
PATIENCE = 20  # seconds until something that must come counts as never coming


class Namespace:
    """A network namespace that ends with this object."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo && exec sleep infinity"],
                                       stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.fd = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        self.run("ip link set lo up")

    @contextlib.contextmanager
    def inside(self):
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        os.setns(self.fd, os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(own, os.CLONE_NEWNET)
            os.close(own)

    def enter(self):
        os.setns(self.fd, os.CLONE_NEWNET)

    def run(self, command, **more):
        done = subprocess.run(command.split() if isinstance(command, str) else command, preexec_fn=self.enter,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
        assert done.returncode == 0, f"{command}: {done.stdout}"
        return done.stdout

    def socket(self, family, kind, protocol=0):
        with self.inside():
            made = socket.socket(family, kind, protocol)
        made.settimeout(PATIENCE)
        return made

    def read(self, path):
        """A file of /proc/sys/net or /proc/net, as it is in there."""
        return self.run(["cat", path]).strip()

    def close(self):
        self.holder.send_signal(signal.SIGKILL)
        self.holder.wait()
        os.close(self.fd)


def join(one, name, other, other_name):
    """A cable between two namespaces."""
    one.run(f"ip link add {name} type veth peer name {other_name} netns {other.holder.pid}")
    one.run(f"ip link set {name} up")
    other.run(f"ip link set {other_name} up")


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data + bytes(len(data) % 2)) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(to, source, kind, payload):
    return mac_bytes(to) + mac_bytes(source) + struct.pack("!H", kind) + payload


def ip(source, to, protocol, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, socket.inet_aton(source),
                       socket.inet_aton(to))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(source, port, to, to_port, data):
    return ip(source, to, 17, struct.pack("!HHHH", port, to_port, 8 + len(data), 0) + data)


def syn(source, port, to, to_port):
    head = struct.pack("!HHIIBBHHH", port, to_port, 1, 0, 5 << 4, 2, 1024, 0, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(to) + struct.pack("!BBH", 0, 6, len(head))
    return ip(source, to, 6, head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:])


def arp(operation, mac, address, to_mac, to_address):
    return struct.pack("!HHBBH6s4s6s4s", 1, IP, 6, 4, operation, mac_bytes(mac), socket.inet_aton(address),
                       mac_bytes(to_mac), socket.inet_aton(to_address))


def dhcp(mac, kind, options=b""):
    head = struct.pack("!BBBBIHH16s16s192xI", 1, 1, 6, 0, 0x1234, 0, 0x8000, b"", mac_bytes(mac).ljust(16, b"\0"), 0x63825363)
    return udp("0.0.0.0", 68, "255.255.255.255", 67, head + bytes([53, 1, kind]) + options + b"\xff")


def router_advertisement(mac):
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + b"\x01\x01" + mac_bytes(mac)
    source, to = socket.inet_pton(socket.AF_INET6, "fe80::1"), socket.inet_pton(socket.AF_INET6, "ff02::1")
    total = checksum(source + to + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    return struct.pack("!IHBB16s16s", 6 << 28, len(body), 58, 255, source, to) + body


class Card:
    """A desktop's side of a card."""

    def __init__(self, desktop, answer, fds):
        self.desktop = desktop
        self.backend, self.mac, address, mtu = answer.split(" ")
        self.address = None if address == "-" else address
        self.mtu = int(mtu)
        self.fds = fds

    def send(self, frame):
        os.write(self.fds[0], HEADER + frame)

    def say(self, to_mac, kind, payload):
        self.send(ethernet(to_mac, self.mac, kind, payload))

    def frames(self):
        """What comes, until it never comes."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            ready, _, _ = select.select(self.fds, [], [], 0.1)
            for fd in ready:
                yield os.read(fd, 70000)[len(HEADER):]
            if not ready:
                yield b""

    def expect(self, wanted, again=None, never=None):
        """
        wanted(frame) of what comes, once it is true. again: what to do now and then, since what was sent may have been lost while the
        bridge learned; never(frame) must not be true of anything before.
        """
        begun = time.monotonic()
        for frame in self.frames():
            if not frame:
                if again and time.monotonic() - begun > 1:
                    again()
                    begun = time.monotonic()
                continue
            assert not never or not never(frame), f"came: {frame.hex()}"
            if wanted(frame):
                return wanted(frame)
        raise AssertionError(f"{self.desktop} never got it")

    def ask_dhcp(self):
        """(address, options by number) that the server gives it."""
        def offered(kind):
            def look(frame):
                if frame[12:14] != b"\x08\x00" or frame[23] != 17 or frame[34:38] != b"\0\x43\0\x44":
                    return None
                if frame[42 + 28:42 + 34] != mac_bytes(self.mac):
                    return None  # broadcast, to another
                options, at, body = {}, 0, frame[42 + 240:]
                while body[at] != 255:
                    options[body[at]] = body[at + 2:at + 2 + body[at + 1]]
                    at += 2 + body[at + 1]
                return (socket.inet_ntoa(frame[42 + 16:42 + 20]), options) if options[53] == bytes([kind]) else None
            return look

        def discover():
            self.say(BROADCAST, IP, dhcp(self.mac, 1))
        discover()
        address, options = self.expect(offered(2), again=discover)

        def request():
            self.say(BROADCAST, IP, dhcp(self.mac, 3, b"\x32\x04" + socket.inet_aton(address) + b"\x36\x04" + options[54]))
        request()
        return self.expect(offered(5), again=request)

    def resolve(self, address, never=None):
        """The MAC address of a neighbour."""
        def ask():
            self.say(BROADCAST, ARP, arp(1, self.mac, self.address, "00:00:00:00:00:00", address))
        ask()
        return self.expect(lambda f: f[12:14] == b"\x08\x06" and f[20:22] == b"\0\2" and f[28:32] == socket.inet_aton(address)
                           and f[22:28].hex(":"), again=ask, never=never)

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []


def has(data):
    """Whether a frame has these bytes in it."""
    return lambda frame: data in frame


class Refused(Exception):
    def __init__(self, answer):
        _, code, message = answer.split(" ", 2)
        super().__init__(message)
        self.code = ("unknown", "unavailable", "taken", "failed")[int(code)]


class Daemon:
    """network-probe in a namespace."""

    def __init__(self, program, namespace, folder, ports=()):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.log = open(os.path.join(folder, "log"), "a+")
        self.process = subprocess.Popen(
            [program, str(theirs.fileno()), f"{folder}/run", f"{folder}/state", *map(str, ports)],
            pass_fds=[theirs.fileno()], preexec_fn=namespace.enter, stderr=self.log)
        theirs.close()
        self.socket.settimeout(60)

    def tell(self, *words):
        self.socket.send("\t".join("-" if w is None else str(w) for w in words).encode())
        size = socket.CMSG_SPACE(64 * 4)
        data, control, _, _ = self.socket.recvmsg(65536, size, socket.MSG_CMSG_CLOEXEC)
        fds = array.array("i")
        for _, kind, body in control:
            if kind == socket.SCM_RIGHTS:
                fds.frombytes(body)
        answer = data.decode()
        assert answer, f"the daemon ended: {self.process.wait()}, {self.said()}"
        if not answer.startswith("ok"):
            raise Refused(answer)
        return answer[3:], list(fds)

    def rows(self, *rows):
        """Each (id, type, bridge, vlan, isolated)."""
        self.tell("rows", *(word if not isinstance(word, bool) else int(word) for row in rows for word in row))

    def adopt(self, *cards):
        self.tell("adopt", *(word for card in cards for word in card))

    def plug(self, desktop, network, place=0, mac=None, name=None, queues=1):
        return Card(desktop, *self.tell("plug", desktop, place, network, mac, name, queues))

    def unplug(self, desktop):
        self.tell("unplug", desktop)

    def counters(self, desktop):
        answer = self.tell("counters", desktop)[0]
        return None if answer == "-" else tuple(map(int, answer.split()))

    def states(self):
        """By id: (interface, subnet, cards, problem)."""
        lines = [line.split(" ", 4) for line in self.tell("states")[0].splitlines() if line]
        return {line[0]: (line[1], line[2], int(line[3]), line[4]) for line in lines}

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()


def flags_of(fd):
    """TUNGETIFF: (name, flags)."""
    request = fcntl.ioctl(fd, 0x800454D2, bytes(40))
    return request[:16].rstrip(b"\0").decode(), struct.unpack_from("H", request, 16)[0]
