# SPDX-License-Identifier: Apache-2.0
"""The cursor's picture, place and absence reach clients."""

import pytest


@pytest.fixture
def session(serve, connect):
    producer = serve()
    producer.do("surface 0 640 480")
    client = connect(producer)
    client.until_shows(producer.drawn())
    client.until(lambda: client.cursor, "the cursor channel")
    return producer, client


def test_picture_and_hot_spot(session):
    producer, client = session
    producer.do("cursor 0 3 5 ff8040")
    client.until(lambda: client.cursor.picture is not None, "the cursor")
    assert client.cursor.hot == (3, 5)
    assert client.cursor.picture.shape == (64, 64)
    # spice-gtk gives red first: 0xff8040 reads as 0x4080ff
    assert client.cursor.picture[10, 5] == 0xFF4080FF
    assert client.cursor.picture[5, 10] == 0


def test_hide_and_show(session):
    producer, client = session
    producer.do("cursor 0 0 0 00ff00")
    client.until(lambda: client.cursor.picture is not None, "the cursor")
    producer.do("cursor 0 hide")
    client.until(lambda: client.cursor.hidden, "the cursor to go")
    producer.do("cursor 0 0 0 00ff00")
    client.until(lambda: not client.cursor.hidden, "the cursor to come back")


def test_moves_are_told_in_server_mouse_mode(session):
    producer, client = session
    client.until(lambda: client.main.get_property("mouse-mode") == 2, "client mouse mode")
    client.main.request_mouse_mode(1)
    client.until(lambda: client.main.get_property("mouse-mode") == 1, "server mouse mode")
    producer.do("cursor 0 3 5 0000ff")
    producer.do("move 0 100 200")  # its top left corner; clients hear of the hot spot
    client.until(lambda: client.cursor.place == (103, 205), "the cursor to move")


def test_a_client_that_comes_later_has_it_too(session, connect):
    producer, first = session
    producer.do("cursor 0 7 9 123456")
    first.until(lambda: first.cursor.picture is not None, "the cursor")
    first.close()
    producer.wait_event("disconnected")
    second = connect(producer)
    second.until(lambda: second.cursor and second.cursor.picture is not None, "the cursor")
    assert second.cursor.hot == (7, 9)


def test_it_outlives_a_resize(session):
    producer, client = session
    producer.do("cursor 0 1 2 00aaff")
    client.until(lambda: client.cursor.picture is not None, "the cursor")
    client.cursor.picture = None
    producer.do("surface 0 800 600")
    client.until_shows(producer.drawn())
    client.until(lambda: client.cursor.picture is not None and not client.cursor.hidden, "the cursor again")
    assert client.cursor.hot == (1, 2)
