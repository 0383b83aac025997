# SPDX-License-Identifier: Apache-2.0
"""virtio-net on a tap interface, in a network namespace of the tests' own. The other end sends frames back."""

import os
import socket
import struct
import subprocess
import threading

import pytest
from vmm import Machine

TEST_TYPE = 0x88B5
NAME = "carrel-test0"


@pytest.fixture
def wire():
    """A tap interface and a thread that sends frames of the test's kind back."""
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        pytest.skip("a tap interface needs root and /dev/net/tun")
    os.unshare(os.CLONE_NEWNET)
    subprocess.run(["ip", "tuntap", "add", "dev", NAME, "mode", "tap", "vnet_hdr"], check=True)
    subprocess.run(["ip", "link", "set", NAME, "up"], check=True)
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(TEST_TYPE))
    end.bind((NAME, TEST_TYPE))
    end.settimeout(0.2)
    stopped = threading.Event()

    def echo():
        while not stopped.is_set():
            try:
                frame, address = end.recvfrom(65536)
            except TimeoutError:
                continue
            if address[2] != socket.PACKET_OUTGOING:
                end.send(frame[6:12] + frame[:6] + frame[12:])

    thread = threading.Thread(target=echo)
    thread.start()
    yield end
    stopped.set()
    thread.join()
    end.close()
    subprocess.run(["ip", "link", "del", NAME], check=True)


def test_net(run, wire):
    def frames(_session, count):
        for i in range(int(count)):
            wire.send(bytes.fromhex("525400123456") + b"\2" * 6 + struct.pack(">HI", TEST_TYPE, 1_000_000 + i) + bytes(100))

    run("net", Machine(tap=NAME), actions={"frames": frames})
