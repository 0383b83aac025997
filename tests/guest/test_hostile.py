# SPDX-License-Identifier: Apache-2.0
"""Guests that break the rules. The VMM must live, stay small, and serve the device again after a reset."""

from vmm import Machine

# What a VMM may take beyond the guest's memory while it is attacked, MiB.
BOUND = 96


def test_virtqueue(run):
    run("hostile", Machine(rng=True, cpus=2), limit_mib=BOUND, timeout=120)


def test_gpu(run):
    # Pictures may take what the configuration allows by default.
    run("hostile_gpu", Machine(gpu=True, cpus=2), limit_mib=256 + BOUND, timeout=180)
