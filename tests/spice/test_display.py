# SPDX-License-Identifier: Apache-2.0
"""Pictures reach real clients, pixel for pixel."""

import subprocess

import numpy
import pytest

from producer import read_ppm

KINDS = ["", "scattered", "padded", "scattered,padded", "bgr"]


@pytest.mark.parametrize("how", KINDS)
def test_the_first_picture_is_all_of_it(serve, connect, how):
    producer = serve()
    producer.do(f"surface 0 1000 700 {how}")
    client = connect(producer)
    client.until_shows(producer.drawn())


@pytest.mark.parametrize("how", KINDS)
def test_changes_reach_a_client(serve, connect, how):
    producer = serve()
    producer.do(f"surface 0 1000 700 {how}")
    client = connect(producer)
    client.until_shows(producer.drawn())
    for box in ["0 0 1 1", "999 699 1 1", "63 15 2 2", "500 0 1 700", "0 350 1000 1", "300 200 400 300"]:
        producer.do(f"fill 0 {box} 123456")
        client.until_shows(producer.drawn())
        producer.do(f"fill 0 {box} 654321")
        client.until_shows(producer.drawn())


def test_screenshot_program_shows_what_was_drawn(serve, tmp_path):
    producer = serve()
    producer.do("surface 0 1280 800")
    producer.do("fill 0 10 20 300 400 00ff80")
    file = tmp_path / "shot.ppm"
    subprocess.run(["spicy-screenshot", f"--uri=spice+unix://{producer.path}", "-o", file], check=True, timeout=20,
                   stdout=subprocess.DEVNULL)
    assert (read_ppm(file) == producer.drawn()).all()


@pytest.mark.parametrize("compression", ["off", "lz4", "quic", "glz", "lz", "auto"])
@pytest.mark.parametrize("kind", ["text", "gradient", "noise", "flat"])
def test_compressions_lose_nothing(serve, connect, compression, kind):
    producer = serve("--compression", compression)
    producer.do("surface 0 800 600")
    client = connect(producer)
    client.until_shows(producer.drawn())
    for frame in range(1, 4):
        producer.do(f"picture 0 {kind} {frame}")
        client.until_shows(producer.drawn())


def test_only_changed_tiles_are_sent(serve, connect):
    producer = serve()
    producer.do("surface 0 1280 720")
    client = connect(producer)
    client.until_shows(producer.drawn())
    client.display.invalidated.clear()
    producer.do("fill 0 130 40 10 10 ff00ff silent")
    producer.do("damage 0 0 0 1280 720")
    client.until_shows(producer.drawn())
    client.turn(0.1)
    assert client.display.invalidated == [(128, 32, 64, 32)]


def test_damage_without_a_change_sends_nothing(serve, connect):
    producer = serve()
    producer.do("surface 0 1280 720")
    client = connect(producer)
    client.until_shows(producer.drawn())
    client.display.invalidated.clear()
    producer.do("damage 0 0 0 1280 720")
    client.turn(0.2)
    assert client.display.invalidated == []


def test_the_last_frame_of_many_is_shown(serve, connect):
    producer = serve()
    producer.do("surface 0 1024 768")
    client = connect(producer)
    client.until_shows(producer.drawn())
    for frame in range(200):
        producer.do(f"picture 0 text {frame}")
    client.until_shows(producer.drawn())


def test_many_scattered_changes_are_all_shown(serve, connect):
    producer = serve()
    producer.do("surface 0 1024 768")
    client = connect(producer)
    client.until_shows(producer.drawn())
    random = numpy.random.default_rng(7)
    for i in range(2000):
        x, y = random.integers(0, 1000), random.integers(0, 750)
        producer.do(f"fill 0 {x} {y} {random.integers(1, 24)} {random.integers(1, 18)} {random.integers(0, 1 << 24):06x}")
        if i % 7 == 0:
            client.turn()
    client.until_shows(producer.drawn())


def test_resize(serve, connect):
    producer = serve()
    producer.do("surface 0 800 600")
    client = connect(producer)
    client.until_shows(producer.drawn())
    for width, height in [(1024, 768), (640, 480), (1, 1), (3, 2), (65, 17), (1920, 1080), (800, 600)]:
        producer.do(f"surface 0 {width} {height}")
        client.until_shows(producer.drawn())


def test_resizes_in_a_row_end_with_the_last(serve, connect):
    producer = serve()
    producer.do("surface 0 800 600")
    client = connect(producer)
    for i in range(60):
        producer.do(f"surface 0 {400 + i * 8} {300 + i}")
    client.until_shows(producer.drawn())


def test_flipping_between_surfaces_of_one_size(serve, connect):
    producer = serve()
    producer.do("surface 0 800 600")
    client = connect(producer)
    client.until_shows(producer.drawn())
    creates = client.display.creates
    producer.do("picture 0 flat 0")
    for frame in range(20):
        producer.do("surface 0 800 600")
        producer.do(f"picture 0 text {frame}")
    client.until_shows(producer.drawn())
    assert client.display.creates == creates


def test_blank_is_black_and_comes_back(serve, connect):
    producer = serve()
    producer.do("surface 0 640 480")
    client = connect(producer)
    client.until_shows(producer.drawn())
    producer.do("blank 0")
    client.until_shows(numpy.zeros((480, 640), dtype=numpy.uint32))
    producer.do("surface 0 640 480")
    client.until_shows(producer.drawn())


def test_client_before_the_first_surface(serve, connect):
    producer = serve()
    client = connect(producer)
    client.until(lambda: client.display, "the display channel")
    client.turn(0.1)
    assert client.display.pixels() is None
    producer.do("surface 0 320 200")
    client.until_shows(producer.drawn())


def test_reconnecting_shows_what_happened_meanwhile(serve, connect):
    producer = serve()
    producer.do("surface 0 1024 768")
    for i in range(5):
        client = connect(producer)
        client.until_shows(producer.drawn())
        producer.do(f"fill 0 {i * 50} {i * 30} 200 100 {i * 1000:06x}")
        client.until_shows(producer.drawn())
        client.close()
        producer.wait_event("disconnected")
        producer.do(f"picture 0 gradient {i}")


def test_memory_goes_back_when_the_client_leaves(serve, connect):
    producer = serve()
    producer.do("surface 0 1920 1080")
    connect(producer).close()
    producer.wait_event("disconnected")
    before = producer.memory()
    client = connect(producer)
    client.until_shows(producer.drawn())
    for frame in range(10):
        producer.do(f"picture 0 noise {frame}")
        client.until_shows(producer.drawn())
    during = producer.memory()
    client.close()
    producer.wait_event("disconnected")
    client.turn(0.3)
    after = producer.memory()
    assert during > before + 8000, "a client costs a copy of the screen"
    assert after < before + 4000, (before, during, after)


def test_scanouts_have_displays_of_their_own(serve, connect):
    producer = serve("--scanouts", 3)
    producer.do("surface 0 800 600")
    producer.do("surface 2 640 480")
    client = connect(producer)
    client.until_shows(producer.drawn(0), 0)
    client.until_shows(producer.drawn(2), 2)
    assert client.displays[1].pixels() is None
    producer.do("surface 1 320 240")
    client.until_shows(producer.drawn(1), 1)
    producer.do("picture 2 gradient 4")
    client.until_shows(producer.drawn(2), 2)
    producer.do("blank 1")
    client.until(lambda: client.displays[1].pixels() is None, "the second monitor to go")
    client.until_shows(producer.drawn(0), 0)
