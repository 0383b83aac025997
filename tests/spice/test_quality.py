# SPDX-License-Identifier: Apache-2.0
"""How good a session is: what is counted of pictures, inputs and bytes, and what is not."""

import time

import pytest

A, SHIFT = 0x1E, 0x2A
SIDE = 400
PICTURE_BYTES = SIDE * SIDE * 4


class Watched:
    """A desktop with a client that has its first picture."""

    def __init__(self, producer, client):
        self.producer, self.client = producer, client

    def count(self):
        self.producer.do("quality")
        words = self.producer.wait_event("quality ").split()[1:]
        return {key: int(value) for key, value in (word.split("=") for word in words)}

    def fill(self, colour):
        self.producer.do(f"fill 0 0 0 {SIDE} {SIDE} {colour}")
        self.client.until_shows(self.producer.drawn())

    def until_counted(self, key, number):
        """Clients see a picture before the server knows that all have it."""
        self.client.until(lambda: self.count()[key] >= number, f"{number} {key}")
        self.client.turn(0.05)
        assert self.count()[key] == number

    def press(self, scan=A):
        self.client.inputs.key_press(scan)
        self.until_reported("keyboard")

    def until_reported(self, device):
        self.client.until(lambda: any(event.startswith(f"{device} ") for event in self.producer.poll()), device)
        self.producer.wait_event(f"{device} ")


@pytest.fixture
def watched(serve, connect):
    producer = serve()
    producer.do("surface 0 1000 700")
    client = connect(producer)
    client.until_shows(producer.drawn())
    client.until(lambda: client.inputs, "the inputs channel")
    client.turn(0.1)
    return Watched(producer, client)


def test_nothing_happened(watched, serve):
    idle = serve()
    idle.do("quality")
    assert idle.wait_event("quality") == "quality frames=0 frames-us=0 frames-within=0 inputs=0 inputs-us=0 sent=0 received=0"
    counted = watched.count()
    assert counted["frames"] == 0, "what a client is sent because it came is no change of the guest's"
    assert counted["sent"] > counted["received"] > 0


def test_pictures(watched):
    for number in range(1, 6):
        watched.fill(f"{number:06x}")
        watched.until_counted("frames", number)
    counted = watched.count()
    assert counted["frames-us"] > 0 and counted["inputs"] == 0


def test_what_changes_no_pixel_is_no_picture(watched):
    watched.fill("123456")
    watched.until_counted("frames", 1)
    watched.producer.do(f"damage 0 {SIDE + 64} 0 64 {SIDE}")  # elsewhere: it may be looked at while the next is drawn
    watched.fill("654321")
    watched.until_counted("frames", 2)


def test_a_client_that_does_not_read(watched):
    """What it lets wait is the picture's age, and bounds tell it from the quick ones."""
    watched.fill("123456")
    watched.until_counted("frames", 1)
    quick = watched.count()["frames-within"]
    watched.producer.do("surface 0 2500 2000")
    watched.client.until_shows(watched.producer.drawn())
    before = watched.count()
    watched.producer.do("picture 0 noise 1")
    time.sleep(0.6)
    watched.client.until_shows(watched.producer.drawn())
    watched.client.until(lambda: watched.count()["frames"] > before["frames"], "the picture to be sent")
    counted = watched.count()
    assert counted["frames-us"] - before["frames-us"] >= 500_000
    assert counted["frames-within"] - before["frames-within"] < counted["frames"] - before["frames"]
    assert quick <= 1


def test_an_input_is_answered_once(watched):
    watched.press()
    watched.fill("111111")
    watched.until_counted("inputs", 1)
    watched.fill("222222")
    watched.until_counted("frames", 2)
    counted = watched.count()
    assert counted["inputs"] == 1 and counted["inputs-us"] >= counted["frames-us"] / 10


def test_an_answer_changes_something(watched):
    watched.fill("111111")
    watched.until_counted("frames", 1)
    watched.press(SHIFT)
    watched.producer.do(f"damage 0 0 0 {SIDE} {SIDE}")
    watched.client.turn(0.1)
    assert watched.count()["inputs"] == 0
    watched.fill("222222")
    watched.until_counted("inputs", 1)


def test_what_goes_up_or_moves_asks_nothing(watched):
    watched.press()
    watched.fill("111111")
    watched.until_counted("inputs", 1)
    watched.client.inputs.key_release(A)
    watched.until_reported("keyboard")
    watched.client.inputs.position(10, 10, 0, 0)
    watched.until_reported("tablet")
    watched.fill("222222")
    watched.until_counted("frames", 2)
    assert watched.count()["inputs"] == 1


def test_bytes(watched):
    before = watched.count()
    watched.fill("111111")
    watched.until_counted("frames", 1)
    after = watched.count()
    assert PICTURE_BYTES <= after["sent"] - before["sent"] < 2 * PICTURE_BYTES
    received = after["received"]
    watched.press()
    assert watched.count()["received"] > received


def test_nobody_there(watched):
    watched.fill("111111")
    watched.until_counted("frames", 1)
    watched.client.close()
    watched.producer.wait_event("disconnected")
    time.sleep(0.2)
    before = watched.count()
    watched.producer.do(f"fill 0 0 0 {SIDE} {SIDE} 222222")
    time.sleep(0.2)
    assert watched.count() == before
