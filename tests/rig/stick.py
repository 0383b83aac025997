# SPDX-License-Identifier: Apache-2.0
"""What is plugged into a port of the host, and pulled out of it."""


class Stick:
    """A USB stick for one host. image: a raw image file; serial: what the stick says of itself."""

    def __init__(self, machine, image, serial):
        self._machine, self.image, self.serial = machine, image, serial
        self._plugged = False

    @property
    def content(self):
        return self.image.read_bytes()

    def plug(self):
        self._machine.plug_stick("stick", self.image, self.serial)
        self._plugged = True

    def pull(self):
        """Without a word before. A stick that is out already is fine."""
        if self._plugged:
            self._machine.unplug("stick")
            self._machine.forget_stick("stick")
        self._plugged = False
