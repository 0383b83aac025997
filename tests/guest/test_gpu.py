# SPDX-License-Identifier: Apache-2.0
"""virtio-gpu: what is on the screen is what the guest drew, pixel by pixel."""

import numpy
import pytest
from PIL import Image
from vmm import Machine

WIDTH, HEIGHT = 320, 200


def drawn(seed):
    """What gpu.c's draw() makes, as rows of red, green, blue."""
    x = numpy.arange(WIDTH, dtype=numpy.uint64)[None, :]
    y = numpy.arange(HEIGHT, dtype=numpy.uint64)[:, None]
    pixel = (x * 0x010305 + y * 0x070B0D + seed * 0x111111) & 0xFFFFFF
    return numpy.stack([pixel >> 16 & 0xFF, pixel >> 8 & 0xFF, pixel & 0xFF], axis=-1).astype(numpy.uint8)


def with_box(base, seed, x, y, width, height):
    picture = base.copy()
    picture[y:y + height, x:x + width] = drawn(seed)[y:y + height, x:x + width]
    return picture


BOX = with_box(drawn(1), 2, 40, 30, 100, 50)
EXPECTED = {
    "picture": drawn(1),
    "box": BOX,
    "window": BOX[16:16 + 128, 32:32 + 256],
    "swapped": drawn(3)[:, :, ::-1],
    "blob": drawn(4),
    "blobbox": with_box(drawn(4), 5, 8, 8, 64, 64),
}


@pytest.mark.parametrize("outputs", [1, 2])
def test_gpu(run, tmp_path, outputs):
    def shown(session, monitor=0):
        path = tmp_path / "screen.png"
        path.unlink(missing_ok=True)
        session.control("screenshot", path=path, monitor=monitor)
        return numpy.asarray(Image.open(path).convert("RGB"))

    def screen(session, name):
        picture = shown(session)
        assert picture.shape == EXPECTED[name].shape, f"{name}: the screen is {picture.shape}"
        wrong = (picture != EXPECTED[name]).any(axis=-1)
        assert not wrong.any(), f"{name}: {wrong.sum()} pixels differ, the first at {numpy.argwhere(wrong)[0][::-1]}"

    def screens(session, count):
        for monitor in range(int(count)):
            assert (shown(session, monitor) == drawn(10 + monitor)).all(), f"monitor {monitor}"

    run("gpu", Machine(gpu=True, gpu_outputs=outputs), f"outputs={outputs}",
        actions={"screen": screen, "screens": screens})
