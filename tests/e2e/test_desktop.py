# SPDX-License-Identifier: Apache-2.0
"""What a person at a desktop sees and does, through a real SPICE client."""

import hashlib
import random
import signal
import subprocess
import sys
import uuid

import pytest

from conftest import connect, crc, panel_is_shown
from rig import spice_client
from rig.desktop import TERMINAL

# X key codes are the kernel's plus 8.
KEY_A, KEY_SHIFT, KEY_7, KEY_RIGHT = 38, 50, 16, 114
SCANCODE_RIGHT = 0x14D


def test_boots_to_a_desktop(desktop, client, out):
    """The panel and the wallpaper are on the client's screen, and nothing in the guest failed on the way."""
    client.screenshot(out / "desktop.png")
    frame = client.frame()
    assert panel_is_shown(client)
    assert len(set(map(tuple, frame[:-40:16, ::64].reshape(-1, 3)))) > 20, "the wallpaper's many colours"
    assert desktop.run("systemctl --failed --plain --no-legend", "root").strip() == ""


@pytest.mark.parametrize("seed", [7, 8])
def test_client_sees_what_the_guest_drew(client, screen, seed):
    size, checksum = screen("pattern", str(seed)).drawn()
    client.wait(lambda: client.size() == size and crc(client.frame()) == checksum, "the very picture that the guest drew")


def test_screenshot_is_what_the_guest_drew(room, desktop, screen, tmp_path):
    """Over the control socket, without any client."""
    from PIL import Image

    size, checksum = screen("pattern", "9").drawn()
    room.vmm.screenshot(desktop, "/run/desktop/screenshot.png")
    (tmp_path / "screenshot.png").write_bytes(room.host.read("/run/desktop/screenshot.png"))
    picture = Image.open(tmp_path / "screenshot.png").convert("RGB")
    assert picture.size == size
    assert crc(picture) == checksum


def test_keys_arrive(client, screen):
    events = screen("input")
    client.type("a&")
    client.key(SCANCODE_RIGHT, True)
    client.key(SCANCODE_RIGHT, False)
    events.wait_for(f"key {KEY_RIGHT} up")
    keys = [line for line in events.lines() if line.startswith("key")]
    assert keys == [f"key {KEY_A} down", f"key {KEY_A} up",
                    f"key {KEY_SHIFT} down", f"key {KEY_7} down", f"key {KEY_7} up", f"key {KEY_SHIFT} up",
                    f"key {KEY_RIGHT} down", f"key {KEY_RIGHT} up"]


def test_pointer_arrives(client, screen):
    """An absolute pointer: where the client points is where the guest's pointer is, to the pixel."""
    client.wait(lambda: client.mouse_mode == spice_client.CLIENT_MOUSE, "the client's own pointer")
    events = screen("input")
    client.move(200, 100)
    events.wait_for("move 200 100")
    client.click(1)
    client.click(3)
    client.click(4)
    events.wait_for("button 1 down 200 100", "button 1 up 200 100", "button 3 down 200 100", "button 3 up 200 100",
                    "button 4 down 200 100", "button 4 up 200 100")
    client.button(1, True)
    client.move(640, 300)
    client.button(1, False)
    events.wait_for("move 640 300", "button 1 up 640 300")


def test_types_into_a_terminal(desktop, client, out):
    """As the demo does: the desktop's own shortcut opens a terminal, and its shell does what is typed."""
    word = uuid.uuid4().hex[:8]
    client.chord("ctrl", "alt", "t")
    desktop.run(TERMINAL)
    client.type(f"echo {word}-$((6 * 7)) >/tmp/{word}\n")
    assert desktop.run(f"until [ -s /tmp/{word} ]; do sleep 0.1; done; cat /tmp/{word}").strip() == f"{word}-42"
    client.screenshot(out / "terminal.png")


def test_resizes_to_the_client(desktop, client, screen):
    before = client.size()
    try:
        client.wait_for_agent()
        client.arrange((1120, 700))
        client.wait(lambda: client.size() == (1120, 700), "a surface of the client's size", 60)
        size, checksum = screen("pattern", "10").drawn()
        assert size == (1120, 700)
        client.wait(lambda: crc(client.frame()) == checksum, "the picture in the new size")
    finally:
        client.arrange(before)
        client.wait(lambda: client.size() == before, "the old size again", 60)
        desktop.run("sleep 1")


def test_cursor_shape(client, screen):
    screen("cursor")
    client.move(400, 300)

    def arrived():
        cursor = client.cursor
        return cursor and (cursor.hot_x, cursor.hot_y) == (3, 5) and colour(cursor, 0, 0) == (0, 0, 255)

    def colour(cursor, x, y):
        at = (y * cursor.width + x) * 4
        red, green, blue, alpha = cursor.rgba[at:at + 4]
        return (red, green, blue) if alpha == 255 else None if alpha == 0 else (red, green, blue, alpha)

    client.wait(arrived, "the cursor of desk-screen")
    cursor = client.cursor
    for y in range(16):
        for x in range(16):
            inside = 0 < x < y and y < 15
            expected = (255, 0, 0) if inside else (0, 0, 255) if x <= y else None
            assert colour(cursor, x, y) == expected, f"at {x},{y}"


def test_clipboard_to_the_guest(desktop, client):
    client.wait_for_agent()
    text = f"from the client: Grüße {uuid.uuid4().hex}"
    client.offer_text(text)
    got = desktop.run("for i in $(seq 50); do t=$(timeout 5 xclip -o -selection clipboard 2>/dev/null); "
                      f"[ \"$t\" = '{text}' ] && break; sleep 0.2; done; printf %s \"$t\"")
    assert got == text


def test_clipboard_from_the_guest(desktop, client):
    client.wait_for_agent()
    text = f"from the guest: Grüße {uuid.uuid4().hex}"
    client.guest_clipboard = []
    desktop.run(f"printf %s '{text}' | xclip -i -selection clipboard >/dev/null 2>&1")
    assert client.paste_text() == text


def test_file_to_the_guest(desktop, client, tmp_path):
    """A file that is dropped onto the viewer lies in the user's folder of downloads."""
    client.wait_for_agent()
    path = tmp_path / f"Grüße {uuid.uuid4().hex}.bin"
    path.write_bytes(random.Random(5).randbytes(1 << 20))
    client.send_file(path)
    got = desktop.run(f"sha256sum <~/Downloads/'{path.name}'; pkill pcmanfm; true")
    assert got.split()[0] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_client_killed_and_reconnected(room, desktop, screen):
    """The desktop does not notice; the next client sees the picture of now."""
    screen("pattern", "11")
    victim = subprocess.Popen([sys.executable, "-m", "rig.spice_client", "127.0.0.1", str(desktop.spice_port),
                               desktop.ticket],
                              stdout=subprocess.PIPE, cwd=room.tests, text=True)
    assert victim.stdout.readline().strip() == "connected"
    size, checksum = screen("pattern", "12").drawn()
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    victim.stdout.close()
    with connect(desktop) as client:
        client.wait(lambda: client.size() == size and crc(client.frame()) == checksum, "the picture after coming back")
        events = screen("input")
        client.type("a")
        events.wait_for(f"key {KEY_A} up")


@pytest.mark.ends_desktop
def test_power_button_shuts_down_cleanly(room, desktop):
    desktop.run("echo kept >~/kept")
    room.vmm.power_button(desktop)
    room.host.wait_until(lambda: not desktop.alive(), "the desktop's end", 120)
    # A file system that was unmounted in order needs no recovery, and holds what was written last.
    state = room.host.run("dumpe2fs -h /dev/vdb3 2>/dev/null")
    assert "needs_recovery" not in state
    kept = room.host.run("mount -o ro /dev/vdb3 /mnt && cat /mnt/home/desk/kept; umount /mnt")
    assert kept.strip() == "kept"
