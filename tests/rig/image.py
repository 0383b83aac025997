# SPDX-License-Identifier: Apache-2.0
"""The images of image-build/: found in the cache, or made now."""

import dataclasses
import pathlib
import subprocess

SOURCE = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Image:
    folder: pathlib.Path

    @property
    def key(self):
        """Names what the image is made from."""
        return self.folder.name

    @property
    def disk(self):
        return self.folder / "disk.raw"

    @property
    def kernel(self):
        return self.folder / "vmlinuz"

    @property
    def initrd(self):
        return self.folder / "initrd.img"

    @property
    def cmdline(self):
        return (self.folder / "cmdline").read_text().strip()


def find(name):
    """The image "guest" or "host"; its making is shown on standard error."""
    made = subprocess.run([SOURCE / "image-build" / name], stdout=subprocess.PIPE, text=True, check=True)
    return Image(pathlib.Path(made.stdout.strip()))
