# SPDX-License-Identifier: Apache-2.0
"""virtio-rng, and with it the transport: ring layouts, MSI-X, INTx."""

from vmm import Machine


def test_rng(run):
    run("rng", Machine(rng=True))
