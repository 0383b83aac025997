# SPDX-License-Identifier: Apache-2.0
"""Finds a small picture in a large one, to know a screen of text by a few of its words wherever they stand."""

import numpy


def marks(picture):
    """What is bright in a picture (height x width x colours): of text, the letters or all around them. Bytes of 0 and 1."""
    return (picture[:, :, 1] > 100).astype("uint8")


def find(picture, wanted):
    """The places (x, y) where `wanted` is in `picture`, letter for letter; of whatever colours, so long as they are as bright."""
    large, small = marks(picture), marks(wanted)
    height, width = small.shape
    # The row that tells most; what it matches is looked at whole.
    key = int(numpy.abs(numpy.diff(small.astype("int8"), axis=1)).sum(axis=1).argmax())
    pattern, places = small[key].tobytes(), []
    for y in range(large.shape[0] - height + 1):
        row, x = large[y + key].tobytes(), -1
        while (x := row.find(pattern, x + 1)) >= 0:
            if (large[y:y + height, x:x + width] == small).all():
                places.append((x, y))
    return places
