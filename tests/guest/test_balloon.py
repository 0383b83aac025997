# SPDX-License-Identifier: Apache-2.0
"""virtio-balloon: what the guest gives back, the host has."""

from vmm import Machine

MIB = 1024  # in the KiB of /proc


def test_balloon(run):
    sizes = {}

    def size(session, when):
        sizes[when] = session.resident_kib()

    def balloon(session, mib):
        session.control("balloon", mib=int(mib))

    run("balloon", Machine(balloon=True, free_page_reporting=True, memory_mib=64), "reporting=1",
        actions={"size": size, "balloon": balloon})

    # 32 MiB are given back each time; a few MiB either way are the VMM's own life.
    assert sizes["before"] - sizes["inflated"] > 28 * MIB, sizes
    assert sizes["deflated"] - sizes["inflated"] > 28 * MIB, sizes
    assert sizes["deflated"] - sizes["reported"] > 28 * MIB, sizes
